#!/usr/bin/env bash
# Does the net hold fish? Puts each bug of bugs.txt into a copy of the sources, one at a time, and looks whether the
# simulated shifts or the unit tests see it. Prints a table; exit 1 when one swims through.
#
#   tests/bugs/run.sh [NAME…]      SIM_UNITS: boards per simulation (default 200)
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git -C "$here" ls-files -z | (cd "$here" && xargs -0 cp --parents -t "$work")
log="$work/build.log"
cmake -G Ninja -S "$work" -B "$work/build" >"$log"
ninja -C "$work/build" >>"$log"
missed=0

# What the present tree says of itself first: a net that is always red catches nothing.
look() {
    if ! "$work/build/packline" simulate --seed 11 --units "${SIM_UNITS:-200}" --slots 4 --no-shrink >"$work/sim.txt" 2>&1; then
        echo "simulation: $(sed -nE 's/^first: //p' "$work/sim.txt" | cut -c1-90)"
        return
    fi
    ctest --test-dir "$work/build" -R '^unit/' >"$work/ctest.txt" 2>&1 && return
    echo "tests: $(sed -nE 's/^[[:space:]]*[0-9]+ - ([^ ]+).*/\1/p' "$work/ctest.txt" | tr '\n' ' ')"
}
clean=$(look)
[ -z "$clean" ] || { echo "without any bug: $clean"; exit 1; }

while IFS='|' read -r name rest; do
    name=$(xargs <<<"$name")
    case $name in '' | '#'*) continue ;; esac
    [ $# -eq 0 ] || [[ " $* " == *" $name "* ]] || continue
    # Columns are split at " | " so that patterns may hold a bar.
    IFS=$'\t' read -r file pattern bug < <(sed -E 's/^ +//; s/ \| /\t/; s/ \| /\t/' <<<"$rest")
    cp "$here/$file" "$work/$file"
    FROM="$pattern" TO="$bug" perl -0pi -e 's/$ENV{FROM}/$ENV{TO}/' "$work/$file"
    if cmp -s "$here/$file" "$work/$file"; then
        echo "$name: the pattern fits nothing in $file any more"
        missed=1
        continue
    fi
    if ! ninja -C "$work/build" >"$log" 2>&1; then
        if grep -q 'error:' "$log"; then found="compiler: $(grep -m1 -oE 'error: .*' "$log" | cut -c8-90)"; else found=''; fi
    else
        found=$(look)
    fi
    printf '%-28s %s\n' "$name" "${found:-NOT CAUGHT}"
    [ -n "$found" ] || missed=1
    cp "$here/$file" "$work/$file"
done <"$here/tests/bugs/bugs.txt"
exit $missed
