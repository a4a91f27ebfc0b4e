#!/usr/bin/env bash
# Unplugged at any step: the record tells the truth, and the same board passes next time with its own number.
source "$SOURCE/tests/bad/lib.bash"
station_make

say "nothing in the slot"
board_stop
rm -f "$work/board.sock"
unit BSN00000100
expect 4
say "a board that never answers"
board_start 101 silent
unit BSN00000101
expect 4

n=110
for bytes in 10 60 400 1500 4000 8000 9500 10500 12000 14000; do
    n=$((n + 1))
    say "unplugged after $bytes bytes"
    board_start "$n" "unplug-at:$bytes"
    unit "BSN00000$n"
    [ "$code" != 0 ] || {
        say "the unit was done before byte $bytes"
        continue
    }
    case $code in 4 | 5) ;; *) die "exit code $code" ;; esac
    case $(verdict_of "BSN00000$n") in FAIL | INTERRUPTED | ABORTED) ;; *) die "the record is '$(verdict_of "BSN00000$n")'" ;; esac
    board_start "$n"
    unit "BSN00000$n"
    expect 0 "PASS BSN00000$n"
done
audit
