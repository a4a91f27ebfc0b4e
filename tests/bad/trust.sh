#!/usr/bin/env bash
# Production takes only released sets; every changed byte is refused before a board is touched.
source "$SOURCE/tests/bad/lib.bash"
station_make
board_start 500
verify_release() {
    code=0
    packline release verify "$release" --trust "$work/demo/trust" >"$work/out" 2>&1 || code=$?
}
for file in recipes/basen-100ah-16s.yaml recipes/boards/basen-lt55.yaml labels/board-60x40.yaml \
    packages/b200lt55-1.0.4/manifest.yaml recipes/release.yaml; do
    say "changed: $file"
    cp "$work/demo/$file" "$work/kept"
    expected=$(sha256sum "$work/demo/$file" | cut -d' ' -f1)
    verify_release
    expect 0 'are the released ones'
    printf '# changed\n' >>"$work/demo/$file"
    found=$(sha256sum "$work/demo/$file" | cut -d' ' -f1)
    verify_release
    if [ "$file" = recipes/release.yaml ]; then
        expect 7 'signature'
    else
        expect 7 "$file: not the released .* expected $expected, found $found; put the released file back"
    fi
    unit BSN00000500
    cp "$work/kept" "$work/demo/$file"
    expect 7
done
say "changed so that it does not even parse, missing, and an image that is not the manifest's"
for file in recipes/basen-100ah-16s.yaml recipes/boards/basen-lt55.yaml labels/board-60x40.yaml; do
    cp "$work/demo/$file" "$work/kept"
    printf 'nonsense: [\n' >>"$work/demo/$file"
    verify_release
    expect 7 "$file: not the released"
    unit BSN00000500
    expect 7 "$file: not the released"
    rm "$work/demo/$file"
    verify_release
    expect 7 "$file: no such file"
    cp "$work/kept" "$work/demo/$file"
done
image="$work/demo/packages/b200lt55-1.0.4/reference.elf"
cp "$image" "$work/kept"
printf 'x' >>"$image"
verify_release
cp "$work/kept" "$image"
expect 7 "${image##*/}"
say "a recipe that is not released runs as a trial: marked, without label, never a production PASS"
release="$work/demo/recipes/basen-100ah-16s.yaml"
unit BSN00000500
expect 0 'TRIAL PASS BSN00000500'
[ ! -e "$work/demo/printed/BSN00000500.png" ] || die "a trial printed a label"
packline records list --station "$station" --sn BSN00000500 --json | grep '"mode":"trial"' >/dev/null || die "not marked as a trial"
release="$work/demo/recipes/release.yaml"
unit BSN00000500
expect 0 'PASS BSN00000500'
grep -q TRIAL "$work/out" && die "a production run is called a trial"
say "missing files and missing keys"
unit BSN00000501 --recipe /nonexistent.yaml || true
[ "$code" = 2 ] || [ "$code" = 3 ] || die "exit code $code"
mv "$work/demo/trust/demo-release.pub" "$work/"
unit BSN00000501
expect 7
audit
