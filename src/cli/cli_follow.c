/* cli/cli_follow: see cli_follow.h. Files with secrets are compared by what stands in them, not by
 * their times: who writes one in place, or puts another link there, need not be waited for. What
 * cannot be used leaves in force what was read before, and is read again a second later. */
#include "cli/cli_follow.h"

#include "base/clock.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define LOOK_US (INT64_C(1) * US_PER_S)

void follow_begin(struct follow *f, const struct config *first,
                  const struct follow_options *options)
{
    assert(options->relay != NULL && options->log != NULL);
    assert(options->webhook != NULL && options->otlp != NULL);
    *f = (struct follow){.o = *options, .looks = first->secret_files.count > 0};
}

void follow_end(struct follow *f)
{
    config_close(f->again);
    f->again = NULL;
}

static void tell(const struct follow *f, const struct config *config)
{
    webhook_take(f->o.webhook, &config->notify);
    otlp_take(f->o.otlp, &config->otlp);
}

void follow_settings(struct follow *f)
{
    uint64_t number;
    struct error err = ERROR_INIT;
    assert(f->o.relay != NULL);
    const struct config *settings = relay_settings(f->o.relay, &number);
    if (number == f->number)
        return;
    config_close(f->again);
    f->again = NULL;
    f->number = number;
    f->looks = settings->secret_files.count > 0;
    f->secrets = 0;
    f->guard_waits = false;
    f->said[0] = '\0';
    /* They may be older than what was followed meanwhile. */
    if (config_again_process(settings, &f->again, &err) > 0)
        settings = f->again;
    else
        err = ERROR_INIT;
    tell(f, settings);
    if (admin_reload(f->o.admin, &settings->admin, &err) < 0)
        relay_refuse(f->o.relay, &err);
}

/* ---- Secrets ---- */

static void say_unread(struct follow *f, const struct error *err)
{
    f->secrets = 0; /* again, whatever stands there */
    if (strcmp(f->said, err->text) == 0)
        return;
    snprintf(f->said, sizeof f->said, "%s", err->text);
    log_error(f->o.log, LOG_WARN, "process.secrets_unread", err);
}

static void read_again(struct follow *f, const struct config *settings)
{
    struct config *again = NULL;
    struct error err = ERROR_INIT;
    const struct config *now = f->again != NULL ? f->again : settings;
    int result = config_again_process(now, &again, &err);
    if (result > 0) {
        config_close(f->again);
        now = f->again = again;
        tell(f, now);
        log_event(f->o.log, LOG_INFO, "process.secrets_changed", "file", now->path, NULL);
    }
    if (result > 0 || (result == 0 && f->guard_waits)) {
        result = admin_reload(f->o.admin, &now->admin, &err);
        f->guard_waits = result < 0;
    }
    if (result < 0)
        say_unread(f, &err);
    else
        f->said[0] = '\0';
}

void follow_secrets(struct follow *f, int64_t now_us)
{
    uint64_t number;
    if (!f->looks || now_us < f->due_us)
        return;
    f->due_us = now_us + LOOK_US;
    const struct config *settings = relay_settings(f->o.relay, &number);
    if (number != f->number)
        return; /* which is followed first */
    uint64_t secrets = config_secrets_hash(settings);
    if (secrets == 0 || secrets == f->secrets)
        return;
    f->secrets = secrets;
    read_again(f, settings);
}

int follow_wait_ms(const struct follow *f, int64_t now_us)
{
    int64_t left_us = f->due_us - now_us;
    if (!f->looks)
        return -1;
    return left_us > 0 ? (int)(left_us / US_PER_MS) + 1 : 0;
}
