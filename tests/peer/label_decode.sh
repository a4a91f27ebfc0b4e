#!/usr/bin/env bash
# Independent readers decode the label of a unit that passed, and it is the number on record.
source "$SOURCE/tests/bad/lib.bash"
station_make
png="$work/demo/printed/BSN90000001.png"
sn=$(sqlite3 -readonly "$work/demo/store/station.db" "SELECT sn FROM v_unit")
[ "$sn" = BSN90000001 ] || die "the record says '$sn'"
[ "$(ZXingReader -format Code128 "$png" | sed -nE 's/^Text: +"(.*)"/\1/p')" = "$sn" ] || die "ZXing reads another Code 128"
# ZXing looks for a Data Matrix from the middle of a picture outwards, so it gets the corner where it stands.
pngtopnm "$png" | pnmcut -left 478 -top 10 -width 225 -height 220 | pnmtopng >"$work/corner.png" 2>/dev/null
[ "$(ZXingReader -format DataMatrix "$work/corner.png" | sed -nE 's/^Text: +"(.*)"/\1/p')" = "$sn" ] || die "ZXing reads another Data Matrix"
[ "$(dmtxread -N 1 -m 60000 "$png")" = "$sn" ] || die "dmtxread reads something else"
[ "$(zbarimg -q --raw -Sdisable -Scode128.enable "$png" 2>/dev/null)" = "$sn" ] || die "zbarimg reads something else"
say "the PDF page has the label's size and the same symbols"
pdfinfo "$work/demo/printed/BSN90000001.pdf" | grep -E 'Page size: +170\.0[0-9]* x 113\.3[0-9]* pts' >/dev/null || die "the page is not 60 × 40 mm"
pdftoppm -r 300 -png "$work/demo/printed/BSN90000001.pdf" "$work/page"
[ "$(dmtxread -N 1 -m 60000 "$work"/page*.png)" = "$sn" ] || die "the PDF's Data Matrix reads otherwise"
say "the ZPL graphic holds the same dots"
python3 - "$work/demo/printed/BSN90000001.zpl" "$work/zpl.pbm" <<'P'
import re, sys
text = open(sys.argv[1]).read()
total, size, stride, data = re.search(r'\^GFA,(\d+),(\d+),(\d+),([0-9A-F\s]+)\^FS', text).groups()
data = bytes.fromhex(re.sub(r'\s', '', data))
assert len(data) == int(total) == int(size)
width, height = int(re.search(r'\^PW(\d+)', text)[1]), int(re.search(r'\^LL(\d+)', text)[1])
assert int(stride) == (width + 7) // 8 and len(data) == int(stride) * height
open(sys.argv[2], 'wb').write(b'P4\n%d %d\n' % (width, height) + data)
P
pnmtopng "$work/zpl.pbm" >"$work/zpl.png" 2>/dev/null
[ "$(dmtxread -N 1 -m 60000 "$work/zpl.png")" = "$sn" ] || die "the ZPL's Data Matrix reads otherwise"
