#!/usr/bin/env bash
# How close flashing comes to what the wire and the flash allow: bytes that crossed × bit times + flash busy time, over
# wall time. Prints figures; judges nothing. Usage: BUILD=build/gcc tests/bench/flash_speed.sh [KiB]
set -euo pipefail
kib=${1:-64}
work=$(mktemp -d)
"$BUILD/packline-board" --family basen --listen "unix:$work/s" --bootloader --speed real >"$work/out" &
pid=$!
trap 'kill $pid 2>/dev/null; rm -rf "$work"' EXIT
sleep 0.3
head -c $((kib * 1024)) /dev/urandom >"$work/image.bin"
for line in 115200-8E1 460800-8E1 921600-8E1; do
    "$BUILD/packline" flash --json --line $line --link "unix:$work/s?pace" --loader an3155 "$work/image.bin" >"$work/log"
    tail -1 "$work/log" | python3 -c "
import json, sys
d = json.load(sys.stdin)['data']
baud = int('$line'.split('-')[0])
pages = -(-d['bytes'] // 2048)
busy = pages * 0.020 + d['bytes'] / 8 * 50e-6
wire = (d['wire_sent'] + d['wire_received']) * 11 / baud
print('%-11s %d KiB  wall %.3f s  limit %.3f s (wire %.3f, flash %.3f)  limit/wall %.3f  %s' % ('$line', $kib, d['seconds'], wire + busy, wire, busy, (wire + busy) / d['seconds'], d['method']))"
done
