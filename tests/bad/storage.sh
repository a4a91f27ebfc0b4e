#!/usr/bin/env bash
# A store that cannot be written: no new device write, no PASS shown.
source "$SOURCE/tests/bad/lib.bash"
station_make

say "another station holds the store"
board_start 200
exec 9>"$work/demo/store/lock"
flock 9
unit BSN00000200
expect 12
exec 9>&-

say "a disk that fills at some point of the unit"
for kib in 0 96 128 160 200 300; do
    code=0
    (ulimit -f "$kib"; exec "$BUILD/packline" run --station "$station" --recipe "$release" --scan BSN00000200 --yes \
        >"$work/out" 2>&1 </dev/null) || code=$?
    [ "$code" = 0 ] && break
    [ "$code" = 9 ] || die "exit code $code at $kib KiB"
    grep -q '^PASS' "$work/out" && die "PASS was shown without a record"
    audit
done
unit BSN00000200
expect 0 'PASS BSN00000200' || true

say "a read-only database"
board_start 201
mkdir -p "$work/mnt"
if mount -t tmpfs -o size=16m tmpfs "$work/mnt" 2>/dev/null; then
    cp -a "$work/demo/store" "$work/mnt/store"
    sed "s#^store: .*#store: $work/mnt/store#" "$station" >"$work/demo/readonly.yaml"
    mount -o remount,ro "$work/mnt"
    station="$work/demo/readonly.yaml"
    unit BSN00000201
    umount "$work/mnt"
    expect 9
else
    chmod -R a-w "$work/demo/store"
    if [ "$(id -u)" != 0 ]; then
        unit BSN00000201
        chmod -R u+w "$work/demo/store"
        expect 9
    else
        chmod -R u+w "$work/demo/store"
        say "skipped: root cannot be refused and no tmpfs can be mounted"
    fi
fi
