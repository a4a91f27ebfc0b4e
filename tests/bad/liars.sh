#!/usr/bin/env bash
# Boards that lie: acknowledged but not written, clamped, forgotten at reset.
source "$SOURCE/tests/bad/lib.bash"
station_make
n=10
liar() {
    local defect=$1 want=$2 pattern=$3
    n=$((n + 1))
    say "$defect"
    board_start "$n" "$defect"
    unit "BSN000000$n"
    expect "$want" "$pattern"
    [ "$(verdict_of "BSN000000$n")" = FAIL ] || die "the record does not say FAIL"
    # The same board, mended, passes with the same number.
    board_start "$n"
    unit "BSN000000$n"
    expect 0 "PASS BSN000000$n"
}
liar ack-no-write 6 '0x0?8'
liar stuck-bit 6 '0x0?8'
liar clamp-parameter 6 'protect.cell_ov_start'
liar lose-parameter 6 'protect\.'
liar ack-param-no-write 6 'reads'
liar rtc-stuck 1 'clock'
liar antitheft-stuck 6 'antitheft'
liar no-zero 1 'zero'
liar noisy-current 1 'spread'
liar bent-current 1 'second point'

say "a board without the checksum command is read back instead"
board_start 40 no-crc
unit BSN00000040
expect 0 'PASS'
say "a blank board"
board_start 41 blank-flash
unit BSN00000041
expect 0 'PASS'
say "a half-flashed board"
board_start 42 half-flashed
unit BSN00000042
expect 0 'PASS'
audit
