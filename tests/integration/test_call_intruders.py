"""Who should not be in a call, at every door of it: stolen tokens, replayed links, second tabs, guests without a seat.

Nothing here has a browser or an app of ours: an intruder does not use one.
"""

import asyncio
import json
import re
import ssl
from collections.abc import Iterator
from http.cookies import SimpleCookie
from typing import Any

import grpc
import httpx
import jwt
import pytest
import websockets
from aiortc import RTCPeerConnection
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack
from tests.integration.calls import room

from shuanglu.media.v1.recorder_service_pb2 import CloseRecordingRequest, GetRecordingRequest
from shuanglu.media.v1.recorder_service_pb2_grpc import RecorderServiceStub
from shuanglu_caller.desk import CallDesk, Place
from shuanglu_common.ids import new_id
from shuanglu_stack import EmbeddedStack
from shuanglu_stack.janus_server import janus_name

SDP = {"content-type": "application/sdp"}
CUSTOMER, AGENT = "customer", "agent"
OTHER_BANK = "intruding-bank"
ORDER: dict[str, Any] = {
    "product": "personal_loan",
    "purpose": "consumption",
    "term_months": 24,
    "amount": {"amount_fen": "8000000", "currency": "CNY"},
    "customer": {"customer_no": "C-1", "name": "张三", "id_number": "999999199001010016"},
}
# Every call of CallService that names a session, and what it takes.
CALLS: tuple[tuple[str, str, dict[str, Any] | None], ...] = (
    ("POST", "call:join", {}),
    ("POST", "call:leave", {}),
    ("POST", "call:mute", {"kind": "TRACK_KIND_AUDIO", "muted": True}),
    ("POST", "call:hold", {"held": True}),
    ("POST", "nodes/consent:start", {}),
    ("POST", "nodes/consent:finish", {}),
    ("POST", "call:end", {}),
    ("POST", "invitations", {"participant_id": AGENT}),
    ("DELETE", "invitations/any", None),
    ("GET", "call", None),
    ("GET", "call:watch", None),
)
OF_AGENTS = ("call:hold", "nodes/consent:start", "nodes/consent:finish", "call:end", "invitations", "invitations/any")


class Client:
    """Somebody with an HTTP client of their own: own cookies, own token."""

    def __init__(self, stack: EmbeddedStack, token: str = "") -> None:
        trust = ssl.create_default_context(cafile=str(stack.ca))
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self.http = httpx.Client(base_url=stack.gateway_url, verify=trust, headers=headers, timeout=30)

    def accept(self, code: str) -> httpx.Response:
        answer = self.http.post("/v1/invitations:accept", json={"code": code})
        if answer.is_success:
            self.token = answer.json()["token"]
            self.http.headers["authorization"] = f"Bearer {self.token}"
        return answer

    def ask(self, method: str, session_id: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        with self.http.stream(method, f"/v1/sessions/{session_id}/{path}", json=body) as answer:
            # The first line of a stream is enough to know that somebody was let in.
            lines = answer.iter_lines() if path == "call:watch" and answer.is_success else None
            first = next(lines, "").encode() if lines is not None else answer.read()
        return httpx.Response(answer.status_code, headers={"content-type": "application/json"}, content=first)

    def whip(self, session_id: str, offer: str, **query: str) -> httpx.Response:
        return self.http.post(f"/whip/{session_id}", content=offer, headers=SDP, params=query)

    def whep(self, session_id: str, watched: str, **query: str) -> httpx.Response:
        return self.http.post(f"/whep/{session_id}/{watched}", content=b"", headers=SDP, params=query)


class Call:
    """A session with one invitation for customer and agent each."""

    def __init__(self, stack: EmbeddedStack) -> None:
        self.stack = stack
        self.bank = Client(stack, stack.token())
        order = {"order": ORDER | {"order_no": new_id(0)}}
        order_id = self.bank.http.post("/v1/orders", json=order).raise_for_status().json()["order"]["order_id"]
        session = {"order_id": order_id, "channel": "CHANNEL_REMOTE"}
        made = self.bank.http.post("/v1/sessions", json=session).raise_for_status()
        self.session_id: str = made.json()["session"]["session_id"]
        self.invitations = {who: self.invite(participant_id=who) for who in (CUSTOMER, AGENT)}

    def invite(self, **wanted: str) -> dict[str, Any]:
        answer = self.bank.ask("POST", self.session_id, "invitations", wanted)
        assert answer.is_success, answer.text
        return dict(answer.json()["invitation"])

    def let_in(self, who: str) -> Client:
        """Somebody who has accepted and joined."""
        client = Client(self.stack)
        assert client.accept(self.invitations[who]["code"]).is_success
        assert client.ask("POST", self.session_id, "call:join", {}).is_success
        return client

    def view(self) -> dict[str, Any]:
        return dict(self.bank.ask("GET", self.session_id, "call").json()["call"])


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["details"][0]["reason"]


@pytest.fixture
def call(call_stack: EmbeddedStack) -> Call:
    return Call(call_stack)


@pytest.fixture(scope="module")
def offer() -> str:
    """Of somebody who would publish picture and sound."""

    async def make() -> str:
        peer = RTCPeerConnection()
        peer.addTransceiver(AudioStreamTrack(), direction="sendonly")
        peer.addTransceiver(VideoStreamTrack(), direction="sendonly")
        await peer.setLocalDescription(await peer.createOffer())
        text = str(peer.localDescription.sdp)
        await peer.close()
        return text

    return asyncio.run(make())


def test_a_stolen_token_opens_nothing_of_another_session(call: Call, call_stack: EmbeddedStack, offer: str) -> None:
    other = Call(call_stack)
    other.let_in(CUSTOMER)
    before = other.view()["revision"]
    for who in (CUSTOMER, AGENT):
        thief = call.let_in(who)
        for method, path, body in CALLS:
            role_first = who == CUSTOMER and path in OF_AGENTS
            expected = (403, "ROLE_FORBIDDEN") if role_first else (404, "SESSION_NOT_FOUND")
            assert refusal(thief.ask(method, other.session_id, path, body)) == expected, path
        assert refusal(thief.whip(other.session_id, offer)) == (404, "SESSION_NOT_FOUND")
        assert refusal(thief.whep(other.session_id, CUSTOMER)) == (404, "SESSION_NOT_FOUND")
    assert other.view()["revision"] == before


def test_a_token_says_for_whom_it_is_and_cannot_be_bent(call: Call, call_stack: EmbeddedStack) -> None:
    client = call.let_in(CUSTOMER)
    claims = jwt.decode(client.token, options={"verify_signature": False})
    assert (claims["session_id"], claims["participant_id"]) == (call.session_id, CUSTOMER)
    assert claims["roles"] == ["customer"]
    assert claims["exp"] - claims["iat"] <= 4 * 3600
    bent, head = claims | {"roles": ["agent"], "participant_id": AGENT}, {"kid": claims["iss"]}
    forged, unsigned = jwt.encode(bent, "k" * 32, "HS256", head), jwt.encode(bent, None, "none", head)
    for bad in (forged, unsigned, client.token[:-8] + "AAAAAAAA"):
        assert Client(call_stack, bad).ask("GET", call.session_id, "call").status_code == 401


def test_a_link_that_was_used_opens_in_no_other_browser(call: Call, call_stack: EmbeddedStack) -> None:
    code = call.invitations[CUSTOMER]["code"]
    owner, thief, other = Client(call_stack), Client(call_stack), Client(call_stack)
    first = owner.accept(code)
    cookie = SimpleCookie(first.headers["set-cookie"])["shuanglu_seat"]
    assert cookie["httponly"] and cookie["secure"] and cookie["samesite"] == "Strict"  # noqa: PT018
    assert cookie["path"] == "/v1/invitations:accept"
    assert code not in first.headers["set-cookie"]
    assert owner.token not in first.headers["set-cookie"]

    assert refusal(thief.accept(code)) == (403, "INVITATION_USED")
    thief.http.cookies.set("shuanglu_seat", "A" * 32)
    assert refusal(thief.accept(code)) == (403, "INVITATION_USED")
    assert other.accept(call.invitations[AGENT]["code"]).is_success
    assert refusal(other.accept(code)) == (403, "INVITATION_USED")
    # A reload of the page.
    assert owner.accept(code).is_success


@pytest.mark.parametrize("code", ["", "A" * 32, "A" * 31, "A" * 33, "x' OR 1=1 --", "长" * 32, "A" * 5000])
def test_a_guessed_code_opens_nothing_and_all_guesses_sound_alike(code: str, call_stack: EmbeddedStack) -> None:
    answer = Client(call_stack).accept(code)
    assert refusal(answer) == (404, "INVITATION_NOT_FOUND")
    assert answer.json()["message"] == Client(call_stack).accept("B" * 32).json()["message"]
    assert "set-cookie" not in answer.headers


def test_what_came_of_a_link_ends_with_it(call: Call, call_stack: EmbeddedStack, offer: str) -> None:
    agent = call.let_in(AGENT)
    made = agent.whip(call.session_id, offer)
    assert made.status_code == 201
    invitation_id = call.invitations[AGENT]["invitation_id"]
    assert call.bank.ask("DELETE", call.session_id, f"invitations/{invitation_id}").is_success
    for method, path, body in CALLS:
        assert refusal(agent.ask(method, call.session_id, path, body)) == (403, "INVITATION_REVOKED"), path
    assert refusal(agent.whip(call.session_id, offer)) == (403, "INVITATION_REVOKED")
    assert refusal(agent.whep(call.session_id, CUSTOMER)) == (403, "INVITATION_REVOKED")
    gone = agent.http.delete(made.headers["location"])
    assert refusal(gone) == (404, "CONNECTION_NOT_FOUND")
    assert refusal(agent.accept(call.invitations[AGENT]["code"])) == (404, "INVITATION_NOT_FOUND")
    assert refusal(Client(call_stack).accept(call.invitations[AGENT]["code"])) == (404, "INVITATION_NOT_FOUND")


def test_a_third_publisher_has_no_seat(call: Call, call_stack: EmbeddedStack, offer: str) -> None:
    customer = call.let_in(CUSTOMER)
    assert refusal(customer.whip(call.session_id, offer, participant_id=AGENT)) == (403, "NOT_OWN_SEAT")
    assert refusal(customer.ask("POST", call.session_id, "call:join", {"participant_id": AGENT})) == (
        403,
        "NOT_OWN_SEAT",
    )
    # The bank's own app, too, publishes for those whom the session has, and once they have joined.
    assert refusal(call.bank.whip(call.session_id, offer, participant_id="witness")) == (404, "PARTICIPANT_NOT_FOUND")
    assert refusal(call.bank.whip(call.session_id, offer, participant_id=AGENT)) == (400, "NOT_JOINED")
    assert refusal(call.bank.whip(call.session_id, offer)) == (400, "CALL_REQUEST_INVALID")
    own = Client(call_stack, call_stack.token(roles=["customer"], session_id=call.session_id))
    assert refusal(own.whip(call.session_id, offer, participant_id=AGENT)) == (403, "NOT_OWN_SEAT")
    assert refusal(own.ask("POST", call.session_id, "call:join", {"participant_id": AGENT})) == (403, "NOT_OWN_SEAT")
    assert {one["participant"]["participant_id"] for one in call.view()["participants"]} == {CUSTOMER, AGENT}
    # By invitation a witness has one.
    call.invitations["witness"] = call.invite(role="PARTICIPANT_ROLE_WITNESS")
    witness = call.let_in("witness")
    assert witness.whip(call.session_id, offer).status_code == 201


@pytest.mark.parametrize("role", ["CUSTOMER", "AGENT", "UNSPECIFIED"])
def test_nobody_is_added_as_a_second_customer_or_agent(call: Call, role: str) -> None:
    answer = call.bank.ask("POST", call.session_id, "invitations", {"role": f"PARTICIPANT_ROLE_{role}"})
    assert refusal(answer) == (400, "CALL_REQUEST_INVALID")


def test_a_second_tab_takes_over_and_the_first_one_hears_of_it(call: Call, offer: str) -> None:
    first = call.let_in(CUSTOMER)
    old_token = first.token
    published = first.whip(call.session_id, offer)
    assert published.status_code == 201
    assert first.accept(call.invitations[CUSTOMER]["code"]).is_success
    # Accepted is not joined yet: who only opens the link takes nothing away.
    old = Client(call.stack, old_token)
    assert old.ask("GET", call.session_id, "call").is_success
    assert first.ask("POST", call.session_id, "call:join", {}).is_success
    for method, path, body in CALLS:
        if path not in OF_AGENTS:
            assert refusal(old.ask(method, call.session_id, path, body)) == (403, "SEAT_TAKEN"), path
    assert refusal(old.whip(call.session_id, offer)) == (403, "SEAT_TAKEN")
    assert refusal(old.whep(call.session_id, AGENT)) == (403, "SEAT_TAKEN")
    assert refusal(old.http.delete(published.headers["location"])) == (404, "CONNECTION_NOT_FOUND")
    assert first.whip(call.session_id, offer).status_code == 201


async def test_who_was_taken_over_from_sees_nothing_any_more(call_stack: EmbeddedStack) -> None:
    place = Place(call_stack.gateway_url, call_stack.ca)
    async with room(call_stack) as call:
        await call.publish(AGENT)
        watching = await call.watch(CUSTOMER, AGENT)
        await call.answer(CUSTOMER, watching)
        async with asyncio.timeout(20):
            while call.peers[-1].connectionState != "connected":  # noqa: ASYNC110 - it has no event of its own
                await asyncio.sleep(0.05)
        async with CallDesk(place) as nobody:
            seat = await nobody.accept(await call.desk.invite(call.session_id, CUSTOMER))
        async with CallDesk(place, seat.token) as anew:
            await anew.join(seat)
        await call.ended(call.peers[-1])
        gone = await call.http[CUSTOMER].delete(watching.headers["location"])
        assert refusal(gone) == (404, "CONNECTION_NOT_FOUND")
        assert refusal(await call.watch(CUSTOMER, AGENT)) == (403, "SEAT_TAKEN")


def test_nobody_touches_the_connection_of_another(call: Call, call_stack: EmbeddedStack, offer: str) -> None:
    customer, agent = call.let_in(CUSTOMER), call.let_in(AGENT)
    made = customer.whip(call.session_id, offer)
    place = made.headers["location"]
    resource = place.rpartition("/")[2]
    assert re.fullmatch(r"[0-9a-f]{32,}", resource)
    foreign = Client(call_stack, call_stack.token(tenant=OTHER_BANK))
    other = Call(call_stack)
    elsewhere = other.let_in(CUSTOMER)
    for intruder, path in (
        (agent, place),
        (agent, f"/whep/{call.session_id}/{CUSTOMER}/{resource}"),
        (customer, f"/whep/{call.session_id}/{AGENT}/{resource}"),
        (foreign, place),
        (elsewhere, f"/whip/{other.session_id}/{resource}"),
    ):
        for method in ("PATCH", "DELETE"):
            headers = {"content-type": "application/trickle-ice-sdpfrag", "if-match": "*"}
            answer = intruder.http.request(method, path, headers=headers)
            assert refusal(answer) == (404, "CONNECTION_NOT_FOUND"), (method, path)
    assert customer.http.delete(place).status_code == 200


def test_another_bank_sees_nothing_of_a_call(call: Call, call_stack: EmbeddedStack, offer: str) -> None:
    call.let_in(CUSTOMER)
    intruder = Client(call_stack, call_stack.token(tenant=OTHER_BANK))
    bound = Client(call_stack, call_stack.token(tenant=OTHER_BANK, session_id=call.session_id))
    before = call.view()["revision"]
    for method, path, body in CALLS:
        for client in (intruder, bound):
            answer = client.ask(method, call.session_id, path, body)
            assert answer.status_code == 404, path
            assert CUSTOMER not in answer.text
    for client in (intruder, bound):
        assert client.whip(call.session_id, offer, participant_id=CUSTOMER).status_code == 404
        assert client.whep(call.session_id, CUSTOMER, participant_id=AGENT).status_code == 404
    assert call.view()["revision"] == before


def test_a_customer_neither_leads_the_call_nor_sees_behind_it(call: Call) -> None:
    customer, agent = call.let_in(CUSTOMER), call.let_in(AGENT)
    for method, path, body in CALLS:
        if path in OF_AGENTS:
            assert refusal(customer.ask(method, call.session_id, path, body)) == (403, "ROLE_FORBIDDEN"), path
    for path in ("/v1/sessions", "/v1/recordings:reconcile", "/files/x"):
        assert customer.http.get(path, headers={"tus-resumable": "1.0.0"}).status_code == 403, path
    seen, full = (client.ask("GET", call.session_id, "call").json()["call"] for client in (customer, agent))
    assert not seen["recording"]["tracks"]
    assert len(full["recording"]["tracks"]) == 4
    assert not [node for node in seen["script"] if node["text"]]
    assert [node for node in full["script"] if node["text"]]


def test_an_agents_seat_is_no_account(call: Call) -> None:
    """What came by an invitation is of one session: it makes nothing and lists nothing."""
    agent = call.let_in(AGENT)
    assert refusal(agent.http.post("/v1/orders", json={"order": ORDER})) == (403, "SESSION_TOKEN_TOO_NARROW")
    assert refusal(agent.http.get("/v1/sessions")) == (403, "SESSION_TOKEN_TOO_NARROW")
    assert refusal(agent.http.get("/v1/recordings:reconcile")) == (403, "ROLE_FORBIDDEN")
    # A file would stand in the place of what the call records.
    both = {"participants": [{"participant_id": who} for who in (CUSTOMER, AGENT)], "upload_id": "any"}
    imported = agent.http.post("/v1/imports", json={"session_id": call.session_id, "files": [both]})
    assert refusal(imported) == (403, "ROLE_FORBIDDEN")


def test_after_the_end_nobody_comes_in_any_more(call: Call, call_stack: EmbeddedStack, offer: str) -> None:
    customer, agent = call.let_in(CUSTOMER), call.let_in(AGENT)
    witness = call.invite(role="PARTICIPANT_ROLE_WITNESS")
    assert agent.ask("POST", call.session_id, "call:end", {}).is_success
    ended = (400, "CALL_ENDED")
    assert refusal(Client(call_stack).accept(witness["code"])) == ended
    assert refusal(customer.accept(call.invitations[CUSTOMER]["code"])) == ended
    assert refusal(customer.ask("POST", call.session_id, "call:join", {})) == ended
    assert refusal(customer.whip(call.session_id, offer)) == ended
    assert refusal(customer.whep(call.session_id, AGENT)) == ended
    assert refusal(call.bank.ask("POST", call.session_id, "invitations", {"participant_id": AGENT})) == ended


async def test_the_media_server_listens_to_signaling_alone(call_stack: EmbeddedStack) -> None:
    """Its API is not behind the gateway; who reaches its port still needs the secret."""
    address = f"ws://127.0.0.1:{call_stack.ports[janus_name(1)]}"
    async with websockets.connect(address, subprotocols=[websockets.Subprotocol("janus-protocol")]) as line:
        for extra in ({}, {"apisecret": "guess"}, {"token": "guess"}):
            await line.send(json.dumps({"janus": "create", "transaction": "t", **extra}))
            said = json.loads(await asyncio.wait_for(line.recv(), 5))
            assert (said["janus"], said["error"]["code"]) == ("error", 403)


@pytest.fixture
def recorder(call_stack: EmbeddedStack) -> Iterator[RecorderServiceStub]:
    with grpc.insecure_channel(f"127.0.0.1:{call_stack.ports['media-ingest-live-grpc']}") as channel:
        yield RecorderServiceStub(channel)


def test_the_recorder_listens_to_services_alone(call: Call, recorder: Any) -> None:
    agent = call.let_in(AGENT)
    tokens = {call.stack.token(): grpc.StatusCode.PERMISSION_DENIED, "": grpc.StatusCode.UNAUTHENTICATED}
    tokens |= {agent.token: grpc.StatusCode.PERMISSION_DENIED, "junk": grpc.StatusCode.UNAUTHENTICATED}
    for token, code in tokens.items():
        for method, request in (
            (recorder.CloseRecording, CloseRecordingRequest(session_id=call.session_id)),
            (recorder.GetRecording, GetRecordingRequest(session_id=call.session_id)),
        ):
            with pytest.raises(grpc.RpcError) as caught:
                method(request, metadata=(("authorization", f"Bearer {token}"),), timeout=10)
            assert caught.value.code() is code
