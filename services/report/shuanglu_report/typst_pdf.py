"""Renders the page as PDF/A-2b with typst: about 0.3 s with the fonts read anew."""

import json
import tempfile
from collections.abc import Mapping
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import typst

from shuanglu.common.v1.types_pb2 import Outcome
from shuanglu_report.errors import FontMissing, RenderingFailed
from shuanglu_report.glyphs import REGULAR, Glyphs
from shuanglu_report.page.svg import sign_picture

FAMILY = "Noto Sans CJK SC"
_SIGNS = {"passed": Outcome.OUTCOME_PASS, "failed": Outcome.OUTCOME_FAIL, "unsure": Outcome.OUTCOME_UNSURE}


class TypstRenderer:
    """Makes the PDF from the page's values."""

    def __init__(self, font_dir: Path) -> None:
        """`font_dir` holds NotoSansCJK-Regular.ttc and -Bold.ttc (Debian: fonts-noto-cjk). Raises FontMissing."""
        try:
            self._glyphs = Glyphs.of(font_dir / REGULAR)
        except (OSError, ValueError) as error:
            raise FontMissing(f"{REGULAR} cannot be read in the folder of fonts") from error
        self._fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(font_dir)])
        if FAMILY not in self._fonts.families():
            raise FontMissing(f"the folder of fonts has no {FAMILY}")

    def render(
        self, values: Mapping[str, Any], timeline_svg: str, stills: Mapping[str, bytes], made_at_us: int
    ) -> bytes:
        """The PDF; the same arguments give the same bytes. Raises RenderingFailed.

        `stills` maps the file names that the values use to JPEGs.
        """
        with tempfile.TemporaryDirectory(prefix="shuanglu-report-") as folder:
            root = Path(folder)
            (root / "data.json").write_text(json.dumps(self._printable(dict(values)), ensure_ascii=False))
            (root / "timeline.svg").write_text(self._glyphs.printable(timeline_svg))
            for name, outcome in _SIGNS.items():
                (root / f"sign-{name}.svg").write_text(sign_picture(outcome))
            for name, jpeg in stills.items():
                (root / name).write_bytes(jpeg)
            with as_file(files("shuanglu_report") / "template" / "report.typ") as template:
                (root / "report.typ").write_bytes(template.read_bytes())
            return self._compile(root, made_at_us)

    def _compile(self, root: Path, made_at_us: int) -> bytes:
        try:
            compiler = typst.Compiler(root=str(root), font_paths=self._fonts, ignore_system_fonts=True)
            pdf = compiler.compile(
                input=str(root / "report.typ"),
                format="pdf",
                pdf_standards=["a-2b"],
                timestamp=made_at_us // 1_000_000,
            )
        except typst.TypstError as error:
            # The diagnostic may quote the transcript: only its kind leaves this place.
            raise RenderingFailed("typst could not set the page", kind=type(error).__name__) from error
        if not isinstance(pdf, bytes):
            raise RenderingFailed("typst gave no PDF")
        return pdf

    def _printable(self, value: Any) -> Any:
        """The values with every string made of characters that the font has."""
        if isinstance(value, str):
            return self._glyphs.printable(value)
        if isinstance(value, dict):
            return {key: self._printable(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._printable(item) for item in value]
        return value
