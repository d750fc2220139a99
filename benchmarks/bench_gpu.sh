#!/usr/bin/env bash
# The Wan presets at full size with random weights on a GPU: every fast path on and off, 5,000 frames, the host's AR sampler and flashdreams beside ours.
# `make bench-gpu` sets up and runs this. SMALL=1: the same flow at small sizes on the CPU, to see that it runs; it keeps no results.
# Results go to benchmarks/results. Each line is a run of its own, so that one that does not fit does not end the others; the exit code counts them.
# The .venv must hold a CUDA build of PyTorch. FRAMES: length of the streams; LONG: of the one that shows flat memory and chunk time.
set -u
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-.venv/bin/python}
SMALL=${SMALL:-}
FAILED=0
DONE=()
export PYTHONPATH=tests:.

if [ -n "$SMALL" ]; then
    FRAMES=${FRAMES:-37} LONG=${LONG:-61} KEEP="" WIDE=64x64 TALL=64x64 LENGTHS=21 TESTS=tests/core/test_decoding.py
    bench() { run bench "$PYTHON" -m motionstream_core bench --device cpu --small --steps 1 --tracks 16 "$@"; }
    peer() { run peer "$PYTHON" -m harness.ar_bench --device cpu --rounds 1 --steps 1 "$@"; }
    flash() { run flashdreams "$PYTHON" -m harness.flashdreams_bench --device cpu --small --chunks 2 --fast off "$@"; }
    WAYS=(off fp8)
    PRESETS=("wan2.1-1.3b")
else
    FRAMES=${FRAMES:-973} LONG=${LONG:-4993} KEEP="--results benchmarks/results" WIDE=832x480 TALL=1280x704 LENGTHS=81,321 TESTS="tests/core/test_fast.py tests/core/test_decoding.py"
    "$PYTHON" -c 'import sys, torch; sys.exit(0 if torch.cuda.is_available() else "bench-gpu: expected a CUDA device and a PyTorch that sees it, got none")' || exit 2
    bench() { run bench "$PYTHON" -m motionstream_core bench --device cuda $KEEP --steps 3 "$@"; }
    peer() { run peer "$PYTHON" -m harness.ar_bench --device cuda --full $KEEP --steps 3 "$@"; }
    flash() { run flashdreams "$PYTHON" -m harness.flashdreams_bench $KEEP --steps 3 "$@"; }
    WAYS=(off compile graphs fp8 fp8+compile fp8+graphs)
    PRESETS=("wan2.1-1.3b" "wan2.2-5b" "wan2.1-14b")
fi

# run NAME COMMAND…: a run of its own, told at the end. Exit code 3 of flashdreams: not installed, left out.
run() {
    local name=$1 code=0
    shift
    echo "== $name: ${*#"$PYTHON" }" >&2
    "$@" || code=$?
    if [ "$name" = flashdreams ] && [ "$code" = 3 ]; then
        DONE+=("left out  $name: not installed")
    elif [ "$code" != 0 ]; then
        FAILED=$((FAILED + 1))
        DONE+=("FAILED    $name: ${*#"$PYTHON" }")
    else
        DONE+=("done      $name: ${*#"$PYTHON" }")
    fi
}

size() { if [ "$1" = wan2.2-5b ]; then echo "$TALL"; else echo "$WIDE"; fi; }

# The GPU tests first: a fast path that is wrong is not worth its time.
run tests "$PYTHON" -m pytest -q $TESTS

# Every preset by every fast path, decoding in a queue of its own.
for preset in "${PRESETS[@]}"; do
    for way in "${WAYS[@]}"; do
        bench --preset "$preset" --size "$(size "$preset")" --context c3s3w3 --frames "$FRAMES" --fast "$way" --name "$preset-${way//+/-}"
    done
done
# The goals' own context, and what one queue for everything, the whole VAE and no second attention cost.
bench --preset wan2.1-1.3b --size "$WIDE" --context c3s1w1 --frames "$FRAMES" --fast "${WAYS[-1]}" --name wan2.1-1.3b-c3s1w1
bench --preset wan2.1-1.3b --size "$WIDE" --context c3s3w3 --frames "$FRAMES" --fast "${WAYS[-1]}" --one-queue --name wan2.1-1.3b-one-queue
bench --preset wan2.1-1.3b --size "$WIDE" --context c3s3w3 --frames "$FRAMES" --fast "${WAYS[-1]}" --decoder wan --name wan2.1-1.3b-whole-vae
for attention in $("$PYTHON" -c 'from motionstream_core.model.attention import available_backends as b; print(*[name for name in b() if name != "sdpa"])'); do
    bench --preset wan2.1-1.3b --size "$WIDE" --context c3s3w3 --frames "$FRAMES" --attention "$attention" --name "wan2.1-1.3b-$attention"
done
# Flat memory and chunk time: grown_mib and spread.
bench --preset wan2.1-1.3b --size "$WIDE" --context c3s3w3 --frames "$LONG" --fast "${WAYS[-1]}" --name wan2.1-1.3b-5000-frames
# The host's SamplerARVideo at 81 frames, and its memory at 321; ours plain and by the fastest way.
peer --preset wan2.1-1.3b --size "$WIDE" --frames "$LENGTHS" --context c3s3w3
[ -n "$SMALL" ] || peer --preset wan2.1-1.3b --size "$WIDE" --frames "$LENGTHS" --context c3s3w3 --fast "${WAYS[-1]}"
flash --preset wan2.1-1.3b --size "$WIDE" --context c3s3w3

printf '%s\n' "" "${DONE[@]}" >&2
exit "$FAILED"
