"""`python -m scripts.dashboards` writes dashboards, rules and their tests; `--check` fails if one differs."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from scripts.dashboards import budget, bus, calls, findings, inference, overview
from scripts.dashboards.grafana import as_json
from scripts.dashboards.rules import RULE_FILES, TEST_FILES

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "charts" / "shuanglu" / "files"
TESTS = ROOT / "deploy" / "helm" / "rules-tests"
PAGES = (overview.PAGE, calls.PAGE, inference.PAGE, bus.PAGE, findings.PAGE, budget.PAGE)
MADE = "# Made by `make dashboards` from scripts/dashboards; do not edit.\n"


def as_yaml(document: dict[str, Any]) -> str:
    """Long expressions stay on one line."""
    return MADE + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=10_000)


def contents() -> Iterator[tuple[Path, str]]:
    """Every file that is made."""
    for page in PAGES:
        yield FILES / "dashboards" / f"{page.uid.removeprefix('shuanglu-')}.json", as_json(page)
    for folder, files in ((FILES / "rules", RULE_FILES), (TESTS, TEST_FILES)):
        for name, document in files.items():
            yield folder / name, as_yaml(document)


def main() -> int:
    """Exit code 1: a file differs from what would be written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail if a file differs")
    only_check = parser.parse_args().check
    differ = [
        (path, text) for path, text in contents() if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    for path, text in differ:
        if not only_check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        print(("differs: " if only_check else "wrote ") + str(path.relative_to(ROOT)))
    if only_check and differ:
        print("do: make dashboards")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
