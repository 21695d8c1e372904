# One to three lines per target over cargo and scripts; nothing is decided here.
# make demo is all a newcomer types; make test is all a developer does.
PREFIX ?= /usr/local
CATSEL_DATA ?= ../shared/data
CARGO ?= cargo
BIN := target/release
ORT := build/onnxruntime/libonnxruntime.so
TOOLS := ann-acts select-units unit-stats fmri-roi tuning rsa encode ceiling figure npy
export CATSEL_DATA
# The assembler that set-up brought, for the JPEG decoder; a build finds it here or does without.
export PATH := $(or $(CATSEL_BUILD),$(CURDIR)/build)/nasm/bin:$(PATH)

.PHONY: all build setup runtime demo study test check check-report check-peers bench bench-acts bench-encode bench-growth bench-study golden install man clean

all: build

build:
	$(CARGO) build --release --locked --workspace

# Everything that a fresh machine lacks, from package registries, pinned by version and hash.
setup:
	scripts/setup.sh all

# ONNX Runtime and, where it can be had, the assembler: enough for the tools and their tests.
runtime:
	scripts/setup.sh onnxruntime

demo: setup build
	scripts/demo.sh

study:
	scripts/study.sh

test: runtime
	scripts/test.sh

check:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --release --locked --workspace --all-targets -- -D warnings
	scripts/check-arrows.sh

# The page of the demo in a real browser (Debian: apt-get install chromium).
check-report: demo
	scripts/check-report.py demo/report.html

# The peers' own tests with our tools in the place of their functions; PEERS_UPDATE=1 writes the table in testdata/README.md.
check-peers: build
	scripts/check-peers.sh $(PEERS)

bench: runtime build
	scripts/bench.sh $(BENCH)

bench-acts: runtime build
	build/venv/bin/python scripts/bench-acts.py $(BENCH)

bench-encode: build
	scripts/golden.sh --environment-only
	build/golden-venv/bin/python scripts/bench-encode.py $(BENCH)

bench-growth: runtime build
	build/venv/bin/python scripts/bench-growth.py $(BENCH)

# ONNX Runtime for Python is that of build/venv; everything else is in the environment of make golden.
bench-study: setup build
	scripts/golden.sh --environment-only
	build/golden-venv/bin/python scripts/bench-study.py $(BENCH)

golden:
	scripts/golden.sh

install: runtime build man
	install -d $(PREFIX)/bin $(PREFIX)/lib/catsel $(PREFIX)/share/man/man1
	install -m 755 $(addprefix $(BIN)/,$(TOOLS)) $(PREFIX)/bin && install -m 755 $(ORT) $(PREFIX)/lib/catsel
	install -m 644 target/man/*.1 $(PREFIX)/share/man/man1

man: build
	rm -rf target/man && mkdir -p target/man && for t in $(TOOLS); do $(BIN)/$$t --generate man target/man || exit 1; done

clean:
	rm -rf target demo study tour
