"""The same with the customer at the end of a bad line: 200 ms there and back, 5 % lost each way, HTTPS included."""

from figures import Figure
from live.calls import callers, stack_for_calls
from live.joining import joins, spread
from live.sizes import Sizes
from shuanglu_caller.network import BadNetwork, Shape, may_shape

FAR_MOST_S = 3.0
LINE = Shape(delay_s=0.1, loss=0.05)


def measure(sizes: Sizes) -> list[Figure]:
    """Behind a TUN router; the clean line of the same length is what it is compared with."""
    if not may_shape():
        print("left out: network namespaces need root")
        return []
    with (
        BadNetwork(Shape(delay_s=LINE.delay_s)) as network,
        stack_for_calls(media_host=network.near) as (stack, client),
        callers(1) as near,
        network.workers() as far,
    ):
        network.open_tcp(stack.ports["gateway"])
        clean = joins(stack, client, max(2, sizes.joins // 5), near, far)
        network.shape(LINE)
        seconds = joins(stack, client, sizes.joins, near, far)
    base = spread("click to both pictures, 200 ms round trip", clean, FAR_MOST_S, f"{len(clean)} calls, nothing lost")
    ratio = sum(seconds) / len(seconds) / (sum(clean) / len(clean))
    against = f"{len(seconds)} calls, aiortc; {ratio:.2f} times the clean line"
    return base + spread("click to both pictures, 200 ms and 5 % lost", seconds, FAR_MOST_S, against)
