/* encode/encode_debezium: the encoder of `format: debezium`. Internal to the module. */
#ifndef WALFERRY_ENCODE_ENCODE_DEBEZIUM_H
#define WALFERRY_ENCODE_ENCODE_DEBEZIUM_H

#include "encode/encode.h"

/* database: as the envelope's source has it. Both are kept. Never fails. */
struct encoder *encoder_debezium(const struct config_route *route, const char *database);

#endif
