#!/usr/bin/env bash
# A profile that a site completes: what is refused, what a probe says of a live board, what every record says; and a board
# that takes over the parameters of another.
source "$SOURCE/tests/bad/lib.bash"
printf '888888\n' >"$work/password"
chmod 600 "$work/password"
cp "$SOURCE/recipes/boards/basen-lt55.yaml" "$work/base.yaml"
profile="$work/base.yaml"
do_it() { # WORDS…: exit code in $code, output in $work/out
    code=0
    packline "$@" >"$work/out" 2>&1 || code=$?
}
live() {
    do_it "$@" --link "unix:$work/board.sock" --profile "$profile"
}

say "a file of addresses is begun, checked, compared and locked"
do_it profile new --from "$work/base.yaml" --name site --out "$work/site.yaml"
expect 0
do_it profile new --from "$work/base.yaml" --out "$work/site.yaml"
expect 2 'there already'
do_it profile diff "$work/base.yaml" "$work/site.yaml"
expect 0
do_it profile check "$work/site.yaml" --list
expect 0 "reference dialect, not the vendor's protocol"
grep -q 'reference item    protect.cell_ov_start' "$work/out" || die "no list of what is reference"
sed -i -E 's/(key: protect.cell_ov_start, .*)evidence: reference/\1evidence: measured, source: "trace 7"/' "$work/site.yaml"
do_it profile diff "$work/base.yaml" "$work/site.yaml"
expect 1 'protect.cell_ov_start +evidence reference -> measured'
sed -E 's/^interlock_current:.*//; s/^charge_sign:.*//; s/^(address:.*)/\1\ncharge_sign: -1\ninterlock_current: 2 A/' \
    "$work/base.yaml" >"$work/other.yaml"
do_it profile diff "$work/base.yaml" "$work/other.yaml"
expect 1 'interlock_current 0 A -> 2 A'
grep -q 'charge_sign 1 -> -1' "$work/out" || die "one difference hides another"
sed -i 's/^title: .*/title: another/' "$work/base.yaml"
do_it check "$work/site.yaml"
expect 3 'is not the locked profile'
do_it profile lock "$work/site.yaml"
expect 0 "$(sha256sum "$work/site.yaml" | cut -c1-64)|^[0-9a-f]{64}"
do_it check "$work/site.yaml"
expect 0
do_it profile new --from "$work/site.yaml" --out "$work/third.yaml"
expect 2 'completes another profile already'

for shipped in "$SOURCE"/recipes/boards/{clever-176x33,rockets-smart,monv4-reference,mainx-reference}.yaml; do
    do_it profile new --from "$shipped" --out "$work/untouched.yaml"
    expect 0
    do_it profile diff "$shipped" "$work/untouched.yaml"
    expect 0
    rm "$work/untouched.yaml"
done

say "the completed profile speaks to the board; a probe reads only and tells a wrong one"
board_start 810
before=$(stat -c %Y%s "$work/unit-810.state" 2>/dev/null || true)
profile="$work/site.yaml"
live profile probe --flow idle
expect 0 'ok +sum of cells'
live profile probe --flow sideways
expect 2 'charge, discharge or idle'
[ "$before" = "$(stat -c %Y%s "$work/unit-810.state" 2>/dev/null || true)" ] || die "a probe wrote to the board"
sed 's/^product: .*/product: B999/' "$work/base.yaml" >"$work/wrong.yaml"
profile="$work/wrong.yaml"
live profile probe
expect 6 'BAD +product'
profile="$work/base.yaml"

say "the pack's parameters move to another board, the board's stay"
live board write protect.cell_ov_start "3.68 V" --password-file "$work/password"
expect 0
live board write identity.pcb_barcode TBI23090400810 --password-file "$work/password"
expect 0
live board export --out "$work/old.yaml"
expect 0
do_it check "$work/old.yaml"
expect 0
grep -q "^dialect: \"reference dialect, not the vendor's protocol\"" "$work/old.yaml" || die "the export does not name the dialect"
live board export --out "$work/old.yaml"
expect 2 'there already'
board_start 811
live board import "$work/old.yaml" --password-file "$work/password"
expect 2 '[-]-keep FILE is needed'
live board import "$work/old.yaml" --keep "$work/keep-0.yaml"
expect 7 'administrator login'
live board import "$work/old.yaml" --keep "$work/keep-1.yaml" --password-file "$work/password"
expect 0 '^1 value written, .* all read back'
live board read protect.cell_ov_start identity.pcb_barcode
expect 0 'protect.cell_ov_start 3.68 V'
grep -q 'identity.pcb_barcode (not set)' "$work/out" || die "the barcode moved with the pack"
grep -q 'protect.cell_ov_start: "3.7 V"' "$work/keep-1.yaml" || die "what the board held is not kept"
live board import "$work/old.yaml" --keep "$work/keep-2.yaml" --password-file "$work/password"
expect 0 'nothing to write'
live board import "$work/keep-1.yaml" --keep "$work/keep-3.yaml" --password-file "$work/password"
expect 0 '^1 value written'

say "an import that a board does not keep says how it was before"
board_start 812 clamp-parameter
live board import "$work/old.yaml" --keep "$work/keep-4.yaml" --password-file "$work/password"
expect 6 "part of the values now; $work/keep-4.yaml is what it held before"
board_start 811

say "an import that does not fit is refused before anything is written"
bad_import() { # SED SAYS CODE
    sed -E "$1" "$work/old.yaml" >"$work/bad.yaml"
    live board import "$work/bad.yaml" --keep "$work/never.yaml" --password-file "$work/password"
    expect "$3" "$2"
    [ ! -e "$work/never.yaml" ] || die "something was begun"
}
bad_import 's/^family: .*/family: other/' "of family 'other'" 3
bad_import 's/protect.cell_ov_start: .*/protect.cell_ov_start: "9 V"/' 'range' 3
bad_import 's/protect.cell_ov_start:/protect.cell_ov_strat:/' 'did you mean' 3
bad_import 's/^pack:/pack:\n  identity.pcb_barcode: "X"/' 'belongs to the board' 3
bad_import 's/protect.cell_ov_start: .*/protect.cell_ov_start: "3.3 V"/' 'protect.cell_ov_start' 7
live board read protect.cell_ov_start
expect 0 '3.7 V'

say "a scan of the line finds the board at its address"
do_it scan-bus --link "unix:$work/board.sock" --profile "$profile" --last 3 --json
expect 0 '"address":1,.*"product":"B200LT55"'
do_it scan-bus --link "unix:$work/board.sock" --profile "$profile" --first 2 --last 3
expect 4 'no board answers at addresses 2 to 3'

say "every record carries hash and evidence, and names the dialect"
station_make
packline records show BSN90000001 --store "$work/demo/store" >"$work/out"
for word in profile_sha256 'reference [0-9]+' "reference dialect, not the vendor's protocol"; do
    grep -qE "$word" "$work/out" || die "the record lacks $word"
done
sqlite3 -readonly "$work/demo/store/station.db" "SELECT payload FROM v_label" >"$work/out"
grep -q "reference dialect, not the vendor's protocol" "$work/out" || die "the label's payload does not name the dialect"
packline records export --store "$work/demo/store" >"$work/out"
head -1 "$work/out" | grep '"dialect","profile","profile_sha256","evidence"' >/dev/null || die "the export lacks the evidence"
grep -q "reference dialect, not the vendor's protocol" "$work/out" || die "the export does not name the dialect"

say "a store of the version before gets the new views, and loses nothing"
db="$work/demo/store/station.db"
rows=$(sqlite3 -readonly "$db" "SELECT count(*) FROM journal")
sqlite3 "$db" "DROP VIEW v_run; CREATE VIEW v_run AS SELECT run, sn FROM run; PRAGMA user_version = 1"
do_it serial burn BSN99999999 --station "$station" --reason "opens the store"
expect 4 'never given'
[ "$(sqlite3 -readonly "$db" "SELECT count(*) FROM journal")" -ge "$rows" ] || die "rows are gone"
[ -n "$(sqlite3 -readonly "$db" "SELECT evidence FROM v_run WHERE sn = 'BSN90000001'")" ] || die "no evidence in v_run"
audit

say "a physical wire is refused without the station's override, and taken with it"
board_stop
"$BUILD/packline-board" --family basen --listen tcp:127.0.0.1:0 --bench "unix:$work/bench.sock" --state "$work/unit-812.state" \
    --unit-seed 812 --speed fast >"$work/board.out" 2>&1 &
board_pid=$!
for _ in $(seq 100); do
    grep -q '^bench ' "$work/board.out" && break
    sleep 0.05
done
far=$(sed -nE 's/^[a-z]+ (tcp:.*)/\1/p' "$work/board.out") # may lead to anything: it counts as physical
do_it board identify --link "$far" --profile "$profile"
expect 7 "reference dialect, not the vendor's protocol.*--allow-reference"
do_it scan-bus --link "$far" --profile "$profile" --last 1
expect 7 "reference dialect, not the vendor's protocol"
do_it profile probe --link "$far" --profile "$profile"
expect 7 "reference dialect, not the vendor's protocol"
sed -i -E "s#link: unix:$work/board.sock.*#link: $far#" "$station"
unit BSN90000812
expect 7 'allow_reference: true'
[ -z "$(verdict_of BSN90000812)" ] || die "a run began"
sed -i -E "s#^( *)link: tcp:.*#&\n\1allow_reference: true#" "$station"
unit BSN90000812
expect 0
packline records show BSN90000812 --station "$station" | grep "reference dialect, not the vendor's protocol" >/dev/null ||
    die "the record of the overridden run does not name the dialect"
