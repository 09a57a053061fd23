"""How far an inspection is: a session's state from the news about it, which may repeat, be missed, or come late."""

from dataclasses import dataclass, replace

from shuanglu.common.v1.types_pb2 import Outcome
from shuanglu.media.v1.media_events_pb2 import ImportFailed
from shuanglu.quality.v1.quality_events_pb2 import InspectionProgressed
from shuanglu.report.v1.report_events_pb2 import ReportReady
from shuanglu.report.v1.report_service_pb2 import InspectionPhase
from shuanglu.session.v1.session_pb2 import Session, SessionState
from shuanglu_report.ports import InspectionNews, LastNews

_UNKNOWN = Outcome.OUTCOME_UNSPECIFIED


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a session stands."""

    phase: InspectionPhase.ValueType = InspectionPhase.INSPECTION_PHASE_WAITING
    observed: int = 0
    expected: int = 0
    verdict: Outcome.ValueType = _UNKNOWN
    failure_reason: str = ""

    @property
    def over(self) -> bool:
        """True if nothing more will come."""
        ends = (InspectionPhase.INSPECTION_PHASE_REPORTED, InspectionPhase.INSPECTION_PHASE_FAILED)
        return self.phase in ends


def reported(progress: Progress, verdict: Outcome.ValueType) -> Progress:
    """The report is there; what was expected was observed or given up."""
    return replace(progress, phase=InspectionPhase.INSPECTION_PHASE_REPORTED, verdict=verdict, failure_reason="")


def after(progress: Progress, news: InspectionNews) -> Progress:
    """The state after one piece of news. Counts never go back; a report outweighs everything."""
    if progress.phase == InspectionPhase.INSPECTION_PHASE_REPORTED:
        return progress
    if isinstance(news, ReportReady):
        return reported(progress, news.verdict)
    if isinstance(news, ImportFailed):
        return replace(progress, phase=InspectionPhase.INSPECTION_PHASE_FAILED, failure_reason=news.reason)
    inspecting = replace(progress, phase=InspectionPhase.INSPECTION_PHASE_INSPECTING, failure_reason="")
    if isinstance(news, InspectionProgressed):
        observed, expected = max(progress.observed, news.observed), max(progress.expected, news.expected)
        return replace(inspecting, observed=observed, expected=expected)
    return inspecting


def from_start(session: Session, last: LastNews) -> Progress:
    """The state of a session without a report. The bus is ahead of signaling, so its news come first."""
    progress = Progress()
    if last.requested or session.state in (
        SessionState.SESSION_STATE_RECORDING,
        SessionState.SESSION_STATE_INSPECTING,
        SessionState.SESSION_STATE_REPORTED,
    ):
        progress = replace(progress, phase=InspectionPhase.INSPECTION_PHASE_INSPECTING)
    if last.progress:
        progress = after(progress, last.progress)
    if last.failure:
        return after(progress, last.failure)
    if session.state == SessionState.SESSION_STATE_FAILED and not last.requested:
        return after(progress, ImportFailed(reason=session.failure_reason))
    return progress
