#!/bin/sh
# Coverage-guided fuzzing with libFuzzer and AddressSanitizer: the C allocator beside its model (fm), what a
# hostile catalog can tell it (load), and the core on mutated stores (core).
#   labs/hostile/fuzz.sh [SECONDS each, default 60] [fm|load|core]
# The corpora in fuzz/corpus/ are read first. KEEP=1 writes them back minimised. The last line is "N passed, M failed".
set -u
cd "$(dirname "$0")"
seconds=${1:-60}
only=${2:-}
sys=../../crates/fmalloc-sys
out=$(mktemp -d "${TMPDIR:-/tmp}/rfmalloc-fuzz.XXXXXX")
trap 'rm -rf "$out"' EXIT
passed=0
failed=0

fuzz() { # fuzz NAME PROGRAM MAX_LEN [OPTION]
    name=$1 program=$2 max_len=$3
    shift 3
    mkdir "$out/work-$name"
    [ -f "fuzz/corpus/$name.tar.gz" ] && tar -xzf "fuzz/corpus/$name.tar.gz" -C "$out/work-$name"
    if "$program" "$out/work-$name" -max_total_time="$seconds" -max_len="$max_len" -timeout=10 \
        -rss_limit_mb=2048 -malloc_limit_mb=512 -artifact_prefix="$out/" "$@" >"$out/log" 2>&1; then
        passed=$((passed + 1))
        grep -E '^#[0-9]+[[:space:]]+DONE' "$out/log" | sed "s/^/$name: /"
    else
        failed=$((failed + 1))
        tail -n 60 "$out/log"
        echo "FAILED $name; the input in base64 (write it to a file and give that to the program):"
        for input in "$out"/crash-* "$out"/timeout-* "$out"/oom-*; do
            [ -f "$input" ] && base64 "$input"
        done
    fi
    if [ -n "${KEEP:-}" ]; then
        mkdir "$out/small-$name"
        if "$program" -merge=1 "$@" "$out/small-$name" "$out/work-$name" >"$out/log" 2>&1; then
            mkdir -p fuzz/corpus
            tar -czf "fuzz/corpus/$name.tar.gz" -C "$out/small-$name" .
        fi
    fi
}

skip() {
    echo "SKIPPED $1: $2"
}

echo 'int LLVMFuzzerTestOneInput(const unsigned char *data, unsigned long n) { return (void)data, (void)n, 0; }' >"$out/none.c"
for name in fm load; do
    [ -n "$only" ] && [ "$only" != "$name" ] && continue
    if ! clang -fsanitize=fuzzer,address "$out/none.c" -o "$out/none" 2>/dev/null; then
        skip $name 'no clang with libFuzzer here (Debian: apt-get install clang libclang-rt-14-dev)'
    elif clang -std=c11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -I$sys/csrc -I$sys/ctest \
        $sys/csrc/*.c $sys/ctest/test.c $sys/ctest/model.c "$sys/ctest/fuzz_$name.c" -o "$out/$name"; then
        fuzz $name "$out/$name" 2048
    else
        echo "FAILED $name: does not compile"
        failed=$((failed + 1))
    fi
done

if [ -z "$only" ] || [ "$only" = core ]; then
    # What cargo-fuzz passes, to the stable compiler; a target is named so that build scripts are built without.
    coverage='-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
        -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares'
    target=$(rustc -vV | sed -n 's/^host: //p')
    if ! (cd fuzz && cargo fetch --locked) >"$out/log" 2>&1; then
        tail -n 5 "$out/log"
        skip core 'libfuzzer-sys cannot be had here (it needs a registry or its cache)'
    elif (cd fuzz && RUSTC_BOOTSTRAP=1 RUSTFLAGS="$coverage -Zsanitizer=address --cfg fuzzing" \
        cargo build --release --target "$target") >"$out/log" 2>&1; then
        # Leaks: the liveness cells are kept for the process's life on purpose.
        fuzz core "fuzz/target/$target/release/core" 1024 -detect_leaks=0
    else
        tail -n 20 "$out/log"
        echo 'FAILED core: does not build'
        failed=$((failed + 1))
    fi
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
