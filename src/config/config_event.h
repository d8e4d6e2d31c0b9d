/* config_event: how rows become events of the domain (as: event). Includers take it from config.h.
 */
#ifndef WALFERRY_CONFIG_EVENT_H
#define WALFERRY_CONFIG_EVENT_H

#include "config/config_text.h"

/* What jq gets where a double cannot hold a number. */
enum jq_numbers { JQ_NUMBERS_STRING, JQ_NUMBERS_ERROR };
/* What the value is where neither a map nor a program says it. */
enum row_shape { ROW_WHOLE, ROW_CHANGED, ROW_DIFFERENCE };
enum cloudevents_mode { CLOUDEVENTS_STRUCTURED, CLOUDEVENTS_BINARY };

/* Attributes of CloudEvents; text NULL: none, or what follows from the event. Templates. */
struct config_cloudevents {
    enum cloudevents_mode mode;
    struct config_text source, subject;
    struct config_text correlationid, causationid, traceparent;
};

struct config_event {
    struct config_texts operations; /* insert update delete read; none: all of them */
    struct config_texts changed;    /* columns of which an update must change one; none: any */
    struct config_text filter;      /* jq; text NULL: none, as with all below */
    struct config_text type;        /* template */
    struct config_pairs value;      /* name and template; items NULL: none */
    struct config_text jq;
    enum jq_numbers jq_numbers;
    enum row_shape shape;
    struct config_pairs rename; /* column and new name */
    struct config_texts drop;   /* columns */
    struct config_pairs constants;
    struct config_cloudevents cloudevents;
};

#endif
