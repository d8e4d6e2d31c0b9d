/* encode/encode_raw: the encoder of `format: raw`. Internal to the module. */
#ifndef WALFERRY_ENCODE_ENCODE_RAW_H
#define WALFERRY_ENCODE_ENCODE_RAW_H

#include "encode/encode.h"

/* Never fails. */
struct encoder *encoder_raw(void);

#endif
