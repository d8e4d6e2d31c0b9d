/* config_again: what ${file:} reads may change while the file itself stays as it is: passwords are
 * rotated, tokens renewed. The bytes of the file are those that are in force, so that whatever else
 * was written into it meanwhile still waits for a reload. */
#include "config/config.h"
#include "config/config_same.h"

#include <assert.h>

/* Names and their number come from the same bytes, unless a name is expanded, too. */
static bool same_pairs(const struct config_pairs *a, const struct config_pairs *b)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (strcmp(a->items[i].name.text, b->items[i].name.text) != 0 ||
            strcmp(a->items[i].value.text, b->items[i].value.text) != 0)
            return false;
    return true;
}

static bool same_credentials(const struct config_relay *a, const struct config_relay *b)
{
    return strcmp(a->source.connection.text, b->source.connection.text) == 0 &&
           config_same_texts(&a->source.password_command.texts,
                             &b->source.password_command.texts) &&
           config_same_texts(&a->kafka.token_command.texts, &b->kafka.token_command.texts) &&
           same_pairs(&a->kafka.properties, &b->kafka.properties);
}

int config_again(const struct config *config, struct config **again, struct error *err)
{
    assert(config != NULL && again != NULL);
    *again = NULL;
    if (config->yaml.len == 0)
        return 0;
    struct config *made = NULL;
    if (config_parse(config->yaml, config->path, &made, err) < 0)
        return -1;
    const struct config_relay *now = config_only_relay(config), *next = config_only_relay(made);
    if (same_credentials(now, next)) {
        config_close(made);
        return 0;
    }
    const char *key = config_needs_restart(config, made);
    bool events = strcmp(now->hash, next->hash) != 0;
    if (key == NULL && !events) {
        *again = made;
        return 1;
    }
    config_close(made);
    error_stop(err, REASON_NEEDS_RESTART, "%s: what ${file:} reads has changed %s", config->path,
               key != NULL ? key : "which events come out of a change");
    return error_hint(err, "%s, or put it back", key != NULL ? "restart the relay" : "reload");
}
