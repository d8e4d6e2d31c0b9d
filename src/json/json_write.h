/* json/json_write: JSON text onto a struct buf, without a tree and without memory of its own.
 *
 * The caller says what comes next and the writer puts the commas. Output is compact, valid UTF-8
 * and one line: control characters are escaped, and bytes that are not UTF-8 come out as U+FFFD,
 * because a broken name in an error text must not break the document around it. Mismatched begin
 * and end are asserted; that an object's member has a name and exactly one value is the caller's
 * duty.
 *
 *   struct json_writer w = json_writer(out);
 *   json_write_begin_object(&w);
 *   json_write_name(&w, "v");
 *   json_write_u64(&w, 1);
 *   json_write_end_object(&w);      {"v":1} */
#ifndef WALFERRY_JSON_JSON_WRITE_H
#define WALFERRY_JSON_JSON_WRITE_H

#include "base/buf.h"
#include "base/error.h"

#define JSON_WRITE_DEPTH_MAX 64

/* What is escaped besides what must be. */
enum json_escapes {
    JSON_ESCAPES_OURS,         /* DEL; \u001f, in lower case */
    JSON_ESCAPES_JACKSON_TEXT, /* as Java's Jackson writes a text: \b \f \u001F, and not DEL */
    JSON_ESCAPES_JACKSON,      /* as it writes bytes: besides, two for a character beyond U+FFFF */
    JSON_ESCAPES_HEADER        /* as Kafka Connect's SimpleHeaderConverter: quotes and \ alone, so
                                  that what it gives may be no JSON */
};

struct json_writer {
    struct buf *out;
    bool comma;      /* the next value or name follows another one */
    uint32_t depth;  /* open objects and arrays */
    uint64_t arrays; /* bit n: level n is an array; checks begin against end */
    enum json_escapes escapes;
};

/* Appends to out, which must outlive the writer. */
static inline struct json_writer json_writer(struct buf *out)
{
    return (struct json_writer){.out = out};
}

void json_write_begin_object(struct json_writer *w);
void json_write_end_object(struct json_writer *w);
void json_write_begin_array(struct json_writer *w);
void json_write_end_array(struct json_writer *w);
/* The name of the member whose value comes next. */
void json_write_name(struct json_writer *w, const char *name);
void json_write_name_span(struct json_writer *w, struct span name);

/* An absent span is null. */
void json_write_string(struct json_writer *w, struct span text);
/* NULL is null. */
void json_write_text(struct json_writer *w, const char *text);
void json_write_u64(struct json_writer *w, uint64_t value);
void json_write_i64(struct json_writer *w, int64_t value);
void json_write_bool(struct json_writer *w, bool value);
void json_write_null(struct json_writer *w);
/* One value that is JSON text already, byte for byte. */
void json_write_raw(struct json_writer *w, struct span json);

/* Name and value at once. */
void json_write_member_string(struct json_writer *w, const char *name, struct span text);
void json_write_member_text(struct json_writer *w, const char *name, const char *text);
void json_write_member_u64(struct json_writer *w, const char *name, uint64_t value);
void json_write_member_i64(struct json_writer *w, const char *name, int64_t value);
void json_write_member_bool(struct json_writer *w, const char *name, bool value);
/* null below 0: it is not known. */
void json_write_member_known(struct json_writer *w, const char *name, int64_t value);
/* null where it is empty. */
void json_write_member_name(struct json_writer *w, const char *name, const char *text);
void json_write_member_null(struct json_writer *w, const char *name);
void json_write_member_raw(struct json_writer *w, const char *name, struct span json);
/* The member "error" of an answer: kind, reason, text, hint. hint: NULL: null. */
void json_write_member_error(struct json_writer *w, const struct error *err, const char *hint);

#endif
