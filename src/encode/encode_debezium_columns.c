/* encode/encode_debezium_columns: see encode_debezium_columns.h. The words of the file become what
 * types/ understands; they have passed config/. */
#include "encode/encode_debezium_columns.h"

#include "base/utf8.h"

#include <assert.h>
#include <stdlib.h>

static bool is_filtered(const struct config_debezium *options, const struct relation *relation,
                        const struct column *column)
{
    const char *excluded = options->column_exclude_list.text;
    const char *included = options->column_include_list.text;
    if (included != NULL)
        return !config_columns_match(included, relation->schema, relation->name, column->name,
                                     false);
    return excluded != NULL &&
           config_columns_match(excluded, relation->schema, relation->name, column->name, true);
}

static enum debezium_digest digest_named(const char *name, size_t len)
{
    static const struct {
        const char *name;
        enum debezium_digest digest;
    } digests[] = {
        {"MD5", DEBEZIUM_DIGEST_MD5},        {"SHA-1", DEBEZIUM_DIGEST_SHA1},
        {"SHA-224", DEBEZIUM_DIGEST_SHA224}, {"SHA-256", DEBEZIUM_DIGEST_SHA256},
        {"SHA-384", DEBEZIUM_DIGEST_SHA384}, {"SHA-512", DEBEZIUM_DIGEST_SHA512},
    };
    for (size_t i = 0; i < sizeof digests / sizeof digests[0]; i++)
        if (span_equal_text((struct span){name, len}, digests[i].name))
            return digests[i].digest;
    abort(); /* config/ takes no other name */
}

static struct debezium_mask mask_of(const struct column_treatment *treatment,
                                    const struct column *column)
{
    static const enum debezium_mask_kind kinds[] = {
        [COLUMN_AS_IS] = DEBEZIUM_MASK_NONE,        [COLUMN_TRUNCATED] = DEBEZIUM_MASK_TRUNCATE,
        [COLUMN_MASKED] = DEBEZIUM_MASK_ASTERISKS,  [COLUMN_HASHED] = DEBEZIUM_MASK_HASH,
        [COLUMN_HASHED_V2] = DEBEZIUM_MASK_HASH_V2,
    };
    struct debezium_mask mask = {.kind = kinds[treatment->rule]};
    if (treatment->rule == COLUMN_TRUNCATED || treatment->rule == COLUMN_MASKED) {
        mask.length = (uint32_t)strtoul(treatment->name, NULL, 10);
        return mask;
    }
    if (treatment->rule == COLUMN_AS_IS)
        return mask;
    const char *salt = strstr(treatment->name, HASH_SALT);
    assert(salt != NULL);
    mask.digest = digest_named(treatment->name, (size_t)(salt - treatment->name));
    mask.salt = span_of(salt + sizeof HASH_SALT - 1);
    mask.length = types_debezium_column_length(column);
    return mask;
}

struct debezium_column debezium_column_of(const struct config_debezium *options,
                                          const struct debezium_modes *modes,
                                          const struct relation *relation,
                                          const struct column *column)
{
    assert(options != NULL && relation != NULL);
    struct debezium_column of = {.left_out = types_debezium_omits(modes, column) ||
                                             is_filtered(options, relation, column)};
    if (of.left_out)
        return of;
    const struct column_treatment treatment =
        config_column_treatment(options, relation->schema, relation->name, column->name);
    of.mask = mask_of(&treatment, column);
    if (of.mask.kind != DEBEZIUM_MASK_NONE && !types_debezium_may_mask(column))
        of.refused = treatment.key;
    return of;
}

/* ---- The placeholder ---- */

#define HEX "hex:"
/* What stands for bytes that are no UTF-8. */
#define REPLACEMENT "\xEF\xBF\xBD"

static int digit(char c)
{
    return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

static struct span bytes_of_hex(const char *hex, struct arena *arena)
{
    size_t len = strlen(hex) / 2;
    char *bytes = arena_alloc_bytes(arena, len);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
    return (struct span){bytes, len};
}

static struct span text_of(struct span bytes, struct arena *arena)
{
    const char *at = bytes.ptr, *end = bytes.ptr + bytes.len;
    char *text = arena_alloc_bytes(arena, bytes.len * (sizeof REPLACEMENT - 1));
    size_t len = 0;
    while (at < end) {
        size_t valid = utf8_length(at, end);
        const char *from = valid > 0 ? at : REPLACEMENT;
        size_t some = valid > 0 ? valid : sizeof REPLACEMENT - 1;
        memcpy(text + len, from, some);
        len += some;
        at += valid > 0 ? valid : 1;
    }
    return (struct span){text, len};
}

void debezium_placeholder(const char *text, struct debezium_modes *modes, struct arena *arena)
{
    assert(modes != NULL && arena != NULL);
    if (text == NULL)
        return;
    modes->unavailable = span_of(text);
    if (strncmp(text, HEX, sizeof HEX - 1) != 0)
        return;
    modes->unavailable_bytes = bytes_of_hex(text + sizeof HEX - 1, arena);
    modes->unavailable = text_of(modes->unavailable_bytes, arena);
}
