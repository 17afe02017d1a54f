#!/bin/sh
# Regenerate src/bindings.rs from csrc/fm.h (needs libclang); with --check only tell whether it would change.
set -eu
cd "$(dirname "$0")"
new=$(mktemp)
trap 'rm -f "$new"' EXIT
FMALLOC_BINDINGS=$new cargo build --quiet --features generate
if [ "${1:-}" = --check ]; then
    diff -u src/bindings.rs "$new" || { echo 'src/bindings.rs drifted from csrc/fm.h: run bindings.sh' >&2; exit 1; }
    echo 'bindings are up to date'
else
    cp "$new" src/bindings.rs
fi
