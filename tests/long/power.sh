#!/usr/bin/env bash
# The power is cut at every operation of the disk in a station's day, memory and disk are refused at more of them than every
# day.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
POWER_CASES=${POWER_CASES:-3000} "$BUILD/tests/store_test_power" >power.txt &
power=$!
MEMORY_CASES=${MEMORY_CASES:-2000} "$BUILD/tests/store_test_memory" >memory.txt &
memory=$!
code=0
wait "$power" || code=1
wait "$memory" || code=1
grep -hE 'cases:|requests|Bail|not ok' power.txt memory.txt
exit $code
