# Every target does its own set-up inside this folder (.venv, .cache, node_modules) and may be run again.
#   COMFYUI_PATH=/path/to/ComfyUI   use that ComfyUI instead of the pinned one
#   PYTHON=/path/to/python3         the Python that .venv is made of (3.10 or newer)
PYTHON ?= python3
SETUP := $(PYTHON) tests/harness/install.py
VENV := .venv/bin
HARNESS := PYTHONPATH=tests:. $(VENV)/python -m
CORE := $(VENV)/python -m motionstream_core

.PHONY: help demo test comfy check evaluate bench bench-gpu bench-buffer bench-live bench-tracking

help:
	@echo "make demo      boot ComfyUI, run a painted track and a sentence, write output/demo.mp4, output/demo_t2v.mp4 and output/demo.png"
	@echo "make test      every test: Python, JavaScript, the real ComfyUI, a real browser"
	@echo "make comfy     ComfyUI with the pack on http://127.0.0.1:8188"
	@echo "make check     ruff, pyright, prettier, tsc"
	@echo "make evaluate  the held-out evaluation; make bench: speed and memory; make bench-gpu: the Wan presets at full size on a GPU, and the host's AR sampler; make bench-buffer: the moving buffer against baselines; make bench-live: steering and watching; make bench-tracking: the point tracker"

demo:
	@$(SETUP) core host
	@$(HARNESS) harness.demo

test:
	@$(SETUP) core host tools node browser
	@$(HARNESS) harness.run_tests $(ARGS)

comfy:
	@$(SETUP) core host
	@$(HARNESS) harness.serve

check:
	@$(SETUP) core tools node
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	PATH="$(CURDIR)/$(VENV):$$PATH" node_modules/.bin/pyright --level error
	PATH="$(CURDIR)/$(VENV):$$PATH" node_modules/.bin/prettier --check --log-level warn 'js/**/*.js' 'tests/js/*.js'
	PATH="$(CURDIR)/$(VENV):$$PATH" node_modules/.bin/tsc --project js/tsconfig.json

evaluate:
	@$(SETUP) core
	@$(CORE) evaluate $(ARGS)

bench:
	@$(SETUP) core
	@$(CORE) bench --results benchmarks/results $(ARGS)

bench-gpu:
	@$(SETUP) core host tools
	@bash benchmarks/bench_gpu.sh $(ARGS)

bench-buffer:
	@$(SETUP) core
	@PYTHONPATH=. $(VENV)/python benchmarks/bench_buffer.py $(ARGS)

bench-tracking:
	@$(SETUP) core
	@$(CORE) evaluate tracking $(ARGS)

bench-live:
	@$(SETUP) core host tools node browser
	@$(HARNESS) harness.live_bench --results benchmarks/results $(ARGS)
