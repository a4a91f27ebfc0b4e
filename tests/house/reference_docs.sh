#!/usr/bin/env bash
# The reference pages and JSON Schemas in the tree are what the program's own tables say, and man pages are valid.
set -euo pipefail
cd "$(mktemp -d)"
fail=0
for kind in recipe profile addresses parameters label station manifest release; do
    if ! diff -u "$SOURCE/docs/reference-$kind.md" <("$BUILD/packline" reference $kind); then
        echo "docs/reference-$kind.md is old: packline reference $kind > docs/reference-$kind.md"
        fail=1
    fi
    if ! diff -u "$SOURCE/recipes/schema/$kind.schema.json" <("$BUILD/packline" schema $kind); then
        echo "recipes/schema/$kind.schema.json is old: packline schema $kind > recipes/schema/$kind.schema.json"
        fail=1
    fi
done
# Every verb has --help and a man page that says the same options.
while read -r verb; do
    "$BUILD/packline" $verb --help >help.txt
    "$BUILD/packline" man $verb >page.1
    mandoc -Tlint -W error page.1 || fail=1
    for option in $(grep -oE '^  +(-., )?--[a-z-]+' help.txt | grep -oE '\-\-[a-z-]+'); do
        sed 's/\\-/-/g' page.1 | grep -e "$option" >/dev/null || {
            echo "man page of '$verb' lacks $option"
            fail=1
        }
    done
done < <("$BUILD/packline" --help | sed -nE 's/^  ([a-z-]+( [a-z-]+)?) .*/\1/p')
"$BUILD/packline-board" --man >page.1
mandoc -Tlint -W error page.1 || fail=1
for option in $("$BUILD/packline-board" --help | grep -oE '\-\-[a-z-]+' | sort -u); do
    sed 's/\\-/-/g' page.1 | grep -e "$option" >/dev/null || {
        echo "man page of packline-board lacks $option"
        fail=1
    }
done
rm -f help.txt page.1
exit $fail
