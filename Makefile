# Two commands suffice on a machine with Rust, Python 3 and Node: `make demo` and `make test`.
# Everything is built in one profile (release): every other one would build FAISS again.

CARGO ?= cargo
# The same features everywhere, so that nothing is built twice. The devices cost nothing until one is asked for.
FEATURES := facerec-core/cli,facerec-core/cuda,facerec-core/tensorrt,facerec-core/openvino,facerec-core/postgres
export CARGO_TERM_COLOR ?= auto

.PHONY: help setup demo platform test test-client bench lint

help:
	@echo "make setup   system packages, ONNX Runtime, default models, sample photos (a second run does nothing)"
	@echo "make demo    enrol two people, find them in photos and a video, write pictures and a page to out/"
	@echo "make platform  build and start the platform with its web client (see examples/platform)"
	@echo "make test    all tests"
	@echo "make test-client  only the browser tests of the platform (part of make test)"
	@echo "make bench   benchmarks, side by side with peers"
	@echo "make lint    formatting, clippy on every feature, documentation, licences"

setup:
	scripts/setup.sh

demo: setup
	$(CARGO) build --release --workspace --features $(FEATURES)
	scripts/demo.sh

platform: setup
	$(CARGO) build --release --workspace --features $(FEATURES)
	if [ -x scripts/build-client.sh ]; then scripts/build-client.sh; fi
	FACEREC_MODELS=$${FACEREC_MODELS:-.facerec/models} target/release/facerec-platform all

test: setup
	$(CARGO) test --release --workspace --features $(FEATURES)
	scripts/test-node.sh
	scripts/test-python.sh
	scripts/package-node.sh
	scripts/check-package-node.sh
	scripts/platform-schemathesis.sh
	scripts/test-client.sh

test-client: setup
	$(CARGO) build --release --workspace --features $(FEATURES)
	scripts/test-client.sh

bench: setup
	scripts/bench.sh

lint: setup
	scripts/lint.sh
