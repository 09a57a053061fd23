"""Models in a cell: kept loaded, loaded again when their files are put right, and what is told when they fail.

ModelsAway              the models cannot be loaded now: the event is had again later
InferenceFailed         this piece of work ended its child twice: it is reported as failed, and becomes UNSURE
├── InferenceCrashed
├── InferenceTimeout
└── InferenceOutOfMemory
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from prometheus_client import Counter

from shuanglu_common.cell.cell import Cell, checked
from shuanglu_common.cell.errors import Attempts, CellFailed, CellMemory, CellTimeout
from shuanglu_common.cell.process import CellSpec
from shuanglu_common.errors import DependencyError, InternalError
from shuanglu_common.gate import Gate
from shuanglu_common.model_files import ModelUnusable

log = structlog.get_logger()
T = TypeVar("T")


class ModelsAway(DependencyError):
    """The models were lost with their child, and their files are missing or not the right ones any more."""

    reason = "MODELS_AWAY"
    help = "Look at the worker's log, put the model files right; the worker finds them by itself."


class InferenceFailed(InternalError):
    """Base: a piece of work that no child survived."""

    reason = "INFERENCE_FAILED"


class InferenceCrashed(InferenceFailed):
    """The child died over it."""

    reason = "INFERENCE_CRASHED"


class InferenceTimeout(InferenceFailed):
    """It took longer than it may."""

    reason = "INFERENCE_TIMEOUT"


class InferenceOutOfMemory(InferenceFailed):
    """It needed more memory than the child may have."""

    reason = "INFERENCE_OUT_OF_MEMORY"


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model as observations name it."""

    name: str
    version: str


class ModelCell:
    """A child that holds models.

    `open_cell` of its module gives the models that it loaded, in an order that the service knows, as name and version.
    """

    def __init__(self, spec: CellSpec, failures: Counter, retry_s: float) -> None:
        """`failures` is told each reason for which the models cannot be used; they are looked for every `retry_s`."""
        self.cell = Cell(spec)
        self.gate = Gate()
        self.models: tuple[LoadedModel, ...] = ()
        self._failures, self._retry_s = failures, retry_s
        self._trouble = ""

    async def ready(self) -> bool:
        """For /readyz: whether the models can be used."""
        return self.gate.is_open

    async def keep(self, stopping: asyncio.Event) -> None:
        """Load the models, and again whenever their child has ended. Without them the gate is closed."""
        while not stopping.is_set():
            with suppress(ModelsAway):
                await self.load()
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), self._retry_s)

    async def call(self, function: str, *parameters: Any, returns: Any = None) -> Any:
        """One call. Raises ModelsAway, InferenceFailed, and the typed errors of the function."""
        return await self.work(lambda _: self.cell.call(function, *parameters, returns=returns))

    async def work(self, work: Callable[[int], Awaitable[T]]) -> T:
        """Several calls into the child of one epoch; begun anew if that child ends. Raises like `call`."""
        attempts = Attempts()
        while True:
            epoch = await self.load()
            try:
                return await work(epoch)
            except CellFailed as error:
                if not attempts.again(error):
                    raise inference_failed(error) from error

    async def close(self) -> None:
        """End the child."""
        await self.cell.close()

    async def load(self) -> int:
        """The epoch of a child with its models. Raises ModelsAway."""
        try:
            self.models = checked(tuple[LoadedModel, ...], await self.cell.open())
        except (ModelUnusable, CellFailed) as error:
            self.gate.close()
            self._failures.labels(error.reason).inc()
            if self._trouble != str(error):
                self._trouble = str(error)
                log.error("models.unusable", reason=error.reason, help=error.diagnostics())
            raise ModelsAway(f"the models cannot be loaded: {error.reason}") from error
        if not self.gate.is_open:
            log.info("models.loaded", models=[f"{model.name} {model.version}" for model in self.models])
        self._trouble = ""
        self.gate.open()
        return self.cell.epoch


def inference_failed(error: CellFailed) -> InferenceFailed:
    """What an observation is told of."""
    if isinstance(error, CellTimeout):
        return InferenceTimeout(str(error))
    return InferenceOutOfMemory(str(error)) if isinstance(error, CellMemory) else InferenceCrashed(str(error))
