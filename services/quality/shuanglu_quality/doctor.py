"""Quality examines itself for `shuanglu doctor`: open inspections, verdicts, and the objects that they rest on."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import zstandard
from google.protobuf.message import DecodeError

from shuanglu.bus.v1.envelope_pb2 import Envelope
from shuanglu.common.v1.types_pb2 import ObjectRef, Outcome
from shuanglu.observation.v1.observations_pb2 import SpeechTranscribed
from shuanglu.ops.v1 import doctor_service_pb2 as pb
from shuanglu.ops.v1.doctor_service_pb2_grpc import QualityDoctorServiceServicer
from shuanglu.quality.v1.fold_pb2 import ObservationArchive
from shuanglu_common.ailments import Ailment, Code
from shuanglu_common.auth import current_principal
from shuanglu_common.clock import Clock
from shuanglu_common.doctor import DatabaseDoctor, ObjectReader, RemedyUnknown, ahead, ailment_message, checked, named
from shuanglu_common.errors import DamagedData
from shuanglu_common.store import ObjectMissing
from shuanglu_quality.errors import SnapshotDamaged
from shuanglu_quality.fold import SessionFold
from shuanglu_quality.folds import FoldStore, Patience
from shuanglu_quality.nats_folds import MAX_SNAPSHOT_BYTES
from shuanglu_quality.verdict_log import REMEMBERED_S, Reached, VerdictLog

US = 1_000_000
# Deadlines are looked for every few seconds, and judging takes a moment.
SLACK_US = 600 * US
# Of these places a verdict names every object. Transcripts that came after it are kept, too: nobody names them.
PLACES = ("sealed/results/", "sealed/observations/", "sealed/folds/")
Context = grpc.aio.ServicerContext[Any, Any]
Examined = tuple[pb.Holding | None, list[Ailment]]


@dataclass(frozen=True, slots=True)
class QualityDoctor(QualityDoctorServiceServicer):
    """See protos/shuanglu/ops/v1/doctor_service.proto."""

    folds: FoldStore
    verdicts: VerdictLog
    patience: Patience
    common: DatabaseDoctor
    reader: ObjectReader
    clock: Clock

    async def ExamineVerdicts(  # noqa: N802 - the contract's name
        self,
        request: pb.ExamineVerdictsRequest,
        context: Context,  # noqa: ARG002
    ) -> AsyncIterator[pb.ExamineVerdictsResponse]:
        """See the contract."""
        tenant, wanted = current_principal().tenant, checked(request.examination)
        yield pb.ExamineVerdictsResponse(remembered_from_us=self.clock.now_us() - REMEMBERED_S * US)
        if not wanted.session_id:
            for ailment in await self.common.examine(tenant, at_rest=wanted.at_rest):
                yield pb.ExamineVerdictsResponse(ailment=ailment_message(ailment))
        told = await self.verdicts.sessions(tenant, wanted.session_id or "*")
        folded = {session_id for owner, session_id in await self.folds.sessions() if owner == tenant}
        known = told.keys() | folded
        sessions = [wanted.session_id] if wanted.session_id else sorted(known, key=in_order)
        work = (self._session(tenant, each, wanted, folded=each in folded, decided=each in told) for each in sessions)
        async for examined in ahead(work):
            for holding, ailments in examined:
                for ailment in ailments:
                    yield pb.ExamineVerdictsResponse(ailment=ailment_message(ailment))
                if holding is not None:
                    yield pb.ExamineVerdictsResponse(holding=holding)

    async def MendVerdicts(  # noqa: N802 - the contract's name
        self,
        request: pb.MendVerdictsRequest,
        context: Context,  # noqa: ARG002
    ) -> pb.MendVerdictsResponse:
        """See the contract."""
        if request.treatment.remedy != pb.REMEDY_RELAY_OUTBOX:
            raise RemedyUnknown
        return pb.MendVerdictsResponse(treated=await self.common.relay())

    async def _session(
        self, tenant: str, session_id: str, wanted: pb.Examination, *, folded: bool, decided: bool
    ) -> list[Examined]:
        """All that is kept of one session."""
        examined = [await self._fold(tenant, session_id, wanted)] if folded else []
        return [*examined, await self._verdict(tenant, session_id, deep=wanted.deep)] if decided else examined

    async def _fold(self, tenant: str, session_id: str, wanted: pb.Examination) -> Examined:
        """An inspection that is not decided. A decided one tells nothing that its verdict does not."""
        try:
            stored = await self.folds.load(tenant, session_id)
        except (SnapshotDamaged, ObjectMissing, DamagedData) as error:
            return None, [Ailment(Code.FOLD_UNREADABLE, session_id, f"{tenant}.{session_id}", error.reason)]
        if stored is None or (stored.fold.verdict is not None and stored.fold.announced):
            return None, []
        fold = stored.fold
        refs = transcripts(fold.envelopes())
        holding = pb.Holding(
            session_id=session_id,
            kind=pb.HOLDING_KIND_FOLD,
            state="OPEN" if fold.completed is None else "COMPLETED",
            changed_at_us=max(fold.completed_at_us, fold.last_observation_at_us),
            objects=named(refs),
        )
        ailments = self._late(fold, at_rest=wanted.at_rest)
        if wanted.deep:
            ailments += await self.reader.examine(tenant, session_id, refs)
        return holding, ailments

    def _late(self, fold: SessionFold, *, at_rest: bool) -> list[Ailment]:
        deadline_us = self.patience.deadline_us(fold)
        if deadline_us is None:
            return []
        due_us = fold.completed_at_us if at_rest else deadline_us + SLACK_US
        if self.clock.now_us() <= due_us:
            return []
        missing = len(fold.ledger.expected()) - fold.ledger.observed
        detail = f"{missing} observations are missing"
        return [Ailment(Code.SESSION_WITHOUT_VERDICT, fold.session_id, "", detail)]

    async def _verdict(self, tenant: str, session_id: str, *, deep: bool) -> Examined:
        told = await self.verdicts.told(tenant, session_id)
        if not told:
            return None, []
        newest = told[-1]
        refs = [newest.verdict.result, newest.verdict.observations]
        archive, ailments = await self._archive(tenant, session_id, newest)
        refs += transcripts(archive.events)
        if deep:
            ailments += await self.reader.examine(tenant, session_id, refs)
        holding = pb.Holding(
            session_id=session_id,
            kind=pb.HOLDING_KIND_VERDICT,
            state=Outcome.Name(newest.verdict.verdict),
            changed_at_us=newest.at_us,
            objects=named(refs),
            places=PLACES,
        )
        return holding, doubles(session_id, told) + list(dict.fromkeys(ailments))

    async def _archive(
        self, tenant: str, session_id: str, reached: Reached
    ) -> tuple[ObservationArchive, list[Ailment]]:
        """The archive is always opened: it names the transcripts."""
        try:
            packed = await self.reader.sealed.get(tenant, session_id, reached.verdict.observations)
            plain = zstandard.ZstdDecompressor().decompress(packed, max_output_size=MAX_SNAPSHOT_BYTES)
            return ObservationArchive.FromString(plain), []
        except ObjectMissing:
            return ObservationArchive(), []  # The list of objects tells.
        except (DamagedData, zstandard.ZstdError, DecodeError):
            return ObservationArchive(), await self.reader.examine(tenant, session_id, [reached.verdict.observations])


def in_order(session_id: str) -> str:
    """Sorts sessions as the store sorts their objects' keys."""
    return session_id + "/"


def transcripts(events: Iterable[Envelope]) -> list[ObjectRef]:
    """Transcripts that events name."""
    schema = SpeechTranscribed.DESCRIPTOR.full_name
    spoken = [SpeechTranscribed.FromString(event.payload) for event in events if event.schema == schema]
    return [each.transcript for each in spoken if each.HasField("transcript")]


def doubles(session_id: str, told: Sequence[Reached]) -> list[Ailment]:
    """The same verdict told twice is harmless; two results of one stage are not."""
    results = {(each.verdict.stage, each.verdict.verdict, each.verdict.result.sha256) for each in told}
    stages = [stage for stage, _, _ in results]
    return [
        Ailment(Code.VERDICT_DOUBLE, session_id, "", f"{stages.count(stage)} results of stage {stage}")
        for stage in sorted(set(stages))
        if stages.count(stage) > 1
    ]
