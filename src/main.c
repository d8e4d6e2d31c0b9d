/* walferry: committed changes out of PostgreSQL into Kafka, exactly once. Everything is behind the
 * table of commands in cli/; this file only hands the arguments over. What is started as the worker
 * of a relay is no command: it has no configuration and ends with the relay. */
#include "cli/cli.h"
#include "route/route.h"

#include <string.h>

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], ROUTER_WORKER) == 0)
        return router_worker(argc, argv);
    return cli_main(argc, argv);
}
