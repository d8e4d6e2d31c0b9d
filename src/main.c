/* walferry: committed changes out of PostgreSQL into Kafka, exactly once. Everything is behind the
 * table of commands in cli/; this file only hands the arguments over. What is started as the worker
 * of a relay is no command: it has no configuration and ends with the relay. */
#include "cli/cli.h"
#include "route/route.h"

#include <string.h>

/* jemalloc(3) reads it before main: one arena, because each thread has a cache of its own, and
 * pages that nothing uses go back within half a second, so that a drain holds what it does with
 * glibc (it was a third more); address space goes back, too, because a limit of it is what bounds a
 * jq program. MALLOC_CONF in the environment comes after it. */
extern const char *malloc_conf;
const char *malloc_conf = "narenas:1,dirty_decay_ms:500,muzzy_decay_ms:0,retain:false";

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], ROUTER_WORKER) == 0)
        return router_worker(argc, argv);
    return cli_main(argc, argv);
}
