#!/usr/bin/env bash
# No writable file-scope data below the top floor: 64 slots live in one process. The real clock is one constant object
# that is never written, but its type has no const.
set -euo pipefail
found=$(for library in base event firmware labels proto recipes store engine; do
    nm --defined-only "$BUILD/lib$library.a" 2>/dev/null | awk -v l=$library '$2 ~ /^[bBdDcC]$/ {print l ": " $3}'
done | grep -vE ': (real|__compound_literal\.[0-9]+|quark\.[0-9]+|q\.[0-9]+|.*__asan.*|\.L.*|completed\.[0-9]+|_ub.*|__odr.*|\*\..*|__func__.*)$' | grep -vE ': .*\.Lubsan' || true)
if nm "$BUILD/libbase.a" 2>/dev/null | grep -q __asan; then
    echo "skipped: sanitizers add their own data"
    exit 0
fi
if [ -n "$found" ]; then
    echo "writable file-scope data:"
    echo "$found"
    exit 1
fi
