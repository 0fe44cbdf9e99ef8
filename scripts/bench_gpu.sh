#!/usr/bin/env bash
# Benchmarks on a GPU within 8 minutes, written to the section "GPUs" of benchmarks.md in $OUT (default docs).
#   PYTHON=python OUT=folder scripts/bench_gpu.sh [arguments of scripts/bench.py]
# Eager, torch.compile, bfloat16, channels last, CUDA graphs, onnxruntime by CUDA and TensorRT, batches of 1 and 8,
# memory, and NODEO's seconds a pair of 160 × 192 × 224. Without a GPU the script tries itself on the processor, in small sizes.
set -uo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python}
command -v "$python" > /dev/null || { echo "$python: no such interpreter; name one with PYTHON=..." >&2; exit 1; }
python=$(command -v "$python")
limit=480
begun=$SECONDS
wheels=$(mktemp -d)
trap 'rm -rf "$wheels"' EXIT
export PYTHONPATH="$wheels:$PWD${PYTHONPATH:+:$PYTHONPATH}"

# onnxruntime-gpu must not be installed beside onnxruntime: its folder comes first on the path instead.
WHEELS="onnxruntime-gpu==1.31.1 tensorrt-cu13-libs>=10.13.2,<11 tensorrt-cu13-bindings>=10.13.2,<11"

install() {
    for wheel in $WHEELS; do
        if timeout 90 "$python" -m pip install --quiet --disable-pip-version-check --no-deps --target "$wheels" "$wheel"; then
            echo "installed: $wheel"
        else
            echo "not installed: $wheel; what needs it is reported as such in the table"
        fi
    done
    # Where onnxruntime looks for TensorRT, and for what torch's CUDA build brings.
    local found
    found=$(find "$wheels" "$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/nvidia" \
        -name '*.so*' -printf '%h\n' 2> /dev/null | sort -u | paste -sd:)
    export LD_LIBRARY_PATH="$found${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
}

if "$python" -W ignore -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
    install
    arguments=(--device cuda --only start latency throughput volume --seconds 3 --limit 60 --report "${OUT:-docs}")
else
    echo "no GPU: tried on the processor in small sizes; nothing is installed, and docs/ stays as it is"
    arguments=(--device cpu --only latency volume --rounds 3 --seconds 1 --limit 60 --threads 1
        --without torch.compile "50 refinement" DynUNet --volume 32 40 36 --report "${OUT:-dist}")
fi
left=$((limit - (SECONDS - begun)))
timeout "$left" "$python" -W ignore scripts/bench.py "${arguments[@]}" "$@"
code=$?
[ $code -ne 124 ] || echo "not finished within $limit s: name fewer bundles, or --skip sections" >&2
exit $code
