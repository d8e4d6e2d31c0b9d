# What the benchmark holds the relay against, writes with and reads with.
BENCH_PROGRAMS := discard writer reader
BENCH_LIBS_discard = $(shell $(PKG_CONFIG) --libs libpq)
BENCH_LIBS_writer = $(shell $(PKG_CONFIG) --libs libpq) -lpthread -lm
BENCH_LIBS_reader = $(call RDKAFKA_LIBS,release) -lpthread -lm

$(B)/bench/%: bench/%.c bench/sample.h $(B)/release/librdkafka.cflags
	@mkdir -p $(@D)
	$(CC) -std=c11 $(WARN) -D_GNU_SOURCE -O2 -I. $(call RDKAFKA_CFLAGS,release) $(PKG_CFLAGS) -o $@ $< \
	    $(BENCH_LIBS_$*)

bench-programs: $(addprefix $(B)/bench/,$(BENCH_PROGRAMS))
.PHONY: bench-programs
