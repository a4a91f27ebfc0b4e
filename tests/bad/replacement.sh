#!/usr/bin/env bash
# A replaced board takes over the pack's parameters, in each family that has any: one value is changed on the old board,
# exported, imported on the new one, and read there. A probe finds nothing wrong with either.
source "$SOURCE/tests/bad/lib.bash"

far() { # FAMILY SEED
    board_stop
    "$BUILD/packline-board" --family "$1" --listen "unix:$work/board.sock" --state "$work/$1-$2.state" --unit-seed "$2" \
        --bench "unix:$work/bench.sock" --speed fast >"$work/board.out" 2>&1 &
    board_pid=$!
    for _ in $(seq 100); do
        grep -q '^bench ' "$work/board.out" 2>/dev/null && return
        sleep 0.05
    done
    die "the virtual board did not start"
}
do_it() {
    code=0
    packline "$@" --link "unix:$work/board.sock" --profile "$SOURCE/recipes/boards/$profile.yaml" >"$work/out" 2>&1 || code=$?
}
replace() { # FAMILY PROFILE ITEM VALUE BOARD'S-OWN-ITEM OPTION…
    local family=$1 item=$3 value=$4 own=$5
    profile=$2
    shift 5
    say "$family: $item moves, $own stays"
    far "$family" 41
    do_it profile probe
    expect 0 'sum of cells'
    do_it board write "$item" "$value" "$@"
    expect 0
    do_it board export --out "$work/$family.yaml"
    expect 0
    sed -n '/^pack:/,/^board:/p' "$work/$family.yaml" | grep -qF "$item: \"$value\"" || die "$item is not in the export"
    if sed -n '/^pack:/,/^board:/p' "$work/$family.yaml" | grep -qF "$own:"; then die "$own would move"; fi
    far "$family" 42
    do_it board import "$work/$family.yaml" --keep "$work/$family-keep.yaml" "$@"
    expect 0 '^1 values written, .* all read back'
    do_it board read "$item"
    expect 0 "$item $value"
}
printf '888888\n' >"$work/basen"
chmod 600 "$work/basen"
replace basen basen-lt55 protect.cell_ov_delay "2 s" calibration.current_zero --password-file "$work/basen"
replace monv4 monv4-reference protect.cov_delay "7 s" system.address
replace jbd jbd-sp04s020 protect.cell_uv "2.4 V" config.shunt
printf 'AF123456\n' >"$work/clever"
chmod 600 "$work/clever"
replace clever clever-176x33 alarm.difference "450 mV" other.scp --password-file "$work/clever"
do_it scan-bus --last 2
expect 0 'CLV-176X33'
replace pace pace-25 protect.cell_ov "3.65 V" about.serial
say "topbms: what describes the pack moves, the number of the new board stays"
profile=topbms-v17
far topbms 41
do_it board write product.serial_number OLD-1
do_it board write product.module_name PACK-48-100
do_it board export --out "$work/topbms.yaml"
expect 0
sed -n '/^board:/,$p' "$work/topbms.yaml" | grep -qF 'product.serial_number: "OLD-1"' || die "the number does not stay with the board"
far topbms 42
do_it board write product.serial_number NEW-1
do_it board import "$work/topbms.yaml" --keep "$work/topbms-keep.yaml"
expect 0 '^1 values written, .* all read back'
do_it board read product.serial_number product.module_name
expect 0 'serial_number NEW-1'
expect 0 'module_name PACK-48-100'
say "a board without an address is not looked for at several"
far jbd 42
profile=jbd-sp04s020
do_it scan-bus --last 3
expect 2 'have no address'
do_it scan-bus
expect 0 JBD
