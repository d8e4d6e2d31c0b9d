# The simulator.
SIM_SRCS := $(sort $(wildcard tests/sim/*.c)) tests/lib/pgoutput_encoder.c
SIM_OBJS := $(patsubst tests/%.c,$(B)/asan/tests/%.o,$(SIM_SRCS))
SIM_SEEDS ?= 2000

$(B)/asan/tests/sim/sim: $(SIM_OBJS) $(B)/asan/libwalferry.a
	$(CC) $(CFLAGS_asan) $(LDFLAGS_asan) -o $@ $^ $(call RDKAFKA_LIBS,asan) $(PKG_LIBS)

-include $(SIM_OBJS:.o=.d)

sim: $(B)/asan/tests/sim/sim ## simulate SIM_SEEDS runs (2000)
	@half=$$(($(SIM_SEEDS) / 2)); \
	$(B)/asan/tests/sim/sim --seeds $$half & pid=$$!; \
	$(B)/asan/tests/sim/sim --seeds $$half --first $$((half + 1)); code=$$?; \
	wait $$pid && exit $$code

# BASE=<commit>: the commit to compare with.
sim-same: $(B)/asan/tests/sim/sim ## the same events as BASE, seed by seed? BASE=<commit>
	@MAKE='$(MAKE)' tests/sim/same.sh $< '$(BASE)' $(B)/sim-same $(SIM_SEEDS)

# All of them are in make test.
SLOW_SEEDS ?= 60
SLOW := broker link server
sim-slow: $(addprefix sim-slow-,$(SLOW)) ## simulate what is slow: broker, link, server
sim-slow-%: $(B)/asan/tests/sim/sim
	@$< --slow $* --seeds $(SLOW_SEEDS)

.PHONY: sim sim-same sim-slow
