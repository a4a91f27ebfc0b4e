#!/usr/bin/env bash
# The real program is killed at its Nth write, sync, rename, unlink or send, and storage calls fail once and for good.
# Every day an evenly spread sample (CRASH_SAMPLE cases, two or more, for each call, CRASH_OFFSET shifts it); CRASH_ALL=1 takes all.
# shellcheck disable=SC2154
source "$SOURCE/tests/bad/lib.bash"
# LeakSanitizer needs ptrace for itself.
export ASAN_OPTIONS=detect_leaks=0
strace -qq -o /dev/null true 2>/dev/null || {
    echo "skipped: strace may not trace here"
    exit 0
}
station_make
all=$work
running=0
failed=0
cases=0

# A folder, a store, a printer and a board of its own for one case, as they were before the unit.
fresh() {
    sn=BSN00000$1
    work=$all/$1
    board_pid=
    trap cleanup EXIT
    mkdir "$work"
    cp -a "$all/demo" "$work/"
    sed -i "s#unix:$all/#unix:$work/#" "$work/demo/test.yaml"
    station="$work/demo/test.yaml"
    release="$work/demo/recipes/release.yaml"
    board_start "$1"
}

# A unit mostly waits for its board, so several cases run side by side.
launch() {
    if [ "$running" -ge "${CRASH_JOBS:-8}" ]; then
        wait -n || failed=1
        running=$((running - 1))
    fi
    [ "$failed" = 0 ] || finish
    cases=$((cases + 1))
    ("$@" $((700 + cases)) </dev/null) &
    running=$((running + 1))
}

finish() {
    while [ "$running" -gt 0 ]; do
        wait -n || failed=1
        running=$((running - 1))
    done
    [ "$failed" = 0 ] || die "a case failed"
}

# traced OPTION…: one unit under strace; exit code in $code. Not with --seccomp-bpf: it lost the injections here.
traced() {
    code=0
    # The shell's word about a killed child is no finding.
    { timeout -k 5 120 strace -f -qq -o "$work/trace" "$@" "$BUILD/packline" run --station "$station" \
        --recipe "$release" --scan "$sn" --yes >"$work/out" 2>&1 </dev/null || code=$?; } 2>/dev/null
    cp "$work/out" "$work/traced"
}

# How often the busiest thread of a clean run makes this call: strace counts each thread by itself.
calls() {
    awk -v c="$1" '$2 ~ "^" c "\\(" {n[$1]++} END {for (t in n) if (n[t] > m) m = n[t]; print m + 0}' "$work/clean"
}

# points COUNT SAMPLE: the Ns to take of 1…COUNT.
points() {
    local count=$1 sample=$2 offset=${CRASH_OFFSET:-0} i
    if [ "${CRASH_ALL:-0}" = 1 ] || [ "$count" -le "$sample" ]; then
        seq "$count"
        return
    fi
    for i in $(seq 0 $((sample - 1))); do
        echo $(((i * (count - 1) / (sample - 1) + offset) % count + 1))
    done
}

has_verdict() {
    packline records list --station "$station" --sn "$sn" --json >"$work/list" || die "the records cannot be read"
    grep -q "\"verdict\":\"$1\"" "$work/list"
}

labels() {
    find "$work/demo/printed" -type f -name "$sn*.png" | wc -l
}

# What holds at once: no PASS was shown and no label printed that is not on record.
check_honest() {
    if grep -q '^PASS' "$work/traced" || [ "$(labels)" -gt 0 ]; then
        has_verdict PASS || die "$1: PASS was shown or a label printed without a record"
    fi
    [ "$(labels)" -le 1 ] || die "$1: $(labels) labels of one unit"
}

# The next start on the same board and store.
check_again() {
    local passed=0
    has_verdict PASS && passed=1
    unit "$sn"
    if [ "$passed" = 1 ]; then
        [ "$code" = 7 ] || die "$1: exit code $code for a unit that had passed"
    else
        [ "$code" = 0 ] || die "$1: the next run ends with exit code $code"
        has_verdict PASS || die "$1: PASS without a record"
        [ "$(labels)" = 1 ] || die "$1: $(labels) labels after the pass"
    fi
    [ "$(grep -c '"verdict":"PASS"' "$work/list")" -le 1 ] || die "$1: passed twice"
    audit
}

clean_case() {
    fresh "$1"
    traced -e trace=pwrite64,write,fdatasync,fsync,rename,unlink,sendto,sendmsg,openat
    [ "$code" = 0 ] || die "the clean run under strace ends with exit code $code"
    cp "$work/trace" "$all/clean"
    audit
}

# CALL N NUMBER
kill_case() {
    local call=$1 n=$2 begun=0
    fresh "$3"
    traced -e trace="$call" -e inject="$call:signal=KILL:when=$n"
    [ "$code" = 137 ] || [ "$code" = 0 ] || die "$call $n: exit code $code"
    [ "$code" = 0 ] || echo "$call $n" >>"$all/killed"
    check_honest "$call $n"
    # A run that had begun and has no PASS must be closed as INTERRUPTED by the next start.
    has_verdict PASS || { [ -s "$work/list" ] && begun=1; }
    check_again "$call $n"
    [ "$begun" = 0 ] || has_verdict INTERRUPTED || die "$call $n: the killed run is not INTERRUPTED"
}

# CALL ERROR CODES WHEN NUMBER
error_case() {
    local call=$1 errno=$2 codes=$3 when=$4
    fresh "$5"
    traced -e trace="$call" -e inject="$call:error=$errno:when=$when"
    # The loader of shared libraries opens files too, before the program begins; it ends with 127.
    [ "$code" != 127 ] || ! grep -q 'error while loading shared libraries' "$work/out" || code=9
    [[ " $codes " == *" $code "* ]] || die "$call $errno $when: exit code $code"
    [ "$code" = 0 ] || echo "$call $when" >>"$all/refused"
    check_honest "$call $errno $when"
    [ "$code" != 0 ] || has_verdict PASS || die "$call $errno $when: exit code 0 without a record"
    check_again "$call $errno $when"
}

launch clean_case
finish
for call in pwrite64 write fdatasync fsync rename unlink sendto sendmsg; do
    count=$(calls $call)
    [ "$count" -gt 0 ] || continue
    say "killed at $call, $count in a clean unit"
    for n in $(points "$count" "${CRASH_SAMPLE:-5}"); do
        launch kill_case "$call" "$n"
    done
done

finish
kills=$cases
# fails CALL ERROR CODES: the call fails once and from then on.
fails() {
    local count n
    count=$(calls "$1")
    say "$1 fails with $2, $count in a clean unit"
    for n in $(points "$count" "${CRASH_ERRORS:-2}"); do
        launch error_case "$1" "$2" "$3" "$n"
        launch error_case "$1" "$2" "$3" "$n+"
    done
}
fails fdatasync EIO "0 9"
fails pwrite64 ENOSPC "0 9"
# A file that cannot be opened is a recipe (3), a wire (4), a key (7), the store (9) or the printer (10).
fails openat EROFS "0 2 3 4 5 7 9 10 12"
fails openat EMFILE "0 2 3 4 5 7 9 10 12"
finish
killed=$(wc -l <"$all/killed")
refused=$(wc -l <"$all/refused")
say "$cases cases, $killed killed, $refused ended by an error"
# Counts differ a little from unit to unit, so the last N may never come; most must.
[ "$killed" -ge $((kills / 2)) ] || die "only $killed of $kills units were killed: the test tests nothing"
[ "$refused" -gt 0 ] || die "no injected error was seen"
