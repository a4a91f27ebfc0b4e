#!/usr/bin/env bash
# A label on the wrong board: the slot waits until the right one is scanned back from the right board.
source "$SOURCE/tests/bad/lib.bash"
station_make
sed -i '/^trust:/a confirm_labels: true' "$station"

confirm() {
    code=0
    packline label confirm --station "$station" "$@" >"$work/out" 2>&1 </dev/null || code=$?
}
state_of() {
    sqlite3 -readonly "$work/demo/store/station.db" "SELECT state FROM v_label WHERE sn = '$1'"
}

say "nobody scans: the unit keeps its PASS, the slot takes no other"
board_start 410
unit BSN00000410
expect 10 'LABEL NOT CONFIRMED'
[ "$(verdict_of BSN00000410)" = PASS ] || die "the PASS is not on record"
board_start 411
unit BSN00000411
expect 7 'waits for the label of BSN00000410'

say "the label on another board, then another label on the right board"
confirm --scan BSN00000410
expect 7 'put that board back'
board_start 410
confirm --scan BSN00000411
expect 7 'take it off'
[ "$(state_of BSN00000410)" = printed ] || die "a wrong scan changed the label's state"

say "the right label on the right board"
confirm --scan BSN00000410
expect 0 'BSN00000410 is on its board'
[ "$(state_of BSN00000410)" = confirmed ] || die "not recorded as confirmed"
[ "$(sqlite3 -readonly "$work/demo/store/station.db" \
    "SELECT count(*) FROM v_event WHERE sn = 'BSN00000410' AND type = 'label' AND payload ->> 'text' = 'wrong scan'")" = 2 ] ||
    die "the wrong scans are not on record"
confirm --scan BSN00000410
expect 7 'nothing to confirm'

say "a label that is lost"
board_start 411
unit BSN00000411
expect 10 'LABEL NOT CONFIRMED'
board_stop
confirm --scan BSN00000411
expect 4
code=0
packline label waive BSN00000411 --station "$station" >"$work/out" 2>&1 || code=$?
expect 2 'reason'
code=0
packline label waive BSN00000411 --reason 'the roll was wet' --station "$station" >"$work/out" 2>&1 || code=$?
expect 0
board_start 412
unit BSN00000412
expect 10 'LABEL NOT CONFIRMED'
audit

say "a board that cannot say which one it is: its own print is scanned too"
rm -rf "$work/demo"
family=daly
station_make
sed -i '/^trust:/a confirm_labels: true' "$station"
board_start 420
unit DALY-000420
expect 10 'LABEL NOT CONFIRMED: nobody is here'
confirm --scan DALY-000420
expect 11 'Scan the code that the board itself carries'
confirm --scan DALY-000420 --mark DALY-000421
expect 7 "carries 'DALY-000421'.* began with .*'DALY-000420'"
confirm --scan DALY-000421 --mark DALY-000420
expect 7 'take it off'
board_start 421 wrong-product
confirm --scan DALY-000420 --mark DALY-000420
expect 7 "is a 'R08S1A-8S100A'"
board_stop
confirm --scan DALY-000420 --mark DALY-000420
expect 4
[ "$(state_of DALY-000420)" = printed ] || die "a wrong scan changed the label's state"
board_start 420
confirm --scan DALY-000420 --mark DALY-000420
expect 0 'DALY-000420 is on its board'
[ "$(state_of DALY-000420)" = confirmed ] || die "not recorded as confirmed"
[ "$(sqlite3 -readonly "$work/demo/store/station.db" "SELECT payload ->> 'mark' FROM v_event WHERE sn = 'DALY-000420'
    AND payload ->> 'text' = 'scanned back, by the board''s own print'")" = DALY-000420 ] || die "the print is not on record"
audit
