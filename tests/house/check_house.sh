#!/usr/bin/env bash
# The floors: every #include goes to the same room or to a lower floor, and the rooms form no cycle. Also: what no file
# may contain. Reads the lines as they are, so it sees what a compiler flag would hide.
set -euo pipefail
cd "$SOURCE"
fail=0

floor_of() {
    case $1 in
    station/base/*) echo 0 ;;
    firmware/* | labels/* | proto/virtual/* | station/event.*) echo 1 ;;
    station/desk.h) echo 1 ;;
    proto/*) echo 2 ;;
    recipes/*) echo 3 ;;
    station/steps/* | station/store/* | station/engine.* | station/step.h | station/bench*) echo 4 ;;
    station/*) echo 5 ;;
    *) echo "?" ;;
    esac
}

room_of() {
    case $1 in
    station/base/*) echo base ;;
    firmware/*) echo firmware ;;
    labels/*) echo labels ;;
    proto/virtual/*) echo virtual ;;
    station/event.* | station/desk.h) echo event ;;
    proto/*) echo proto ;;
    recipes/*) echo recipes ;;
    station/store/*) echo store ;;
    station/steps/* | station/engine.* | station/step.h | station/bench*) echo engine ;;
    station/*) echo front ;;
    esac
}

edges=$(mktemp)
trap 'rm -f "$edges"' EXIT
while IFS=: read -r file line include; do
    target=$(sed -E 's/.*"([^"]+)".*/\1/' <<<"$include")
    if [ ! -f "$target" ]; then
        echo "$file:$line: includes \"$target\", which is not a path from the top"
        fail=1
        continue
    fi
    from=$(floor_of "$file") to=$(floor_of "$target")
    from_room=$(room_of "$file") to_room=$(room_of "$target")
    if [ "$from" = "?" ] || [ "$to" = "?" ]; then
        echo "$file:$line: no floor is known for $file or $target"
        fail=1
    elif [ "$from_room" != "$to_room" ] && [ "$to" -ge "$from" ]; then
        echo "$file:$line: floor $from ($from_room) includes floor $to ($to_room): $target"
        fail=1
    fi
    [ "$from_room" = "$to_room" ] || echo "$from_room $to_room" >>"$edges"
    echo "$file $target" >>"$edges.files"
done < <(git ls-files -co --exclude-standard '*.c' '*.h' | grep -v -e ^tests/ -e ^firmware/reference/ |
    xargs grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]+"')

# tsort says which rooms, then which headers, stand in a cycle.
if ! sort -u "$edges" | tsort >/dev/null 2>"$edges.cycle"; then
    echo "rooms include each other in a circle:"
    cat "$edges.cycle"
    fail=1
fi
if ! sort -u "$edges.files" | tsort >/dev/null 2>"$edges.cycle"; then
    echo "files include each other in a circle:"
    cat "$edges.cycle"
    fail=1
fi
rm -f "$edges.files" "$edges.cycle"

# Libraries that only one room may see.
only() {
    local header=$1 allowed=$2 hits
    hits=$(git ls-files -co --exclude-standard '*.c' '*.h' | grep -v ^tests/ | xargs grep -lE "#[[:space:]]*include[[:space:]]+<$header" |
        grep -vE "^($allowed)" || true)
    if [ -n "$hits" ]; then
        echo "<$header> may be included only by $allowed, but also by:"
        echo "$hits"
        fail=1
    fi
}
only 'yaml\.h' 'station/base/bind'
only 'openssl/' 'firmware/|station/store/|recipes/|proto/'
only 'libserialport\.h' 'proto/wire_serial\.c'
only 'sqlite3\.h' 'station/store/'
only '(cairo|pango)' 'labels/'
only 'zint\.h' 'labels/symbol'

# The far side of the wire is written apart.
if git grep -nE '#[[:space:]]*include[[:space:]]+"(proto/[a-z_0-9]+\.h|firmware/)' -- proto/virtual; then
    echo "a virtual board shares no code with the drivers that talk to it"
    fail=1
fi

banned() {
    local pattern=$1 why=$2
    if git grep -nE "$pattern" -- '*.c' '*.h' ':!tests' ':!firmware/reference' ':!proto/virtual/main'; then
        echo "banned: $why"
        fail=1
    fi
}
banned '\<(strcpy|strcat|sprintf|gets|atoi|atol|strtok)\(' 'unbounded or error-hiding C functions; GLib has better ones'
banned '\<goto\>' 'goto; use g_auto cleanup'

# `grep -q` ends at the first hit; what writes to it dies of the closed pipe, and pipefail calls the hit a miss.
if git grep -nE '[^|]\|[[:space:]]*grep -[a-zA-Z]*q' -- 'tests/*.sh' 'tests/*.bash' ':!tests/house/check_house.sh'; then
    echo "a pipe into grep -q: write grep … >/dev/null"
    fail=1
fi

# Time is handed in.
if git grep -nE '\<(clock_gettime|gettimeofday|time\(NULL\)|usleep|nanosleep|g_usleep|g_get_monotonic_time|g_get_real_time|sleep)\>\(' \
    -- '*.c' ':!station/base/tick.c' ':!tests' ':!firmware/reference' ':!proto/virtual/main'; then
    echo "only tick.c knows the time and sleeps"
    fail=1
fi

long=$(git ls-files -co --exclude-standard '*.c' '*.h' | xargs wc -l | awk '$2 != "total" && $1 > 600 {print $2 ": " $1 " lines"}')
if [ -n "$long" ]; then
    echo "too long to read in one sitting (600 lines):"
    echo "$long"
    fail=1
fi
exit $fail
