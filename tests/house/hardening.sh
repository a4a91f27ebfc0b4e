#!/usr/bin/env bash
# The built programs carry the compiler's and the linker's defences; a lost flag is silent otherwise.
set -euo pipefail
if grep -q '^PACKLINE_SANITIZE:BOOL=ON' "$BUILD/CMakeCache.txt"; then
    echo "skipped: sanitizers bring their own defences"
    exit 0
fi
failed=0
lacks() {
    echo "$1: $2"
    failed=1
}
for name in packline packline-board; do
    file="$BUILD/$name"
    header=$(readelf -hW "$file")
    segments=$(readelf -lW "$file")
    dynamic=$(readelf -dW "$file")
    landings=$(objdump -d "$file" | grep -c endbr64 || true)
    symbols=$(readelf -sW "$file")
    { grep -q 'Type: *DYN' <<<"$header" && grep -q 'FLAGS_1.*PIE' <<<"$dynamic"; } ||
        lacks "$name" "not position independent"
    grep -q 'GNU_RELRO' <<<"$segments" || lacks "$name" "no RELRO segment"
    grep -qE 'BIND_NOW|FLAGS_1.*NOW' <<<"$dynamic" || lacks "$name" "RELRO is partial: symbols are bound late"
    grep -qE 'GNU_STACK.* RW +0x' <<<"$segments" || lacks "$name" "the stack is executable"
    grep -qE 'LOAD.* RWE ' <<<"$segments" && lacks "$name" "a segment is writable and executable"
    grep -q '__stack_chk_fail' <<<"$symbols" || lacks "$name" "no stack protector"
    grep -qE '__[a-z]+_chk' <<<"$(grep -v __stack_chk_fail <<<"$symbols")" || lacks "$name" "no fortified calls"
    if grep -q 'X86-64' <<<"$header"; then
        # The C library's start files of Debian 12 carry no mark, so the program's note cannot either: count instead.
        [ "$landings" -gt 50 ] || lacks "$name" "no control-flow protection"
    fi
    grep -qE 'RPATH|RUNPATH' <<<"$dynamic" && lacks "$name" "a library search path is built in"
done
exit $failed
