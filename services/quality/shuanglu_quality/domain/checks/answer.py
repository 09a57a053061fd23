"""answer: did the customer give the answer that the node wants, in time?

An answer counts only if voice activity found speech and both decodings agree. A refusal fails; a mumble, silence, a
contradiction, an answer that was heard once only, or a voice that several persons may have is UNSURE: silence is never
consent.
"""

from dataclasses import dataclass

from shuanglu_quality.domain.answers import Reply, agreed, classify
from shuanglu_quality.domain.context import Context, Place, Statement, seconds
from shuanglu_quality.domain.findings import Finding, Measure, Quote
from shuanglu_quality.domain.intervals import Interval, hull
from shuanglu_quality.domain.matching import best
from shuanglu_quality.domain.nodes import CLAUSE_BORDER
from shuanglu_quality.domain.observations import Observation, Said, TimelineNode
from shuanglu_quality.domain.strategy import Answer, CheckSpec, Node
from shuanglu_quality.domain.words import Outcome, Role, Text, TrackKind, role_name

# The end of a question and the start of its answer are known to about this.
_BORDER_MS = 300
_QUESTION_SCORE = 0.6
_LEAST_QUESTION = 3
_WANTED = {"affirmative": Reply.AFFIRMATIVE, "negative": Reply.NEGATIVE}
_REPLY_NAMES = {"affirmative": Text("肯定答复", "affirmative answer"), "negative": Text("否定答复", "negative answer")}


@dataclass(slots=True)
class AnswerGiven:
    """Judges the transcript, which the context holds; nothing to fold."""

    spec: CheckSpec

    def add(self, observation: Observation) -> None:
        """Nothing: words come with the context."""

    def findings(self, context: Context) -> tuple[Finding, ...]:
        """One for each node that wants an answer, of its last take; one for the session if no node does."""
        found = [self._judge(context, node, node.answer) for node in context.strategy.nodes if node.answer is not None]
        if found:
            return tuple(found)
        statement = Statement(
            Outcome.PASS,
            "NOTHING_REQUIRED",
            context.recording.interval,
            Text("策略没有要求答复。", "The strategy wants no answers."),
            Text("无", "none"),
        )
        return (context.finding(self.spec, statement, Place()),)

    def _judge(self, context: Context, node: Node, answer: Answer) -> Finding:
        takes = context.takes(node.node_id)
        if not takes:
            return self._say(context, node, answer, context.recording.interval, "NODE_MISSING", [], Outcome.UNSURE)
        take = takes[-1]
        asked = self._asked_ms(context, node, take)
        until = max(asked, min(asked + answer.within_ms, max(take.interval.end_ms, asked + _BORDER_MS)))
        heard = [
            said
            for said in context.utterances
            if said.role in (answer.role, None) and asked - _BORDER_MS <= said.interval.start_ms < until
        ]
        window = Interval(asked, until)
        if not heard:
            unheard = context.not_examined(TrackKind.AUDIO, answer.role, window)
            reason = unheard[0].reason if unheard else "ANSWER_MISSING"
            return self._say(context, node, answer, window, reason, [], Outcome.UNSURE)
        return self._decide(context, node, answer, heard, asked)

    def _decide(self, context: Context, node: Node, answer: Answer, heard: list[Said], asked: int) -> Finding:
        replies = [(said, self._reply(context, said)) for said in heard]
        plain = {reply for _, reply in replies if reply is not Reply.UNCLEAR}
        deciding = [said for said, reply in replies if reply is not Reply.UNCLEAR] or heard
        if len(plain) > 1:
            outcome, reason = Outcome.UNSURE, "ANSWER_CONTRADICTORY"
        elif not plain:
            outcome, reason = Outcome.UNSURE, "ANSWER_UNCLEAR"
        elif plain == {_WANTED[answer.expect]} and not any(said.role is answer.role for said in deciding):
            # On a shared track nobody knows whose voice it is: the right words are not yet the right person's.
            outcome, reason = Outcome.UNSURE, "SPEAKER_UNKNOWN"
        elif plain == {_WANTED[answer.expect]}:
            outcome, reason = Outcome.PASS, "ANSWER_GIVEN"
        else:
            outcome, reason = Outcome.FAIL, "ANSWER_REFUSED"
        where = hull([said.interval for said in deciding])
        return self._say(context, node, answer, where, reason, deciding, outcome, max(0, where.start_ms - asked))

    def _reply(self, context: Context, said: Said) -> Reply:
        """What one utterance amounts to. Speech that was not found, or heard faintly, is unclear."""
        turns = context.examined.turns().get(said.track_id)
        if turns is not None and not any(turn.overlap_ms(said.interval) for turn in turns):
            return Reply.UNCLEAR
        if said.confidence < self.spec.number("min_confidence", 0.35):
            return Reply.UNCLEAR
        if not said.answer_text.strip():
            # Too long for the second decoding: a refusal is taken seriously, a consent needs a second hearing.
            return Reply.UNCLEAR if classify(said.text) is not Reply.NEGATIVE else Reply.NEGATIVE
        return agreed(said.text, said.answer_text)

    def _asked_ms(self, context: Context, node: Node, take: TimelineNode) -> int:
        """When the question ended: at the prompt's last clause, else with the agent's last words before an answer."""
        line = context.lines.of(node.read_by).within(take.interval)
        question = next(
            (part for part in reversed(CLAUSE_BORDER.split(node.prompt)) if len(part) >= _LEAST_QUESTION), ""
        )
        match = best(question, line.heard, _QUESTION_SCORE) if question else None
        if match is not None:
            return line.interval_of(match).end_ms
        wanted = node.answer.role if node.answer else Role.CUSTOMER
        replies = [
            said
            for said in context.utterances
            if said.role is wanted and take.interval.contains(said.interval.start_ms)
        ]
        first = min((said.interval.start_ms for said in replies), default=take.interval.end_ms)
        spoken = [time.end_ms for time in line.times if time.end_ms <= first + _BORDER_MS]
        return max(spoken, default=take.interval.start_ms)

    def _say(
        self,
        context: Context,
        node: Node,
        answer: Answer,
        where: Interval,
        reason: str,
        heard: list[Said],
        outcome: Outcome,
        delay_ms: int | None = None,
    ) -> Finding:
        takes = context.takes(node.node_id)
        quotes = tuple(Quote(said.role, said.text, said.interval, said.text) for said in heard if said.text)
        wanted = _REPLY_NAMES[answer.expect]
        within = seconds(answer.within_ms)
        statement = Statement(
            outcome,
            reason,
            where,
            _message(reason, answer.role, wanted, within),
            Text(f"{within:g} 秒内给出{wanted.zh}", f"an {wanted.en} within {within:g} s"),
            answer.role,
            Measure(None if delay_ms is None else seconds(delay_ms), within, "s"),
            context.examined.models(TrackKind.AUDIO, answer.role),
            quotes=quotes,
            rule=answer.rule or node.rule,
        )
        return context.finding(self.spec, statement, Place(node.node_id, takes[-1].take if takes else 0))


def _message(reason: str, role: Role, wanted: Text, within: float) -> Text:
    name = role_name(role)
    messages = {
        "ANSWER_GIVEN": Text(f"{name.zh}给出了{wanted.zh}。", f"The {name.en} gave an {wanted.en}."),
        "ANSWER_REFUSED": Text(
            f"{name.zh}没有给出{wanted.zh}，答复与要求相反。", f"The {name.en} answered the opposite."
        ),
        "ANSWER_UNCLEAR": Text(
            f"{name.zh}的答复含糊不清，请人工核听。", f"The {name.en}'s answer is unclear; a person must listen."
        ),
        "ANSWER_CONTRADICTORY": Text(
            f"{name.zh}的答复前后矛盾，请人工核听。",
            f"The {name.en}'s answers contradict each other; a person must listen.",
        ),
        "ANSWER_MISSING": Text(
            f"提问后 {within:g} 秒内没有听到{name.zh}答复，请人工核听。",
            f"No answer of the {name.en} was heard within {within:g} s; a person must listen.",
        ),
        "SPEAKER_UNKNOWN": Text(
            f"听到了{wanted.zh}，但同一音轨上有多人，无法确认是{name.zh}所说，请人工核听。",
            f"An {wanted.en} was heard, but several persons share the track: whether the {name.en} gave it, "
            "a person must hear.",
        ),
        "NODE_MISSING": Text(
            "没有找到该环节，无法判断答复。", "The node was not found, so its answer could not be judged."
        ),
    }
    return messages.get(
        reason,
        Text(
            f"{name.zh}的声音未能识别，无法判断答复。",
            f"The {name.en}'s sound was not transcribed; the answer could not be judged.",
        ),
    )
