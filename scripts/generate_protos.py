"""Generate Python code and the gateway's descriptor from protos/.

Writes libs/protos/shuanglu/ (not committed), build/descriptors/shuanglu.pb and build/googleapis/ (what buf needs to
resolve imports). Does nothing if no proto has changed since the last run.
"""

import hashlib
import os
import shutil
import sys
from pathlib import Path

import grpc_tools
from google.api import annotations_pb2
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
OUT = ROOT / "libs" / "protos"
DESCRIPTOR = ROOT / "build" / "descriptors" / "shuanglu.pb"
GOOGLEAPIS = ROOT / "build" / "googleapis"
STAMP = OUT / "shuanglu" / ".stamp"
# Error details must be in the descriptor, or Envoy answers an error that has them with an empty 400.
GOOGLE = (
    "google/api/annotations.proto",
    "google/api/http.proto",
    "google/api/httpbody.proto",
    "google/rpc/error_details.proto",
    "google/rpc/status.proto",
)


def digest(files: list[Path]) -> str:
    """Hash of what the output depends on."""
    total = hashlib.sha256(Path(__file__).read_bytes())
    for path in files:
        total.update(path.relative_to(PROTOS).as_posix().encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def site_packages() -> Path:
    """Folder that holds google/api/*.proto of googleapis-common-protos."""
    return Path(annotations_pb2.__file__).parent.parent.parent


def run(*arguments: str) -> None:
    """Run protoc or stop with its exit code."""
    builtin = Path(grpc_tools.__file__).parent / "_proto"
    includes = [f"-I{PROTOS}", f"-I{site_packages()}", f"-I{builtin}"]
    # The plugins lie beside this Python, which need not be the one on the PATH.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    if code := protoc.main(["protoc", *includes, *arguments]):
        sys.exit(code)


def make_packages() -> None:
    """Every folder below shuanglu/ is a typed package of its own."""
    for folder in {path.parent for path in (OUT / "shuanglu").rglob("*_pb2.py")}:
        (folder / "__init__.py").touch()
        (folder / "py.typed").touch()
    for folder in [OUT / "shuanglu", *(OUT / "shuanglu").iterdir()]:
        if folder.is_dir():
            (folder / "__init__.py").touch()
            (folder / "py.typed").touch()


def main() -> None:
    """Generate if needed."""
    files = sorted(PROTOS.rglob("*.proto"))
    wanted = digest(files)
    if STAMP.exists() and STAMP.read_text() == wanted and DESCRIPTOR.exists():
        print("protos: up to date")
        return
    shutil.rmtree(OUT / "shuanglu", ignore_errors=True)
    names = [path.relative_to(PROTOS).as_posix() for path in files]
    run(f"--python_out={OUT}", f"--mypy_out={OUT}", *names)
    services = [name for name in names if name.endswith("_service.proto")]
    run(f"--grpc_python_out={OUT}", f"--mypy_grpc_out={OUT}", *services)
    make_packages()
    DESCRIPTOR.parent.mkdir(parents=True, exist_ok=True)
    run("--include_imports", "--include_source_info", f"--descriptor_set_out={DESCRIPTOR}", *names, *GOOGLE)
    for name in GOOGLE:
        (GOOGLEAPIS / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(site_packages() / name, GOOGLEAPIS / name)
    STAMP.write_text(wanted)
    print(f"protos: {len(files)} files generated")


if __name__ == "__main__":
    main()
