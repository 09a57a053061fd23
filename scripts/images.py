"""Build the container images with buildah or docker, and print their sizes; `make images`.

scripts/images.py                            all images
scripts/images.py --only gateway --only asr  these
scripts/images.py --base REF                 on the bank's own base image (Debian 12 or 13), from its registry
scripts/images.py --variant cuda             face-check and asr for NVIDIA GPUs, tag <version>-cuda
scripts/images.py --archive DIR              also one oci-archive each, to carry into a closed network (buildah)

Without --base and without a registry the base is made here: Debian's debootstrap, kept in build/images. Certificates
that this machine trusts, and the index of its pip, go into that base only. Images lie in build/images/storage
(`buildah --root build/images/storage images`). Digests go to build/images/images.yaml, as values of the chart.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "images"
STORAGE = WORK / "storage"
RUN_STORAGE = WORK / "run"
FILES = ROOT / "deploy" / "images"
LOCAL_BASE = "localhost/shuanglu-base:bookworm"
SUITE = "bookworm"
SERVICES = ("signaling", "media-ingest", "face-check", "asr", "quality", "report")
IMAGES = (*SERVICES, "gateway", "janus", "coturn", "models")
WITH_CUDA = ("face-check", "asr")
BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
BUNDLE_IN_BASE = "/usr/local/share/build-ca.pem"
MIB = 1 << 20
BUILD_LIMIT_S = 1800


class ImagesError(Exception):
    """Something that a person must mend; the text says what."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run builds."""

    builder: str
    base: str
    tag: str
    version: str
    revision: str
    variant: str


def main() -> int:
    """Build what the command line names; 0 if all of it was built."""
    arguments = parse()
    try:
        return build_all(arguments)
    except ImagesError as error:
        sys.stderr.write(f"✕ {error}\n")
        return 1


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=IMAGES, metavar="NAME", help="one of: " + ", ".join(IMAGES))
    parser.add_argument("--base", help="base image; default: docker has debian:bookworm-slim, buildah makes its own")
    parser.add_argument("--tag", help="tag; default: appVersion of charts/shuanglu")
    parser.add_argument("--variant", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--builder", choices=("buildah", "docker"), help="default: the one that is there")
    parser.add_argument("--archive", type=Path, help="folder for oci-archives")
    return parser.parse_args()


def build_all(arguments: argparse.Namespace) -> int:
    """Base, images, table, digests."""
    builder = arguments.builder or find_builder()
    WORK.mkdir(parents=True, exist_ok=True)
    base = arguments.base or (make_local_base() if builder == "buildah" else "debian:bookworm-slim")
    version = app_version()
    suffix = "-cuda" if arguments.variant == "cuda" else ""
    plan = Plan(builder, base, f"{arguments.tag or version}{suffix}", version, revision(), arguments.variant)
    names = arguments.only or (WITH_CUDA if arguments.variant == "cuda" else IMAGES)
    if wrong := [name for name in names if arguments.variant == "cuda" and name not in WITH_CUDA]:
        raise ImagesError(f"there is no CUDA variant of {', '.join(wrong)}")
    base_size = size_of(plan, base) if builder == "buildah" or arguments.base is None else 0
    print(f"{builder}, base {base} ({base_size / MIB:.0f} MiB)", flush=True)
    print(f"{'image':<38}{'above base':>12}{'seconds':>9}", flush=True)
    for name in names:
        started = time.monotonic()
        build(plan, name)
        above = (size_of(plan, reference(plan, name)) - base_size) / MIB
        print(f"{reference(plan, name):<38}{above:>8.0f} MiB{time.monotonic() - started:>9.0f}", flush=True)
        if arguments.archive:
            save(plan, name, arguments.archive)
    write_digests(plan, names)
    return 0


def find_builder() -> str:
    """Buildah before docker, which needs a daemon that runs; on Debian as root buildah is installed."""
    if shutil.which("buildah"):
        return "buildah"
    if shutil.which("docker") and subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0:
        return "docker"
    install("buildah")
    return "buildah"


def install(*packages: str) -> None:
    """Debian packages that are missing; raises ImagesError where they cannot be had."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise ImagesError(f"missing: {' '.join(packages)}; install them, or name --builder and --base")
    sys.stderr.write(f"installing Debian packages: {' '.join(packages)}\n")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment)
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)


def buildah(*arguments: str, capture: bool = False) -> str:
    """Run buildah on our own storage; its output if captured. Raises ImagesError with the last lines."""
    command = ["buildah", "--root", str(STORAGE), "--runroot", str(RUN_STORAGE), *arguments]
    return run(command, capture=capture)


def run(command: list[str], *, capture: bool = False) -> str:
    """Run a builder; raises ImagesError with the last lines of what it said."""
    environment = {"BUILDAH_ISOLATION": "chroot", **os.environ}
    out = subprocess.PIPE if capture else subprocess.DEVNULL
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        text=True,
        stdout=out,
        stderr=subprocess.PIPE,
        check=False,
        timeout=BUILD_LIMIT_S,
    )
    if done.returncode:
        last = "\n".join(done.stderr.strip().splitlines()[-25:])
        raise ImagesError(f"{' '.join(command[:8])} … ended with {done.returncode}:\n{last}")
    return done.stdout or ""


def make_local_base() -> str:
    """A minimal Debian in buildah's storage, made once; returns its name."""
    if buildah("images", "--quiet", "--filter", f"reference={LOCAL_BASE}", capture=True).strip():
        return LOCAL_BASE
    if not shutil.which("debootstrap"):
        install("debootstrap")
    sys.stderr.write("making the base image (debootstrap)\n")
    folder = WORK / "rootfs"
    shutil.rmtree(folder, ignore_errors=True)
    run(["debootstrap", "--variant=minbase", SUITE, str(folder)])
    shutil.rmtree(folder / "var/cache/apt/archives", ignore_errors=True)
    for lists in (folder / "var/lib/apt/lists").glob("*_*"):
        lists.unlink()
    trust_this_machine(folder)
    container = buildah("from", "scratch", capture=True).strip()
    try:
        buildah("add", container, str(folder), "/")
        buildah("config", "--env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", container)
        buildah("commit", "--format", "docker", container, LOCAL_BASE)
    finally:
        buildah("rm", container)
        shutil.rmtree(folder, ignore_errors=True)
    return LOCAL_BASE


def trust_this_machine(folder: Path) -> None:
    """The machine's certificates, so that pip works behind its proxy; not at the path that ca-certificates writes."""
    if not BUNDLE.is_file():
        return
    shutil.copyfile(BUNDLE, folder / BUNDLE_IN_BASE.lstrip("/"))
    lines = ["[global]", f"cert = {BUNDLE_IN_BASE}"]
    if index := os.environ.get("PIP_INDEX_URL"):
        lines.append(f"index-url = {index}")
    (folder / "etc/pip.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")


def app_version() -> str:
    """What the chart asks for."""
    chart = yaml.safe_load((ROOT / "charts/shuanglu/Chart.yaml").read_text(encoding="utf-8"))
    return str(chart["appVersion"])


def revision() -> str:
    """The commit, or `unknown` outside git; `-dirty` where files differ from it."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def reference(plan: Plan, name: str) -> str:
    """Name and tag of an image."""
    prefix = "localhost/" if plan.builder == "buildah" else ""
    return f"{prefix}shuanglu/{name}:{plan.tag}"


def build(plan: Plan, name: str) -> None:
    """One image. Raises ImagesError."""
    require_inputs(name)
    file = FILES / ("service.Dockerfile" if name in SERVICES else f"{name}.Dockerfile")
    values = {"BASE": plan.base, "VERSION": plan.version, "REVISION": plan.revision}
    if name in SERVICES:
        values |= {"SERVICE": name, "VARIANT": plan.variant}
    options = [item for key, value in values.items() for item in ("--build-arg", f"{key}={value}")]
    options += ["--network", "host", "-f", str(file), "-t", reference(plan, name), str(ROOT)]
    if plan.builder == "docker":
        run(["docker", "build", *options])
        return
    pull = ["--pull-never"] if plan.base == LOCAL_BASE else []
    buildah("bud", "--format", "docker", "--layers", "--force-rm", *pull, *options)


def require_inputs(name: str) -> None:
    """What `make setup` makes and an image takes in."""
    needed = {
        "models": ["build/models/models.json"],
        "gateway": ["build/console/call.html", "build/descriptors/shuanglu.pb"],
    }
    for path in [*needed.get(name, []), *([] if name in ("models", "janus", "coturn") else ["libs/protos/shuanglu"])]:
        if not (ROOT / path).exists():
            raise ImagesError(f"{path} is missing: run make setup")


def inspect(plan: Plan, image: str) -> dict[str, object]:
    """What the builder says about an image."""
    if plan.builder == "docker":
        return dict(json.loads(run(["docker", "image", "inspect", image], capture=True))[0])
    return dict(json.loads(buildah("inspect", "--type", "image", image, capture=True)))


def size_of(plan: Plan, image: str) -> int:
    """Bytes of an image's files, unpacked."""
    if plan.builder == "docker":
        return int(str(inspect(plan, image)["Size"]))
    listed = json.loads(buildah("images", "--json", image, capture=True))
    return unpacked(str(listed[0]["size"]))


def unpacked(text: str) -> int:
    """Bytes of buildah's `205 MB`."""
    number, unit = text.split()
    return int(float(number) * {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}[unit.upper()])


def save(plan: Plan, name: str, folder: Path) -> None:
    """An oci-archive of an image."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{name}-{plan.tag}.tar"
    target.unlink(missing_ok=True)
    if plan.builder == "docker":
        run(["docker", "save", "-o", str(target), reference(plan, name)])
    else:
        buildah("push", reference(plan, name), f"oci-archive:{target}:{reference(plan, name)}")


def write_digests(plan: Plan, names: tuple[str, ...] | list[str]) -> None:
    """build/images/images.yaml; other images in it stay. A registry may pack layers anew: then its digest counts."""
    file = WORK / ("images-cuda.yaml" if plan.variant == "cuda" else "images.yaml")
    known = yaml.safe_load(file.read_text(encoding="utf-8"))["images"] if file.exists() else {}
    for name in names:
        facts = inspect(plan, reference(plan, name))
        digest = facts.get("FromImageDigest") or facts.get("Id") or ""
        known[name] = {"repository": f"shuanglu/{name}", "tag": plan.tag, "digest": str(digest)}
    file.write_text(yaml.safe_dump({"images": known}, sort_keys=True), encoding="utf-8")
    print(f"digests: {file.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(main())
