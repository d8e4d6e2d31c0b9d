/* slow_encoder: an encoder that is not ready: it answers ENCODE_AGAIN so many times before each
 * content, and then does what the one does in whose place it stands. */
#ifndef WALFERRY_TESTS_SLOW_ENCODER_H
#define WALFERRY_TESTS_SLOW_ENCODER_H

#include "encode/encode.h"

#include <stdbool.h>

struct slow_encoder {
    struct encoder base;
    struct encoder *real;
    uint32_t again; /* how often before each content; may be changed at any time */
    uint32_t given; /* before the one at hand */
    uint32_t made;  /* contents that were encoded */
    bool fails;     /* ERROR_DATA instead of the bytes */
};

/* Takes the place of *encoder, and closes it when it is closed itself. */
struct slow_encoder *slow_encoder_in(struct encoder **encoder, uint32_t again);

#endif
