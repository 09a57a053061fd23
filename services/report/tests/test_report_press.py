import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_examples import report
from report_media import encode, grey

from shuanglu_report.errors import PressStuck, RenderingFailed
from shuanglu_report.frames import pack, unpack
from shuanglu_report.page.choice import wanted_stills
from shuanglu_report.press import done
from shuanglu_report.press_folder import clear_leftovers, press_folder
from shuanglu_report.press_job import PressSettings, job
from shuanglu_report.press_process import ProcessPress

WANTED = len(wanted_stills(report().result))
# A press that dies, or sleeps, whenever it is given a clip, as over a recording that kills its decoder.
DIES = "import os, sys; from shuanglu_report.frames import unpack; from shuanglu_report.press import done; "
WITH_CLIPS = "data = sys.stdin.buffer.read(); clips = len(unpack(data)) > 2; "
ANSWERS = "; sys.stdout.buffer.write(done(data))"


@pytest.fixture
def settings(font_dir: Path) -> PressSettings:
    return PressSettings(str(font_dir), "Asia/Shanghai", 10)


@pytest.fixture(scope="module")
def clips() -> list[bytes]:
    cut = encode(2, grey)
    return [cut.init + cut.fragments[0]] * WANTED


@given(st.lists(st.binary()))
def test_parts_come_out_of_the_pipe_as_they_went_in(parts: list[bytes]) -> None:
    assert unpack(pack(parts)) == parts


@given(st.lists(st.binary(), min_size=1), st.integers(1, 50))
def test_a_pipe_that_breaks_is_noticed(parts: list[bytes], lost: int) -> None:
    with pytest.raises(ValueError, match="parts"):
        unpack(pack(parts)[:-lost])
    with pytest.raises(ValueError, match="parts"):
        unpack(pack(parts) + b"x")


async def test_a_process_of_its_own_prints_the_same_as_the_press_itself(
    settings: PressSettings, clips: list[bytes]
) -> None:
    printed = await ProcessPress(settings, 60).print_report(report(), clips)
    assert printed.pdf.startswith(b"%PDF")
    assert all(jpeg.startswith(b"\xff\xd8") for jpeg in printed.stills)
    assert unpack(done(job(settings, report(), clips))) == [b"", printed.pdf, *printed.stills]


def test_equal_clips_travel_once(settings: PressSettings, clips: list[bytes]) -> None:
    assert len(job(settings, report(), clips)) < len(job(settings, report(), [])) + 2 * len(clips[0])


@pytest.mark.parametrize("fate", ["os._exit(139) if clips else None", "os.kill(os.getpid(), 11) if clips else None"])
async def test_a_recording_that_kills_the_press_costs_its_stills_not_the_report(
    settings: PressSettings, clips: list[bytes], fate: str
) -> None:
    command = (sys.executable, "-c", DIES + WITH_CLIPS + fate + ANSWERS)
    printed = await ProcessPress(settings, 60, command).print_report(report(), clips)
    assert printed.pdf.startswith(b"%PDF")
    assert printed.stills == [b""] * WANTED


async def test_a_press_that_was_killed_once_costs_no_still(
    settings: PressSettings, clips: list[bytes], tmp_path: Path
) -> None:
    first = f"p = {str(tmp_path / 'killed')!r}; known = os.path.exists(p); open(p, 'w').close(); "
    command = (sys.executable, "-c", DIES + WITH_CLIPS + first + "known or os.kill(os.getpid(), 9)" + ANSWERS)
    printed = await ProcessPress(settings, 60, command).print_report(report(), clips)
    assert all(jpeg.startswith(b"\xff\xd8") for jpeg in printed.stills)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


async def test_a_press_that_is_killed_over_its_page_leaves_nothing_behind(
    settings: PressSettings, temporary: Path
) -> None:
    killed = "import os, sys, typst; typst.Compiler = lambda root, **_: os.listdir(root) and os.kill(os.getpid(), 9); "
    command = (sys.executable, "-c", killed + "from shuanglu_report.press import main; main()")
    with pytest.raises(PressStuck, match="-9"):
        await ProcessPress(settings, 60, command).print_report(report(), [])
    assert not list(temporary.iterdir())


async def test_without_a_place_to_work_the_report_is_tried_again_later(
    settings: PressSettings, temporary: Path
) -> None:
    temporary.rmdir()
    with pytest.raises(PressStuck):
        await ProcessPress(settings, 60).print_report(report(), [])


def test_what_a_killed_service_left_is_cleared_and_nothing_else(temporary: Path) -> None:
    (temporary / "shuanglu-press-left" / "shuanglu-report-1").mkdir(parents=True)
    (temporary / "shuanglu-press-left" / "shuanglu-report-1" / "data.json").write_text("{}")
    kept = temporary / "kept"
    kept.mkdir()
    (temporary / "shuanglu-press-link").symlink_to(kept)
    with press_folder() as in_use:
        (in_use / "data.json").write_text("{}")
        assert clear_leftovers() == 1
        assert (in_use / "data.json").exists()
    assert {path.name for path in temporary.iterdir()} == {"kept", "shuanglu-press-link"}


async def test_a_press_that_never_answers_is_given_up_and_tried_again_later(settings: PressSettings) -> None:
    command = (sys.executable, "-c", "import time; time.sleep(60)")
    with pytest.raises(PressStuck) as raised:
        await ProcessPress(settings, 0.2, command).print_report(report(), [])
    assert raised.value.retryable


async def test_a_press_that_babbles_is_not_believed(settings: PressSettings) -> None:
    command = (sys.executable, "-c", "print('hello')")
    with pytest.raises(PressStuck):
        await ProcessPress(settings, 60, command).print_report(report(), [])


async def test_a_press_without_its_font_fails_for_good(tmp_path: Path) -> None:
    with pytest.raises(RenderingFailed) as raised:
        await ProcessPress(PressSettings(str(tmp_path), "Asia/Shanghai", 10), 60).print_report(report(), [])
    assert not raised.value.retryable
    assert raised.value.details == {"cause": "FONT_MISSING"}


async def test_a_fault_in_the_press_tells_its_kind_and_no_values(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    secret = PressSettings(str(tmp_path), "王小明/No_Such_Zone", 10)
    with pytest.raises(PressStuck):
        await ProcessPress(secret, 60).print_report(report(), [])
    told = capfd.readouterr().err
    assert "press: ZoneInfoNotFoundError" in told
    assert "王小明" not in told
