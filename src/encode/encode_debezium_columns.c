/* encode/encode_debezium_columns: see encode_debezium_columns.h. The words of the file become what
 * types/ understands; they have passed config/. */
#include "encode/encode_debezium_columns.h"

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
