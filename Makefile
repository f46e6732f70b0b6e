# libpua: build, test, measure, install. `make help` lists the targets.
# Variants: V=release (default), V=asan (address + undefined sanitizers), V=coverage. Everything lands in build/$(V).

V        ?= release
PREFIX   ?= /usr/local
DESTDIR  ?=
LIBDIR   ?= $(PREFIX)/lib
MANDIR   ?= $(PREFIX)/share/man
SYSCONFDIR ?= $(PREFIX)/etc
UNITDIR  ?= $(PREFIX)/lib/systemd/system
# Where gdb looks for symbols: `make install-symbols` puts them there.
DEBUGDIR ?= /usr/lib/debug
CXX      ?= g++
CC       ?= gcc
# What is installed is stripped; STRIP=: leaves the symbols in.
STRIP    ?= strip
# Warnings are errors; WERROR= for a compiler that warns of more than those that we know.
WERROR   ?= -Werror
B        := build/$(V)
JOBS     ?= $(shell nproc)

# The version and the soname have one home: the public header.
VERSION := $(shell sed -n 's/^\#define PUA_VERSION_STRING "\(.*\)"/\1/p' include/pua/pua.h)
SOVER   := $(shell sed -n 's/^\#define PUA_SOVERSION \([0-9]*\)/\1/p' include/pua/pua.h)

PKGS     := sofia-sip-ua libcares libevent libssl libcrypto sqlite3 libmariadb libxml-2.0 jansson
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS) | sed 's/-I/-isystem /g')
PKG_LIBS   = $(shell pkg-config --libs $(PKGS))

WARN     := -Wall -Wextra $(WERROR) -Wshadow -Wpointer-arith
OPT_release  := -O2 -g
OPT_asan     := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
OPT_coverage := -O0 -g --coverage
ifndef OPT_$(V)
$(error V=$(V): there is no such variant. There are release, asan and coverage)
endif
# What is needed whatever the user's CPPFLAGS, CXXFLAGS, CFLAGS and LDFLAGS hold. Those come behind, so that they count.
OUR_CPPFLAGS := -Iinclude -Isrc -I. -I$(B)/gen -D_GNU_SOURCE
OUR_CXXFLAGS := -std=c++20 -fPIC -fvisibility=hidden $(WARN) $(OPT_$(V))
OUR_CFLAGS   := -std=c11 -fPIC $(WARN) $(OPT_$(V))
OUR_LDFLAGS  := -Wl,--build-id $(filter -fsanitize% --coverage,$(OPT_$(V)))

# --- sources: every file of a room belongs to it -------------------------------------------------
LIB_ROOMS  := base core events sip store loop config api
LIB_SRC    := $(foreach r,$(LIB_ROOMS),$(wildcard src/$(r)/*.cpp))
CTL_SRC    := $(wildcard src/control/*.cpp)
PUAD_SRC   := $(wildcard src/puad/*.cpp)
PUACTL_SRC := $(wildcard src/puactl/*.cpp)
obj         = $(patsubst %.cpp,$(B)/%.o,$(1))
EMBEDDED   := $(B)/gen/schema_sqlite.inc $(B)/gen/install_paths.h

LIB_A  := $(B)/libpua.a
LIB_SO := $(B)/libpua.so.$(SOVER)
CTL_A  := $(B)/libpuactl.a

# Unit tests: one binary a room, tests/<room>/*_test.cpp, mirrored from src/<room>.
TEST_ROOMS := $(sort $(foreach r,base core events sip store loop config api control puad puactl,$(if $(wildcard tests/$(r)/*_test.cpp),$(r))))
TEST_BINS  := $(foreach r,$(TEST_ROOMS),$(B)/tests/$(r)/unit)
SUPPORT_SRC := $(wildcard tests/support/*.cpp)
SIM_BIN    := $(B)/tests/sim/sim

.PHONY: all build deps demo-deps build-deps demo demo-stop check unit sim e2e attack kill-journal bench fuzz fuzz-short asan coverage \
        mutants tidy format layers functions manlint install install-symbols uninstall help clean FORCE
.DEFAULT_GOAL := all
.SECONDARY:
.DELETE_ON_ERROR:

all: build-deps ## build the library, puad, puactl and the examples (the default)
	@$(MAKE) --no-print-directory -j$(JOBS) build

build: $(LIB_A) $(LIB_SO) $(B)/puad $(B)/puactl $(patsubst examples/%.c,$(B)/examples/%,$(wildcard examples/*.c)) $(B)/libpua.pc ## as all, without a look at the packages

$(LIB_A): $(call obj,$(LIB_SRC))
	@mkdir -p $(@D); rm -f $@; ar rcs $@ $^
$(CTL_A): $(call obj,$(CTL_SRC))
	@mkdir -p $(@D); rm -f $@; ar rcs $@ $^
$(LIB_SO): $(call obj,$(LIB_SRC)) src/libpua.map
	$(CXX) -shared -Wl,-soname,libpua.so.$(SOVER) -Wl,-z,nodelete -Wl,--version-script=src/libpua.map -o $@ $(call obj,$(LIB_SRC)) $(OUR_LDFLAGS) $(LDFLAGS) $(PKG_LIBS)
	@ln -sf libpua.so.$(SOVER) $(B)/libpua.so
$(B)/puad: $(call obj,$(PUAD_SRC)) $(CTL_A) $(LIB_A)
	$(CXX) -o $@ $^ $(OUR_LDFLAGS) $(LDFLAGS) $(PKG_LIBS)
$(B)/puactl: $(call obj,$(PUACTL_SRC)) $(LIB_A)
	$(CXX) -o $@ $^ $(OUR_LDFLAGS) $(LDFLAGS) $(PKG_LIBS)
$(B)/examples/%: examples/%.c include/pua/pua.h $(LIB_SO)
	@mkdir -p $(@D)
	$(CC) $(OUR_CFLAGS) $(CFLAGS) -Iinclude -o $@ $< -L$(B) -lpua -levent -Wl,-rpath,'$$ORIGIN/..' $(OUR_LDFLAGS) $(LDFLAGS)

# The install paths are prerequisites of what they are written into: a `make` with other ones makes that anew, and no more. Each of
# the two files is looked at every time (FORCE), and written where it would be another one.
# pua.h needs nothing of others, and a program that links the shared library no more than that: what libpua stands on matters to
# those only who link libpua.a (pkg-config --static).
write_if_new = mkdir -p $(@D); [ "$$text" = "$$(cat $@ 2>/dev/null)" ] || printf '%s\n' "$$text" > $@
$(B)/libpua.pc: include/pua/pua.h FORCE
	@text=$$(printf 'prefix=%s\nlibdir=%s\nincludedir=$${prefix}/include\n\nName: libpua\nDescription: SIP Presence User Agent client\nVersion: %s\nLibs: -L$${libdir} -lpua\nLibs.private: %s -lstdc++ -lm\nCflags: -I$${includedir}' \
	  '$(PREFIX)' '$(LIBDIR)' '$(VERSION)' '$(PKG_LIBS)'); $(write_if_new)
$(B)/gen/install_paths.h: FORCE
	@text=$$(printf '// Made by the Makefile: where puad looks for its configuration.\n#pragma once\n#define PUA_SYSCONFDIR "%s"' '$(SYSCONFDIR)'); $(write_if_new)

# The SQL schema is read from db/ at build time, so that file and library cannot differ.
$(B)/gen/schema_sqlite.inc: db/sqlite/pua-create.sql
	@mkdir -p $(@D); { printf 'R"sql('; cat $<; printf ')sql"\n'; } > $@

$(B)/%.o: %.cpp | $(EMBEDDED)
	@mkdir -p $(@D)
	$(CXX) $(OUR_CPPFLAGS) $(CPPFLAGS) $(PKG_CFLAGS) $(OUR_CXXFLAGS) $(CXXFLAGS) -MMD -MP -c -o $@ $<
$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(OUR_CPPFLAGS) $(CPPFLAGS) $(OUR_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# --- tests ---------------------------------------------------------------------------------------
define unit_rule
$(B)/tests/$(1)/unit: $(call obj,$(wildcard tests/$(1)/*.cpp)) $(call obj,$(SUPPORT_SRC)) $(CTL_A) $(LIB_A)
	$$(CXX) -o $$@ $$(filter %.o,$$^) $$(filter %.a,$$^) $$(OUR_LDFLAGS) $$(LDFLAGS) $$(PKG_LIBS) -lCppUTest -lCppUTestExt
endef
$(foreach r,$(TEST_ROOMS),$(eval $(call unit_rule,$(r))))
# The programs are no libraries: all of them but main.
$(B)/tests/puad/unit: $(call obj,$(filter-out src/puad/main.cpp,$(PUAD_SRC)))
$(B)/tests/puactl/unit: $(call obj,$(filter-out src/puactl/main.cpp,$(PUACTL_SRC)))
# The C ABI is also tested from C, from a program that links the shared library, and by what that library exports.
$(B)/tests/api/unit: $(B)/tests/api/header.o | $(LIB_SO) $(B)/examples/publish $(B)/examples/watch
$(SIM_BIN): $(call obj,$(wildcard tests/sim/*.cpp)) $(LIB_A)
	$(CXX) -o $@ $^ $(OUR_LDFLAGS) $(LDFLAGS) $(PKG_LIBS)

unit: deps ## unit tests of every room (pure, and with real SQLite and sofia)
	@$(MAKE) --no-print-directory -j$(JOBS) $(TEST_BINS)
	@tests/support/run-tests unit V=$(V)
SEED ?= 1
RUNS ?= 10000
sim: deps ## simulation: make sim SEED=1 RUNS=10000
	@$(MAKE) --no-print-directory -j$(JOBS) $(SIM_BIN)
	@$(SIM_BIN) --seed $(SEED) --runs $(RUNS)
e2e: deps ## processes: puad against a real Kamailio presence server
	@$(MAKE) --no-print-directory -j$(JOBS) build
	@tests/support/run-tests e2e V=$(V)
kill-journal: deps ## 300 kills at work on journal and schema (KILLS=, SEED=)
	@$(MAKE) --no-print-directory -j$(JOBS) build
	@KILLS=$(or $(KILLS),300) tests/e2e/kill_journal_e2e.py
asan: deps ## unit tests and 500 simulation seeds under sanitizers
	@tests/support/run-tests asan
check: deps ## everything but the long ones; ends with "N passed, N failed"
	@$(MAKE) --no-print-directory -j$(JOBS) build $(B)/tests/attack/flood
	@tests/support/run-tests check
coverage: deps ## line coverage of the unit tests and the simulation
	@scripts/coverage.sh
demo: demo-deps ## the main job, with a real presence server; KEEP=1 leaves one
	@$(MAKE) --no-print-directory -j$(JOBS) build
	@tests/e2e/demo.py $(if $(KEEP),--serve $(or $(DEMO_PORT),5060))
demo-stop: ## end the presence server that `make demo KEEP=1` has left
	@tests/e2e/presence_server.py stop
bench: deps ## measure, beside Kamailio's pua in the same run (BENCH=--quick)
	@$(MAKE) --no-print-directory -j$(JOBS) build $(BENCH_BINS)
	@tests/bench/run-bench $(BENCH)
# The sink and the client are programs without the library; `bench` hosts the library.
BENCH_BINS := $(addprefix $(B)/tests/bench/,bench sink client)
$(B)/tests/bench/bench: $(call obj,tests/bench/bench.cpp tests/bench/bench_subscriptions.cpp tests/bench/bench_writeback.cpp tests/bench/bench_steady.cpp tests/bench/host.cpp) $(LIB_A)
	$(CXX) -o $@ $^ $(OUR_LDFLAGS) $(LDFLAGS) $(PKG_LIBS)
$(B)/tests/bench/sink: $(call obj,tests/bench/sink.cpp tests/bench/notifier.cpp)
	$(CXX) -o $@ $^ $(OUR_LDFLAGS) $(LDFLAGS)
$(B)/tests/bench/client: $(call obj,tests/bench/client.cpp)
	$(CXX) -o $@ $^ $(OUR_LDFLAGS) $(LDFLAGS)
attack: deps ## floods at line rate, 60 s a kind and socket, honest work beside
	@$(MAKE) --no-print-directory -j$(JOBS) build $(B)/tests/attack/flood
	@tests/support/run-tests attack V=$(V)
# The attacker is a program without the library.
$(B)/tests/attack/flood: $(call obj,tests/attack/flood.cpp)
	$(CXX) -o $@ $^ $(OUR_LDFLAGS) $(LDFLAGS)
fuzz: deps ## every fuzz target for 60 s (clang, libFuzzer)
	@tests/fuzz/run-fuzz 60
fuzz-short: deps ## as fuzz, for 4 s a target
	@tests/fuzz/run-fuzz 4
mutants: deps ## plant each known defect in turn and show that a test finds it
	@tests/mutants/run-mutants
layers: ## includes point one way
	@scripts/layers.sh
# How many pairs there are today: a new one fails, and where one is gone the new number is to stand here.
PAIRS := 145
functions: ## functions are short, and no new one is written twice
	@tests/scripts/functions_test.py
	@scripts/long-functions
	@scripts/duplicate-functions --count $(PAIRS)
manlint: ## man pages are clean, and have what the log says
	@! mandoc -Tlint man/*.[0-9] 2>&1 | grep -v 'referenced manual not found\|outdated mandoc.db'
	@! for page in man/*.[0-9]; do mandoc -Tascii -Owidth=78 $$page | sed 's/.\x08//g' | \
	  awk -v page=$$page 'length > 80 { print page ": wider than 80 columns: " $$0 }'; done | grep .
	@tests/scripts/loglines_test.py
	@python3 scripts/loglines.py
tidy: $(EMBEDDED) ## clang-tidy over the sources
	@scripts/deps.sh style
	@clang-tidy --quiet $(LIB_SRC) $(CTL_SRC) $(PUAD_SRC) $(PUACTL_SRC) -- $(OUR_CPPFLAGS) $(CPPFLAGS) $(PKG_CFLAGS) -std=c++20
format: ## clang-format of the lines that are not committed yet
	@scripts/deps.sh style
	@git clang-format --quiet --force --extensions c,cpp,h
deps: ## install the Debian packages that testing needs
	@scripts/deps.sh
demo-deps: ## install the Debian packages that the demo needs
	@scripts/deps.sh demo
build-deps: ## install the Debian packages that building needs
	@scripts/deps.sh build

# What is installed where stands in one script; it keeps a list, by which `make uninstall` leaves nothing behind.
INSTALLER = B='$(B)' DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' LIBDIR='$(LIBDIR)' MANDIR='$(MANDIR)' SYSCONFDIR='$(SYSCONFDIR)' \
            UNITDIR='$(UNITDIR)' DEBUGDIR='$(DEBUGDIR)' VERSION='$(VERSION)' SOVER='$(SOVER)' STRIP='$(STRIP)' scripts/install.sh
install: all ## install under PREFIX, /usr/local, stripped (but not by STRIP=:)
	@$(INSTALLER) install
install-symbols: all ## install the symbols, for gdb, under DEBUGDIR, /usr/lib/debug
	@$(INSTALLER) symbols
uninstall: ## remove what was installed (a changed configuration stays)
	@$(INSTALLER) uninstall
clean: ## remove build/
	rm -rf build
help: ## this list
	@scripts/help.sh Makefile

-include $(shell find $(B) -name '*.d' 2>/dev/null)
