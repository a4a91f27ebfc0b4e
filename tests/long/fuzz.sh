#!/usr/bin/env bash
# libFuzzer looks a little further than the corpus with every parser of outside bytes.
set -euo pipefail
"$SOURCE/tests/fuzz/run.sh" "${FUZZ_SECONDS:-6}"
