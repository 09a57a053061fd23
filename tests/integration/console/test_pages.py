"""What people see on the pages of a call, when things go well and when they go wrong; real stack, real Chromium."""

import pytest
from playwright.sync_api import expect
from tests.integration.console.booth import (
    Booth,
    enter_as_agent,
    enter_as_customer,
    in_call,
    leave,
    perform,
    proven,
    screen,
    sees,
)
from tests.integration.console.browser import Browsers, shoot

from shuanglu.session.v1.call_service_pb2 import EndCallRequest
from shuanglu_stack import EmbeddedStack


def test_two_pages_hold_a_call_and_perform_its_nodes(booth: Booth, people: Browsers) -> None:
    customer = people.of("customer").context(phone=True).new_page()
    agent = people.of("agent").context(phone=False).new_page()
    faults: list[str] = []
    for page in (customer, agent):
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda line: faults.append(line.text) if "Content Security Policy" in line.text else None)
    enter_as_customer(customer, booth.link("customer"))
    expect(customer.locator(".lamp")).not_to_have_attribute("data-proof", "PROVEN")
    enter_as_agent(agent, booth.link("agent"))
    sees(agent, "customer")
    sees(customer, "agent")
    proven(agent)
    proven(customer)
    expect(agent.locator('[data-track][data-proof="PROVEN"]')).to_have_count(4)
    # The customer is told of the recording, but not track by track, and not what the agent reads.
    expect(customer.locator("[data-track]")).to_have_count(0)
    first = agent.locator("[data-node][data-state]").first
    node = first.get_attribute("data-node")
    assert node
    first.get_by_role("button").click()
    expect(customer.locator(f'.step-words[data-node="{node}"]')).to_be_visible()
    expect(customer.locator(".read-aloud")).to_have_count(0)
    shoot(customer, "customer-step-zh")
    shoot(agent, "agent-step-zh")
    first.get_by_role("button").click()
    expect(first).to_have_attribute("data-state", "done")
    perform(agent, "identity")
    agent.get_by_role("button", name="English").click()
    customer.get_by_role("button", name="English").click()
    shoot(agent, "agent-call-en")
    shoot(customer, "customer-call-en")
    agent.get_by_role("button", name="End", exact=True).click()
    shoot(agent, "agent-end-en")
    agent.get_by_role("button", name="End the call").click()
    screen(customer, "ended")
    screen(agent, "report-waiting")
    shoot(customer, "customer-ended-en")
    assert faults == []
    for page in (customer, agent):
        page.context.close()


def test_a_switched_off_sound_is_told_and_hold_stops_the_nodes(booth: Booth, people: Browsers) -> None:
    customer, agent = in_call(booth, people)
    agent.get_by_role("button", name="静音").click()
    expect(agent.get_by_role("button", name="取消静音")).to_have_attribute("aria-pressed", "true")
    expect(agent.locator('[data-track="agent-audio"]')).to_have_attribute("data-proof", "PAUSED")
    agent.get_by_role("button", name="取消静音").click()
    expect(agent.locator('[data-track="agent-audio"]')).to_have_attribute("data-proof", "PROVEN")
    agent.get_by_role("button", name="暂停").click()
    expect(customer.get_by_text("通话暂停")).to_be_visible()
    expect(agent.locator("[data-node][data-state] button").first).to_be_disabled()
    agent.get_by_role("button", name="恢复").click()
    expect(customer.get_by_text("通话暂停")).to_be_hidden()
    leave(customer, agent)


def test_a_third_person_comes_in_by_the_agents_link(booth: Booth, people: Browsers) -> None:
    customer, agent = in_call(booth, people)
    agent.get_by_role("button", name="邀请").click()
    agent.get_by_role("button", name="见证人").click()
    link = agent.locator("output.link").inner_text()
    shoot(agent, "agent-invite-zh")
    agent.get_by_role("button", name="关闭", exact=True).click()
    witness = people.of("agent").context(phone=True, dark=True).new_page()
    enter_as_customer(witness, link)
    sees(agent, "witness")
    shoot(agent, "agent-three-zh")
    shoot(customer, "customer-three-zh")
    leave(customer, agent, witness)


def test_a_reload_leads_straight_back_into_the_call(booth: Booth, people: Browsers) -> None:
    customer, agent = in_call(booth, people)
    customer.reload()
    screen(customer, "call")
    sees(customer, "agent")
    sees(agent, "customer")
    # The token is in no place where another page or a log could find it.
    kept = customer.evaluate(
        "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.search])"
    )
    assert "eyJ" not in kept
    assert customer.evaluate("location.search") == ""
    leave(customer, agent)


def test_a_second_tab_takes_over_and_the_first_says_so(booth: Booth, people: Browsers) -> None:
    customer, agent = in_call(booth, people)
    second = customer.context.new_page()
    enter_as_customer(second, customer.url)
    screen(customer, "taken")
    shoot(customer, "customer-taken-zh")
    sees(agent, "customer")
    sees(second, "agent")
    customer.get_by_role("button", name="在此窗口继续").click()
    screen(customer, "call")
    screen(second, "taken")
    sees(customer, "agent")
    leave(customer, agent)


def test_a_used_link_says_where_to_go(booth: Booth, people: Browsers) -> None:
    link = booth.link("customer")
    first = people.of("customer").context(phone=True).new_page()
    first.goto(link)
    screen(first, "consent")
    other = people.of("customer").context(phone=True).new_page()
    other.goto(link)
    screen(other, "refused-INVITATION_USED")
    shoot(other, "customer-used-zh")
    leave(first, other)


@pytest.mark.parametrize(("fragment", "name"), [("", "no-link"), ("#" + "x" * 43, "refused-INVITATION_NOT_FOUND")])
def test_a_link_that_is_none_is_explained(calls: EmbeddedStack, people: Browsers, fragment: str, name: str) -> None:
    page = people.of("customer").context(phone=True).new_page()
    page.goto(f"{calls.gateway_url}/call{fragment}")
    screen(page, name)
    shoot(page, f"customer-{name}-zh")
    leave(page)


def test_who_denies_the_camera_is_told_how_to_allow_it(booth: Booth, people: Browsers) -> None:
    page = people.refusing().context(phone=True).new_page()
    page.goto(booth.link("customer"))
    screen(page, "consent")
    page.get_by_role("button").last.click()
    screen(page, "device-denied")
    shoot(page, "customer-denied-zh")
    leave(page)


def test_a_browser_without_webrtc_is_told_to_open_another(booth: Booth, people: Browsers) -> None:
    context = people.of("customer").context(phone=True)
    context.add_init_script("delete window.RTCPeerConnection")
    page = context.new_page()
    page.goto(booth.link("customer"))
    screen(page, "lack-webrtc")
    shoot(page, "customer-lack-zh")
    leave(page)


def test_a_call_that_is_over_lets_nobody_in(booth: Booth, people: Browsers) -> None:
    customer, agent = in_call(booth, people)
    calls = booth.client.gateway.calls
    booth.client.gateway.call(calls.EndCall, EndCallRequest(session_id=booth.session_id))
    screen(customer, "ended")
    screen(agent, "report-waiting")
    shoot(customer, "customer-ended-zh")
    leave(customer, agent)
