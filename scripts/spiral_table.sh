#!/usr/bin/env bash
# Writes results/spiral.md, results/spiral.csv and results/spiral.svg (default preset), and
# results/spiral-paper.* (settings of the RTRL paper's code): four sparsities, five seeds each. About
# ten minutes on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
for preset in default paper; do
    name=results/spiral$([ "$preset" = default ] || echo "-$preset")
    cargo run --release --example spiral -- --preset "$preset" --param-sparsity 0,0.5,0.8,0.9 --seeds 5 \
        --out "$name.csv" --table "$name.md" --plot "$name.svg"
done
