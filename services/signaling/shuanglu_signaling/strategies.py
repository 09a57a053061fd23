"""Asks quality which strategy governs an order."""

from collections.abc import Callable

import grpc
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from shuanglu.common.v1 import types_pb2
from shuanglu.common.v1.types_pb2 import Money
from shuanglu.quality.v1.strategy_service_pb2 import OrderFacts, ResolveStrategyRequest, ResolveStrategyResponse
from shuanglu.quality.v1.strategy_service_pb2_grpc import StrategyServiceStub
from shuanglu_common.errors import ShuangluError
from shuanglu_signaling.domain.call_table import StallAction
from shuanglu_signaling.domain.order import Order
from shuanglu_signaling.domain.ports import Resolution
from shuanglu_signaling.domain.script import STALL_PATIENCE_S, RecordingPolicy, ScriptNode
from shuanglu_signaling.domain.session import Inspection
from shuanglu_signaling.domain.words import Channel
from shuanglu_signaling.errors import StrategiesUnavailable, StrategyNotChosen, StrategyNotFound
from shuanglu_signaling.wire import CHANNEL_OF, CHANNELS, ROLE_OF

Metadata = tuple[tuple[str, str], ...]
DETAILS_KEY = "grpc-status-details-bin"
REASON_KEY = "strategy_reason"
STALL_ACTION_OF = {types_pb2.StallAction.Value(f"STALL_ACTION_{action}"): action for action in StallAction}


class QualityStrategies:
    """The port `Strategies` over gRPC."""

    def __init__(self, channel: grpc.aio.Channel, metadata: Callable[[str], Metadata], timeout_s: float) -> None:
        """`metadata`: credentials of a call for a tenant."""
        self.stub = StrategyServiceStub(channel)
        self.metadata = metadata
        self.timeout_s = timeout_s

    async def resolve(self, tenant: str, order: Order, channel: Channel, strategy_id: str) -> Resolution:
        """Only facts of the deal go out, nothing of the customer."""
        request = ResolveStrategyRequest(
            order=OrderFacts(
                product=order.product,
                amount=Money(amount_fen=order.amount_fen, currency=order.currency),
                purpose=order.purpose,
                term_months=order.term_months,
            ),
            channel=CHANNELS[channel],
            strategy_id=strategy_id,
        )
        try:
            response = await self.stub.ResolveStrategy(
                request, metadata=self.metadata(tenant), timeout=self.timeout_s, wait_for_ready=True
            )
        except grpc.aio.AioRpcError as error:
            raise translate(error) from error
        return read_resolution(response)


def read_resolution(response: ResolveStrategyResponse) -> Resolution:
    """An answer of quality."""
    inspection = response.inspection
    return Resolution(
        strategy_id=response.strategy_id,
        strategy_version=response.strategy_version,
        admitted=response.admitted,
        refusal_zh=response.refusal_zh,
        refusal_en=response.refusal_en,
        refusal_rule=response.refusal_rule,
        open_channels=tuple(CHANNEL_OF[number] for number in response.open_channels if number in CHANNEL_OF),
        inspection=Inspection(inspection.face_frames_per_kilosecond, tuple(inspection.languages)),
        script=tuple(read_node(node) for node in response.script),
        recording=read_recording(response.recording),
    )


def read_node(node: types_pb2.ScriptNode) -> ScriptNode:
    """One step of the script."""
    return ScriptNode(node.node_id, node.title_zh, node.title_en, ROLE_OF.get(node.read_by), node.text)


def read_recording(policy: types_pb2.RecordingPolicy) -> RecordingPolicy:
    """What is asked of a live recording; what is not said is read as the contract has it."""
    roles = tuple(ROLE_OF[number] for number in policy.required_roles if number in ROLE_OF)
    action = STALL_ACTION_OF.get(policy.on_stall, StallAction.HOLD)
    return RecordingPolicy(roles, action, policy.stall_patience_s or STALL_PATIENCE_S)


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """The reason in the error's details; empty if it has none."""
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            for detail in Status.FromString(value).details:
                info = ErrorInfo()
                if detail.Unpack(info):
                    return str(info.reason)
    return ""


def translate(error: grpc.aio.AioRpcError) -> ShuangluError:
    """What quality says about the request is passed on; all else means that it cannot be asked now."""
    text, details = error.details() or "", {REASON_KEY: reason_of(error)}
    code = error.code()
    if code is grpc.StatusCode.NOT_FOUND:
        return StrategyNotFound(text, **details)
    if code in {grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.INVALID_ARGUMENT}:
        return StrategyNotChosen(text, **details)
    return StrategiesUnavailable(f"无法确定质检策略。The strategies cannot be asked: {code.name}.")
