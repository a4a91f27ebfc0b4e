#!/usr/bin/env bash
# Service access to one board: what it refuses, and that a refusal is never shown as a deed.
source "$SOURCE/tests/bad/lib.bash"
board_start 800
printf '888888\n' >"$work/password"
chmod 600 "$work/password"
board() {
    code=0
    packline board --link "unix:$work/board.sock" --profile "$SOURCE/recipes/boards/basen-lt55.yaml" "$@" >"$work/out" 2>&1 || code=$?
}
bench() {
    printf '%s\n' "$@" | socat -t 1 - "UNIX-CONNECT:$work/bench.sock"
}
board identify
expect 0 'product B200LT55'
say "without a login nothing is written"
board write protect.cell_ov_delay "2 s"
expect 7 'login'
board control charge-fet-off
expect 1 'no permission'
say "with it, every write reads back"
board --password-file "$work/password" write protect.cell_ov_start "3.6 V" protect.pack_ov_start "57.6 V"
expect 0 'protect.cell_ov_start 3.6 V'
say "what would break a rule together with what the board holds is not written"
board --password-file "$work/password" write protect.cell_ov_start "3 V"
expect 7 'nothing was written: .*cell-ov-release'
board --password-file "$work/password" write config.cell_count 15
expect 7 'pack-ov-cells'
board read config.cell_count
expect 0 'config.cell_count 16'
board --password-file "$work/password" write config.full_capacity "200 Ah" protect.set_full_charge_capacity "200 Ah"
expect 7 '[-]-waive capacity'
board --password-file "$work/password" write config.full_capacity "200 Ah" config.nominal_capacity "200 Ah"
expect 7 'capacity-full-units'
board --password-file "$work/password" write --override-rules alarm.cell_ov_start "3.62 V"
expect 0 'warning: .*alarm.cell_ov_start'
board --password-file "$work/password" write protect.cell_ov_start
expect 2
board --password-file "$work/password" write protect.cell_ov_delay "1 s" protect.cell_ov_delay "2 s"
expect 2 'given twice'
board read protect.cell_ov_start
expect 0 '3.6 V'
board --password-file "$work/password" write protect.lc_style 7
expect 3 '0, 3, 4, 5, 10'
board --password-file "$work/password" write identity.pcb_barcode TBI23090400189
expect 0
board --password-file "$work/password" control clear-pcb-barcode
expect 0
board read identity.pcb_barcode
expect 0 'not set'
board --password-file "$work/password" control factory-defaults
board read protect.cell_ov_start
expect 0 '3.7 V'
say "the password file must be private, the item must exist, the operation must exist"
chmod 644 "$work/password"
board --password-file "$work/password" read protect.cell_ov_start
expect 3 '0600'
board read protect.cell_ov_strat
expect 2 "did you mean 'protect.cell_ov_start'"
board control dance
expect 2 'there are reset'
say "anti-theft modes go off with the close code only, and what is read back counts"
printf '654321\n' >"$work/code"
printf '111111\n' >"$work/bad-code"
printf 'changed1\n' >"$work/changed"
chmod 600 "$work/password" "$work/code" "$work/bad-code" "$work/changed"
board --password-file "$work/password" write --engineer antitheft.gyro true antitheft.charge_activation true
expect 0
board --password-file "$work/password" write --engineer antitheft.gyro false
expect 1 'no permission'
board --password-file "$work/password" control antitheft-off
expect 2 '[-]-code-file'
board --password-file "$work/password" control antitheft-off --code-file "$work/bad-code"
expect 1 'no permission'
board --password-file "$work/password" control antitheft-off --code-file "$work/code"
expect 0 'antitheft.charge_activation false'
board read antitheft.communication antitheft.gyro
expect 0 'gyro false'
say "the gyro's own settings, and a coordinate that cannot be written"
board --password-file "$work/password" write --engineer gyro.x_recovery -- -7
expect 0 'gyro.x_recovery -7'
board --password-file "$work/password" write --engineer gyro.z_zero 998 gyro.method 0
expect 0
board read gyro.z
expect 0 'gyro.z 0'
board --password-file "$work/password" write gyro.z 3
expect 7 'only read: the board alone changes it'
board --address 0 identify
expect 3 'from 1 to 15'
say "a changed password is the only one, also after the power was off"
cp -p "$work/password" "$work/admin"
board --password-file "$work/admin" password --new-password-file "$work/changed"
expect 0 'have the new password'
bench "BOAR:POW CYCL"
sleep 0.2
board --password-file "$work/password" read protect.cell_ov_start
expect 1 'wrong password'
board --password-file "$work/admin" password --new-password-file "$work/password"
expect 0
board password --new-password-file "$work/changed"
expect 2 'are needed'
say "no sleep while charging"
bench "SOUR:CURR 5" "OUTP ON"
board control sleep
expect 1 'does not sleep while it is charged .*execution failed'
bench "OUTP OFF"
board control sleep
expect 0
board identify
expect 5
say "the log ends with the board's own end marker"
bench "BOAR:POW CYCL"
sleep 0.2
board log
expect 0 'timing'
[ "$(wc -l <"$work/out")" = 12 ] || die "not all 12 records"
board log --keep "$work/log.csv"
expect 0 '^12 records'
grep -qE '^12,20[0-9-]+T[0-9:.]+Z,timing,' "$work/log.csv" || die "the newest record is not in the file"
[ "$(wc -l <"$work/log.csv")" = 13 ] || die "not all 12 records are in the file"
board log --keep "$work/log.csv"
expect 2 'there already'
say "a board without the hardware for remote control is not believed"
board_start 801 no-remote-control
board --password-file "$work/password" control charge-fet-off
expect 6 'still on'
say "a board that was given another address is silent at the old one: the write is not called lost"
family=monv4
board_start 802
monv4() {
    code=0
    packline board --link "unix:$work/board.sock" --profile "$SOURCE/recipes/boards/monv4-reference.yaml" "$@" >"$work/out" 2>&1 || code=$?
}
monv4 write --engineer system.address 5
expect 5 'the board took it, .*[-]-address'
monv4 read --address 5 system.address
expect 0 'system.address 5'
monv4 write system.address 1 --address 5
expect 7
say "a virtual board takes no ordinary file for its socket"
echo precious >"$work/plain"
code=0
"$BUILD/packline-board" --family basen --listen "unix:$work/plain" >"$work/out" 2>&1 || code=$?
expect 2 'no socket'
grep -q precious "$work/plain" || die "the file is gone"
