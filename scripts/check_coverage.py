"""Domain code must be covered by at least 90 % of its lines and branches: prints each service's figure, fails below."""

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LEAST_PERCENT = 90


def main() -> None:
    """Read .coverage, print, exit 1 if a domain falls short."""
    out = ROOT / "build" / "coverage.json"
    out.parent.mkdir(exist_ok=True)
    coverage = Path(sys.executable).parent / "coverage"
    subprocess.run([coverage, "json", "-q", "-o", out], cwd=ROOT, check=True)
    done: dict[str, int] = defaultdict(int)
    all_: dict[str, int] = defaultdict(int)
    for name, entry in json.loads(out.read_text())["files"].items():
        if "/domain/" in name:
            summary = entry["summary"]
            service = Path(name).parts[1]
            done[service] += summary["covered_lines"] + summary["covered_branches"]
            all_[service] += summary["num_statements"] + summary["num_branches"]
    short = 0
    for service in sorted(all_):
        percent = 100 * done[service] / all_[service]
        short += percent < LEAST_PERCENT
        print(f"domain of {service}: {percent:.1f} % covered")
    sys.exit(bool(short))


if __name__ == "__main__":
    main()
