/* operate/dead_letter: what lies in the dead-letter topic, for a person or a script. It reads and
 * changes nothing, and asks no database. */
#include "operate/operate.h"

#include "base/table.h"
#include "base/time.h"
#include "base/waits.h"
#include "json/json_read.h"
#include "json/json_write.h"
#include "model/header_name.h"
#include "types/types.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* So much of an answer is printed at once. */
#define PART_BYTES (64 * (size_t)1024)
/* So often it is told how far it is. */
#define TELL_RECORDS 1000

struct answer {
    const struct command_options *o;
    const struct letter_filter *filter;
    const struct answer_printer *printer;
    bool printed;
    struct json_writer json;
    struct buf spare;
    struct arena scratch;
    struct arena marks;
    struct table done; /* id, NUL, route of letters that were sent again or dropped */
};

/* ---- Which ---- */

/* An event's id names its change. */
static bool is_id(struct span id, const char *wanted)
{
    size_t len = strlen(wanted);
    return len >= id.len && memcmp(id.ptr, wanted, id.len) == 0 &&
           (wanted[id.len] == '\0' || wanted[id.len] == '.');
}

static bool is_wanted(const struct letter_filter *f, const struct kafka_letter *letter)
{
    struct span id = kafka_letter_header(letter, HEADER_ID);
    struct span route = kafka_letter_header(letter, HEADER_ERROR_ROUTE);
    if (f->id != NULL && (id.ptr == NULL || !is_id(id, f->id)))
        return false;
    if (f->route != NULL && (route.ptr == NULL || !span_equal_text(route, f->route)))
        return false;
    return f->key == NULL || (letter->key.ptr != NULL && span_equal_text(letter->key, f->key));
}

/* ---- What was done with before ---- */

static struct span name_of(const struct kafka_letter *letter, struct arena *arena)
{
    struct span id = kafka_letter_header(letter, HEADER_ID);
    struct span route = kafka_letter_header(letter, HEADER_ERROR_ROUTE);
    char *name = arena_alloc_bytes(arena, id.len + 1 + route.len);
    if (id.len > 0)
        memcpy(name, id.ptr, id.len);
    name[id.len] = '\0';
    if (route.len > 0)
        memcpy(name + id.len + 1, route.ptr, route.len);
    return (struct span){name, id.len + 1 + route.len};
}

static bool is_mark(const struct kafka_letter *letter)
{
    return kafka_letter_header(letter, HEADER_LETTER).ptr != NULL;
}

/* A mark lies behind its letter, so they are read first. */
static int read_marks(struct answer *a, const struct kafka_options *kafka, struct error *err)
{
    struct kafka_letters *letters = NULL;
    struct kafka_letter letter;
    if (kafka_letters_open(kafka, &letters, err) < 0)
        return -1;
    int got;
    while ((got = kafka_letters_next(letters, &letter, err)) == 1)
        if (is_mark(&letter) && is_wanted(a->filter, &letter))
            table_put(&a->done, name_of(&letter, &a->marks), a);
    kafka_letters_close(letters);
    return got;
}

static bool is_open(struct answer *a, const struct kafka_letter *letter)
{
    return !is_mark(letter) && table_get(&a->done, name_of(letter, &a->scratch)) == NULL;
}

/* ---- One object of JSON for all ---- */

/* U+0080 to U+009F, C2 80 to C2 9F, move a terminal's cursor as those below U+0020 do. */
static bool is_c1(struct span text, size_t at)
{
    return (unsigned char)text.ptr[at] == 0xC2 && at + 1 < text.len &&
           (unsigned char)text.ptr[at + 1] >= 0x80 && (unsigned char)text.ptr[at + 1] < 0xA0;
}

/* What stands behind `from` is JSON, and so those below U+0020 stand between its values alone, and
 * the others in its strings. */
static void escape_controls(struct buf *out, size_t from, struct buf *spare)
{
    buf_reset(spare);
    buf_add(spare, (struct span){out->ptr + from, out->len - from});
    out->len = from;
    struct span text = buf_span(spare);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool c1 = is_c1(text, i);
        i += c1 ? 1 : 0;
        if (c1 || c == 0x7F)
            buf_add_format(out, "\\u%04x", (unsigned)(unsigned char)text.ptr[i]);
        else
            buf_add_char(out, c < ' ' ? ' ' : (char)c);
    }
}

/* A relay writes JSON; anybody may write anything. */
static void write_value(struct answer *a, struct span value)
{
    struct json_tree *tree = NULL;
    struct error none = ERROR_INIT;
    if (json_tree_parse(value, &tree, &none) == 0)
        json_write_member_raw(&a->json, "value", value);
    else
        json_write_member_string(&a->json, "value", value);
    json_tree_free(tree);
}

static void write_json(struct answer *a, const struct kafka_letter *letter)
{
    static const struct {
        const char *member, *header;
    } members[] = {{"id", HEADER_ID},
                   {"route", HEADER_ERROR_ROUTE},
                   {"table", HEADER_ERROR_TABLE},
                   {"reason", HEADER_ERROR_REASON},
                   {"message", HEADER_ERROR_MESSAGE},
                   {"topic", HEADER_ERROR_TOPIC},
                   {"lsn", HEADER_ERROR_LSN},
                   {"xid", HEADER_ERROR_XID},
                   {"truncated", HEADER_ERROR_TRUNCATED}};
    struct json_writer *w = &a->json;
    char at[TIME_TEXT_MAX];
    size_t from = a->o->out->len;
    json_write_begin_object(w);
    json_write_member_i64(w, "partition", letter->partition);
    json_write_member_i64(w, "offset", letter->offset);
    json_write_member_text(w, "at", time_format(letter->timestamp_ms * 1000, 3, at));
    json_write_name(w, "key");
    types_write_bytes(w, letter->key, &a->scratch);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        json_write_member_string(w, members[i].member,
                                 kafka_letter_header(letter, members[i].header));
    if (a->filter->values && letter->value.ptr != NULL)
        write_value(a, letter->value);
    json_write_end_object(w);
    escape_controls(a->o->out, from, &a->spare);
}

/* ---- Lines ---- */

/* What stands in a terminal must not move its cursor. */
static void add_printable(struct buf *out, struct span text)
{
    if (text.ptr == NULL)
        buf_add_char(out, '-');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool c1 = is_c1(text, i);
        buf_add_char(out, c < ' ' || c == 0x7F || c1 ? '?' : text.ptr[i]);
        i += c1 ? 1 : 0;
    }
}

static void add_header(struct buf *out, const struct kafka_letter *letter, const char *before,
                       const char *name)
{
    buf_add_text(out, before);
    add_printable(out, kafka_letter_header(letter, name));
}

static void write_lines(struct answer *a, const struct kafka_letter *letter)
{
    struct buf *out = a->o->out;
    char at[TIME_TEXT_MAX];
    add_header(out, letter, "", HEADER_ID);
    add_header(out, letter, " route ", HEADER_ERROR_ROUTE);
    add_header(out, letter, ", ", HEADER_ERROR_TABLE);
    buf_add_text(out, ", key ");
    add_printable(out, letter->key);
    add_header(out, letter, ": ", HEADER_ERROR_REASON);
    add_header(out, letter, ": ", HEADER_ERROR_MESSAGE);
    buf_add_char(out, '\n');
    if (!a->filter->values)
        return;
    buf_add_format(out, "  partition %" PRId32 ", offset %" PRId64 ", committed %s",
                   letter->partition, letter->offset,
                   time_format(letter->timestamp_ms * 1000, 3, at));
    add_header(out, letter, ", for topic ", HEADER_ERROR_TOPIC);
    buf_add_text(out, "\n  ");
    if (letter->value.ptr != NULL)
        add_printable(out, letter->value);
    else
        add_header(out, letter, "the value was left out, bytes: ", HEADER_ERROR_TRUNCATED);
    buf_add_char(out, '\n');
}

/* ---- All ---- */

static bool print_part(struct answer *a)
{
    if (a->o->out->len < PART_BYTES)
        return true;
    a->printed = true;
    return a->printer->print(a->printer->with);
}

static int read_all(struct answer *a, struct kafka_letters *letters, uint64_t *found,
                    struct error *err)
{
    struct kafka_letter letter;
    uint64_t read = 0;
    int got;
    while ((got = kafka_letters_next(letters, &letter, err)) == 1) {
        if (++read % TELL_RECORDS == 0)
            waits_phase(log_waits(a->o->log), "%" PRIu64 " records read", read);
        if (!is_wanted(a->filter, &letter) || !is_open(a, &letter))
            continue;
        (*found)++;
        if (a->o->json)
            write_json(a, &letter);
        else
            write_lines(a, &letter);
        arena_reset(&a->scratch);
        if (!print_part(a))
            return 1;
    }
    return got;
}

static void begin_json(struct answer *a, const char *topic)
{
    json_write_begin_object(&a->json);
    json_write_member_text(&a->json, "dead_letter_topic", topic);
    json_write_name(&a->json, "letters");
    json_write_begin_array(&a->json);
}

/* What was printed cannot be taken back. */
static void end_json(struct answer *a, const struct error *err)
{
    struct json_writer *w = &a->json;
    if (err->kind != ERROR_NONE && !a->printed) {
        buf_reset(a->o->out);
        return;
    }
    json_write_end_array(w);
    if (err->kind != ERROR_NONE)
        json_write_member_error(w, err, err->hint[0] != '\0' ? err->hint : NULL);
    json_write_end_object(w);
    buf_add_char(a->o->out, '\n');
}

static int answer_all(struct answer *a, const struct kafka_options *kafka, uint64_t *found,
                      struct error *err)
{
    struct kafka_letters *letters = NULL;
    if (read_marks(a, kafka, err) < 0 || kafka_letters_open(kafka, &letters, err) < 0)
        return -1;
    if (a->o->json)
        begin_json(a, kafka->letter_topic);
    int result = read_all(a, letters, found, err);
    if (a->o->json)
        end_json(a, err);
    else if (result == 0 && *found == 0)
        command_say(a->o->out, "no such dead letters in %s", kafka->letter_topic);
    kafka_letters_close(letters);
    return result;
}

int relay_dead_letters(const struct command_options *o, const struct letter_filter *filter,
                       const struct answer_printer *printer, uint64_t *found, struct error *err)
{
    assert(filter != NULL && found != NULL && printer->print != NULL);
    struct kafka_options kafka = relay_kafka_options(o->config, o->log, o->stop);
    kafka.letter_topic = o->config->dead_letter.topic.text;
    struct answer a = {.o = o, .filter = filter, .printer = printer, .spare = BUF_EMPTY};
    a.json = json_writer(o->out);
    *found = 0;
    arena_init(&a.scratch, 4096, 4096);
    arena_init(&a.marks, 4096, 4096);
    table_init(&a.done, &a.marks);
    int result = answer_all(&a, &kafka, found, err);
    arena_fini(&a.scratch);
    arena_fini(&a.marks);
    buf_fini(&a.spare);
    return result;
}
