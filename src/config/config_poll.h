/* config_poll: source.poll. Includers take it from config.h. */
#ifndef WALFERRY_CONFIG_CONFIG_POLL_H
#define WALFERRY_CONFIG_CONFIG_POLL_H

#include <stdint.h>

enum poll_strategy { POLL_SNAPSHOT, POLL_CLAIM };
enum poll_start { POLL_START_BEGINNING, POLL_START_NOW };

struct config_poll {
    enum poll_strategy strategy;
    int64_t interval_ms;      /* 1 to 60000 */
    int64_t idle_interval_ms; /* not below interval_ms */
    enum poll_start start;
    int64_t page_rows; /* 1 to 1000000 */
};

#endif
