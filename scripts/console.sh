#!/usr/bin/env bash
# Build the pages: types from the contracts, then the bundle in build/console/ that the gateway serves.
#
# Safe to run again: when nothing has changed it ends within a moment. Needs Node 20.19 or newer and npm, and the Python
# environment of scripts/setup.sh (for protoc).
#
#   scripts/console.sh          build if something has changed
#   scripts/console.sh check    types, style and unit tests as well
set -euo pipefail
cd "$(dirname "$0")/.."

readonly PAGES=services/console
readonly GENERATED=$PAGES/build/protos
readonly OUT=build/console
readonly STAMP=$PAGES/build/.stamp
readonly MODULES_STAMP=$PAGES/node_modules/.shuanglu-lock
# Contracts that the pages use; what they import comes along.
readonly CONTRACTS=(
  shuanglu/session/v1/call_service.proto
  shuanglu/report/v1/report_service.proto
)

say() { printf '%s\n' "$*" >&2; }
fail() { printf '✕ %s\n  do: %s\n' "$1" "$2" >&2; exit 1; }

need_node() {
  command -v npm >/dev/null || fail "npm is missing" "install Node 20.19 or newer (Debian: nodejs and npm)"
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    fail "Node $(node --version) is too old" "install Node 20.19 or newer"
}

wanted() {
  {
    cat scripts/console.sh "$PAGES"/*.json "$PAGES"/*.ts "$PAGES"/*.html
    find protos "$PAGES/src" "$PAGES/tests" -type f -print0 | sort -z | xargs -0 cat
  } | sha256sum | cut -d' ' -f1
}

install_modules() {
  local lock
  lock=$(sha256sum <"$PAGES/package-lock.json")
  [[ -f $MODULES_STAMP && $(<"$MODULES_STAMP") == "$lock" ]] && return 0
  say "installing the console's packages"
  # Not `npm ci`: it refuses a lock without addresses, and ours names versions and hashes only.
  (cd "$PAGES" && npm install --no-save --silent --no-audit --no-fund)
  printf '%s' "$lock" >"$MODULES_STAMP"
}

generate() {
  local google
  google=$(.venv/bin/python -c 'import google.api.annotations_pb2 as a, pathlib; print(pathlib.Path(a.__file__).parents[2])')
  rm -rf "$GENERATED"
  mkdir -p "$GENERATED"
  .venv/bin/python -m grpc_tools.protoc -Iprotos -I"$google" \
    --plugin=protoc-gen-es="$PAGES/node_modules/.bin/protoc-gen-es" --es_out="$GENERATED" --es_opt=target=ts,import_extension=none \
    $(closure "${CONTRACTS[@]}") google/rpc/error_details.proto
}

# The contracts and all that they import, once each: everything of ours, and of Google's only what stands in them.
closure() {
  .venv/bin/python - "$@" <<'PY'
import pathlib, re, sys
import google.api.annotations_pb2 as annotations
roots = [pathlib.Path("protos"), pathlib.Path(annotations.__file__).parents[2]]
seen, rest = [], list(sys.argv[1:])
while rest:
    name = rest.pop()
    if name in seen or name.startswith("google/protobuf/"):
        continue
    seen.append(name)
    text = next((root / name).read_text() for root in roots if (root / name).exists())
    rest += re.findall(r'^import "([^"]+)";', text, re.M)
print(*sorted(seen))
PY
}

main() {
  local hash
  hash=$(wanted)
  if [[ ${1:-} != check && -f $STAMP && $(<"$STAMP") == "$hash" && -f $OUT/call.html ]]; then return 0; fi
  need_node
  install_modules
  generate
  if [[ ${1:-} == check ]]; then
    (cd "$PAGES" && npm run --silent check && npm run --silent test)
  fi
  say "building the pages"
  (cd "$PAGES" && npm run --silent build)
  printf '%s' "$hash" >"$STAMP"
}

main "$@"

