#!/usr/bin/env bash
# No password leaves the secret store: not in the journal, traces, JSON, exports, labels, or process arguments.
source "$SOURCE/tests/bad/lib.bash"
station_make
say "a failed run keeps its trace; neither spelling of a secret may be in it"
board_start 600 clamp-parameter
unit BSN00000600 --json
expect 6
packline records show BSN00000600 --station "$station" >"$work/show"
packline records export --station "$station" --format json >"$work/export"
ls "$work"/demo/store/traces/*.hex >/dev/null || die "no trace was kept"
grep -q '\*\*' "$work"/demo/store/traces/*.hex || die "the trace shows no masked bytes: was the login traced at all?"
for secret in 888888 654321; do
    hex=$(printf %s "$secret" | od -An -tx1 | tr -d ' \n')
    # On the wire every byte is two hexadecimal characters, and the trace shows those as hexadecimal again.
    twice=$(printf %s "$hex" | od -An -tx1 | tr -d ' \n')
    for file in "$work/out" "$work/show" "$work/export" "$work"/demo/store/station.db* "$work"/demo/store/traces/*.hex; do
        if tr -d ' \n' <"$file" | grep -aiE "$secret|$hex|$twice" >/dev/null; then
            die "secret $secret is in $file"
        fi
    done
done

# hunt FILE…: dies when a file holds a secret in any spelling.
hunt() {
    local file secret hex twice
    for file in "$@"; do
        for secret in "${secrets[@]}"; do
            hex=$(printf %s "$secret" | od -An -tx1 | tr -d ' \n')
            twice=$(printf %s "$hex" | od -An -tx1 | tr -d ' \n')
            if tr -d ' \n\0' <"$file" | grep -aiE "$secret|$hex|$twice" >/dev/null; then
                die "secret $secret is in $file"
            fi
        done
    done
}

say "every output of a passing and of a failing unit, and the arguments and environment of the program"
secrets=(888888 654321)
# watched SCAN OPTION…: a unit whose arguments and environment are read while it runs.
watched() {
    local scan=$1 pid
    shift
    code=0
    "$BUILD/packline" run --station "$station" --recipe "$release" --scan "$scan" --yes "$@" >"$work/stdout" \
        2>"$work/stderr" </dev/null &
    pid=$!
    while kill -0 "$pid" 2>/dev/null; do
        cat "/proc/$pid/cmdline" "/proc/$pid/environ" >>"$work/arguments" 2>/dev/null || true
        sleep 0.1
    done
    wait "$pid" || code=$?
    cp "$work/stdout" "$work/out"
    [ -s "$work/arguments" ] || die "the arguments were not seen"
    hunt "$work/stdout" "$work/stderr" "$work/arguments"
}
board_start 601
watched BSN00000601
expect 0 'PASS BSN00000601'
board_start 602
watched BSN00000602 --json
expect 0
# A password the board refuses: the refusal must not spell it out.
printf 'canary7\n' >"$work/demo/secrets/basen-admin"
secrets=(canary7 654321)
board_start 603
watched BSN00000603 --json
[ "$code" != 0 ] || die "a wrong password passed"
secrets=(888888 654321 canary7)
packline records export --station "$station" --format csv >"$work/export.csv"
packline records export --station "$station" --format json >"$work/export.json"
packline records list --station "$station" --json >"$work/list.json"
packline audit --station "$station" >"$work/audit.txt"
for sn in 601 602 603; do
    packline records show "BSN00000$sn" --station "$station" >>"$work/shown"
done
mapfile -d '' files < <(find "$work/demo/store" "$work/demo/printed" -type f -print0)
[ "${#files[@]}" -gt 4 ] || die "only ${#files[@]} files were found to search"
hunt "${files[@]}" "$work"/export.* "$work/list.json" "$work/audit.txt" "$work/shown"
# The hunt must be able to find what it hunts.
printf '38 38 38 38 38 38' >"$work/bait"
(hunt "$work/bait") >/dev/null && die "the hunt finds nothing"
exit 0
