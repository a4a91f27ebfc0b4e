#!/usr/bin/env bash
# Production takes only released sets; every changed byte is refused before a board is touched.
source "$SOURCE/tests/bad/lib.bash"
station_make
board_start 500
for file in recipes/basen-100ah-16s.yaml recipes/boards/basen-lt55.yaml labels/board-60x40.yaml \
    packages/b200lt55-1.0.4/manifest.yaml recipes/release.yaml; do
    say "changed: $file"
    cp "$work/demo/$file" "$work/kept"
    printf '# changed\n' >>"$work/demo/$file"
    unit BSN00000500
    cp "$work/kept" "$work/demo/$file"
    expect 7
done
say "a recipe that is not released runs as a trial: marked, without label, never a production PASS"
release="$work/demo/recipes/basen-100ah-16s.yaml"
unit BSN00000500
expect 0 'TRIAL PASS BSN00000500'
[ ! -e "$work/demo/printed/BSN00000500.png" ] || die "a trial printed a label"
packline records list --station "$station" --sn BSN00000500 --json | grep -q '"mode":"trial"' || die "not marked as a trial"
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
