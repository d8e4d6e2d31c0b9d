/* json/json_slice: the members of a JSON object, as spans of its text.
 *
 * Nothing is copied and nothing is converted: a value comes out byte for byte as it was written, so
 * a payload keeps its spaces, its order of members and every digit of its numbers. The whole text
 * is checked on the way against RFC 8259: valid UTF-8, no control characters in strings, numbers as
 * the grammar has them, at most JSON_SLICE_DEPTH_MAX levels. Members of the same name are all
 * given; what that means is the caller's to say. Escapes of surrogates are only checked where text
 * is unescaped, because PostgreSQL's json type stores lone ones. Uses no memory besides the struct.
 *
 *   struct json_slice slice;
 *   if (json_slice_open(&slice, text, err) < 0) …
 *   while ((got = json_slice_next(&slice, &member, err)) > 0) … */
#ifndef WALFERRY_JSON_JSON_SLICE_H
#define WALFERRY_JSON_JSON_SLICE_H

#include "base/arena.h"
#include "base/error.h"

#define JSON_SLICE_DEPTH_MAX 512

enum json_kind {
    JSON_KIND_STRING,
    JSON_KIND_NUMBER,
    JSON_KIND_OBJECT,
    JSON_KIND_ARRAY,
    JSON_KIND_BOOL,
    JSON_KIND_NULL
};

struct json_slice {
    struct span text;
    size_t at;
    bool first;
};

struct json_member {
    struct span name; /* between the quotes, escapes as written: see json_slice_unescape */
    enum json_kind kind;
    struct span value; /* of a string what stands between the quotes, else the value's whole text */
};

/* The text must be one object. Every error here is ERROR_DATA, reason "bad_json", text
 * "byte <n>: <what>" with n counted from 0. */
int json_slice_open(struct json_slice *slice, struct span text, struct error *err);
/* 1: *member filled, pointing into the text. 0: the object and the text have ended. -1: error,
 * after which next must not be called again. */
int json_slice_next(struct json_slice *slice, struct json_member *member, struct error *err);

/* The whole text must be one value of any kind. 0, or -1 with an error as above. */
int json_slice_check(struct span text, enum json_kind *kind, struct error *err);

/* The text that a string of a member (name or value) means. Gives `raw` itself where it has no
 * escape, else a copy in the arena. A lone surrogate is an error. raw must come from
 * json_slice_next. */
int json_slice_unescape(struct span raw, struct arena *arena, struct span *text, struct error *err);

#endif
