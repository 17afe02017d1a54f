#!/usr/bin/env bash
# Memory and threads under instruments: labs/sanitize.sh [miri|tsan|asan|shuttle|mutants|leak|ci|all]...
#   miri      undefined behaviour in what Miri can run: formats, elements, cells, words, the allocator's wrapper over its Rust mock
#   tsan      data races: the core's thread tests under ThreadSanitizer, the C code and the standard library instrumented too
#   asan      AddressSanitizer and LeakSanitizer over the core's tests, the C code included
#   shuttle   the store's threads in orders that chance never shows; ROUNDS orders a scenario (400)
#   mutants   planted faults that shuttle has to find
#   leak      heap, descriptors, mappings, threads over LEAK_N creations and destroys (100000)
#   ci        miri tsan shuttle leak, at CI's scale
# One thing of each kind counts as one; the last line is "N passed, M failed", and what could not be run is told and counted as neither.
# Toolchain: the nightly below with miri and rust-src, which rustup installs if it can; RFMALLOC_NIGHTLY names another one.
set -uo pipefail
cd "$(dirname "$0")/.."

nightly=${RFMALLOC_NIGHTLY:-nightly-2026-05-20}
target=$(rustc -vV | sed -n 's/^host: //p')
passed=0
failed=0
skipped=0
logs=$(mktemp -d "${TMPDIR:-/tmp}/rfmalloc-sanitize.XXXXXX")
# Stores in loops belong into memory, where there is some.
[ -n "${TMPDIR:-}" ] || [ ! -d /dev/shm ] || export TMPDIR=/dev/shm

skip() { # skip NAME WHY
    skipped=$((skipped + 1))
    echo "skipped $1: $2"
}

# check NAME COMMAND...: one thing; its output is shown when it fails. Where it tells "N passed, M failed" or cargo's results, these count.
check() {
    local name=$1 log from=$SECONDS status good bad
    shift
    log=$logs/$((passed + failed + skipped)).log
    "$@" >"$log" 2>&1 </dev/null
    status=$?
    good=$(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed$/\1/p; s/^test result: .* ([0-9]+) passed; ([0-9]+) failed.*/\1/p' "$log" | awk '{n += $1} END {print n + 0}')
    bad=$(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed$/\2/p; s/^test result: .* ([0-9]+) passed; ([0-9]+) failed.*/\2/p' "$log" | awk '{n += $1} END {print n + 0}')
    if [ "$status" -eq 0 ] && [ "$good" -gt 0 ] && [ "$bad" -eq 0 ]; then
        echo "ok $name: $good, $((SECONDS - from)) s"
        passed=$((passed + good))
    else
        echo "FAILED $name, $((SECONDS - from)) s:"
        tail -n 60 "$log" | sed 's/^/    | /'
        passed=$((passed + good))
        failed=$((failed + (bad > 0 ? bad : 1)))
    fi
}

# have NAME COMPONENT...: the nightly with these components, installed if need be.
have() {
    local name=$1 component wanted=()
    shift
    for component in "$@"; do wanted+=(-c "$component"); done
    if ! command -v rustup >/dev/null; then
        skip "$name" 'rustup is not installed, and only it brings the nightly toolchain'
        return 1
    fi
    if ! rustup component list --toolchain "$nightly" --installed 2>/dev/null | grep -q "^rust-src" ||
        ! rustup component list --toolchain "$nightly" --installed 2>/dev/null | grep -q "^miri"; then
        if ! timeout 300 rustup toolchain install "$nightly" --profile minimal "${wanted[@]}" >"$logs/rustup.log" 2>&1; then
            skip "$name" "rustup cannot install $nightly with $*: $(tail -n 1 "$logs/rustup.log")"
            return 1
        fi
    fi
}

miri() {
    have miri miri rust-src || return 0
    export CARGO_TARGET_DIR=target/miri MIRIFLAGS='-Zmiri-strict-provenance'
    check 'Miri: the mock keeps the contract of fm.h' \
        cargo "+$nightly" miri test -q -p fmalloc-sys --test smoke
    # Not the engine of arithmetic, whose pool asks the system how many cores there are, nor the writing of numbers with all their digits: for Miri
    # both are hours; nor sorting, which runs on that pool. CSV and npy files end in stores, which Miri cannot map,
    # as do layouts and listings; and folders, where exports go, it has none.
    check 'Miri: formats, words, cells, elements, text, the wrapper' \
        cargo "+$nightly" miri test -q -p rfmalloc-core --lib -- \
        --skip executor:: --skip kernels:: --skip program:: --skip compute:: --skip golden --skip text:: --skip csv::tests --skip npy::tests --skip ordering::tests --skip store::layout --skip store::listing --skip output::tests
    # Other interleavings and weak-memory choices for what has threads.
    MIRIFLAGS="$MIRIFLAGS -Zmiri-many-seeds=0..${MIRI_SEEDS:-16}" check 'Miri: threads, other seeds' \
        cargo "+$nightly" miri test -q -p rfmalloc-core --lib -- cells:: meta:: threads_on another_thread
    unset CARGO_TARGET_DIR MIRIFLAGS
}

# instrumented NAME SANITIZER TEST...: integration tests of the core with sanitizer, standard library and C code included.
instrumented() {
    local name=$1 sanitizer=$2 tests=() test
    shift 2
    have "$name" miri rust-src || return 0
    for test in "$@"; do tests+=(--test "$test"); done
    local runner=()
    # The shadow memory needs the classic layout of the address space.
    command -v setarch >/dev/null && runner=(setarch "$(uname -m)" -R)
    # Only our own C is instrumented, by the target's own variable; build scripts stay as they are.
    env "CFLAGS_${target//-/_}=-fsanitize=$sanitizer -g -fno-omit-frame-pointer" \
        "CARGO_TARGET_DIR=target/$sanitizer" "RUSTFLAGS=-Zsanitizer=$sanitizer -Cdebuginfo=1" \
        "TSAN_OPTIONS=halt_on_error=0 suppressions=$PWD/labs/tsan.supp" ASAN_OPTIONS=detect_leaks=1 \
        "${runner[@]}" cargo "+$nightly" test -q -Zbuild-std --target "$target" -p rfmalloc-core "${tests[@]}"
}

tsan() {
    have tsan miri rust-src || return 0
    check 'ThreadSanitizer: the core with many threads' \
        instrumented tsan thread crowd threads background let_go
    [ -n "${CI_SCALE:-}" ] || check 'ThreadSanitizer: lifetime' instrumented tsan thread lifetime
}

asan() {
    have asan miri rust-src || return 0
    check 'AddressSanitizer and LeakSanitizer: the core' \
        instrumented asan address crowd threads background let_go lifetime damage golden
}

shuttle() {
    RUSTFLAGS='--cfg rfmalloc_shuttle' CARGO_TARGET_DIR=target/shuttle \
        check 'shuttle: orders of the store''s threads' \
        cargo run -q --profile lab -p rfmalloc-lab-shuttle -- all "${ROUNDS:-400}" "${SEED:-1}"
}

mutants() {
    check 'shuttle: planted faults' node labs/shuttle/mutants.mjs
}

leak() {
    check 'leaks' cargo run -q --profile lab -p rfmalloc-lab-leak -- "${LEAK_N:-100000}"
}

for what in "${@:-all}"; do
    case $what in
    miri | tsan | asan | shuttle | mutants | leak) "$what" ;;
    ci) CI_SCALE=1 && MIRI_SEEDS=${MIRI_SEEDS:-4} && miri && tsan && shuttle && leak ;;
    all) miri && tsan && asan && shuttle && mutants && leak ;;
    *) echo "unknown: $what" >&2 && exit 2 ;;
    esac
done
rm -rf "$logs"
[ "$skipped" -eq 0 ] || echo "$skipped skipped"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
