#!/usr/bin/env bash
# The published JSON Schemas, in somebody else's validator, agree with packline's own loader: both take every shipped
# file, both refuse every broken one.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/bad"
cd "$SOURCE"

n=0
broken() { # FILE SED-SCRIPT
    n=$((n + 1))
    sed -E "$2" "$1" >"$work/bad/$n-$(basename "$1")"
    cmp -s "$1" "$work/bad/$n-$(basename "$1")" && { echo "no change: $2"; exit 1; }
    return 0
}
recipe=recipes/basen-100ah-16s.yaml profile=recipes/boards/basen-lt55.yaml label=labels/board-60x40.yaml
broken $recipe 's/^revision: 1/revision: one/'
broken $recipe 's/^revision: 1/revision: 0/'
broken $recipe '/^model:/d'
broken $recipe 's/^model:/modell:/'
broken $recipe 's/do: flash/do: flsh/'
broken $recipe 's/level: administrator/level: root/'
broken $recipe 's/samples: 8/samples: 800/'
broken $recipe 's/spread: 100 mA/spread: 100/'
broken $recipe 's/spread: 100 mA/spread: 100 mV/'
broken $recipe 's/spread: 100 mA/spread: 100mA/'
broken $recipe 's/presets: true/presets: "true"/'
broken $recipe 's/how: power/how: [power]/'
broken $recipe 's/^steps:/steps: nothing\nmore:/'
broken $profile 's/type: u16/type: u17/'
broken $profile 's/evidence: reference\}/evidence: guessed}/'
broken $profile 's/address: 1$/address: 999/'
broken $label 's/width: 60 mm/width: 60 cm/'
broken $label 's/symbology: code128/symbology: code129/'

python3 - "$work" "$BUILD/packline" $recipe $profile $label <<'P'
import datetime, glob, json, subprocess, sys
import jsonschema, yaml

def plain(value):
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.isoformat() if isinstance(value, datetime.date) else value

kinds = {'recipe': 'recipe', 'profile': 'profile', 'label': 'label'}
schemas = {}
for kind in kinds:
    schemas[kind] = json.load(open('recipes/schema/%s.schema.json' % kind))
    jsonschema.Draft7Validator.check_schema(schemas[kind])

def verdicts(path):
    data = plain(yaml.safe_load(open(path)))
    schema = schemas[data['schema'].split('/')[1]]
    theirs = jsonschema.Draft7Validator(schema).is_valid(data)
    ours = subprocess.run([sys.argv[2], 'check', '--json', path], capture_output=True, text=True)
    report = json.loads(ours.stdout)
    assert report['data']['ok'] == (ours.returncode == 0)
    return theirs, ours.returncode == 0, report

failed = 0
for path in sys.argv[3:]:
    theirs, ours, report = verdicts(path)
    if not (theirs and ours):
        print('shipped file refused:', path, theirs, report)
        failed += 1
bad = sorted(glob.glob(sys.argv[1] + '/bad/*'))
for path in bad:
    theirs, ours, report = verdicts(path)
    finding = [f for f in report['data']['findings'] if f['severity'] == 'error']
    if theirs or ours or not finding or finding[0]['line'] < 1:
        print('broken file taken:', path, 'by the schema' if theirs else 'by packline', report)
        failed += 1
print('%d broken files refused by both' % (len(bad) - failed))
sys.exit(failed != 0)
P
