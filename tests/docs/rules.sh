#!/usr/bin/env bash
# docs/rules.md has every rule once, each place and test it names is there, and its table is that of the profiles.
set -euo pipefail
cd "$SOURCE"
fail=0
for n in $(seq 20); do
    [ "$(grep -cE "^\| \*\*R$n\*\* " docs/rules.md)" = 1 ] || {
        echo "rule R$n is not there once"
        fail=1
    }
done
while IFS=: read -r file name; do
    if [ ! -f "$file" ]; then
        echo "docs/rules.md names $file, which is not there"
        fail=1
    elif [ -n "$name" ] && ! case $name in
        /*) grep -qF "\"$name\"" "$file" ;;
        *) grep -qE "^[a-z].*\<$name\(" "$file" ;;
        esac; then
        echo "docs/rules.md names $name, which is not in $file"
        fail=1
    fi
done < <(grep -oE '`[a-z_0-9]+/[^` ]+`' docs/rules.md | tr -d '`' | sort -u)
for profile in recipes/boards/*.yaml; do
    grep -qE "^\| \`$(basename "$profile" .yaml)\` \|" docs/rules.md || {
        echo "docs/rules.md has no row for $profile"
        fail=1
    }
done
table=$("$BUILD/tests/proto_test_family_rules" --table)
diff <(sed -n '/^| profile |/,$p' docs/rules.md) <(printf '%s\n' "$table") || {
    echo "docs/rules.md: the table is not what tests/proto_test_family_rules --table says"
    fail=1
}
exit $fail
