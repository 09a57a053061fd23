"""Many sessions at once: what the bus, the doors and watching them cost; docs/capacity.md is reckoned from it.

`BENCH_PARTS=traffic,clients` measures parts only; see scale/sizes.py.
"""

from parts import run_parts
from scale.sizes import Sizes

if __name__ == "__main__":
    run_parts("scale", Sizes())
