/* libFuzzer harness of the configuration parser: any bytes give a configuration or an error that
 * names the file, a second parse of the same bytes gives the same answer, and whatever is taken can
 * be compared with itself.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Isrc tests/fuzz/config_fuzz.c \
 *       src/config/[a-z]*.c src/base/[a-z]*.c src/json/json_write.c src/json/json_utf8.c -lyaml \
 *       -lpthread -o config_fuzz
 *   ./config_fuzz -max_total_time=60 -dict=tests/fuzz/config.dict CORPUS config/examples
 *
 * Beware: ${file:PATH} is read where it stands, so /dev/zero and the like are tried too. */
#include "config/config.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* The text of an error has a place, and is one line that a terminal may print. */
static void check_error(const struct error *err)
{
    require(err->kind == ERROR_STOP && err->exit_code == EXIT_USAGE);
    require(strncmp(err->text, "fuzz:", 5) == 0);
    require(err->reason != REASON_NONE);
    for (const char *c = err->text; *c != '\0'; c++)
        require((unsigned char)*c >= ' ' && *c != 127);
}

static void check_config(const struct config_relay *config)
{
    require(config->name.text != NULL && config->source.slot.text != NULL);
    require(config->source.connection.text != NULL && config->source.connection.secret);
    require(config->kafka.properties.count > 0 && config->routes.count > 0);
    for (uint32_t i = 0; i < config->routes.count; i++) {
        const struct config_route *route = &config->routes.items[i];
        require(route->name.text != NULL && route->from.text != NULL);
        require(route->topic.text != NULL && route->key.text != NULL);
    }
    require(config_needs_restart(config->process, config->process) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span yaml = {size > 0 ? (const char *)data : "", size};
    struct config *first = NULL, *second = NULL;
    struct error err = ERROR_INIT, again = ERROR_INIT;
    int result = config_parse(yaml, "fuzz", &first, &err);
    require(config_parse(yaml, "fuzz", &second, &again) == result);
    if (result < 0) {
        check_error(&err);
        require(strcmp(err.text, again.text) == 0);
        return 0;
    }
    check_config(config_only_relay(first));
    require(strcmp(config_only_relay(first)->hash, config_only_relay(second)->hash) == 0);
    require(config_needs_restart(first, second) == NULL);
    config_close(first);
    config_close(second);
    return 0;
}
