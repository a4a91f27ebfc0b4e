#!/usr/bin/env bash
# clang-format decides layout.
set -euo pipefail
cd "$SOURCE"
git ls-files -co --exclude-standard '*.c' '*.h' | xargs clang-format --dry-run -Werror
