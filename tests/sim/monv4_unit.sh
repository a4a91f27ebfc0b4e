#!/usr/bin/env bash
# monv4 from scan to label: the shipped 23S LFP recipe with firmware, then the 24S NMC recipe on a board of its own. What
# is on the boards afterwards is read by mbpoll, which knows nothing of packline.
set -euo pipefail
work=$(mktemp -d)
pid=
stop() {
    [ -z "$pid" ] || { kill "$pid" 2>/dev/null && wait "$pid"; } || true
    pid=
}
cleanup() {
    stop
    rm -rf "$work"
}
trap cleanup EXIT
die() {
    echo "FAILED: $*"
    [ ! -f "$work/out" ] || tail -20 "$work/out"
    exit 1
}

start() { # STATE LISTEN…
    local state=$1
    shift
    rm -f "$work/board"
    "$BUILD/packline-board" --family monv4 --state "$state" --unit-seed 12 --speed fast "$@" >"$work/board" 2>&1 &
    pid=$!
    for _ in $(seq 100); do
        grep -q ^listening "$work/board" 2>/dev/null && return
        sleep 0.05
    done
    die "the virtual board did not start: $(cat "$work/board")"
}

words() { # TYPE FIRST COUNT: registers in one line
    mbpoll -m rtu -a 1 -b 9600 -P none -0 -1 -o 2 -t "$1" -r "$2" -c "$3" "$tty" |
        sed -nE 's/^\[[0-9]+\]:[[:space:]]+([0-9]+).*/\1/p' | tr '\n' ' '
}

look() { # STATE: the board on a line of its own
    start "$1" --listen pty
    tty=$(sed -n 's/^listening pty://p' "$work/board")
    sleep 0.5
}

same() { # WHAT FOUND WANTED
    [ "$2" = "$3 " ] || die "$1 is '$2' instead of '$3'"
}

# What the label of the only unit in a folder says of its pack, as the profile names the items.
rating() { # FOLDER
    sqlite3 "$1/store/station.db" "SELECT payload ->> '$.payload' FROM journal WHERE type LIKE '%label%' LIMIT 1" |
        sed -E 's/.*"capacity":"([^"]*)".*"strings":"([^"]*)".*/\1 \2/'
}

export PACKLINE_SHARE=$SOURCE
cd "$work"
echo "== 23S LFP, with firmware"
"$BUILD/packline" demo --once --speed fast --family monv4 --folder "$work/demo" --scan BSN00000123 >"$work/out" 2>&1 ||
    die "the unit did not pass"
grep -q '^PASS BSN00000123$' "$work/out" || die "no PASS"
grep -q "reference dialect, not the vendor's protocol" "$work/out" || die "the dialect is not named"
[ -s "$work/demo/printed/BSN00000123.png" ] || die "no label"
[ "$(rating "$work/demo")" = "50 Ah 23S" ] || die "the label says '$(rating "$work/demo")'"
"$BUILD/packline" records show BSN00000123 --station "$work/demo/station.yaml" >"$work/record"
grep -q 'reference dialect' "$work/record" || die "the record does not name the dialect"
grep -q 'found on the board: pack overvoltage protection (protect.tov) is 85 V' "$work/record" ||
    die "what the board brought with it is not on record"

look "$work/demo/units/board-000001.state"
same "cells, AFE split" "$(words 4 261 3)" "23 12 11"
same "rate" "$(words 4 257 1)" "9600"
same "TOV, delay, TOVR" "$(words 4 280 3)" "8395 1 8000"
same "COV" "$(words 4 284 1)" "3650"
same "TUV" "$(words 4 288 1)" "5980"
same "UTD" "$(words 4 304 1)" "65336"
same "FCC, FCC_Iteration" "$(words 4 264 1)$(words 4 352 1)" "500 500"
same "alarm levels of COV" "$(words 4 365 3)" "3550 3600 3650"
same "sleep" "$(words 4 395 7)" "1 2200 10 3200 5760 3300 10080"
same "serial number" "$(words 4 1792 6)" "16979 20016 12336 12336 12594 13088" # BSN00000123 and a blank
same "protections and alarms" "$(words 3 16 4)" "0 0 0 0"
[ "$(words 4 336 2)" != "82 16380 " ] || die "the board is not calibrated"
stop

echo "== 24S NMC, a release without firmware"
cp "$SOURCE/recipes/monv4-50ah-24s-nmc.yaml" "$work/demo/recipes/"
"$BUILD/packline" release make "$work/demo/recipes/monv4-50ah-24s-nmc.yaml" --trust "$work/demo/trust" \
    --key "$work/demo/keys/demo-release.key" --out "$work/demo/recipes/nmc.yaml" >/dev/null
sed -E -e "s#link: unix:.*/board.sock.*#link: unix:$work/board.sock#" \
    -e "s#link: unix:.*/bench.sock#link: unix:$work/bench.sock#" "$work/demo/station.yaml" >"$work/demo/test.yaml"
run() { # SCAN
    "$BUILD/packline" run --station "$work/demo/test.yaml" --recipe "$work/demo/recipes/nmc.yaml" --scan "$1" --yes \
        >"$work/out" 2>&1 </dev/null
}
start "$work/lfp.state" --listen "unix:$work/board.sock" --bench "unix:$work/bench.sock"
code=0
run BSN00000125 || code=$?
[ "$code" = 7 ] || die "exit code $code for a board that reports LFP cells"
grep -q 'the board reports LFP cells (live.chemistry), the values of this recipe are for NMC' "$work/out" || die "no reason"
stop
look "$work/lfp.state"
same "serial number of the refused board" "$(words 4 1792 2)" "65535 65535"
stop
start "$work/nmc.state" --listen "unix:$work/board.sock" --bench "unix:$work/bench.sock" --defect nmc-cells
run BSN00000124 || die "the unit did not pass"
grep -q '^PASS BSN00000124$' "$work/out" || die "no PASS"
grep -q "rule 'charge-cells' is waived" "$work/out" || die "the waiver is not shown"
stop
look "$work/nmc.state"
same "cells, AFE split" "$(words 4 261 3)" "24 12 12"
same "CHG_V" "$(words 4 266 1)" "5600"
same "TOV, delay, TOVR" "$(words 4 280 3)" "10080 1 9888"
same "COV" "$(words 4 284 1)" "4200"
same "Vol0 to Vol10" "$(words 4 341 11)" "3010 3300 3710 3730 3750 3780 3810 3860 3920 4000 4150"
same "alarm levels" "$(words 4 362 12)" "9840 9960 10080 4100 4150 4200 7440 7320 7200 3100 3050 3000"
same "MidDelay" "$(words 4 399 1)" "5400"
stop
"$BUILD/packline" audit --station "$work/demo/test.yaml" >"$work/out" || die "audit"
