# walferry: build, test, install. `make help` lists the targets.
#
# Variants, each in a directory of its own below build/:
#   release  build/walferry        optimised and hardened
#   asan     build/asan/walferry   AddressSanitizer + UBSan, crash points (WALFERRY_TEST)
#   tsan     build/tsan/walferry   ThreadSanitizer, crash points
#   gcc, clang                     objects only, to see that neither has a warning
#
# Nothing but make and a shell is assumed: a compiler or library that is not there is installed by
# tools/deps.sh, which says so first.
#
# librdkafka is one that we chose, built once by tools/librdkafka/build and linked statically:
#   SYSTEM_LIBRDKAFKA=1       link the system's instead; everything is then below build/system
#   LIBRDKAFKA_TARBALL=FILE   take its source from a file, not from the network
#
# ARCH=arm64 on the command line builds for that processor by Debian's cross compiler, everything below
# build/arm64; `make deb ARCH=arm64` gets the compiler and the libraries in a root of its own.

CC ?= cc
PREFIX ?= /usr/local
DESTDIR ?=
PYTHON ?= /usr/bin/python3
PKG_CONFIG ?= pkg-config
WERROR ?=
KEEP ?=
V ?=
SYSTEM_LIBRDKAFKA ?=
LIBRDKAFKA_TARBALL ?=
VERSION := 0.1.0
system_librdkafka := $(filter-out 0,$(SYSTEM_LIBRDKAFKA))

# The environment may have an ARCH for something else. That of this machine is as good as none.
ifneq ($(origin ARCH),command line)
ARCH :=
endif
cross := $(if $(ARCH),$(filter-out $(shell dpkg --print-architecture),$(ARCH)))
TRIPLET_arm64 := aarch64-linux-gnu
ifneq ($(cross),)
triplet := $(or $(TRIPLET_$(cross)),$(error ARCH=$(ARCH): arm64 is what can be built elsewhere))
CC := $(triplet)-gcc
AR := $(triplet)-ar
PKG_CONFIG := $(triplet)-pkg-config
endif

B := build$(cross:%=/%)$(if $(system_librdkafka),/system)

# V=1 shows the commands, otherwise a line says what is being made.
Q := $(if $(filter-out 0,$(V)),,@)

all: $(B)/walferry ## build the relay: build/walferry

# Asked for when the first recipe needs it, not at every start of make, and only once.
# jq 1.6 has no file for pkg-config.
PKGS := libpq jansson yaml-0.1 libmicrohttpd libpcre2-8 libssl libcrypto libcurl
PKG_CFLAGS = $(eval PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PKGS) | \
               sed 's/-I/-isystem /g'))$(PKG_CFLAGS)
PKG_LIBS = $(eval PKG_LIBS := $(shell $(PKG_CONFIG) --libs $(PKGS)) -ljq -lpthread -lm)$(PKG_LIBS)

# A variant's librdkafka: two files with what its compiler and its linker are told. Variants that are
# not linked take the headers of the release. It is asked at every start which one it has to be; what
# the files say changes only with the answer, and then all that was made with them is made again.
rdkafka_variant = $(or $(filter asan tsan,$(1)),release)
RDKAFKA_CFLAGS = $$(cat $(B)/$(call rdkafka_variant,$(1))/librdkafka.cflags)
RDKAFKA_LIBS = $$(cat $(B)/$(call rdkafka_variant,$(1))/librdkafka.libs)
ifneq ($(system_librdkafka),)
RDKAFKA_NEEDS := rdkafka
RDKAFKA_FROM := system
else
RDKAFKA_NEEDS := libssl libzstd liblz4 zlib
RDKAFKA_FROM := pinned, static
endif

# The relay frees what librdkafka allocated for each record long after it was made, on another thread:
# glibc's malloc takes a third of all CPU for that, jemalloc little (docs/BENCHMARKS.md). Static where
# the system has it so, else shared, else without it. The sanitizers bring allocators of their own.
jemalloc_kind = $(eval jemalloc_kind := $(if $(shell $(PKG_CONFIG) --modversion jemalloc),$(if \
                  $(findstring /,$(shell $(CC) -print-file-name=libjemalloc_pic.a)),static,shared)))$(jemalloc_kind)
JEMALLOC_LIBS = $(if $(filter release,$(1)),$(if $(filter static,$(jemalloc_kind)),-l:libjemalloc_pic.a \
                  -ldl,$(if $(jemalloc_kind),-ljemalloc)))
ALLOCATOR_release = $(if $(jemalloc_kind),jemalloc $(shell $(PKG_CONFIG) --modversion jemalloc | \
                      cut -d_ -f1 | cut -d- -f1) ($(jemalloc_kind)),of the C library)
ALLOCATOR_asan := of AddressSanitizer
ALLOCATOR_tsan := of ThreadSanitizer

$(B)/%/librdkafka.cflags: FORCE | toolchain
	@mkdir -p $(@D)
	@CC='$(CC)' AR='$(AR)' PKG_CONFIG='$(PKG_CONFIG)' MAKE='$(MAKE_COMMAND)' LIBRDKAFKA_TARBALL='$(LIBRDKAFKA_TARBALL)' \
	    tools/librdkafka/flags $(if $(system_librdkafka),system,$*) $(@D)/librdkafka

FORCE:

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
        -Wvla $(if $(WERROR),-Werror)
BASE_CFLAGS = -std=c11 $(WARN) -D_GNU_SOURCE -DWALFERRY_VERSION='"$(VERSION)"' \
              -DWALFERRY_LIBRDKAFKA='"$(RDKAFKA_FROM)"' -Isrc \
              $(PKG_CFLAGS) -g -MMD -MP

# Where it was built is nowhere in it, so that two builds are the same bytes.
CFLAGS_release = -O2 -fPIE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection \
                 -ffile-prefix-map=$(CURDIR)=.
LDFLAGS_release := -pie -Wl,-z,relro,-z,now -Wl,--as-needed
CFLAGS_asan := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined \
               -fno-sanitize-recover=undefined -DWALFERRY_TEST
LDFLAGS_asan := -fsanitize=address,undefined
CFLAGS_tsan := -O1 -fno-omit-frame-pointer -fsanitize=thread -DWALFERRY_TEST
LDFLAGS_tsan := -fsanitize=thread
CFLAGS_gcc := -O2 -Werror
# As some processors have char, arm64 among them: what is never true of such a one is a warning.
CFLAGS_clang := -O2 -Werror -funsigned-char -Wtautological-unsigned-char-zero-compare

# A variant may insist on its compiler.
CC_gcc := gcc
CC_clang := clang

MODULES := base model json tls config pg types metrics http migrate decode source route encode \
         publish progress recover relay operate admin webhook otlp cli
LIB_SRCS := $(foreach m,$(MODULES),$(sort $(wildcard src/$(m)/*.c)))

# $(1): variant, $(2): path of the program
define variant
LIB_OBJS_$(1) := $$(patsubst src/%.c,$(B)/$(1)/obj/%.o,$$(LIB_SRCS))

$(B)/$(1)/obj/%.o: src/%.c $(B)/$(call rdkafka_variant,$(1))/librdkafka.cflags | toolchain
	@mkdir -p $$(@D)
	$(if $(Q),@echo "  CC  $$@")
	$(Q)$$(or $$(CC_$(1)),$$(CC)) $$(BASE_CFLAGS) $$(call RDKAFKA_CFLAGS,$(1)) $$(CFLAGS_$(1)) \
	    -DWALFERRY_ALLOCATOR='"$$(ALLOCATOR_$(1))"' $$(CFLAGS) \
	    -c -o $$@ $$<

$(B)/$(1)/libwalferry.a: $$(LIB_OBJS_$(1))
	@rm -f $$@
	$(Q)$$(AR) rcs $$@ $$^

$(2): $(B)/$(1)/obj/main.o $(B)/$(1)/libwalferry.a
	$(if $(Q),@echo "  LD  $$@")
	$(Q)$$(CC) $$(CFLAGS_$(1)) $$(CFLAGS) $$(LDFLAGS_$(1)) $$(LDFLAGS) -o $$@ $$^ \
	    $$(call RDKAFKA_LIBS,$(1)) $$(PKG_LIBS) $$(call JEMALLOC_LIBS,$(1))

-include $$(LIB_OBJS_$(1):.o=.d) $(B)/$(1)/obj/main.d
endef

$(eval $(call variant,release,$(B)/walferry))
$(eval $(call variant,asan,$(B)/asan/walferry))
$(eval $(call variant,tsan,$(B)/tsan/walferry))
$(eval $(call variant,gcc,$(B)/gcc/walferry))
$(eval $(call variant,clang,$(B)/clang/walferry))

asan: $(B)/asan/walferry ## build it with AddressSanitizer, UBSan and crash points
tsan: $(B)/tsan/walferry ## build it with ThreadSanitizer and crash points

toolchain:
	@{ command -v $(CC) && $(PKG_CONFIG) --exists $(PKGS) $(RDKAFKA_NEEDS) && \
	    echo '#include <jq.h>' | $(CC) -E -; } >/dev/null 2>&1 || \
	    tools/deps.sh $(if $(system_librdkafka),system,build)$(cross:%=:%)

include tests/tests.mk
-include tools/package/package.mk src/config/generate.mk src/admin/files.mk tests/sim/sim.mk tests/fuzz/fuzz.mk bench/bench.mk

# --- demo and bench: what they need is installed first, then make starts again to build -----------

# Whoever names no number of jobs has one for each processor.
jobs = $(if $(filter -j%,$(MAKEFLAGS)),,-j $(shell nproc))

demo: ## private PostgreSQL and Kafka, a small shop, a kill -9, a count; KEEP=1 leaves it running
	@tools/deps.sh demo
	@$(MAKE) --no-print-directory $(jobs) all
	@$(PYTHON) -u tools/demo.py $(if $(filter-out 0,$(KEEP)),--keep)

example-saga: ## examples/order-saga: three services, sagas, kill -9, a count of money and goods
	@tools/deps.sh demo
	@$(MAKE) --no-print-directory $(jobs) all
	@$(PYTHON) -u examples/order-saga/run.py $(ARGS)

bench: ## measure throughput, latency and CPU beside a discarding reader
	@tools/deps.sh demo
	@$(MAKE) --no-print-directory $(jobs) all
	@$(MAKE) --no-print-directory $(jobs) bench-programs
	@$(PYTHON) -u bench/run --out $(B)/bench/report.md --json $(B)/bench/run.json $(BENCH)

bench-peers: ## the same beside Debezium under Kafka Connect, on the same servers
	@tools/deps.sh demo
	@$(MAKE) --no-print-directory $(jobs) all bench-programs
	@$(PYTHON) -u bench/peers --out $(B)/bench/peers.md --json $(B)/bench/peers.json $(BENCH)

bench-curves: ## how cost grows with rows, transactions, routes, topics, other log: exponents
	@tools/deps.sh demo
	@$(MAKE) --no-print-directory $(jobs) all
	@$(PYTHON) -u bench/curves $(BENCH)

BENCH_PARTS := run,peers,curves
BENCH_ROUNDS :=
bench-docs: ## docs/BENCHMARKS.md anew; BENCH_PARTS=main BENCH_ROUNDS=2 for its first tables alone
	@tools/deps.sh demo
	@$(MAKE) --no-print-directory $(jobs) all bench-programs
	@$(PYTHON) -u bench/docs --measure "$(BENCH_PARTS)" $(if $(BENCH_ROUNDS),--rounds $(BENCH_ROUNDS))

deps: ## install everything that building, testing and developing needs
	@tools/deps.sh all
	@$(PYTHON) tools/lab/cache.py fetch kafka
	@$(PYTHON) tools/lab/cache.py fetch postgres

# --- install --------------------------------------------------------------------------------------

bindir = $(PREFIX)/bin
mandir = $(PREFIX)/share/man
datadir = $(PREFIX)/share/walferry
docdir = $(PREFIX)/share/doc/walferry
unitdir = $(PREFIX)/lib/systemd/system
bashdir = $(PREFIX)/share/bash-completion/completions
zshdir = $(PREFIX)/share/zsh/site-functions
fishdir = $(PREFIX)/share/fish/vendor_completions.d
INSTALL ?= install
# Who packages it, and keeps the symbols elsewhere, says STRIP= and gets them.
STRIP ?= -s$(triplet:%= --strip-program=%-strip)

install: $(B)/walferry ## install below DESTDIR and PREFIX (/usr/local); STRIP= keeps symbols
	$(INSTALL) -D $(STRIP) -m 755 $(B)/walferry "$(DESTDIR)$(bindir)/walferry"
	$(INSTALL) -D -m 644 docs/man/walferry.1 "$(DESTDIR)$(mandir)/man1/walferry.1"
	$(INSTALL) -D -m 644 docs/man/walferry.yaml.5 "$(DESTDIR)$(mandir)/man5/walferry.yaml.5"
	$(INSTALL) -d -m 755 "$(DESTDIR)$(datadir)/sql" "$(DESTDIR)$(unitdir)"
	$(INSTALL) -m 644 config/walferry.yaml config/walferry.schema.json "$(DESTDIR)$(datadir)"
	$(INSTALL) -m 644 sql/*.sql "$(DESTDIR)$(datadir)/sql"
	$(INSTALL) -D -m 644 config/completion/walferry.bash "$(DESTDIR)$(bashdir)/walferry"
	$(INSTALL) -D -m 644 config/completion/_walferry "$(DESTDIR)$(zshdir)/_walferry"
	$(INSTALL) -D -m 644 config/completion/walferry.fish "$(DESTDIR)$(fishdir)/walferry.fish"
	$(if $(system_librdkafka),,$(INSTALL) -D -m 644 $(B)/release/librdkafka.licences \
	    "$(DESTDIR)$(docdir)/librdkafka-LICENSES.txt")
	for unit in walferry.service walferry@.service; do \
	    sed 's|^\(Exec[A-Za-z]*=\)[^ ]*/walferry|\1$(bindir)/walferry|' "config/$$unit" \
	        >"$(DESTDIR)$(unitdir)/$$unit" && chmod 644 "$(DESTDIR)$(unitdir)/$$unit" || exit 1; \
	done

uninstall: ## remove what install put there
	rm -f "$(DESTDIR)$(bindir)/walferry" "$(DESTDIR)$(mandir)/man1/walferry.1" \
	    "$(DESTDIR)$(mandir)/man5/walferry.yaml.5" "$(DESTDIR)$(unitdir)/walferry.service" \
	    "$(DESTDIR)$(unitdir)/walferry@.service" "$(DESTDIR)$(bashdir)/walferry" \
	    "$(DESTDIR)$(zshdir)/_walferry" "$(DESTDIR)$(fishdir)/walferry.fish"
	rm -rf "$(DESTDIR)$(datadir)" "$(DESTDIR)$(docdir)"

clean: ## remove build/ (downloads live elsewhere and stay)
	rm -rf $(B)

distclean: clean ## clean, and remove what was downloaded
	@dir=$$($(PYTHON) -c 'import sys; sys.path.insert(0, "tools"); from lab import cache; print(cache.dir())') && \
	echo "removing $$dir" && rm -rf "$$dir"

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | sort -u | \
	    while IFS='|' read -r name text; do printf '  %-12s %s\n' "$$name" "$$text"; done

.PHONY: all asan tsan toolchain demo example-saga bench deps install uninstall clean distclean help FORCE bench-peers \
    bench-curves bench-docs
.SECONDARY:
