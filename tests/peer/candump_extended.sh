#!/usr/bin/env bash
# can-utils and python-can with frames of 29-bit ids: the trace of a bus goes through log2asc and asc2log and python-can and is
# the same frames still; the log that asc2log and python-can wrote is replayed.
set -euo pipefail
work=$(mktemp -d /tmp/packline-candump-XXXXXX)
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || true; rm -rf "$work"' EXIT
die() {
    printf 'FAILED: %s\n' "$*"
    exit 1
}
frames() { # LOG: what was on the bus, without when
    sed -nE 's/^\([^)]*\) +[^ ]+ +([0-9A-F]+#[0-9A-F]*).*/\1/p' "$1"
}
"$BUILD/packline-board" --family daly-can --listen "unix:$work/bus" --unit-seed 7 --speed fast >"$work/board" &
pid=$!
for _ in $(seq 100); do
    grep -q ^listening "$work/board" && break
    sleep 0.05
done
link="can-socket:$work/bus"

echo "== the trace of a whole reading"
"$BUILD/packline" board telemetry --link "$link?trace=$work/trace.log" \
    --profile "$SOURCE/recipes/boards/daly-can-16s.yaml" >"$work/said"
frames "$work/trace.log" >"$work/ours"
[ "$(grep -cE '^18[0-9A-F]{6}#[0-9A-F]{16}$' "$work/ours")" -gt 20 ] || die "the trace has too few frames"

echo "== log2asc, and asc2log back"
bus=$(awk 'NR == 1 { print $2 }' "$work/trace.log")
log2asc -I "$work/trace.log" -O "$work/trace.asc" "$bus"
asc2log -I "$work/trace.asc" -O "$work/back.log"
frames "$work/back.log" >"$work/theirs"
diff "$work/ours" "$work/theirs" || die "asc2log gives other frames"

echo "== python-can reads the trace, and writes one"
/usr/bin/python3 - "$work/trace.log" "$work/python.log" <<'END'
import sys
import can
messages = list(can.CanutilsLogReader(sys.argv[1]))
assert messages and all(m.is_extended_id and m.dlc == 8 for m in messages), messages
writer = can.CanutilsLogWriter(sys.argv[2])
for message in messages:
    writer(message)
writer.stop()
END
frames "$work/python.log" | diff "$work/ours" - || die "python-can gives other frames"

echo "== logs of both are replayed: the requests are answered as they were"
answer=$(grep -m1 '^18[0-9A-F]\{2\}4001#' "$work/ours")
for log in back python; do
    # Only what was asked, and 50 ms apart: the board answers it anew.
    grep -E ' 18[0-9A-F]{2}0140#' "$work/$log.log" | head -3 | awk '{ sub(/^\([0-9.]*\)/, sprintf("(%.6f)", NR * 0.05)); print }' \
        >"$work/ask.log"
    [ "$(wc -l <"$work/ask.log")" = 3 ] || die "$log.log holds no requests"
    "$BUILD/packline" can --link "$link" --replay "$work/ask.log" --listen 500 >"$work/said"
    grep -qF " ${answer%%#*}#" "$work/said" || die "nothing answers the replay of $log.log: $(cat "$work/said")"
done
