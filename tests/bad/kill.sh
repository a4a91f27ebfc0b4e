#!/usr/bin/env bash
# kill -9 at any step, then a restart: nothing acknowledged is lost, nothing is allocated twice, the board passes.
source "$SOURCE/tests/bad/lib.bash"
station_make

steps=$(grep -c '^  - do:' "$work/demo/recipes/basen-100ah-16s.yaml")
n=300
for step in $(seq 0 $((steps - 1))); do
    n=$((n + 1))
    board_start "$n"
    say "killed in step $step"
    rm -f "$work/out"
    "$BUILD/packline" run --station "$station" --recipe "$release" --scan "BSN00000$n" --yes --json >"$work/out" 2>&1 \
        </dev/null &
    run_pid=$!
    for _ in $(seq 2000); do
        grep -q "\"type\":\"task_begin\".*\"step\":$step[,}]" "$work/out" 2>/dev/null && break
        kill -0 "$run_pid" 2>/dev/null || break
        sleep 0.005
    done
    kill -9 "$run_pid" 2>/dev/null || true
    wait "$run_pid" 2>/dev/null || true
    # What was shown as done must be on record, in a run that is now INTERRUPTED (or ended by itself).
    shown=$(grep -c '"type":"task_end".*"ok":true' "$work/out" || true)
    unit "BSN00000$n"
    if [ "$code" = 7 ]; then
        grep -q '"verdict":"PASS"' "$work/out" || packline records list --station "$station" --sn "BSN00000$n" --json |
            grep -q '"verdict":"PASS"' || die "refused although it never passed"
    else
        expect 0 "PASS BSN00000$n"
        packline records list --station "$station" --sn "BSN00000$n" --json | grep '"verdict":"INTERRUPTED"' >/dev/null ||
            die "the killed run is not INTERRUPTED ($shown steps were shown)"
    fi
done
audit
