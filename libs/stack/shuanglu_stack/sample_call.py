"""A session of the sample's customer and agent that waits for two browser windows."""

from pathlib import Path

from shuanglu.session.v1.call_service_pb2 import CreateInvitationRequest
from shuanglu_caller.booking import book, people_of
from shuanglu_stack.sampling import as_another_order, client_of, sample_recording
from shuanglu_stack.stack import EmbeddedStack


def sample_links(stack: EmbeddedStack, sample: Path) -> dict[str, str]:
    """Open a session and invite both: the link of each, by participant. Raises CliError."""
    recording = as_another_order(sample_recording(sample))
    with client_of(stack) as client:
        gateway = client.gateway
        session_id = book(gateway, client.door, recording)
        links: dict[str, str] = {}
        for who in people_of(recording):
            request = CreateInvitationRequest(session_id=session_id, participant_id=who)
            invitation = gateway.call(gateway.calls.CreateInvitation, request).invitation
            links[who] = stack.gateway_url + invitation.link
    return links
