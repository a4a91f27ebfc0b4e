#!/usr/bin/env bash
# A few points of every sweep: deaths at operations of the disk, cables pulled after a byte, noise, lying boards. The whole
# sweeps are in docs/simulation.md, more of them in tests/long.
set -euo pipefail
sweep() {
    out=$("$BUILD/packline" simulate --sweep "$@")
    echo "$out"
    grep -q '^broken promises: 0$' <<<"$out"
}
sweep crashes --from 40 --every 1900
sweep unplug --from 500 --every 2900
sweep noise --units 1
sweep boards --units 1
# Every case struck, and each death had a second one in its recovery.
cases=$("$BUILD/packline" simulate --sweep crashes --from 3000 --every 100000 | sed -nE 's/^(.*[a-z]) +([0-9]+ +[0-9]+ +[0-9]+) +[0-9]+$/\2/p')
[ "$(sort <<<"$cases" | uniq -c | tr -s ' ' | tr '\n' ';')" = " 8 1 1 0; 8 1 1 4;" ] || { echo "$cases"; exit 1; }
