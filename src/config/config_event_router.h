/* config_event_router: what routes as: outbox have of Debezium's EventRouter. Includers take it
 * from config.h. */
#ifndef WALFERRY_CONFIG_EVENT_ROUTER_H
#define WALFERRY_CONFIG_EVENT_ROUTER_H

#include "config/config_text.h"

#define PLACEMENT_RULE_ONE "[^:,]+:(header|envelope|partition)(:[^:,]+)?"
/* What every additional_placement looks like, as an extended regular expression. */
#define PLACEMENT_RULE PLACEMENT_RULE_ONE "(," PLACEMENT_RULE_ONE ")*"

enum additional_missing { ADDITIONAL_MISSING_ERROR, ADDITIONAL_MISSING_IGNORE };

enum invalid_operation { INVALID_OPERATION_WARN, INVALID_OPERATION_ERROR, INVALID_OPERATION_FATAL };

/* Under the EventRouter's own names with _ for a dot. Text NULL: not given. */
struct config_event_router {
    struct config_text route_topic_regex;
    struct config_text route_topic_replacement;
    bool tombstone_on_empty_payload;
    bool expand_json_payload;
    struct config_text additional_placement; /* column:header|envelope|partition[:name], ... */
    enum additional_missing additional_missing;
    enum invalid_operation invalid_operation; /* what an UPDATE is */
    struct config_text tracing_field;
};

#endif
