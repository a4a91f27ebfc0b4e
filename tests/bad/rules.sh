#!/usr/bin/env bash
# Rules of docs/rules.md that only a whole program shows: what the record says of a board as found, restored defaults, a
# log erased behind its export, calibration undone.
source "$SOURCE/tests/bad/lib.bash"
station_make
printf '888888\n' >"$work/password"
chmod 600 "$work/password"
board() {
    code=0
    packline board --link "unix:$work/board.sock" --profile "$SOURCE/recipes/boards/basen-lt55.yaml" \
        --password-file "$work/password" "$@" >"$work/out" 2>&1 || code=$?
}

say "R1, R19: the whole image is in the record before the first write, and the state of anti-theft with it"
packline records show BSN90000001 --station "$station" --json >"$work/out"
image=$(sqlite3 -readonly "$work/demo/store/station.db" \
    "SELECT min(seq) FROM v_event WHERE sn = 'BSN90000001' AND payload LIKE '%parameter-image%'")
write=$(sqlite3 -readonly "$work/demo/store/station.db" \
    "SELECT min(seq) FROM v_event WHERE sn = 'BSN90000001' AND type = 'value'")
[ -n "$image" ] && [ "$image" -lt "$write" ] || die "the image (row $image) is not before the first value (row $write)"
sqlite3 -readonly "$work/demo/store/station.db" "SELECT payload FROM v_event WHERE seq = $image" >"$work/out"
grep -q 'antitheft.communication' "$work/out" || die "the image does not say what anti-theft was"
grep -q 'config.full_capacity' "$work/out" || die "the image is not whole"

say "R16: another parameter version is a remark, not a failure"
cp -r "$work/demo/recipes" "$work/other"
cp -r "$work/demo/labels" "$work/demo/packages" "$work/" 2>/dev/null || true
sed -i 's/^parameter_version: .*/parameter_version: 0x0103/' "$work"/other/boards/basen-lt55.yaml
board_start 820
code=0
packline run --station "$station" --recipe "$work/other/basen-100ah-16s.yaml" --scan BSN90000820 --yes >"$work/out" 2>&1 \
    </dev/null || code=$?
expect 0
packline records show BSN90000820 --station "$station" >"$work/out"
grep -q "the board's parameter version is 260, the profile was written for 259" "$work/out" || die "no remark"

say "R3: defaults are restored alone, and the whole board is read afterwards"
board write protect.cell_ov_start "3.6 V" protect.pack_ov_start "57.6 V"
expect 0
board control factory-defaults
expect 0 '^all [0-9]{2,} values were read back'
board read protect.cell_ov_start
expect 0 '3.7 V'

say "R10: calibration can be undone"
board read calibration.zero_done
expect 0 'zero_done 1'
board control calibrate-reset
expect 0 'done'
board read calibration.zero_done calibration.current_zero
expect 0 'zero_done 0'

say "R15: the board's log is erased only behind its export"
board log --erase
expect 2 '[-]-erase needs --keep'
touch "$work/there.csv"
board log --erase --keep "$work/there.csv"
expect 2 'there already'
board log
lines=$(wc -l <"$work/out")
board log --erase --keep "$work/log.csv"
expect 0
[ "$(wc -l <"$work/log.csv")" = $((lines + 1)) ] || die "the export has not all $lines records"
board log
expect 0
[ ! -s "$work/out" ] || die "the log is still there"
