# The discarding reader that the benchmark holds the relay against.
$(B)/bench/discard: bench/discard.c
	@mkdir -p $(@D)
	$(CC) -std=c11 $(WARN) -D_GNU_SOURCE -O2 $(PKG_CFLAGS) -o $@ $< $(shell $(PKG_CONFIG) --libs libpq)
