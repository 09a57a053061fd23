#!/usr/bin/env bash
# Put checkov into build/checkov, an environment of its own: it is large, and only `make charts` needs it.
set -euo pipefail
cd "$(dirname "$0")/.."
readonly VERSION=3.3.30
[[ -x build/checkov/bin/checkov && $(cat build/checkov/version 2>/dev/null) == "$VERSION" ]] && exit 0
printf 'installing checkov %s\n' "$VERSION" >&2
rm -rf build/checkov
"${SHUANGLU_PYTHON:-.venv/bin/python}" -m venv build/checkov
build/checkov/bin/python -m pip --disable-pip-version-check install --quiet "checkov==$VERSION"
printf '%s' "$VERSION" >build/checkov/version
