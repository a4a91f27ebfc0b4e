#!/usr/bin/env bash
# Adapters with Lawicel ASCII: python-can's slcan driver reads the virtual battery through the virtual adapter on a
# pseudo-terminal, and packline through the same adapter on a socket; a wrong bit rate and a channel left open.
set -euo pipefail
work=$(mktemp -d /tmp/packline-slcan-XXXXXX)
pid=
stop() {
    [ -z "$pid" ] || { kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; }
    pid=
}
trap 'stop; rm -rf "$work"' EXIT
die() {
    printf 'FAILED: %s\n' "$*"
    cat "$work/out"
    exit 1
}
start() { # LISTEN
    "$BUILD/packline-board" --family rockets --listen "$1" --slcan --unit-seed 31 --speed fast --defect awake >"$work/board" &
    pid=$!
    for _ in $(seq 100); do
        grep -q ^listening "$work/board" && return
        sleep 0.05
    done
    die "the virtual board did not start"
}
: >"$work/out"
profile=$SOURCE/recipes/boards/rockets-smart.yaml

echo "== python-can through the adapter"
start pty
/usr/bin/python3 - "$(sed -n 's/^listening pty://p' "$work/board")" <<'END'
import sys
import can
bus = can.interface.Bus(sys.argv[1], bustype="slcan", bitrate=250000, sleep_after_open=0.1)
def ask(text):
    bus.send(can.Message(arbitration_id=0x601, is_extended_id=False, data=bytes.fromhex(text)))
    while True:
        answer = bus.recv(10)
        assert answer is not None, "no answer to " + text
        if answer.arbitration_id == 0x581:
            return bytes(answer.data)
assert ask("4050200000000000").hex() == "4350200041000000"
assert ask("4000200100000000").hex() == "410020010c000000"
assert ask("6000000000000000") == b"\x00RS00000"
assert ask("7000000000000000") == b"\x1500031\0\0"
assert ask("4000210000000000").hex() == "8000210000000206"
bus.shutdown()
END
stop

echo "== packline through the adapter"
start "unix:$work/adapter"
link="slcan:unix:$work/adapter"
"$BUILD/packline" board connect --link "$link?trace=$work/trace.log" --profile "$profile" --allow-reference >"$work/out"
grep -q "^adapter *open .*slcan:unix:$work/adapter at 250000-can" "$work/out" || die "the adapter is not shown"
grep -q "^board *connected .*RS0000000031" "$work/out" || die "the battery is not shown"
grep -q ' 581#410020010C000000$' "$work/trace.log" || die "the trace has no segments"
"$BUILD/packline" board log --link "$link" --profile "$profile" --allow-reference >"$work/out"
[ "$(wc -l <"$work/out")" = 12 ] || die "the log has other than 12 records"
code=0
"$BUILD/packline" board identify --link "$link" --profile "$profile" >"$work/out" 2>&1 || code=$?
[ "$code" = 7 ] || die "a reference profile went onto an adapter without an override: exit code $code"

echo "== a channel that somebody left open"
printf 'S5\rO\r' | socat - "unix-connect:$work/adapter" >"$work/out"
"$BUILD/packline" can 601#4050200000000000 --link "$link" >"$work/out"
grep -q ' 581#4350200041000000$' "$work/out" || die "no answer through the channel"

echo "== another bit rate: silence; one that adapters have not: refused"
code=0
"$BUILD/packline" can 601#4050200000000000 --link "$link" --line 500000-can >"$work/out" 2>&1 || code=$?
[ "$code" = 0 ] && [ ! -s "$work/out" ] || die "something came at the wrong bit rate"
"$BUILD/packline" can --link "$link" --line 83333-can >"$work/out" 2>&1 || code=$?
[ "$code" = 3 ] || die "exit code $code instead of 3"
stop

echo "== no adapter at the port"
"$BUILD/packline-board" --family rockets --listen "unix:$work/mute" >"$work/board" &
pid=$!
sleep 1
code=0
"$BUILD/packline" can --link "slcan:unix:$work/mute" >"$work/out" 2>&1 || code=$?
[ "$code" = 4 ] && grep -q "no adapter answers" "$work/out" || die "exit code $code instead of 4"
