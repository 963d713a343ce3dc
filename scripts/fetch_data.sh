#!/usr/bin/env bash
# Downloads the public data of the studies on streams and verifies checksums. Files with the correct
# checksum are not downloaded again. Builds and tests need no data. The studies also run on synthetic
# data (--synthetic).
#
#     ./scripts/fetch_data.sh [FOLDER]      (default: data)
#
# Sources:
# - NYC taxi: public records of the NYC Taxi and Limousine Commission, prepared by Numenta. The file is
#   in an AGPL-3.0 repository.
# - Santa Fe laser: no licence is stated.
# - tinyshakespeare: out of copyright. The file is in an MIT repository.
set -euo pipefail
folder=${1:-data}

numenta=https://raw.githubusercontent.com/numenta/htmresearch/master/projects/sequence_prediction/continuous_sequence/data
shakespeare=https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare

sum() {
    if command -v sha256sum > /dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d' ' -f1
}

fetch() { # path in the folder, URL, SHA-256
    local to=$folder/$1
    if [ -f "$to" ] && [ "$(sum "$to")" = "$3" ]; then
        echo "$to: present"
        return
    fi
    mkdir -p "$(dirname "$to")"
    curl --fail --silent --show-error --location --retry 3 --output "$to.part" "$2"
    local found
    found=$(sum "$to.part")
    if [ "$found" != "$3" ]; then
        rm -f "$to.part"
        echo "error: $2: expected SHA-256 $3, got $found" >&2
        exit 1
    fi
    mv "$to.part" "$to"
    echo "$to: downloaded"
}

fetch nyc_taxi/nyc_taxi.csv "$numenta/nyc_taxi.csv" \
    092d957f5bb0d2cd62f85098ed2268114a47b4738a5f4b29ea6be4be7349fc4d
fetch santafe/SantaFe_A.dat "$numenta/SantaFe_A.dat" \
    14faec41629ead4f45d9c055a4494269dd9122dd559594502c0c522dc98a9eb2
fetch santafe/SantaFe_A_cont.dat "$numenta/SantaFe_A_cont.dat" \
    708af13f61c768e4cee8b7569b3f37a2bd8b731b9735d37dcae8d44d99e517ba
fetch tinyshakespeare/input.txt "$shakespeare/input.txt" \
    86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed
