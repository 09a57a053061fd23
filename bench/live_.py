"""Calls: what a session costs, how soon people see each other, how soon it is stored, and whether sound keeps up.

`BENCH_PARTS=bitrate,capacity` measures parts only; see live/sizes.py.
"""

from live.sizes import Sizes
from parts import run_parts

if __name__ == "__main__":
    run_parts("live", Sizes())
