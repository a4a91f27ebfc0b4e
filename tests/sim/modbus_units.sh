#!/usr/bin/env bash
# mainx and seplos3 from scan to label by their shipped recipes. What is on the boards afterwards is read by mbpoll, which
# knows nothing of packline; the password of a board is in no file but its own. Recipes that must be refused.
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

start() { # FAMILY STATE LISTEN
    : >"$work/board"
    "$BUILD/packline-board" --family "$1" --state "$2" --unit-seed 1 --speed fast --listen "$3" >"$work/board" 2>&1 &
    pid=$!
    for _ in $(seq 100); do
        grep -q ^listening "$work/board" && break
        sleep 0.05
    done
    link=$(sed -n 's/^listening //p' "$work/board")
    [ -n "$link" ] || die "the virtual board did not start: $(cat "$work/board")"
    sleep 0.5
}

words() { # TYPE FIRST COUNT: registers or coils in one line
    local how=(-m rtu -b "$baud" -P none) where=${link#pty:}
    case $link in tcp:*)
        how=(-m tcp -p "${link##*:}")
        where=127.0.0.1
        ;;
    esac
    mbpoll "${how[@]}" -a "$unit" -0 -1 -o 2 -t "$1" -r "$2" -c "$3" "$where" |
        sed -nE 's/^\[[0-9]+\]:[[:space:]]+([0-9]+).*/\1/p' | tr '\n' ' '
}

same() { # WHAT FOUND WANTED
    [ "$2" = "$3 " ] || die "$1 is '$2' instead of '$3'"
}

demo() { # FAMILY SCAN
    "$BUILD/packline" demo --once --speed fast --family "$1" --folder "$work/$1" --scan "$2" >"$work/out" 2>&1 ||
        die "the $1 unit did not pass"
    grep -q "^PASS $2\$" "$work/out" || die "no PASS"
    [ -s "$work/$1/printed/$2.png" ] || die "no label"
    "$BUILD/packline" audit --station "$work/$1/station.yaml" >"$work/out" || die "audit of $1"
}

# refuse RECIPE SED PATTERN: the changed recipe is an error that says so
refuse() {
    sed -E "$2" "$1" >"$work/recipes/r.yaml"
    ! cmp -s "$1" "$work/recipes/r.yaml" || die "'$2' changes nothing"
    ! "$BUILD/packline" check "$work/recipes/r.yaml" >"$work/out" 2>&1 || die "'$2' is accepted"
    grep -qE "r.yaml:[0-9]+:[0-9]+: error: .*$3" "$work/out" || die "'$2' does not say '$3'"
}

# What the label of the only unit in a folder says of its pack, as the profile names the items.
rating() { # FOLDER
    sqlite3 "$1/store/station.db" "SELECT payload ->> '$.payload' FROM journal WHERE type LIKE '%label%' LIMIT 1" |
        sed -E 's/.*"capacity":"([^"]*)".*"strings":"([^"]*)".*/\1 \2/'
}

export PACKLINE_SHARE=$SOURCE
cd "$work"
mkdir -p recipes labels
cp -r "$SOURCE/recipes/boards" recipes/
cp "$SOURCE"/labels/*.yaml labels/

echo "== mainx"
demo mainx BSN00000321
[ "$(grep -rl 'ftp-Pa55word' mainx | sort | tr '\n' ' ')" = "mainx/secrets/mainx-ftp mainx/units/board-000001.state " ] ||
    die "the password is in $(grep -rl 'ftp-Pa55word' mainx | tr '\n' ' ')"
! grep -rqE '66 74 70 2D 50 61|6674702D506135|6674702d506135' mainx/store || die "the password is in the store as hex"
"$BUILD/packline" records show BSN00000321 --station mainx/station.yaml >record
grep -q 'reference dialect' record || die "the record does not name the dialect"
baud=9600 unit=32
start mainx "$work/mainx/units/board-000001.state" pty
same "serial number" "$(words 4 24576 6)" "16979 20016 12336 12336 13106 12544" # BSN00000321 and 00H
same "SD card" "$(words 4 24832 3)" "1 10 1"
same "FTP enable, port" "$(words 4 25088 1)$(words 4 25113 1)" "1 21"
same "versions" "$(words 3 0 5)" "259 1026 1 0 1"
same "state" "$(words 3 4096 3)" "50 100 99"
stop
echo "== mainx over Modbus TCP"
start mainx-tcp "$work/tcp.state" tcp:127.0.0.1:0
"$BUILD/packline" board write --link "$link" --allow-reference --profile recipes/boards/mainx-reference-tcp.yaml \
    sd.period "25 s" >out 2>&1 || die "the period over TCP"
same "SD card over TCP" "$(words 4 24832 3)" "0 25 0"
"$BUILD/packline" board log --link "$link" --allow-reference --profile recipes/boards/mainx-reference-tcp.yaml >out
[ "$(head -1 out | awk '{print $1}')" = 6 ] && [ "$(wc -l <out)" = 6 ] || die "the journal is not read newest first"
stop

echo "== mainx: a password stands on no command line"
printf 'other-Pa55word\n' >password
chmod 600 password
start mainx "$work/secret.state" "unix:$work/bus"
far=(--link "unix:$work/bus" --profile recipes/boards/mainx-reference.yaml)
refused() { # PATTERN WORD…
    ! "$BUILD/packline" board write "${@:2}" "${far[@]}" >out 2>&1 || die "accepted: ${*:2}"
    grep -q -- "$1" out || die "'${*:2}' does not say '$1'"
}
refused '@FILE' ftp.password other-Pa55word
"$BUILD/packline" board write ftp.password @password "${far[@]}" >out 2>&1 || die "the password from a file"
grep -q '^ftp.password \*\*\* (read back)' out || die "the password is shown"
stop

echo "== mainx, what must not reach a board"
r=$SOURCE/recipes/mainx.yaml
refuse "$r" 's/sd.enable: true/sd.enable: false/' 'needs sd.enable'
refuse "$r" '/ftp.host/d' 'needs ftp.host'
refuse "$r" '/sd.period/d' 'needs sd.period'
refuse "$r" 's/sd.log_modules: true/sd.log_modules: false/' 'needs sd.log_modules'
refuse "$r" 's/ftp.enable: true/ftp.enable: false/' 'needs ftp.enable'
refuse "$r" '/ftp.user/d' 'needs ftp.user'
refuse "$r" 's/secret:mainx-ftp/geheim/' 'does not stand in a recipe'
refuse "$r" 's/ftp.port: 21/ftp.port: 70000/' 'outside the range'
refuse "$r" 's/(user.address: ).*/\1Straße 3/' 'printable ASCII'
refuse "$r" 's/sd.period: 10 s/live.soc: 3 %/' 'read-only'
sed -i '/mainx-ftp:/d' mainx/station.yaml
! "$BUILD/packline" run --station mainx/station.yaml --recipe mainx/recipes/release.yaml --scan BSN00000322 --yes >out 2>&1 </dev/null ||
    die "a secret that the station does not have is no matter"
grep -q "no secret named 'mainx-ftp'" out || die "the missing secret is not named"

echo "== seplos3"
demo seplos3 BSN00000654
[ "$(rating seplos3)" = "330 Ah 16S" ] || die "the label says '$(rating seplos3)'"
! "$BUILD/packline" records show BSN00000654 --station seplos3/station.yaml | grep 'reference dialect' >/dev/null ||
    die "the vendor's own protocol is called a reference dialect"
baud=19200 unit=1
start seplos3 "$work/seplos3/units/board-000001.state" pty
same "pack SN" "$(words 3 5924 6)" "16979 20016 12336 12336 13877 13312" # BSN00000654 and 00H
same "cells" "$(words 3 4865 1)" "16"
same "capacities" "$(words 3 4952 3)" "33000 33000 16500"
same "cell overvoltage" "$(words 3 4877 1)" "3650"
same "discharge overcurrent" "$(words 3 4893 1)" "65326"
same "sleep after" "$(words 3 4955 1)" "24"
sum=$(words 3 4352 16 | tr ' ' '\n' | awk '{sum += $1} END {print sum}')
pack=$(words 3 4096 1)
[ $((pack * 10 - sum)) -le 40 ] && [ $((sum - pack * 10)) -le 40 ] || die "the pack reads $pack, its cells make $sum mV"
same "buzzer, display" "$(words 0 5184 2)" "0 1"
same "inverter" "$(words 3 6144 2)" "0 500"
same "events" "$(words 0 4680 40)" "$(printf '0 %.0s' $(seq 40) | sed 's/ $//')"
stop
start seplos3 "$work/seplos3/units/board-000001.state" "unix:$work/bus"
"$BUILD/packline" board log --link "$link" --profile recipes/boards/seplos3.yaml >out || die "the log"
[ "$(wc -l <out)" = 12 ] || die "the log has $(wc -l <out) records"
stop

echo "== a label says what only the board decides, too"
demo daly-modbus 226JD0000000001
[ "$(rating daly-modbus)" = "100 Ah 16S" ] || die "the label says '$(rating daly-modbus)'"

echo "== seplos3, what must not reach a board"
r=$SOURCE/recipes/seplos3-16s-330ah.yaml
refuse "$r" 's/parameter.sleep_time: 24 h/parameter.cell_ov: 4.2 V/' 'LFP cells are full between'
refuse "$r" 's/parameter.sleep_time: 24 h/parameter.cell_high: 3.7 V/' 'not above cell high voltage alarm'
refuse "$r" 's/parameter.sleep_time: 24 h/parameter.discharge_oc: -100 A/' 'not above|which is not'
refuse "$r" 's/count: 16/count: 17/' 'outside the range'
refuse "$r" 's/full: 330 Ah/full: 300 Ah/' "waive the rule 'capacity'"
refuse "$r" 's/identity.pack_sn: .*/identity.bms_sn: X1/' 'is for engineers'
refuse "$r" 's/inverter.protocol: 0/control.boot: 21930/' 'is for engineers'
