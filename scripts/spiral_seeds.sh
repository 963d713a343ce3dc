#!/usr/bin/env bash
# Writes results/spiral-seeds.md: the default preset of the spiral example, with 50 seeds at each of
# four sparsities. The rule is back-propagation through time, which computes the same gradient as
# exact RTRL in a fifth of the time.
#
#   scripts/spiral_seeds.sh [FIRST]   # first seed [default: 8000]
set -euo pipefail
cd "$(dirname "$0")/.."
cargo run --release --example spiral -- --rule bptt --param-sparsity 0,0.5,0.8,0.9 --seeds 50 --seed "${1:-8000}" \
    --out results/spiral-seeds.csv --table results/spiral-seeds.md --quiet
