#!/usr/bin/env bash
# Families pace and topbms, of which nothing is packline's own: from scan to label, by hand on the service line, and in a
# simulated shift.
source "$SOURCE/tests/bad/lib.bash"
board() {
    code=0
    packline board --link "unix:$work/board.sock" --address "$address" --profile "$profile" "$@" >"$work/out" 2>&1 || code=$?
}
vendor() { # no override was needed, and no record says otherwise
    ! grep -q "reference dialect" "$work/first" || die "the maker's own protocol is called a reference dialect"
}

family=pace
first_scan=18210000900001
say "pace: from scan to label"
station_make
[ -s "$work/demo/printed/$first_scan.png" ] || die "no label was printed"
vendor
board_start 900002
unit 18210000900002
expect 0 'PASS 18210000900002'
packline records show 18210000900002 --station "$station" >"$work/out"
expect 0 'sleep'
say "a board that was shut down is woken by a charge; it is not the board of another label"
unit 18210000900003
expect 7 18210000900002
audit

say "pace: no FET is switched before its polarity was measured on a board, neither by an operation nor around it"
profile="$SOURCE/recipes/boards/pace-25.yaml"
board_start 900004
board control charge-fet-off
expect 7 'packline board polarity'
board write control.charge_fet 0
expect 7 'packline board control charge-fet-on'
board polarity
expect 2 'charger off'
board polarity --yes
expect 0 '^fet_polarity: plain$'
board_start 900005 fet-inverted
board polarity --yes
expect 0 '^fet_polarity: inverted$'
sed 's/^fet_polarity: .*/fet_polarity: inverted/' "$profile" >"$work/measured.yaml"
profile="$work/measured.yaml"
board control discharge-fet-off
expect 0
board telemetry
expect 0 'discharge FET  *off'
board control charge-fet-off
expect 1 "charge-fet-off: .*'operation failed' \(RTN 09H\): .*conditions"
board clock --set
expect 0
board control sleep
expect 0
board identify
expect 5

say "pace: a pack alone on its line has address 0"
address=0
board_start 900006
board identify
expect 0 'serial number 18210000900006'
code=0
packline scan-bus --link "unix:$work/board.sock" --profile "$profile" --last 1 >"$work/out" 2>&1 || code=$?
expect 0 18210000900006
board_stop
code=0
"$BUILD/packline-board" --family clever --address 0 --listen "unix:$work/none.sock" >"$work/out" 2>&1 || code=$?
expect 2 'from 1'
rm -rf "$work/demo"

family=topbms
first_scan=BSN90000001
address=1
say "topbms: from scan to label, by seven texts"
station_make
[ -s "$work/demo/printed/BSN90000001.png" ] || die "no label was printed"
vendor
board_start 900012
unit BSN90000012
expect 0 'PASS BSN90000012'
profile="$SOURCE/recipes/boards/topbms-v17.yaml"
board read product.serial_number product.company product.date product.module_name product.version product.battery_type product.remarks
expect 0 'serial_number BSN90000012'
expect 0 'battery_type LFP'
grep -q 'not set' "$work/out" && die "a text was not written"
unit BSN90000013
expect 7 "already carries serial number 'BSN90000012'"
board_start 900014 wrong-product
unit BSN90000014
expect 7 "it is a '8'"
board_start 900015 busy
unit BSN90000015
expect 1 "'transfer failed' \(RTN A0H\): nothing was written"
audit
board_stop

for family in pace topbms; do
    say "$family: a simulated shift keeps every promise"
    packline simulate --family $family --seed 5 --units "${SIM_UNITS:-16}" --slots 4 >"$work/out"
    grep -q '^broken promises: 0$' "$work/out" || die "a promise is broken"
done
