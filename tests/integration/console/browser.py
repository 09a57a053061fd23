"""Chromium with people in front of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright
from tests.integration.console.media import ROOT, Devices, devices_of

EXECUTABLE = "/usr/bin/chromium"
SHOTS = ROOT / "build" / "screenshots"
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 720}
# Patience for a machine of two cores on which everything runs at once.
PATIENCE_MS = 40_000
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--use-fake-device-for-media-stream",
)


@dataclass(frozen=True, slots=True)
class Person:
    """A browser of one person; each context in it is a browser of its own as far as cookies go."""

    browser: Browser

    def context(self, *, phone: bool, language: str = "zh-CN", dark: bool = False) -> BrowserContext:
        """A fresh profile."""
        context = self.browser.new_context(
            viewport=PHONE if phone else DESK,  # type: ignore[arg-type]
            device_scale_factor=2 if phone else 1,
            locale=language,
            color_scheme="dark" if dark else "light",
            ignore_https_errors=True,
        )
        context.set_default_timeout(PATIENCE_MS)
        return context


class Browsers:
    """Starts a browser for each person who is needed, once."""

    def __init__(self, playwright: Playwright) -> None:
        self._playwright = playwright
        self._persons: dict[str, Person] = {}

    def of(self, who: str) -> Person:
        """Whose camera shows the sample's `customer` or `agent`, and asks nobody."""
        devices = devices_of(who)
        return self._person(who, *device_flags(devices), "--use-fake-ui-for-media-stream")

    def refusing(self) -> Person:
        """Somebody who does not allow camera and microphone."""
        return self._person("refusing", "--deny-permission-prompts")

    def close(self) -> None:
        """End all of them."""
        for person in self._persons.values():
            person.browser.close()

    def _person(self, name: str, *flags: str) -> Person:
        if name not in self._persons:
            browser = self._playwright.chromium.launch(executable_path=EXECUTABLE, args=[*FLAGS, *flags])
            self._persons[name] = Person(browser)
        return self._persons[name]


def device_flags(devices: Devices) -> tuple[str, str]:
    """What makes Chromium take files for devices."""
    return (
        f"--use-file-for-fake-video-capture={devices.camera}",
        f"--use-file-for-fake-audio-capture={devices.microphone}",
    )


@contextmanager
def browsers() -> Iterator[Browsers]:
    """For as long as a module of tests runs."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        all_of_them = Browsers(playwright)
        try:
            yield all_of_them
        finally:
            all_of_them.close()


def shoot(page: Page, name: str) -> Path:
    """Keep a picture of the page for people to look at."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    path = SHOTS / f"{name}.png"
    page.screenshot(path=str(path))
    return path
