# `make generate` writes what comes from src/config/config.def: schema, sample, keys of the man page;
# and the list of reasons in docs/OPERATIONS.md, from src/base/reason.def.
$(B)/config_gen: tools/config_gen.c $(B)/release/libwalferry.a
	$(CC) $(BASE_CFLAGS) $(CFLAGS_release) $(CFLAGS) $(LDFLAGS_release) -o $@ $^ \
	    $(call RDKAFKA_LIBS,release) $(PKG_LIBS)

generate: $(B)/config_gen
	$(B)/config_gen schema > $(B)/generated && cp $(B)/generated config/walferry.schema.json
	$(B)/config_gen sample > $(B)/generated && cp $(B)/generated config/walferry.yaml
	$(B)/config_gen page docs/man/walferry.yaml.5 > $(B)/generated && \
	    cp $(B)/generated docs/man/walferry.yaml.5
	tools/reasons.py

.PHONY: generate
