/* relay/configs: which configuration is in force, and how long one is kept.
 *
 * A new file is taken over between two epochs, and the one before it is in force again where the
 * new one is refused. What does not wait for an epoch (the log, and all that the caller has) goes
 * by the settings: the file that is to be next, else the one in force. put() is the one place that
 * changes either, so nothing that moves them is missed.
 *
 * The first configuration is the caller's and outlives the relay; all others are kept in one list,
 * under the mutex, until nobody works under them. No thread is asked to let go: each looks what is
 * in force before it uses its session. */
#include "relay/relay_internal.h"
#include "relay/wake.h"

#include <assert.h>
#include <stdlib.h>

struct kept_config {
    struct config *config;
    struct kept_config *older;
};

/* ---- Who uses what ---- */

/* The caller holds the mutex. */
static void keep(struct relay *relay, struct config *config)
{
    struct kept_config *kept = malloc(sizeof *kept);
    if (kept == NULL)
        abort();
    *kept = (struct kept_config){.config = config, .older = relay->kept_configs};
    relay->kept_configs = kept;
}

const struct config_relay *configs_use(struct relay *relay, enum config_user user)
{
    assert(user < CONFIG_USERS);
    pthread_mutex_lock(&relay->mutex);
    const struct config_relay *config = relay->config;
    relay->used_configs[user] = config;
    pthread_mutex_unlock(&relay->mutex);
    return config;
}

bool configs_moved(struct relay *relay, enum config_user user)
{
    assert(user < CONFIG_USERS);
    pthread_mutex_lock(&relay->mutex);
    bool moved = relay->used_configs[user] != relay->config;
    pthread_mutex_unlock(&relay->mutex);
    return moved;
}

/* The caller holds the mutex. */
static bool is_used(const struct relay *relay, const struct config *config)
{
    const struct config_relay *const users[] = {relay->config,
                                                relay->next_config,
                                                relay->opened_config,
                                                relay->used_configs[CONFIG_WATCH],
                                                relay->used_configs[CONFIG_FOLLOWER],
                                                relay->used_configs[CONFIG_RETENTION],
                                                relay->used_configs[CONFIG_CALLER]};
    for (size_t i = 0; i < sizeof users / sizeof users[0]; i++)
        if (users[i] != NULL && users[i]->process == config)
            return true;
    return false;
}

static void close_unused(struct relay *relay)
{
    pthread_mutex_lock(&relay->mutex);
    struct kept_config **at = &relay->kept_configs;
    while (*at != NULL) {
        struct kept_config *kept = *at;
        if (is_used(relay, kept->config)) {
            at = &kept->older;
            continue;
        }
        *at = kept->older;
        config_close(kept->config);
        free(kept);
    }
    pthread_mutex_unlock(&relay->mutex);
}

void configs_close(struct relay *relay)
{
    while (relay->kept_configs != NULL) {
        struct kept_config *kept = relay->kept_configs;
        relay->kept_configs = kept->older;
        config_close(kept->config);
        free(kept);
    }
}

/* ---- What became of a wish ---- */

/* of: the file that it is said of. */
static void tell(struct relay *relay, const struct config_relay *of, enum reload_state state,
                 const struct error *err)
{
    pthread_mutex_lock(&relay->mutex);
    bool asked = relay->asked.config != NULL && relay->asked.config == of;
    uint64_t wish = relay->asked.number;
    if (asked && state != RELOAD_DEFERRED)
        relay->asked.config = NULL;
    pthread_mutex_unlock(&relay->mutex);
    if (asked && relay->o.reloads != NULL)
        reload_cell_set(relay->o.reloads, wish, state, err);
}

void configs_tell_opened(struct relay *relay)
{
    tell(relay, relay->config, RELOAD_TAKEN, NULL);
}

void configs_tell_held(struct relay *relay, const struct error *err)
{
    tell(relay, relay->config, RELOAD_REFUSED, err);
}

/* ---- What is in force ---- */

/* The caller holds the mutex. */
static const struct config_relay *settings_of(const struct relay *relay)
{
    return relay->next_config != NULL ? relay->next_config : relay->config;
}

/* What is in force, and what is to be next, which may be NULL. The caller holds the mutex. The
 * relay's own thread alone changes the former, and reads it without the mutex. */
static void put(struct relay *relay, const struct config_relay *config,
                const struct config_relay *next)
{
    const struct config_relay *before = settings_of(relay);
    if (relay->config != config)
        relay->config = config;
    relay->next_config = next;
    const struct config_relay *settings = settings_of(relay);
    if (settings == before)
        return;
    relay->settings_number++;
    log_set(relay->o.log, settings->process->log.level, settings->process->log.format);
    if (relay->o.reloads != NULL)
        reload_cell_wake(relay->o.reloads);
}

static void name_routes(struct relay *relay)
{
    const struct config_routes *routes = &relay->config->routes;
    const char *names[CONFIG_ROUTES_MAX];
    assert(routes->count <= CONFIG_ROUTES_MAX);
    for (uint32_t i = 0; i < routes->count; i++)
        names[i] = routes->items[i].name.text;
    metrics_set_routes(relay->o.metrics, routes->count, names);
}

/* What was learnt under the file before is not known of this one: what it makes of a record, and
 * which topics it may reach. */
static void forget(struct relay *relay)
{
    refusals_clear(&relay->refused);
    refusals_clear(&relay->learnt);
    relay->suspect = (struct publish_suspect){0};
    relay->suspect_lsn = 0;
    kafka_memory_forget(relay->memory);
}

static void set(struct relay *relay, const struct config_relay *config)
{
    pthread_mutex_lock(&relay->mutex);
    put(relay, config, relay->next_config != config ? relay->next_config : NULL);
    pthread_mutex_unlock(&relay->mutex);
    name_routes(relay);
    remember_config(relay->o.recent, config->process);
    forget(relay);
}

void configs_adopt(struct relay *relay, struct config *file, const struct config_relay *next)
{
    assert(next != NULL && next->process == file);
    pthread_mutex_lock(&relay->mutex);
    keep(relay, file);
    pthread_mutex_unlock(&relay->mutex);
    set(relay, next);
}

/* The same file with other secrets: what was opened with the one counts as opened with the other,
 * and what was learnt of records stays. */
static void renew(struct relay *relay, struct config *again)
{
    const struct config_relay *ours = config_only_relay(again);
    pthread_mutex_lock(&relay->mutex);
    keep(relay, again);
    if (relay->opened_config == relay->config)
        relay->opened_config = ours;
    if (relay->asked.config == relay->config)
        relay->asked.config = ours;
    put(relay, ours, relay->next_config);
    pthread_mutex_unlock(&relay->mutex);
    name_routes(relay);
    kafka_memory_forget(relay->memory);
    log_event(relay->o.log, LOG_INFO, "config.secrets_changed", "file", again->path, NULL);
}

/* Whoever writes such a file may be in the middle of it: what cannot be used is not, and looked at
 * again by the next epoch. */
static void read_secrets_again(struct relay *relay)
{
    struct config *again = NULL;
    struct error err = ERROR_INIT;
    int result = config_again(relay->config->process, &again, &err);
    const struct config_relay *ours = result > 0 ? config_only_relay(again) : NULL;
    if (ours != NULL && kafka_check_config(&ours->kafka, &ours->delivery, &err) == 0 &&
        relay_check_connection(ours, &err) == 0) {
        renew(relay, again);
        return;
    }
    config_close(again);
    if (err.kind != ERROR_NONE)
        log_error(relay->o.log, LOG_WARN, "config.secrets_unread", &err);
}

void configs_take_next(struct relay *relay)
{
    close_unused(relay);
    if (relay->hold_config) {
        read_secrets_again(relay);
        return;
    }
    pthread_mutex_lock(&relay->mutex);
    const struct config_relay *next = relay->next_config;
    wake_lower(relay->reload_fd); /* one that is handed over from here on raises it again */
    pthread_mutex_unlock(&relay->mutex);
    if (next == NULL) {
        read_secrets_again(relay);
        return;
    }
    set(relay, next);
    log_event(relay->o.log, LOG_INFO, "config.reloaded", "file", next->process->path, NULL);
}

bool configs_defer(struct relay *relay, const struct error *err)
{
    const struct config_relay *before = relay->opened_config;
    if (err->reason != REASON_PARTIAL_CONFIG_CHANGED || before == NULL || before == relay->config)
        return false;
    pthread_mutex_lock(&relay->mutex);
    if (relay->next_config == NULL)
        put(relay, relay->config, relay->config);
    pthread_mutex_unlock(&relay->mutex);
    tell(relay, relay->config, RELOAD_DEFERRED, NULL);
    set(relay, before);
    relay->hold_config = true;
    wake_raise(relay->reload_fd);
    log_event(relay->o.log, LOG_WARN, "config.deferred", "file", before->process->path, "detail",
              "a split transaction is ended under the file with which it began", NULL);
    return true;
}

bool configs_go_back(struct relay *relay, const struct error *err)
{
    const struct config_relay *before = relay->opened_config;
    if (err->kind != ERROR_STOP || err->exit_code == EXIT_FENCED || before == NULL ||
        before == relay->config)
        return false;
    const struct config_relay *refused = relay->config;
    relay_refuse(relay, err);
    set(relay, before);
    tell(relay, refused, RELOAD_REFUSED, err);
    return true;
}

/* ---- From outside ---- */

const char *relay_needs_restart(struct relay *relay, const struct config *next)
{
    assert(next != NULL);
    pthread_mutex_lock(&relay->mutex);
    const char *key = config_needs_restart(relay->config->process, next);
    pthread_mutex_unlock(&relay->mutex);
    return key;
}

const struct config *relay_settings(struct relay *relay, uint64_t *number)
{
    pthread_mutex_lock(&relay->mutex);
    const struct config_relay *settings = settings_of(relay);
    relay->used_configs[CONFIG_CALLER] = settings;
    *number = relay->settings_number;
    pthread_mutex_unlock(&relay->mutex);
    return settings->process;
}

/* Not under the mutex, which the reader takes at each step: files may be long. */
void relay_changes(struct relay *relay, const struct config *next, struct buf *out)
{
    assert(next != NULL && out != NULL);
    config_write_changes(configs_use(relay, CONFIG_CALLER)->process, next, out);
}

void relay_reload(struct relay *relay, struct config *next, uint64_t wish)
{
    const struct config_relay *ours = config_relay_find(next, relay->o.config->name.text);
    assert(ours != NULL);
    pthread_mutex_lock(&relay->mutex);
    put(relay, relay->config, ours); /* in use before it is kept: the life closes what is unused */
    relay->asked = (struct config_wish){ours, wish};
    keep(relay, next);
    wake_raise(relay->reload_fd); /* under the mutex: behind the taking it would stay raised */
    pthread_mutex_unlock(&relay->mutex);
}

void relay_refuse(struct relay *relay, const struct error *err)
{
    log_error(relay->o.log, LOG_ERROR, "config.refused", err);
}
