"""The pages for customers and agents: files of a folder that Envoy keeps in memory and answers with itself.

The folder is what the console's build makes: `call.html` and hashed files in `assets/`. It is listed when the
configuration is rendered; a new build needs a new configuration.
"""

from dataclasses import dataclass
from pathlib import Path

from .config import Config
from .errors import ConsoleInvalid

PAGE, PAGE_FILE = "/call", "call.html"
ASSETS = "/assets/"
PREFIXES = (PAGE, ASSETS)
MAX_FILE_BYTES = 4 << 20
MAX_FILES = 200
# What a page may be made of. A source map tells more than a page needs.
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".wasm": "application/wasm",
    ".txt": "text/plain; charset=utf-8",
}
# Own files alone: no inline script or style, no plug-in, no frame in either direction, no form to anywhere. `blob:` is
# what the replay and its worker are made of (Media Source Extensions), `data:` small pictures.
RULES = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data: blob:",
    "font-src 'self'",
    "media-src 'self' blob:",
    "connect-src 'self'",
    "worker-src 'self' blob:",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
)
POLICY = "; ".join(RULES)
DENIED = ("geolocation", "payment", "usb", "serial", "bluetooth", "hid", "midi", "magnetometer", "gyroscope")
PERMISSIONS = ", ".join(
    [
        *(f"{name}=(self)" for name in ("camera", "microphone", "fullscreen", "screen-wake-lock")),
        *(f"{name}=()" for name in DENIED),
    ]
)
SAFE = {
    "content-security-policy": POLICY,
    "permissions-policy": PERMISSIONS,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
# RFC 8246: a hashed file never changes. The page names the newest ones, so it is asked for every time.
FOREVER, NEVER = "public, max-age=31536000, immutable", "no-store"


@dataclass(frozen=True, slots=True)
class Page:
    """A file that Envoy answers with."""

    path: str  # of the URL
    file: Path
    content_type: str
    cache: str


def read_console(folder: Path | None) -> tuple[Page, ...]:
    """Every file of the console, sorted by path; none without a folder.

    Raises ConsoleInvalid if the page is missing, or a file is of an unknown kind or too large.
    """
    if folder is None or not folder.is_dir():
        return ()
    page = folder / PAGE_FILE
    if not page.is_file():
        raise ConsoleInvalid(f"{folder}: no {PAGE_FILE}")
    files = sorted(file for file in (folder / "assets").rglob("*") if file.is_file() and file.suffix != ".map")
    if len(files) > MAX_FILES:
        raise ConsoleInvalid(f"{folder}: more than {MAX_FILES} files")
    found = [made(PAGE, page, NEVER)]
    return (*found, *(made(f"/{file.relative_to(folder).as_posix()}", file, FOREVER) for file in files))


def made(path: str, file: Path, cache: str) -> Page:
    """A page, looked at. Raises ConsoleInvalid."""
    kind = TYPES.get(file.suffix)
    if kind is None:
        raise ConsoleInvalid(f"{file.name}: no content type is known for it")
    if not 0 < file.stat().st_size <= MAX_FILE_BYTES:
        raise ConsoleInvalid(f"{file.name}: must have 1..{MAX_FILE_BYTES} bytes")
    return Page(path, file.resolve(), kind, cache)


def page_routes(pages: tuple[Page, ...], off: Config) -> list[Config]:
    """Routes of the console; `off` switches off the filters that are not for files."""
    if not pages:
        body = {"inline_string": "本网关未安装页面。This gateway has no pages: build the console, set its folder."}
        missing: Config = {"status": 404, "body": body}
        return [
            {"name": "console", "match": {"path": PAGE}, "typed_per_filter_config": off, "direct_response": missing}
        ]
    return [
        {
            "name": "console",
            "match": {"path": page.path, "headers": [reading()]},
            "typed_per_filter_config": off,
            "direct_response": {"status": 200, "body": {"filename": str(page.file)}},
            "response_headers_to_add": [
                added(name, value) for name, value in {**SAFE, "cache-control": page.cache}.items()
            ],
        }
        for page in pages
    ]


def reading() -> Config:
    """A page is read and nothing else."""
    return {"name": ":method", "string_match": {"safe_regex": {"regex": "GET|HEAD"}}}


def added(name: str, value: str) -> Config:
    """A header of an answer."""
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def largest(pages: tuple[Page, ...]) -> int:
    """Bytes of the largest file; Envoy must be told, it takes 4 KiB else."""
    return max((page.file.stat().st_size for page in pages), default=0)


def page_mappers(pages: tuple[Page, ...]) -> list[Config]:
    """Local replies that are pages keep their body and get their type: one mapper for each kind of file."""
    kinds = {page.file.suffix: page for page in pages}
    return [
        {
            "filter": {"and_filter": {"filters": [answered(200), at(suffix, page)]}},
            "body_format_override": {
                "text_format_source": {"inline_string": "%LOCAL_REPLY_BODY%"},
                "content_type": page.content_type,
            },
        }
        for suffix, page in kinds.items()
    ]


def at(suffix: str, page: Page) -> Config:
    """A filter for requests to the page, or to assets of its kind."""
    path = rf"{ASSETS}[^?]*\{suffix}" if page.path.startswith(ASSETS) else page.path
    match = {"safe_regex": {"regex": rf"{path}(\?.*)?"}}
    return {"header_filter": {"header": {"name": ":path", "string_match": match}}}


def answered(status: int) -> Config:
    """A filter for a status of the gateway's own answers."""
    value = {"default_value": status, "runtime_key": f"shuanglu.answer.{status}"}
    return {"status_code_filter": {"comparison": {"op": "EQ", "value": value}}}
