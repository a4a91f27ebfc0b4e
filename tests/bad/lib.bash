# Shared by the tests of bad input: a station of its own, virtual boards by number, and checks that speak.
# shellcheck shell=bash
set -euo pipefail

work=$(mktemp -d /tmp/packline-bad-XXXXXX)
board_pid=
family=basen
address=1
cleanup() {
    board_stop
    rm -rf "$work"
}
trap cleanup EXIT

packline() {
    "$BUILD/packline" "$@"
}

say() {
    printf '== %s\n' "$*"
}

die() {
    printf 'FAILED: %s\n' "$*"
    [ -f "$work/out" ] && tail -15 "$work/out" | cut -c1-300
    exit 1
}

# A demo station whose first unit passed; the tests then use its files with boards of their own.
station_make() {
    (cd "$work" && PACKLINE_SHARE="$SOURCE" packline demo --family "$family" --once --speed fast --folder "$work/demo" --board 900001 \
        --scan "${first_scan:-BSN90000001}" >"$work/first" 2>&1) || {
        cat "$work/first"
        die "the first unit did not pass"
    }
    sed -E -e "s#link: unix:.*/board.sock.*#link: unix:$work/board.sock#" \
        -e "s#link: unix:.*/bench.sock#link: unix:$work/bench.sock#" "$work/demo/station.yaml" >"$work/demo/test.yaml"
    station="$work/demo/test.yaml"
    release="$work/demo/recipes/release.yaml"
}

# board_start NUMBER DEFECT…
board_start() {
    local number=$1 defects=()
    shift
    board_stop
    for defect in "$@"; do
        defects+=(--defect "$defect")
    done
    rm -f "$work/board.out"
    "$BUILD/packline-board" --family "$family" --address "$address" --listen "unix:$work/board.sock" --bench "unix:$work/bench.sock" \
        --state "$work/unit-$number.state" --unit-seed "$number" --speed fast "${defects[@]}" >"$work/board.out" 2>&1 &
    board_pid=$!
    for _ in $(seq 100); do
        grep -q '^bench ' "$work/board.out" 2>/dev/null && return 0
        sleep 0.05
    done
    die "the virtual board did not start: $(cat "$work/board.out")"
}

board_stop() {
    if [ -n "$board_pid" ]; then
        kill "$board_pid" 2>/dev/null || true
        wait "$board_pid" 2>/dev/null || true
        board_pid=
    fi
}

# unit SCAN OPTION…: runs one unit, output in $work/out, exit code in $code.
unit() {
    local scan=$1
    shift
    code=0
    packline run --station "$station" --recipe "$release" --scan "$scan" --yes "$@" >"$work/out" 2>&1 </dev/null || code=$?
}

expect() {
    [ "$code" = "$1" ] || die "exit code $code instead of $1"
    [ -z "${2-}" ] || grep -qE "$2" "$work/out" || die "no line like: $2"
}

# What the record says of the newest run of a serial number.
verdict_of() {
    packline records list --station "$station" --sn "$1" --json | sed -nE '1s/.*"verdict":"([A-Z]*)".*/\1/p'
}

audit() {
    packline audit --station "$station" >"$work/audit" || {
        cat "$work/audit"
        die "a promise is violated"
    }
    packline records verify --station "$station" >/dev/null || die "the chain does not verify"
}
