#!/usr/bin/env bash
# Scans that mean nothing are refused before a board is touched, with a sentence each.
source "$SOURCE/tests/bad/lib.bash"
station_make
board_start 1

say "too long"
unit "BSN00000001BSN00000001BSN00000001BSN00000001BSN00000001BSN00000001BSN00000001BSN00000001BSN00000001BSN00000001BSN00000001BSN00000001"
expect 7 'long'
say "two scans run together"
unit "BSN00000001BSN00000002"
expect 7 'two scans'
say "control characters"
unit $'BSN0000\x020001'
expect 7 'control'
say "not of the pattern"
unit "XYZ-17"
expect 7 'expected|pattern'
say "empty"
unit ""
expect 7
say "nothing of this reached the journal as a run, and nothing was allocated"
[ "$(packline records list --station "$station" --json | wc -l)" = 1 ] || die "runs were recorded for refused scans"
audit
