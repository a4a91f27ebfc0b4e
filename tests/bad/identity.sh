#!/usr/bin/env bash
# One serial number, one board, for ever.
source "$SOURCE/tests/bad/lib.bash"
station_make

say "a serial number that is on another board"
board_start 1
unit BSN90000001
expect 7 'BSN90000001'
say "a board that already passed"
unit BSN00000001
expect 0 'PASS BSN00000001'
unit BSN00000001
expect 7
unit BSN00000002
expect 7
[ "$(verdict_of BSN00000001)" = PASS ] || die "the PASS of BSN00000001 is gone"

say "a board that carries a foreign serial number"
board_start 2 foreign-sn
unit BSN00000003
expect 7 'already carries'

say "wrong hardware in the slot: nothing is erased"
board_start 3 wrong-hardware
unit BSN00000004
expect 7 'hardware'
grep -q 'erase' "$work/out" && die "a wrong board was erased"
say "wrong MCU"
board_start 4 wrong-mcu
unit BSN00000005
expect 7 'MCU id'
say "swapped while flashing"
board_start 5 swapped-while-flashing
unit BSN00000006
expect 7 'swapped'
say "another unique id after the reset"
board_start 6 uid-after-reset
unit BSN00000007
expect 7 'swapped'
say "wrong password: one try"
board_start 7 wrong-password
unit BSN00000008 --json
expect 1 'permission|password'
[ "$(grep -c '"verb":"login"' "$work/out")" = 2 ] || die "login was tried again"

say "a number scanned at the wrong board, where nothing was written, serves the right one"
board_start 8
unit BSN00000004
expect 0 'PASS BSN00000004'
say "a number that may be on a board stays with that board"
board_start 9 clamp-parameter
unit BSN00000009
expect 6
board_start 10
unit BSN00000009
expect 7 'belongs to the board'
board_start 9
unit BSN00000009
expect 0 'PASS BSN00000009'
say "a number is burned: never used again, its board may get another"
board_start 11 ack-param-no-write
unit BSN00000011
expect 6
burn() {
    code=0
    packline serial burn "$1" --reason "board scrapped" --station "$station" >"$work/out" 2>&1 || code=$?
}
burn BSN00000011
expect 0
burn BSN00000009
expect 7
burn BSN00000077
expect 4
unit BSN00000011
expect 7 'burned'
audit
