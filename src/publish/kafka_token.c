/* publish/kafka_token: see kafka_token.h. What librdkafka says of a token is not passed on: it may
 * quote it. */
#include "publish/kafka_token.h"

#include "base/clock.h"
#include "base/program.h"
#include "publish/kafka_token_read.h"

#include <assert.h>

#define KEY "kafka_token_command"

void kafka_token_init(struct kafka_token *token, const char *const *command)
{
    assert(token != NULL);
    token->command = command;
    atomic_init(&token->closing, false);
    atomic_init(&token->ends_ms, 0);
    error_cell_init(&token->failure);
}

void kafka_token_install(const struct kafka_token *token, rd_kafka_conf_t *conf,
                         void (*refresh)(rd_kafka_t *rk, const char *config, void *opaque))
{
    if (token->command == NULL)
        return;
    rd_kafka_conf_set_oauthbearer_token_refresh_cb(conf, refresh);
    rd_kafka_conf_enable_sasl_queue(conf, 1);
}

void kafka_token_serve(const struct kafka_token *token, rd_kafka_t *rk)
{
    if (token->command == NULL)
        return;
    /* Fails where the queue was not asked for, and it was. */
    rd_kafka_error_t *error = rd_kafka_sasl_background_callbacks_enable(rk);
    assert(error == NULL);
    (void)error;
}

/* How it is said to librdkafka, whose lists of extensions are names and values in turn. */
static int hand_over(rd_kafka_t *rk, const struct kafka_token_facts *facts, struct error *err)
{
    char text[512];
    if (rd_kafka_oauthbearer_set_token(rk, facts->token, facts->ends_ms, facts->principal,
                                       facts->extensions, facts->extension_count * 2, text,
                                       sizeof text) == RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    return error_retry(err, REASON_TOKEN_COMMAND, "%s: librdkafka does not take the token", KEY);
}

static int ask(struct kafka_token *token, rd_kafka_t *rk, int64_t *ends_ms, struct error *err)
{
    const struct program_options options = {.arguments = token->command,
                                            .given_by = KEY,
                                            .wanted = "the token",
                                            .reason = REASON_TOKEN_COMMAND,
                                            .stop = &token->closing};
    struct buf said = BUF_EMPTY;
    struct arena arena;
    struct kafka_token_facts facts;
    arena_init(&arena, 4096, 4096);
    int result = program_run(&options, &said, err);
    if (result == 0 && (result = kafka_token_read(buf_span(&said), clock_wall_us() / US_PER_MS,
                                                  &arena, &facts, err)) < 0)
        error_wrap(err, "%s: %s", KEY, token->command[0]);
    if (result == 0)
        result = hand_over(rk, &facts, err);
    if (result == 0)
        *ends_ms = facts.ends_ms;
    program_forget(&said);
    arena_fini(&arena);
    return result;
}

void kafka_token_refresh(struct kafka_token *token, rd_kafka_t *rk)
{
    assert(token->command != NULL && rk != NULL);
    if (atomic_load(&token->closing))
        return; /* the file that names the program may be gone */
    struct error err = ERROR_INIT;
    int64_t ends_ms = 0;
    int result = ask(token, rk, &ends_ms, &err);
    if (result < 0 && atomic_load(&token->closing))
        return;
    error_cell_put(&token->failure, &err);
    if (result < 0)
        rd_kafka_oauthbearer_set_token_failure(rk, err.text);
    else
        atomic_store(&token->ends_ms, ends_ms);
}

void kafka_token_close(struct kafka_token *token)
{
    atomic_store(&token->closing, true);
}

bool kafka_token_has_failed(struct kafka_token *token, struct error *err)
{
    return token != NULL && token->command != NULL && error_cell_get(&token->failure, err);
}

bool kafka_token_is_good(const struct kafka_token *token)
{
    return token != NULL && token->command != NULL &&
           atomic_load(&token->ends_ms) > clock_wall_us() / US_PER_MS;
}
