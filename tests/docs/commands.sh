#!/usr/bin/env bash
# Runs every ```sh block of the documentation, in order, as a newcomer would type it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
for folder in recipes labels firmware docs; do
    ln -s "$SOURCE/$folder" "$folder"
done
mkdir -p build
ln -s "$BUILD" build/gcc
printf '#!/bin/sh\nexec "%s/packline" "$@"\n' "$BUILD" >packline
chmod +x packline
export PATH="$BUILD:$PATH" PACKLINE_SHARE="$SOURCE"
ran=0
for page in docs/quickstart.md docs/records.md docs/simulation.md docs/families/basen.md; do
    [ -f "$page" ] || continue
    awk '/^```sh$/ {on = 1; next} /^```/ {on = 0} on' "$page" >"commands"
    [ -s commands ] || continue
    echo "== $page"
    cat commands
    bash -eu commands
    ran=$((ran + 1))
done
[ "$ran" -ge 1 ]
