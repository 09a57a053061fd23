"""Run benchmarks: all, or the one that is named."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
FILES = {"offline": "offline.py", "import": "import_.py", "live": "live_.py", "scale": "scale_.py"}


def main() -> None:
    """Exit code 1 if one breaks, 2 if there is none of that name. A missed target is printed, not an error."""
    wanted = tuple(sys.argv[1:]) or tuple(FILES)
    if unknown := set(wanted) - set(FILES):
        sys.stderr.write(f"no benchmark {', '.join(sorted(unknown))}; there is {', '.join(FILES)}\n")
        raise SystemExit(2)
    codes = [subprocess.run([sys.executable, HERE / FILES[name]], check=False).returncode for name in wanted]
    raise SystemExit(any(codes))


if __name__ == "__main__":
    main()
