"""On which media node a new call goes. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from shuanglu_signaling.errors import MediaNodesDraining, RecorderUnavailable


@dataclass(frozen=True, slots=True)
class Standing:
    """What a node's recorder tells of the node. `refused`: it has just refused a session, or could not be reached."""

    draining: bool = False
    zone: str = ""
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """A media node as placement sees it. `load`: calls that it has; `well`: the media server is connected."""

    name: str
    load: int
    well: bool = True
    standing: Standing = Standing()


def choose(candidates: Iterable[Candidate], zone: str = "") -> str:
    """Name of the node: not one that has just refused if there is another; then our own zone first; then few calls.

    Never one that is draining. Raises MediaNodesDraining if all that are well are, RecorderUnavailable if none is well.
    """
    well = [each for each in candidates if each.well]
    if not well:
        raise RecorderUnavailable("没有可用的媒体节点。No media node is well.")
    staying = [each for each in well if not each.standing.draining]
    if not staying:
        raise MediaNodesDraining

    def order(each: Candidate) -> tuple[bool, bool, int, str]:
        elsewhere = bool(zone) and each.standing.zone != zone
        return each.standing.refused, elsewhere, each.load, each.name

    return min(staying, key=order).name
