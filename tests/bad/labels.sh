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
