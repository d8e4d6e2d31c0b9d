/* sim/kept: see the header. */
#include "kept.h"

#include "model/header_name.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct span copy(struct span bytes)
{
    if (bytes.ptr == NULL)
        return bytes;
    char *made = malloc(bytes.len + 1);
    if (made == NULL)
        abort();
    memcpy(made, bytes.ptr, bytes.len);
    made[bytes.len] = '\0';
    return (struct span){made, bytes.len};
}

static void drop(struct span bytes)
{
    free((void *)(uintptr_t)bytes.ptr);
}

struct change_id kept_id(const struct message *message, const char *header)
{
    struct change_id id = {CHANGE_ID_NONE};
    uint64_t system;
    for (uint32_t i = 0; i < message->header_count; i++) {
        char text[CHANGE_ID_TEXT_MAX];
        if (!span_equal_text(message->headers[i].name, header))
            continue;
        snprintf(text, sizeof text, "%.*s", SPAN_ARG(message->headers[i].value));
        (void)change_id_parse(text, &system, &id, NULL);
    }
    return id;
}

struct kept *kept_of(const struct message *message)
{
    bool quarantine = span_equal_text(message->topic, QUARANTINE_TOPIC);
    if (!quarantine && !span_equal_text(message->topic, LETTER_TOPIC))
        return NULL;
    struct kept *kept = calloc(1, sizeof *kept);
    if (kept == NULL)
        abort();
    assert(message->header_count <= KEPT_HEADERS);
    kept->quarantine = quarantine;
    kept->mark = !quarantine && !message->dead_letter;
    kept->id = kept_id(message, HEADER_ID);
    kept->key = copy(message->key);
    kept->value = copy(message->value);
    kept->header_count = message->header_count;
    for (uint32_t i = 0; i < message->header_count; i++)
        kept->headers[i] =
            (struct header){copy(message->headers[i].name), copy(message->headers[i].value)};
    return kept;
}

void kept_free(struct kept *kept)
{
    if (kept == NULL)
        return;
    drop(kept->key);
    drop(kept->value);
    for (uint32_t i = 0; i < kept->header_count; i++) {
        drop(kept->headers[i].name);
        drop(kept->headers[i].value);
    }
    free(kept);
}
