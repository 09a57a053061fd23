"""docs/capacity.md: what so many concurrent sessions need, reckoned from measured figures.

`python scripts/capacity.py` writes it from bench/measured.json, `--check` fails if it differs, `--take` first takes the
newest figures of `make bench` (build/bench/*.json) into bench/measured.json.
"""

import argparse
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MEASURED = ROOT / "bench" / "measured.json"
PAGE = ROOT / "docs" / "capacity.md"
BENCHES = ROOT / "build" / "bench"

SESSIONS = (10, 100, 1_000, 10_000, 100_000)
PEOPLE = 2
# What a machine may be loaded with, so that a burst or a lost pod does not take the rest along.
FILL = 0.75
# A media pod is drained and lost as one: no more sessions than the recorder was measured with.
SESSIONS_A_MEDIA_POD = 50
WORKER_CORES = 1
# How long and how full a year is, for storage: 250 days of 8 hours, on average 40 % of the peak.
HOURS_A_YEAR = 250 * 8 * 0.4


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure. `metric`: its name in the benchmark's output; empty for one that a document tells."""

    value: float
    unit: str
    what: str
    source: str
    bench: str = ""
    metric: str = ""


def read_measured() -> dict[str, Measured]:
    """All figures by their names here."""
    return {name: Measured(**one) for name, one in json.loads(MEASURED.read_text(encoding="utf-8")).items()}


def take() -> None:
    """Bring bench/measured.json to what `make bench` has last found on this machine."""
    data = json.loads(MEASURED.read_text(encoding="utf-8"))
    for one in data.values():
        file = BENCHES / f"{one.get('bench', '')}.json"
        if not one.get("metric") or not file.exists():
            continue
        found = {figure["metric"]: figure["value"] for figure in json.loads(file.read_text(encoding="utf-8"))}
        if one["metric"] in found:
            one["value"] = float(f"{found[one['metric']]:.3g}")
    MEASURED.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Need:
    """Of so many sessions at a time. Cores are at work; pods and machines count with FILL."""

    sessions: int
    media_pods: int
    media_cores: float
    face_cores: float
    asr_cores: float
    door_cores: float
    core_cores: float
    events: float
    nats_cores: float
    puts: float
    store_mb_s: float
    media_gbit_s: float
    year_tb: float

    @property
    def cores(self) -> float:
        """Of all pods, to be provided."""
        used = self.media_cores + self.face_cores + self.asr_cores + self.door_cores + self.core_cores
        return (used + self.nats_cores) / FILL


def need(sessions: int, m: dict[str, Measured]) -> Need:
    """By arithmetic alone."""
    rate = m["events_per_session"].value
    stored_mb_s = m["stored_mb_per_quarter_hour"].value / 900
    doors = 1 / m["held_signaling"].value + 1 / m["held_gateway"].value + 1 / m["held_postgres"].value
    minute = ("media_ingest_minute", "quality_minute", "report_minute")
    return Need(
        sessions=sessions,
        media_pods=math.ceil(sessions / SESSIONS_A_MEDIA_POD),
        media_cores=sessions * m["media_session"].value / 100,
        face_cores=sessions * m["face_minute"].value / 60,
        asr_cores=sessions * m["asr_minute"].value / 60,
        door_cores=sessions * doors,
        core_cores=sessions * sum(m[name].value for name in minute) / 60,
        events=sessions * rate,
        nats_cores=sessions * rate * m["nats_thousand"].value / (1000 * rate),
        puts=sessions * m["segments_per_session"].value,
        store_mb_s=sessions * stored_mb_s,
        # In from each, out to the other, by way of the relay at worst once more each.
        media_gbit_s=sessions * stored_mb_s * 8 * 2 / 1000,
        year_tb=sessions * stored_mb_s * 3600 * HOURS_A_YEAR / 1e6,
    )


def plain(value: float) -> str:
    """Two figures that count, no more: it is an estimate."""
    if value == 0:
        return "0"
    digits = max(0, 1 - math.floor(math.log10(abs(value))))
    rounded = round(value, digits) if value < 10 else float(f"{value:.2g}")  # noqa: PLR2004
    return f"{rounded:,.{digits if value < 10 else 0}f}"  # noqa: PLR2004


def pods(cores: float) -> str:
    """Workers of one core each."""
    return f"{max(1, math.ceil(cores / WORKER_CORES / FILL)):,}"


def table(m: dict[str, Measured]) -> list[str]:
    """A row for each number of sessions."""
    heads = (
        "sessions at a time", "media pods", "face-check pods", "asr pods", "cores, all", "events/s", "NATS cores",
        "store PUT/s", "store MB/s", "media Gbit/s", "TB a year",
    )  # fmt: skip
    lines = ["| " + " | ".join(heads) + " |", "|" + "---:|" * len(heads)]
    for sessions in SESSIONS:
        n = need(sessions, m)
        cells = (
            f"{sessions:,}", f"{n.media_pods:,}", pods(n.face_cores), pods(n.asr_cores), plain(n.cores),
            plain(n.events), plain(n.nats_cores), plain(n.puts), plain(n.store_mb_s), plain(n.media_gbit_s),
            plain(n.year_tb),
        )  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return lines


INTRO = """# Capacity

Made by `scripts/capacity.py` from bench/measured.json; do not edit. Figures were measured on two shared cores without a
GPU; everything else on this page is arithmetic on them. Measure on your own machines (`make bench`, then
`python scripts/capacity.py --take`) before you order any.

A session here is two people in a call, recorded and checked live: four tracks, video at 800 kbit/s, faces looked at
twice a second, all speech transcribed.
"""

NOTES = """
**How it is reckoned.** Cores at work are divided by {fill:g}, so that a burst or a lost pod does not take the rest
along. A media pod holds {per_pod} sessions: as many as one recorder was measured with. A worker pod is one core.
Storage: 250 days of 8 hours at 40 % of the peak, one copy, originals alone; a store with two or three copies takes as
many times more. Media is what goes in and out of the media pods; with every call over the relay it is twice that.

**What is not measured.** GPUs: none was at hand, so there is no column of them; face-check and asr are {share:.0%} of
the cores, and what a GPU would take over. More than 1,000 sessions' events on one NATS, a cluster of three, streams on
more than one disk: beyond that, and surely from 10,000 sessions on, give groups of tenants a NATS of their own. More
than {per_pod} sessions on one recorder; more than 100 held sessions.

**Imports** cost media-ingest, face-check, asr, quality and report what their minutes say above, whenever there is room:
their pools scale to zero, and wait behind live ones.
"""


def page(m: dict[str, Measured]) -> str:
    """The whole document."""
    figures = ["## Figures", "", "| figure | value | measured by |", "|---|---:|---|"]
    figures += [f"| {one.what} | {one.value:g} {one.unit} | {one.source} |" for one in m.values()]
    one = need(1, m)
    share = (one.face_cores + one.asr_cores) / (one.cores * FILL)
    words = NOTES.strip().format(fill=FILL, per_pod=SESSIONS_A_MEDIA_POD, share=share)
    return "\n".join([INTRO, "## The table", "", *table(m), "", *figures, "", "## In words", "", words, ""])


def main() -> None:
    """Exit code 1 if --check finds a difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if the page differs from the figures")
    parser.add_argument("--take", action="store_true", help="take the newest figures of `make bench` first")
    arguments = parser.parse_args()
    if arguments.take:
        take()
    text = page(read_measured())
    if not arguments.check:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        sys.stderr.write("docs/capacity.md differs from bench/measured.json: run python scripts/capacity.py\n")
        raise SystemExit(1)


if __name__ == "__main__":
    main()
