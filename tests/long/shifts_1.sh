#!/usr/bin/env bash
# Five thousand boards with every fault: no promise is broken and no cell of the table is empty.
set -euo pipefail
"$BUILD/packline" simulate --seed "${SIM_SEED:-1}" --units "${SIM_UNITS:-5000}" --slots 4
