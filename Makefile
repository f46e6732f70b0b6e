# libpua: build, test, measure, install. `make help` lists the targets.
# Variants: V=release (default), V=asan (address + undefined sanitizers), V=coverage. Everything lands in build/$(V).

V        ?= release
PREFIX   ?= /usr/local
DESTDIR  ?=
LIBDIR   ?= $(PREFIX)/lib
MANDIR   ?= $(PREFIX)/share/man
SYSCONFDIR ?= $(PREFIX)/etc
UNITDIR  ?= $(PREFIX)/lib/systemd/system
CXX      ?= g++
CC       ?= gcc
B        := build/$(V)
JOBS     ?= $(shell nproc)

# The version and the soname have one home: the public header.
VERSION := $(shell sed -n 's/^\#define PUA_VERSION_STRING "\(.*\)"/\1/p' include/pua/pua.h)
SOVER   := $(shell sed -n 's/^\#define PUA_SOVERSION \([0-9]*\)/\1/p' include/pua/pua.h)

PKGS     := sofia-sip-ua libcares libevent libssl libcrypto sqlite3 libmariadb libxml-2.0 jansson
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS) | sed 's/-I/-isystem /g')
PKG_LIBS   = $(shell pkg-config --libs $(PKGS))

WARN     := -Wall -Wextra -Werror -Wshadow -Wpointer-arith
OPT_release  := -O2 -g
OPT_asan     := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
OPT_coverage := -O0 -g --coverage
CPPFLAGS += -Iinclude -Isrc -I. -D_GNU_SOURCE -DPUA_SYSCONFDIR='"$(SYSCONFDIR)"'
CXXFLAGS += -std=c++20 -fPIC -fvisibility=hidden $(WARN) $(OPT_$(V))
CFLAGS   += -std=c11 -fPIC $(WARN) $(OPT_$(V))
LDFLAGS  += $(filter -fsanitize% --coverage,$(OPT_$(V)))

# --- sources: every file of a room belongs to it -------------------------------------------------
LIB_ROOMS  := base core events sip store loop config api
LIB_SRC    := $(foreach r,$(LIB_ROOMS),$(wildcard src/$(r)/*.cpp))
CTL_SRC    := $(wildcard src/control/*.cpp)
PUAD_SRC   := $(wildcard src/puad/*.cpp)
PUACTL_SRC := $(wildcard src/puactl/*.cpp)
obj         = $(patsubst %.cpp,$(B)/%.o,$(1))
EMBEDDED   := $(B)/gen/schema_sqlite.inc

LIB_A  := $(B)/libpua.a
LIB_SO := $(B)/libpua.so.$(SOVER)
CTL_A  := $(B)/libpuactl.a

# Unit tests: one binary a room, tests/<room>/*_test.cpp, mirrored from src/<room>.
TEST_ROOMS := $(sort $(foreach r,base core events sip store loop config api control,$(if $(wildcard tests/$(r)/*_test.cpp),$(r))))
TEST_BINS  := $(foreach r,$(TEST_ROOMS),$(B)/tests/$(r)/unit)
SUPPORT_SRC := $(wildcard tests/support/*.cpp)
SIM_BIN    := $(B)/tests/sim/sim

.PHONY: all build deps build-deps demo check unit unit-fast sim e2e attack kill-journal bench fuzz fuzz-short asan coverage mutants tidy format layers \
        manlint \
        install uninstall help clean man
.DEFAULT_GOAL := all
.SECONDARY:
.DELETE_ON_ERROR:

all: build-deps ## build the library, puad, puactl and the examples
	@$(MAKE) --no-print-directory -j$(JOBS) build

build: $(LIB_A) $(LIB_SO) $(B)/puad $(B)/puactl $(patsubst examples/%.c,$(B)/examples/%,$(wildcard examples/*.c)) $(B)/libpua.pc

$(LIB_A): $(call obj,$(LIB_SRC))
	@mkdir -p $(@D); rm -f $@; ar rcs $@ $^
$(CTL_A): $(call obj,$(CTL_SRC))
	@mkdir -p $(@D); rm -f $@; ar rcs $@ $^
$(LIB_SO): $(call obj,$(LIB_SRC)) src/libpua.map
	$(CXX) -shared -Wl,-soname,libpua.so.$(SOVER) -Wl,--version-script=src/libpua.map -o $@ $(call obj,$(LIB_SRC)) $(LDFLAGS) $(PKG_LIBS)
	@ln -sf libpua.so.$(SOVER) $(B)/libpua.so
$(B)/puad: $(call obj,$(PUAD_SRC)) $(CTL_A) $(LIB_A)
	$(CXX) -o $@ $^ $(LDFLAGS) $(PKG_LIBS)
$(B)/puactl: $(call obj,$(PUACTL_SRC)) $(LIB_A)
	$(CXX) -o $@ $^ $(LDFLAGS) $(PKG_LIBS)
$(B)/examples/%: examples/%.c include/pua/pua.h $(LIB_SO)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -Iinclude -o $@ $< -L$(B) -lpua -levent -Wl,-rpath,'$$ORIGIN/..' $(LDFLAGS)
$(B)/libpua.pc: include/pua/pua.h Makefile
	@mkdir -p $(@D)
	@printf 'prefix=%s\nlibdir=%s\nincludedir=$${prefix}/include\n\nName: libpua\nDescription: SIP Presence User Agent client\nVersion: %s\nRequires.private: %s\nLibs: -L$${libdir} -lpua\nLibs.private: -lstdc++ -lm\nCflags: -I$${includedir}\n' \
	  '$(PREFIX)' '$(LIBDIR)' '$(VERSION)' '$(PKGS)' > $@

# The SQL schema is read from db/ at build time, so that file and library cannot differ.
$(B)/gen/schema_sqlite.inc: db/sqlite/pua-create.sql
	@mkdir -p $(@D); { printf 'R"sql('; cat $<; printf ')sql"\n'; } > $@

$(B)/%.o: %.cpp | $(EMBEDDED)
	@mkdir -p $(@D)
	$(CXX) $(CPPFLAGS) -I$(B)/gen $(PKG_CFLAGS) $(CXXFLAGS) -MMD -MP -c -o $@ $<
$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# --- tests ---------------------------------------------------------------------------------------
define unit_rule
$(B)/tests/$(1)/unit: $(call obj,$(wildcard tests/$(1)/*.cpp)) $(call obj,$(SUPPORT_SRC)) $(CTL_A) $(LIB_A)
	$$(CXX) -o $$@ $$^ $$(LDFLAGS) $$(PKG_LIBS) -lCppUTest -lCppUTestExt
endef
$(foreach r,$(TEST_ROOMS),$(eval $(call unit_rule,$(r))))
# The C ABI is also tested from C, from a program that links the shared library, and by what that library exports.
$(B)/tests/api/unit: $(B)/tests/api/header.o | $(LIB_SO) $(B)/examples/publish $(B)/examples/watch
$(SIM_BIN): $(call obj,$(wildcard tests/sim/*.cpp)) $(LIB_A)
	$(CXX) -o $@ $^ $(LDFLAGS) $(PKG_LIBS)

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
kill-journal: deps ## 300 kills of folding, appending, starting and schema steps, SQLite and MariaDB (KILLS=, SEED=)
	@$(MAKE) --no-print-directory -j$(JOBS) build
	@KILLS=$(or $(KILLS),300) tests/e2e/kill_journal_e2e.py
asan: deps ## unit tests and 500 simulation seeds under address and undefined sanitizers
	@tests/support/run-tests asan
check: deps ## everything: unit, sim, sanitizers, layers, man pages, short fuzz, e2e, short attacks
	@$(MAKE) --no-print-directory -j$(JOBS) build $(B)/tests/attack/flood
	@tests/support/run-tests check
coverage: deps ## line coverage of the unit tests and the simulation
	@scripts/coverage.sh
demo: deps ## the main job, on the embedded store, against a real presence server
	@$(MAKE) --no-print-directory -j$(JOBS) build
	@tests/e2e/demo.py
bench: deps ## measure, side by side with Kamailio's pua in the same run (BENCH=--quick for a short one)
	@$(MAKE) --no-print-directory -j$(JOBS) build $(BENCH_BINS)
	@tests/bench/run-bench $(BENCH)
# The sink and the client are programs without the library; `bench` hosts the library.
BENCH_BINS := $(addprefix $(B)/tests/bench/,bench sink client)
$(B)/tests/bench/bench: $(call obj,tests/bench/bench.cpp tests/bench/bench_subscriptions.cpp tests/bench/bench_writeback.cpp tests/bench/bench_steady.cpp tests/bench/host.cpp) $(LIB_A)
	$(CXX) -o $@ $^ $(LDFLAGS) $(PKG_LIBS)
$(B)/tests/bench/sink: $(call obj,tests/bench/sink.cpp tests/bench/notifier.cpp)
	$(CXX) -o $@ $^ $(LDFLAGS)
$(B)/tests/bench/client: $(call obj,tests/bench/client.cpp)
	$(CXX) -o $@ $^ $(LDFLAGS)
attack: deps ## attackers at line rate for 60 s a kind and socket, honest work beside (the machine should have nothing else to do)
	@$(MAKE) --no-print-directory -j$(JOBS) build $(B)/tests/attack/flood
	@tests/support/run-tests attack V=$(V)
# The attacker is a program without the library.
$(B)/tests/attack/flood: $(call obj,tests/attack/flood.cpp)
	$(CXX) -o $@ $^ $(LDFLAGS)
fuzz: deps ## every fuzz target for 60 s (clang, libFuzzer)
	@tests/fuzz/run-fuzz 60
fuzz-short: deps
	@tests/fuzz/run-fuzz 4
mutants: deps ## plant each known defect in turn and show that a test finds it
	@tests/mutants/run-mutants
layers: ## includes point one way
	@scripts/layers.sh
manlint: ## man pages are clean
	@! mandoc -Tlint man/*.[0-9] 2>&1 | grep -v 'referenced manual not found\|outdated mandoc.db'
tidy: $(EMBEDDED) ## clang-tidy over the sources
	@scripts/deps.sh style
	@clang-tidy --quiet $(LIB_SRC) $(CTL_SRC) $(PUAD_SRC) $(PUACTL_SRC) -- $(CPPFLAGS) -I$(B)/gen $(PKG_CFLAGS) -std=c++20
format: ## clang-format of the lines that are changed and not committed
	@scripts/deps.sh style
	@git clang-format --quiet --force --extensions c,cpp,h
deps: ## install the missing Debian packages: what building and testing need
	@scripts/deps.sh
build-deps: ## the same: what building needs
	@scripts/deps.sh build

install: all ## install under $(DESTDIR)$(PREFIX)
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(PREFIX)/include/pua $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin \
	  $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man3 $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man8 \
	  $(DESTDIR)$(PREFIX)/share/pua/db/sqlite $(DESTDIR)$(PREFIX)/share/pua/db/mysql $(DESTDIR)$(PREFIX)/share/pua/puadb \
	  $(DESTDIR)$(SYSCONFDIR)/pua $(DESTDIR)$(UNITDIR)
	install -m 755 $(LIB_SO) $(DESTDIR)$(LIBDIR)/libpua.so.$(VERSION)
	ln -sf libpua.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libpua.so.$(SOVER)
	ln -sf libpua.so.$(SOVER) $(DESTDIR)$(LIBDIR)/libpua.so
	install -m 644 $(LIB_A) $(DESTDIR)$(LIBDIR)/
	install -m 644 $(B)/libpua.pc $(DESTDIR)$(LIBDIR)/pkgconfig/
	install -m 644 include/pua/pua.h $(DESTDIR)$(PREFIX)/include/pua/
	install -m 755 $(B)/puad $(DESTDIR)$(PREFIX)/sbin/
	install -m 755 $(B)/puactl $(DESTDIR)$(PREFIX)/bin/
	sed 's,@SYSCONFDIR@,$(SYSCONFDIR),' scripts/puadbctl > $(DESTDIR)$(PREFIX)/sbin/puadbctl
	chmod 755 $(DESTDIR)$(PREFIX)/sbin/puadbctl
	install -m 644 scripts/puadb/*.py $(DESTDIR)$(PREFIX)/share/pua/puadb/
	install -m 644 db/sqlite/*.sql $(DESTDIR)$(PREFIX)/share/pua/db/sqlite/
	install -m 644 db/mysql/*.sql $(DESTDIR)$(PREFIX)/share/pua/db/mysql/
	for s in 1 3 5 8; do for m in man/*.$$s; do [ ! -f "$$m" ] || install -m 644 "$$m" $(DESTDIR)$(MANDIR)/man$$s/; done; done
	[ -f $(DESTDIR)$(SYSCONFDIR)/pua/pua.conf ] || install -m 640 scripts/pua.conf.sample $(DESTDIR)$(SYSCONFDIR)/pua/pua.conf
	sed 's,@PREFIX@,$(PREFIX),g; s,@SYSCONFDIR@,$(SYSCONFDIR),g' scripts/puad.service.in > $(DESTDIR)$(UNITDIR)/puad.service
	[ -n "$(DESTDIR)" ] || ldconfig
uninstall: ## remove what install put there (the config file stays)
	rm -f $(DESTDIR)$(LIBDIR)/libpua.so* $(DESTDIR)$(LIBDIR)/libpua.a $(DESTDIR)$(LIBDIR)/pkgconfig/libpua.pc
	rm -rf $(DESTDIR)$(PREFIX)/include/pua $(DESTDIR)$(PREFIX)/share/pua
	rm -f $(DESTDIR)$(PREFIX)/sbin/puad $(DESTDIR)$(PREFIX)/sbin/puadbctl $(DESTDIR)$(PREFIX)/bin/puactl $(DESTDIR)$(UNITDIR)/puad.service
	for m in man/*.[0-9]; do rm -f $(DESTDIR)$(MANDIR)/man$${m##*.}/$${m##*/}; done
clean: ## remove build/
	rm -rf build
help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort | expand -t 14

-include $(shell find $(B) -name '*.d' 2>/dev/null)
