"""From a complete fold to the sealed result and the archive.

Reads transcripts, runs the pure inspection in a thread.
"""

import asyncio
import hashlib
from typing import Protocol

import structlog
import zstandard
from google.protobuf.message import DecodeError

from shuanglu.common.v1.types_pb2 import ObjectRef
from shuanglu.observation.v1.observations_pb2 import (
    FacesObserved,
    SpeechFound,
    SpeechTranscribed,
    Transcript,
    WindowFound,
)
from shuanglu.quality.v1.fold_pb2 import ObservationArchive
from shuanglu.quality.v1.quality_events_pb2 import Stage, VerdictReached
from shuanglu_common.errors import CallerError, DamagedData
from shuanglu_common.tenant_label import TenantLabel
from shuanglu_quality import proto_in, proto_out
from shuanglu_quality.conditions import FindingsCondition
from shuanglu_quality.domain.inspection import Inspection, inspect
from shuanglu_quality.domain.observations import Observation, Recording, WindowHeard
from shuanglu_quality.domain.strategy import Strategy
from shuanglu_quality.fold import SessionFold
from shuanglu_quality.metrics import FINDINGS, JUDGE_SECONDS, VERDICTS, show_tenants

log = structlog.get_logger()

TRANSCRIPTS_AT_ONCE = 8
UNREADABLE = "TRANSCRIPT_UNREADABLE"


class Strategies(Protocol):
    """Where strategies are."""

    async def load(self, tenant: str, strategy_id: str, version: str) -> Strategy:
        """One version. Raises StrategyNotFound, DatabaseUnavailable."""


class Sealed(Protocol):
    """Sealed objects of a session; see shuanglu_common.store.SealedStore."""

    async def put(self, tenant: str, session_id: str, name: str, data: bytes, expires_at_us: int = 0) -> ObjectRef:
        """Seals and stores."""

    async def get(self, tenant: str, session_id: str, ref: ObjectRef) -> bytes:
        """Opens. Raises NotFound, DamagedData, StoreUnavailable."""


class Judge:
    """Makes verdicts. The same fold gives the same result, byte for byte."""

    def __init__(self, strategies: Strategies, sealed: Sealed, tenants: TenantLabel | None = None) -> None:
        """`sealed` holds transcripts, and takes results and archives. `tenants`: as the metrics name them."""
        self._strategies = strategies
        self._sealed = sealed
        self._tenants = tenants or TenantLabel()
        show_tenants(self._tenants)

    async def judge(self, fold: SessionFold) -> VerdictReached:
        """The verdict, its result and archive stored. Raises StrategyNotFound and errors of store and database."""
        created, completed = fold.created, fold.completed
        if created is None or completed is None:
            raise ValueError("a fold without session or recording cannot be judged")
        strategy = await self._strategies.load(fold.tenant, created.strategy_id, created.strategy_version)
        observations = await self._observations(fold)
        recording = proto_in.recording(completed, proto_in.roles(created.participants))
        with JUDGE_SECONDS.time():
            inspection = await asyncio.to_thread(_inspect, strategy, recording, observations, fold)
        message = proto_out.result(strategy, inspection, completed, recording.duration_ms)
        result = await self._store(fold, "results/preliminary", message.SerializeToString(deterministic=True))
        archive = ObservationArchive(
            session_id=fold.session_id,
            strategy_id=strategy.strategy_id,
            strategy_version=strategy.version,
            events=fold.archived(),
        ).SerializeToString(deterministic=True)
        packed = await asyncio.to_thread(zstandard.ZstdCompressor(level=10).compress, archive)
        stored = await self._store(fold, "observations/archive", packed)
        _count(self._tenants(fold.tenant), inspection)
        return VerdictReached(
            stage=Stage.STAGE_PRELIMINARY,
            verdict=proto_out.outcome(inspection.verdict),
            result=result,
            strategy_id=strategy.strategy_id,
            strategy_version=strategy.version,
            last_observation_at_us=fold.last_observation_at_us,
            observations=stored,
        )

    async def _store(self, fold: SessionFold, name: str, data: bytes) -> ObjectRef:
        """Under a name with the content's hash: two owners of one fold never overwrite each other's objects."""
        digest = hashlib.sha256(data).hexdigest()[:16]
        return await self._sealed.put(fold.tenant, fold.session_id, f"{name}-{digest}", data)

    async def _observations(self, fold: SessionFold) -> list[Observation]:
        found: list[Observation] = []
        spoken: list[SpeechTranscribed] = []
        for message in fold.payloads((FacesObserved, SpeechFound, WindowFound, SpeechTranscribed)):
            match message:
                case FacesObserved():
                    found.append(proto_in.faces(message))
                case SpeechFound():
                    found.append(proto_in.speech(message))
                case WindowFound():
                    found.append(proto_in.plan(message))
                case SpeechTranscribed():
                    spoken.append(message)
        room = asyncio.Semaphore(TRANSCRIPTS_AT_ONCE)

        async def read(message: SpeechTranscribed) -> WindowHeard:
            async with room:
                return await self._window(fold, message)

        found.extend(await asyncio.gather(*(read(message) for message in spoken)))
        return found

    async def _window(self, fold: SessionFold, message: SpeechTranscribed) -> WindowHeard:
        """A window whose transcript is gone or damaged counts as not examined."""
        if message.failure_reason or not message.HasField("transcript"):
            return proto_in.window(message, None, UNREADABLE)
        try:
            data = await self._sealed.get(fold.tenant, fold.session_id, message.transcript)
            return proto_in.window(message, Transcript.FromString(data))
        except (DecodeError, DamagedData, CallerError) as error:
            log.error("transcript.unreadable", error=type(error).__name__)
            return proto_in.window(message, None, UNREADABLE)


def _inspect(
    strategy: Strategy, recording: Recording, observations: list[Observation], fold: SessionFold
) -> Inspection:
    return inspect(strategy, recording, observations, fold.ledger.given_up(), FindingsCondition(strategy.verdict))


def _count(tenant: str, inspection: Inspection) -> None:
    VERDICTS.labels(tenant, inspection.verdict.value).inc()
    for finding in inspection.findings:
        FINDINGS.labels(finding.check, finding.outcome.value).inc()
