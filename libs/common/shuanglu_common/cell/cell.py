"""What a service holds: `Cell` keeps one child and replaces it, `Cells` gives a fresh child for each piece of work."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import lru_cache
from typing import Any

import structlog
from pydantic import TypeAdapter, ValidationError

from shuanglu_common.cell.errors import CellCrashed, CellFailed, CellLost
from shuanglu_common.cell.process import CellProcess, CellSpec
from shuanglu_common.errors import ShuangluError

log = structlog.get_logger()


class Cell:
    """A child that holds what is dear to load. Calls wait for each other; one that failed has ended its child.

    `epoch` counts the children: who keeps something in the child names the epoch it was made in.
    """

    def __init__(self, spec: CellSpec) -> None:
        """Starts nothing yet."""
        self.spec = spec
        self.epoch = 0
        self._process: CellProcess | None = None
        self._turn = asyncio.Lock()

    @property
    def alive(self) -> bool:
        """True while there is a loaded child."""
        return self._process is not None and not self._process.ended

    @property
    def pid(self) -> int | None:
        """The child's process id, if there is one."""
        return self._process.pid if self._process and not self._process.ended else None

    async def open(self) -> Any:
        """Make sure that there is a child; what it says of itself. Raises CellFailed, typed errors of its loading."""
        async with self._turn:
            return (await self._child()).opened

    async def call(self, function: str, *parameters: Any, returns: Any = None, epoch: int | None = None) -> Any:
        """Call a function; its value has the type `returns`.

        Raises CellFailed, CellLost if the child is not the one of `epoch`, and the typed errors of the function.
        """
        async with self._turn:
            if epoch is not None and (epoch != self.epoch or not self.alive):
                raise CellLost
            child = await self._child()
            try:
                value = await child.call(function, *parameters)
                return value if returns is None else checked(returns, value)
            except CellFailed as error:
                await child.end()
                log.warning("cell.ended", cell=self.spec.name, function=function, reason=error.reason, error=str(error))
                raise
            finally:
                if not child.ended:
                    child.watch()

    async def close(self) -> None:
        """End the child; a call in hand fails."""
        if self._process is not None:
            await self._process.end()

    async def _child(self) -> CellProcess:
        if self._process is None or self._process.ended:
            self.epoch += 1
            process = CellProcess(self.spec)
            await process.open()
            process.watch()
            self._process = process
        return self._process


class Cells:
    """A child for each piece of work, none used twice. One waits loaded, so that nobody waits for a start."""

    def __init__(self, spec: CellSpec) -> None:
        """Starts nothing yet."""
        self.spec = spec
        self._spare: asyncio.Task[CellProcess] | None = None

    def prepare(self) -> None:
        """Have a spare child."""
        if self._spare is None:
            self._spare = asyncio.get_running_loop().create_task(_opened(self.spec))

    @asynccontextmanager
    async def fresh(self) -> AsyncIterator[CellProcess]:
        """A child, ended at the end. Raises CellFailed, also for the work inside; then it is logged."""
        child = await self._taken()
        self.prepare()
        try:
            yield child
        except CellFailed as error:
            log.warning("cell.ended", cell=self.spec.name, reason=error.reason, error=str(error))
            raise
        finally:
            await child.end()

    async def close(self) -> None:
        """End the spare child."""
        spare, self._spare = self._spare, None
        if spare is not None:
            with suppress(ShuangluError, asyncio.CancelledError):
                await (await spare).end()

    async def _taken(self) -> CellProcess:
        spare, self._spare = self._spare, None
        if spare is not None:
            with suppress(CellFailed):
                child = await spare
                if child.lives():
                    return child
                await child.end()
        return await _opened(self.spec)


def checked(wanted: Any, value: Any) -> Any:
    """A value from a child as the type that it should have. Raises CellCrashed if it is something else."""
    try:
        return _adapter(wanted).validate_python(value)
    except ValidationError as error:
        raise CellCrashed(f"its answer is no {getattr(wanted, '__name__', wanted)}") from error


@lru_cache(maxsize=64)
def _adapter(wanted: Any) -> TypeAdapter[Any]:
    return TypeAdapter(wanted)


async def _opened(spec: CellSpec) -> CellProcess:
    process = CellProcess(spec)
    await process.open()
    process.watch()
    return process
