/* route/route_template: "outbox.event.{aggregatetype}" compiled, and rendered for a row. Internal
 * to the module.
 *
 * Grammar: {name} a column, {name:default} one that may be NULL, {name|upper} and {name|lower} with
 * its letters a to z changed, {@fact}, {{ and }} literal braces. {name|optional}, alone and of a
 * header, is a column that may be NULL or missing: there is no header then.
 * A template does not know relations: it names fields, numbers in the route's list of names, and
 * the row that it is rendered for says where each field is. */
#ifndef WALFERRY_ROUTE_ROUTE_TEMPLATE_H
#define WALFERRY_ROUTE_ROUTE_TEMPLATE_H

#include "route/route_row.h"

enum part_kind {
    PART_LITERAL,
    PART_FIELD,
    PART_SCHEMA,
    PART_TABLE,
    PART_OP,
    PART_LSN, /* Begin.final_lsn of the transaction, as PostgreSQL writes it */
    PART_XID,
    PART_COMMIT_MS
};

enum letter_case { CASE_AS_IT_IS, CASE_UPPER, CASE_LOWER };

struct part {
    enum part_kind kind;
    uint32_t field;
    enum letter_case letters; /* of a field */
    bool optional;            /* a field that may be missing; FIELD_NONE until it is settled */
    struct span text;         /* the literal; the default of a field (absent: none); the name of
                                 an optional one */
};

struct template
{
    const char *what; /* "topic", "key", "header eventType", for messages */
    uint32_t count;
    struct part *parts;
};

struct template_options {
    const char *path;  /* of the key, for messages: "routes[0].topic" */
    const char *relay; /* what {@relay} is */
    bool of_message;   /* messages have no schema and no table */
    bool of_header;    /* it may be optional */
};

/* Everything lives in the arena. ERROR_STOP, EXIT_USAGE, reason "bad_template". */
int template_compile(const struct config_text *source, const struct template_options *options,
                     struct field_list *fields, struct arena *arena, struct template *out,
                     struct error *err);
/* Is it plain text? Then that is *text. */
bool template_literal(const struct template *t, struct span *text);
/* Is it {name|optional}? Its field is numbered by this: after all fields that must be there, so
 * that one that is both must be there. */
bool template_settle_optional(struct template *t, struct field_list *fields, struct arena *arena);
/* The template's text for the row: in scratch, in the row or in the template. Absent only where it
 * is optional and the column NULL or missing.
 * ERROR_DATA, reason "null_in_template" where a field without default is NULL, "old_not_sent" where
 * the row is an old one and the server sends no such column of it. */
int template_render(const struct template *t, const struct route_row *row, struct arena *scratch,
                    struct span *out, struct error *err);
/* The one field that is all of the template; FIELD_NONE: it is something else. */
uint32_t template_only_field(const struct template *t);
/* The text of one part; *text may point into the row or the template. */
int template_part(const struct template *t, const struct part *part, const struct route_row *row,
                  struct arena *scratch, struct span *text, struct error *err);

#endif
