#!/bin/sh
# Copies the weights into a folder: models-copy [FOLDER]; default /target. Safe to run again.
set -eu
target=${1:-/target}
[ -d "$target" ] && [ -w "$target" ] || { echo "models-copy: $target is not a folder that can be written" >&2; exit 2; }
cp -r /models/. "$target/"
