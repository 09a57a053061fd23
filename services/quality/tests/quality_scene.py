"""A session in order, as models would see and hear it. Tests spoil one thing and look at what is found."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from shuanglu_quality.conditions import FindingsCondition
from shuanglu_quality.domain.findings import Finding
from shuanglu_quality.domain.inspection import Inspection, inspect
from shuanglu_quality.domain.intervals import Interval
from shuanglu_quality.domain.observations import (
    Box,
    FaceSeen,
    FacesSeen,
    FrameSeen,
    Gap,
    Key,
    Level,
    Observation,
    Recording,
    Said,
    SpeechHeard,
    TimelineNode,
    Track,
    WindowHeard,
    WindowPlanned,
)
from shuanglu_quality.domain.strategy import Strategy
from shuanglu_quality.domain.words import ModelRef, Outcome, Role, TrackKind

YUNET, WHISPER = ModelRef("yunet", "df3c7eec759d72a1"), ModelRef("whisper-base", "d01c3014881c9c6f")
SEGMENT_MS = 2000
GENUINE, IMPOSTOR = 0.62, 0.12
ROLES = (Role.CUSTOMER, Role.AGENT)
# node, role, text
SCRIPT = (
    ("consent", Role.AGENT, "为保护您的权益，本次业务办理将全程录音录像，请问您是否同意？"),
    ("consent", Role.CUSTOMER, "同意。"),
    ("identity", Role.AGENT, "请问您是本人自愿申请这笔个人贷款吗？"),
    ("identity", Role.CUSTOMER, "是的，是我本人自愿申请。"),
    ("terms", Role.AGENT, "期限24个月，贷款年利率为4.5%，按月等额本息还款。"),
    ("terms", Role.AGENT, "请问您清楚了吗？"),
    ("terms", Role.CUSTOMER, "清楚了。"),
    ("risk", Role.AGENT, "贷款不得用于购房。"),
    ("risk", Role.AGENT, "逾期将影响您的征信。"),
    ("risk", Role.AGENT, "请问您是否了解以上风险？"),
    ("risk", Role.CUSTOMER, "是的，我清楚了。"),
    ("confirm", Role.AGENT, "请问您确认签署这份借款合同吗？"),
    ("confirm", Role.CUSTOMER, "我确认签署。"),
)


@dataclass(frozen=True)
class Spoken:
    node: str
    role: Role
    text: str
    answer_text: str | None = None
    confidence: float = 0.9
    pause_ms: int = 700


def face(x: float = 240, similarity: float | None = GENUINE, size: float = 150, score: float = 0.95) -> FaceSeen:
    return FaceSeen(Box(x, 140, size, size * 1.2), score, similarity, 0.9 if similarity == GENUINE else similarity)


@dataclass
class Scene:
    """Everything about a session that a test may change before it calls `inspect`."""

    strategy: Strategy
    script: list[Spoken] = field(default_factory=lambda: [Spoken(*line) for line in SCRIPT])
    faces: dict[Role, Callable[[int], tuple[FaceSeen, ...]]] = field(default_factory=dict)
    black: dict[Role, Interval] = field(default_factory=dict)
    motion: Callable[[Role, int], float] = lambda role, at: 0.02
    mute: dict[Role, Interval] = field(default_factory=dict)
    speech_dbfs: float = -24.0
    skip: set[Key] = field(default_factory=set)
    failed: dict[Key, str] = field(default_factory=dict)
    lost: dict[Key, str] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()
    timeline: tuple[TimelineNode, ...] = ()
    has_id_photo: bool = True
    shared: bool = False
    # A call: what comes before the first word and after the last, tracks that never came, and people who looked in.
    live: bool = False
    lead_ms: int = 0
    tail_ms: int = 0
    without: set[str] = field(default_factory=set)
    guests: dict[Role, Interval] = field(default_factory=dict)

    @property
    def said(self) -> list[tuple[Spoken, Said]]:
        at = 900 + self.lead_ms
        found = []
        for line in self.script:
            end = at + max(500, 190 * len(line.text))
            answer = line.text if line.answer_text is None else line.answer_text
            audio = "both-audio" if self.shared else f"{line.role.lower()}-audio"
            short = answer if line.role is Role.CUSTOMER else ""
            found.append((line, Said(Interval(at, end), line.role, line.text, short, line.confidence, track_id=audio)))
            at = end + line.pause_ms
        return found

    @property
    def duration_ms(self) -> int:
        return self.said[-1][1].interval.end_ms + 1300 + self.tail_ms

    def span(self, node: str) -> Interval:
        inside = [said.interval for line, said in self.said if line.node == node]
        return Interval(inside[0].start_ms, inside[-1].end_ms)

    @property
    def recording(self) -> Recording:
        whole = Interval(0, self.duration_ms)
        count = -(-self.duration_ms // SEGMENT_MS)
        groups = (ROLES,) if self.shared else tuple((role,) for role in ROLES)
        tracks = tuple(
            Track(f"{self._who(roles)}-{kind.lower()}", kind, roles, whole, count)
            for roles in groups
            for kind in (TrackKind.VIDEO, TrackKind.AUDIO)
        )
        looked_in = tuple(
            Track(f"{role.lower()}-audio", TrackKind.AUDIO, (role,), span, 1) for role, span in self.guests.items()
        )
        came = tuple(track for track in (*tracks, *looked_in) if track.track_id not in self.without)
        return Recording(came, self.duration_ms, self.gaps, self.timeline, self.has_id_photo, self.live)

    def _who(self, roles: tuple[Role, ...]) -> str:
        return "both" if len(roles) > 1 else roles[0].lower()

    def observations(self) -> list[Observation]:
        found: list[Observation] = []
        for track in self.recording.tracks:
            if track.kind is TrackKind.VIDEO:
                found.extend(self._seen(track))
            else:
                found.extend(self._heard(track))
        return [one for one in found if one.key not in self.skip]

    def _seen(self, track: Track) -> list[Observation]:
        found: list[Observation] = []
        for index in range(1, track.segment_count + 1):
            span = Interval((index - 1) * SEGMENT_MS, min(index * SEGMENT_MS, self.duration_ms))
            key = ("faces", track.track_id, index)
            reason = self.failed.get(key, "")
            frames = () if reason else tuple(self._frame(track, at) for at in range(span.start_ms, span.end_ms, 500))
            found.append(FacesSeen(track.track_id, index, track.roles, span, frames, (YUNET,), reason, 640, 480))
        return found

    def _frame(self, track: Track, at: int) -> FrameSeen:
        role = track.roles[0]
        black = self.black.get(role)
        if black and black.contains(at):
            return FrameSeen(at, (), 0.0, 0.0, 0.0)
        seen = self.faces.get(role, lambda at: (face(),))(at)
        first = at % SEGMENT_MS == 0
        return FrameSeen(at, seen, 0.45, 0.2, None if first else self.motion(role, at))

    def _heard(self, track: Track) -> list[Observation]:
        mine = [said for _, said in self.said if said.role in track.roles]
        reason = self.failed.get(("speech", track.track_id, 0), "")
        whole = Interval(0, self.duration_ms)
        if reason:
            return [SpeechHeard(track.track_id, track.roles, whole, failure_reason=reason)]
        turns = tuple(said.interval for said in mine)
        seconds = [Interval(at, min(at + 1000, self.duration_ms)) for at in range(0, self.duration_ms, 1000)]
        levels = tuple(Level(second, self._loudness(track.roles[0], second, turns), -6.0) for second in seconds)
        found: list[Observation] = [
            SpeechHeard(track.track_id, track.roles, whole, turns, levels, len(mine), (WHISPER,)),
        ]
        for index, said in enumerate(mine):
            lost = self.failed.get(("window", track.track_id, index), "")
            spoken = () if lost else (replace(said, role=None) if self.shared else said,)
            found.append(WindowPlanned(track.track_id, index, (said.interval,)))
            found.append(WindowHeard(track.track_id, index, said.interval, spoken, (WHISPER,), lost))
        return found

    def _loudness(self, role: Role, second: Interval, turns: tuple[Interval, ...]) -> float:
        mute = self.mute.get(role)
        if mute and mute.overlap_ms(second) == second.duration_ms:
            return -120.0
        return self.speech_dbfs if any(turn.overlap_ms(second) for turn in turns) else -60.0

    def inspect(self, observations: list[Observation] | None = None) -> Inspection:
        given = self.observations() if observations is None else observations
        condition = FindingsCondition(self.strategy.verdict)
        return inspect(self.strategy, self.recording, given, self.lost, condition)

    def broken(self, inspection: Inspection | None = None) -> list[Finding]:
        findings = (inspection or self.inspect()).findings
        return [one for one in findings if one.outcome is not Outcome.PASS]

    def of(self, check: str) -> list[Finding]:
        return [one for one in self.inspect().findings if one.check == check]

    def replace_line(self, node: str, role: Role, **changes: object) -> None:
        at = max(i for i, line in enumerate(self.script) if line.node == node and line.role is role)
        self.script[at] = replace(self.script[at], **changes)


Faces = Callable[..., FaceSeen]
Scenes = Callable[[], Scene]
Change = Callable[..., Strategy]
