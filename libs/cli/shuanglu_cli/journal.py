"""What an import has done so far, so that the next run goes on where this one stopped.

A file of JSON lines that only grows; each line is written at once, a torn last line is left out. It saves uploads, it
decides nothing: without it everything is asked of the services again, and still nothing is imported twice.
"""

import fcntl
import json
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from shuanglu_cli.errors import Usage

VERSION = 1


@dataclass(slots=True)
class Done:
    """What is known of one recording."""

    session_id: str = ""
    import_id: str = ""
    uploads: dict[str, str] = field(default_factory=dict)  # tus URL by the file's place and SHA-256


class Journal:
    """The journal of one manifest. A context manager; used by several threads."""

    def __init__(self, path: Path | None, gateway: str) -> None:
        """`path`: None keeps nothing. Lines of another gateway are left alone and mean nothing."""
        self._path, self._gateway = path, gateway
        self._lock = threading.Lock()
        self._file: IO[str] | None = None
        self._done: dict[str, Done] = {}
        self._digests: dict[str, str] = {}
        self.batch_id = ""

    def __enter__(self) -> Self:
        """Raises Usage if another run has it, or if it cannot be written."""
        if self._path is not None:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._file = os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+")
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Usage(
                    "another import of this is running",
                    f"it has locked {self._path.name}",
                    "wait for it, or stop it; two at once would only upload everything twice",
                    "IMPORT_RUNNING",
                ) from None
            except OSError as error:
                raise Usage(
                    f"cannot write {self._path}",
                    error.strerror or "",
                    "give a place that can be written with --journal FILE",
                    "JOURNAL_UNWRITABLE",
                ) from None
            self._read(self._file)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def of(self, key: str) -> Done:
        """What is known of a recording; empty if nothing is."""
        with self._lock:
            known = self._done.get(key, Done())
            return Done(known.session_id, known.import_id, dict(known.uploads))

    def begin(self, batch_id: str) -> None:
        """The name that everything of this journal is imported under."""
        self._add({"batch_id": batch_id})

    def opened(self, key: str, session_id: str) -> None:
        """A session is there for it."""
        self._add({"key": key, "session_id": session_id})

    def uploading(self, key: str, name: str, url: str) -> None:
        """A file goes to this URL; empty: it went away."""
        self._add({"key": key, "file": name, "url": url})

    def accepted(self, key: str, session_id: str, import_id: str) -> None:
        """It is in the queue, or was imported before."""
        self._add({"key": key, "session_id": session_id, "import_id": import_id})

    def digest(self, file: Path, make: Any) -> str:
        """The file's SHA-256, made once for each size and time of change. Raises OSError."""
        stat = file.stat()
        name = f"{file.resolve()}\0{stat.st_size}\0{stat.st_mtime_ns}"
        with self._lock:
            known = self._digests.get(name)
        if known is None:
            known = str(make(file))
            self._add({"digest_of": name, "sha256": known})
        return known

    def _read(self, file: IO[str]) -> None:
        file.seek(0)
        for line in file.read().splitlines():
            try:
                fact = json.loads(line)
            except ValueError:
                continue
            if isinstance(fact, dict) and fact.get("v") == VERSION and fact.get("gateway") == self._gateway:
                self._learn(fact)
        # A torn line must not swallow the next one.
        file.write("\n" if file.tell() else "")

    def _add(self, fact: dict[str, str]) -> None:
        with self._lock:
            self._learn(fact)
            if self._file is not None:
                line = {"v": VERSION, "gateway": self._gateway, **fact}
                self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
                self._file.flush()

    def _learn(self, fact: dict[str, Any]) -> None:
        self.batch_id = str(fact.get("batch_id", self.batch_id))
        if "digest_of" in fact:
            self._digests[str(fact["digest_of"])] = str(fact["sha256"])
        if "key" not in fact:
            return
        done = self._done.setdefault(str(fact["key"]), Done())
        done.session_id = str(fact.get("session_id", done.session_id))
        done.import_id = str(fact.get("import_id", done.import_id))
        if "file" in fact:
            done.uploads[str(fact["file"])] = str(fact["url"])
