#!/usr/bin/env bash
# Points of every sweep, denser than every day; the whole of them is in docs/simulation.md.
set -euo pipefail
for sweep in "crashes --from 7 --every 211" "unplug --every 97" "noise --units 10" "boards --units 10"; do
    # shellcheck disable=SC2086 # words
    "$BUILD/packline" simulate --sweep $sweep
done
