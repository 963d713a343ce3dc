#!/usr/bin/env bash
# Rows a second through the command line, end to end on one core: an EGRU of 64 units, 8 inputs, ω = .9, learning at every row. Makes
# results/stream.md. A minute.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release --quiet
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
rows=100000
awk -v n=$rows 'BEGIN { print "a,b,c,d,e,f,g,y"
    for (t = 0; t < n; t++) { for (k = 0; k < 8; k++) printf "%s%.4f", (k ? "," : ""), sin(t * (k + 1) * 0.037 + k); print "" } }' > "$folder/rows.csv"
pin=$(command -v taskset > /dev/null && echo "taskset -c 0" || true)
once() {
    RAYON_NUM_THREADS=1 $pin target/release/sparse-rtrl stream "$folder/rows.csv" --target y --horizon 1 --units 64 \
        --param-sparsity 0.9 $1 -o "$folder/out.csv" 2>&1 | grep -o '[0-9]* rows/s' | cut -d' ' -f1
}
{
    echo "# Rows a second"
    echo
    echo "Made on $(date +%F) with \`scripts/bench_stream.sh\`: $rows rows from CSV to CSV through \`sparse-rtrl stream\` on one core, 64 EGRU units, 8 inputs,"
    echo "ω = 0.9, single precision, Adam and a least-squares readout, an update at every row. The best of three runs."
    echo
    echo "| flags | rows a second |"
    echo "|---|---|"
    for flags in "" "--reset-gate after" "--mask all" "--mask all --reset-gate after" "--teacher none"; do
        best=$(for _ in 1 2 3; do once "$flags"; done | sort -n | tail -1)
        echo "| \`${flags:- }\` | $best |"
    done
} > "$folder/stream.md"
mv "$folder/stream.md" results/stream.md
cat results/stream.md
