/* decode/decode_texts: text of a database whose encoding is not UTF-8. Internal to the module.
 *
 * What the server cannot convert ends its stream, so it is asked for the bytes as they are wherever
 * they can be read here; then one value that is no text at all is only one value. */
#ifndef WALFERRY_DECODE_DECODE_TEXTS_H
#define WALFERRY_DECODE_DECODE_TEXTS_H

#include "base/arena.h"
#include "model/change.h"

struct text_encoding;

struct texts {
    const struct text_encoding *encoding; /* NULL: all is UTF-8, and nothing here does anything */
    bool by_us;         /* names and rows come in it; else the server has converted them */
    struct arena arena; /* of the change at hand */
};

void texts_init(struct texts *texts, const struct text_encoding *encoding);
void texts_fini(struct texts *texts);
/* What was converted before is gone. */
void texts_reset(struct texts *texts);
/* The name of something becomes UTF-8. False, and it stays as it is, where it cannot: nothing that
 * is looked for has such a name. */
bool texts_name(const struct texts *texts, struct span *name, struct arena *arena);
/* The cells of a row, or the prefix and the content of a message. */
void texts_convert(struct texts *texts, struct change *change);

#endif
