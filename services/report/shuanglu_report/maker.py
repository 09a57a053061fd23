"""Makes a report from a verdict: loads, masks, proves, prints, stores. Twice changes nothing."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from shuanglu.common.v1.types_pb2 import ObjectRef, Outcome
from shuanglu.media.v1.media_events_pb2 import TrackStored
from shuanglu.quality.v1.finding_pb2 import InspectionResult
from shuanglu.quality.v1.quality_events_pb2 import Stage, VerdictReached
from shuanglu.report.v1.report_pb2 import Report, Still
from shuanglu.session.v1.session_pb2 import Order
from shuanglu_common.ids import derived_id
from shuanglu_report import metrics
from shuanglu_report.domain.masking import mask_id_number, mask_name
from shuanglu_report.errors import ProofNotReady, ResultUnreadable
from shuanglu_report.page.choice import WantedStill, wanted_stills
from shuanglu_report.page.words import OUTCOMES, outcome_of
from shuanglu_report.ports import (
    ClipSource,
    Press,
    Printed,
    ReportRow,
    ReportRows,
    SealedObjects,
    SessionDirectory,
)
from shuanglu_report.proof import missing_tracks, prove

FOLDER = "reports"  # Of a session's sealed objects.


def stage_name(stage: Stage.ValueType) -> str:
    """`preliminary` for STAGE_PRELIMINARY: part of object names and of the report's id."""
    return Stage.Name(stage).removeprefix("STAGE_").lower()


@dataclass(frozen=True, slots=True)
class ReportMaker:
    """Everything that it takes to make a report."""

    sessions: SessionDirectory
    rows: ReportRows
    sealed: SealedObjects
    clips: ClipSource
    press: Press

    async def make(self, tenant: str, session_id: str, reached: VerdictReached, at_us: int) -> bool:
        """Make and store the report; False if it is there already.

        `at_us` is when the verdict was reached, and the report's time: so the same verdict always gives the same bytes.
        Raises ProofNotReady, SessionsAway, PressStuck (retried); SessionNotFound, SealBroken, ResultUnreadable.
        """
        existing = await self.rows.newest(tenant, session_id)
        if existing and existing.stage >= reached.stage:
            return False
        with _timed("load"):
            result = await self._result(tenant, session_id, reached)
            tracks = await self._tracks(tenant, session_id, result)
            session, order = await self.sessions.case(tenant, session_id)
        name = stage_name(reached.stage)
        report = Report(
            report_id=derived_id("report", tenant, session_id, name),
            session_id=session_id,
            stage=reached.stage,
            verdict=outcome_of(reached.verdict),
            order=masked_order(order),
            channel=session.channel,
            result=result,
            proof=prove(result.tracks, tracks),
            created_at_us=at_us,
            session_created_at_us=session.created_at_us,
        )
        with _timed("print"):
            clips = await self.clips.clips(wanted_stills(result), tracks)
            printed = await self.press.print_report(report, clips)
        with _timed("store"):
            row = await self._store(tenant, report, name, printed)
            added = await self.rows.add_report(row)
        if added:
            metrics.REPORTS.labels(OUTCOMES[report.verdict].en).inc()
        return added

    async def _result(self, tenant: str, session_id: str, reached: VerdictReached) -> InspectionResult:
        try:
            return InspectionResult.FromString(await self.sealed.get(tenant, session_id, reached.result))
        except DecodeError as error:
            raise ResultUnreadable("the result of the inspection cannot be read") from error

    async def _tracks(self, tenant: str, session_id: str, result: InspectionResult) -> list[TrackStored]:
        """Raises ProofNotReady if the news of a judged track has not come yet."""
        tracks = await self.rows.tracks(tenant, session_id)
        if missing := missing_tracks(result.tracks, tracks):
            raise ProofNotReady(f"{len(missing)} of {len(result.tracks)} tracks are not known yet")
        return tracks

    async def _store(self, tenant: str, report: Report, name: str, printed: Printed) -> ReportRow:
        """Seal stills, PDF and report, in this order: the row that makes them visible comes last."""
        session_id = report.session_id
        folder = f"{FOLDER}/{name}"
        pdf = await self.sealed.put(tenant, session_id, f"{folder}/report.pdf", printed.pdf)
        for number, (still, jpeg) in enumerate(zip(wanted_stills(report.result), printed.stills, strict=True), start=1):
            if jpeg:
                ref = await self.sealed.put(tenant, session_id, f"{folder}/still-{number:02d}.jpg", jpeg)
                report.stills.append(_still(still, ref))
        data = report.SerializeToString(deterministic=True)
        ref = await self.sealed.put(tenant, session_id, f"{folder}/report.pb", data)
        outcomes = [outcome_of(finding.outcome) for finding in report.result.findings]
        return ReportRow(
            tenant=tenant,
            report_id=report.report_id,
            session_id=session_id,
            order_id=report.order.order_id,
            stage=report.stage,
            verdict=report.verdict,
            failed_count=outcomes.count(Outcome.OUTCOME_FAIL),
            unsure_count=outcomes.count(Outcome.OUTCOME_UNSURE),
            report=ref,
            pdf=pdf,
            created_at_us=report.created_at_us,
        )


def _still(still: WantedStill, ref: ObjectRef) -> Still:
    frame = still.frame
    return Still(finding_id=still.finding_id, track_id=frame.track_id, at_ms=frame.at_ms, object=ref)


def masked_order(order: Order) -> Order:
    """A copy of the order whose customer is masked; the argument stays as it is."""
    copy = Order()
    copy.CopyFrom(order)
    if copy.HasField("customer"):
        copy.customer.name = mask_name(order.customer.name)
        copy.customer.id_number = mask_id_number(order.customer.id_number)
    return copy


@contextmanager
def _timed(step: str) -> Iterator[None]:
    started = time.monotonic()
    try:
        yield
    finally:
        metrics.STEP_SECONDS.labels(step).observe(time.monotonic() - started)
