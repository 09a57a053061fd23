from pathlib import Path
from zoneinfo import ZoneInfo

import pypdfium2
import pytest
from report_examples import failed, report, still_jpeg

from shuanglu.common.v1.types_pb2 import Outcome
from shuanglu.media.v1.track_pb2 import Gap, GapCause
from shuanglu.report.v1.report_pb2 import Report
from shuanglu_report.errors import FontMissing, RenderingFailed
from shuanglu_report.glyphs import Glyphs
from shuanglu_report.page.timeline import timeline_picture
from shuanglu_report.page.values import StillPicture, page_values
from shuanglu_report.typst_pdf import TypstRenderer


@pytest.fixture(scope="module")
def renderer(font_dir: Path) -> TypstRenderer:
    return TypstRenderer(font_dir)


def rendered(renderer: TypstRenderer, made: Report) -> bytes:
    stills = [StillPicture("f-absent", "customer-video", 41_900, "still-01.jpg")]
    values = page_values(made, stills, ZoneInfo("Asia/Shanghai"))
    return renderer.render(values, timeline_picture(made.result), {"still-01.jpg": still_jpeg("1")}, made.created_at_us)


def text_of(pdf: bytes) -> list[str]:
    document = pypdfium2.PdfDocument(pdf)
    try:
        return [page.get_textpage().get_text_range() for page in document]
    finally:
        document.close()


def test_the_pages_can_be_read_in_chinese_and_english(renderer: TypstRenderer) -> None:
    pages = text_of(rendered(renderer, report()))
    assert "双录质检报告" in pages[0]
    assert "不合格 FAIL" in pages[0]
    assert "客户在 00:42.4 至 00:47.8 之间不在画面内。" in pages[0]
    assert "The customer was not in the picture" in pages[0]
    everything = "\n".join(pages)
    assert "贷款年利率" in everything
    assert report().proof.recording_sha256 in everything.replace("\r\n", "")
    assert "王小明" not in everything
    assert f"1 / {len(pages)}" in pages[0]


def test_the_verdict_and_what_failed_stand_on_the_first_page(renderer: TypstRenderer) -> None:
    first = text_of(rendered(renderer, report()))[0]
    order = [first.index(words) for words in ("FAIL", "What failed", "Unsure ·", "What passed")]
    assert order == sorted(order)


def test_it_is_pdf_a_2b_and_the_same_report_gives_the_same_bytes(renderer: TypstRenderer) -> None:
    pdf = rendered(renderer, report())
    assert b"<pdfaid:part>2</pdfaid:part>" in pdf
    assert b"<pdfaid:conformance>B</pdfaid:conformance>" in pdf
    assert rendered(renderer, report()) == pdf


def test_a_calls_report_says_that_it_was_recorded_live_and_where_it_has_gaps(renderer: TypstRenderer) -> None:
    made = report()
    for track in (*made.result.tracks, *(proof.track for proof in made.proof.tracks)):
        track.ClearField("original")
    made.result.gaps.append(
        Gap(track_id="customer-video", start_ms=5000, end_ms=9000, cause=GapCause.GAP_CAUSE_RECORDER)
    )
    text = "".join(text_of(rendered(renderer, made)))
    assert "通话实时录制" in text
    assert "Original SHA-256" not in text
    assert "录制服务中断" in text
    assert "00:05.0–00:09.0" in text
    assert "Original SHA-256" in "".join(text_of(rendered(renderer, report())))


def test_a_passed_report_has_no_failure_section(renderer: TypstRenderer) -> None:
    good = report()
    good.verdict = Outcome.OUTCOME_PASS
    del good.result.findings[:2]
    text = "\n".join(text_of(rendered(renderer, good)))
    assert "合格 PASS" in text
    assert "What failed" not in text


def test_a_report_about_nothing_can_be_printed(renderer: TypstRenderer) -> None:
    text = "\n".join(text_of(rendered(renderer, Report(report_id="r", session_id="s"))))
    assert "存疑 UNSURE" in text
    assert "No speech was recognised." in text


def test_characters_that_no_font_has_do_not_stop_the_report(renderer: TypstRenderer) -> None:
    odd = report()
    odd.result.utterances[0].text = "您好\U0001f600\x00\u202e\ue000𠮷\n#panic() $x$ \\ [*_"
    odd.result.nodes[0].title_zh = "同意\U0001f600<b>&"
    text = "\n".join(text_of(rendered(renderer, odd)))
    assert "您好〓" in text
    assert "𠮷" in text
    assert "#panic() $x$" in text


INJECTED = (
    '#panic("x") #read("/etc/passwd") = 标题 *粗* $x^2$ `raw` <label> @ref '
    '\\ [#sys] {eval} <script> ]]> %s #include "a"'
)


def test_markup_in_what_people_say_and_write_is_printed_as_it_is(renderer: TypstRenderer) -> None:
    """Names, transcripts and strategies reach typst as values of a JSON file, never as source (it has no `eval`)."""
    made = report()
    made.order.order_no = INJECTED
    made.order.customer.name = INJECTED
    for finding in made.result.findings[:3]:
        finding.message_zh = finding.message_en = INJECTED
    for utterance in made.result.utterances:
        utterance.text = INJECTED
    everything = "".join("".join(text_of(rendered(renderer, made))).split())
    assert everything.count('#panic("x")#read("/etc/passwd")=标题*粗*$x^2$`raw`<label>@ref') >= 4
    assert "root:" not in everything


def test_marks_that_turn_text_around_are_left_out(font_dir: Path) -> None:
    glyphs = Glyphs.of(font_dir / "NotoSansCJK-Regular.ttc")
    assert glyphs.printable("张\u202e三\u2066\u200f合格") == "张三合格"


def test_many_long_findings_break_over_pages(renderer: TypstRenderer) -> None:
    long = report()
    for number in range(30):
        finding = failed()
        finding.finding_id = f"f-{number}"
        finding.message_zh = "客户不在画面内" * 30
        finding.message_en = f"Finding-{number:02d}."
        long.result.findings.append(finding)
    pages = text_of(rendered(renderer, long))
    assert len(pages) > 6
    assert all(any(f"Finding-{number:02d}." in page for page in pages) for number in range(30))


def test_a_still_that_is_no_picture_is_an_error_of_ours(renderer: TypstRenderer) -> None:
    values = page_values(
        report(), [StillPicture("f-absent", "customer-video", 1, "still-01.jpg")], ZoneInfo("Asia/Shanghai")
    )
    with pytest.raises(RenderingFailed):
        renderer.render(values, timeline_picture(report().result), {"still-01.jpg": b"no picture"}, 0)


def test_a_folder_without_the_font_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(FontMissing) as raised:
        TypstRenderer(tmp_path)
    assert "fonts-noto-cjk" in raised.value.diagnostics()


def test_a_file_that_is_no_font_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "NotoSansCJK-Regular.ttc"
    path.write_bytes(b"not a font")
    with pytest.raises(ValueError, match="font"):
        Glyphs.of(path)
    with pytest.raises(FontMissing):
        TypstRenderer(tmp_path)


def test_glyphs_know_the_font(font_dir: Path) -> None:
    glyphs = Glyphs.of(font_dir / "NotoSansCJK-Regular.ttc")
    assert all(glyphs.can_print(character) for character in "双录 A9“”·…，。𠮷")
    assert not glyphs.can_print("\U0001f600")
    assert glyphs.printable("a\tb\x07c\U0001f600") == "a bc〓"
