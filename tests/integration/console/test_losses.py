"""What the pages do when something is lost on the way: say so, claim no recording, come back by themselves."""

from playwright.sync_api import Page, expect
from tests.integration.console.booth import Booth, in_call, leave, proven, sees
from tests.integration.console.browser import Browsers, shoot

# A page tries again after at most 5 s, and the machine may be busy.
BACK_MS = 80_000


def test_a_page_without_network_says_so_and_comes_back(booth: Booth, people: Browsers) -> None:
    customer, agent = in_call(booth, people)
    customer.context.set_offline(True)
    # Connections that are open outlive Chromium's switch; with the gateway gone none can be opened again.
    booth.stack.kill_service("gateway")
    expect(customer.get_by_text("网络中断，正在恢复")).to_be_visible()
    # What was asked for is not what is known.
    expect(customer.locator('.lamp[data-proof="UNKNOWN"] .light')).to_have_text("○")
    shoot(customer, "customer-offline-zh")
    customer.context.set_offline(False)
    proven(customer, BACK_MS)
    expect(customer.get_by_text("网络中断，正在恢复")).to_be_hidden()
    sees(customer, "agent")
    leave(customer, agent)


def test_a_call_outlives_signaling(booth: Booth, people: Browsers) -> None:
    customer, agent = in_call(booth, people)
    # Killed, it is back before the pages notice on a fast machine; away, it is missed on every one.
    booth.stack.stop_service("signaling")
    expect(agent.locator('.lamp[data-proof="UNKNOWN"]')).to_be_visible()
    booth.stack.start_service("signaling")
    back(customer, agent)
    leave(customer, agent)


def test_a_call_outlives_the_media_server(booth: Booth, people: Browsers) -> None:
    customer, agent = in_call(booth, people)
    booth.stack.stop_service("janus")
    expect(agent.locator('.lamp[data-proof="PROVEN"]')).to_be_hidden()
    shoot(agent, "agent-media-lost-zh")
    booth.stack.start_service("janus")
    back(customer, agent)
    leave(customer, agent)


def back(customer: Page, agent: Page) -> None:
    """Both see each other again, and the recording is proven."""
    proven(agent, BACK_MS)
    proven(customer, BACK_MS)
    sees(agent, "customer", BACK_MS)
    sees(customer, "agent", BACK_MS)
