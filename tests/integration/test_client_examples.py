"""The examples of docs/clients.md, as they stand there: a bank's back end, a native app, a page of the bank's own.

They hold one call together: what a document shows must work.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect, sync_playwright

from shuanglu.report.v1.report_pb2 import Report
from shuanglu_stack import EmbeddedStack

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "examples"
SAMPLE = ROOT / "samples" / "personal-loan"
# In the gateway's `cors_origins`; the browser is given the page for it and nobody is asked.
PAGES = "https://pages.bank.example"
CHROMIUM = "/usr/bin/chromium"
SECONDS = 60


def call_sh(stack: EmbeddedStack, *arguments: str) -> str:
    environment = {"SHUANGLU_GATEWAY": stack.gateway_url, "SHUANGLU_TOKEN": stack.token(), "SHUANGLU_CA": str(stack.ca)}
    environment |= {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    command = ["sh", str(EXAMPLES / "call.sh"), *arguments]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


@contextmanager
def participant(stack: EmbeddedStack, link: str) -> Iterator[subprocess.Popen[str]]:
    film = str(SAMPLE / "agent.mp4")
    script = [str(EXAMPLES / "participant.py"), link, "--film", film, "--seconds", str(SECONDS), "--ca", str(stack.ca)]
    command = ["nice", "-n", "5", sys.executable, *script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


@contextmanager
def page_at(link: str) -> Iterator[Page]:
    """The page of a bank, in a browser with a camera and a microphone that are none."""
    arguments = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--no-sandbox"]
    # A page from outside asks a person before it speaks to this machine; a bank's gateway is not on it.
    arguments += ["--disable-features=LocalNetworkAccessChecks"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = browser.new_context(ignore_https_errors=True).new_page()

        def give(route: Route) -> None:
            route.fulfill(path=EXAMPLES / "page.html", content_type="text/html; charset=utf-8")

        page.route(f"{PAGES}/**", give)
        page.goto(f"{PAGES}/page.html#{link}")
        yield page
        browser.close()


@pytest.mark.timeout(180)
def test_a_page_and_an_app_hold_a_call_that_a_back_end_made(call_stack: EmbeddedStack, tmp_path: Path) -> None:
    order = tmp_path / "order.json"
    order.write_text(json.dumps(json.loads((SAMPLE / "order.json").read_text()) | {"order_no": "EXAMPLE-OF-CLIENTS"}))
    made = dict(line.split() for line in call_sh(call_stack, "new", str(order)).splitlines())
    session = made["session"]
    with participant(call_stack, made["agent"]) as app:
        with page_at(made["customer"]) as page:
            expect(page.locator("#state")).to_contain_text("CALL_STATE_ACTIVE PROOF_STATE_PROVEN", timeout=60_000)
            moving = "document.getElementById('other').getVideoPlaybackQuality().totalVideoFrames > 10"
            page.wait_for_function(moving, timeout=30_000)
            view = json.loads(call_sh(call_stack, "look", session))["call"]
            assert {one["presence"] for one in view["participants"]} == {"PRESENCE_LIVE"}
            assert {track["state"] for track in view["recording"]["tracks"]} == {"PROOF_STATE_PROVEN"}
            node = view["script"][0]["node_id"]
            assert json.loads(call_sh(call_stack, "start", session, node))["call"]["current_node_id"] == node
            call_sh(call_stack, "finish", session, node)
            call_sh(call_stack, "end", session)
            expect(page.locator("#state")).to_contain_text("CALL_STATE_END", timeout=20_000)
        said, _ = app.communicate(timeout=30)
    assert app.returncode == 0, said
    assert f"watching /whep/{session}/customer" in said
    assert "CALL_STATE_ACTIVE PROOF_STATE_PROVEN" in said
    assert said.splitlines()[-1].startswith("CALL_STATE_END")


def test_the_back_end_reads_a_report(stack: EmbeddedStack, clean_report: Report) -> None:
    assert call_sh(stack, "report", clean_report.session_id).strip() == "OUTCOME_PASS"
