"""A manifest: a CSV file with one recording a line, or a folder with one recording in each sub-folder.

Everything that can be seen without the services is looked at before the first byte is sent, and told with line numbers.
"""

import csv
import difflib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from shuanglu.common.v1.types_pb2 import Money, ParticipantRole
from shuanglu.media.v1.import_service_pb2 import AudioSelection
from shuanglu.session.v1.session_pb2 import Customer, Order
from shuanglu_cli.audio import read_audio, require_speakers
from shuanglu_cli.errors import Usage
from shuanglu_cli.recording import (
    Recording,
    Roles,
    assign_roles,
    read_channel,
    read_order,
    read_role,
    read_timeline,
    with_roles,
)

T = TypeVar("T")

MAX_FILES = 8
MAX_ROWS = 100_000
MAX_PROBLEMS = 50
MAX_OFFSET_MS = 86_400_000
MEDIA_SUFFIXES = {
    *(".mp4", ".mov", ".mkv", ".webm", ".flv", ".avi", ".ts", ".3gp", ".m4v"),
    *(".wav", ".mp3", ".m4a", ".amr", ".aac", ".ogg", ".opus"),
}
PHOTOS = ("id_photo.jpg", "id_photo.jpeg", "id_photo.png")
ORDER_COLUMNS = {
    "order_no": "the bank's own number of the order",
    "product": "code, such as personal_loan",
    "amount_fen": "whole number",
    "currency": "ISO 4217; CNY if empty",
    "purpose": "code, such as consumption",
    "term_months": "whole number; 0 if empty",
    "customer_no": "the bank's customer number",
    "customer_name": "full name",
    "customer_id_number": "number of the identity document",
    "branch": "may be empty",
    "agent_no": "may be empty",
}
REQUIRED = ("order_no", "product", "amount_fen", "purpose", "customer_no", "customer_name", "customer_id_number")
OTHER_COLUMNS = ("channel", "strategy", "id_photo", "timeline", "audio")
FILE_COLUMNS = tuple(
    f"{name}_{number}" for number in range(1, MAX_FILES + 1) for name in ("file", "roles", "offset_ms")
)
COLUMNS = (*ORDER_COLUMNS, *OTHER_COLUMNS, *FILE_COLUMNS)
TEMPLATE_ROWS = (
    (*ORDER_COLUMNS, *OTHER_COLUMNS, *FILE_COLUMNS[:6]),
    (
        *("PL26-000001", "personal_loan", "8000000", "CNY", "consumption", "24", "C-000001", "张三"),
        *("110101199001010016", "SH-0001", "1027", "REMOTE", "", "000001/id.jpg", "", ""),
        *("000001/customer.mp4", "CUSTOMER", "0", "000001/agent.mp4", "AGENT", "0"),
    ),
    (
        *("PL26-000002", "personal_loan", "5000000", "", "consumption", "12", "C-000002", "李四"),
        *("110101198502020028", "", "", "COUNTER", "", "", "", "mixed"),
        *("000002.mp4", "CUSTOMER+AGENT", "", "", "", ""),
    ),
    (
        *("PL26-000003", "personal_loan", "3000000", "", "consumption", "12", "C-000003", "王五"),
        *("110101199003030035", "", "", "IMPORT", "", "", "", "channels=AGENT+CUSTOMER"),
        *("000003.wav", "CUSTOMER+AGENT", "", "", "", ""),
    ),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One recording of a manifest. `line` is 0 in a folder, `name` tells people which it is."""

    line: int
    name: str
    recording: Recording


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong, in plain words. `line` is 0 if it is not one line's."""

    line: int
    where: str
    text: str

    def __str__(self) -> str:
        """As it is shown."""
        place = f"line {self.line}" if self.line else ""
        return ": ".join(part for part in (place, self.where, self.text) if part)


class ManifestWrong(Usage):
    """A manifest that is not sent; every problem is in `problems`."""

    def __init__(self, source: Path, problems: list[Problem]) -> None:
        shown = [str(problem) for problem in problems[:MAX_PROBLEMS]]
        if len(problems) > MAX_PROBLEMS:
            shown.append(f"… and {len(problems) - MAX_PROBLEMS} more")
        super().__init__(
            f"{source.name} has {len(problems)} problem{'s' if len(problems) > 1 else ''}; nothing was sent",
            "\n       ".join(shown),
            "correct the manifest; `shuanglu import --manifest-template` shows one",
            "MANIFEST_INVALID",
        )
        self.problems = problems


@dataclass(slots=True)
class Reading:
    """A manifest while it is read."""

    folder: Path
    allow_outside: bool = False
    audio: AudioSelection | None = None  # wins over the manifest's
    problems: list[Problem] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)

    def wrong(self, line: int, where: str, text: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(line, where, text))

    def place(self, line: int, column: str, name: str) -> Path | None:
        """A file of the manifest, below its folder unless that was allowed otherwise."""
        if "\0" in name:
            self.wrong(line, column, "a file's name cannot have a NUL character")
            return None
        path = self.folder / name
        try:
            resolved = path.resolve()
            if not self.allow_outside and not resolved.is_relative_to(self.folder.resolve()):
                self.wrong(line, column, f"{name} lies outside the manifest's folder (--allow-outside permits that)")
                return None
            if not path.is_file():
                self.wrong(line, column, f"there is no file {name}")
                return None
            if path.stat().st_size == 0:
                self.wrong(line, column, f"{name} is empty")
                return None
        except (OSError, ValueError) as error:
            self.wrong(line, column, f"{name[:80]} cannot be read: {getattr(error, 'strerror', None) or error}")
            return None
        return path


def template() -> str:
    """A manifest to start from, as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(TEMPLATE_ROWS)
    return text.getvalue()


def read_manifest(
    path: Path, *, allow_outside: bool = False, channel: str | None = None, audio: AudioSelection | None = None
) -> list[Entry]:
    """All recordings of a CSV file or a folder; `channel` and `audio` win over its own. Raises Usage, ManifestWrong."""
    reading = Reading(path if path.is_dir() else path.parent, allow_outside, audio)
    if path.is_dir():
        _read_folder(reading, channel)
    else:
        _read_csv(reading, path, channel)
    _find_repeats(reading)
    if not reading.entries and not reading.problems:
        what = "no sub-folder with an order.json" if path.is_dir() else "no line below the heading"
        reading.wrong(0, "", f"there is {what}")
    if reading.problems:
        raise ManifestWrong(path, reading.problems)
    return reading.entries


def _read_csv(reading: Reading, path: Path, channel: str | None) -> None:
    rows = csv.reader(io.StringIO(_text_of(path), newline=""), strict=True)
    try:
        heading = [name.strip().lower() for name in next(rows, [])]
        if not _heading_holds(reading, heading):
            return
        for row in rows:
            if len(reading.entries) >= MAX_ROWS:
                reading.wrong(rows.line_num, "", f"a manifest has at most {MAX_ROWS} lines; make two of it")
                return
            if any(cell.strip() for cell in row):
                if len(row) > len(heading):
                    reading.wrong(rows.line_num, "", f"has {len(row)} cells, the heading has {len(heading)}")
                    continue
                cells = dict(zip(heading, (cell.strip() for cell in row), strict=False))
                _Row(reading, rows.line_num, cells, channel).read()
    except csv.Error as error:
        reading.wrong(rows.line_num, "", f"is not CSV: {error}")


def _text_of(path: Path) -> str:
    """UTF-8, with or without a mark; else GB 18030, which Excel writes in China. Raises Usage."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Usage(f"cannot read {path}", error.strerror or "", "check the path", "NO_FILE") from None
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Usage(f"{path} is not text", "it is neither UTF-8 nor GB 18030", "save it as CSV in UTF-8", "BAD_MANIFEST")


def _heading_holds(reading: Reading, heading: list[str]) -> bool:
    for name in sorted({name for name in heading if heading.count(name) > 1}):
        reading.wrong(1, name or "heading", "a column has no name" if not name else "this column is there twice")
    for name in heading:
        if name and name not in COLUMNS:
            close = difflib.get_close_matches(name, COLUMNS, 1)
            reading.wrong(1, name, "no such column" + (f"; do you mean {close[0]}?" if close else ""))
    for name in (*REQUIRED, "file_1"):
        if name not in heading:
            reading.wrong(1, name, "this column is missing")
    return not reading.problems


@dataclass(slots=True)
class _Row:
    """One line of a CSV manifest."""

    reading: Reading
    line: int
    cells: Mapping[str, str]
    channel: str | None

    def read(self) -> None:
        """Adds an entry, or problems."""
        before = len(self.reading.problems)
        for column in REQUIRED:
            if not self.cell(column):
                self.wrong(column, f"is empty: {ORDER_COLUMNS[column]}")
        order = Order(
            order_no=self.cell("order_no"),
            product=self.cell("product"),
            amount=Money(amount_fen=self.number("amount_fen", 10**15), currency=self.cell("currency") or "CNY"),
            purpose=self.cell("purpose"),
            term_months=self.number("term_months", 1200),
            customer=Customer(
                customer_no=self.cell("customer_no"),
                name=self.cell("customer_name"),
                id_number=self.cell("customer_id_number"),
            ),
            branch=self.cell("branch"),
            agent_no=self.cell("agent_no"),
        )
        files, offsets = self.files()
        chosen = self.checked("channel", lambda: read_channel(self.channel or self.cell("channel") or "IMPORT"))
        photo = self.file("id_photo")
        timeline_file = self.file("timeline")
        timeline = self.checked("timeline", lambda: read_timeline(timeline_file)) if timeline_file else ()
        audio = self.audio(files)
        if len(self.reading.problems) == before and chosen is not None and timeline is not None:
            recording = Recording(
                files=tuple(files),
                order=order,
                channel=chosen,
                id_photo=photo,
                strategy_id=self.cell("strategy"),
                timeline=timeline,
                offsets_ms=tuple(offsets),
                audio=audio,
            )
            self.reading.entries.append(Entry(self.line, order.order_no, recording))

    def cell(self, column: str) -> str:
        """Empty if it is not there."""
        return self.cells.get(column, "")

    def wrong(self, column: str, text: str) -> None:
        """Note a problem of this line."""
        self.reading.wrong(self.line, column, text)

    def number(self, column: str, most: int) -> int:
        """0 if it is empty, or wrong and noted."""
        text = self.cell(column)
        if not text:
            return 0
        if not text.isascii() or not text.isdigit() or int(text[:20]) > most:
            self.wrong(column, f"{text[:20]} is not a whole number of 0 to {most}")
            return 0
        return int(text)

    def file(self, column: str) -> Path | None:
        """None if it is empty, or wrong and noted."""
        name = self.cell(column)
        return self.reading.place(self.line, column, name) if name else None

    def files(self) -> tuple[list[tuple[Path, Roles]], list[int]]:
        """Files with their roles, and their offsets."""
        found: list[tuple[Path, Roles]] = []
        offsets: list[int] = []
        named = [number for number in range(1, MAX_FILES + 1) if self.cell(f"file_{number}")]
        if not named:
            self.wrong("file_1", "is empty: a recording needs a file")
        for number in range(1, MAX_FILES + 1):
            if number not in named and (self.cell(f"roles_{number}") or self.cell(f"offset_ms_{number}")):
                self.wrong(f"file_{number}", "is empty, but its roles or offset are given")
        for number in named:
            path = self.file(f"file_{number}")
            offset = self.number(f"offset_ms_{number}", MAX_OFFSET_MS)
            if path is not None:
                roles = self.roles(number, path, alone=len(named) == 1)
                if roles is not None:
                    found.append((path, roles))
                    offsets.append(offset)
        if len(found) == len(named):
            self.check_people(found)
        return found, offsets

    def audio(self, files: list[tuple[Path, Roles]]) -> AudioSelection | None:
        """None if nothing is chosen, or it is wrong and noted."""
        text = self.cell("audio")
        audio = self.checked("audio", lambda: read_audio(text)) if text else None
        audio = self.reading.audio or audio
        self.checked("audio", lambda: require_speakers(audio, files))
        return audio

    def roles(self, number: int, path: Path, *, alone: bool) -> Roles | None:
        """As the column says, else as the file's name tells."""
        column, text = f"roles_{number}", self.cell(f"roles_{number}")
        if not text:
            return self.checked(column, lambda: with_roles(path, alone=alone))
        return self.checked(column, lambda: tuple(read_role(role) for role in text.replace("+", ",").split(",")))

    def check_people(self, files: list[tuple[Path, Roles]]) -> None:
        """A session needs a customer; the same file twice is a mistake."""
        if files and not any(ParticipantRole.PARTICIPANT_ROLE_CUSTOMER in roles for _, roles in files):
            self.wrong("roles_1", "nobody is the CUSTOMER")
        if len({path.resolve() for path, _ in files}) != len(files):
            self.wrong("file_1", "the same file is named twice")

    def checked(self, column: str, read: Callable[[], T]) -> T | None:
        """None if it is wrong, and noted."""
        try:
            return read()
        except Usage as error:
            self.wrong(column, f"{error.what} ({error.help})" if error.help else error.what)
            return None


def _read_folder(reading: Reading, channel: str | None) -> None:
    for folder in sorted(reading.folder.iterdir()):
        if folder.is_dir() and (folder / "order.json").is_file():
            try:
                reading.entries.append(Entry(0, folder.name, folder_recording(folder, channel, reading.audio)))
            except Usage as error:
                reading.wrong(0, folder.name, ". ".join(part for part in (error.what, error.why, error.help) if part))


def folder_recording(folder: Path, channel: str | None = None, audio: AudioSelection | None = None) -> Recording:
    """`order.json`, recordings by their suffix, `id_photo.jpg` and `timeline.json` where they are. Raises Usage."""
    order, own_channel = read_order(folder / "order.json")
    files = [str(file) for file in sorted(folder.iterdir()) if file.suffix.lower() in MEDIA_SUFFIXES]
    if not files:
        raise Usage("no recording is in it", "", f"put one of {', '.join(sorted(MEDIA_SUFFIXES))} there", "NO_FILE")
    timeline = folder / "timeline.json"
    with_people = assign_roles(files)
    require_speakers(audio, with_people)
    return Recording(
        files=with_people,
        order=order,
        channel=read_channel(channel) if channel else own_channel,
        id_photo=next((folder / name for name in PHOTOS if (folder / name).is_file()), None),
        timeline=read_timeline(timeline) if timeline.is_file() else (),
        audio=audio,
    )


def _find_repeats(reading: Reading) -> None:
    """An order number means one order, and a file is imported for an order once."""
    orders: dict[str, Entry] = {}
    for entry in reading.entries:
        first = orders.setdefault(entry.recording.order.order_no, entry)
        if first is entry:
            continue
        if first.recording.order != entry.recording.order:
            reading.wrong(entry.line, entry.name, f"order_no means another order in {_place(first)}")
    seen: dict[tuple[str, ...], Entry] = {}
    for entry in reading.entries:
        files = sorted(str(path.resolve()) for path, _ in entry.recording.files)
        first = seen.setdefault((entry.recording.order.order_no, *files), entry)
        if first is not entry:
            reading.wrong(entry.line, entry.name, f"repeats {_place(first)}")


def _place(entry: Entry) -> str:
    return f"line {entry.line}" if entry.line else entry.name
