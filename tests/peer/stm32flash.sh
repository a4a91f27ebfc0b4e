#!/usr/bin/env bash
# Debian's stm32flash and packline on the same virtual bootloader: each reads back what the other wrote.
set -euo pipefail
work=$(mktemp -d)
pid=
cleanup() {
    [ -z "$pid" ] || kill "$pid" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

start() { # LISTEN
    "$BUILD/packline-board" --family basen --listen "$1" --state "$work/state" --bootloader --speed fast >"$work/out" &
    pid=$!
    for _ in $(seq 100); do
        grep -q ^listening "$work/out" && return
        sleep 0.05
    done
    echo "the virtual board did not start"
    exit 1
}
stop() {
    kill "$pid"
    wait "$pid" || true
    pid=
}

head -c 20000 /dev/urandom >"$work/first.bin"
head -c 33333 /dev/urandom >"$work/second.bin"

start pty
tty=$(sed -n 's/^listening pty://p' "$work/out")
echo "== stm32flash writes and verifies"
stm32flash -m 8n1 -b 115200 -w "$work/first.bin" -v -S 0x08000000 "$tty"
stm32flash -m 8n1 -b 115200 -r "$work/back.bin" -S 0x08000000:20000 "$tty"
cmp "$work/first.bin" "$work/back.bin"
stop

start "unix:$work/board.sock"
echo "== packline proves what stm32flash wrote, and sees one wrong byte"
"$BUILD/packline" flash --link "unix:$work/board.sock" --loader an3155 --verify-only "$work/back.bin"
printf '\125' | dd of="$work/back.bin" bs=1 seek=7777 conv=notrunc status=none
cmp -s "$work/first.bin" "$work/back.bin" && printf '\252' | dd of="$work/back.bin" bs=1 seek=7777 conv=notrunc status=none
code=0
"$BUILD/packline" flash --link "unix:$work/board.sock" --loader an3155 --verify-only "$work/back.bin" || code=$?
[ "$code" = 6 ] || { echo "exit code $code instead of 6"; exit 1; }
echo "== packline writes"
"$BUILD/packline" flash --link "unix:$work/board.sock" --loader an3155 "$work/second.bin"
stop

start pty
tty=$(sed -n 's/^listening pty://p' "$work/out")
echo "== stm32flash reads what packline wrote"
stm32flash -m 8n1 -b 115200 -r "$work/second.back" -S 0x08000000:33333 "$tty"
cmp "$work/second.bin" "$work/second.back"
stop
