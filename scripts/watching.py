"""A Prometheus beside the embedded stack: reads what a cluster's reads, by the same labels, with our rules."""

import math
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml
from scripts.dashboards.panels import Query
from scripts.dashboards.rules import RULE_FILES

from shuanglu_stack import EmbeddedStack
from shuanglu_stack.ports import LOOPBACK, choose_ports
from shuanglu_stack.process import Command, ManagedProcess, Spawner

PROGRAM = "/usr/bin/prometheus"
NAMESPACE = "signing"
# What the chart calls the pods; a worker of the stack takes both lanes.
JOBS = {"media-ingest-live": "media", "face-check": "face-check-all", "asr": "asr-all"}
# Rules are looked at far more often than in a cluster (30 s, 5 min): a run lasts minutes.
EVERY_S = 2
TIMEOUT_S = 30
START_S = 30
STEP_S = 2


@dataclass(frozen=True, slots=True)
class Series:
    """Labels, and numbers by time in seconds since the epoch. What is not a number is left out."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Watch:
    """A running Prometheus."""

    url: str
    began: float

    def get(self, path: str, **params: str | float) -> Any:
        """`data` of an answer. Raises httpx.HTTPStatusError with Prometheus' own words."""
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=params, timeout=TIMEOUT_S)
        if answer.is_error:
            raise httpx.HTTPStatusError(f"{params}: {answer.text}", request=answer.request, response=answer)
        return answer.json()["data"]

    def over(self, promql: str, begin: float, end: float, step_s: float = STEP_S) -> list[Series]:
        """Everything that an expression gives in a time, with at least one number."""
        span = f"{max(round(end - begin), 1)}s"
        filled = filled_in(promql, span)
        found = self.get("query_range", query=filled, start=begin, end=end, step=step_s)["result"]
        series = [Series(one["metric"], tuple(numbers(one["values"]))) for one in found]
        return [one for one in series if one.points]

    def at(self, promql: str, moment: float, span_s: float) -> list[Series]:
        """What an expression gives at one moment; `$__range` is the time before it."""
        found = self.get("query", query=filled_in(promql, f"{round(span_s)}s"), time=moment)["result"]
        series = [Series(one["metric"], tuple(numbers([one["value"]]))) for one in found]
        return [one for one in series if one.points]


def numbers(values: list[Any]) -> Iterator[tuple[float, float]]:
    """Pairs of time and number."""
    for moment, text in values:
        if math.isfinite(value := float(text)):
            yield float(moment), value


def filled_in(promql: str, span: str) -> str:
    """The dashboard's variables as Grafana fills them in when all is chosen."""
    chosen = {"$namespace": NAMESPACE, "$tenant": ".*", "$__rate_interval": "30s", "$__range": span}
    for name, value in chosen.items():
        promql = promql.replace(name, value)
    return promql


def query_text(query: Query) -> str:
    """For messages: on one line."""
    return " ".join(query.expr.split())


def targets(stack: EmbeddedStack) -> Iterator[tuple[str, int]]:
    """Every process with metrics: the chart's label `job`, and the port."""
    for service in stack.service_pids():
        yield JOBS.get(service, service), stack.ports[f"{service}-ops"]
    yield "gateway", stack.ports["envoy-ops"]
    yield "gateway", stack.ports["gateway-check"]


def configuration(stack: EmbeddedStack, folder: Path) -> dict[str, Any]:
    """As the chart's PodMonitors and rules come to."""
    scrapes: dict[str, list[str]] = {}
    for job, port in targets(stack):
        scrapes.setdefault(job, []).append(f"{LOOPBACK}:{port}")
    return {
        "global": {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": f"{EVERY_S}s"},
        "rule_files": [str(folder / "rules-*.yaml")],
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": addresses, "labels": {"namespace": NAMESPACE}}]}
            for job, addresses in scrapes.items()
        ],
    }


def write_files(stack: EmbeddedStack, folder: Path) -> Path:
    """Configuration and rules; the configuration's path."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, file in RULE_FILES.items():
        groups = [{**group, "interval": f"{EVERY_S}s"} for group in file["groups"]]
        (folder / f"rules-{name}").write_text(yaml.safe_dump({"groups": groups}), encoding="utf-8")
    path = folder / "prometheus.yaml"
    path.write_text(yaml.safe_dump(configuration(stack, folder)), encoding="utf-8")
    return path


@contextmanager
def watched(stack: EmbeddedStack, folder: Path) -> Iterator[Watch]:
    """Prometheus, from when it has read every target once until the end of the block."""
    port = choose_ports(["prometheus"], "free", 0, 0)["prometheus"]
    argv = (
        PROGRAM,
        f"--config.file={write_files(stack, folder)}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={LOOPBACK}:{port}",
        "--log.level=warn",
    )
    command = Command("prometheus", argv, folder / "prometheus.log", folder, stop_signal=signal.SIGTERM)
    spawner = Spawner()
    process = ManagedProcess(command, spawner)
    process.start()
    try:
        watch = Watch(f"http://{LOOPBACK}:{port}", time.time())
        wait_for_targets(watch, process, len(list(targets(stack))))
        yield watch
    finally:
        process.request_stop()
        process.wait_stopped()
        spawner.close()


def wait_for_targets(watch: Watch, process: ManagedProcess, count: int) -> None:
    """Raises TimeoutError with what Prometheus wrote."""
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.is_alive():
        try:
            if len(watch.at("up == 1", time.time(), 1)) == count:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    raise TimeoutError(f"Prometheus does not read all {count} targets: {process.command.log_file.read_text()}")
