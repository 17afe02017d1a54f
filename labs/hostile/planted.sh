#!/bin/sh
# The lab proves itself: faults planted into a copy of the core, one at a time, must each fail a run. The last line is
# "N passed, M failed" (passed: the fault was caught).
#   labs/hostile/planted.sh [FILES per fault, default 20000] [WORD: only the faults whose name has it]
set -u
cd "$(dirname "$0")/../.."
count=${1:-20000}
only=${2:-}
out=$(mktemp -d "${TMPDIR:-/tmp}/rfmalloc-planted.XXXXXX")
trap 'rm -rf "$out"' EXIT
mkdir "$out/labs"
cp -r Cargo.toml Cargo.lock crates "$out/"
# The core is tested with labs/crash, so cargo wants to see it.
cp -r labs/hostile labs/crash "$out/labs/"
rm -rf "$out/labs/hostile/fuzz" "$out/labs/hostile/corpus"
mkdir "$out/labs/hostile/corpus"
touch "$out/labs/README.md"
core=crates/rfmalloc-core/src
passed=0
failed=0

build() {
    (cd "$out" && cargo build --quiet --offline --profile lab -p rfmalloc-lab-hostile) >"$out/log" 2>&1
}

plant() { # plant FILE OLD NEW: OLD must stand there once
    OLD=$2 NEW=$3 awk '
        BEGIN { old = ENVIRON["OLD"]; new = ENVIRON["NEW"] }
        { text = text $0 "\n" }
        END {
            at = index(text, old)
            if (at == 0) exit 1
            rest = substr(text, at + length(old))
            if (index(rest, old) != 0) exit 2
            printf "%s%s%s", substr(text, 1, at - 1), new, rest
        }' "$core/$1" >"$out/$core/$1"
}

try() { # try WHAT FILE OLD NEW
    case $1 in *"$only"*) ;; *) return ;; esac
    if ! plant "$2" "$3" "$4" || ! build; then
        echo "FAILED: the fault '$1' cannot be planted in $2"
        tail -n 5 "$out/log"
        failed=$((failed + 1))
    elif "$out/target/lab/rfmalloc-lab-hostile" --count "$count" --seed 7 >"$out/log" 2>&1; then
        echo "FAILED: not caught in $count files: $1"
        failed=$((failed + 1))
    else
        echo "caught: $1 ($(grep -E -m 1 'FAILED|CRASHED' "$out/log" | cut -c 1-110))"
        passed=$((passed + 1))
    fi
    cp "$core/$2" "$out/$core/$2"
}

if ! build || ! "$out/target/lab/rfmalloc-lab-hostile" --count "$count" --seed 7 >"$out/log" 2>&1; then
    tail -n 5 "$out/log"
    echo "FAILED: without a fault"
    failed=1
fi
try 'extents outside the file are believed' resolve.rs \
    'extents(&body).iter().all(|e| e.is_inside(trust.file_len))' 'extents(&body).iter().all(|e| e.end() > 0 || trust.file_len > 0)'
try 'a length is not held against the payload' store/find.rs \
    'Some(nbytes) if nbytes <= live.body.payload.nbytes' 'Some(_)'
try 'a payload may lie over the catalog' store/find.rs \
    '.any(|e| self.catalog.overlaps(e))' '.any(|e| self.catalog.overlaps(e) && e.is_empty())'
try 'an end is computed without a check' format/mod.rs \
    'self.off.checked_add(self.nbytes).is_some_and(|e| e <= file_len)' 'self.off + self.nbytes <= file_len'
try 'as much is read as a body claims' store/find.rs \
    'Aux::nbytes_used(&head, e.nbytes) as usize' 'e.nbytes as usize'
try 'opening writes' store/load.rs \
    'if sb.slots_used > catalog.capacity() {' 'if !options.read_only { seam.store(&seam.header, 141, &[1]); } if sb.slots_used > catalog.capacity() {'
try 'a refused open writes' store/load.rs \
    'let mode = if sb.mode == superblock::MODE_SCRATCH' 'let _ = file.write_all_at(&[1], 141); let mode = if sb.mode == superblock::MODE_SCRATCH'
try 'damage is told without its place' error.rs \
    '.with("offset", off)' ''
try 'verify leaves damaged records out' store/verify.rs \
    'Resolved::Damaged(what) => pass' 'Resolved::Damaged(what) if !what.is_empty() => {} Resolved::Damaged(what) => pass'
try 'a name is taken as it stands' format/fields.rs \
    'value.len() <= NAMING_HEAD || ' ''
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
