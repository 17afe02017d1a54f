#!/bin/sh
# Build and run everything about the C sources: the suite under sanitizers, the fuzzer, the planted faults.
# The last line is "N passed, M failed"; the status is non-zero if M > 0.
#   CC=clang ctest/run.sh      another compiler
set -u
cd "$(dirname "$0")/.."
CC=${CC:-gcc}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
warn='-std=c11 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror'
sane='-g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all'
harness='ctest/test.c ctest/model.c'
cases='ctest/main.c ctest/load.c ctest/place.c ctest/free.c ctest/space.c ctest/memory.c ctest/random.c'
passed=0
failed=0

result() { # result STATUS NAME
    if [ "$1" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED $2"
    fi
}

# 1. The sources as users compile them: not one warning.
for source in csrc/*.c; do
    $CC $warn -O2 -Icsrc -c "$source" -o "$out/plain.o"
    result $? "$source compiles without warnings"
done

# 2. The suite, with tiny chunks of nodes so that memory is asked for, and refused, often.
if $CC $warn $sane -DFM_CHUNK_BITS=2 -Icsrc -Ictest csrc/*.c $harness $cases -o "$out/suite"; then
    "$out/suite" >"$out/log" 2>&1
    status=$?
    summary=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$out/log" | tail -n 1)
    if [ -n "$summary" ]; then
        passed=$((passed + ${summary%% *}))
        bad=${summary#*, }
        failed=$((failed + ${bad%% *}))
        # A leak found at exit fails no case, but the run.
        [ "$status" -ne 0 ] && [ "${bad%% *}" -eq 0 ] && result 1 'the suite ends cleanly'
    else
        result 1 'the suite runs to its end'
    fi
    [ "$status" -ne 0 ] && cat "$out/log"
else
    result 1 'the suite compiles'
fi

# 3. The fuzz targets, with chunks as users have them: our driver, and libFuzzer where there is one.
for target in fuzz_fm fuzz_load; do
    $CC $warn $sane -DFM_DRIVER -Icsrc -Ictest csrc/*.c $harness ctest/$target.c -o "$out/fuzz" &&
        "$out/fuzz" 20000 >"$out/log" 2>&1
    status=$?
    [ "$status" -ne 0 ] && cat "$out/log"
    result $status "20000 random inputs to $target"
    if command -v clang >/dev/null 2>&1 &&
        clang -std=c11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Icsrc -Ictest \
            csrc/*.c $harness ctest/$target.c -o "$out/libfuzzer" 2>/dev/null; then
        "$out/libfuzzer" -max_total_time=10 -max_len=2048 -artifact_prefix="$out/" >"$out/log" 2>&1
        status=$?
        [ "$status" -ne 0 ] && tail -n 60 "$out/log"
        result $status "libFuzzer for 10 seconds on $target"
    fi
done

# 4. Planted faults: the suite, with fewer random steps, must notice each.
objects=''
for source in $harness $cases; do
    object=$out/$(basename "$source" .c).test.o
    $CC -std=c11 -O1 -DFM_CHUNK_BITS=2 -Icsrc -Ictest -c "$source" -o "$object"
    objects="$objects $object"
done
for source in csrc/*.c; do
    $CC -std=c11 -O1 -DFM_CHUNK_BITS=2 -Icsrc -c "$source" -o "$out/$(basename "$source" .c).o"
done

plant() { # plant FILE OLD NEW: the file with OLD, which must occur once, replaced
    OLD=$2 NEW=$3 awk '
        BEGIN { old = ENVIRON["OLD"]; new = ENVIRON["NEW"] }
        { text = text $0 "\n" }
        END {
            at = index(text, old)
            if (at == 0) exit 1
            rest = substr(text, at + length(old))
            if (index(rest, old) != 0) exit 2
            printf "%s%s%s", substr(text, 1, at - 1), new, rest
        }' "csrc/$1"
}

try() { # try NUMBER FILE WHAT OLD NEW
    part=${2%.c}
    others=$(ls "$out"/fm_*.o | grep -v "/$part.o\$")
    if ! plant "$2" "$4" "$5" >"$out/mutant.c"; then
        result 1 "mutant $1: its text is not in $2 exactly once: $4"
        return
    fi
    if ! $CC -std=c11 -O1 -DFM_CHUNK_BITS=2 -Icsrc -c "$out/mutant.c" -o "$out/mutant.obj" ||
        ! $CC $objects $others "$out/mutant.obj" -o "$out/mutant"; then
        result 1 "mutant $1 compiles"
        return
    fi
    if timeout "$patience" "$out/mutant" 20 >"$out/log" 2>&1; then
        result 1 "mutant $1 caught: $3"
    else
        result 0 "mutant $1 caught"
        [ -n "${VERBOSE:-}" ] && echo "mutant $1 caught: $3 ($(grep -c '^FAILED' "$out/log") cases)"
    fi
}

# The control: without a fault the short suite passes well within the time a fault gets to hang.
patience=3
$CC $objects "$out"/fm_*.o -o "$out/mutant" && timeout "$patience" "$out/mutant" 20 >"$out/log" 2>&1
result $? 'the short suite passes without a planted fault'

number=0
step=0
while IFS= read -r line; do
    case $line in '' | '#'*) continue ;; esac
    case $step in
    0) title=$line ;;
    1) old=$line ;;
    2)
        number=$((number + 1))
        try "$number" "${title%%:*}" "${title#*: }" "$old" "$line"
        ;;
    esac
    step=$(((step + 1) % 3))
done <ctest/mutants.txt

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
