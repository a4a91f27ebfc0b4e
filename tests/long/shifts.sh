#!/usr/bin/env bash
# Ten thousand boards with every fault: no promise is broken, no cell of the table is empty, and light noise costs no more
# than one first pass in a hundred.
set -euo pipefail
"$BUILD/packline" simulate --seed "${SIM_SEED:-1}" --units "${SIM_UNITS:-10000}" --slots 4 --jobs "$(nproc)"
