#!/usr/bin/env bash
# A printer that is away: the unit keeps its PASS, the label is printed again from the record, once.
source "$SOURCE/tests/bad/lib.bash"
station_make
sed -E 's#link: file:printed#link: tcp:127.0.0.1:9#' "$station" >"$work/demo/away.yaml"
good=$station
station="$work/demo/away.yaml"
board_start 400
unit BSN00000400
expect 10 'LABEL NOT PRINTED'
grep -q 'PASS BSN00000400' "$work/out" || die "the PASS is not shown"
[ "$(verdict_of BSN00000400)" = PASS ] || die "the PASS is not on record"
[ ! -e "$work/demo/printed/BSN00000400.png" ] || die "a label came from nowhere"
station=$good
packline label print BSN00000400 --station "$station" >"$work/out" 2>&1 || die "label print failed"
[ -s "$work/demo/printed/BSN00000400.png" ] || die "no label after label print"
code=0
packline label print BSN00000400 --station "$station" >"$work/out" 2>&1 || code=$?
expect 7 'already'
code=0
packline label print BSN00009999 --station "$station" >"$work/out" 2>&1 || code=$?
expect 4

say "a raw TCP printer gets the label as ZPL"
socat -u -d -d TCP-LISTEN:0,bind=127.0.0.1,reuseaddr "OPEN:$work/paper,creat" 2>"$work/socat" &
paper_pid=$!
for _ in $(seq 100); do
    port=$(sed -nE 's/.*listening on .*:([0-9]+)$/\1/p' "$work/socat" | head -1)
    [ -n "$port" ] && break
    sleep 0.05
done
sed -E "s#link: file:printed#link: tcp:127.0.0.1:$port#" "$good" >"$work/demo/paper.yaml"
station="$work/demo/paper.yaml"
board_start 401
unit BSN00000401
expect 0 'PASS BSN00000401'
wait "$paper_pid"
grep -q '^\^XA' "$work/paper" && grep -q '\^GFA,' "$work/paper" && tail -1 "$work/paper" | grep '\^XZ' >/dev/null || die "no ZPL came out"
[ "$(sqlite3 -readonly "$work/demo/store/station.db" "SELECT state FROM v_label WHERE sn = 'BSN00000401'")" = printed ] || die "not recorded as printed"
audit
