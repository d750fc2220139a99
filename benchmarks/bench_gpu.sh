#!/usr/bin/env bash
# The Wan presets at full size with random weights on a GPU: every fast path on and off, 5,000 frames, the host's AR sampler and flashdreams beside ours.
#   bash benchmarks/bench_gpu.sh [PART…]    PART: tests, wan2.1-1.3b, wan2.2-5b, wan2.1-14b, goals, long, host, flashdreams; all of them by default
# `make bench-gpu ARGS="PART…"` sets up and runs this. SMALL=1: the same flow at small sizes on the CPU, to see that it runs; it keeps no results.
# Results go to benchmarks/results. Each line is a run of its own, so that one that does not fit does not end the others; what came of them is the last
# line of stdout, as JSON, and the exit code counts those that failed. By the FLOP counts, at 300 TFLOP/s (an H200 in bfloat16), no line takes ten minutes:
# a line of the 1.3B and of the 5B about a minute, of the 14B four, `long` three, each of the two of `host` six.
# The .venv must hold a CUDA build of PyTorch. FRAMES: length of the streams; LONG: of the one that shows flat memory and chunk time.
set -u
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-.venv/bin/python}
SMALL=${SMALL:-}
KNOWN="tests wan2.1-1.3b wan2.2-5b wan2.1-14b goals long host flashdreams"
PARTS=${*:-$KNOWN}
FAILED=0
DONE=()
export PYTHONPATH=tests:.

for part in $PARTS; do
    case " $KNOWN " in *" $part "*) ;; *) echo "part: expected some of $KNOWN, got $part" >&2 && exit 2 ;; esac
done
wanted() { case " $PARTS " in *" $1 "*) true ;; *) false ;; esac; }

if [ -n "$SMALL" ]; then
    FRAMES=${FRAMES:-37} LONG=${LONG:-61} KEEP="" WIDE=64x64 TALL=64x64 LENGTHS=21 TESTS=tests/core/test_decoding.py
    bench() { run bench "$PYTHON" -m motionstream_core bench --device cpu --small --steps 1 --tracks 16 "$@"; }
    peer() { run peer "$PYTHON" -m harness.ar_bench --device cpu --rounds 1 --steps 1 "$@"; }
    flash() { run flashdreams "$PYTHON" -m harness.flashdreams_bench --device cpu --small --chunks 2 --fast off "$@"; }
    WAYS=(off fp8) GOALS=(off fp8)
else
    FRAMES=${FRAMES:-973} LONG=${LONG:-4993} KEEP="--results benchmarks/results" WIDE=832x480 TALL=1280x704 LENGTHS=81,321 TESTS="tests/core/test_fast.py tests/core/test_decoding.py"
    "$PYTHON" -c 'import sys, torch; sys.exit(0 if torch.cuda.is_available() else "bench-gpu: expected a CUDA device and a PyTorch that sees it, got none")' || exit 2
    bench() { run bench "$PYTHON" -m motionstream_core bench --device cuda $KEEP --steps 3 "$@"; }
    peer() { run peer "$PYTHON" -m harness.ar_bench --device cuda --full $KEEP --steps 3 "$@"; }
    flash() { run flashdreams "$PYTHON" -m harness.flashdreams_bench $KEEP --steps 3 "$@"; }
    # The last is what single lines take: eight bits lose without a compiler.
    WAYS=(off compile graphs fp8 fp8+graphs fp8+compile) GOALS=(off compile fp8+compile)
fi

# run NAME COMMAND…: a run of its own, told at the end. Exit code 3 of flashdreams: it or what it imports is not installed, left out.
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
if wanted tests; then run tests "$PYTHON" -m pytest -q $TESTS; fi

# Every preset by every fast path, decoding in a queue of its own.
for preset in wan2.1-1.3b wan2.2-5b wan2.1-14b; do
    wanted "$preset" || continue
    for way in "${WAYS[@]}"; do
        bench --preset "$preset" --size "$(size "$preset")" --context c3s3w3 --frames "$FRAMES" --fast "$way" --name "$preset-${way//+/-}"
    done
done
# The goals' own context: eager, compiled, and compiled in eight bits. Goals and predictions in frames a second
# (cuDNN attention): 1.3B 60: 59, 74, 83. 5B 45: 51, 64, 75. 14B 8: 11.0, 13.0, 16.
# And what one queue for everything, the whole VAE and no second attention cost.
if wanted goals; then
    for preset in wan2.1-1.3b wan2.2-5b wan2.1-14b; do
        for way in "${GOALS[@]}"; do
            bench --preset "$preset" --size "$(size "$preset")" --context c3s1w1 --frames "$FRAMES" --fast "$way" --name "$preset-c3s1w1-${way//+/-}"
        done
    done
    bench --preset wan2.1-1.3b --size "$WIDE" --context c3s3w3 --frames "$FRAMES" --fast "${WAYS[-1]}" --one-queue --name wan2.1-1.3b-one-queue
    bench --preset wan2.1-1.3b --size "$WIDE" --context c3s3w3 --frames "$FRAMES" --fast "${WAYS[-1]}" --decoder wan --name wan2.1-1.3b-whole-vae
    for attention in $("$PYTHON" -c 'from motionstream_core.model.attention import available_backends as b; print(*[name for name in b() if name != "sdpa"])'); do
        bench --preset wan2.1-1.3b --size "$WIDE" --context c3s3w3 --frames "$FRAMES" --attention "$attention" --name "wan2.1-1.3b-$attention"
    done
fi
# Flat memory and chunk time: grown_mib and spread.
if wanted long; then bench --preset wan2.1-1.3b --size "$WIDE" --context c3s3w3 --frames "$LONG" --fast "${WAYS[-1]}" --name wan2.1-1.3b-5000-frames; fi
# The host's SamplerARVideo at 81 frames, and its memory at 321; ours plain and by the fastest way.
if wanted host; then
    peer --preset wan2.1-1.3b --size "$WIDE" --frames "$LENGTHS" --context c3s3w3
    [ -n "$SMALL" ] || peer --preset wan2.1-1.3b --size "$WIDE" --frames "$LENGTHS" --context c3s3w3 --fast "${WAYS[-1]}"
fi
if wanted flashdreams; then flash --preset wan2.1-1.3b --size "$WIDE" --context c3s3w3; fi

printf '%s\n' "" "${DONE[@]}" >&2
"$PYTHON" -c 'import json, sys; print(json.dumps({"failed": int(sys.argv[1]), "runs": [" ".join(line.split()) for line in sys.argv[2:]]}))' "$FAILED" "${DONE[@]}"
exit "$FAILED"
