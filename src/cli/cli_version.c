/* cli/cli_version: the command version: the program, its libraries and their known defects. Reads
 * no configuration and reaches no server. */
#include "cli/cli_answer.h"

#include "json/json_write.h"

#include <string.h>

/* Takes the first line off *text, without its end; false where there is none. */
static bool next_line(struct span *text, struct span *line)
{
    if (text->len == 0)
        return false;
    const char *end = memchr(text->ptr, '\n', text->len);
    line->ptr = text->ptr;
    line->len = end != NULL ? (size_t)(end - text->ptr) : text->len;
    size_t used = end != NULL ? line->len + 1 : line->len;
    *text = (struct span){text->ptr + used, text->len - used};
    return true;
}

static void write_text(struct buf *out, const struct buf *defects)
{
    buf_add_format(out, "walferry %s\nlibrdkafka %s (%s)\n", WALFERRY_VERSION,
                   relay_kafka_version(), WALFERRY_LIBRDKAFKA);
    buf_add_format(out, "libpq %s\nallocator: %s\n", relay_pg_version(), WALFERRY_ALLOCATOR);
    struct span left = buf_span(defects);
    struct span line;
    while (next_line(&left, &line)) {
        buf_add_text(out, "known defect of this librdkafka: ");
        buf_add(out, line);
        buf_add_char(out, '\n');
    }
}

static void write_json(struct buf *out, const struct buf *defects)
{
    struct json_writer w = json_writer(out);
    json_write_begin_object(&w);
    json_write_member_text(&w, "walferry", WALFERRY_VERSION);
    json_write_member_text(&w, "librdkafka", relay_kafka_version());
    json_write_member_text(&w, "librdkafka_from", WALFERRY_LIBRDKAFKA);
    json_write_member_text(&w, "libpq", relay_pg_version());
    json_write_member_text(&w, "allocator", WALFERRY_ALLOCATOR);
    json_write_name(&w, "librdkafka_defects");
    json_write_begin_array(&w);
    struct span left = buf_span(defects);
    struct span line;
    while (next_line(&left, &line))
        json_write_string(&w, line);
    json_write_end_array(&w);
    json_write_end_object(&w);
    buf_add_char(out, '\n');
}

int command_version(const struct args *args)
{
    struct answer answer;
    struct error err = ERROR_INIT;
    struct buf defects = BUF_EMPTY;
    if (answer_begin(&answer, args, false, &err) == 0) {
        relay_libraries(&defects);
        if (args_has(args, OPTION_JSON))
            write_json(&answer.out, &defects);
        else
            write_text(&answer.out, &defects);
    }
    buf_fini(&defects);
    return answer_end(&answer, EXIT_OK, EXIT_NO, &err);
}
