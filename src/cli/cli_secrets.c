/* cli_secrets: see cli_secrets.h. libpq, librdkafka and OpenSSL keep copies of passwords and keys
 * where they like, so it is no use to keep single pages out of a core: there is to be none at all.
 * A limit of 0 alone would do for files; a core that the kernel hands to a program is only stopped
 * by the other. */
#include "cli/cli_secrets.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* LeakSanitizer looks into the process with ptrace(2). */
#ifdef __SANITIZE_ADDRESS__
#define BY_DEFAULT "1"
#else
#define BY_DEFAULT "0"
#endif

void secrets_keep_from_cores(void)
{
    const char *wish = getenv("WALFERRY_DUMPABLE");
    if (strcmp(wish != NULL ? wish : BY_DEFAULT, "1") == 0)
        return;
    const struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0);
}

char *secrets_take_word(const char *word)
{
    if (word == NULL)
        return NULL;
    char *copy = strdup(word);
    if (copy == NULL)
        abort();
    /* It is one of main's arguments, which may be written to (C11, 5.1.2.2.1). */
    memset((char *)word, '*', strlen(word));
    return copy;
}

bool secrets_are_in(const char *connection)
{
    assert(connection != NULL);
    const char *scheme = strstr(connection, "://");
    const char *at = scheme != NULL ? strchr(scheme, '@') : NULL;
    if (at != NULL && memchr(scheme + 3, ':', (size_t)(at - scheme) - 3) != NULL)
        return true;
    return strstr(connection, "password") != NULL;
}
