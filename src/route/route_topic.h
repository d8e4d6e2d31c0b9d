/* route/route_topic: the topic of a route, rendered, checked and remembered. Internal to the
 * module.
 *
 * Most topic templates have one column, and most rows in a row have the same value in it. So the
 * last topic is kept, and a row whose value stands in it at the right place has the same topic,
 * which needs neither rendering nor checking. */
#ifndef WALFERRY_ROUTE_ROUTE_TOPIC_H
#define WALFERRY_ROUTE_ROUTE_TOPIC_H

#include "model/topic_name.h"
#include "route/route_template.h"
#include "route/topic_regex.h"

struct router_options;

struct route_topic {
    struct template template;
    const char *progress_topic;         /* no event may go there, */
    const char *letter_topic;           /* nor there; NULL: there is none */
    const struct config_texts *allowed; /* globs that a topic must match one of; NULL, none: any */
    const struct part *only; /* the one part that is not literal; NULL: none, or several */
    size_t before;           /* bytes of the topic before and behind the value of `only` */
    size_t behind;
    bool literal;     /* text is the topic, always */
    bool of_any_name; /* what no topic can hold is an underscore in it, as Debezium has it */
    struct topic_regex *regex; /* what the value of `only` becomes; NULL: none */
    size_t from_len;           /* of the value that became text */
    char from[TOPIC_NAME_MAX];
    /* Of a template without columns and places, the topic is the table's. */
    bool of_relation;
    const struct relation *relation; /* whose topic `text` is; NULL: not known */
    uint64_t version;
    size_t len; /* of text; 0: none yet */
    char text[TOPIC_NAME_MAX + 1];
};

/* of_any_name stays as it is; a regex is set afterwards, of a template that is one column. */
void route_topic_init(struct route_topic *topic, const struct template *template,
                      const struct router_options *options);
/* For a template that is plain text. ERROR_DATA as below. */
int route_topic_set_literal(struct route_topic *topic, struct span text, struct error *err);
/* Whether any value at all can make a topic of it that is allowed. ERROR_DATA as below. */
int route_topic_check_literals(const struct route_topic *topic, struct arena *scratch,
                               struct error *err);
/* The row's topic, NUL-terminated, valid until the next row. ERROR_DATA: "null_in_template",
 * "illegal_topic", "reserved_topic", "topic_not_allowed". */
int route_topic_of(struct route_topic *topic, const struct route_row *row, struct arena *scratch,
                   struct span *text, struct error *err);

#endif
