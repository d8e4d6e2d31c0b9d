/* walferry: committed changes out of PostgreSQL into Kafka, exactly once. Everything is behind the
 * table of commands in cli/; this file only hands the arguments over. */
#include "cli/cli.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
