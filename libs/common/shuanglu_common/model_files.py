"""Finds models by the manifest in the models folder, and verifies them before they are used."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from shuanglu_common.errors import InternalError

MANIFEST = "models.json"


class ModelUnusable(InternalError):
    """A model is missing, is not the one that the manifest names, or does not load: the worker is not ready."""

    reason = "MODEL_UNUSABLE"
    help = "Run `python scripts/models.py`, or mount the folder that SHUANGLU_MODELS_DIR names, and start again."


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A verified model. `path` is its first file, which holds the weights; the others lie beside it."""

    name: str
    path: Path
    sha256: str

    @property
    def version(self) -> str:
        """What observations name it by."""
        return self.sha256[:16]


def verified(models_dir: Path, name: str) -> ModelFiles:
    """All files of a model. Raises ModelUnusable if the manifest, the model or its right bytes are missing."""
    try:
        document = json.loads((models_dir / MANIFEST).read_text(encoding="utf-8"))
        files = next(model["files"] for model in document["models"] if model["name"] == name)
        wanted = [(models_dir / str(file["path"]), str(file["sha256"])) for file in files]
        weights, sha256 = wanted[0]
    except OSError as error:
        raise ModelUnusable(f"no manifest {MANIFEST} in the models folder", model=name) from error
    except (ValueError, KeyError, TypeError, IndexError, StopIteration) as error:
        raise ModelUnusable(f"the manifest {MANIFEST} does not name the files of {name}", model=name) from error
    for path, expected in wanted:
        verify(path, expected, name)
    return ModelFiles(name, weights, sha256)


def verify(path: Path, expected: str, name: str) -> None:
    """One file. Raises ModelUnusable."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelUnusable(f"the model {name} lacks {path.name}", model=name) from error
    if digest != expected:
        raise ModelUnusable(f"{path.name} of {name} has SHA-256 {digest[:16]}…, expected {expected[:16]}…", model=name)
