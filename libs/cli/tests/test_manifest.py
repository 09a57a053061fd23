"""Manifests: what is wrong is told with its line before anything is sent."""

import csv
import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shuanglu.common.v1.types_pb2 import Channel, ParticipantRole
from shuanglu_cli.audio import read_audio
from shuanglu_cli.errors import CliError, Usage
from shuanglu_cli.manifest import COLUMNS, ManifestWrong, read_manifest, template

CUSTOMER = ParticipantRole.PARTICIPANT_ROLE_CUSTOMER
AGENT = ParticipantRole.PARTICIPANT_ROLE_AGENT
GOOD = {
    "order_no": "A-1",
    "product": "personal_loan",
    "amount_fen": "100",
    "purpose": "consumption",
    "customer_no": "C-1",
    "customer_name": "张三",
    "customer_id_number": "110101199001010016",
    "channel": "REMOTE",
    "file_1": "customer.mp4",
    "file_2": "agent.mp4",
    "offset_ms_2": "1500",
}


def write(folder: Path, *rows: dict[str, str], encoding: str = "utf-8", heading: tuple[str, ...] = COLUMNS) -> Path:
    path = folder / "list.csv"
    with path.open("w", newline="", encoding=encoding) as file:
        writer = csv.DictWriter(file, heading)
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("customer.mp4", "agent.mp4", "id.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def problems(path: Path, **more: object) -> list[str]:
    with pytest.raises(ManifestWrong) as wrong:
        read_manifest(path, **more)  # type: ignore[arg-type]
    assert "nothing was sent" in wrong.value.what
    return [str(problem) for problem in wrong.value.problems]


def test_a_line_is_a_recording(folder: Path) -> None:
    (entry,) = read_manifest(write(folder, {**GOOD, "id_photo": "id.jpg", "strategy": "personal-loan"}))
    recording = entry.recording
    assert (entry.line, entry.name, recording.strategy_id) == (2, "A-1", "personal-loan")
    assert [(path.name, roles) for path, roles in recording.files] == [
        ("customer.mp4", (CUSTOMER,)),
        ("agent.mp4", (AGENT,)),
    ]
    assert [recording.offset_ms(number) for number in (0, 1, 2)] == [0, 1500, 0]
    assert (recording.order.amount.amount_fen, recording.order.amount.currency) == (100, "CNY")
    assert (recording.channel, recording.id_photo) == (Channel.CHANNEL_REMOTE, folder / "id.jpg")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_excel_may_have_written_it(folder: Path, encoding: str) -> None:
    (entry,) = read_manifest(write(folder, GOOD, encoding=encoding))
    assert entry.recording.order.customer.name == "张三"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"order_no": ""}, "line 2: order_no: is empty"),
        ({"amount_fen": "1e3"}, "line 2: amount_fen: 1e3 is not a whole number"),
        ({"amount_fen": "-5"}, "line 2: amount_fen: -5 is not a whole number"),
        ({"amount_fen": "１２"}, "line 2: amount_fen: １２ is not a whole number"),
        ({"amount_fen": "9" * 40}, "line 2: amount_fen: 9999"),
        ({"channel": "PHONE"}, "line 2: channel: PHONE is not a channel"),
        ({"file_2": "nowhere.mp4"}, "line 2: file_2: there is no file nowhere.mp4"),
        ({"file_2": "", "offset_ms_2": "5"}, "line 2: file_2: is empty, but its roles or offset are given"),
        ({"file_2": "customer.mp4", "roles_2": "AGENT"}, "line 2: file_1: the same file is named twice"),
        ({"roles_1": "BOSS"}, "line 2: roles_1: BOSS is not a role"),
        ({"roles_1": "AGENT"}, "line 2: roles_1: nobody is the CUSTOMER"),
        ({"file_1": "../outside.mp4"}, "line 2: file_1: ../outside.mp4 lies outside the manifest's folder"),
        ({"file_1": "/etc/passwd"}, "line 2: file_1: /etc/passwd lies outside the manifest's folder"),
        ({"file_1": "x" * 5000}, "line 2: file_1: xxxx"),
        ({"timeline": "agent.mp4"}, "line 2: timeline: cannot read"),
        ({"audio": "loud"}, "line 2: audio: 'loud' does not say which sound counts (give mixed, stream=2,"),
        ({"audio": "stream=0"}, "line 2: audio: stream=0: audio streams are counted from 1"),
        ({"audio": "channels=AGENT,BOSS"}, "line 2: audio: BOSS is not a role"),
        ({"audio": "channels=AGENT,CUSTOMER"}, "line 2: audio: AGENT has a channel but is not in customer.mp4"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_cell_is_told_with_its_line(folder: Path, change: dict[str, str], told: str) -> None:
    assert any(problem.startswith(told) for problem in problems(write(folder, {**GOOD, **change})))


def test_all_problems_are_told_at_once(folder: Path) -> None:
    found = problems(write(folder, {**GOOD, "order_no": "", "amount_fen": "x"}, {**GOOD, "file_1": "gone.mp4"}))
    assert [problem.split(":")[0] for problem in found] == ["line 2", "line 2", "line 3"]


def test_an_empty_file_is_no_recording(folder: Path) -> None:
    (folder / "customer.mp4").write_bytes(b"")
    assert problems(write(folder, GOOD)) == ["line 2: file_1: customer.mp4 is empty"]


def test_a_link_that_leads_outside_is_outside(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "customer.mp4"
    outside.write_bytes(b"x")
    (folder / "customer.mp4").unlink()
    (folder / "customer.mp4").symlink_to(outside)
    path = write(folder, GOOD)
    assert "lies outside" in problems(path)[0]
    assert len(read_manifest(path, allow_outside=True)) == 1


@pytest.mark.parametrize("name", ["客户 👩‍💼.mp4", "a:b;c,d.mp4", "\u202ertl.mp4", "quote\"'.mp4", "line\nbreak.mp4"])
def test_odd_names_of_files_are_names(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"x")
    (entry,) = read_manifest(write(folder, {**GOOD, "file_1": name, "roles_1": "customer"}))
    assert entry.recording.files[0][0].name == name


def test_columns_that_nobody_knows_and_that_are_missing_are_told(folder: Path) -> None:
    heading = (*(name for name in COLUMNS if name != "purpose"), "ordr_no")
    row = {name: value for name, value in GOOD.items() if name != "purpose"}
    found = problems(write(folder, row, heading=heading))
    assert "line 1: ordr_no: no such column; do you mean order_no?" in found
    assert "line 1: purpose: this column is missing" in found


def test_an_order_number_means_one_order_and_a_recording_is_named_once(folder: Path) -> None:
    other = {**GOOD, "amount_fen": "200", "file_1": "agent.mp4", "roles_1": "CUSTOMER", "file_2": "", "offset_ms_2": ""}
    found = problems(write(folder, GOOD, other, GOOD))
    assert found == ["line 3: A-1: order_no means another order in line 2", "line 4: A-1: repeats line 2"]


@pytest.mark.parametrize("text", ["", "order_no\n", "\n\n", '"', "a,b\n1,2,3\n", "\0\0"])
def test_what_is_no_manifest_is_refused(folder: Path, text: str) -> None:
    path = folder / "list.csv"
    path.write_text(text)
    with pytest.raises(CliError):
        read_manifest(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(COLUMNS), st.text(max_size=30), max_size=6))
def test_whatever_stands_in_the_cells_it_is_read_or_refused(folder: Path, cells: dict[str, str]) -> None:
    path = folder / "list.csv"
    with path.open("w", newline="", encoding="utf-8", errors="surrogatepass") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerow({**GOOD, **cells})
    with suppress(Usage):
        assert len(read_manifest(path)) == 1


def test_the_template_is_a_manifest(tmp_path: Path) -> None:
    for name in ("000001/customer.mp4", "000001/agent.mp4", "000001/id.jpg", "000002.mp4", "000003.wav"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"x")
    (tmp_path / "list.csv").write_text(template(), encoding="utf-8")
    remote, counter, telephone = read_manifest(tmp_path / "list.csv")
    assert remote.recording.channel == Channel.CHANNEL_REMOTE
    assert counter.recording.files == ((tmp_path / "000002.mp4", (CUSTOMER, AGENT)),)
    assert [each.recording.audio for each in (remote, counter, telephone)] == [
        None,
        read_audio("mixed"),
        read_audio("channels=AGENT,CUSTOMER"),
    ]


def test_the_command_line_wins_over_the_choice_of_sound_in_a_line(folder: Path) -> None:
    path = write(folder, {**GOOD, "audio": "mixed"})
    assert read_manifest(path)[0].recording.audio == read_audio("mixed")
    assert read_manifest(path, audio=read_audio("stream=2"))[0].recording.audio == read_audio("stream=2")
    assert problems(path, audio=read_audio("channels=AGENT,CUSTOMER"))[0].startswith(
        "line 2: audio: AGENT has a channel"
    )


def test_a_folder_has_a_recording_in_each_sub_folder(folder: Path) -> None:
    order = {"order_no": "A-1", "amount": {"amount_fen": "100", "currency": "CNY"}, "channel": "COUNTER"}
    for name in ("one", "two"):
        (folder / name).mkdir()
        (folder / name / "order.json").write_text(json.dumps({**order, "order_no": name}))
        (folder / name / "session.MP4").write_bytes(name.encode())
    (folder / "two" / "id_photo.png").write_bytes(b"x")
    (folder / "other").mkdir()
    one, two = read_manifest(folder)
    assert (one.name, one.recording.id_photo, one.recording.files[0][1]) == ("one", None, (CUSTOMER, AGENT))
    assert (two.name, two.recording.id_photo) == ("two", folder / "two" / "id_photo.png")
    assert {each.recording.channel for each in read_manifest(folder, channel="REMOTE")} == {Channel.CHANNEL_REMOTE}
    telephone = read_audio("channels=AGENT,CUSTOMER")
    assert [each.recording.audio for each in read_manifest(folder, audio=telephone)] == [telephone, telephone]
    (folder / "two" / "session.MP4").rename(folder / "two" / "customer.MP4")
    assert problems(folder, audio=telephone)[0].startswith("two: AGENT has a channel but is not in customer.MP4")


def test_a_folder_without_recordings_is_refused(folder: Path) -> None:
    assert "no sub-folder with an order.json" in problems(folder)[0]
    (folder / "one").mkdir()
    (folder / "one" / "order.json").write_text("{}")
    assert problems(folder)[0].startswith("one: no recording is in it")
