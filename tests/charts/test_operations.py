"""Every command of docs/operations.md and of the runbooks names what there is: objects, secrets, values, commands."""

import importlib.util
import re
import shlex
from collections.abc import Iterator

import pytest
import yaml
from tests.charts.rendering import ROOT, VALUES, WORKLOADS, Object, chart, containers_of, helm
from tests.charts.test_missing_secrets import ALL
from tests.commands import assert_known

TEXT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
PAGES = "\n".join(page.read_text(encoding="utf-8") for page in sorted((VALUES / "runbooks").glob("*.md")))
TURN = "shuanglu_turn_secret"
KINDS = {"deployment": "Deployment", "statefulset": "StatefulSet", "job": "Job"}
FIRST_POD = re.compile(r"(shuanglu-[a-z-]+)-0")


def commands(program: str) -> Iterator[list[str]]:
    """Words of every line that begins with it; lines that go on are one."""
    for block in BLOCKS:
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith(f"{program} "):
                yield shlex.split(line, comments=True)


def rendered(*more: str) -> list[Object]:
    """The production chart by the name that the document gives it."""
    production = VALUES / "values-production.yaml"
    answer = helm(
        "template", "shuanglu", str(chart("shuanglu")), "--namespace", "signing", "-f", str(production), *more
    )
    assert answer.returncode == 0, answer.stderr
    return [item for item in yaml.safe_load_all(answer.stdout) if item]


@pytest.fixture(scope="module")
def objects() -> list[Object]:
    return rendered("--set", "host=signing.bank.example")


def test_there_are_commands_to_check() -> None:
    assert len(list(commands("kubectl"))) >= 10
    assert len(list(commands("helm"))) >= 4
    assert len(list(commands("shuanglu"))) >= 10


def told_of(words: list[str]) -> Iterator[tuple[str, str]]:
    """Kind and name of every object in a command."""
    for word in words:
        kind, slash, name = word.partition("/")
        if slash and kind in KINDS:
            yield KINDS[kind], name
        elif pod := FIRST_POD.fullmatch(word):
            yield "StatefulSet", pod[1]


def test_kubectl_is_told_of_objects_and_containers_that_the_chart_makes(objects: list[Object]) -> None:
    named = {(item["kind"], item["metadata"]["name"]): item for item in objects}
    components = {
        item["metadata"]["labels"]["app.kubernetes.io/component"] for item in objects if item["kind"] in WORKLOADS
    }
    lines = [shlex.split(line, comments=True) for line in re.findall(r"(?:^|`)(kubectl [^`\n]*)", PAGES, re.MULTILINE)]
    asked = 0
    for words in [*commands("kubectl"), *lines]:
        for kind, name in told_of(words):
            asked += 1
            containers = {one["name"] for one in containers_of(named[kind, name])}
            assert "-c" not in words or words[words.index("-c") + 1] in containers, words
        for component in re.findall(r"app.kubernetes.io/component=([a-z-]+)", " ".join(words)):
            assert component in components
    assert asked >= 20


def test_kubectl_lists_what_the_chart_has(objects: list[Object]) -> None:
    assert [item for item in objects if item["kind"] == "ScaledObject"]
    chosen = next(words[words.index("-l") + 1] for words in commands("kubectl") if "-l" in words)
    key, _, value = chosen.partition("=")
    pods = [item["spec"]["template"] for item in objects if item["kind"] in WORKLOADS and item["kind"] != "CronJob"]
    assert all(pod["metadata"]["labels"][key] == value for pod in pods)


def test_secrets_get_the_files_that_the_chart_asks_for() -> None:
    made = {}
    for words in commands("kubectl"):
        if "create" in words and "secret" in words:
            kind, name = words[words.index("secret") + 1 :][:2]
            files = [word.partition("=")[2] for word in words if word.startswith("--from-file=")]
            made[name] = {"tls.crt", "tls.key"} if kind == "tls" else set(files)
    assert made.keys() == ALL.keys()
    for name, files in ALL.items():
        assert set(files) <= made[name] <= {*files, TURN}


def test_helm_takes_every_line_and_every_value(objects: list[Object]) -> None:
    """What is installed and upgraded renders; the block of values for watching is taken by the schema."""
    assert objects
    for words in commands("helm"):
        assert words[1] in {"dependency", "install", "upgrade", "-n"}
        if words[1] in {"install", "upgrade"}:
            assert rendered(*words[words.index("--set") :])
    values = [block for block in BLOCKS if re.match(r"\w+:\n", block)]
    assert values
    for block in values:
        folder = chart("shuanglu").parent
        (folder / "block.yaml").write_text(block, encoding="utf-8")
        assert rendered("--set", "host=signing.bank.example", "-f", str(folder / "block.yaml"))


def test_every_line_of_ours_is_a_command() -> None:
    for words in commands("shuanglu"):
        assert_known(shlex.join(words))
    modules = set(re.findall(r"python -m ([a-z_.]+[a-z])", TEXT + PAGES))
    assert len(modules) >= 4
    assert not {name for name in modules if importlib.util.find_spec(name) is None}
