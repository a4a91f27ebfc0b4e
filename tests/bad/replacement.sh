#!/usr/bin/env bash
# A replaced board takes over the pack's parameters, in each family that has any: one value is changed on the old board,
# exported, imported on the new one, and read there. A probe finds nothing wrong with either.
source "$SOURCE/tests/bad/lib.bash"

link=unix
far() { # FAMILY SEED OPTION…
    local family=$1 seed=$2
    shift 2
    board_stop
    "$BUILD/packline-board" --family "$family" --listen "unix:$work/board.sock" --state "$work/$family-$seed.state" --unit-seed "$seed" \
        --bench "unix:$work/bench.sock" --speed fast "$@" >"$work/board.out" 2>&1 &
    board_pid=$!
    for _ in $(seq 100); do
        grep -q '^bench ' "$work/board.out" 2>/dev/null && return
        sleep 0.05
    done
    die "the virtual board did not start"
}
do_it() {
    code=0
    packline "$@" --link "$link:$work/board.sock" --profile "$SOURCE/recipes/boards/$profile.yaml" >"$work/out" 2>&1 || code=$?
}
replace() { # FAMILY PROFILE ITEM VALUE BOARD'S-OWN-ITEM OPTION…
    local family=$1 item=$3 value=$4 own=$5
    profile=$2
    shift 5
    say "$family: $item moves, $own stays"
    far "$family" 41
    do_it profile probe
    expect 0 'sum of cells|no reading for cells'
    do_it board write "$item" "$value" "$@"
    expect 0
    do_it board export --out "$work/$family.yaml"
    expect 0
    sed -n '/^pack:/,/^board:/p' "$work/$family.yaml" | grep -F "$item: \"$value\"" >/dev/null || die "$item is not in the export"
    if sed -n '/^pack:/,/^board:/p' "$work/$family.yaml" | grep -F "$own:" >/dev/null; then die "$own would move"; fi
    far "$family" 42
    do_it board import "$work/$family.yaml" --keep "$work/$family-keep.yaml" "$@"
    expect 0 '^1 value written, .* all read back'
    do_it board read "$item"
    expect 0 "$item $value"
}
printf '888888\n' >"$work/basen"
chmod 600 "$work/basen"
replace basen basen-lt55 protect.cell_ov_delay "2 s" calibration.current_zero --password-file "$work/basen"
replace monv4 monv4-reference protect.cov_delay "7 s" system.address
replace seplos3 seplos3 parameter.sleep_time "30 h" identity.bms_sn
replace mainx mainx-reference ftp.port 2121 user.serial_number
! grep -q 'ftp.password' "$work/mainx.yaml" || die "a password is in the export"
grep -qF 'user.address: ""' "$work/mainx.yaml" || die "an empty text is not in the export"
do_it board write user.address "Hall 3"
expect 0
do_it board import "$work/mainx-keep.yaml" --keep "$work/mainx-second.yaml"
expect 0 '^2 values written'
do_it board read user.address ftp.port
expect 0 '^user.address .not set.'
say "rockets: nothing moves, and the station says so before it asks the battery"
profile=rockets-smart
far rockets 41 --defect awake
link=can-socket
do_it board export --out "$work/rockets.yaml"
expect 0
! grep -q '^pack:' "$work/rockets.yaml" || die "something would move"
do_it board import "$work/rockets.yaml" --keep "$work/rockets-keep.yaml"
expect 7 'no value of such a board moves to another'
[ ! -e "$work/rockets-keep.yaml" ] || die "the battery was read for an import that cannot be"
link=unix
profile=monv4-reference
say "a named set is for cells of its chemistry; the pack of an NMC board moves, too"
far monv4 43
do_it board write --set nmc-24s --waive charge-cells
expect 7 'reports LFP cells'
do_it board write --set nmc-23s
expect 2 'lfp-23s nmc-24s'
do_it board write --set lfp-23s
expect 0 'protect.cov 3.65 V'
do_it board write
expect 2 'nothing to write'
do_it board write system.cell_count 22 system.afe_s 10 protect.tov "80 V" protect.tovr "78 V" protect.tuv "57.5 V" system.chg_v "78 V"
expect 0 'system.afe_s 10'
far monv4 44 --defect nmc-cells
do_it board write --set nmc-24s
expect 7 '[-]-waive charge-cells'
do_it board write --set nmc-24s --waive charge-cells
expect 0 'protect.cov 4.2 V'
do_it board export --out "$work/nmc.yaml"
expect 0
far monv4 45 --defect nmc-cells
do_it board import "$work/nmc.yaml" --keep "$work/nmc-keep.yaml" --waive charge-cells
expect 0 'all read back'
do_it board read protect.cov
expect 0 'protect.cov 4.2 V'
do_it board telemetry
expect 0 'soh +not reported'
replace daly-modbus daly-modbus-16s limit.mos_ot "80 °C" identity.machine_code
say "a password does not move, nor does it stand in an export"
if grep -q password "$work/daly-modbus.yaml"; then die "the password is exported"; fi
say "nothing moves where nothing can be written"
for family in daly tianpower; do
    profile=$(basename "$(grep -lE "^profile: ($family|$family-uart)-16s" "$SOURCE"/recipes/boards/*.yaml)" .yaml)
    far "$family" 43
    do_it board export --out "$work/$family.yaml"
    expect 0
    do_it board import "$work/$family.yaml" --keep "$work/$family-keep.yaml"
    expect 7 'no value of such a board moves to another'
done
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
sed -n '/^board:/,$p' "$work/topbms.yaml" | grep -F 'product.serial_number: "OLD-1"' >/dev/null || die "the number does not stay with the board"
far topbms 42
do_it board write product.serial_number NEW-1
do_it board import "$work/topbms.yaml" --keep "$work/topbms-keep.yaml"
expect 0 '^1 value written, .* all read back'
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
