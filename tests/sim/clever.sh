#!/usr/bin/env bash
# Family clever from scan to label, by hand on the service line, and in a simulated shift.
source "$SOURCE/tests/bad/lib.bash"
family=clever
say "from scan to label"
station_make
[ -s "$work/demo/printed/BSN90000001.png" ] || die "no label was printed"
grep -q "reference dialect" "$work/first" || die "nothing says that this is a reference dialect"
board_start 900002
unit BSN90000002
expect 0 'PASS BSN90000002'
packline records show BSN90000002 --station "$station" >"$work/out"
code=0
expect 0 'sleep'

say "a hibernating board is woken by a charge, and keeps its number"
unit BSN90000003
expect 7 "already carries serial number 'BSN90000002'"
audit

say "firmware goes over the line where the build of the board has that, and is refused where it has not"
plain=$release
release="$work/demo/recipes/flash-release.yaml"
sed -E -e 's#^layout:#package: ../packages/clever-1.0.4\nlayout:#' \
    -e 's#^( *secret: clever-write)$#\1\n  - do: flash\n  - do: restart\n    how: power\n    login: clever-write#' \
    "$work/demo/recipes/clever-100ah-16s.yaml" >"$work/demo/recipes/flash.yaml"
packline release make "$work/demo/recipes/flash.yaml" --trust "$work/demo/trust" --key "$work/demo/keys/demo-release.key" \
    --out "$release" >"$work/out"
board_start 900021 can-upgrade
unit BSN90000021
expect 7 'takes no firmware over this line \(about.serial_upgrade is off\)'
board_start 900022
unit BSN90000022
expect 0 'PASS BSN90000022'
packline records show BSN90000022 --station "$station" >"$work/out"
expect 0 '1\.0\.4'
release=$plain
audit

say "the published part alone: no override, no login, pack 3 of 8"
address=3
board_start 900003
board() {
    code=0
    packline board --link "unix:$work/board.sock" --address "$address" "$@" >"$work/out" 2>&1 || code=$?
}
public="$SOURCE/recipes/boards/topbms-v17.yaml"
board --profile "$public" write product.serial_number CLV00000001
expect 0 'product.serial_number CLV00000001'
board --profile "$public" write product.company "Battery Works"
board --profile "$public" read product.serial_number product.company product.remarks
expect 0 'product.serial_number CLV00000001'
expect 0 'product.company Battery Works'
expect 0 'product.remarks \(not set\)'
board --profile "$public" write product.remarks 1234567890123456789012345678901
expect 3 'takes 30'
board --profile "$public" telemetry
expect 0 'cell 16  *3\.'
expect 0 'active  *nothing'
address=4
board --profile "$public" read product.company
expect 5
address=9
board --profile "$public" read product.company
expect 3 '1 to 8'
address=3

say "what is not published needs the password, and two logs are two"
profile="$SOURCE/recipes/boards/clever-176x33.yaml"
board --profile "$profile" write other.balance_mode 3
expect 7 'login'
printf 'AF123456\n' >"$work/password"
chmod 600 "$work/password"
board --profile "$profile" --password-file "$work/password" write other.balance_mode 3
expect 0 'other.balance_mode 3'
board --profile "$profile" --password-file "$work/password" write other.balance_mode 4
expect 3 '0, 1, 2, 3'
board --profile "$profile" read other.scp
expect 0 '= 200 A across the shunt of 100 A'
board --profile "$profile" log
[ ! -s "$work/out" ] || die "records are stored by default"
board --profile "$profile" log --alarms
[ "$(wc -l <"$work/out")" = 2 ] || die "not both alarm records"
board --profile "$profile" log --alarms --count 1
[ "$(wc -l <"$work/out")" = 1 ] || die "reading did not stop"
expect 0
board --profile "$profile" log --alarms --erase --keep "$work/alarms.csv"
expect 7 'needs a login'
board --profile "$profile" --password-file "$work/password" log --alarms --erase --keep "$work/alarms.csv"
expect 0
[ "$(wc -l <"$work/alarms.csv")" = 3 ] || die "what was erased was not kept"
board --profile "$profile" log --alarms
[ ! -s "$work/out" ] || die "the alarm records are still there"

board --profile "$profile" --password-file "$work/password" calibrate zero
expect 0
board --profile "$profile" --password-file "$work/password" calibrate temperature 5 "25 °C"
expect 0
board --profile "$profile" telemetry
expect 0 'ambient  *25 °C'
board --profile "$profile" read calibration.zero_done
expect 0 'zero_done 1'
board --profile "$profile" --password-file "$work/password" calibrate reset
board --profile "$profile" read calibration.zero_done
expect 0 'zero_done 0'
board --profile "$profile" --password-file "$work/password" calibrate temperature 5
expect 2 'SENSOR TEMPERATURE'

say "control test, calibration and clock are behind the same password; a wrong use of an operation's item is refused"
for words in "control discharge-fet-off" "control sleep" "calibrate zero" "clock --set" "control factory-defaults"; do
    # shellcheck disable=SC2086 # the words of one command
    board --profile "$profile" $words
    expect 7 'needs a login'
done
board --profile "$profile" --password-file "$work/password" write other.restore_defaults 1
expect 7 'packline board control factory-defaults'
board --profile "$profile" --password-file "$work/password" control charge-limiter-on
expect 1 "charge-limiter-on: .*'execution failed' \(RTN E2H\)"

say "the password is changed at the station, or on a board that looks at it"
printf 'newpass1\n' >"$work/new"
cp "$work/password" "$work/secret"
chmod 600 "$work/new" "$work/secret"
board --profile "$profile" password --password-file "$work/secret"
expect 2 'new-password-file'
board --profile "$profile" password --password-file "$work/secret" --new-password-file "$work/new"
expect 0 'nothing was sent'
[ "$(cat "$work/secret")" = newpass1 ] && [ "$(stat -c %a "$work/secret")" = 600 ] || die "the secret is not the new one"
cp "$work/password" "$work/secret"
board_start 900004 board-password
sed 's/^auth: host/auth: board/' "$profile" >"$work/asks.yaml"
board --profile "$work/asks.yaml" password --password-file "$work/secret" --new-password-file "$work/new"
expect 0 'the board and .* have the new password'
board --profile "$work/asks.yaml" --password-file "$work/password" write other.balance_mode 1
expect 1 'wrong password'
board --profile "$work/asks.yaml" --password-file "$work/secret" write other.balance_mode 1
expect 0 'other.balance_mode 1'
board_start 900003

say "against a current no FET is switched off; defaults come alone; hibernation is silence"
printf '%s\n' "SOUR:CURR -10" "OUTP ON" | socat -t 1 - "UNIX-CONNECT:$work/bench.sock"
board --profile "$profile" --password-file "$work/password" control charge-fet-off
expect 7 'discharge current flows'
board --profile "$profile" --password-file "$work/password" control discharge-fet-off
expect 0
printf '%s\n' "OUTP OFF" | socat -t 1 - "UNIX-CONNECT:$work/bench.sock"
board --profile "$profile" --password-file "$work/password" control factory-defaults
expect 0
board --profile "$profile" read other.balance_mode
expect 0 'other.balance_mode 2'
board --profile "$profile" --password-file "$work/password" control sleep
expect 0
board --profile "$profile" identify
expect 5
board_stop

say "a simulated shift keeps every promise"
packline simulate --family clever --seed 5 --units "${SIM_UNITS:-24}" --slots 4 >"$work/out"
grep -q '^broken promises: 0$' "$work/out" || die "a promise is broken"
