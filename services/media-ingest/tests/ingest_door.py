"""The upload door alone, as a process: `python ingest_door.py SPOOL PORT`. For tests that kill it."""

import sys
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from shuanglu_common.access import Role
from shuanglu_common.auth import CURRENT, Principal
from shuanglu_common.clock import SystemClock
from shuanglu_media_ingest.uploads.door import Limits, UploadDoor
from shuanglu_media_ingest.uploads.hashing import Hasher
from shuanglu_media_ingest.uploads.spool import Spool

LIMITS = Limits(max_upload_bytes=1 << 30, max_uploads=20, expiry_s=3600)


class Trusting:
    """Believes who the caller says to be: `Authorization: tenant subject role`. Tokens are tested in libs/common."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        said = dict(scope["headers"]).get(b"authorization", b"bank-a app bank_app").decode()
        tenant, subject, role = said.split()
        CURRENT.set(Principal(tenant, subject, frozenset({Role(role)})))
        await self.app(scope, receive, send)


def door(folder: Path) -> ASGIApp:
    spool = Spool(folder)
    return Trusting(UploadDoor(spool, LIMITS, SystemClock(), Hasher(spool)).app())


def main() -> None:
    uvicorn.run(door(Path(sys.argv[1])), host="127.0.0.1", port=int(sys.argv[2]), log_level="error")


if __name__ == "__main__":
    main()
