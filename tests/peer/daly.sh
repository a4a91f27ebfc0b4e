#!/usr/bin/env bash
# Boards of families daly and tianpower from scan to label, on each service; what is ill or mislabelled; what the register
# map holds afterwards is read by mbpoll, the bus is asked with frames written by hand.
set -euo pipefail
work=$(mktemp -d)
pid=
stop() {
    [ -z "$pid" ] || { kill "$pid" 2>/dev/null && wait "$pid"; } || true
    pid=
}
trap 'stop; rm -rf "$work"' EXIT
packline() { "$BUILD/packline" "$@"; }
say() { printf '== %s\n' "$*"; }
die() {
    printf 'FAILED: %s\n' "$*"
    [ ! -f "$work/out" ] || tail -15 "$work/out" | cut -c1-300
    exit 1
}

board() { # FAMILY SEED DEFECT…: a board of its own in the slot of its family
    local family=$1 seed=$2 defects=()
    shift 2
    stop
    for defect in "$@"; do defects+=(--defect "$defect"); done
    "$BUILD/packline-board" --family "$family" --listen "unix:$work/$family" --bench "unix:$work/$family.bench" \
        --speed fast --unit-seed "$seed" --state "$work/$family-$seed.state" "${defects[@]}" >"$work/board" 2>&1 &
    pid=$!
    for _ in $(seq 100); do
        grep -q ^bench "$work/board" && return
        sleep 0.05
    done
    die "the virtual board did not start: $(cat "$work/board")"
}

run() { # FAMILY SCAN CODE PATTERN
    local code=0
    packline run --station "$work/station.yaml" --slot "$1" --recipe "$work/recipes/$1.release.yaml" --scan "$2" --yes \
        >"$work/out" 2>&1 </dev/null || code=$?
    [ "$code" = "$3" ] || die "$1: exit code $code instead of $3"
    grep -qE "$4" "$work/out" || die "$1: no line like: $4"
}

mkdir -p "$work"/{keys,trust,recipes/boards,labels,store,printed}
cp "$SOURCE/labels/board-60x40.yaml" "$work/labels/"
cp "$SOURCE"/recipes/boards/{daly-*,tianpower-*}.yaml "$work/recipes/boards/"
cp "$SOURCE"/recipes/{daly-*,tianpower-*}.yaml "$work/recipes/"
packline keys line --folder "$work/keys" --role release --role firmware >/dev/null
cp "$work/keys/line.pub" "$work/trust/"
recipe() {
    packline release make "$work/recipes/$2.yaml" --trust "$work/trust" --key "$work/keys/line.key" \
        --out "$work/recipes/$1.release.yaml" >/dev/null
}
recipe daly daly-uart-16s
recipe daly-can daly-can-16s
recipe daly-modbus daly-modbus-100ah-16s
recipe tianpower tianpower-16s
{
    printf 'schema: packline/station/1\nstation: bought\nstore: store\ntrust: trust\nslots:\n'
    for slot in daly daly-can daly-modbus tianpower; do
        link=unix
        [ "$slot" != daly-can ] || link=can-socket
        printf '  - slot: %s\n    link: %s:%s\n' "$slot" "$link" "$slot"
        [ "$slot" != daly-modbus ] || printf '    address: 210\n'
        printf '    bench:\n      - {kind: scpi, link: "unix:%s.bench", identity: "PACKLINE,VIRTUAL-BENCH", due: 2099-12-31}\n' "$slot"
    done
    printf 'printers:\n  - {printer: files, link: "file:printed", dpi: 300}\n'
} >"$work/station.yaml"
packline check "$work/station.yaml" "$work"/recipes/{daly-*,tianpower-*}.yaml

say "from scan to label on each service, without a reference dialect"
board daly 101
run daly DALY-000101 0 "PASS"
grep -q "the scanned label is believed" "$work/out" || die "nobody says what the board is known by"
grep -q "reference dialect" "$work/out" && die "a public protocol is called a reference"
board daly-can 102
run daly-can DALY-000102 0 "PASS"
board daly-modbus 103
run daly-modbus 226JD0000000103 0 "PASS"
board tianpower 104
run tianpower TP-000104 0 "PASS"
[ "$(find "$work/printed" -name '*.png' | wc -l)" -eq 4 ] || die "not four labels"

say "what the register map holds is read by mbpoll"
"$BUILD/packline-board" --family daly-modbus --listen pty --state "$work/daly-modbus-103.state" >"$work/board" 2>&1 &
stop
pid=$!
for _ in $(seq 100); do
    grep -q ^listening "$work/board" && break
    sleep 0.05
done
tty=$(sed -n 's/^listening pty://p' "$work/board")
sleep 0.5
words() { # FIRST COUNT
    mbpoll -m rtu -a 210 -b 9600 -P none -0 -1 -o 2 -t 4 -r "$1" -c "$2" "$tty" |
        sed -nE 's/^\[[0-9]+\]:[[:space:]]+([0-9]+).*/\1/p' | tr '\n' ' '
}
same() { # WHAT FOUND WANTED
    [ "$2" = "$3 " ] || die "$1 is '$2' instead of '$3'"
}
same "capacity, boards, cells" "$(words 128 9)" "1000 3200 1 16 0 0 2 0 0"
same "cell limits" "$(words 139 4)" "3550 3650 2900 2600"
same "pack limits" "$(words 143 4)" "568 584 464 416"
same "current limits" "$(words 147 4)" "29500 29400 31000 31200"
same "temperature limits" "$(words 151 8)" "85 95 42 40 95 105 25 20"
same "balancing, MOSFETs, charge" "$(words 163 5)" "3400 30 1 1 500"
same "machine code" "$(words 185 2)" "12850 13898"
same "password" "$(words 201 3)" "12594 13108 13622"

say "the bus is asked by hand"
board daly-can 102
packline can 18900140#0000000000000000 18950140#0000000000000000 18900240#0000000000000000 --link "can-socket:$work/daly-can" \
    --listen 300 >"$work/out"
grep -qE ' 18904001#[0-9A-F]{4}0000[0-9A-F]{4}01F4' "$work/out" || die "no pack reading"
[ "$(grep -cE ' 18954001#0[1-6](0C[0-9A-F]{2}){1,3}' "$work/out")" = 6 ] || die "not six frames of cells"
grep -q '4002#' "$work/out" && die "a board that is not there answers"

say "ill boards are bad"
board daly 111 flag:1
run daly DALY-000111 1 "active: cell OV 2"
board daly-can 112 cell-spread
run daly-can DALY-000112 1 "cell_delta"
board tianpower 113 flag:4
run tianpower TP-000113 1 "active: OV"
board daly 114 rtc-stuck
run daly DALY-000114 1 "clock"
board daly-modbus 115 no-zero
run daly-modbus 226JD0000000115 1 "zero"
board daly-modbus 116 ack-param-no-write
run daly-modbus 226JD0000000116 6 "reads"

say "the wrong board, the wrong label"
board daly 121 wrong-product
run daly DALY-000121 7 "wrong board in the slot: it is a 'R08S1A-8S100A'"
board tianpower 122 wrong-product
run tianpower TP-000122 7 "wrong board in the slot: it is a 'TP-BD16S48V150-V'"
board daly-modbus 123
run daly-modbus 226JD0000000777 7 "226JD0000000123"

say "a board that nothing tells from others is not changed"
sed 's/  - do: measure/  - do: parameters\n    values:\n      time.soc: 50 %\n  - do: restart\n    how: power\n  - do: verify\n  - do: measure/' "$work/recipes/daly-uart-16s.yaml" \
    >"$work/recipes/changed.yaml"
code=0
sed -i 's/key: time.soc, \(.*\)access: engineering/key: time.soc, \1access: service/' "$work/recipes/boards/daly-uart-16s.yaml"
packline check "$work/station.yaml" "$work/recipes/changed.yaml" >"$work/out" 2>&1 || code=$?
[ "$code" = 3 ] || die "exit code $code instead of 3"
grep -q "nothing tells this board from others" "$work/out" || die "no reason is given"

say "switches and clock by hand"
by_hand=(--link "unix:$work/daly" --profile "$SOURCE/recipes/boards/daly-uart-16s.yaml")
board daly 131
packline board control "${by_hand[@]}" discharge-fet-off >"$work/out"
[ "$(packline board read "${by_hand[@]}" state.charge_mos state.discharge_mos | tr '\n' ' ')" = \
    "state.charge_mos 1 state.discharge_mos 0 " ] || die "the discharge MOSFET is not off alone"
packline board identify "${by_hand[@]}" >"$work/out"
grep -q 'R16S1A-16S100A' "$work/out" || die "not identified"

say "the promises hold"
packline audit --station "$work/station.yaml" >"$work/out" || die "a promise is violated"
packline records verify --station "$work/station.yaml" >"$work/out"
