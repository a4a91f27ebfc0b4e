#!/usr/bin/env bash
# Line noise alone: every board passes in the end, and light noise (at most one chunk in a hundred) costs no first pass
# beyond one in twenty of these few units; the long run of docs/simulation.md asks for one in a hundred.
set -euo pipefail
out=$("$BUILD/packline" simulate --seed 1 --units "${SIM_UNITS:-160}" --slots 2 \
    --faults drop,duplicate,corrupt-bit,corrupt-byte,burst,truncate,rubbish,delay)
echo "$out"
grep -q '^broken promises: 0$' <<<"$out"
read -r passed all < <(sed -nE 's/^line noise .*: ([0-9]+) of ([0-9]+) passed.*/\1 \2/p' <<<"$out")
[ "$all" -ge 20 ]
[ $((passed * 20)) -ge $((all * 19)) ]
