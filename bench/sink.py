"""A server that takes the body of an HTTP request into a file and says 204: the least that an upload can cost.

`python bench/sink.py PORT FILE`. The bytes are safe (fsync) before the answer, as they are behind the upload door.
"""

import asyncio
import os
import sys
from pathlib import Path

READ_BYTES = 1 << 20
ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"


async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, file: Path) -> None:
    """Requests of one connection, one after the other."""
    try:
        while head := (await reader.readuntil(b"\r\n\r\n")).lower():
            left = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            with file.open("wb") as out:
                while left:
                    data = await reader.read(min(left, READ_BYTES))
                    if not data:
                        return
                    out.write(data)
                    left -= len(data)
                out.flush()
                os.fsync(out.fileno())
            writer.write(ANSWER)
            await writer.drain()
    except asyncio.IncompleteReadError:
        pass
    finally:
        writer.close()


async def main() -> None:
    """Serve until the end."""
    port, file = int(sys.argv[1]), Path(sys.argv[2])
    server = await asyncio.start_server(
        lambda reader, writer: take(reader, writer, file), "127.0.0.1", port, limit=READ_BYTES
    )
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
