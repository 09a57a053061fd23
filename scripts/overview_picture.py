"""`python -m scripts.overview_picture`: the Overview with real numbers, as docs/img/overview.png.

The embedded stack takes in recordings and holds calls for a few minutes while a Prometheus reads it; the dashboard's
own queries are asked, and their answers drawn where Grafana draws them.
"""

import argparse
import asyncio
import json
import re
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from playwright.sync_api import sync_playwright
from rich.console import Console
from scripts.dashboards.overview import PAGE
from scripts.dashboards.panels import Kind, Panel, Query
from scripts.panel_drawing import WIDTH, Answer, page_html
from scripts.watching import Series, Watch, watched

from shuanglu_caller.booking import book, people_of
from shuanglu_caller.desk import Place
from shuanglu_stack import EmbeddedStack, StackOptions
from shuanglu_stack.announcer import ConsoleAnnouncer
from shuanglu_stack.remote_scene import call_of, sample_scene
from shuanglu_stack.sampling import Client, as_another_order, client_of, sample_recording

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "samples" / "personal-loan"
PICTURE = ROOT / "docs" / "img" / "overview.png"
KEPT = ROOT / "build" / "overview.json"
CHROMIUM = "/usr/bin/chromium"
NAMED = re.compile(r"\{\{(\w+)\}\}")
AFTERWARDS_S = 6

Answers = dict[str, list[Answer]]


def imports(client: Client, folders: Sequence[Path]) -> None:
    """One recording after the other, each until its report."""
    for folder in folders:
        client.wait(client.send(sample_recording(folder)).session_id)


def hold_call(stack: EmbeddedStack, client: Client) -> None:
    """The sample's customer and agent meet; until the report."""
    recording, scene = as_another_order(sample_recording(SAMPLE)), sample_scene(SAMPLE)
    session_id = book(client.gateway, client.door, recording)
    place = Place(stack.gateway_url, stack.ca)
    asyncio.run(call_of(place, stack.token(), session_id, people_of(recording), scene))
    client.wait(session_id)


def run(calls: int, folders: Sequence[Path], console: Console) -> tuple[Answers, float, float]:
    """Answers by panel title; from when until when. Raises StackError, CliError, CallerError."""
    with tempfile.TemporaryDirectory(prefix="shuanglu-overview-") as folder:
        options = StackOptions(data_dir=Path(folder) / "stack", root=ROOT)
        with (
            EmbeddedStack(options, ConsoleAnnouncer(console)) as stack,
            client_of(stack) as client,
            watched(stack, Path(folder) / "prometheus") as watch,
        ):
            begin = time.time()
            imports(client, [SAMPLE])
            beside = threading.Thread(target=imports, args=(client, folders))
            beside.start()
            for number in range(calls):
                console.print(f"call {number + 1} of {calls} …", highlight=False)
                hold_call(stack, client)
            beside.join()
            time.sleep(AFTERWARDS_S)
            end = time.time()
            found = {
                panel.title: [answer(watch, panel, query, begin, end) for query in panel.queries]
                for panel in PAGE.panels
            }
    return found, begin, end


def answer(watch: Watch, panel: Panel, query: Query, begin: float, end: float) -> Answer:
    """What Grafana would ask: bars for now, all others over time."""
    if panel.kind is Kind.BARS:
        series = watch.at(query.promql, end, end - begin)
    else:
        series = watch.over(query.promql, begin, end)
    return Answer([(name_of(query, one), one) for one in series])


def name_of(query: Query, series: Series) -> str:
    """As the legend writes it."""
    return NAMED.sub(lambda found: series.labels.get(found[1], ""), query.legend) or "value"


def keep(found: Answers, begin: float, end: float) -> None:
    """For drawing again."""
    told = {
        title: [[[name, dict(one.labels), one.points] for name, one in answer.series] for answer in answers]
        for title, answers in found.items()
    }
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    KEPT.write_text(json.dumps({"begin": begin, "end": end, "answers": told}), encoding="utf-8")


def kept() -> tuple[Answers, float, float]:
    """Of the last run. Raises FileNotFoundError."""
    told = json.loads(KEPT.read_text(encoding="utf-8"))
    found = {
        title: [
            Answer([(name, Series(labels, tuple(map(tuple, points)))) for name, labels, points in one]) for one in all_
        ]
        for title, all_ in told["answers"].items()
    }
    return found, told["begin"], told["end"]


def draw(answers: Mapping[str, Sequence[Answer]], begin: float, end: float, out: Path) -> None:
    """Write the picture."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        page = browser.new_page(viewport={"width": WIDTH, "height": 900})
        page.set_content(page_html(PAGE, answers, begin, end))
        page.screenshot(path=out, full_page=True)
        browser.close()


def main() -> int:
    """Exit code 0: the picture is written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", nargs="*", type=Path, help="folders of further samples, sent in beside the calls")
    parser.add_argument("--calls", type=int, default=2, help="how many calls, one after the other (default 2)")
    parser.add_argument("--out", type=Path, default=PICTURE, help="default docs/img/overview.png")
    parser.add_argument("--again", action="store_true", help="run nothing, draw the answers of the last run")
    chosen = parser.parse_args()
    if chosen.again and not KEPT.is_file():
        parser.error("nothing was run before: leave --again out")
    if not chosen.again:
        keep(*run(chosen.calls, chosen.recordings, Console()))
    draw(*kept(), chosen.out)
    print(f"wrote {chosen.out}, {chosen.out.stat().st_size >> 10} KiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
