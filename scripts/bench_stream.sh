#!/usr/bin/env bash
# Measures the rows per second of the command line on one core, from CSV to CSV: an EGRU of 64 units,
# 8 inputs, ω = 0.9, an update per row. Writes results/stream.md. Duration: one minute, or three
# minutes with --both-modes.
#
#   scripts/bench_stream.sh                # with the default mode of the processor
#   scripts/bench_stream.sh --both-modes   # also with the flush-to-zero mode; needs gcc
set -euo pipefail
cd "$(dirname "$0")/.."
both=
case "${1:-}" in
    '') ;;
    --both-modes) both=yes ;;
    *)
        echo "usage: scripts/bench_stream.sh [--both-modes], not '$1'" >&2
        exit 2
        ;;
esac
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if [ -n "$both" ]; then
    # With -ffast-math at link time, gcc links start-up code that sets the flush-to-zero mode. The
    # program is compiled with the same options as without it.
    cargo rustc --release --quiet --bin sparse-rtrl -- -C link-arg=-ffast-math
    cp target/release/sparse-rtrl "$folder/mode-on"
fi
cargo build --release --quiet --bin sparse-rtrl
cp target/release/sparse-rtrl "$folder/as-found"
rows=100000
awk -v n=$rows 'BEGIN { print "a,b,c,d,e,f,g,y"
    for (t = 0; t < n; t++) { for (k = 0; k < 8; k++) printf "%s%.4f", (k ? "," : ""), sin(t * (k + 1) * 0.037 + k); print "" } }' > "$folder/rows.csv"
pin=$(command -v taskset > /dev/null && echo "taskset -c 0" || true)
once() {
    RAYON_NUM_THREADS=1 $pin "$folder/$1" stream "$folder/rows.csv" --target y --horizon 1 --units 64 \
        --param-sparsity 0.9 $2 -o "$folder/$1.csv" 2>&1 | grep -o '[0-9]* rows/s' | cut -d' ' -f1
}
rows_of() { # flags
    local found=0 on=0 now
    for _ in 1 2 3; do
        now=$(once as-found "$1")
        found=$((now > found ? now : found))
        if [ -n "$both" ]; then
            now=$(once mode-on "$1")
            on=$((now > on ? now : on))
            cmp -s "$folder/as-found.csv" "$folder/mode-on.csv" || echo "predictions differ with the mode on: $1" >&2
        fi
    done
    if [ -n "$both" ]; then
        echo "| \`${1:- }\` | $found | $on | $(awk -v a=$found -v b=$on 'BEGIN { printf "%.3f", a / b }') |"
    else
        echo "| \`${1:- }\` | $found |"
    fi
}
{
    echo "# Rows per second"
    echo
    echo "Made on $(date +%F) with \`scripts/bench_stream.sh${both:+ --both-modes}\` on $(scripts/processor.sh): $rows rows from CSV to CSV through"
    echo "\`sparse-rtrl stream\` on one core, 64 units, 8 inputs, ω = 0.9, single precision, Adam and a least-squares readout, an update per row."
    echo "The cell is an EGRU unless a flag selects another one. Maximum of three runs.${both:+ The two programs alternate.}"
    echo
    if [ -n "$both" ]; then
        echo "| flags | rows per second | with flush-to-zero mode | ratio |"
        echo "|---|---|---|---|"
    else
        echo "| flags | rows per second |"
        echo "|---|---|"
    fi
    for flags in "" "--reset-gate after" "--mask all" "--mask all --reset-gate after" "--cell event-rnn" "--cell gru" "--trainer none"; do
        rows_of "$flags"
    done
} > "$folder/stream.md"
mv "$folder/stream.md" results/stream.md
cat results/stream.md
