#!/usr/bin/env bash
# Makes results/spiral.md, results/spiral.csv and results/spiral.svg (our setting), and results/spiral-paper.* (the setting of
# the RTRL paper's own code): four sparsities, five seeds each. About ten minutes on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
for preset in default paper; do
    name=results/spiral$([ "$preset" = default ] || echo "-$preset")
    cargo run --release --example spiral -- --preset "$preset" --param-sparsity 0,0.5,0.8,0.9 --seeds 5 \
        --out "$name.csv" --table "$name.md" --plot "$name.svg"
done
