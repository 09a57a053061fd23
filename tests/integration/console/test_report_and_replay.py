"""From a link to a report and its replay, with nothing but browsers in between."""

import re

from playwright.sync_api import Page, expect
from tests.integration.console.booth import Booth, in_call, open_booth, perform, screen
from tests.integration.console.browser import Browsers, shoot

from shuanglu.common.v1.types_pb2 import Outcome
from shuanglu.report.v1.report_service_pb2 import CreateReplayRequest
from shuanglu_stack import EmbeddedStack
from shuanglu_stack.sampling import Client

REPORT_MS = 300_000
NODES = ("consent", "identity", "terms", "risk", "confirm")
NODE_MS = 2_000
TONES = {Outcome.OUTCOME_PASS: "pass", Outcome.OUTCOME_FAIL: "fail"}


def test_a_call_in_browsers_ends_in_a_report_and_replays(
    stack: EmbeddedStack, client: Client, people: Browsers
) -> None:
    booth = open_booth(stack, client)
    customer, agent = in_call(booth, people)
    for node in NODES:
        perform(agent, node, NODE_MS)
    agent.get_by_role("button", name="结束", exact=True).click()
    agent.get_by_role("button", name="结束通话").click()
    screen(customer, "ended")
    screen(agent, "report-there", REPORT_MS)
    report = client.report(booth.session_id)
    expect(agent.locator("[data-verdict]")).to_have_attribute("data-verdict", TONES.get(report.verdict, "unsure"))
    expect(agent.locator("[data-check]")).to_have_count(len(report.result.findings))
    shoot(agent, "agent-report-zh")
    with agent.expect_download() as download:
        agent.get_by_role("button", name="下载 PDF").click()
    assert download.value.path().read_bytes().startswith(b"%PDF-")
    replays(booth, agent, length_s=len(NODES) * NODE_MS / 1000)
    for page in (customer, agent):
        page.context.close()


def replays(booth: Booth, agent: Page, length_s: float) -> None:
    """Customer and agent play side by side, from the start and near the end."""
    asked = CreateReplayRequest(session_id=booth.session_id)
    path = booth.client.gateway.call(booth.client.gateway.reports.CreateReplay, asked).playlist_path
    page = agent.context.new_page()
    page.goto(f"{booth.stack.gateway_url}/call#{path}")
    expect(page.locator('[data-screen="replay"]')).to_have_attribute("data-found", "2")
    page.get_by_role("button", name="播放").click()
    page.wait_for_function(
        "() => [...document.querySelectorAll('video')].every(v => v.currentTime > 2 && v.videoWidth > 0)"
    )
    shoot(page, "replay-zh")
    total = page.locator(".replay .row span").inner_text().split("/")[1]
    found = re.fullmatch(r"\s*(\d\d):(\d\d\.\d)", total)
    assert found
    assert int(found[1]) * 60 + float(found[2]) >= length_s
    page.evaluate(
        "() => { const i = document.querySelector('input[type=range]'); i.value = i.max - 2;"
        " i.dispatchEvent(new Event('input', {bubbles: true})) }"
    )
    page.wait_for_function("() => [...document.querySelectorAll('video')].every(v => v.currentTime > v.duration - 1.8)")
    assert page.evaluate("() => [...document.querySelectorAll('video')].every(v => v.error === null)")
