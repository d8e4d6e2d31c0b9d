# Test programs and the targets that run them. A test tests/{unit,golden,contract}/<name>_test.c is
# one cmocka program, linked with the whole library of the asan variant; shared helpers of the tests
# live in tests/lib/*.c. tools/test.py runs the suites, times each test and counts.

UNIT_SRCS := $(sort $(wildcard tests/unit/*_test.c tests/golden/*_test.c tests/contract/*_test.c))
TEST_LIB_SRCS := $(sort $(wildcard tests/lib/*.c))
TEST_LIB_OBJS := $(patsubst tests/%.c,$(B)/asan/tests/%.o,$(TEST_LIB_SRCS))
UNIT_BINS := $(patsubst tests/%.c,$(B)/asan/tests/%,$(UNIT_SRCS))
UNIT_OBJS := $(addsuffix .o,$(UNIT_BINS))

# $(1): variant
define test_objects
$(B)/$(1)/tests/%.o: tests/%.c $(B)/$(call rdkafka_variant,$(1))/librdkafka.cflags | toolchain
	@mkdir -p $$(@D)
	$(if $(Q),@echo "  CC  $$@")
	$(Q)$$(or $$(CC_$(1)),$$(CC)) $$(BASE_CFLAGS) $$(call RDKAFKA_CFLAGS,$(1)) -Itests/lib \
	    $$(CFLAGS_$(1)) $$(CFLAGS) -c -o $$@ $$<
endef

$(foreach v,asan release gcc clang,$(eval $(call test_objects,$(v))))

$(UNIT_BINS): $(B)/asan/tests/%: $(B)/asan/tests/%.o $(TEST_LIB_OBJS) $(B)/asan/libwalferry.a
	$(if $(Q),@echo "  LD  $@")
	$(Q)$(CC) $(CFLAGS_asan) $(LDFLAGS_asan) -o $@ $^ $(call RDKAFKA_LIBS,asan) $(PKG_LIBS) -lcmocka

-include $(UNIT_OBJS:.o=.d) $(TEST_LIB_OBJS:.o=.d)

# Those of them that want nothing but themselves, linked with the very objects that are released: what
# another processor might do otherwise shows in them. tests/packages/run has an emulator run them.
# Without those that want a PostgreSQL or a crash point.
PLAIN_SRCS := $(filter-out tests/unit/types_json_test.c tests/unit/types_table_test.c,$(sort $(wildcard $(addprefix tests/unit/,base_arena_test.c base_buf_test.c \
    base_time_test.c config_*_test.c decode_*_test.c encode_*_test.c json_*_test.c \
    model_*_test.c progress_record_test.c publish_partitioner_test.c publish_size_test.c \
    route_match_test.c route_template_test.c types_*_test.c) tests/golden/*_test.c)))
PLAIN_BINS := $(patsubst tests/%.c,$(B)/release/tests/%,$(PLAIN_SRCS))
PLAIN_LIB_OBJS := $(patsubst tests/%.c,$(B)/release/tests/%.o,$(TEST_LIB_SRCS))

$(PLAIN_BINS): $(B)/release/tests/%: $(B)/release/tests/%.o $(PLAIN_LIB_OBJS) $(B)/release/libwalferry.a
	$(if $(Q),@echo "  LD  $@")
	$(Q)$(CC) $(CFLAGS_release) $(CFLAGS) $(LDFLAGS_release) $(LDFLAGS) -o $@ $^ \
	    $(call RDKAFKA_LIBS,release) $(PKG_LIBS) $(call JEMALLOC_LIBS,release) -lcmocka

-include $(PLAIN_BINS:=.d) $(PLAIN_LIB_OBJS:.o=.d)

unit-plain: $(PLAIN_BINS)
unit-plain-list:
	@printf '%s\n' $(PLAIN_BINS)

# Those that start the relay as a process of its own want both: a sanitizer knows no limit of memory.
unit-build: $(UNIT_BINS) $(B)/walferry $(B)/asan/walferry

# Everything through both compilers, warnings as errors.
ALL_TEST_SRCS := $(UNIT_SRCS) $(TEST_LIB_SRCS)
lint-gcc: $(LIB_OBJS_gcc) $(B)/gcc/obj/main.o $(patsubst %.c,$(B)/gcc/%.o,$(ALL_TEST_SRCS))
lint-clang: $(LIB_OBJS_clang) $(B)/clang/obj/main.o $(patsubst %.c,$(B)/clang/%.o,$(ALL_TEST_SRCS))
lint-build: lint-gcc lint-clang ## compile everything with gcc and clang, warnings as errors

# $(1): what to hand to the runner. Installs first, because a missing library is seen by make's
# second start only.
define run_tests
@tools/deps.sh test
@$(PYTHON) -u tools/test.py --make "$(MAKE)" $(1)
endef

test: ## install what is missing, build, run every suite
	$(call run_tests,)

unit: ## unit, golden and contract tests only
	$(call run_tests,unit)

test-slow: ## faults that mostly wait: slow brokers, three brokers, addresses that do not answer
	$(call run_tests,slow)

test-long: ## what takes too long for make test: other Kafkas, PostgreSQLs, chaos
	$(call run_tests,long)

e2e: ## end-to-end tests only, against real servers; ARGS="--only 010" picks some
	@tools/deps.sh test
	@$(MAKE) --no-print-directory $(jobs) all asan tsan
	@tests/e2e/run $(ARGS)

# The killers of the first kind take seconds, those of mutants-all want real servers.
MUTANT_BINS := $(B)/asan/tests/sim/sim unit-build
mutants: $(MUTANT_BINS) ## break the program; simulator and unit tests must notice
	@tests/mutants/run.py --kinds sim,unit $(ARGS)

mutants-all: $(MUTANT_BINS) ## the same with the mutants that only real servers show
	@tests/mutants/run.py $(ARGS)

test-docker: ## the image and docker/compose.yaml, containers killed; skipped without docker
	@tools/deps.sh docker
	@tests/docker/run $(ARGS)

test-image-arm64: ## the image for arm64, built on amd64 and run by an emulator; takes minutes
	@tools/deps.sh docker
	@tests/docker/run --arm64

test-page: ## the status page in a real Chromium
	@tools/deps.sh page
	@$(MAKE) --no-print-directory $(jobs) all asan
	@tests/e2e/run --only '295' --build asan

compat: ## walferry beside the real Debezium connector, record by record; ARGS=--save records it
	@tools/deps.sh test
	@$(MAKE) --no-print-directory $(jobs) all
	@$(PYTHON) tools/lab/cache.py fetch debezium
	@$(PYTHON) tests/compat/run compare $(ARGS)
	@$(PYTHON) tests/compat/run router
	@$(PYTHON) tests/compat/run takeover
	@$(PYTHON) tests/compat/run spatial $(ARGS) || [ $$? -eq 77 ]
	@$(PYTHON) tests/compat/self_test.py

format: ## clang-format over all C
	clang-format -i $(LIB_SRCS) $(wildcard src/*.c src/*/*.h tests/*/*.c tests/*/*.h bench/*.c)

tidy: $(B)/release/librdkafka.cflags ## the rules of the codebase, and clang-tidy
	@tools/deps.sh test
	tests/tidy.sh
	clang-tidy --quiet $(LIB_SRCS) $(wildcard src/main.c) -- $(BASE_CFLAGS) $(call RDKAFKA_CFLAGS,release)

.PHONY: test test-slow test-long unit unit-build unit-plain unit-plain-list e2e format tidy lint-gcc lint-clang lint-build
.PHONY: mutants mutants-all compat test-page
