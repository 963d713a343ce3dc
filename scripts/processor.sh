#!/usr/bin/env bash
# Prints the processor and its number of cores, for the tables of times in results/.
set -euo pipefail
model=$( (grep -m1 '^model name' /proc/cpuinfo || true) 2> /dev/null | cut -d: -f2- | sed 's/^ *//')
[ -n "$model" ] || model=$(sysctl -n machdep.cpu.brand_string 2> /dev/null || uname -m)
# Names of virtual processors are ambiguous. Family, model and vector instructions identify them.
field() { (grep -m1 "^$1[[:space:]]*:" /proc/cpuinfo || true) 2> /dev/null | cut -d: -f2- | tr -d ' '; }
family=$(field 'cpu family')
vectors=$(grep -qm1 avx512f /proc/cpuinfo 2> /dev/null && echo ', AVX-512' || (grep -qm1 avx2 /proc/cpuinfo 2> /dev/null && echo ', AVX2' || true))
echo "$model${family:+ (family $family, model $(field model)$vectors)}, $(getconf _NPROCESSORS_ONLN) cores"
