"""From a strategy's YAML to the domain's Strategy, with every problem listed by path and line."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from itertools import islice
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from shuanglu_quality.conditions import BadCondition, FindingsCondition, OrderCondition
from shuanglu_quality.domain.strategy import (
    Admission,
    Answer,
    CheckSpec,
    Node,
    Phrase,
    RecordingRules,
    StallAction,
    Strategy,
)
from shuanglu_quality.domain.syllables import syllables
from shuanglu_quality.domain.words import Role, Severity, Text
from shuanglu_quality.yaml_text import BadText, Parsed, Problem, parse

DEFAULT_VERDICT = 'findings.all(f, f.severity != "critical" || f.outcome == "PASS")'
DEFAULT_SEVERITY = Severity.CRITICAL
DEFAULT_ANSWER_S = 10
MAX_PROBLEMS = 50


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as read: the strategy, or what is wrong with it."""

    strategy: Strategy | None
    problems: tuple[Problem, ...]


def read(text: str) -> Reading:
    """Reads and checks a strategy's text; never raises for what a caller may write."""
    try:
        parsed = parse(text)
    except BadText as error:
        return Reading(None, (error.problem,))
    # jsonschema tells of each missing field alone; a problem that reads the same is told once.
    problems = list(dict.fromkeys(islice(_by_schema(parsed), 2 * MAX_PROBLEMS)))
    if not problems:
        problems = [*_by_sense(parsed), *_by_conditions(parsed)]
    if problems:
        return Reading(None, tuple(sorted(problems, key=lambda one: (one.line, one.path)))[:MAX_PROBLEMS])
    return Reading(_strategy(parsed.content), ())


def version_of(content: Any) -> str:
    """SHA-256 over the canonical JSON of the content: comments, order of keys and layout do not count."""
    canonical = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


@cache
def schema() -> dict[str, Any]:
    """The JSON schema of strategies."""
    text = (files("shuanglu_quality") / "strategies" / "strategy.schema.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(schema())


def _path(parts: Iterable[str | int]) -> str:
    path = ""
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def _by_schema(parsed: Parsed) -> Iterator[Problem]:
    for error in _validator().iter_errors(parsed.content):
        path = _path(error.absolute_path)
        if error.validator == "additionalProperties":
            yield from _unknown(error, path, parsed)
        else:
            yield Problem(path, _explained(error), parsed.line(path))


def _unknown(error: ValidationError, path: str, parsed: Parsed) -> Iterator[Problem]:
    known = sorted(error.schema.get("properties", {})) if isinstance(error.schema, dict) else []
    found: Any = error.instance
    for name in found:
        if name in known:
            continue
        below = f"{path}.{name}" if path else name
        what = "unknown check" if path == "checks" else "unknown field"
        close = get_close_matches(name, known, n=1, cutoff=0.6)
        hint = f"did you mean `{close[0]}`?" if close else f"known are {', '.join(known)}"
        yield Problem(below, f"{what} `{name}`; {hint}", parsed.line(below))


def _explained(error: ValidationError) -> str:  # noqa: PLR0911 - one sentence for each keyword of the schema
    wanted: Any = error.validator_value
    match error.validator:
        case "required":
            found: Any = error.instance
            missing = [name for name in wanted if name not in found]
            return f"missing: {', '.join(missing)}"
        case "enum":
            close = get_close_matches(str(error.instance), [str(one) for one in wanted], n=1)
            hint = f"; did you mean `{close[0]}`?" if close else ""
            return f"`{error.instance}` is none of {', '.join(map(str, wanted))}{hint}"
        case "type":
            return f"must be {wanted if isinstance(wanted, str) else ' or '.join(wanted)}, is `{error.instance}`"[:200]
        case "minimum" | "maximum":
            return f"{error.instance} is out of range: {error.validator} is {wanted}"
        case "pattern":
            return f"`{error.instance}` has not the form {wanted}"[:200]
        case "uniqueItems":
            return "the same value stands here twice; keep one"
        case "minItems" | "minLength" | "minProperties":
            return "must not be empty"
        case "maxItems" | "maxLength" | "maxProperties":
            return f"too long: at most {wanted}"
        case _:
            return error.message[:200]


def _by_sense(parsed: Parsed) -> Iterator[Problem]:
    content = parsed.content
    seen: set[str] = set()
    for at, node in enumerate(content["nodes"]):
        path = f"nodes[{at}]"
        if node["id"] in seen:
            yield Problem(f"{path}.id", f"another node is `{node['id']}` already", parsed.line(f"{path}.id"))
        seen.add(node["id"])
        prompt = node["prompt"]
        if "text" in prompt and "speak" in prompt:
            yield Problem(f"{path}.prompt", "give `text` or `speak`, not both", parsed.line(f"{path}.prompt"))
        if not any(name in prompt for name in ("text", "speak", "must_say", "anchors")):
            yield Problem(
                f"{path}.prompt", "give `text`, `speak`, `must_say` or `anchors`", parsed.line(f"{path}.prompt")
            )
        for kind in node.get("checks", ()):
            if kind not in content["checks"]:
                below = f"{path}.checks"
                yield Problem(below, f"`{kind}` is not under `checks`; add it there", parsed.line(below))
        yield from _limits(node.get("duration", {}), f"{path}.duration", parsed)
    yield from _limits(content["checks"].get("node_duration") or {}, "checks.node_duration", parsed)
    if "admission" in content and "admit_when" not in content:
        yield Problem("admission", "there is no `admit_when` that could refuse", parsed.line("admission"))
    for path, phrase in _phrases(content):
        if not syllables(phrase):
            yield Problem(path, f"`{phrase}` holds nothing that can be said", parsed.line(path))


def _limits(limits: dict[str, Any], path: str, parsed: Parsed) -> Iterator[Problem]:
    if limits.get("min_s", 0) > limits.get("max_s", float("inf")):
        yield Problem(path, "min_s is larger than max_s", parsed.line(path))


def _phrases(content: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for at, node in enumerate(content["nodes"]):
        for name in ("must_say", "must_not_say", "anchors"):
            for index, phrase in enumerate(node["prompt"].get(name, ())):
                path = f"nodes[{at}].prompt.{name}[{index}]"
                yield path, phrase if isinstance(phrase, str) else phrase["text"]
    for index, phrase in enumerate((content["checks"].get("must_not_say") or {}).get("phrases", ())):
        yield f"checks.must_not_say.phrases[{index}]", phrase


def _by_conditions(parsed: Parsed) -> Iterator[Problem]:
    for name, kind in (
        ("applies_when", OrderCondition),
        ("admit_when", OrderCondition),
        ("verdict", FindingsCondition),
    ):
        if name in parsed.content:
            try:
                kind(parsed.content[name])
            except BadCondition as error:
                yield Problem(name, str(error), parsed.line(name))


def _strategy(content: dict[str, Any]) -> Strategy:
    admission = content.get("admission", {})
    inspection = content.get("inspection", {})
    return Strategy(
        strategy_id=content["id"],
        version=version_of(content),
        title=_text(content["title"]),
        nodes=tuple(_node(node) for node in content["nodes"]),
        checks=tuple(_check(kind, fields or {}) for kind, fields in content["checks"].items()),
        verdict=content.get("verdict", DEFAULT_VERDICT),
        applies_when=content.get("applies_when", ""),
        admission=Admission(
            content.get("admit_when", ""),
            admission.get("rule", ""),
            _text(admission["refusal"])
            if admission
            else Text("该渠道不受理此订单。", "This channel is not open to the order."),
        ),
        face_fps=float(inspection.get("face_fps", 2)),
        languages=tuple(inspection.get("languages", ("zh",))),
        recording=_recording(content.get("recording", {})),
    )


def _recording(rules: dict[str, Any]) -> RecordingRules:
    usual = RecordingRules()
    return RecordingRules(
        tuple(Role(role) for role in rules.get("required_roles", usual.required_roles)),
        StallAction(rules.get("on_stall", usual.on_stall)),
        rules.get("stall_patience_s", usual.stall_patience_s),
    )


def _text(value: dict[str, str]) -> Text:
    return Text(value["zh"], value["en"])


def _milliseconds(limits: dict[str, Any], name: str) -> int | None:
    return round(limits[name] * 1000) if name in limits else None


def _node(node: dict[str, Any]) -> Node:
    prompt, answer, duration = node["prompt"], node.get("answer"), node.get("duration", {})
    return Node(
        node_id=node["id"],
        title=_text(node["title"]),
        read_by=Role(prompt.get("read_by", Role.AGENT)),
        prompt=re.sub(r"\s+", " ", prompt.get("text", prompt.get("speak", ""))),
        anchors=tuple(prompt.get("anchors", ())),
        must_say=tuple(_phrase(phrase) for phrase in prompt.get("must_say", ())),
        must_not_say=tuple(_phrase(phrase) for phrase in prompt.get("must_not_say", ())),
        answer=_answer(answer) if answer else None,
        min_ms=_milliseconds(duration, "min_s"),
        max_ms=_milliseconds(duration, "max_s"),
        checks=tuple(node.get("checks", ())),
        rule=node.get("rule", ""),
    )


def _answer(answer: dict[str, Any]) -> Answer:
    within_ms = round(answer.get("within_s", DEFAULT_ANSWER_S) * 1000)
    return Answer(Role(answer["from"]), answer["expect"], within_ms, answer.get("rule", ""))


def _phrase(phrase: str | dict[str, Any]) -> Phrase:
    if isinstance(phrase, str):
        return Phrase(phrase)
    return Phrase(phrase["text"], tuple(phrase.get("must_have", ())), phrase.get("rule", ""))


def _check(kind: str, fields: dict[str, Any]) -> CheckSpec:
    limits = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in fields.items()
        if name not in ("severity", "rule")
    }
    return CheckSpec(kind, Severity(fields.get("severity", DEFAULT_SEVERITY)), fields.get("rule", ""), limits)
