"""What is counted of cells. `cell` is a name from the code, such as `reader`."""

from prometheus_client import Counter, Gauge

CELLS_STARTED = Counter("shuanglu_cell_started_total", "Child processes that were started.", ["cell"])
CELLS_ENDED = Counter(
    "shuanglu_cell_ended_total",
    "Child processes that ended: closed, crashed, killed, timeout, memory.",
    ["cell", "cause"],
)
CELLS_ALIVE = Gauge("shuanglu_cell_alive_processes", "Child processes that run now.", ["cell"])
