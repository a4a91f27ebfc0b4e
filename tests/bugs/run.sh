#!/usr/bin/env bash
# Does the net hold fish? Puts each bug of bugs.txt into a copy of the sources, one at a time, and looks which nets hold it:
# the simulated shifts, the unit tests and, where both are silent, the tests named by SCRIPTS. Exit 1 when one swims through.
#
#   tests/bugs/run.sh [--table] [NAME…]     --table: as the table of docs/seeded-bugs.md
#   SIM_UNITS: boards per simulation (default 64). SCRIPTS: default '^(bad/secrets|crash/)'.
#   QUICK=1: the simulation only where the unit tests are silent.
#   TMPDIR=/dev/shm makes it several times as quick. WORK: folder to build in and to keep for the next time.
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
table=false
[ "${1:-}" != --table ] || { table=true; shift; }
work=${WORK:-$(mktemp -d)}
[ -n "${WORK:-}" ] || trap 'rm -rf "$work"' EXIT
rm -rf "$work/clean" "$work/tmp"
mkdir -p "$work/tree" "$work/clean" "$work/tmp"
export TMPDIR=$work/tmp
git -C "$here" ls-files -z | (cd "$here" && xargs -0 cp --parents -t "$work/clean")
# What did not change is not built again.
(cd "$work/clean" && find . -type f -print0) | while IFS= read -rd '' file; do
    cmp -s "$work/clean/$file" "$work/tree/$file" || install -D "$work/clean/$file" "$work/tree/$file"
done
log=$work/build.log build=$work/build
cmake -G Ninja -S "$work/tree" -B "$build" >"$log"
mapfile -t targets < <(ninja -C "$build" -t targets all | sed -nE 's/^(packline|packline-board|tests\/[a-z]+_test_[a-z_0-9]+): .*_EXECUTABLE_.*/\1/p')
targets+=(reference)
ninja -j2 -C "$build" "${targets[@]}" >>"$log"
missed=0

# The first promise that is broken: with every fault by chance, with each defect of a board once, with people's alone, and
# with deaths around the verdict.
simulation() {
    for what in "--seed 11 --units ${SIM_UNITS:-64} --slots 4 --no-shrink" "--sweep boards --units 1" \
        "--seed 11 --units 48 --slots 4 --no-shrink --faults clock-jump,printer-unsure,wrong-label,early-removal,label-left" \
        "--sweep crashes --from 5520 --every 4"; do
        # shellcheck disable=SC2086
        timeout 900 "$build/packline" simulate $what >"$work/sim.txt" 2>&1 && continue
        sed -nE 's/^first: //p' "$work/sim.txt" | grep . || tail -n 1 "$work/sim.txt"
        return
    done
}

tests() {
    ctest --test-dir "$build" --timeout 900 -R "$1" >"$work/$2.txt" 2>&1 && return
    sed -nE 's/^[[:space:]]*[0-9]+ - ([^ ]+) .*/\1/p' "$work/$2.txt" | sort -u | paste -sd' '
}

look() {
    : >"$work/sim.says"
    [ -n "${QUICK:-}" ] || simulation >"$work/sim.says" &
    tests "^(unit/|house/globals)" unit >"$work/unit.says"
    wait $!
    [ -z "${QUICK:-}" ] || [ -s "$work/unit.says" ] || simulation >"$work/sim.says"
    [ ! -s "$work/sim.says" ] || sed 's/^/simulation: /' "$work/sim.says"
    [ ! -s "$work/unit.says" ] || cat "$work/unit.says"
    [ -s "$work/sim.says" ] || [ -s "$work/unit.says" ] || tests "${SCRIPTS:-^(bad/secrets|crash/)}" scripts
}

# A net that is always red catches nothing.
clean=$(look)
[ -z "$clean" ] || { echo "without any bug: $clean"; exit 1; }

while IFS= read -r head; do
    case $head in '' | '#'*) continue ;; esac
    name=${head%%:*} files=() absent=
    while IFS= read -r file && [ -n "$file" ]; do
        IFS= read -r from
        IFS= read -r to
        [ $# -eq 0 ] || [[ " $* " == *" $name "* ]] || continue
        cp "$work/tree/$file" "$work/before"
        FROM=$from TO=$to perl -0pi -e 's/$ENV{FROM}/my $kept = $1; $ENV{TO} =~ s{\\n}{\n}gr =~ s{\\1}{$kept}gr/e' "$work/tree/$file"
        ! cmp -s "$work/before" "$work/tree/$file" || absent=$file
        files+=("$file")
    done
    [ ${#files[@]} -gt 0 ] || continue
    if [ -n "$absent" ]; then
        found="NOT PUT IN: the pattern fits nothing in $absent"
    elif ninja -j2 -C "$build" "${targets[@]}" >"$log" 2>&1; then
        found=$(look | paste -sd';' | sed 's/;/; /g')
    else
        found="NOT BUILT: $(grep -m1 -oE 'error: .*' "$log" || true)"
    fi
    case $found in '' | NOT*) missed=1 ;; esac
    found=${found:-NOT CAUGHT}
    if $table; then echo "| $name | ${head#*: } | $found |"; else echo "$name: $found"; fi
    for file in "${files[@]}"; do
        cp "$work/clean/$file" "$work/tree/$file"
    done
done <"$work/clean/tests/bugs/bugs.txt"
exit $missed
