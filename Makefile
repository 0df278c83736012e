# The two commands of the README are `make demo` and `make test`; they do all set-up themselves.
TESTBED := tests/testbed/testbed
CARGO   := cargo

.PHONY: all build release bench demo test check unit cluster builder testbed fmt lint fuzz

all: build

build:            ## windlass, for development
	$(CARGO) build

release:          ## windlass, as it is shipped
	$(CARGO) build --release

bench: release    ## windlass render against the real helm
	tests/bench/render.sh

demo: release builder  ## restore charts, render, lock, diff, deploy, change, inspect and delete on a real control plane
	$(TESTBED) build
	$(TESTBED) run -- tests/demo.sh

test: fmt lint unit cluster  ## everything that CI runs

check:            ## fast feedback while editing
	$(CARGO) check --all-targets

fmt:
	$(CARGO) fmt --all --check

lint:             ## warnings are errors; the pure core builds without the network part
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) check --no-default-features --lib

unit:             ## everything that needs no cluster
	$(CARGO) test --workspace --exclude windlass
	$(CARGO) test --lib --bins --test cli

cluster: builder  ## against a real API server, registry, helm and buildah; without buildah its test is told as ignored
	$(TESTBED) build
	$(TESTBED) run -- $(CARGO) test --test cluster -- $$(command -v buildah >/dev/null && echo --include-ignored)

builder:          ## buildah, which builds images for the tests and the demo, where it may be installed
	@command -v buildah >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	  apt-get install -y -qq --no-install-recommends buildah >/dev/null; } || \
	  echo "note: no buildah here, so no image is built; install it with \`apt-get install buildah\`" >&2

fuzz:             ## every parser of the engine and rendering, 20 minutes each (SECONDS_EACH=60 for less)
	fuzz/run $(or $(SECONDS_EACH),1200)

testbed:          ## a control plane for hands: prints the kubeconfig, Ctrl-C stops it
	$(TESTBED) build
	$(TESTBED) serve
