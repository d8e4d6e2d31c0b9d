/* encode/encode_claim: a message that is too large has a reference in the place of its value, which
 * stands in the table walferry.claim. */
#include "encode/encode.h"

#include "model/header_name.h"

#include <assert.h>
#include <string.h>

/* Of the reference, without its id: the names, a count of bytes and the digits of the digest. */
#define REFERENCE_MORE_BYTES 120
/* What the table may add to an id: a colon and a digest. */
#define ID_MORE_BYTES 65

bool message_may_refer(const struct message *message)
{
    assert(message != NULL);
    if (message->claim_id.ptr == NULL || message->referred || message->dead_letter)
        return false;
    size_t id = message->claim_id.len + ID_MORE_BYTES;
    size_t reference = REFERENCE_MORE_BYTES + sizeof HEADER_CLAIM + 2 * id;
    return message->value.ptr != NULL && message->value.len > reference;
}

/* Of an id of ours, but for the text of a key in it, which is percent-encoded: nothing is escaped.
 */
void message_refer(struct message *message, const char *id, const char *sha256, struct arena *arena)
{
    assert(message_may_refer(message) && id != NULL && sha256 != NULL);
    assert(strpbrk(id, "\"\\") == NULL);
    uint32_t count = message->header_count;
    struct header *headers = arena_alloc(arena, (count + 1) * sizeof *headers);
    for (uint32_t i = 0; i < count; i++)
        headers[i] = message->headers[i];
    headers[count] =
        (struct header){SPAN_LITERAL(HEADER_CLAIM), span_of(arena_format(arena, "%s", id))};
    message->headers = headers;
    message->header_count = count + 1;
    message->value = span_of(arena_format(arena, "{\"id\":\"%s\",\"bytes\":%zu,\"sha256\":\"%s\"}",
                                          id, message->value.len, sha256));
    message->referred = true;
}
