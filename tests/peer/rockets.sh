#!/usr/bin/env bash
# A battery of family rockets from scan to label over a CAN frame socket; what is asleep, mislabelled, out of balance or
# ill; the log of the bus as log2asc of can-utils and python-can read it; raw frames by hand.
set -euo pipefail
work=$(mktemp -d /tmp/packline-rockets-XXXXXX)
pid=
stop() {
    [ -z "$pid" ] || { kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; }
    pid=
}
trap 'stop; rm -rf "$work"' EXIT
packline() { "$BUILD/packline" "$@"; }
say() { printf '== %s\n' "$*"; }
die() {
    printf 'FAILED: %s\n' "$*"
    tail -15 "$work/out" | cut -c1-300
    exit 1
}

battery() { # NUMBER DEFECT…
    local number=$1 defects=()
    shift
    stop
    for defect in "$@"; do defects+=(--defect "$defect"); done
    "$BUILD/packline-board" --family rockets --listen "unix:$work/bus" --bench "unix:$work/bench" --speed fast \
        --unit-seed "$number" --state "$work/$number.state" "${defects[@]}" >"$work/board" 2>&1 &
    pid=$!
    for _ in $(seq 100); do
        grep -q ^bench "$work/board" && return
        sleep 0.05
    done
    die "the virtual battery did not start: $(cat "$work/board")"
}

unit() { # SCAN OPTION…
    local scan=$1
    shift
    code=0
    packline run --station "$work/station.yaml" --recipe "$work/recipes/release.yaml" --scan "$scan" --yes "$@" \
        >"$work/out" 2>&1 </dev/null || code=$?
}
expect() {
    [ "$code" = "$1" ] || die "exit code $code instead of $1"
    [ -z "${2-}" ] || grep -qE "$2" "$work/out" || die "no line like: $2"
}

mkdir -p "$work"/{keys,trust,recipes/boards,labels,store,printed}
cp "$SOURCE/labels/board-60x40.yaml" "$work/labels/"
cp "$SOURCE/recipes/boards/rockets-smart.yaml" "$work/recipes/boards/"
sed -E -e 's/wake_within: 2 min/wake_within: 3 s/' -e 's/timeout: 3 min/timeout: 15 s/' \
    "$SOURCE/recipes/rockets-smart.yaml" >"$work/recipes/rockets-smart.yaml"
packline keys line --folder "$work/keys" --role release --role firmware >/dev/null
cp "$work/keys/line.pub" "$work/trust/"
packline release make "$work/recipes/rockets-smart.yaml" --trust "$work/trust" --key "$work/keys/line.key" \
    --out "$work/recipes/release.yaml" >/dev/null
cat >"$work/station.yaml" <<END
schema: packline/station/1
station: rockets
store: store
trust: trust
slots:
  - slot: A
    link: can-socket:bus
    address: 1
    bench:
      - {kind: scpi, link: "unix:bench", identity: "PACKLINE,VIRTUAL-BENCH", due: 2099-12-31}
printers:
  - {printer: files, link: "file:printed", dpi: 300}
END
packline check "$work/station.yaml" "$work/recipes/rockets-smart.yaml"

say "from scan to label: asleep, woken by the bench, asleep again"
battery 101
unit RS0000000101
expect 0 "PASS"
grep -q "adapter open: can-socket:$work/bus at 250000-can" "$work/out" || die "the state of the adapter is not shown"
grep -q "board silent: Charge the battery for a few seconds" "$work/out" || die "the operator is not told what to do"
grep -qE "board connected: it answers after [0-9.]+ s" "$work/out" || die "the wake is not noticed"
grep -q "reference dialect" "$work/out" || die "nothing says that this is a reference dialect"
[ "$(find "$work/printed" -type f | wc -l)" -ge 1 ] || die "no label"
code=0
packline board identify --link "can-socket:$work/bus" --profile "$SOURCE/recipes/boards/rockets-smart.yaml" >"$work/out" 2>&1 || code=$?
expect 5 "no answer in time; a board that sleeps is silent: Charge the battery for a few seconds"

say "nothing wakes it"
battery 102 deep-sleep
unit RS0000000102
expect 4 "adapter open, but no board answers after .* Charge the battery for a few seconds"

say "the label of another battery"
battery 103 awake
unit RS0000000777
expect 7 "serial number is 'RS0000000103', the scan says 'RS0000000777'"

say "a battery with the number of the first one"
battery 104 awake same-sn:101
unit RS0000000101
expect 7

say "cells too far apart: hold, not fail; in balance again it passes"
battery 105 awake cell-spread
unit RS0000000105
expect 13 "charge the battery for 24 hours"
packline records list --station "$work/station.yaml" --sn RS0000000105 --json | sed -n 1p | grep '"verdict":"INTERRUPTED"' >/dev/null ||
    die "a unit on hold counts as something else"
battery 105
unit RS0000000105
expect 0 "PASS"

say "a flag that is on, one that is off, and both faults at once are bad, also beside a spread"
battery 106 awake flag:7
unit RS0000000106
expect 1 "active: OV"
battery 107 awake flag:0
unit RS0000000107
expect 1 "active: D-MOS off"
battery 108 awake flag:7 cell-spread
unit RS0000000108
expect 1 "active: OV"

say "a clock that cannot be set, a battery that does not sleep, another product, a bus that is never quiet"
battery 109 awake rtc-stuck
unit RS0000000109
expect 1 "clock error"
battery 110 awake sleepless
unit RS0000000110
expect 1 "still answers"
battery 111 awake wrong-product
unit RS0000000111
expect 7
battery 112 chatter
unit RS0000000112
expect 0 "PASS"

say "its label is scanned back while it sleeps: it is woken for that, and sleeps again"
sed 's/^store: store/store: store\nconfirm_labels: true/' "$work/station.yaml" >"$work/confirm.yaml"
battery 113
code=0
packline run --station "$work/confirm.yaml" --recipe "$work/recipes/release.yaml" --scan RS0000000113 --yes >"$work/out" 2>&1 \
    </dev/null || code=$?
expect 10 "LABEL NOT CONFIRMED"
packline label confirm --scan RS0000000113 --station "$work/confirm.yaml" >"$work/out" 2>&1 || die "not confirmed"
code=0
packline board identify --link "can-socket:$work/bus" --profile "$SOURCE/recipes/boards/rockets-smart.yaml" >"$work/out" 2>&1 || code=$?
expect 5 "no answer in time"

say "the promises hold"
packline audit --station "$work/station.yaml" >"$work/out" || die "a promise is violated"
packline records verify --station "$work/station.yaml" >"$work/out"

board=(--link "can-socket:$work/bus?trace=$work/trace.log" --profile "$SOURCE/recipes/boards/rockets-smart.yaml")
say "the two states, one after the other"
battery 120
packline board connect "${board[@]}" --within 20 >"$work/connect" 2>"$work/out" &
waiting=$!
for _ in $(seq 100); do
    grep -q '^board *silent' "$work/connect" && break
    sleep 0.1
done
grep -q '^adapter *open .*can-socket' "$work/connect" || die "the adapter's state is not shown"
printf 'SOUR:CURR 1\nOUTP ON\n' | socat - "unix-connect:$work/bench"
wait "$waiting" || die "the wake was not noticed"
grep -q '^board *connected .*RS0000000120' "$work/connect" || die "$(cat "$work/connect")"

say "who is on the bus: node 9, and nobody where all sleep"
stop
"$BUILD/packline-board" --family rockets --listen "unix:$work/bus" --bench "unix:$work/bench" --speed fast --unit-seed 121 \
    --address 9 --defect awake >"$work/board" 2>&1 &
pid=$!
for _ in $(seq 100); do
    grep -q ^bench "$work/board" && break
    sleep 0.05
done
sleep 0.1
packline scan-bus --link "can-socket:$work/bus" --profile "$SOURCE/recipes/boards/rockets-smart.yaml" >"$work/out"
grep -qE '^ +9 +ROCKETS-SMART .* RS0000000121 ' "$work/out" || die "node 9 is not found"
battery 122
code=0
packline scan-bus --link "can-socket:$work/bus" --profile "$SOURCE/recipes/boards/rockets-smart.yaml" --last 3 >"$work/out" 2>&1 || code=$?
expect 4 "no board answers at addresses 1 to 3; one that sleeps is silent"
battery 120 awake

say "log2asc takes the trace, and gives back its frames"
grep -c '^(' "$work/trace.log" >"$work/frames"
log2asc -I "$work/trace.log" -O "$work/trace.asc" bus
[ "$(grep -cE ' (601|581|701) +(Rx|Tx) ' "$work/trace.asc")" = "$(cat "$work/frames")" ] || die "log2asc sees other frames"

say "python-can takes the trace"
/usr/bin/python3 - "$work/trace.log" <<'END'
import sys
import can
messages = list(can.CanutilsLogReader(sys.argv[1]))
sent = [m for m in messages if m.arbitration_id == 0x601]
answers = [m for m in messages if m.arbitration_id == 0x581]
assert sent and answers and len(sent) >= len(answers), (len(sent), len(answers))
assert all(m.dlc == 8 for m in sent + answers)
assert bytes(sent[0].data[:4]) == bytes.fromhex("40091000")
END

say "a log that python-can wrote is replayed, and one of candump's own form"
/usr/bin/python3 - "$work/ask.log" <<'END'
import sys
import can
writer = can.CanutilsLogWriter(sys.argv[1])
writer(can.Message(timestamp=1.0, arbitration_id=0x601, is_extended_id=False, data=bytes.fromhex("4010200200000000")))
writer(can.Message(timestamp=1.2, arbitration_id=0x601, is_extended_id=False, data=bytes.fromhex("4010200300000000")))
writer.stop()
END
packline can --link "can-socket:$work/bus" --replay "$work/ask.log" --listen 300 >"$work/out"
grep -q ' 581#431020027C120000' "$work/out" || die "R-Cap, 4732 mAh, is not answered"
grep -q ' 581#43102003502D0000' "$work/out" || die "FullCap, 11600 mAh, is not answered"

say "frames as cansend takes them"
packline can 601#40.50.20.00.00.00.00.00 123#R --link "can-socket:$work/bus" --listen 300 >"$work/out"
grep -qE '^\([0-9]{10}\.[0-9]{6}\) bus 581#4350200041000000$' "$work/out" || die "the flags are not answered"
code=0
packline can 601#4 --link "can-socket:$work/bus" >"$work/out" 2>&1 || code=$?
expect 3 "no CAN frame"

say "the clock of each battery that is put on the adapter"
printf 'SOUR:CURR 0\nOUTP OFF\n' | socat - "unix-connect:$work/bench"
packline board clock "${board[@]/\?trace*/}" --auto --count 1 >"$work/out" || die "the clock was not set"
grep -qE "^RS0000000120 clock-set  $(date -u +%Y-%m-%dT%H):" "$work/out" || die "$(cat "$work/out")"

say "an adapter for frames is no UART, and none of the kernel's buses is called like this"
code=0
packline board identify --link "unix:$work/bus" --profile "$SOURCE/recipes/boards/rockets-smart.yaml" >"$work/out" 2>&1 || code=$?
expect 3 "carries no CAN frames"
code=0
packline can --link can:nosuchbus >"$work/out" 2>&1 || code=$?
expect 4 "can:nosuchbus"
