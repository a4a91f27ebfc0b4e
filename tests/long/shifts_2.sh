#!/usr/bin/env bash
# The other five thousand, on the other core.
SIM_SEED=2 exec bash "$SOURCE/tests/long/shifts_1.sh"
