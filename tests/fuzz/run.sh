#!/usr/bin/env bash
# Lets libFuzzer look for inputs that break a parser: tests/fuzz/run.sh [SECONDS-PER-TARGET [NAME…]]
#
# Starts from tests/fuzz/corpus/NAME and crashes/NAME, changes neither. FOUND=FOLDER keeps what was found interesting, to
# go on from there next time. What breaks a target lies in build/fuzz/found/NAME when this ends with an error.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
build=$top/build/fuzz
seconds=${1:-60}
shift || true
work=${FOUND:-}
if [ -z "$work" ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
fi

[ -f "$build/build.ninja" ] ||
    cmake -G Ninja -S "$top" -B "$build" -DCMAKE_C_COMPILER=clang -DPACKLINE_FUZZ=ON >/dev/null
ninja -C "$build" fuzz >"$build/build.log" || { cat "$build/build.log"; exit 2; }

if [ $# -eq 0 ]; then
    for file in "$here"/fuzz_*.c; do
        name=$(basename "$file" .c)
        set -- "$@" "${name#fuzz_}"
    done
fi

export LSAN_OPTIONS="suppressions=$top/tests/lsan.supp:print_suppressions=0"
export G_MESSAGES_DEBUG='' G_DEBUG=''

# The longest input that still tells something; the bigger the slower.
length() {
    case $1 in
    yaml) echo 40000 ;;
    image | package | label | plan) echo 8192 ;;
    quantity | scan) echo 128 ;;
    *) echo 4096 ;;
    esac
}

status=0
printf '%-10s %12s %8s %7s %8s\n' name executions exec/s edges crashes
for name in "$@"; do
    found=$build/found/$name
    corpus=$work/$name
    log=$build/fuzz_$name.log
    rm -rf "$found"
    mkdir -p "$found" "$corpus"
    seeds=()
    if [ "$name" = yaml ]; then # a recipe and its profile may have one name
        mkdir -p "$corpus/boards"
        cp "$top"/recipes/*.yaml "$corpus"
        cp "$top"/recipes/boards/*.yaml "$corpus/boards"
    fi
    for folder in "$here/corpus/$name" "$here/crashes/$name"; do
        [ ! -d "$folder" ] || seeds+=("$folder")
    done
    dictionary=()
    [ ! -f "$here/$name.dict" ] || dictionary=("-dict=$here/$name.dict")
    case $name in
    yaml | plan | label | package) # the words of all kinds of files, from their schemas
        grep -ohE '"[a-z][a-z0-9_-]{2,30}"' "$top"/recipes/schema/*.json | sort -u >"$build/words.dict"
        dictionary=("-dict=$build/words.dict")
        ;;
    esac
    "$build/fuzz_$name" "${dictionary[@]}" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 \
        -max_len="$(length "$name")" -artifact_prefix="$found/" -print_final_stats=1 \
        "$corpus" "${seeds[@]}" >"$log" 2>&1 || status=1
    crashes=$(find "$found" -type f | wc -l)
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    rate=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")
    edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -1)
    printf '%-10s %12s %8s %7s %8s\n' "$name" "${runs:--}" "${rate:--}" "${edges:--}" "$crashes"
    if [ "$crashes" -gt 0 ]; then
        grep -aE 'ERROR|SUMMARY|runtime error|ASSERT|CRITICAL' "$log" | head -5
        find "$found" -type f
    fi
done
[ $status = 0 ] || echo "failed: see $build/fuzz_NAME.log" >&2
exit $status
