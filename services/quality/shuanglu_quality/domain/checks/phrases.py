"""must_say and must_not_say: was every required phrase said in its node, and no forbidden one anywhere?

A phrase is found by sound, with exact must-have words and with its negation unchanged. A required phrase that is
neither plainly there nor plainly absent, was said in another node only, or fell into sound that nobody transcribed,
is UNSURE.
"""

from dataclasses import dataclass

from shuanglu_quality.domain.context import Context, Place, Statement
from shuanglu_quality.domain.findings import Finding, Measure, Quote
from shuanglu_quality.domain.intervals import Interval
from shuanglu_quality.domain.matching import Match, find, negation_changed, words_missing
from shuanglu_quality.domain.observations import Observation
from shuanglu_quality.domain.strategy import CheckSpec, Node, Phrase
from shuanglu_quality.domain.transcript import Line
from shuanglu_quality.domain.words import Outcome, Role, Text, TrackKind, clock_text, role_name

# A node's first words may lie a little before the mark that somebody set by hand.
_MARGIN_MS = 1000


@dataclass(frozen=True, slots=True)
class _Hit:
    match: Match
    flipped: bool
    lacks: tuple[str, ...]

    @property
    def good(self) -> bool:
        return not self.flipped and not self.lacks


def _hits(phrase: Phrase, line: Line, least: float) -> list[_Hit]:
    found = find(phrase.text, line.heard, least)
    return [
        _Hit(
            match,
            negation_changed(phrase.text, line.heard, match),
            words_missing(phrase.must_have, line.heard, match),
        )
        for match in found
    ]


@dataclass(slots=True)
class MustSay:
    """Judges the transcript, which the context holds; nothing to fold."""

    spec: CheckSpec

    def add(self, observation: Observation) -> None:
        """Nothing: words come with the context."""

    def findings(self, context: Context) -> tuple[Finding, ...]:
        """One for each phrase of each node; one for the session if the script has none."""
        found: list[Finding] = []
        for node in context.strategy.nodes:
            line = context.lines.of(node.read_by)
            found.extend(self._judge(context, node, phrase, line) for phrase in node.must_say)
        return tuple(found) or (_nothing_to_check(self.spec, context),)

    def _judge(self, context: Context, node: Node, phrase: Phrase, line: Line) -> Finding:
        enough, doubtful = self.spec.number("min_score", 0.8), self.spec.number("unsure_score", 0.65)
        takes = context.takes(node.node_id)
        where = takes[-1].interval if takes else context.recording.interval
        place = Place(node.node_id, takes[-1].take if takes else 0)
        inside = [
            hit for take in takes for hit in _hits(phrase, line.within(take.interval.widen(_MARGIN_MS, 0)), doubtful)
        ]
        # Positions of hits are of the cut line; the cut is made again to quote them.
        cut = line.within(where.widen(_MARGIN_MS, 0)) if takes else line
        hits = _hits(phrase, cut, doubtful)
        good = max((hit for hit in hits if hit.good), key=lambda hit: hit.match.score, default=None)
        if good is not None and good.match.score >= enough and takes:
            return self._said(context, node, phrase, place, cut, good)
        unheard = context.not_examined(TrackKind.AUDIO, node.read_by, where)
        if unheard:
            return self._unsure(context, node, phrase, place, unheard[0].interval, unheard[0].reason, ())
        if not takes and not context.utterances:
            return self._unsure(context, node, phrase, place, where, "NO_SPEECH", ())
        if good is not None and takes:
            return self._unsure(context, node, phrase, place, where, "PHRASE_UNCLEAR", (cut.quote(good.match),))
        elsewhere = [hit for hit in _hits(phrase, line, enough) if hit.good]
        if elsewhere:
            quote = line.quote(elsewhere[0].match)
            return self._unsure(context, node, phrase, place, quote.interval, "PHRASE_ELSEWHERE", (quote,))
        return self._missing(context, node, phrase, place, where, cut, hits or inside)

    def _said(self, context: Context, node: Node, phrase: Phrase, place: Place, line: Line, hit: _Hit) -> Finding:
        when = line.interval_of(hit.match)
        name = role_name(node.read_by)
        statement = Statement(
            Outcome.PASS,
            "PHRASE_SAID",
            when,
            Text(
                f"{name.zh}在 {clock_text(when.start_ms)} 说明了“{phrase.text}”。",
                f"The {name.en} said “{phrase.text}” at {clock_text(when.start_ms)}.",
            ),
            _wanted(phrase),
            node.read_by,
            Measure(round(hit.match.score, 4), self.spec.number("min_score", 0.8), "score"),
            context.examined.models(TrackKind.AUDIO, node.read_by),
            quotes=(line.quote(hit.match),),
            subject=phrase.text,
            rule=phrase.rule or node.rule,
        )
        return context.finding(self.spec, statement, place)

    def _unsure(
        self,
        context: Context,
        node: Node,
        phrase: Phrase,
        place: Place,
        where: Interval,
        reason: str,
        quotes: tuple[Quote, ...],
    ) -> Finding:
        name = role_name(node.read_by)
        why = {
            "PHRASE_UNCLEAR": Text("只听到相近的内容", "only something similar was heard"),
            "PHRASE_ELSEWHERE": Text("只在其他环节说到", "it was said in another node only"),
            "NO_SPEECH": Text("没有可用的语音文字", "there is no transcript"),
        }.get(reason, Text("该段声音未能识别", "part of the sound was not transcribed"))
        statement = Statement(
            Outcome.UNSURE,
            reason,
            where,
            Text(
                f"无法确认{name.zh}是否说明了“{phrase.text}”：{why.zh}，请人工核听。",
                f"Whether the {name.en} said “{phrase.text}” could not be confirmed: {why.en}; a person must listen.",
            ),
            _wanted(phrase),
            node.read_by,
            Measure(None, self.spec.number("min_score", 0.8), "score"),
            context.examined.models(TrackKind.AUDIO, node.read_by),
            quotes=quotes,
            subject=phrase.text,
            rule=phrase.rule or node.rule,
        )
        return context.finding(self.spec, statement, place)

    def _missing(
        self,
        context: Context,
        node: Node,
        phrase: Phrase,
        place: Place,
        where: Interval,
        line: Line,
        hits: list[_Hit],
    ) -> Finding:
        name = role_name(node.read_by)
        bent = max(
            (hit for hit in hits if hit.match.end <= len(line.times)), key=lambda hit: hit.match.score, default=None
        )
        reason = "PHRASE_MISSING" if place.take else "NODE_MISSING"
        quotes: tuple[Quote, ...] = ()
        if bent is not None:
            reason = "NEGATION_CHANGED" if bent.flipped else "WORD_MISSING"
            quotes = (line.quote(bent.match),)
        said = {
            "NEGATION_CHANGED": Text("否定词与要求不符", "the negation is not as required"),
            "WORD_MISSING": Text("缺少必须的词语", "a required word is missing"),
            "NODE_MISSING": Text("该环节没有进行", "the node was not performed"),
        }.get(reason, Text("没有说到", "it was not said"))
        statement = Statement(
            Outcome.FAIL,
            reason,
            where,
            Text(
                f"{name.zh}未按要求说明“{phrase.text}”：{said.zh}。",
                f"The {name.en} did not say “{phrase.text}” as required: {said.en}.",
            ),
            _wanted(phrase),
            node.read_by,
            Measure(round(bent.match.score, 4) if bent else 0.0, self.spec.number("min_score", 0.8), "score"),
            context.examined.models(TrackKind.AUDIO, node.read_by),
            quotes=quotes,
            subject=phrase.text,
            rule=phrase.rule or node.rule,
        )
        return context.finding(self.spec, statement, place)


@dataclass(slots=True)
class MustNotSay:
    """Judges the transcript, which the context holds; nothing to fold."""

    spec: CheckSpec

    def add(self, observation: Observation) -> None:
        """Nothing: words come with the context."""

    def findings(self, context: Context) -> tuple[Finding, ...]:
        """One for each time a forbidden phrase was said, else one for each phrase; one if there is none."""
        found: list[Finding] = []
        for role in self.spec.roles((Role.AGENT,)):
            line = context.lines.of(role)
            for text in self.spec.words("phrases"):
                found.extend(self._judge(context, role, Phrase(text), line, context.recording.interval, Place()))
        for node in context.strategy.nodes:
            line = context.lines.of(node.read_by)
            for phrase in node.must_not_say:
                for take in context.takes(node.node_id):
                    place = Place(node.node_id, take.take)
                    found.extend(
                        self._judge(context, node.read_by, phrase, line.within(take.interval), take.interval, place)
                    )
        return tuple(found) or (_nothing_to_check(self.spec, context),)

    def _judge(
        self, context: Context, role: Role, phrase: Phrase, line: Line, where: Interval, place: Place
    ) -> list[Finding]:
        sure, doubtful = self.spec.number("min_score", 0.9), self.spec.number("unsure_score", 0.8)
        hits = [hit for hit in _hits(phrase, line, doubtful) if hit.good]
        if hits:
            return [self._said(context, role, phrase, line, hit, sure=hit.match.score >= sure) for hit in hits]
        name = role_name(role)
        unheard = context.not_examined(TrackKind.AUDIO, role, where)
        tracks = context.recording.tracks_of(TrackKind.AUDIO, role)
        if unheard or not tracks:
            reason = unheard[0].reason if unheard else "NO_SOUND"
            outcome, text = (
                Outcome.UNSURE,
                Text(
                    f"部分声音未能识别，无法排除{name.zh}说过“{phrase.text}”。",
                    f"Part of the sound was not transcribed; the {name.en} may have said “{phrase.text}”.",
                ),
            )
        else:
            reason = "PHRASE_NOT_SAID"
            outcome, text = (
                Outcome.PASS,
                Text(f"{name.zh}没有说“{phrase.text}”。", f"The {name.en} did not say “{phrase.text}”."),
            )
        statement = Statement(
            outcome,
            reason,
            where,
            text,
            _unwanted(phrase),
            role,
            Measure(None, sure, "score"),
            context.examined.models(TrackKind.AUDIO, role),
            subject=phrase.text,
            rule=phrase.rule,
        )
        return [context.finding(self.spec, statement, place)]

    def _said(self, context: Context, role: Role, phrase: Phrase, line: Line, hit: _Hit, *, sure: bool) -> Finding:
        when = line.interval_of(hit.match)
        quote = line.quote(hit.match)
        name = role_name(role)
        statement = Statement(
            Outcome.FAIL if sure else Outcome.UNSURE,
            "PHRASE_FORBIDDEN" if sure else "PHRASE_UNCLEAR",
            quote.interval,
            Text(
                f"{name.zh}在 {clock_text(when.start_ms)} {'说了' if sure else '疑似说了'}禁止的“{phrase.text}”。",
                f"The {name.en} {'said' if sure else 'may have said'} the forbidden “{phrase.text}” "
                f"at {clock_text(when.start_ms)}.",
            ),
            _unwanted(phrase),
            role,
            Measure(round(hit.match.score, 4), self.spec.number("min_score", 0.9), "score"),
            context.examined.models(TrackKind.AUDIO, role),
            quotes=(quote,),
            subject=phrase.text,
            rule=phrase.rule,
        )
        return context.finding(self.spec, statement)


def _wanted(phrase: Phrase) -> Text:
    return Text(f"必须说明“{phrase.text}”", f"“{phrase.text}” must be said")


def _unwanted(phrase: Phrase) -> Text:
    return Text(f"不得说“{phrase.text}”", f"“{phrase.text}” must not be said")


def _nothing_to_check(spec: CheckSpec, context: Context) -> Finding:
    statement = Statement(
        Outcome.PASS,
        "NOTHING_REQUIRED",
        context.recording.interval,
        Text("策略没有规定话术。", "The strategy names no phrases."),
        Text("无", "none"),
    )
    return context.finding(spec, statement, Place())
