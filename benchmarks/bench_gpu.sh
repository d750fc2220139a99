#!/usr/bin/env bash
# The Wan presets at full size with random weights on a GPU, and the host's AR sampler beside ours. `make bench-gpu` sets up and runs this.
# Results go to benchmarks/results. Each line is a run of its own, so that one that does not fit does not end the others; the exit code counts them.
# The .venv must hold a CUDA build of PyTorch. FRAMES: length of the streams (4,993 frames for the goal of flat memory).
set -u
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-.venv/bin/python}
FRAMES=${FRAMES:-973}
FAILED=0
"$PYTHON" -c 'import sys, torch; sys.exit(0 if torch.cuda.is_available() else "bench-gpu: expected a CUDA device and a PyTorch that sees it, got none")' || exit 2

bench() { "$PYTHON" -m motionstream_core bench --device cuda --results benchmarks/results --steps 3 --frames "$FRAMES" "$@" || FAILED=$((FAILED + 1)); }
peer() { PYTHONPATH=tests:. "$PYTHON" -m harness.ar_bench --device cuda --full --results benchmarks/results --size 832x480 --steps 3 "$@" || FAILED=$((FAILED + 1)); }

bench --preset wan2.1-1.3b --size 832x480 --context c3s3w3
bench --preset wan2.2-5b --size 1280x704 --context c3s3w3
bench --preset wan2.1-14b --size 832x480 --context c3s3w3
FRAMES=4993 bench --preset wan2.1-1.3b --size 832x480 --context c3s3w3 --name wan2.1-1.3b-5000-frames
peer --preset wan2.1-1.3b --frames 81,321 --context c3s3w3
exit "$FAILED"
