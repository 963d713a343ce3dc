#!/usr/bin/env bash
# Checks the contents of the published crate: sources, examples, licences and documentation; no
# results, figures, tests or studies; at most 2 MB. Needs cargo only.
set -euo pipefail
cd "$(dirname "$0")/.."
files=$(cargo package --list --allow-dirty --quiet --package sparse-rtrl)
allowed='^(\.cargo_vcs_info\.json|Cargo\.(toml|lock|toml\.orig)|README\.md|CHANGELOG\.md|LICENSE-(APACHE|MIT)|src/.*|examples/.*|docs/[^/]*\.(md|txt)|scripts/processor\.sh)$'
unexpected=$(grep -Ev "$allowed" <<< "$files" || true)
if [ -n "$unexpected" ]; then
    printf 'error: the package contains unexpected files:\n%s\n' "$unexpected" >&2
    exit 1
fi
for file in Cargo.toml README.md LICENSE-APACHE LICENSE-MIT src/lib.rs examples/embed.rs; do
    grep -qx "$file" <<< "$files" || { echo "error: the package lacks $file" >&2; exit 1; }
done
total=0
while read -r file; do
    [ ! -f "$file" ] || total=$((total + $(wc -c < "$file")))
done <<< "$files"
if [ "$total" -gt 2000000 ]; then
    echo "error: expected a package of at most 2,000,000 bytes, got $total" >&2
    exit 1
fi
echo "package: $(wc -l <<< "$files") files, $total bytes"
