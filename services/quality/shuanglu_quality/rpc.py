"""StrategyService: the door for strategies."""

from typing import Any

import grpc

from shuanglu.common.v1.types_pb2 import Channel, Inspection, RecordingPolicy, ScriptNode, StallAction
from shuanglu.quality.v1 import strategy_service_pb2 as api
from shuanglu.quality.v1.strategy_service_pb2_grpc import StrategyServiceServicer
from shuanglu_common.auth import current_principal
from shuanglu_quality import proto_out
from shuanglu_quality.conditions import OrderFacts
from shuanglu_quality.domain.strategy import Node, RecordingRules
from shuanglu_quality.strategies import CHANNELS, StoredStrategy, StrategyShelf
from shuanglu_quality.strategy_text import read

_CHANNELS = {Channel.Value(f"CHANNEL_{name}"): name for name in CHANNELS}
_NUMBERS = {name: Channel.Value(f"CHANNEL_{name}") for name in CHANNELS}
Context = grpc.aio.ServicerContext[Any, Any]


class StrategyRpc(StrategyServiceServicer):
    """Thin: reads the request, asks the shelf, writes the response. Role and tenant come from the token."""

    def __init__(self, shelf: StrategyShelf) -> None:
        """`shelf`: all strategies."""
        self._shelf = shelf

    async def CreateStrategyVersion(  # noqa: N802 - named by the proto
        self,
        request: api.CreateStrategyVersionRequest,
        context: Context,  # noqa: ARG002
    ) -> api.CreateStrategyVersionResponse:
        """Stores a version. Raises StrategyInvalid."""
        principal = current_principal()
        row, created = await self._shelf.create(principal.tenant, request.yaml, principal.subject)
        return api.CreateStrategyVersionResponse(strategy=_strategy(row), created=created)

    async def ValidateStrategy(  # noqa: N802
        self,
        request: api.ValidateStrategyRequest,
        context: Context,  # noqa: ARG002
    ) -> api.ValidateStrategyResponse:
        """Lists what is wrong with a text."""
        reading = read(request.yaml)
        problems = [api.Problem(path=one.path, message=one.message, line=one.line) for one in reading.problems]
        version = reading.strategy.version if reading.strategy else ""
        return api.ValidateStrategyResponse(problems=problems, version=version)

    async def ListStrategies(  # noqa: N802
        self,
        request: api.ListStrategiesRequest,
        context: Context,  # noqa: ARG002
    ) -> api.ListStrategiesResponse:
        """The newest version of each. Raises PageTokenInvalid."""
        rows, token = await self._shelf.page(current_principal().tenant, request.page_size, request.page_token)
        return api.ListStrategiesResponse(strategies=[_strategy(row) for row in rows], next_page_token=token)

    async def GetStrategy(  # noqa: N802
        self,
        request: api.GetStrategyRequest,
        context: Context,  # noqa: ARG002
    ) -> api.GetStrategyResponse:
        """One version. Raises StrategyNotFound."""
        row = await self._shelf.get(current_principal().tenant, request.strategy_id, request.version)
        return api.GetStrategyResponse(strategy=_strategy(row))

    async def ResolveStrategy(  # noqa: N802
        self,
        request: api.ResolveStrategyRequest,
        context: Context,  # noqa: ARG002
    ) -> api.ResolveStrategyResponse:
        """The strategy for an order. Raises StrategyNotFound, StrategyAmbiguous, StrategyNotApplicable."""
        order = OrderFacts(
            request.order.product, request.order.amount.amount_fen, request.order.purpose, request.order.term_months
        )
        channel = _CHANNELS.get(request.channel, "")
        resolved = await self._shelf.resolve(current_principal().tenant, order, channel, request.strategy_id)
        strategy, refused = resolved.strategy, not resolved.admitted
        return api.ResolveStrategyResponse(
            strategy_id=strategy.strategy_id,
            strategy_version=strategy.version,
            admitted=resolved.admitted,
            refusal_zh=strategy.admission.refusal.zh if refused else "",
            refusal_en=strategy.admission.refusal.en if refused else "",
            refusal_rule=strategy.admission.rule if refused else "",
            open_channels=[_NUMBERS[name] for name in resolved.open_channels],
            inspection=Inspection(
                face_frames_per_kilosecond=round(strategy.face_fps * 1000), languages=strategy.languages
            ),
            script=[_script_node(node) for node in strategy.nodes],
            recording=_recording(strategy.recording),
        )


def _script_node(node: Node) -> ScriptNode:
    return ScriptNode(
        node_id=node.node_id,
        title_zh=node.title.zh,
        title_en=node.title.en,
        read_by=proto_out.role(node.read_by),
        text=node.reading,
    )


def _recording(rules: RecordingRules) -> RecordingPolicy:
    return RecordingPolicy(
        required_roles=[proto_out.role(role) for role in rules.required_roles],
        on_stall=StallAction.Value(f"STALL_ACTION_{rules.on_stall.name}"),
        stall_patience_s=rules.stall_patience_s,
    )


def _strategy(row: StoredStrategy) -> api.Strategy:
    return api.Strategy(
        strategy_id=row.strategy_id,
        version=row.version,
        yaml=row.yaml,
        created_at_us=row.created_at_us,
        created_by=row.created_by,
    )
