#!/usr/bin/env bash
# Every virtual family answers where its shipped profile looks for it, without an option on either side; at another address
# when told so; and `board log --erase` of a board whose log nobody can erase leaves no file behind.
set -euo pipefail
work=$(mktemp -d)
pid=
stop() {
    [ -z "$pid" ] || { kill "$pid" 2>/dev/null && wait "$pid"; } || true
    pid=
}
trap 'stop; rm -rf "$work"' EXIT
die() {
    echo "FAILED: $*"
    tail -5 "$work/out"
    exit 1
}
start() { # FAMILY OPTION…
    stop
    rm -f "$work/board"
    "$BUILD/packline-board" --family "$1" --speed fast --listen "unix:$work/line" "${@:2}" >"$work/board" 2>&1 &
    pid=$!
    for _ in $(seq 100); do
        grep -q ^listening "$work/board" 2>/dev/null && break
        sleep 0.05
    done
    grep -q ^listening "$work/board" || die "$1 does not start: $(cat "$work/board")"
    sleep 0.1
}
ask() { # SCHEME PROFILE WORD…
    code=0
    "$BUILD/packline" "${@:3}" --link "$1:$work/line" --profile "$SOURCE/recipes/boards/$2.yaml" >"$work/out" 2>&1 || code=$?
}
: >"$work/out"
families=$("$BUILD/packline-board" --list-families)
[ -n "$families" ] || die "no list of families"
for family in $families; do
    scheme=unix
    case $family in
    basen) profile=basen-lt55 ;;
    clever) profile=clever-176x33 ;;
    topbms) profile=topbms-v17 ;;
    daly) profile=daly-uart-16s ;;
    daly-can) profile=daly-can-16s scheme=can-socket ;;
    daly-modbus) profile=daly-modbus-16s ;;
    jbd) profile=jbd-sp04s020 ;;
    mainx) profile=mainx-reference ;;
    mainx-tcp) profile=mainx-reference-tcp ;;
    monv4) profile=monv4-reference ;;
    pace) profile=pace-25 ;;
    rockets) profile=rockets-smart scheme=can-socket ;;
    seplos3) profile=seplos3 ;;
    tianpower) profile=tianpower-16s ;;
    *) die "no profile of family $family is named here" ;;
    esac
    start "$family" --defect awake
    ask "$scheme" "$profile" board identify
    [ "$code" = 0 ] || die "$family does not answer profile $profile"
    echo "ok $family"
done

for family in mainx rockets seplos3; do
    profile=$family scheme=unix
    [ $family = mainx ] && profile=mainx-reference
    [ $family = rockets ] && profile=rockets-smart scheme=can-socket
    start $family --defect awake --address 77
    ask $scheme $profile board identify --address 77
    [ "$code" = 0 ] || die "$family does not answer at 77"
    ask $scheme $profile board log --erase --keep "$work/kept" --address 77
    [ "$code" = 1 ] || die "$family erases its log: exit code $code"
    grep -q 'erasing the history is not supported' "$work/out" || die "$family does not say why"
    [ ! -e "$work/kept" ] || die "$family: a file is left of a log that was not erased"
done
