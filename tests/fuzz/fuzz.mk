# Fuzzing with libFuzzer: each tests/fuzz/<name>_fuzz.c is a harness, linked with the modules that take
# bytes from outside. `make fuzz` runs each for FUZZ_SECONDS and keeps what it learns in
# build/fuzz/corpus; tests/fuzz/smoke.sh is a short run that is the same every time.
FUZZ_SECONDS ?= 10
FUZZ_MODULES := base model json config types metrics pg decode source route
FUZZ_SRCS := $(sort $(wildcard tests/fuzz/*_fuzz.c))
FUZZ_BINS := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(FUZZ_SRCS))
FUZZ_LIB_OBJS := $(patsubst src/%.c,$(B)/fuzz/obj/%.o,\
                   $(foreach m,$(FUZZ_MODULES),$(sort $(wildcard src/$(m)/*.c))))
FUZZ_HELPERS := $(B)/fuzz/lib/pgoutput_encoder.o $(B)/fuzz/lib/route_fixture.o
FUZZ_SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=undefined
FUZZ_CFLAGS = $(BASE_CFLAGS) -Itests/lib -O1 -fno-omit-frame-pointer $(FUZZ_SANITIZERS) \
              -fsanitize=fuzzer-no-link

$(B)/fuzz/obj/%.o: src/%.c | toolchain
	@mkdir -p $(@D)
	$(if $(Q),@echo "  CC  $@")
	$(Q)$(CC_clang) $(FUZZ_CFLAGS) -c -o $@ $<

$(B)/fuzz/%.o: tests/fuzz/%.c | toolchain
	@mkdir -p $(@D)
	$(if $(Q),@echo "  CC  $@")
	$(Q)$(CC_clang) $(FUZZ_CFLAGS) -c -o $@ $<

$(B)/fuzz/lib/%.o: tests/lib/%.c | toolchain
	@mkdir -p $(@D)
	$(if $(Q),@echo "  CC  $@")
	$(Q)$(CC_clang) $(FUZZ_CFLAGS) -c -o $@ $<

# Out of the archive comes only what a harness uses, so no server library is linked.
$(B)/fuzz/libwalferry.a: $(FUZZ_LIB_OBJS) $(FUZZ_HELPERS)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(FUZZ_BINS): $(B)/fuzz/%: $(B)/fuzz/%.o $(B)/fuzz/libwalferry.a
	$(if $(Q),@echo "  LD  $@")
	$(Q)$(CC_clang) $(FUZZ_SANITIZERS) -fsanitize=fuzzer -o $@ $^ -lyaml -ljansson -lpcre2-8 -lcrypto -lpthread

-include $(FUZZ_LIB_OBJS:.o=.d) $(FUZZ_BINS:=.d) $(FUZZ_HELPERS:.o=.d)

fuzz-build: $(FUZZ_BINS)

fuzz: fuzz-build ## fuzz what takes bytes from outside, FUZZ_SECONDS (10) each
	@tests/fuzz/run.sh $(B)/fuzz keep -max_total_time=$(FUZZ_SECONDS) $(notdir $(FUZZ_BINS))

fuzz-smoke: fuzz-build
	@tests/fuzz/smoke.sh $(B)/fuzz

.PHONY: fuzz fuzz-build fuzz-smoke
.PRECIOUS: $(B)/fuzz/%.o
