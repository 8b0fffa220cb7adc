# The short front of the build; meson.build has the substance. `make` and `git` are all that must be
# there first: every target sets up what it needs (scripts/setup.sh).

export PATH := $(CURDIR)/.venv/bin:$(PATH)
PREFIX ?= /usr/local
SECONDS_OF_FUZZING ?= 300
SOAK_SECONDS ?= 0
# Thread sanitizer needs addresses where it expects them; newer kernels randomise further than that.
FIXED = $(shell setarch -R true 2>/dev/null && echo setarch -R)
TEST = meson test --print-errorlogs --no-rebuild -t 8

all: tools
	scripts/build.sh default

demo: package
	python examples/digits.py --hot-paths

test: package
	scripts/test.sh

bench: package
	scripts/build.sh default
	scripts/bench.sh

# Against other frameworks: PEER_PYTHON=<a Python with torch or jax> make bench-peers PEERS="--quick"
bench-peers: package
	python bench/peers.py $(PEERS)

asan: tools
	scripts/build.sh asan
	$(TEST) -C build-asan

ubsan: tools
	scripts/build.sh ubsan
	$(TEST) -C build-ubsan

tsan: tools
	scripts/build.sh tsan
	$(FIXED) $(TEST) -C build-tsan

clang: tools
	scripts/build.sh clang
	$(TEST) -C build-clang

fuzz: tools
	scripts/build.sh fuzz
	scripts/fuzz.sh $(SECONDS_OF_FUZZING)

# Random programs eagerly and with hot paths, for SOAK_SECONDS; 0 is without end.
soak: tools
	scripts/soak.sh $(SOAK_SECONDS)

install: tools
	scripts/build.sh default
	meson configure build -Dprefix=$(PREFIX)
	meson install -C build
	@[ -n "$(DESTDIR)" ] || /sbin/ldconfig 2>/dev/null || true

clean:
	rm -rf build build-* .venv dist

tools:
	scripts/setup.sh tools

package:
	scripts/setup.sh package

.PHONY: all demo test bench bench-peers asan ubsan tsan clang fuzz soak install clean tools package
