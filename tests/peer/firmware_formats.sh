#!/usr/bin/env bash
# One program, linked by GNU ld and converted by GNU objcopy: ELF, Intel HEX, S-records and raw binary must give
# packline one and the same image, whose checksum gzip confirms. Needs BUILD and SOURCE.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
base=0x08000000
failed=0

fail() {
    echo "firmware_formats: $*" >&2
    failed=1
}

build() { # folder, more words for make
    MAKEFLAGS='' make --silent --no-print-directory -C "$SOURCE/firmware/reference" OUT="$1" "${@:2}"
}

inspect() { # lines sha256 and region of an image file
    "$BUILD/packline" firmware inspect "$@" | grep -E '^(sha256|region) '
}

word() { # little-endian word of a file at an offset
    od -An -v -tu4 -j "$2" -N 4 "$1" | tr -d ' '
}

same() { # the image of these words of `inspect` is the one expected
    local found
    found=$(inspect "$@") || { fail "cannot inspect $*"; return; }
    [ "$found" = "$expected" ] || fail "$*: expected"$'\n'"$expected"$'\n'"found"$'\n'"$found"
}

build "$folder/one"
bin=$folder/one/reference.bin
size=$(stat -c %s "$bin")
expected="sha256 $(sha256sum <"$bin" | cut -d' ' -f1)
region $base $size"

# What the Makefile made, and the other shapes that objcopy writes.
cd "$folder/one"
elf=reference.elf
arm-none-eabi-objcopy -O srec --srec-forceS3 --srec-len=32 $elf long.srec
arm-none-eabi-objcopy -O ihex -I binary --change-addresses=$base reference.bin again.hex
arm-none-eabi-objcopy -O srec -I binary --change-addresses=$base reference.bin again.srec
arm-none-eabi-strip -o stripped.elf $elf
tr 'A-F' 'a-f' <reference.hex >lower.hex
tr -d '\r' <reference.hex >unix.hex
for file in $elf stripped.elf reference.hex lower.hex unix.hex again.hex reference.srec long.srec again.srec; do
    same $file
done
same --base $base reference.bin
cd - >/dev/null

# The descriptor: magic, length, and the checksum that gzip computes over the image with that field zero.
[ "$(dd if="$bin" bs=1 skip=512 count=4 status=none)" = PKLD ] || fail "no magic at 0x200"
[ "$(word "$bin" 516)" = "$size" ] || fail "length $(word "$bin" 516), expected $size"
[ $((size % 4)) = 0 ] || fail "the length $size is no multiple of 4"
cp "$bin" "$folder/zeroed"
printf '\0\0\0\0' | dd of="$folder/zeroed" bs=1 seek=520 conv=notrunc status=none
gzip -c "$folder/zeroed" | tail -c 8 >"$folder/trailer"
[ "$(word "$bin" 520)" = "$(word "$folder/trailer" 0)" ] || fail "checksum differs from gzip's"

# Built elsewhere it is the same to the byte; another version is another image.
build "$folder/two"
for format in elf hex srec bin; do
    cmp "$folder/one/reference.$format" "$folder/two/reference.$format" || fail "reference.$format differs"
done
build "$folder/two" VERSION=1.0.5
cmp -s "$bin" "$folder/two/reference.bin" && fail "VERSION=1.0.5 gives the bytes of 1.0.4"
[ "$(dd if="$folder/two/reference.bin" bs=1 skip=524 count=5 status=none)" = 1.0.5 ] || fail "no version 1.0.5"

# A damaged file of each format is refused with its place and exit code 3.
refused() { # file, place in the message
    local code=0 text
    text=$("$BUILD/packline" firmware inspect "$1" 2>&1) || code=$?
    [ $code = 3 ] || fail "$1: exit $code, expected 3"
    [[ $text == *"$1$2"* ]] || fail "$1: no place $1$2 in: $text"
}
sed '5s/..\r$/00\r/' "$folder/one/reference.hex" >"$folder/bad.hex"
refused "$folder/bad.hex" ":5: "
sed '$d' "$folder/one/reference.srec" >"$folder/bad.srec"
refused "$folder/bad.srec" ":$(wc -l <"$folder/bad.srec"): "
head -c 4000 "$folder/one/reference.elf" >"$folder/bad.elf"
refused "$folder/bad.elf" ": offset 0x"
exit $failed
