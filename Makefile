# make                    build/release: pollard and handlers/*.so
# make run                everything, then the demo of config/quickstart.yaml
# make test               every test on this build; installs what is missing
# make check-asan check-ubsan check-tsan     the same tests under a sanitizer
# make interop            the end-to-end stories against foreign servers
# make bench              figures, side by side with what they are compared to
# make lint format docs install clean deps   V=1 shows the commands

VARIANT  ?= release
BUILD    := build/$(VARIANT)
PREFIX   ?= /usr/local
Q        := $(if $(V),,@)

PACKAGES := libcurl jansson yaml-0.1 libcrypto sqlite3 libmicrohttpd libcbor zlib expat

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef -Wformat=2 \
            -Wswitch-enum -Wvla -Werror
SAN.asan  := -fsanitize=address -fno-omit-frame-pointer
SAN.ubsan := -fsanitize=undefined -fno-sanitize-recover=all
SAN.tsan  := -fsanitize=thread

VERSION := 0.1.0

CFLAGS   ?= -O2 -g
override CFLAGS   += -std=gnu11 -fvisibility=hidden -pthread $(WARNINGS) $(SAN.$(VARIANT))
override CPPFLAGS += -D_GNU_SOURCE -Iruntime -Iruntime/include -MMD -MP \
                     -DPOLLARD_VERSION='"$(VERSION)"' \
                     $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
override LDFLAGS  += $(SAN.$(VARIANT)) -pthread
override LDLIBS   += $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -ldl

objects  = $(patsubst %.c,$(BUILD)/%.o,$(wildcard $(1)))
RUNTIME := $(filter-out %/main.o,$(call objects,runtime/*.c runtime/*/*.c))
SUPPORT := $(call objects,tests/support/*.c)
TESTS   := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/test_*.c tests/scenario/test_*.c \
                                                tests/integration/test_*.c tests/sim/test_*.c))
PLUGINS := $(patsubst handlers/%/,$(BUILD)/handlers/%.so,$(wildcard handlers/*/)) \
           $(patsubst tests/support/handlers/%.c,$(BUILD)/tests/handlers/%.so,$(wildcard tests/support/handlers/*.c))

.PHONY: all deps run test check interop bench docs format lint install clean
.SECONDARY:
.SECONDEXPANSION:
.DELETE_ON_ERROR:

all: $(BUILD)/pollard $(PLUGINS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/libpollard.a: $(RUNTIME)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/pollard: $(BUILD)/runtime/main.o $(BUILD)/libpollard.a
	@echo "  LINK  $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# A handler sees the public header and the libraries its folder names in LIBS,
# nothing else.
handler_libs = $(shell cat handlers/$(1)/LIBS 2>/dev/null)
$(BUILD)/handlers/%.so: $$(wildcard handlers/$$*/*.c) runtime/include/pollard/handler.h
	@mkdir -p $(@D)
	@echo "  SO    $@"
	$(Q)$(CC) -D_GNU_SOURCE -Iruntime/include $(CFLAGS) -fPIC -shared -o $@ $(filter %.c,$^) $(call handler_libs,$*)

$(BUILD)/tests/handlers/%.so: tests/support/handlers/%.c runtime/include/pollard/handler.h
	@mkdir -p $(@D)
	@echo "  SO    $@"
	$(Q)$(CC) -D_GNU_SOURCE -Iruntime/include $(CFLAGS) -fPIC -shared -o $@ $< -lsqlite3

# A test that mentions __wrap_foo is linked with --wrap=foo.
wraps = $(shell sed -nE 's/.*__wrap_([a-z_0-9]+).*/-Wl,--wrap=\1/p' $(1) | sort -u)

$(BUILD)/tests/%: override CPPFLAGS += -Itests/support -DBUILD='"$(BUILD)"'
$(BUILD)/tests/%: override CFLAGS += -Wno-missing-prototypes
$(BUILD)/tests/%: $(BUILD)/tests/%.o $(SUPPORT) $(BUILD)/libpollard.a
	@echo "  TEST  $@"
	$(Q)$(CC) $(LDFLAGS) $(call wraps,tests/$*.c) -o $@ $^ $(LDLIBS) -lcmocka

check: all $(TESTS)
	$(Q)for test in $(TESTS); do echo "== $$test"; $$test || exit 1; done

# One test by name: make check-one T=tests/unit/test_bytes
check-one: $(PLUGINS) $(BUILD)/$(T)
	$(Q)$(BUILD)/$(T)

clean:
	rm -rf build

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
