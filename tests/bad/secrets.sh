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
        if tr -d ' \n' <"$file" | grep -qaiE "$secret|$hex|$twice"; then
            die "secret $secret is in $file"
        fi
    done
done
