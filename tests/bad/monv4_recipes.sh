#!/usr/bin/env bash
# Recipes for a monv4 board that must not reach it: limits of another chemistry or cell count, what must never be written,
# what breaks the manual's own tables. Each is refused with its place and its reason.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/recipes" "$work/labels"
cp -r "$SOURCE/recipes/boards" "$work/recipes/"
cp "$SOURCE"/labels/*.yaml "$work/labels/"
lfp=$SOURCE/recipes/monv4-50ah-23s-lfp.yaml
nmc=$SOURCE/recipes/monv4-50ah-24s-nmc.yaml
recipe=$work/recipes/r.yaml
fail=0

# refuse RECIPE SED PATTERN: the changed recipe is an error that says so
refuse() {
    sed -E "$2" "$1" >"$recipe"
    if cmp -s "$1" "$recipe"; then
        echo "FAILED: '$2' changes nothing"
        fail=1
    elif "$BUILD/packline" check "$recipe" >"$work/said" 2>&1; then
        echo "FAILED: '$2' is accepted"
        fail=1
    elif ! grep -qE "r.yaml:[0-9]+:[0-9]+: error: .*$3" "$work/said"; then
        echo "FAILED: '$2' does not say '$3':"
        cat "$work/said"
        fail=1
    fi
}

for good in "$lfp" "$nmc"; do
    cp "$good" "$recipe"
    "$BUILD/packline" check "$recipe" >"$work/said" 2>&1 || { cat "$work/said"; exit 1; }
done

echo "== chemistry"
refuse "$lfp" 's/protect.tuv: 59.8 V/&\n      protect.cov: 4200 mV/' 'COV|cell overvoltage protection \(protect.cov\) is 4.2 V, but LFP cells are full between'
refuse "$lfp" 's/protect.tuv: 59.8 V/&\n      protect.cuv: 3200 mV/' 'LFP cells are empty between'
refuse "$nmc" 's/set: nmc-24s/&\n    values:\n      protect.cov: 3650 mV/' 'NMC cells are full between'
refuse "$nmc" 's/set: nmc-24s/&\n    values:\n      calibration.vol10: 4450 mV/' 'NMC cells are full between .*rule .chemistry-vol10'

echo "== cell count"
refuse "$nmc" 's/set: nmc-24s/&\n    values:\n      system.cell_count: 23\n      system.afe_s: 11/' '23 cells × 4.2 V'
refuse "$lfp" 's/protect.tuv: 59.8 V/&\n      system.cell_count: 22/' 'its parts add up to 23'
refuse "$lfp" 's/protect.tuv: 59.8 V/&\n      system.afe_m: 13/' 'outside the range'
refuse "$lfp" 's/protect.tov: 83.95 V/protect.tov: 85 V/' '23 cells × 3.65 V .* must not be above that'
refuse "$lfp" '/protect.tuv: 59.8 V/d' '23 cells × 2.6 V .* must not be below that'
refuse "$lfp" 's/system.chg_v: 82.8 V/system.chg_v: 56 V/' 'too far from that'
refuse "$nmc" '/^waivers:/,/^$/d' "waive the rule 'charge-cells'"

echo "== never, engineers, and what the board alone changes"
refuse "$lfp" 's/protect.tuv: 59.8 V/&\n      system.baud: 19200/' "'system.baud' must never be written"
refuse "$lfp" 's/protect.tuv: 59.8 V/&\n      calibration.c_gain: 80/' 'is for engineers'
refuse "$lfp" 's/protect.tuv: 59.8 V/&\n      system.address: 2/' 'is for engineers'
refuse "$lfp" 's/protect.tuv: 59.8 V/&\n      command.restore: 1/' 'is for engineers'
refuse "$lfp" 's/protect.tuv: 59.8 V/&\n      live.soc: 50 %/' 'read-only'

echo "== what the board never reports"
refuse "$lfp" 's/\{read: charge_fet, min: 1\}/{read: mos, max: 60 °C}/' "do not report 'mos'"

echo "== values among each other"
refuse "$lfp" 's/protect.tuv: 59.8 V/&\n      system.ctrl_ply: 1/' 'takes only 2, 3|outside the range'
refuse "$lfp" 's/protect.tuv: 59.8 V/&\n      calibration.vol5: 3227 mV/' 'which is not above'
refuse "$lfp" 's/protect.tuv: 59.8 V/&\n      protect.tovr: 84 V/' 'which is not above pack overvoltage release'
refuse "$lfp" 's/protect.tuv: 59.8 V/&\n      protect.utdr: -25 °C/' 'discharge undertemperature release'
refuse "$lfp" 's/protect.tuv: 59.8 V/&\n      protect.sc: 450 A/' 'which is not above discharge overcurrent 2'
refuse "$lfp" 's/alarm.cov2: 3600 mV/alarm.cov2: 3500 mV/' 'which is not above'
refuse "$lfp" 's/alarm.cov3: 3650 mV/alarm.cov3: 3700 mV/' 'which is not at or above'
refuse "$lfp" 's/alarm.occ3: 150 A/alarm.occ3: 160 A/' 'which is not at or above'
refuse "$lfp" 's/alarm.cuv3: 2600 mV/alarm.cuv3: 2500 mV/' 'which is not at or above'
refuse "$lfp" 's/full: 50 Ah/full: 40 Ah/' "waive the rule 'capacity'"
refuse "$lfp" 's/set: lfp-23s/set: lfp-22s/' "has no set 'lfp-22s'"

echo "== a level of 0 is off, not wrong"
sed -E 's/alarm.cov([12]): 3[0-9]+ mV/alarm.cov\1: 0 mV/' "$lfp" >"$recipe"
"$BUILD/packline" check "$recipe" >"$work/said" 2>&1 || { cat "$work/said"; fail=1; }
exit $fail
