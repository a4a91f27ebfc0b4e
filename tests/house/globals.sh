#!/usr/bin/env bash
# No writable file-scope data below the top floor: 64 slots live in one process. The real clock is one object that is
# never written, but its type has no const. (.data.rel.ro holds constant tables of pointers: read-only once loaded.)
set -euo pipefail
if grep -q '^PACKLINE_SANITIZE:BOOL=ON' "$BUILD/CMakeCache.txt"; then
    echo "skipped: sanitizers add their own data"
    exit 0
fi
found=$(for library in base event firmware labels virtual proto recipes store engine; do
    objdump -t "$BUILD/lib$library.a" 2>/dev/null | awk -v l=$library \
        '$0 ~ / O / && $0 ~ /[[:space:]]\.(data|bss)(\.[A-Za-z_][A-Za-z0-9_.]*)?[[:space:]]/ && $0 !~ /\.data\.rel\.ro/ {print l ": " $NF}'
done | grep -vE '^base: real$|: (quark|q)\.[0-9]+$|: real\.[0-9]+$' || true)
if [ -n "$found" ]; then
    echo "writable file-scope data:"
    echo "$found"
    exit 1
fi
