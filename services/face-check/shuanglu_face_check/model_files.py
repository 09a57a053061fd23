"""Finds models by the manifest in the models folder, and verifies them before they are used."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from shuanglu_face_check.errors import ModelUnusable

MANIFEST = "models.json"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A verified file."""

    name: str
    path: Path
    sha256: str

    @property
    def version(self) -> str:
        """What observations name it by."""
        return self.sha256[:16]


def verified(models_dir: Path, name: str) -> ModelFile:
    """The one file of a model. Raises ModelUnusable if the manifest, the model or its right bytes are missing."""
    try:
        document = json.loads((models_dir / MANIFEST).read_text(encoding="utf-8"))
        (entry,) = next(model["files"] for model in document["models"] if model["name"] == name)
        path, expected = models_dir / entry["path"], str(entry["sha256"])
    except OSError as error:
        raise ModelUnusable(f"no manifest {MANIFEST} in the models folder.", model=name) from error
    except (ValueError, KeyError, TypeError, StopIteration) as error:
        raise ModelUnusable(f"the manifest {MANIFEST} does not name one file for {name}.", model=name) from error
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelUnusable(f"the model {name} is missing.", model=name) from error
    if digest != expected:
        raise ModelUnusable(
            f"the model {name} has SHA-256 {digest[:16]}…, expected {expected[:16]}… instead.", model=name
        )
    return ModelFile(name, path, digest)
