#!/usr/bin/env bash
# Makes results/spiral-seeds.md: the default setting of the main job over 50 seeds at each of four sparsities. Weights are learned by
# back-propagation through time, which gives the same gradient as exact RTRL in a fifth of the time.
#
#   scripts/spiral_seeds.sh [FIRST]   # the first seed; 8000 if it is not given
set -euo pipefail
cd "$(dirname "$0")/.."
cargo run --release --example spiral -- --rule bptt --param-sparsity 0,0.5,0.8,0.9 --seeds 50 --seed "${1:-8000}" \
    --out results/spiral-seeds.csv --table results/spiral-seeds.md --quiet
