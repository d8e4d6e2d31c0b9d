/* config_find: which relay of a file is meant. Makes no error of one that is not there: only the
 * caller knows what that means. */
#include "config/config.h"

#include <assert.h>
#include <string.h>

const struct config_relay *config_relay_find(const struct config *config, const char *name)
{
    assert(config != NULL);
    assert(name != NULL);
    for (uint32_t i = 0; i < config->relays.count; i++)
        if (strcmp(config->relays.items[i].name.text, name) == 0)
            return &config->relays.items[i];
    return NULL;
}

const struct config_relay *config_only_relay(const struct config *config)
{
    assert(config != NULL);
    assert(config->relays.count == 1);
    return &config->relays.items[0];
}
