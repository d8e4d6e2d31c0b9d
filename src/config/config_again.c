/* config_again: what ${file:} reads may change while the file itself stays as it is: passwords are
 * rotated, tokens renewed. The bytes of the file are those that are in force, so that whatever else
 * was written into it meanwhile still waits for a reload. */
#include "config/config.h"
#include "config/config_expand.h"
#include "config/config_same.h"

#include "base/hash.h"
#include "base/slurp.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

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

static bool same_text(const struct config_text *a, const struct config_text *b)
{
    return a->text == NULL || b->text == NULL ? a->text == b->text : strcmp(a->text, b->text) == 0;
}

static bool same_process(const struct config *a, const struct config *b)
{
    return same_text(&a->admin.token, &b->admin.token) &&
           same_text(&a->notify.url, &b->notify.url) &&
           same_text(&a->notify.secret, &b->notify.secret) &&
           same_text(&a->otlp.endpoint, &b->otlp.endpoint) &&
           same_pairs(&a->otlp.headers, &b->otlp.headers);
}

static bool same_credentials(const struct config_relay *a, const struct config_relay *b)
{
    return strcmp(a->source.connection.text, b->source.connection.text) == 0 &&
           config_same_texts(&a->source.password_command.texts,
                             &b->source.password_command.texts) &&
           config_same_texts(&a->kafka.token_command.texts, &b->kafka.token_command.texts) &&
           same_pairs(&a->kafka.properties, &b->kafka.properties);
}

/* 1: *made is it, read once more. 0: there are no bytes to read it from. */
static int make_again(const struct config *config, struct config **made, struct error *err)
{
    *made = NULL;
    if (config->yaml.len == 0)
        return 0;
    return config_parse(config->yaml, config->path, made, err) < 0 ? -1 : 1;
}

int config_again(const struct config *config, struct config **again, struct error *err)
{
    assert(config != NULL && again != NULL);
    *again = NULL;
    struct config *made;
    int result = make_again(config, &made, err);
    if (result <= 0)
        return result;
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

int config_again_process(const struct config *config, struct config **again, struct error *err)
{
    assert(config != NULL && again != NULL);
    *again = NULL;
    struct config *made;
    int result = make_again(config, &made, err);
    if (result <= 0)
        return result;
    if (same_process(config, made)) {
        config_close(made);
        return 0;
    }
    *again = made;
    return 1;
}

/* Who looked into a pipe again would wait for its writer. */
static bool add_file(uint64_t *hash, const char *path)
{
    struct buf bytes = BUF_EMPTY;
    struct stat found;
    int why = 0;
    if (stat(path, &found) == 0 && !S_ISREG(found.st_mode))
        return false;
    if (slurp(path, CONFIG_EXPANSION_BYTES_MAX, &bytes) < 0)
        why = errno;
    *hash = hash_add(*hash, &why, sizeof why);
    *hash = hash_add(*hash, &bytes.len, sizeof bytes.len);
    *hash = hash_add(*hash, bytes.ptr, bytes.len);
    if (bytes.len > 0)
        explicit_bzero(bytes.ptr, bytes.len);
    buf_fini(&bytes);
    return true;
}

uint64_t config_secrets_hash(const struct config *config)
{
    assert(config != NULL);
    uint64_t hash = HASH_INIT;
    for (uint32_t i = 0; i < config->secret_files.count; i++)
        if (!add_file(&hash, config->secret_files.items[i].text))
            return 0;
    return hash;
}
