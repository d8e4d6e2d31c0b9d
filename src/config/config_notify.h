/* config_notify: the sections notify and otlp. Includers take it from config.h. */
#ifndef WALFERRY_CONFIG_NOTIFY_H
#define WALFERRY_CONFIG_NOTIFY_H

#include "config/config_text.h"

struct config_notify {
    struct config_text url;     /* NULL: nobody is told */
    struct config_text secret;  /* there where url is */
    struct config_text ca_file; /* NULL: the system's */
    int64_t timeout_ms;         /* of one attempt */
    int64_t give_up_ms;
    int64_t lag_limit_ms; /* 0: none */
    int64_t stuck_ms;
    int64_t quiet_ms; /* without a dead letter, until that is over */
};

struct config_otlp {
    struct config_text endpoint; /* NULL: nothing is sent */
    struct config_pairs headers;
    struct config_text ca_file; /* NULL: the system's */
    int64_t timeout_ms;
    int64_t metrics_interval_ms; /* 0: no metrics */
    int64_t sample_one_in;       /* 0: no spans */
};

#endif
