# What the benchmark holds the relay against, writes with and reads with.
BENCH_PROGRAMS := discard writer reader floor
BENCH_LIBS_discard = $(shell $(PKG_CONFIG) --libs libpq)
BENCH_LIBS_writer = $(shell $(PKG_CONFIG) --libs libpq) -lpthread -lm
BENCH_LIBS_reader = $(call RDKAFKA_LIBS,release) -lpthread -lm
BENCH_LIBS_floor = $(BENCH_LIBS_reader)

$(B)/bench/%: bench/%.c bench/sample.h $(B)/release/librdkafka.cflags
	@mkdir -p $(@D)
	$(CC) -std=c11 $(WARN) -D_GNU_SOURCE -O2 -I. $(call RDKAFKA_CFLAGS,release) $(PKG_CFLAGS) -o $@ $< \
	    $(BENCH_LIBS_$*)

# The relay itself, over a stream that was captured; built as the release is.
$(B)/bench/path: bench/path.c $(B)/release/libwalferry.a $(B)/release/librdkafka.cflags
	@mkdir -p $(@D)
	$(if $(Q),@echo "  LD  $@")
	$(Q)$(CC) $(BASE_CFLAGS) $(call RDKAFKA_CFLAGS,release) $(CFLAGS_release) $(CFLAGS) $(LDFLAGS_release) \
	    -o $@ $< $(B)/release/libwalferry.a $(call RDKAFKA_LIBS,release) $(PKG_LIBS)

bench-instructions: $(B)/bench/path $(B)/walferry ## count the instructions a row, and keep them in bench/
	@tools/deps.sh test
	@bench/instructions --renew

bench-programs: $(addprefix $(B)/bench/,$(BENCH_PROGRAMS))
.PHONY: bench-programs bench-instructions

# All of bench/ is compiled with the tests, also what people link by hand.
define bench_objects
$(B)/$(1)/bench/%.o: bench/%.c bench/sample.h $(B)/$(call rdkafka_variant,$(1))/librdkafka.cflags | toolchain
	@mkdir -p $$(@D)
	$(if $(Q),@echo "  CC  $$@")
	$(Q)$$(or $$(CC_$(1)),$$(CC)) $$(BASE_CFLAGS) $$(call RDKAFKA_CFLAGS,$(1)) -I. -Itests/lib \
	    $$(CFLAGS_$(1)) $$(CFLAGS) -c -o $$@ $$<
lint-$(1): $(patsubst %.c,$(B)/$(1)/%.o,$(wildcard bench/*.c))
endef
$(foreach v,gcc clang,$(eval $(call bench_objects,$(v))))
