# make run        everything, then the demo of config/quickstart.yaml
# make            build/release: pollard and handlers/*.so
# make test       every test; installs what is missing
# make check-asan check-ubsan check-tsan      the same tests under a sanitizer;
#                 check-asan-ubsan: under both at once
# make check-valgrind                         the unit tests under valgrind
# make interop    the end-to-end stories against servers nobody here wrote
# make differential  the filter engine against EventBridge's own matcher
# make crash      kill -9 at random moments, then count
# make bench      figures, side by side with what they are compared to
# make fuzz       every fuzzer for FUZZ_SECONDS (60) each; some: FUZZ="yaml response"
# make bare       prove `make run` and `make test` on a bare Debian 12
# make docs       docs/triggers.md from the schema tables
# make check-one  one test: T=tests/unit/test_bytes
# make install    to PREFIX (/usr/local), under DESTDIR for packagers
# make deps lint format clean help            V=1 shows the commands

VARIANT  ?= release
BUILD    := build/$(VARIANT)
PREFIX   ?= /usr/local
VERSION  := 0.1.0
Q        := $(if $(V),,@)

PACKAGES := libcurl jansson yaml-0.1 libssl libcrypto sqlite3 libmicrohttpd libcbor expat zlib \
            libprotobuf-c

# What Debian calls it. `deps` installs the first list, tests the second too.
DEBIAN      := gcc libc6-dev pkg-config libcurl4-openssl-dev libjansson-dev \
               libyaml-dev libssl-dev libsqlite3-dev libmicrohttpd-dev \
               libcbor-dev libexpat1-dev \
               zlib1g-dev libprotobuf-c-dev protobuf-c-compiler ca-certificates
DEBIAN_TEST := $(DEBIAN) libcmocka-dev python3
DEBIAN_LINT := $(DEBIAN_TEST) clang clang-format clang-tidy cppcheck
DEBIAN_FUZZ := $(DEBIAN_TEST) clang libclang-rt-14-dev

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef -Wformat=2 \
            -Wswitch-enum -Wvla -Werror
SAN.asan  := -fsanitize=address -fno-omit-frame-pointer
SAN.ubsan := -fsanitize=undefined -fno-sanitize-recover=all
SAN.asan-ubsan := $(SAN.asan) $(SAN.ubsan)
SAN.tsan  := -fsanitize=thread

# Asked once, and not before the packages are installed.
PKG_CFLAGS = $(eval PKG_CFLAGS := $$(shell pkg-config --cflags $$(PACKAGES)))$(PKG_CFLAGS)
PKG_LIBS   = $(eval PKG_LIBS := $$(shell pkg-config --libs $$(PACKAGES)))$(PKG_LIBS)

CFLAGS   ?= -O2 -g
override CFLAGS   += -std=gnu11 -fvisibility=hidden -pthread $(WARNINGS) $(SAN.$(VARIANT))
override CPPFLAGS += -D_GNU_SOURCE -Iruntime -Iruntime/include -Ibuild/proto \
                     -MMD -MP -DPOLLARD_VERSION='"$(VERSION)"' $(PKG_CFLAGS)
override LDFLAGS  += $(SAN.$(VARIANT)) -pthread
override LDLIBS   += $(PKG_LIBS) -ldl

objects  = $(patsubst %.c,$(BUILD)/%.o,$(wildcard $(1)))
PROTO   := $(patsubst runtime/%.proto,build/proto/%.pb-c.c,$(wildcard runtime/*/*.proto))
RUNTIME := $(filter-out %/main.o,$(call objects,runtime/*.c runtime/*/*.c)) \
           $(patsubst build/proto/%.c,$(BUILD)/proto/%.o,$(PROTO))
SUPPORT := $(call objects,tests/support/*.c)
TESTS   := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/test_*.c tests/scenario/test_*.c \
                                                tests/integration/test_*.c tests/sim/test_*.c))
PLUGINS := $(patsubst handlers/%/,$(BUILD)/handlers/%.so,$(wildcard handlers/*/)) \
           $(patsubst tests/support/handlers/%.c,$(BUILD)/tests/handlers/%.so,$(wildcard tests/support/handlers/*.c))
FUZZ    ?= $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
BENCHES := $(patsubst %.c,$(BUILD)/%,$(wildcard bench/bench_*.c)) \
           $(patsubst bench/handlers/%.c,$(BUILD)/bench/handlers/%.so,$(wildcard bench/handlers/*.c))

.PHONY: all deps run test check check-one interop differential crash bench fuzz $(addprefix fuzz-,$(FUZZ)) bare docs lint format install clean help
.SECONDARY:
.SECONDEXPANSION:
.DELETE_ON_ERROR:

all: $(BUILD)/pollard $(PLUGINS)

# ---- what must be installed ------------------------------------------------

deps: build/deps
	@echo "pollard's dependencies are installed"

build/deps build/deps-test build/deps-lint build/deps-fuzz: docker/install-debian.sh
	@mkdir -p build
	$(Q)sh docker/install-debian.sh $(if $(findstring -,$(@F)),$(DEBIAN_$(shell echo $(@F) | sed 's/deps-//' | tr a-z A-Z)),$(DEBIAN))
	@touch $@

# ---- build -----------------------------------------------------------------

build/proto/%.pb-c.c build/proto/%.pb-c.h: runtime/%.proto | build/deps
	@mkdir -p build/proto
	@echo "  PROTO $<"
	$(Q)protoc-c -Iruntime --c_out=build/proto $<

$(RUNTIME): | $(PROTO)
$(BUILD)/proto/%.o: build/proto/%.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/%.o: %.c | build/deps
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/libpollard.a: $(RUNTIME)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/pollard: $(BUILD)/runtime/main.o $(BUILD)/libpollard.a
	@echo "  LINK  $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# A handler sees the public header, and the libraries its folder names in LIBS.
handler_libs = $(shell cat handlers/$(1)/LIBS 2>/dev/null)
$(BUILD)/handlers/%.so: $$(wildcard handlers/$$*/*.[ch]) runtime/include/pollard/handler.h | build/deps
	@mkdir -p $(@D)
	@echo "  SO    $@"
	$(Q)$(CC) -D_GNU_SOURCE -Iruntime/include $(CFLAGS) -fPIC -shared -o $@ $(filter %.c,$^) $(call handler_libs,$*)

$(BUILD)/tests/handlers/%.so: tests/support/handlers/%.c $(wildcard tests/support/handlers/*.h) runtime/include/pollard/handler.h | build/deps
	@mkdir -p $(@D)
	@echo "  SO    $@"
	$(Q)$(CC) -D_GNU_SOURCE -Iruntime/include $(CFLAGS) -fPIC -shared -o $@ $< -lsqlite3 -ljansson

# A test that mentions __wrap_foo is linked with --wrap=foo.
wraps = $(shell sed -nE 's/.*__wrap_([a-z_0-9]+).*/-Wl,--wrap=\1/p' $(1) | sort -u)

$(BUILD)/tests/%: override CPPFLAGS += -Itests/support -DBUILD='"$(BUILD)"'
$(BUILD)/tests/%: override CFLAGS += -Wno-missing-prototypes
$(BUILD)/tests/%.o: tests/%.c | build/deps-test
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<
$(BUILD)/tests/%: $(BUILD)/tests/%.o $(SUPPORT) $(BUILD)/libpollard.a
	@echo "  TEST  $@"
	$(Q)$(CC) $(LDFLAGS) $(call wraps,tests/$*.c) -o $@ $^ $(LDLIBS) -lcmocka

$(BUILD)/bench/handlers/%.so: bench/handlers/%.c runtime/include/pollard/handler.h | build/deps
	@mkdir -p $(@D)
	@echo "  SO    $@"
	$(Q)$(CC) -D_GNU_SOURCE -Iruntime/include $(CFLAGS) -fPIC -shared -o $@ $<

$(BUILD)/bench/%: override CPPFLAGS += -DBUILD='"$(BUILD)"'
$(BUILD)/bench/%: $(BUILD)/bench/%.o $(BUILD)/libpollard.a
	@echo "  BENCH $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# The fuzzers' own build of everything, once for all of them.
FUZZ_FLAGS := -O1 -g -std=gnu11 -pthread -D_GNU_SOURCE -DPOLLARD_VERSION='"fuzz"' \
              -Iruntime -Iruntime/include -Ibuild/proto -MMD -MP
FUZZ_OBJECTS := $(patsubst %.c,build/fuzz/%.o,$(filter-out runtime/cli/%,$(wildcard runtime/*/*.c))) \
                $(patsubst build/proto/%.c,build/fuzz/proto/%.o,$(PROTO))
$(FUZZ_OBJECTS): | $(PROTO)
build/fuzz/runtime/%.o: runtime/%.c | build/deps-fuzz
	@mkdir -p $(@D)
	@echo "  CLANG $<"
	$(Q)clang $(FUZZ_FLAGS) $(PKG_CFLAGS) -fsanitize=fuzzer-no-link,address,undefined -c -o $@ $<
build/fuzz/proto/%.o: build/proto/%.c | build/deps-fuzz
	@mkdir -p $(@D)
	@echo "  CLANG $<"
	$(Q)clang $(FUZZ_FLAGS) $(PKG_CFLAGS) -fsanitize=fuzzer-no-link,address,undefined -c -o $@ $<
build/fuzz/libpollard.a: $(FUZZ_OBJECTS)
	$(Q)rm -f $@ && $(AR) rcs $@ $^
build/fuzz/%: tests/fuzz/%.c build/fuzz/libpollard.a
	@echo "  FUZZ  $@"
	$(Q)clang $(FUZZ_FLAGS) $(PKG_CFLAGS) -MF $@.d -fsanitize=fuzzer,address,undefined -o $@ $(filter %.c %.a,$^) $(PKG_LIBS) -ldl

# ---- what it is for --------------------------------------------------------

run: all
	$(Q)DEMO_SECONDS=$(DEMO_SECONDS) sh config/quickstart.sh $(BUILD)

test: check
	$(Q)printf 'sh %s $(BUILD)\n' $(wildcard tests/integration/test_*.sh) | sh tests/support/run.sh

check: all $(TESTS)
	$(Q)printf '%s\n' $(TESTS) | sh tests/support/run.sh

# One test by name: make check-one T=tests/unit/test_bytes
check-one: $(PLUGINS) $(BUILD)/$(T)
	$(Q)$(BUILD)/$(T)

check-asan check-ubsan check-asan-ubsan check-tsan:
	$(Q)$(MAKE) --no-print-directory VARIANT=$(@:check-%=%) check

check-valgrind: all $(TESTS)
	$(Q)sh tests/support/valgrind.sh $(filter $(BUILD)/tests/unit/%,$(TESTS))

interop: all
	$(Q)sh tests/interop/run.sh $(BUILD)

differential: $(BUILD)/tests/differential/judge
	$(Q)sh tests/differential/run.sh $(BUILD) $(DIFFERENTIAL_ARGUMENTS)

crash: all
	$(Q)sh tests/fault/crash.sh $(BUILD)

bench: all $(BENCHES)
	$(Q)sh bench/run.sh $(BUILD)

# Each its own target, so that `make -j2 fuzz` runs two at a time.
FUZZ_SECONDS ?= 60
fuzz: $(addprefix fuzz-,$(FUZZ))
$(addprefix fuzz-,$(FUZZ)): fuzz-%: build/fuzz/fuzz_%
	@mkdir -p build/fuzz/found/$*
	@echo "  RUN   $<, $(FUZZ_SECONDS) s"
	$(Q)$< -max_total_time=$(FUZZ_SECONDS) -max_len=65536 -print_final_stats=0 -verbosity=0 \
	    -artifact_prefix=build/fuzz/found/$*- build/fuzz/found/$* $(wildcard tests/fuzz/corpus/$*)

bare:
	$(Q)sh docker/bare.sh

docs: $(BUILD)/pollard
	$(Q)$(BUILD)/pollard reference > docs/triggers.md

SOURCES = $(wildcard runtime/*.c runtime/*/*.[ch] runtime/include/pollard/*.h handlers/*/*.c \
                     tests/*/*.[ch] tests/support/handlers/*.c bench/*.c)

format: | build/deps-lint
	$(Q)clang-format -i $(SOURCES)

# cppcheck reads no system headers.
CPPCHECK_KNOWS := '-DTAILQ_HEAD(name,type)=struct name {struct type *first;}' \
                  '-DTAILQ_ENTRY(type)=struct {struct type *next;}'

lint: $(PROTO) | build/deps-lint
	$(Q)clang-format --dry-run --Werror $(SOURCES)
	$(Q)sh tests/lint/includes.sh
	$(Q)cppcheck --quiet --error-exitcode=1 --enable=warning,performance,portability \
	    --suppress=missingIncludeSystem --inline-suppr --std=c11 -D_GNU_SOURCE -j2 \
	    $(CPPCHECK_KNOWS) -Iruntime -Iruntime/include \
	    --suppressions-list=tests/lint/cppcheck.txt runtime handlers
	$(Q)printf '%s\n' $(wildcard runtime/*.c runtime/*/*.c) | xargs -P 2 -n 8 sh -c \
	    'clang-tidy --quiet "$$@" -- -std=gnu11 -D_GNU_SOURCE -DPOLLARD_VERSION=\"lint\" -Iruntime \
	        -Iruntime/include -Ibuild/proto $(PKG_CFLAGS) 2>/dev/null' sh

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/include/pollard \
	    $(DESTDIR)$(PREFIX)/lib/pollard/handlers $(DESTDIR)$(PREFIX)/share/doc/pollard
	install -m 755 $(BUILD)/pollard $(DESTDIR)$(PREFIX)/bin/pollard
	install -m 644 runtime/include/pollard/handler.h $(DESTDIR)$(PREFIX)/include/pollard/handler.h
	install -m 755 $(filter $(BUILD)/handlers/%,$(PLUGINS)) $(DESTDIR)$(PREFIX)/lib/pollard/handlers
	install -m 644 README.md docs/*.md $(DESTDIR)$(PREFIX)/share/doc/pollard

clean:
	rm -rf build

# The lines this file begins with.
help:
	@sed -n '/^#/!q; s/^# //p' Makefile

-include $(shell find $(BUILD) build/fuzz -name '*.d' 2>/dev/null)
