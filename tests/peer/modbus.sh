#!/usr/bin/env bash
# libmodbus on both sides of the wire: mbpoll against the virtual board, packline against a libmodbus server, RTU and TCP.
set -euo pipefail
work=$(mktemp -d)
pids=()
cleanup() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap cleanup EXIT

die() {
    echo "FAILED: $*"
    exit 1
}

wait_for() { # FILE PATTERN
    for _ in $(seq 100); do
        grep -q "$2" "$1" 2>/dev/null && return
        sleep 0.05
    done
    die "no '$2' in $1"
}

# must_say TEXT COMMAND…: the command fails and says so
must_say() {
    local text=$1
    shift
    if "$@" >"$work/said" 2>&1; then die "$* was obeyed"; fi
    grep -q -- "$text" "$work/said" || die "$* says: $(cat "$work/said")"
}

"$BUILD/packline-board" --family monv4 --listen pty --unit-seed 5 --speed fast >"$work/board" &
pids+=($!)
wait_for "$work/board" ^listening
tty=$(sed -n 's/^listening pty://p' "$work/board")
poll() { # one exchange with the board; values as "number value" lines
    mbpoll -m rtu -a 1 -b 9600 -P none -0 -1 -o 2 "$@"
}
values() {
    sed -nE 's/^\[([0-9]+)\]:[[:space:]]+(-?[0-9]+).*/\1 \2/p'
}

echo "== mbpoll reads what the manual prints"
poll -t 4 -r 256 -c 24 "$tty" | values >"$work/system"
[ "$(awk '{printf "%s ", $2}' "$work/system")" = "1 9600 250 250 1000 23 12 11 500 3 8400 100 102 95 30 20 0 100 50 0 3 3 0 0 " ] ||
    die "SYSTEM is $(cat "$work/system")"
[ "$(poll -t 3 -r 11 -c 1 "$tty" | values)" = "11 23" ] || die "the cell count"
[ "$(poll -t 3 -r 60 -c 2 "$tty" | values | awk '{printf "%s ", $2}')" = "65136 65136 " ] || die "absent sensors"
poll -t 3 -r 0 -c 62 "$tty" | values | awk '$1 == 1 {pack = $2 * 10} $1 >= 32 && $1 < 55 {sum += $2}
    END {exit !(sum > 70000 && pack <= sum && sum - pack < 10)}' || die "cells and pack voltage do not agree"

echo "== mbpoll writes one and many; what is not allowed is refused by name"
poll -t 4 -r 280 "$tty" -- 8000 >"$work/said"
poll -t 4 -r 261 "$tty" -- 24 12 12 >"$work/said"
[ "$(poll -t 4 -r 280 -c 1 "$tty" | values)" = "280 8000" ] || die "TOV"
[ "$(poll -t 4 -r 261 -c 3 "$tty" | values | awk '{printf "%s ", $2}')" = "24 12 12 " ] || die "AFE split"
must_say "Illegal data value" poll -t 4 -r 261 "$tty" -- 20
must_say "Illegal data address" poll -t 4 -r 3000 "$tty"
must_say "Illegal function" poll -t 0 -r 0 "$tty"
must_say "Illegal data value" poll -t 4 -r 1540 "$tty" -- 7
must_say "timed out" mbpoll -m rtu -a 2 -b 9600 -P none -0 -1 -o 0.3 -t 4 -r 256 "$tty"

# A board that is nothing but libmodbus: 200 holding registers from 100, 10 input registers, 20 coils from 5.
profile() { # DIALECT
    cat <<END
schema: packline/profile/1
profile: peer
family: peer
dialect: $1
title: libmodbus server
product: none
line: 19200-8N1
address: 17
reply_max: 1 s
blocks:
  - {name: table, number: 100, size: 400, in_image: true, evidence: measured}
  - {name: input, number: 0, size: 20, read_command: read_input, in_image: true, evidence: measured}
  - {name: coils, number: 5, size: 20, read_command: read_coils, in_image: true, evidence: measured}
  - {name: nowhere, number: 5000, size: 2, evidence: measured}
commands:
  - {name: read_input, code: 4, evidence: measured}
  - {name: read_coils, code: 1, evidence: measured}
  - {name: write_register, code: 6, evidence: measured}
  - {name: write_coil, code: 5, evidence: measured}
items:
  - {key: a.first, name: f, block: table, offset: 0, type: u16, level: operator, evidence: measured}
  - {key: a.long, name: l, block: table, offset: 300, type: i32, level: operator, evidence: measured}
  - {key: a.last, name: z, block: table, offset: 398, type: u16, level: operator, evidence: measured}
  - {key: a.input, name: i, block: input, offset: 18, type: u16, access: read-only, level: operator, evidence: measured}
  - {key: a.coil, name: c, block: coils, offset: 11, type: flag, level: operator, evidence: measured}
  - {key: a.nowhere, name: n, block: nowhere, offset: 0, type: u16, level: operator, evidence: measured}
END
}
profile modbus >"$work/rtu.yaml"
profile modbus-tcp >"$work/tcp.yaml"

exercise() { # PROFILE LINK
    board() { local verb=$1; shift; "$BUILD/packline" board "$verb" --profile "$work/$profile.yaml" --link "$link" "$@"; }
    local profile=$1 link=$2
    [ "$(board read a.first a.long a.last a.input a.coil | awk '{printf "%s ", $2}')" = "1000 75367551 1199 2009 false " ] ||
        die "$profile: read $(board read a.first a.long a.last a.input a.coil)"
    board write a.long -- -123456789 >"$work/said"
    board write a.coil true >"$work/said"
    board write a.first 4660 >"$work/said"
    [ "$(board read a.first a.long a.last a.coil | awk '{printf "%s ", $2}')" = "4660 -123456789 1199 true " ] || die "$profile: written"
    # 200 registers come in two requests, and are the same values
    board image | python3 -c 'import json, sys
b = json.load(sys.stdin)["blocks"]
assert len(b["table"]) == 800 and b["table"][:4] == "1234" and b["table"][4:8] == "03E9" and b["table"][-4:] == "04AF", b
assert b["coils"] == "".join("%02X" % (i % 3 == 0 or i == 11) for i in range(20)), b' || die "$profile: image"
    must_say "illegal data address" board read a.nowhere
    must_say "reading holding registers 1388H" board read a.nowhere
    must_say "no answer in time" board read --address 18 a.first
}

echo "== packline and a libmodbus server, RTU"
server="$BUILD/tests/modbus_server"
[ -x "$server" ] || die "$server is not built: libmodbus-dev is missing"
socat "PTY,raw,echo=0,link=$work/tty" "PTY,raw,echo=0,link=$work/end" &
pids+=($!)
for _ in $(seq 100); do [ -e "$work/tty" ] && [ -e "$work/end" ] && break; sleep 0.05; done
# One caller at a time, or an earlier one's process would take the answers.
socat -t 0.05 "UNIX-LISTEN:$work/line,fork,max-children=1" "OPEN:$work/end,raw,echo=0" &
pids+=($!)
"$server" rtu "$work/tty" >"$work/rtu" &
pids+=($!)
wait_for "$work/rtu" ready
for _ in $(seq 100); do [ -S "$work/line" ] && break; sleep 0.05; done
exercise rtu "unix:$work/line"

echo "== packline and a libmodbus server, TCP"
"$server" tcp 0 >"$work/tcp" &
pids+=($!)
wait_for "$work/tcp" ready
exercise tcp "tcp:127.0.0.1:$(awk '{print $2}' "$work/tcp")"
