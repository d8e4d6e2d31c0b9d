/* encode/encode_json: the encoders of `format: json`, `json_string` and, of its data,
 * `cloudevents`. Internal to the module. */
#ifndef WALFERRY_ENCODE_ENCODE_JSON_H
#define WALFERRY_ENCODE_ENCODE_JSON_H

#include "encode/encode.h"

/* Never fails. */
struct encoder *encoder_json(enum route_format format);

#endif
