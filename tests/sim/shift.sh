#!/usr/bin/env bash
# Simulated shifts with every fault: no promise is broken, the same seed gives the same trace, and a unit can be played
# again alone.
set -euo pipefail
units=${SIM_UNITS:-160}
seed=${SIM_SEED:-7}
one=$("$BUILD/packline" simulate --seed "$seed" --units "$units" --slots 4)
echo "$one"
grep -q '^broken promises: 0$' <<<"$one"

for family in monv4 jbd rockets daly-modbus mainx seplos3 daly daly-can tianpower; do
    other=$("$BUILD/packline" simulate --family "$family" --seed "$seed" --units $((units / 4)) --slots 4)
    echo "$other"
    grep -q '^broken promises: 0$' <<<"$other"
done

trace() {
    "$BUILD/packline" simulate --seed 3 --units 20 --slots "$1" --jobs "$2" | grep '^trace'
}
[ "$(trace 4 1)" = "$(trace 4 2)" ] || { echo "the same seed gave another trace"; exit 1; }
[ "$(trace 4 1)" != "$(trace 2 1)" ] || { echo "another shift gave the same trace"; exit 1; }

played=$("$BUILD/packline" simulate --units 20 --slots 4 --replay 3:18)
grep -q '"event":"run_begin"' <<<"$played"
