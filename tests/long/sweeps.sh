#!/usr/bin/env bash
# Points of every sweep, denser than every day; the whole of them is in docs/simulation.md.
set -euo pipefail
export BUILD
printf '%s\n' "crashes --from 7 --every 211" "unplug --every 97" "noise --units 10" "boards --units 10" |
    xargs -P "$(nproc)" -d '\n' -I{} bash -c 'out=$("$BUILD/packline" simulate --sweep {}) || code=$?; echo "$out"; exit ${code:-0}'
