"""The ports of the media plane where no media server is set up: calls are refused, sessions and orders are served."""

from collections.abc import Sequence

from shuanglu_signaling.domain.call_ports import IceServer
from shuanglu_signaling.errors import RecorderUnavailable


class NoMediaPlane:
    """The port `MediaPlane` without a node."""

    def place(self) -> str:
        """There is none."""
        raise RecorderUnavailable("未配置媒体节点。No media node is set up.")

    async def open_room(self, node: str, tenant: str, session_id: str) -> None:  # noqa: ARG002 - the port's
        """There is none."""
        raise RecorderUnavailable("未配置媒体节点。No media node is set up.", node=node)

    async def close_room(self, node: str, tenant: str, session_id: str) -> None:
        """Nothing to close."""

    async def drop(
        self, node: str, tenant: str, session_id: str, participant_id: str, older_than: int | None = None
    ) -> None:
        """Nothing to drop."""


class NoIceServers:
    """The port `IceServers` without a server: peers reach each other directly or not at all."""

    def servers(self, name: str) -> Sequence[IceServer]:  # noqa: ARG002 - the port's
        """None."""
        return ()
