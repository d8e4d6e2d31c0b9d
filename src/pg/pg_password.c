/* pg_password: the password of a new connection, where a program gives it. What was got is handed
 * on once and wiped, and nobody keeps it for the next connection: it may be good for a moment only.
 */
#include "pg/pg_internal.h"

#include "base/program_errand.h"
#include "base/waits.h"

#include <assert.h>

static struct program_options program_of(const struct pg_options *options)
{
    return (struct program_options){.arguments = options->password_command,
                                    .given_by = PG_PASSWORD_KEY,
                                    .wanted = "the password",
                                    .reason = REASON_PASSWORD_COMMAND,
                                    .stop = options->stop};
}

int pg_password(const struct pg_options *options, struct buf *password, struct error *err)
{
    assert(options != NULL && password != NULL);
    if (options->password_command == NULL)
        return 0;
    const struct program_options program = program_of(options);
    waits_on(options->waits, "waits for " PG_PASSWORD_KEY);
    return program_run(&program, password, err);
}

int pg_password_errand(const struct pg_options *options, struct program_errand **errand,
                       struct error *err)
{
    assert(options->password_command != NULL);
    assert(errand != NULL && err != NULL);
    const struct program_options program = program_of(options);
    return program_errand_open(&program, errand, err);
}

void pg_password_refused(const struct pg_connection *session, struct span password,
                         struct error *err)
{
    assert(session != NULL && err != NULL);
    assert(err->kind != ERROR_NONE && password.ptr != NULL);
    const char *user = PQuser(session->conn);
    bool lines = memchr(password.ptr, '\n', password.len) != NULL;
    if (err->reason == REASON_AUTH_FAILED && lines)
        error_hint(err,
                   "let " PG_PASSWORD_KEY " print the password of role %s and nothing else: it "
                   "prints several lines, and all of them are taken for the password",
                   user != NULL ? user : "");
    else if (err->reason == REASON_AUTH_FAILED)
        error_hint(err,
                   "let " PG_PASSWORD_KEY
                   " print a password that is good for role %s now: one that "
                   "it keeps may have run out; then look at pg_hba.conf",
                   user != NULL ? user : "");
}
