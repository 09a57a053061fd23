"""Rules of the house that no linter knows: file length, machine paths, registry hosts, generated access table."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 600
# Split, so that this file does not trip over itself.
FORBIDDEN = [
    re.compile("files[.]pythonhosted|pypi[.]org/" + "simple|registry[.]npmjs|deb[.]debian[.]org"),
    re.compile("/(?:wo" + "rk/main|ho" + "me/[a-z]|ro" + "ot/)"),
]
TEXT = {".py", ".ts", ".proto", ".md", ".yaml", ".yml", ".toml", ".sh", ".txt", ".json", ".typ", ".j2", ""}


def tracked() -> list[Path]:
    """Files that git knows or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def problems_of(path: Path) -> list[str]:
    """What is wrong with one file."""
    if path.suffix not in TEXT or path.name == "LICENSE":
        return []
    name = path.relative_to(ROOT)
    lines = path.read_text(errors="replace").splitlines()
    found = (
        [f"{name}: {len(lines)} lines, at most {MAX_LINES}"] if path.suffix == ".py" and len(lines) > MAX_LINES else []
    )
    for number, line in enumerate(lines, 1):
        found += [f"{name}:{number}: {rule.pattern}" for rule in FORBIDDEN if rule.search(line)]
    return found


def main() -> None:
    """Print every problem; exit code 1 if there is one."""
    problems = [problem for path in tracked() for problem in problems_of(path)]
    for problem in problems:
        print(problem)
    print(f"house: {len(problems)} problems")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
