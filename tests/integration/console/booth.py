"""A call to be held in browsers: what the bank's app does before, and what people do on the pages."""

from dataclasses import dataclass

from playwright.sync_api import Page, expect
from tests.integration.console.browser import PATIENCE_MS, Browsers
from tests.integration.console.media import SAMPLE

from shuanglu.session.v1.call_service_pb2 import CreateInvitationRequest
from shuanglu_caller.booking import book
from shuanglu_stack import EmbeddedStack
from shuanglu_stack.sampling import Client, as_another_order, sample_recording

# More than five frames since this was first asked; a new connection begins to count anew.
MOVES = """([id, key]) => {
  const video = document.querySelector(`[data-person="${id}"] video`)
  if (!video || video.readyState < 2) return false
  const frames = video.getVideoPlaybackQuality().totalVideoFrames
  window.framesBefore ??= {}
  const before = window.framesBefore[key]
  if (before === undefined || frames < before) window.framesBefore[key] = frames
  return before !== undefined && frames > before + 5
}"""


@dataclass(frozen=True, slots=True)
class Booth:
    """One session of a stack."""

    stack: EmbeddedStack
    client: Client
    session_id: str

    def link(self, participant_id: str) -> str:
        """What a person opens."""
        request = CreateInvitationRequest(session_id=self.session_id, participant_id=participant_id)
        invitation = self.client.gateway.call(self.client.gateway.calls.CreateInvitation, request).invitation
        return f"{self.stack.gateway_url}{invitation.link}"


def open_booth(stack: EmbeddedStack, client: Client) -> Booth:
    """A session of the sample's order, with its ID photo."""
    return Booth(stack, client, book(client.gateway, client.door, as_another_order(sample_recording(SAMPLE))))


def screen(page: Page, name: str, timeout_ms: int = PATIENCE_MS) -> None:
    """Wait for a screen by its name."""
    expect(page.locator(f'[data-screen="{name}"]')).to_be_visible(timeout=timeout_ms)


def enter_as_customer(page: Page, link: str) -> None:
    """Consent, check, join."""
    page.goto(link)
    screen(page, "consent")
    page.get_by_role("button").last.click()
    screen(page, "check")
    page.get_by_role("button").last.click()
    screen(page, "call")


def enter_as_agent(page: Page, link: str) -> None:
    """Check, join."""
    page.goto(link)
    screen(page, "check")
    page.get_by_role("button").last.click()
    screen(page, "agent-call")


def sees(page: Page, participant_id: str, timeout_ms: int = PATIENCE_MS) -> None:
    """Wait until the other one's picture moves, not only until it should."""
    tile = page.locator(f'[data-person="{participant_id}"][data-shown="true"]')
    expect(tile).to_be_visible(timeout=timeout_ms)
    video = page.locator(f'[data-person="{participant_id}"] video')
    before = page.evaluate("window.performance.now()")
    page.wait_for_function(MOVES, arg=[participant_id, before], timeout=timeout_ms)
    expect(video).to_be_visible()


def proven(page: Page, timeout_ms: int = PATIENCE_MS) -> None:
    """Wait until the lamp is lit, which is when the recorder says so."""
    expect(page.locator('.lamp[data-proof="PROVEN"]')).to_be_visible(timeout=timeout_ms)


def perform(page: Page, node_id: str, for_ms: int = 0) -> None:
    """Start a node and finish it, as the agent."""
    row = page.locator(f'[data-node="{node_id}"][data-state]')
    row.get_by_role("button").click()
    expect(row).to_have_attribute("data-state", "running")
    page.wait_for_timeout(for_ms)
    row.get_by_role("button").click()
    expect(row).to_have_attribute("data-state", "done")


def in_call(booth: Booth, people: Browsers) -> tuple[Page, Page]:
    """Customer and agent, seeing each other, recording proven."""
    customer = people.of("customer").context(phone=True).new_page()
    agent = people.of("agent").context(phone=False).new_page()
    enter_as_customer(customer, booth.link("customer"))
    enter_as_agent(agent, booth.link("agent"))
    sees(agent, "customer")
    sees(customer, "agent")
    proven(agent)
    return customer, agent


def leave(*pages: Page) -> None:
    """Their browsers are no longer needed."""
    for page in pages:
        page.context.close()
