#!/usr/bin/env bash
# mbpoll (libmodbus) and packline read the same settings from every Modbus family's virtual board, register by register; what one
# writes the other reads; both name an exception. RTU on a pseudo-terminal and TCP.
set -euo pipefail
work=$(mktemp -d)
pid=
stop() {
    [ -z "$pid" ] || { kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; }
    pid=
}
trap 'stop; rm -rf "$work"' EXIT
die() {
    echo "FAILED: $*"
    exit 1
}
start() { # FAMILY LISTEN: one board; it keeps its state from one start to the next
    stop
    rm -f "$work/board"
    "$BUILD/packline-board" --family "$1" --listen "$2" --unit-seed 5 --speed fast --state "$work/$1.state" >"$work/board" &
    pid=$!
    for _ in $(seq 100); do
        grep -q ^listening "$work/board" 2>/dev/null && break
        sleep 0.05
    done
    listening=$(sed -n 's/^listening //p' "$work/board")
    [ -n "$listening" ] || die "$1 does not listen on $2"
    sleep 0.5
}
mb() { # OPTION…: one exchange, over $tty or $port
    if [ -n "$port" ]; then
        mbpoll -m tcp -p "$port" -a "$unit" -0 -1 -o 2 "$@" 127.0.0.1
    else
        mbpoll -m rtu -b "$baud" -P none -a "$unit" -0 -1 -o 2 "$@" "$tty"
    fi
}
write() { # REGISTER VALUE…: one by 06, more by 10
    local register=$1
    shift
    if [ -n "$port" ]; then
        mbpoll -m tcp -p "$port" -a "$unit" -0 -1 -o 2 -t 4 -r "$register" 127.0.0.1 -- "$@"
    else
        mbpoll -m rtu -b "$baud" -P none -a "$unit" -0 -1 -o 2 -t 4 -r "$register" "$tty" -- "$@"
    fi
}
hex() { # TYPE FIRST COUNT: as packline shows a block: two bytes a register, one a coil
    local digits=4 first=$2 left=$3 part
    [ "$1" != 0 ] || digits=2
    while [ "$left" -gt 0 ]; do
        part=$((left > 60 ? 60 : left))
        mb -t "$1" -r "$first" -c "$part" | sed -nE 's/^\[[0-9]+\]:[[:space:]]+(-?[0-9]+).*/\1/p' |
            while read -r value; do printf "%0${digits}X" $((value & 0xffff)); done
        first=$((first + part)) left=$((left - part))
    done
}
packline_board() { # VERB ARGUMENT…
    local verb=$1
    shift
    "$BUILD/packline" board "$verb" --address "$unit" --profile "$SOURCE/recipes/boards/$profile.yaml" --link "$link" "$@"
}
connect() { # FAMILY TCP: how mbpoll gets to the board
    tty='' port=''
    if [ -n "$2" ]; then
        start "$1" tcp:127.0.0.1:0
        port=${listening##*:}
    else
        start "$1" pty
        tty=${listening#pty:}
    fi
}

# FAMILY PROFILE UNIT BAUD KEY REGISTER VALUES TYPE-REFUSED [tcp]: KEY is the first of VALUES, register 3000 is not there
family() {
    local name=$1 key=$5 register=$6 values=$7 refused=$8 tcp=${9:-} block number size command type count
    profile=$2 unit=$3 baud=$4 tty='' port=''
    echo "== $name: $profile"
    start "$name" "unix:$work/line"
    link=unix:$work/line
    packline_board image >"$work/image"
    connect "$name" "$tcp"
    sed -nE 's/^ *- \{name: ([a-z0-9_]+), number: ([0-9xA-Fa-f]+), size: ([0-9]+)(, read_command: ([a-z_]+))?,.*in_image: true.*/\1 \2 \3 \5/p' \
        "$SOURCE/recipes/boards/$profile.yaml" >"$work/blocks"
    [ "$(wc -l <"$work/blocks")" -ge 2 ] || die "no blocks in $profile"
    while read -r block number size command; do
        case $command in
        read_coils) type=0 count=$size ;;
        read_input | read_registers) type=3 count=$((size / 2)) ;;
        *) type=4 count=$((size / 2)) ;;
        esac
        hex "$type" $((number)) "$count" >"$work/theirs" </dev/null
        python3 - "$work/image" "$block" "$work/theirs" <<'END' || die "$name: block $block"
import json, sys
ours = json.load(open(sys.argv[1]))["blocks"][sys.argv[2]]
theirs = open(sys.argv[3]).read()
hidden = "".join("*" if o == "*" else t for o, t in zip(ours, theirs))
assert len(ours) == len(theirs) and ours == hidden and ours.strip("*"), (ours, theirs)
END
    done <"$work/blocks"
    # shellcheck disable=SC2086
    write $((register)) $values >"$work/said" || die "mbpoll cannot write: $(cat "$work/said")"
    if mb -t "$refused" -r 3000 -c 1 >"$work/said" 2>&1; then die "mbpoll read register 3000"; fi
    grep -q "Illegal data address" "$work/said" || die "mbpoll says $(cat "$work/said")"
    # Settings go into flash a while later.
    sleep 1
    start "$name" "unix:$work/line"
    raw=$(packline_board read --json "$key" | python3 -c 'import json, sys; print(json.load(sys.stdin)["data"]["raw"])')
    [ "$raw" = "${values%% *}" ] || die "$name: $key is $raw instead of ${values%% *}"
}
family monv4 monv4-reference 1 9600 protect.tov 0x0118 8000 4
family daly-modbus daly-modbus-16s 210 9600 pack.rated 0x0080 950 4
family seplos3 seplos3 1 19200 parameter.pack_ov_release 0x1304 "5500 5400" 3
family mainx mainx-reference 32 9600 sd.period 0x6101 77 4
family mainx-tcp mainx-reference-tcp 32 9600 sd.period 0x6101 78 4 tcp
