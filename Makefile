# Every target does its own set-up inside this folder (.venv, .cache, node_modules) and may be run again at any time.
PYTHON ?= python3
RUN := .venv/bin/python
SETUP := $(PYTHON) tests/harness/install.py

.PHONY: help demo test comfy check evaluate bench
.DEFAULT_GOAL := help

help:
	@echo "make demo      the shipped workflow in a real ComfyUI -> output/demo.mp4, output/demo.png"
	@echo "make test      every test: Python, JavaScript, a real ComfyUI, a real browser"
	@echo "make comfy     ComfyUI with this pack on 127.0.0.1:8188"
	@echo "make check     ruff, pyright, tsc"
	@echo "make evaluate  the built-in model on held-out clips"
	@echo "make bench     speed and memory of a stream"
	@echo "COMFYUI_PATH=/path/to/ComfyUI uses that one; PYTHON=python3.12 chooses the Python (3.10 or newer)"

demo:
	@$(SETUP) core host
	@$(RUN) tests/harness/demo.py

test:
	@$(SETUP) core host tools node browser
	@$(RUN) tests/harness/run_tests.py

comfy:
	@$(SETUP) core host
	@$(RUN) tests/harness/comfy.py

check:
	@$(SETUP) core host tools node
	@$(RUN) tests/harness/check.py

evaluate:
	@$(SETUP) core
	@$(RUN) -m motionstream_core evaluate

bench:
	@$(SETUP) core
	@$(RUN) -m motionstream_core bench
