"""TLS in front of a server that has none here: S3 at once, PostgreSQL when the client has asked for it."""

import asyncio
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from shuanglu_stack.ports import LOOPBACK

# https://www.postgresql.org/docs/current/protocol-message-formats.html, SSLRequest
SSL_REQUEST = struct.pack("!ii", 8, 80877103)


class Door:
    """Takes connections, makes them TLS, hands on what is in them."""

    def __init__(self, target: int, certificate: Path, key: Path, *, postgres: bool) -> None:
        """`target`: port of the server."""
        self.target, self.postgres = target, postgres
        self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.tls.load_cert_chain(certificate, key)
        self.encrypted = 0

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side ends it."""
        with suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
            if self.postgres:
                assert await reader.readexactly(8) == SSL_REQUEST, "plain text"
                writer.write(b"S")
            await writer.start_tls(self.tls)
            self.encrypted += 1
            inward, outward = await asyncio.open_connection(LOOPBACK, self.target)
            await asyncio.gather(pour(reader, outward), pour(inward, writer))
        writer.close()


async def pour(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """All of it."""
    with suppress(OSError):
        while block := await source.read(1 << 16):
            sink.write(block)
            await sink.drain()
    sink.close()


@contextmanager
def behind_tls(door: Door) -> Iterator[int]:
    """The port where the door stands open."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(door.take, LOOPBACK, 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
