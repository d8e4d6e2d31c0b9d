/* encode/encode_debezium: the encoder of `format: debezium`. Internal to the module. */
#ifndef WALFERRY_ENCODE_ENCODE_DEBEZIUM_H
#define WALFERRY_ENCODE_ENCODE_DEBEZIUM_H

#include "encode/encode.h"

/* The options' database is as the envelope's source has it. What they point to is kept. Never
 * fails. */
struct encoder *encoder_debezium(const struct encoder_options *options);

#endif
