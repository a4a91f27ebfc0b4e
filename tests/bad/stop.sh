#!/usr/bin/env bash
# A person stops the run, or the reference is away or overdue: recorded as what it is, and no current flows afterwards.
source "$SOURCE/tests/bad/lib.bash"
station_make

say "stopped in the middle of the calibration"
board_start 700
"$BUILD/packline" run --station "$station" --recipe "$release" --scan BSN00000700 --yes --json >"$work/out" 2>&1 </dev/null &
run_pid=$!
for _ in $(seq 2000); do
    grep -q '"verb":"calibrate_gain"' "$work/out" && break
    sleep 0.005
done
kill -INT "$run_pid"
code=0
wait "$run_pid" || code=$?
[ "$code" = 11 ] || die "exit code $code instead of 11"
[ "$(verdict_of BSN00000700)" = ABORTED ] || die "not recorded as ABORTED"
[ "$(printf 'OUTP?\n' | socat -t 1 - "UNIX-CONNECT:$work/bench.sock")" = 0 ] || die "current still flows"
unit BSN00000700
expect 0 'PASS BSN00000700'

say "the reference was due for calibration"
sed -E 's/due: .*/due: 2024-01-31/' "$station" >"$work/demo/overdue.yaml"
good=$station
station="$work/demo/overdue.yaml"
board_start 701
unit BSN00000701
expect 8 '2024-01-31'
say "the reference is another one, or away"
sed -E 's/identity: .*/identity: ACME,PSU/' "$good" >"$work/demo/other.yaml"
station="$work/demo/other.yaml"
unit BSN00000701
expect 8 'ACME'
sed -E "s#link: unix:$work/bench.sock#link: unix:$work/none.sock#" "$good" >"$work/demo/none.yaml"
station="$work/demo/none.yaml"
unit BSN00000701
expect 8
say "nobody answers a question"
station=$good
board_start 702 blank-flash
code=0
packline run --station "$station" --recipe "$release" --scan BSN00000702 >"$work/out" 2>&1 </dev/null || code=$?
expect 11 'nobody is here'
audit
