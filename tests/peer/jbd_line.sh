#!/usr/bin/env bash
# A JBD board from scan to label: a release without a firmware package, a board without an identity of its own.
set -euo pipefail
work=$(mktemp -d)
boards=()
trap '[ ${#boards[@]} -eq 0 ] || kill "${boards[@]}" 2>/dev/null || true; rm -rf "$work"' EXIT
packline() { "$BUILD/packline" "$@"; }

fail() {
    echo "$1"
    cat "$work/out"
    exit 1
}

# board NAME SEED [DEFECT]: a new board, plugged into the slot of that name
board() {
    "$BUILD/packline-board" --family jbd --listen "unix:$work/$1.sock" --bench "unix:$work/$1.bench" --speed fast \
        --unit-seed "$2" ${3:+--defect "$3"} >"$work/$1.log" 2>&1 &
    boards+=($!)
    for _ in $(seq 100); do
        if grep -q bench "$work/$1.log"; then return; fi
        sleep 0.05
    done
    fail "board $1 did not start"
}

# unplug N: takes out the board that was plugged in as the N-th, from 0
unplug() {
    kill "${boards[$1]}"
    wait "${boards[$1]}" 2>/dev/null || true
    unset "boards[$1]"
}

# run SLOT SCAN CODE [RECIPE]
run() {
    local code=0
    packline run --station "$work/station.yaml" --recipe "$work/recipes/${4:-release.yaml}" --slot "$1" --scan "$2" \
        --operator tester --yes >"$work/out" 2>&1 || code=$?
    [ "$code" -eq "$3" ] || fail "scan $2 at $1 ended with $code, not $3"
}

mkdir -p "$work"/{recipes/boards,labels,keys,trust,printed}
cp "$SOURCE/recipes/jbd-100ah-4s.yaml" "$work/recipes/"
cp "$SOURCE/recipes/boards/jbd-sp04s020.yaml" "$work/recipes/boards/"
cp "$SOURCE/labels/board-60x40.yaml" "$work/labels/"
packline keys release-2026 --folder "$work/keys" --role firmware --role release >/dev/null
cp "$work/keys/release-2026.pub" "$work/trust/"
packline release make "$work/recipes/jbd-100ah-4s.yaml" --trust "$work/trust" --key "$work/keys/release-2026.key" \
    --out "$work/recipes/release.yaml" >/dev/null

{
    printf 'schema: packline/station/1\nstation: jbd\nstore: store\ntrust: trust\nslots:\n'
    for slot in A B C D; do
        printf '  - slot: %s\n    link: unix:%s.sock\n    bench:\n      - kind: scpi\n        link: unix:%s.bench\n' \
            "$slot" "$slot" "$slot"
        printf '        identity: PACKLINE,VIRTUAL-BENCH\n        due: 2099-12-31\n'
    done
    printf 'printers:\n  - printer: file\n    link: file:printed\n    dpi: 203\n'
} >"$work/station.yaml"
packline check "$work/station.yaml" >/dev/null

board A 1
run A JBD00000001 0
packline records show JBD00000001 --station "$work/station.yaml" >"$work/out"
grep -q PASS "$work/out" || fail "no PASS on record"
grep -q 'sn-JBD00000001' "$work/out" || fail "the record does not say what the board is known by"
grep -q 'cell 4 error after calibration' "$work/out" || fail "the cells were not calibrated"
[ "$(find "$work/printed" -name '*.png' | wc -l)" -eq 1 ] || fail "not one label was printed"
packline board read --link "unix:$work/A.sock" --profile "$work/recipes/boards/jbd-sp04s020.yaml" identity.barcode \
    protect.chg_ut control.remaining_capacity live.full_capacity errors.chg_oc >"$work/out"
diff - "$work/out" <<'END'
identity.barcode JBD00000001
protect.chg_ut 0 °C
control.remaining_capacity 50 Ah
live.full_capacity 100 Ah
errors.chg_oc 0
END

# A cell by hand, numbered as the readings show it.
by_hand=(--link "unix:$work/A.sock" --profile "$work/recipes/boards/jbd-sp04s020.yaml")
packline board calibrate cell 2 "3.31 V" "${by_hand[@]}" >"$work/out"
packline board telemetry "${by_hand[@]}" >"$work/out"
grep -qE '^cell 2 +3.31 V$' "$work/out" || fail "cell 2 is not calibrated"
if packline board calibrate cell 0 "3.31 V" "${by_hand[@]}" >"$work/out" 2>&1; then fail "cell 0 was taken"; fi
grep -q "no cell number from 1" "$work/out" || fail "cell 0 is not named"

# The number is used up, and that board is somebody's.
run A JBD00000001 7
run A JBD00000002 7
grep -q JBD00000001 "$work/out" || fail "the number on the board is not named"

# A board that clamps a limit fails; its number may be on it, so no blank board gets it.
board B 2 clamp-parameter
run B JBD00000003 6
grep -q 'protect.cell_ov' "$work/out" || fail "the clamped item is not named"
board C 3
run C JBD00000003 7
grep -q 'carries none' "$work/out" || fail "a blank board got a number that is on another one"
run C JBD00000004 0

# Another board of the family.
board D 4 wrong-product
run D JBD00000005 7

# Whoever changes such a board before it has its number could not tell it from the next one.
awk '/do: write_identity/ {skip = 1; next} /^  (-|#)/ {skip = 0} !skip' "$work/recipes/jbd-100ah-4s.yaml" \
    >"$work/recipes/late.yaml"
run C JBD00000006 3 late.yaml
grep -q "is known by 'identity.barcode' alone" "$work/out" || fail "the recipe that numbers no board was taken"

# A board with a password does not even show its number before the login, at the start and after the restart.
mkdir "$work/secrets"
printf '135790\n' >"$work/secrets/jbd"
chmod 600 "$work/secrets/jbd"
sed -i 's|^slots:|secrets:\n  jbd: secrets/jbd\nslots:|' "$work/station.yaml"
sed 's/^  - do: identify/&\n    login: jbd/; s/^    how: power/&\n    login: jbd/' "$work/recipes/jbd-100ah-4s.yaml" \
    >"$work/recipes/password.yaml"
packline release make "$work/recipes/password.yaml" --trust "$work/trust" --key "$work/keys/release-2026.key" \
    --out "$work/recipes/password-release.yaml" >"$work/out"
unplug 0
board A 7 wrong-password
run A JBD00000007 1
grep -q 'register 00H.*has a password, log in first' "$work/out" || fail "it does not say where a board without its password refuses"
run A JBD00000007 0 password-release.yaml
# Its label is scanned back with the same login, after its supply was gone.
sed -i '/^trust:/a confirm_labels: true' "$work/station.yaml"
unplug 2
board C 9 wrong-password
run C JBD00000009 10 password-release.yaml
printf 'BOAR:POW CYCL\n' | socat -t 1 - "UNIX-CONNECT:$work/C.bench"
sleep 0.2
packline label confirm --station "$work/station.yaml" --slot C --scan JBD00000009 >"$work/out" 2>&1 ||
    fail "the label of a board with a password is not confirmed"
printf '246801\n' >"$work/secrets/jbd"
unplug 1
board B 8 wrong-password
run B JBD00000008 1 password-release.yaml
grep -q 'wrong password; it is not tried again' "$work/out" || fail "the wrong password is not called that"
grep -qE '246801|32 34 36 38 30 31' "$work/out" && fail "a password is shown"

packline audit --station "$work/station.yaml" >"$work/out" || fail "the audit found something"
