"""WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep) over HTTP. Bodies are session descriptions or fragments of them."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shuanglu_common.access import Role
from shuanglu_common.auth import Principal, current_principal
from shuanglu_common.errors import DependencyError, ShuangluError
from shuanglu_common.http_server import error_response
from shuanglu_signaling.domain.call_ports import IceServers, Pass, Seats
from shuanglu_signaling.domain.sdp_publish import publish_offer
from shuanglu_signaling.domain.sdp_watch import watch_answer, watch_offer
from shuanglu_signaling.domain.sdpfrag import parse_fragment
from shuanglu_signaling.domain.whip_resource import Resource, Way
from shuanglu_signaling.errors import CallRequestInvalid, NotOwnSeat
from shuanglu_signaling.turn import link_headers
from shuanglu_signaling.whip_connections import ANY_ETAG, Connections, Negotiated
from shuanglu_signaling.whip_errors import BodyTooLarge, EtagRequired, MediaTypeUnsupported, ResourceNotFound, WrongSdp
from shuanglu_signaling.whip_metrics import CONNECTIONS_MADE, NEGOTIATION_SECONDS, OFFERS_REFUSED

SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"
MAX_BODY_BYTES = 64 * 1024
RETRY_AFTER_S = "1"
CUSTOMER = "customer"

Handler = Callable[[Request], Awaitable[Response]]


class WhipDoor:
    """The endpoints and resources of both protocols."""

    def __init__(self, seats: Seats, connections: Connections, ice: IceServers) -> None:
        """`ice`: what clients are told in Link headers."""
        self.seats = seats
        self.connections = connections
        self.ice = ice

    def app(self) -> Starlette:
        """As paths."""
        whip, whep = "/whip/{session_id}", "/whep/{session_id}/{watched}"
        return Starlette(
            routes=[
                Route(whip, self.guarded(self.publish), methods=["POST"]),
                Route(whip, self.options(SDP, ""), methods=["OPTIONS"]),
                Route(whip + "/{resource_id}", self.guarded(self.patch), methods=["PATCH"]),
                Route(whip + "/{resource_id}", self.guarded(self.delete), methods=["DELETE"]),
                Route(whip + "/{resource_id}", self.options("", FRAGMENT), methods=["OPTIONS"]),
                Route(whep, self.guarded(self.watch), methods=["POST"]),
                Route(whep, self.options(SDP, ""), methods=["OPTIONS"]),
                Route(whep + "/{resource_id}", self.guarded(self.patch), methods=["PATCH"]),
                Route(whep + "/{resource_id}", self.guarded(self.delete), methods=["DELETE"]),
                Route(whep + "/{resource_id}", self.options("", f"{FRAGMENT}, {SDP}"), methods=["OPTIONS"]),
            ]
        )

    def guarded(self, handler: Handler) -> Handler:
        """Errors in the house's shape."""

        async def run(request: Request) -> Response:
            try:
                return await handler(request)
            except ShuangluError as error:
                response = error_response(error)
                response.status_code = int(getattr(error, "http_status", response.status_code))
                if isinstance(error, DependencyError):
                    response.headers["Retry-After"] = RETRY_AFTER_S
                return response

        return run

    def options(self, post: str, patch: str) -> Handler:
        """What may be sent (RFC 9725 §4.2)."""

        async def run(_request: Request) -> Response:
            methods = "OPTIONS, POST" if post else "OPTIONS, PATCH, DELETE"
            headers = {"Allow": methods}
            headers |= {"Accept-Post": post} if post else {"Accept-Patch": patch}
            return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)

        return run

    # Endpoints.

    async def publish(self, request: Request) -> Response:
        """POST to a WHIP endpoint."""
        async with negotiating(Way.PUBLISH):
            text = await body_of(request, SDP)
            if not text:
                raise WrongSdp("the body is empty")
            offer = publish_offer(text)
            principal, session_id = current_principal(), request.path_params["session_id"]
            who = as_whom(principal, request)
            seat = await self.seats.publisher(principal.tenant, session_id, who, admission(principal))
            return self.created(await self.connections.publish(seat, offer), HTTPStatus.CREATED)

    async def watch(self, request: Request) -> Response:
        """POST to a WHEP endpoint; an empty body asks for the server's offer."""
        async with negotiating(Way.WATCH):
            text = await body_of(request, SDP)
            offer = watch_offer(text) if text else None
            principal, session_id = current_principal(), request.path_params["session_id"]
            who, watched = as_whom(principal, request), request.path_params["watched"]
            if who == watched:
                raise NotOwnSeat("不能观看自己。Nobody watches their own media.")
            seat = await self.seats.watcher(principal.tenant, session_id, who, watched, admission(principal))
            made = await self.connections.watch(seat, watched, offer)
            # A counter-offer: the client answers it by PATCH, or gives up.
            status = HTTPStatus.NOT_ACCEPTABLE if made.offered and offer else HTTPStatus.CREATED
            return self.created(made, status)

    def created(self, made: Negotiated, status: HTTPStatus) -> Response:
        """Where the connection is, its ICE session, and the servers that help to reach it."""
        resource = made.resource
        CONNECTIONS_MADE.labels(resource.way.value).inc()
        base = f"/whip/{resource.seat.session_id}"
        if resource.way is Way.WATCH:
            base = f"/whep/{resource.seat.session_id}/{resource.watched}"
        headers = {
            "Location": f"{base}/{resource.resource_id}",
            "ETag": f'"{resource.etag}"',
            "Accept-Patch": FRAGMENT if resource.way is Way.PUBLISH else f"{FRAGMENT}, {SDP}",
            "Cache-Control": "no-store",
        }
        response = Response(made.description.text(), status, headers, SDP)
        for value in link_headers(self.ice.servers(resource.seat.participant_id)):
            response.headers.append("Link", value)
        return response

    # Resources.

    async def patch(self, request: Request) -> Response:
        """Candidates, a restart of ICE, or a watcher's answer."""
        resource = await self.resource(request)
        kind = media_type(request)
        if kind == SDP and resource.way is Way.WATCH:
            await self.connections.answer(resource, watch_answer(await body_of(request, SDP)))
            return Response(status_code=HTTPStatus.NO_CONTENT)
        fragment = parse_fragment(await body_of(request, FRAGMENT))
        if_match = request.headers.get("if-match", "").strip()
        if not if_match:
            raise EtagRequired("PATCH needs If-Match")
        if if_match != ANY_ETAG or fragment.ice == self.connections.remote(resource).ice:
            etag = resource.etag if if_match == ANY_ETAG else if_match.strip('"')
            await self.connections.trickle(resource, fragment, etag)
            return Response(status_code=HTTPStatus.NO_CONTENT)
        changed, text = await self.connections.restart(resource, fragment)
        headers = {"ETag": f'"{changed.etag}"', "Cache-Control": "no-store"}
        return Response(text, HTTPStatus.OK, headers, FRAGMENT)

    async def delete(self, request: Request) -> Response:
        """The end of a connection."""
        await self.connections.plane.end(await self.resource(request), "deleted")
        return Response(status_code=HTTPStatus.OK)

    async def resource(self, request: Request) -> Resource:
        """Of the caller alone. Raises ResourceNotFound."""
        principal, place = current_principal(), request.path_params
        way = Way.WATCH if "watched" in place else Way.PUBLISH
        found = await self.find(principal.tenant, place["session_id"], place["resource_id"])
        mine = principal.participant_id
        if (
            found is None
            or found.way is not way
            or (mine is not None and found.seat.participant_id != mine)
            or not may_stand_for(principal, found.seat.participant_id)
            or place.get("watched", "") != found.watched
        ):
            raise ResourceNotFound("there is no such connection")
        return found

    async def find(self, tenant: str, session_id: str, resource_id: str) -> Resource | None:
        """While the database is away, those that this replica looks after are known all the same."""
        plane = self.connections.plane
        try:
            return await plane.store.get(tenant, session_id, resource_id)
        except DependencyError:
            held = [each.resource for each in plane.held.values() if each.resource.resource_id == resource_id]
            known = [each for each in held if (each.seat.tenant, each.seat.session_id) == (tenant, session_id)]
            if known:
                return known[0]
            raise


def as_whom(principal: Principal, request: Request) -> str:
    """The token's participant; a token without one names it in the query. Raises NotOwnSeat, CallRequestInvalid."""
    asked = request.query_params.get("participant_id", "")
    if principal.participant_id is not None:
        if asked not in {"", principal.participant_id}:
            raise NotOwnSeat("令牌属于另一参与人。The token stands for another participant.")
        return principal.participant_id
    if not asked:
        raise CallRequestInvalid("字段 participant_id 必填。participant_id is required.", field="participant_id")
    if not may_stand_for(principal, asked):
        raise NotOwnSeat("令牌不能代表此参与人。The token cannot stand for this participant.")
    return asked


def may_stand_for(principal: Principal, participant_id: str) -> bool:
    """A token without a participant stands for anybody; a customer's for the customer alone."""
    named = principal.participant_id is not None or principal.roles & {Role.AGENT, Role.BANK_APP}
    return bool(named) or participant_id == CUSTOMER


def admission(principal: Principal) -> Pass | None:
    """How the token came into being, if by an invitation."""
    if principal.invitation_id is None:
        return None
    return Pass(principal.invitation_id, principal.seat)


def media_type(request: Request) -> str:
    """Without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def body_of(request: Request, expected: str) -> str:
    """The body as text. Raises MediaTypeUnsupported, BodyTooLarge, WrongSdp."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLarge(f"a body holds at most {MAX_BODY_BYTES} bytes")
    if body and media_type(request) != expected:
        raise MediaTypeUnsupported(f"the body must be {expected}")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise WrongSdp("the body is not UTF-8") from error


@asynccontextmanager
async def negotiating(way: Way) -> AsyncIterator[None]:
    """Counts and measures."""
    started = time.monotonic()
    try:
        yield
    except ShuangluError as error:
        OFFERS_REFUSED.labels(way.value, error.reason).inc()
        raise
    NEGOTIATION_SECONDS.labels(way.value).observe(time.monotonic() - started)
