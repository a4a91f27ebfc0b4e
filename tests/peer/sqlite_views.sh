#!/usr/bin/env bash
# sqlite3 alone answers a quality engineer, from the documented views.
source "$SOURCE/tests/bad/lib.bash"
station_make
db="$work/demo/store/station.db"
ask() {
    sqlite3 -readonly "$db" "$1"
}
[ "$(ask "SELECT sn, verdict, firmware FROM v_run WHERE sn = 'BSN90000001'")" = "BSN90000001|PASS|1.0.4" ] || die "v_run"
[ "$(ask "SELECT product, hardware, mcu_id FROM v_run WHERE sn = 'BSN90000001'")" = "B200LT55|HY-PT003|0x0413" ] || die "the board's identity"
[ "$(ask "SELECT count(*) FROM v_value WHERE sn = 'BSN90000001' AND stage = 'after-restart' AND ok = 1")" -ge 95 ] || die "v_value"
[ "$(ask "SELECT written, found FROM v_value WHERE sn = 'BSN90000001' AND key = 'protect.cell_ov_start' AND stage = 'after-restart'")" = "3.65 V|3.65 V" ] || die "the protection limit"
[ "$(ask "SELECT count(*) FROM v_step WHERE sn = 'BSN90000001' AND ok = 1")" = 18 ] || die "v_step"
[ "$(ask "SELECT instrument <> '' AND instrument_due = '2099-12-31' FROM v_measurement WHERE name = 'current error at the second point'")" = 1 ] || die "v_measurement"
[ "$(ask "SELECT state FROM v_serial WHERE sn = 'BSN90000001'")" = CONSUMED ] || die "v_serial"
[ "$(ask "SELECT state FROM v_label WHERE sn = 'BSN90000001'")" = printed ] || die "v_label"
[ "$(ask "SELECT sn FROM v_unit WHERE firmware = '1.0.4'")" = BSN90000001 ] || die "all units with a firmware"
[ "$(ask "SELECT count(*) FROM v_event WHERE sn = 'BSN90000001'")" -gt 300 ] || die "v_event"
[ "$(ask "PRAGMA integrity_check")" = ok ] || die "integrity_check"
say "the journal cannot be changed by accident"
for sql in "UPDATE journal SET payload = '{}'" "DELETE FROM journal" "UPDATE run_end SET verdict = 'FAIL'" "DELETE FROM serial"; do
    sqlite3 "$db" "$sql" 2>/dev/null && die "possible: $sql"
done
say "and by intent it is seen"
cp -r "$work/demo/store" "$work/forged"
for sql in "UPDATE journal SET payload = replace(payload, '3.65 V', '3.75 V') WHERE seq = 200" "DELETE FROM journal WHERE seq = 100" \
    "UPDATE journal SET seq = seq + 1000 WHERE seq = 150" "DELETE FROM run_end"; do
    rm -rf "$work/forged" && cp -r "$work/demo/store" "$work/forged"
    sqlite3 "$work/forged/station.db" "DROP TRIGGER journal_no_update; DROP TRIGGER journal_no_delete; DROP TRIGGER run_end_no_delete; PRAGMA foreign_keys = OFF; $sql"
    packline audit --store "$work/forged" >"$work/out" 2>&1 && die "not seen: $sql"
done
true
