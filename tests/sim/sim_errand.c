/* sim/sim_errand: what an epoch reads of the relay's own topics behind its claim, as relay/errand
 * does: the keys that are held, and the letters for a command that the epoch before has met. */
#include "world.h"

#include "kept.h"

#include <stdio.h>

#define LETTERS_MAX 8
#define WINDOW_MAX 20

static int read_quarantine(struct world *w, struct error *err)
{
    quarantine_init(&w->quarantine, w->holds, "sim", WORKLOAD_KEYS, w->metrics);
    w->quarantine.system_identifier = SYSTEM_IDENTIFIER;
    for (uint32_t i = 0; i < w->kafka.log_count; i++) {
        const struct kept *kept = w->kafka.log[i].kept;
        if (kept != NULL && kept->quarantine &&
            quarantine_load(&w->quarantine, kept->key, kept->value, err) < 0)
            return -1;
    }
    return 0;
}

static int begin(void *of, const struct kafka_letter_range *ranges, uint32_t count,
                 struct error *err)
{
    struct world *w = of;
    (void)err;
    w->letter_at = count > 0 ? (uint32_t)ranges[0].from : 0;
    w->letters_until = count > 0 ? ranges[0].until : INT64_MAX;
    return 0;
}

static int next(void *of, struct kafka_letter *letter, struct error *err)
{
    struct world *w = of;
    (void)err;
    while (w->letter_at < w->kafka.log_count && w->letter_at < w->letters_until) {
        uint32_t at = w->letter_at++;
        const struct kept *kept = w->kafka.log[at].kept;
        if (kept == NULL || kept->quarantine)
            continue;
        *letter = (struct kafka_letter){.offset = at,
                                        .key = kept->key,
                                        .value = kept->value,
                                        .header_count = kept->header_count,
                                        .headers = kept->headers};
        return 1;
    }
    return 0;
}

int sim_errand_read(struct world *w, struct error *err)
{
    static const struct replay_limits limits = {
        .letters_max = LETTERS_MAX, .bytes_max = 100000, .window_max = WINDOW_MAX};
    const struct letter_source source = {.of = w, .begin = begin, .next = next};
    uint64_t command = w->errand;
    w->errand = 0;
    replay_init(&w->replay, SYSTEM_IDENTIFIER);
    w->letters = letter_reader_open();
    if (read_quarantine(w, err) < 0)
        return -1;
    return command == 0 ? 0
                        : replay_load(&w->replay, command, span_of(w->errand_text), &w->quarantine,
                                      &limits, &source, &w->letter_index, err);
}

void sim_errand_note(struct world *w)
{
    const struct commander *commander = &w->reader.commander;
    w->errand = commander->wanted;
    snprintf(w->errand_text, sizeof w->errand_text, "%.*s",
             SPAN_ARG(buf_span(&commander->wanted_text)));
}

void sim_errand_close(struct world *w)
{
    quarantine_fini(&w->quarantine);
    replay_fini(&w->replay);
    letter_reader_close(w->letters);
}

/* Every second one is about letters; what they are about follows from their number. */
const char *sim_command_text(const struct world *w, uint32_t number, char text[60])
{
    static const char *const orders[] = {"retry", "ping", "retry", "ping", "drop"};
    const char *order = w->holds ? orders[number % 5] : "ping";
    if (number % 3 == 0)
        snprintf(text, 60, "{\"do\": \"%s\", \"key\": \"k%u\"}", order, number % WORKLOAD_KEYS);
    else
        snprintf(text, 60, "{\"do\": \"%s\", \"all\": true}", order);
    return text;
}
