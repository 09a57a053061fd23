#!/usr/bin/env bash
# Make this machine ready: Debian packages, a Python environment, code from the contracts, models.
#
# Safe to run again: what is there is left alone, and when nothing has changed it ends within a moment. Needs Debian or
# Ubuntu, and root or sudo only where a Debian package is missing. Nothing outside this folder is changed otherwise.
#
#   SHUANGLU_PYTHON=python3.12 scripts/setup.sh   use another Python (3.11 to 3.13)
#   SHUANGLU_WITHOUT_MODELS=1 scripts/setup.sh    leave the models out
set -euo pipefail
cd "$(dirname "$0")/.."

readonly VENV=.venv
readonly STAMP=$VENV/.shuanglu-setup
readonly BUF_VERSION=1.75.0
# Tools for tests, checks and code generation; what the packages themselves need stands in their pyproject.toml.
readonly TOOLS=(
  boto3-stubs googleapis-common-protos grafana-foundation-sdk grpcio-tools hypothesis import-linter jsonschema kubernetes-validate mypy mypy-boto3-s3 mypy-protobuf
  playwright promql-parser pypdfium2 pytest pytest-asyncio pytest-cov pytest-timeout rapidfuzz ruff schemathesis tuspy types-grpcio types-jsonschema
  types-protobuf types-PyYAML
)
# What scripts/models.py needs to prepare the models.
readonly MODEL_TOOLS=(numpy onnx onnxruntime)

say() { printf '%s\n' "$*" >&2; }
fail() { printf '✕ %s\n  do: %s\n' "$1" "$2" >&2; exit 1; }

# Everything that decides what has to be installed, as one hash.
wanted() {
  {
    cat scripts/setup.sh scripts/models.py scripts/generate_protos.py constraints.txt models/models.json
    cat libs/*/pyproject.toml services/*/pyproject.toml samples/pyproject.toml
    find protos -name '*.proto' -print0 | sort -z | xargs -0 cat
    cat scripts/console.sh
    find services/console -type f -not -path '*/node_modules/*' -not -path '*/build/*' -print0 2>/dev/null | sort -z | xargs -0 cat
    pwd
    printf '%s' "${SHUANGLU_WITHOUT_MODELS:-}"
  } 2>/dev/null | sha256sum | cut -d' ' -f1
}

install_debian_packages() {
  local missing=()
  command -v setpriv >/dev/null || missing+=(util-linux)
  # The report is set in Noto Sans CJK.
  compgen -G '/usr/share/fonts/opentype/noto/NotoSansCJK-*.ttc' >/dev/null || missing+=(fonts-noto-cjk)
  # Judge of the file tests and baseline of the benchmarks; no service uses it.
  command -v ffprobe >/dev/null || missing+=(ffmpeg)
  # The media server and the relay of calls; the browser is for tests.
  command -v janus >/dev/null || missing+=(janus)
  command -v turnserver >/dev/null || missing+=(coturn)
  command -v chromium >/dev/null || missing+=(chromium)
  # Judge of dashboards, rules and metrics; only tests start it.
  command -v promtool >/dev/null || missing+=(prometheus)
  local python
  python=$(find_python) || missing+=(python3 python3-venv)
  if [[ -n ${python:-} && ! -x $VENV/bin/python ]] && ! "$python" -c 'import ensurepip' 2>/dev/null; then
    missing+=(python3-venv)
  fi
  ((${#missing[@]})) || return 0
  say "installing Debian packages: ${missing[*]}"
  command -v apt-get >/dev/null || fail "missing: ${missing[*]}" "install them with this system's package manager"
  local sudo=()
  if ((EUID != 0)); then
    command -v sudo >/dev/null || fail "missing: ${missing[*]}" "run as root: apt-get install ${missing[*]}"
    sudo=(sudo)
  fi
  "${sudo[@]}" apt-get update -qq
  # RUNLEVEL=1: what is installed as a service is not started on this machine; the stack starts its own.
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# A Python that is supported; first the one that is tested most.
find_python() {
  local candidate
  for candidate in ${SHUANGLU_PYTHON:-python3.11 python3.12 python3.13 python3}; do
    if command -v "$candidate" >/dev/null &&
      "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
      printf '%s\n' "$candidate"
      return 0
    fi
  done
  return 1
}

install_python_packages() {
  if [[ ! -x $VENV/bin/python ]]; then
    local python
    python=$(find_python) || fail "no Python 3.11, 3.12 or 3.13" "install one, or name it in SHUANGLU_PYTHON"
    "$python" -m venv "$VENV"
  fi
  local constraints=() packages=() folder
  [[ -f constraints.txt ]] && constraints=(--constraint constraints.txt)
  for folder in libs/*/ services/*/ samples/; do
    if [[ -f $folder/pyproject.toml ]]; then packages+=(--editable "./${folder%/}"); fi
  done
  say "installing Python packages"
  # setuptools explains editable installs at length on every package.
  export PYTHONWARNINGS=ignore
  local pip=("$VENV/bin/python" -m pip --disable-pip-version-check install --quiet)
  "${pip[@]}" "${constraints[@]}" 'setuptools>=77' wheel "${TOOLS[@]}" "${MODEL_TOOLS[@]}"
  # Before the packages: setuptools installs the code of the contracts only if it is there.
  "$VENV/bin/python" scripts/generate_protos.py >&2
  # One call, so that our packages find each other; without isolation, so that this environment's setuptools builds them.
  "${pip[@]}" "${constraints[@]}" --no-build-isolation "${packages[@]}"
}

# The pages of customer and agent. Without npm everything else works; the gateway says that there are no pages.
build_console() {
  [[ -x scripts/console.sh ]] || return 0
  command -v npm >/dev/null || { say "npm is missing: the pages of the console are not built"; return 0; }
  say "building the console"
  scripts/console.sh >&2
}

# Only `make lint` needs it; without npm everything else works.
install_buf() {
  command -v npm >/dev/null || { say "npm is missing: \`make lint\` cannot check protos"; return 0; }
  [[ -x build/buf/node_modules/.bin/buf ]] && return 0
  say "installing buf"
  mkdir -p build/buf
  npm install --silent --no-audit --no-fund --prefix build/buf "@bufbuild/buf@$BUF_VERSION"
}

main() {
  local hash
  hash=$(wanted)
  if [[ -f $STAMP && $(<"$STAMP") == "$hash" ]]; then return 0; fi
  install_debian_packages
  install_python_packages
  install_buf
  build_console
  if [[ -z ${SHUANGLU_WITHOUT_MODELS:-} ]]; then
    "$VENV/bin/python" scripts/models.py >&2
  fi
  printf '%s' "$hash" >"$STAMP"
  say "set up"
}

main "$@"
