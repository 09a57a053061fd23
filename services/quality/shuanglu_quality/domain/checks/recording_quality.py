"""recording_quality: are picture and sound there, and good enough to be looked at and listened to?

Picture: black, flat or frozen frames, per video track. Sound: silence of all audio tracks at once (a pause of one
speaker is normal conversation) and the level of each role's speech. Both: gaps of the recording.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median

from shuanglu_quality.domain.context import Context, Place, Statement, seconds
from shuanglu_quality.domain.examined import choose
from shuanglu_quality.domain.findings import EvidenceFrame, Finding, Measure
from shuanglu_quality.domain.frames import Reel, Sample, runs
from shuanglu_quality.domain.intervals import Interval, hull, intersect, merge, shares_ms, subtract
from shuanglu_quality.domain.live_gaps import LIVE_CAUSES, JudgedGap, judge_gaps, performed
from shuanglu_quality.domain.observations import Observation, SpeechHeard, Track
from shuanglu_quality.domain.strategy import CheckSpec
from shuanglu_quality.domain.words import GapCause, ModelRef, Outcome, Role, Text, TrackKind, clock_text, role_name

# Two decoded frames that differ by less than a twentieth of a grey level are the same frame again.
_FROZEN_MOTION = 0.0002
_LEAST_MOTIONS = 3
# Nothing was said into these; what was lost or damaged is not silence, nobody knows what it was.
_SILENT_GAPS = frozenset({GapCause.MISSING, GapCause.AWAY, GapCause.MUTED})
# A second counts for the level of speech if so much of it is speech.
_SPEECH_IN_SECOND_MS = 400


@dataclass(slots=True)
class RecordingQuality:
    """Folds frames and loudness; order and repeats change nothing."""

    spec: CheckSpec
    reel: Reel = field(default_factory=Reel)
    sound: dict[str, SpeechHeard] = field(default_factory=dict)

    def add(self, observation: Observation) -> None:
        """Takes what was seen in a segment and how loud a track is."""
        self.reel.add(observation)
        if isinstance(observation, SpeechHeard):
            self.sound[observation.track_id] = choose(self.sound.get(observation.track_id), observation)

    def findings(self, context: Context) -> tuple[Finding, ...]:
        """One for each defect; where there is none, one for each video track, silence, each role's level, gaps."""
        found: list[Finding] = []
        tracks = self.reel.samples(context.step_ms)
        for track in context.recording.tracks_of(TrackKind.VIDEO):
            samples = tracks.get(track.track_id, ())
            inside = tuple(sample for sample in samples if context.judged.contains(sample.frame.at_ms))
            if inside or not _guest(context, track):
                found.extend(self._picture(context, track, inside))
        audio = context.recording.tracks_of(TrackKind.AUDIO)
        if audio:
            found.extend(self._silence(context, audio))
        else:
            found.append(self._unsure(context, None, "NO_SOUND", "silence", (), context.recording.interval))
        found.extend(self._level(context, track) for track in audio if self._spoke(track) or not _guest(context, track))
        found.extend(self._gaps(context))
        return tuple(found)

    def _picture(self, context: Context, track: Track, samples: tuple[Sample, ...]) -> list[Finding]:
        role = _one(track.roles)
        models = context.examined.models(TrackKind.VIDEO, role)
        subject = f"picture/{track.track_id}"
        if not samples:
            return [self._unsure(context, role, "NO_PICTURE", subject, models, track.interval)]
        black_ms = round(self.spec.number("max_black_s", 1) * 1000)
        freeze_ms = round(self.spec.number("max_freeze_s", 3) * 1000)
        blank = runs(samples, (sample.blank for sample in samples))
        frozen = [run for run in runs(samples, _frozen(samples)) if sum(_still(one) for one in run) >= _LEAST_MOTIONS]
        defects = [("BLACK_PICTURE", run, black_ms) for run in blank] + [
            ("FROZEN_PICTURE", run, freeze_ms) for run in frozen
        ]
        found: list[Finding] = []
        for reason, run, limit_ms in defects:
            where = hull([sample.interval for sample in run])
            if where.duration_ms > limit_ms:
                shown = (run[len(run) // 2].show(),)
                found.extend(self._defect(context, role, reason, where, limit_ms, models, subject, shown))
        if found:
            return found
        unseen = context.not_examined_ms(TrackKind.VIDEO, role, context.judged)
        if unseen > freeze_ms:
            return [self._unsure(context, role, "NOT_EXAMINED", subject, models, track.interval)]
        longest = max((hull([sample.interval for sample in run]).duration_ms for run in blank), default=0)
        name = role_name(role)
        statement = Statement(
            Outcome.PASS,
            "PICTURE_GOOD",
            track.interval,
            Text(f"{name.zh}画面没有黑屏或冻结。", f"The {name.en}'s picture is never black or frozen."),
            Text(f"黑屏不超过 {black_ms / 1000:g} 秒", f"black for at most {black_ms / 1000:g} s"),
            role,
            Measure(seconds(longest), black_ms / 1000, "s"),
            models,
            subject=subject,
        )
        return [context.finding(self.spec, statement, Place())]

    def _defect(
        self,
        context: Context,
        role: Role | None,
        reason: str,
        where: Interval,
        limit_ms: int,
        models: tuple[ModelRef, ...],
        subject: str,
        frames: tuple[EvidenceFrame, ...] = (),
    ) -> list[Finding]:
        name = role_name(role)
        long = seconds(where.duration_ms)
        zh, en = {
            "BLACK_PICTURE": (f"{name.zh}画面黑屏", f"the {name.en}'s picture is black"),
            "FROZEN_PICTURE": (f"{name.zh}画面冻结", f"the {name.en}'s picture is frozen"),
            "SILENCE": ("录音完全无声", "the recording is silent"),
            "RECORDING_GAP": (f"{name.zh}录制中断", f"the {name.en}'s recording has a gap"),
        }[reason]
        found: list[Finding] = []
        for place, part in context.split(where):
            statement = Statement(
                Outcome.FAIL,
                reason,
                part,
                Text(
                    f"{zh} {long:.1f} 秒（自 {clock_text(where.start_ms)} 起）。",
                    f"From {clock_text(where.start_ms)} {en} for {long:.1f} s.",
                ),
                Text(f"不超过 {limit_ms / 1000:g} 秒", f"at most {limit_ms / 1000:g} s"),
                role,
                Measure(long, limit_ms / 1000, "s"),
                models,
                frames,
                subject=f"{subject}/{reason}",
            )
            found.append(context.finding(self.spec, statement, place))
        return found

    def _silence(self, context: Context, tracks: Iterable[Track]) -> list[Finding]:
        limit_ms = round(self.spec.number("max_silence_s", 3) * 1000)
        floor = self.spec.number("silence_dbfs", -70)
        heard = [(track, self.sound.get(track.track_id)) for track in tracks]
        models = context.examined.models(TrackKind.AUDIO)
        known = [(track, sound) for track, sound in heard if sound is not None and not sound.failure_reason]
        if len(known) < len(heard):
            return [self._unsure(context, None, "NOT_EXAMINED", "silence", models, context.recording.interval)]
        quiet: tuple[Interval, ...] = (context.judged,)
        for track, sound in known:
            low = [level.interval for level in sound.loudness if level.rms_dbfs < floor]
            holes = [gap for gap in context.recording.gaps if gap.track_id == track.track_id]
            gone = [gap.interval for gap in holes if gap.cause in _SILENT_GAPS]
            unknown = [gap.interval for gap in holes if gap.cause in LIVE_CAUSES - _SILENT_GAPS]
            quiet = intersect(quiet, subtract((*low, *gone), (*sound.unheard, *unknown)))
        recorded = merge(part for track, _ in known for part in context.recording.recorded(track))
        silent = [part for part in intersect(quiet, recorded) if part.duration_ms >= limit_ms]
        if silent:
            roles = dict.fromkeys(_one(track.roles) for track, _ in known)
            return [
                finding
                for part in silent
                for role in roles
                for finding in self._defect(
                    context, role, "SILENCE", part, limit_ms, context.examined.models(TrackKind.AUDIO, role), "silence"
                )
            ]
        if context.not_examined_ms(TrackKind.AUDIO, None, context.judged) > limit_ms:
            return [self._unsure(context, None, "NOT_EXAMINED", "silence", models, context.recording.interval)]
        longest = max((part.duration_ms for part in quiet), default=0)
        statement = Statement(
            Outcome.PASS,
            "SOUND_PRESENT",
            context.recording.interval,
            Text("没有全程静音的片段。", "No stretch is silent on all tracks."),
            Text(
                f"全部音轨同时无声少于 {limit_ms / 1000:g} 秒", f"all tracks silent for less than {limit_ms / 1000:g} s"
            ),
            None,
            Measure(seconds(longest), limit_ms / 1000, "s"),
            models,
            subject="silence",
        )
        return [context.finding(self.spec, statement, Place())]

    def _spoke(self, track: Track) -> bool:
        sound = self.sound.get(track.track_id)
        return sound is None or bool(sound.failure_reason or sound.turns)

    def _level(self, context: Context, track: Track) -> Finding:
        role = _one(track.roles)
        name = role_name(role)
        low, high = self.spec.number("min_speech_dbfs", -50), self.spec.number("max_speech_dbfs", -3)
        sound = self.sound.get(track.track_id)
        models = context.examined.models(TrackKind.AUDIO, role)
        subject = f"level/{track.track_id}"
        if sound is None or sound.failure_reason:
            reason = sound.failure_reason if sound else "NOT_EXAMINED"
            return self._unsure(context, role, reason, subject, models, track.interval)
        measured = sorted(sound.loudness, key=lambda level: level.interval)
        spoken = shares_ms([level.interval for level in measured], sound.turns)
        levels = [level.rms_dbfs for level, ms in zip(measured, spoken, strict=True) if ms >= _SPEECH_IN_SECOND_MS]
        if not levels:
            return self._unsure(context, role, "NO_SPEECH", subject, models, track.interval)
        loud = round(float(median(levels)), 1)
        good = low <= loud <= high
        reason = "LEVEL_GOOD" if good else "TOO_QUIET" if loud < low else "TOO_LOUD"
        judged = {
            "LEVEL_GOOD": Text("正常", "good"),
            "TOO_QUIET": Text("过低", "too low"),
            "TOO_LOUD": Text("过高", "too high"),
        }[reason]
        statement = Statement(
            Outcome.PASS if good else Outcome.FAIL,
            reason,
            track.interval,
            Text(
                f"{name.zh}说话音量{judged.zh}（{loud:.0f} dBFS）。",
                f"The {name.en}'s speech level is {judged.en} ({loud:.0f} dBFS).",
            ),
            Text(f"{low:g} 至 {high:g} dBFS", f"{low:g} to {high:g} dBFS"),
            role,
            Measure(loud, high if loud > high else low, "dBFS"),
            models,
            subject=subject,
        )
        return context.finding(self.spec, statement, Place())

    def _gaps(self, context: Context) -> list[Finding]:
        limit_ms = round(self.spec.number("max_gap_s", 1) * 1000)
        tracks = {track.track_id: track for track in context.recording.tracks}
        found: list[Finding] = []
        for gap in sorted(context.recording.gaps, key=lambda one: (one.interval, one.track_id)):
            role = _one(tracks[gap.track_id].roles) if gap.track_id in tracks else None
            if gap.cause in LIVE_CAUSES:
                continue
            if gap.cause is not GapCause.MISSING:
                found.append(
                    self._unsure(context, role, gap.cause, f"gap/{gap.track_id}/{gap.cause}", (), gap.interval)
                )
            elif gap.interval.duration_ms > limit_ms:
                found.extend(
                    self._defect(context, role, "RECORDING_GAP", gap.interval, limit_ms, (), f"gap/{gap.track_id}")
                )
        judged = judge_gaps(context.recording, context.timeline, context.needed, limit_ms)
        found.extend(finding for gap in judged for finding in self._live_gap(context, gap, limit_ms))
        found.extend(self._absent_tracks(context))
        if found:
            return found
        spans = performed(context.recording, context.timeline)
        if not context.recording.live:
            spans = (context.recording.interval,)
        inside = [part for gap in context.recording.gaps for part in intersect([gap.interval], spans)]
        longest = max((part.duration_ms for part in inside), default=0)
        statement = Statement(
            Outcome.PASS,
            "NO_GAP",
            context.judged,
            Text("录制连续，没有中断。", "The recording is continuous."),
            Text(f"中断不超过 {limit_ms / 1000:g} 秒", f"gaps of at most {limit_ms / 1000:g} s"),
            None,
            Measure(seconds(longest), limit_ms / 1000, "s"),
            subject="gap",
        )
        return [context.finding(self.spec, statement, Place())]

    def _live_gap(self, context: Context, gap: JudgedGap, limit_ms: int) -> list[Finding]:
        """What was not recorded while a node was performed, told in each node that it touches."""
        role = _one(gap.track.roles)
        name = role_name(role)
        zh, en = ("画面", "picture") if gap.track.kind is not TrackKind.AUDIO else ("声音", "sound")
        why = {
            GapCause.AWAY: Text(f"{name.zh}不在线", f"the {name.en} was not connected"),
            GapCause.MUTED: Text(f"{name.zh}关闭了{zh}", f"the {name.en} had switched the {en} off"),
            GapCause.HELD: Text("通话保持中", "the call was on hold"),
            GapCause.RECORDER: Text("媒体服务器或录制服务中断", "our own media server or recorder was down"),
        }.get(gap.cause, Text("网络丢失数据", "it was lost on the network"))
        failed = gap.outcome is Outcome.FAIL
        long = seconds(gap.measured_ms)
        found: list[Finding] = []
        for place, part in context.split(gap.interval):
            statement = Statement(
                gap.outcome,
                "RECORDING_GAP" if failed else "HELD" if gap.cause is GapCause.HELD else "NOT_RECORDED",
                part,
                Text(
                    f"环节进行中，{name.zh}{zh}有 {long:.1f} 秒未录制（自 {clock_text(gap.interval.start_ms)} 起）："
                    f"{why.zh}{'。' if failed else '，请人工核查。'}",
                    f"While a node was performed, {long:.1f} s of the {name.en}'s {en} was not recorded "
                    f"(from {clock_text(gap.interval.start_ms)}): {why.en}{'.' if failed else '; a person must look.'}",
                ),
                Text(f"不超过 {limit_ms / 1000:g} 秒", f"at most {limit_ms / 1000:g} s"),
                role,
                Measure(long, limit_ms / 1000, "s"),
                subject=f"gap/{gap.track.track_id}/{gap.cause}",
            )
            found.append(context.finding(self.spec, statement, place))
        return found

    def _absent_tracks(self, context: Context) -> list[Finding]:
        """Of a call: sound or picture that should be there and never came."""
        recording = context.recording
        return [
            self._unsure(context, role, reason, f"track/{role}/{kind}", (), context.judged)
            for role in (context.needed if recording.live else ())
            for kind, reason in ((TrackKind.VIDEO, "NO_VIDEO_TRACK"), (TrackKind.AUDIO, "NO_AUDIO_TRACK"))
            if not recording.tracks_of(kind, role)
        ]

    def _unsure(
        self,
        context: Context,
        role: Role | None,
        reason: str,
        subject: str,
        models: tuple[ModelRef, ...],
        where: Interval,
    ) -> Finding:
        name = role_name(role)
        zh, en = {
            "NO_SPEECH": (f"没有检测到{name.zh}说话，无法判断音量", f"no speech of the {name.en} was found"),
            "NO_SOUND": ("没有音轨", "there is no audio track"),
            "DAMAGED": (f"{name.zh}部分录制数据损坏", f"part of the {name.en}'s recording is damaged"),
            "DISCONTINUITY": (f"{name.zh}录制的时间发生跳变", f"the clock of the {name.en}'s recording jumps"),
            "NO_VIDEO_TRACK": (f"没有录到{name.zh}的画面", f"nothing of the {name.en}'s picture was recorded"),
            "NO_AUDIO_TRACK": (f"没有录到{name.zh}的声音", f"nothing of the {name.en}'s sound was recorded"),
            "NO_PICTURE": (f"{name.zh}画面没有可检查的帧", f"no frame of the {name.en}'s picture was examined"),
        }.get(reason, (f"{name.zh}部分录制内容未能检查", f"part of the {name.en}'s recording was not examined"))
        statement = Statement(
            Outcome.UNSURE,
            reason,
            where,
            Text(f"{zh}，请人工核查。", f"Recording quality is unsure: {en}; a person must look."),
            Text("画面与声音清晰完整", "picture and sound clear and complete"),
            role,
            models=models,
            subject=subject,
        )
        return context.finding(self.spec, statement, Place())


def _one(roles: tuple[Role, ...]) -> Role | None:
    """The role of a track that one participant has to himself."""
    return roles[0] if len(roles) == 1 else None


def _guest(context: Context, track: Track) -> bool:
    """Whether a call's track is of people who need neither speak nor be seen, such as a supervisor who listens."""
    return context.recording.live and not set(track.roles) & set(context.needed)


def _still(sample: Sample) -> bool:
    return sample.frame.motion is not None and sample.frame.motion <= _FROZEN_MOTION


def _frozen(samples: Iterable[Sample]) -> list[bool]:
    """Frames without motion. A frame whose motion is not known (the first of a segment) follows the one before it."""
    marks: list[bool] = []
    for sample in samples:
        if sample.frame.motion is None:
            marks.append(bool(marks) and marks[-1] and not sample.blank)
        else:
            marks.append(_still(sample) and not sample.blank)
    return marks
