#!/usr/bin/env bash
# What the program says of itself: every verb explains itself, every exit code is there, half a verb shows what it can become.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PATH="$BUILD:$PATH"
packline --help >"$work/all"
verbs=$(sed -nE 's/^  ([a-z]+( [a-z]+)?)  .*/\1/p' "$work/all")
[ "$(wc -l <<<"$verbs")" -ge 40 ]
codes=$(sed -nE 's/^\| \[([0-9]+)\].*/\1/p' "$SOURCE/docs/exit-codes.md")
while read -r verb; do
    # shellcheck disable=SC2086
    packline $verb --help >"$work/help"
    # shellcheck disable=SC2086
    packline man $verb >"$work/man"
    for code in $codes; do
        for page in help man; do
            grep -qE "(^|[ ,:])$code [a-z]" "$work/$page" || { echo "$page of '$verb' has no exit code $code"; exit 1; }
        done
    done
    grep -q "^Usage: packline $verb" "$work/help"
    mandoc -Tlint -Werror "$work/man" || [ $? -lt 3 ]
done <<<"$verbs"
for group in board profile records label firmware; do
    packline $group --help >"$work/group"
    [ "$(grep -c . "$work/group")" = "$(grep -c "^  $group " "$work/all")" ]
done
for words in "board" "board frob" "frob"; do
    code=0
    # shellcheck disable=SC2086
    packline $words 2>"$work/said" || code=$?
    [ "$code" = 2 ]
    grep -q '^  board read ' "$work/said"
done
code=0
packline demo --family nobodys --once --folder "$work/demo" >/dev/null 2>"$work/said" || code=$?
[ "$code" = 2 ]
grep -q 'there are .*basen.*tianpower' "$work/said"
