"""Makes a report from a verdict: loads, masks, proves, cuts stills, sets the page, stores. Twice changes nothing."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import tzinfo

from google.protobuf.message import DecodeError

from shuanglu.common.v1.types_pb2 import ObjectRef, Outcome
from shuanglu.media.v1.media_events_pb2 import TrackStored
from shuanglu.quality.v1.finding_pb2 import InspectionResult
from shuanglu.quality.v1.quality_events_pb2 import Stage, VerdictReached
from shuanglu.report.v1.report_pb2 import Report, Still
from shuanglu_common.ids import derived_id
from shuanglu_report import metrics
from shuanglu_report.domain.choice import WantedStill, wanted_stills
from shuanglu_report.domain.masking import masked_order
from shuanglu_report.domain.page import StillPicture, page_values
from shuanglu_report.domain.ports import (
    PageRenderer,
    ReportRow,
    ReportRows,
    SealedObjects,
    SessionDirectory,
    StillCutter,
)
from shuanglu_report.domain.proof import missing_tracks, prove
from shuanglu_report.domain.timeline import timeline_picture
from shuanglu_report.domain.words import OUTCOMES, outcome_of
from shuanglu_report.errors import ProofNotReady, ResultUnreadable


def stage_name(stage: Stage.ValueType) -> str:
    """`preliminary` for STAGE_PRELIMINARY: part of object names and of the report's id."""
    return Stage.Name(stage).removeprefix("STAGE_").lower()


@dataclass(frozen=True, slots=True)
class CutStill:
    """A still that could be cut."""

    wanted: WantedStill
    file: str
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class ReportMaker:
    """Everything that it takes to make a report."""

    sessions: SessionDirectory
    rows: ReportRows
    sealed: SealedObjects
    cutter: StillCutter
    renderer: PageRenderer
    # Zone of the times on the page.
    zone: tzinfo

    async def make(self, tenant: str, session_id: str, reached: VerdictReached, at_us: int) -> bool:
        """Make and store the report; False if it is there already.

        `at_us` is when the verdict was reached, and the report's time: so the same verdict always gives the same bytes.
        Raises ProofNotReady, SessionsAway, StoreUnavailable (retried); SessionNotFound, SealBroken, ResultUnreadable.
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
        with _timed("stills"):
            stills = await self._stills(result, tracks)
        with _timed("page"):
            pdf = await asyncio.to_thread(self._page, report, stills)
        with _timed("store"):
            row = await self._store(tenant, report, name, stills, pdf)
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

    async def _stills(self, result: InspectionResult, tracks: Sequence[TrackStored]) -> list[CutStill]:
        wanted = wanted_stills(result)
        pictures = await self.cutter.cut(wanted, tracks)
        return [
            CutStill(still, f"still-{number:02d}.jpg", jpeg)
            for number, (still, jpeg) in enumerate(zip(wanted, pictures, strict=True), start=1)
            if jpeg
        ]

    def _page(self, report: Report, stills: Sequence[CutStill]) -> bytes:
        shown = [
            StillPicture(still.wanted.finding_id, still.wanted.frame.track_id, still.wanted.frame.at_ms, still.file)
            for still in stills
        ]
        values = page_values(report, shown, self.zone)
        pictures = {still.file: still.jpeg for still in stills}
        return self.renderer.render(values, timeline_picture(report.result), pictures, report.created_at_us)

    async def _store(self, tenant: str, report: Report, name: str, stills: Sequence[CutStill], pdf: bytes) -> ReportRow:
        """Seal stills, PDF and report, in this order: the row that makes them visible comes last."""
        session_id = report.session_id
        folder = f"reports/{name}"
        refs = await asyncio.gather(
            self.sealed.put(tenant, session_id, f"{folder}/report.pdf", pdf),
            *(self.sealed.put(tenant, session_id, f"{folder}/{still.file}", still.jpeg) for still in stills),
        )
        report.stills.extend(_still(still, ref) for still, ref in zip(stills, refs[1:], strict=True))
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
            pdf=refs[0],
            created_at_us=report.created_at_us,
        )


def _still(still: CutStill, ref: ObjectRef) -> Still:
    frame = still.wanted.frame
    return Still(finding_id=still.wanted.finding_id, track_id=frame.track_id, at_ms=frame.at_ms, object=ref)


@contextmanager
def _timed(step: str) -> Iterator[None]:
    started = time.monotonic()
    try:
        yield
    finally:
        metrics.STEP_SECONDS.labels(step).observe(time.monotonic() - started)
