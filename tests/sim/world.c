/* sim/world: see the header. */
#include "world.h"

#include <stdio.h>

void world_fail(struct world *w, const char *text)
{
    if (w->failure[0] == '\0')
        snprintf(w->failure, sizeof w->failure, "%s", text);
}

static void on_error(struct world *w, const struct error *err)
{
    if (err->kind != ERROR_RETRY)
        world_fail(w, err->text);
    snprintf(w->last_end, sizeof w->last_end, "%s: %.150s", reason_slug(err->reason), err->text);
    lessons_learn(&w->lessons, &w->pace, err,
                  position_compare(w->writer.last.position, w->progress.position) > 0);
    sim_epoch_close(w, 0, random_once_in(&w->random, 2) ? 1000 : 0);
}

static void step_reader(struct world *w)
{
    struct wait wait;
    struct error err = ERROR_INIT;
    int result = reader_step(&w->reader, w->now_us, &wait, &err);
    if (result < 0)
        on_error(w, &err);
    else if (result > 0)
        sim_epoch_close(w, 1, 1000);
}

static void step_writer(struct world *w)
{
    if (w->writer_done)
        return;
    struct wait wait;
    struct error err = ERROR_INIT;
    w->writer.wall_us = WALL_US + w->now_us;
    int result = writer_step(&w->writer, w->now_us, &wait, &err);
    if (result == 0)
        return;
    w->writer_done = true;
    channel_finish(w->circuit.empty, result < 0 ? &err : NULL);
}

static void step_faults(struct world *w)
{
    if (!w->faults)
        return;
    if (w->open && random_once_in(&w->random, 150)) {
        sim_epoch_close(w, 0, 0); /* kill -9 */
        letter_index_forget(&w->letter_index);
    }
    if (w->open && random_once_in(&w->random, 300))
        reader_stop(&w->reader, random_once_in(&w->random, 2) ? READER_STOP : READER_STOP_WHOLE);
    if (random_once_in(&w->random, 300))
        model_pg_crash(&w->pg);
    if (w->open && random_once_in(&w->random, 300))
        model_pg_disconnect(&w->pg);
}

void world_pass_time(struct world *w, int64_t us)
{
    w->now_us += us;
    w->pg.now_us = WALL_US + w->now_us;
    w->kafka.now_us = w->now_us;
}

/* The loops run beside each other and take no time of their own; a failed epoch is followed by
 * another one after a second, as relay/run has it. */
static void step_slow(struct world *w)
{
    world_pass_time(w, w->open ? random_below(&w->random, 100000) : 1000000);
    if (!w->open)
        sim_epoch_open(w);
    for (int i = 0; i < 16 && w->open && w->failure[0] == '\0'; i++) {
        if (i % 2 == 0)
            step_reader(w);
        else
            step_writer(w);
    }
    patience_check(w);
}

void world_step(struct world *w)
{
    if (w->slow.kind != SLOW_NONE) {
        step_slow(w);
        return;
    }
    int64_t us = random_below(&w->random, 4000);
    if (random_once_in(&w->random, 200))
        us += random_below(&w->random, 3000000);
    world_pass_time(w, us);
    if (w->faults)
        workload_tick(&w->pg.work);
    step_faults(w);
    if (!w->open) {
        sim_epoch_open(w);
        return;
    }
    if (random_once_in(&w->random, 2))
        step_reader(w);
    else
        step_writer(w);
}
