"""coverage: has every recorded second of every track been examined?

What was not (a failed worker, an unreadable segment, an event that was given up, a deadline) is UNSURE with its place
and reason; so is a place where the file is damaged or its clock jumps.
"""

from dataclasses import dataclass

from shuanglu_quality.domain.context import Context, Place, Statement, seconds
from shuanglu_quality.domain.examined import Missing
from shuanglu_quality.domain.findings import Finding, Measure
from shuanglu_quality.domain.intervals import Interval, merge, subtract, total_ms
from shuanglu_quality.domain.observations import Gap, Observation, Recording, Track
from shuanglu_quality.domain.strategy import CheckSpec
from shuanglu_quality.domain.words import GapCause, Outcome, Role, Text, TrackKind, clock_text, role_name

_JOIN_MS = 250


@dataclass(slots=True)
class Coverage:
    """Reads the context's list of what nobody examined; nothing to fold."""

    spec: CheckSpec

    def add(self, observation: Observation) -> None:
        """Nothing: the context knows what was examined."""

    def findings(self, context: Context) -> tuple[Finding, ...]:
        """One for each stretch that was not examined, else one for each track of picture or sound."""
        found: list[Finding] = []
        for track in sorted(context.recording.tracks, key=lambda one: one.track_id):
            if track.kind is TrackKind.SCREEN:
                continue
            missing = [one for one in context.missing if one.track.track_id == track.track_id]
            allowed = round(self.spec.number("max_unexamined_s", 0) * 1000)
            unknown = [
                gap for gap in context.recording.gaps if gap.track_id == track.track_id and not gap.interval.duration_ms
            ]
            if total_ms(one.interval for one in missing) > allowed:
                found.extend(self._missing(context, track, missing))
            elif not unknown:
                found.append(self._passed(context, track))
            found.extend(self._unknown(context, track, gap) for gap in unknown)
        return tuple(found) or (self._nothing(context),)

    def _missing(self, context: Context, track: Track, missing: list[Missing]) -> list[Finding]:
        found: list[Finding] = []
        for reason in sorted({one.reason for one in missing}):
            parts = merge((one.interval for one in missing if one.reason == reason), _JOIN_MS)
            found.extend(self._hole(context, track, part, reason) for part in parts)
        return found

    def _hole(self, context: Context, track: Track, part: Interval, reason: str) -> Finding:
        name = role_name(_role(track))
        zh, en = ("画面", "picture") if track.kind is TrackKind.VIDEO else ("声音", "sound")
        statement = Statement(
            Outcome.UNSURE,
            reason,
            part,
            Text(
                f"{name.zh}{zh} {clock_text(part.start_ms)}–{clock_text(part.end_ms)} 未能检查，请人工查看。",
                f"The {name.en}'s {en} at {clock_text(part.start_ms)}–{clock_text(part.end_ms)} was not examined; "
                "a person must look.",
            ),
            _expected(),
            _role(track),
            Measure(seconds(part.duration_ms), self.spec.number("max_unexamined_s", 0), "s"),
            subject=f"{track.track_id}/{reason}",
        )
        return context.finding(self.spec, statement)

    def _unknown(self, context: Context, track: Track, gap: Gap) -> Finding:
        """A place where something is gone, and nobody knows how much."""
        name = role_name(_role(track))
        zh, en = ("画面", "picture") if track.kind is TrackKind.VIDEO else ("声音", "sound")
        at = clock_text(gap.interval.start_ms)
        text = {
            GapCause.DISCONTINUITY: Text(
                f"{name.zh}{zh}的时间在 {at} 处跳变，其间缺失多少无法得知，请人工核查。",
                f"The {name.en}'s {en} jumps in time at {at}; how much lies between is not known; a person must look.",
            )
        }.get(
            gap.cause,
            Text(
                f"{name.zh}{zh}在 {at} 处数据损坏或中断，缺失多少无法得知，请人工核查。",
                f"The {name.en}'s {en} is damaged or breaks off at {at}; how much is gone is not known; "
                "a person must look.",
            ),
        )
        subject = f"{track.track_id}/{gap.cause}"
        statement = Statement(Outcome.UNSURE, gap.cause, gap.interval, text, _expected(), _role(track), subject=subject)
        return context.finding(self.spec, statement)

    def _passed(self, context: Context, track: Track) -> Finding:
        name = role_name(_role(track))
        zh, en = ("画面", "picture") if track.kind is TrackKind.VIDEO else ("声音", "sound")
        statement = Statement(
            Outcome.PASS,
            "ALL_EXAMINED",
            track.interval,
            Text(f"{name.zh}{zh}已全部检查。", f"All of the {name.en}'s {en} was examined."),
            _expected(),
            _role(track),
            Measure(1.0, 1.0, "ratio"),
            context.examined.models(track.kind, _role(track)),
            subject=track.track_id,
        )
        return context.finding(self.spec, statement, Place())

    def _nothing(self, context: Context) -> Finding:
        statement = Statement(
            Outcome.UNSURE,
            "NOTHING_RECORDED",
            context.recording.interval,
            Text("录制中没有画面或声音。", "The recording has neither picture nor sound."),
            _expected(),
        )
        return context.finding(self.spec, statement, Place())


def coverage_ratio(recording: Recording, missing: tuple[Missing, ...]) -> float:
    """Share of recorded track time that models examined, 0..1; 0 if nothing was recorded."""
    recorded, examined = 0, 0
    for track in recording.tracks:
        if track.kind is TrackKind.SCREEN:
            continue
        parts = recording.recorded(track)
        holes = [one.interval for one in missing if one.track.track_id == track.track_id]
        recorded += total_ms(parts)
        examined += total_ms(subtract(parts, holes))
    return round(examined / recorded, 6) if recorded else 0.0


def _role(track: Track) -> Role | None:
    return track.roles[0] if len(track.roles) == 1 else None


def _expected() -> Text:
    return Text("录制的每一秒都经过检查", "every recorded second examined")
