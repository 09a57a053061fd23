"""node_order and node_duration: was the whole script performed, in its order, neither rushed nor dragged out?"""

from dataclasses import dataclass

from shuanglu_quality.domain.context import Context, Place, Statement, seconds
from shuanglu_quality.domain.findings import Finding, Measure
from shuanglu_quality.domain.observations import Observation, TimelineNode
from shuanglu_quality.domain.strategy import CheckSpec, Node
from shuanglu_quality.domain.words import Outcome, Text, TrackKind, clock_text


@dataclass(slots=True)
class NodeOrder:
    """Compares the timeline with the script; nothing to fold."""

    spec: CheckSpec

    def add(self, observation: Observation) -> None:
        """Nothing: the timeline comes with the context."""

    def findings(self, context: Context) -> tuple[Finding, ...]:
        """One for each node that is missing or out of order, else one for the session."""
        script = [node.node_id for node in context.strategy.nodes]
        firsts = [take for take in context.timeline if take.take == 1 and take.node_id in script]
        found = [self._missing(context, node) for node in context.strategy.nodes if not context.takes(node.node_id)]
        found += [self._early(context, take, firsts, script) for take in _misplaced(firsts, script)]
        if found:
            return tuple(found)
        statement = Statement(
            Outcome.PASS,
            "ORDER_KEPT",
            context.recording.interval,
            Text(f"{len(script)} 个环节齐全，顺序正确。", f"All {len(script)} nodes were performed in order."),
            self._expected(context),
            measure=Measure(len(firsts), len(script), "count"),
        )
        return (context.finding(self.spec, statement, Place()),)

    def _missing(self, context: Context, node: Node) -> Finding:
        unheard = context.not_examined(TrackKind.AUDIO, node.read_by, context.recording.interval)
        unsure = bool(unheard) or not context.utterances
        zh, en = ("未能找到", "could not be found") if unsure else ("没有进行", "was not performed")
        statement = Statement(
            Outcome.UNSURE if unsure else Outcome.FAIL,
            (unheard[0].reason if unheard else "NO_SPEECH") if unsure else "NODE_MISSING",
            context.recording.interval,
            Text(f"环节“{node.title.zh}”{zh}。", f"The node “{node.title.en}” {en}."),
            self._expected(context),
            measure=Measure(0, 1, "count"),
            models=context.examined.models(TrackKind.AUDIO, node.read_by),
        )
        return context.finding(self.spec, statement, Place(node.node_id))

    def _early(self, context: Context, take: TimelineNode, firsts: list[TimelineNode], script: list[str]) -> Finding:
        rank = script.index(take.node_id)
        after = [one for one in firsts if one.interval > take.interval and script.index(one.node_id) < rank]
        before = [one for one in firsts if one.interval < take.interval and script.index(one.node_id) > rank]
        node, other = _title(context, take.node_id), _title(context, (after or before)[0].node_id)
        early = bool(after)
        statement = Statement(
            Outcome.FAIL,
            "NODE_OUT_OF_ORDER",
            take.interval,
            Text(
                f"环节“{node.zh}”（{clock_text(take.interval.start_ms)}）"
                f"在“{other.zh}”之{'前' if early else '后'}进行，顺序错误。",
                f"The node “{node.en}” ({clock_text(take.interval.start_ms)}) was performed "
                f"{'before' if early else 'after'} “{other.en}”.",
            ),
            self._expected(context),
            models=context.examined.models(TrackKind.AUDIO),
        )
        return context.finding(self.spec, statement, Place(take.node_id, take.take))

    def _expected(self, context: Context) -> Text:
        nodes = context.strategy.nodes
        return Text(" → ".join(node.title.zh for node in nodes), " → ".join(node.title.en for node in nodes))


def _title(context: Context, node_id: str) -> Text:
    node = context.strategy.node(node_id)
    return node.title if node else Text(node_id, node_id)


def _misplaced(takes: list[TimelineNode], script: list[str]) -> list[TimelineNode]:
    """The fewest nodes that must move. Of several choices those that came too early: they were unprepared."""
    ranks = [script.index(take.node_id) for take in takes]
    # Longest chain in the script's order that starts at each take; a script has 64 nodes at most.
    chains: dict[int, list[int]] = {}
    for at in reversed(range(len(ranks))):
        later = (chains[after] for after in range(at + 1, len(ranks)) if ranks[after] > ranks[at])
        chains[at] = [at, *max(later, key=lambda chain: (len(chain), -ranks[chain[0]]), default=[])]
    kept = max(chains.values(), key=lambda chain: (len(chain), -ranks[chain[0]]), default=[])
    return [take for at, take in enumerate(takes) if at not in kept]


@dataclass(slots=True)
class NodeDuration:
    """Compares takes with the script's limits; nothing to fold."""

    spec: CheckSpec

    def add(self, observation: Observation) -> None:
        """Nothing: the timeline comes with the context."""

    def findings(self, context: Context) -> tuple[Finding, ...]:
        """One for each take with a limit; one for the session if nothing could be judged."""
        found: list[Finding] = []
        for node in context.strategy.nodes:
            low, high = self._limits(node)
            found.extend(
                self._judge(context, node, take, low, high)
                for take in context.takes(node.node_id)
                if low is not None or high is not None
            )
        if found:
            return tuple(found)
        limited = any(limit is not None for node in context.strategy.nodes for limit in self._limits(node))
        statement = Statement(
            Outcome.UNSURE if limited else Outcome.PASS,
            "NO_TIMELINE" if limited else "NOTHING_REQUIRED",
            context.recording.interval,
            Text("没有找到可判断时长的环节。", "No node was found whose length could be judged.")
            if limited
            else Text("策略没有规定环节时长。", "The strategy limits no node's length."),
            Text("环节时长在规定范围内", "nodes of the required length"),
        )
        return (context.finding(self.spec, statement, Place()),)

    def _limits(self, node: Node) -> tuple[int | None, int | None]:
        low = node.min_ms if node.min_ms is not None else self._default("min_s")
        high = node.max_ms if node.max_ms is not None else self._default("max_s")
        return low, high

    def _default(self, name: str) -> int | None:
        value = self.spec.number(name, -1)
        return None if value < 0 else round(value * 1000)

    def _judge(self, context: Context, node: Node, take: TimelineNode, low: int | None, high: int | None) -> Finding:
        length = take.interval.duration_ms
        short, long = low is not None and length < low, high is not None and length > high
        limit = high if long or low is None else low
        zh, en = ("过短", "too short") if short else ("过长", "too long") if long else ("正常", "in order")
        statement = Statement(
            Outcome.FAIL if short or long else Outcome.PASS,
            "NODE_TOO_SHORT" if short else "NODE_TOO_LONG" if long else "DURATION_KEPT",
            take.interval,
            Text(
                f"环节“{node.title.zh}”用时 {length / 1000:.1f} 秒，{zh}。",
                f"The node “{node.title.en}” took {length / 1000:.1f} s: {en}.",
            ),
            _range(low, high),
            measure=Measure(seconds(length), None if limit is None else seconds(limit), "s"),
        )
        return context.finding(self.spec, statement, Place(take.node_id, take.take))


def _range(low: int | None, high: int | None) -> Text:
    parts_zh = [f"不少于 {low / 1000:g} 秒"] if low is not None else []
    parts_en = [f"at least {low / 1000:g} s"] if low is not None else []
    if high is not None:
        parts_zh.append(f"不超过 {high / 1000:g} 秒")
        parts_en.append(f"at most {high / 1000:g} s")
    return Text("，".join(parts_zh), ", ".join(parts_en))
