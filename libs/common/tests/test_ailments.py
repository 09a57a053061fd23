from pathlib import Path

from shuanglu_common.ailments import KINDS

OPERATIONS = Path(__file__).resolve().parents[3] / "docs" / "operations.md"


def test_the_operations_page_explains_every_ailment_as_the_doctor_does() -> None:
    page = OPERATIONS.read_text(encoding="utf-8")
    rows = [f"| `{code}` | {kind.severity} | {kind.meaning} | {kind.help} |" for code, kind in KINDS.items()]
    assert [row for row in rows if row not in page] == []
