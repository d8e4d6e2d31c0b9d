/* config_command: a list of texts as a program and its arguments. Whether there is such a program
 * is seen when it is run: it may come later than the file, and go for a moment. */
#include "config/config_check.h"

#include <assert.h>

static int read_command(struct config_reader *reader, struct config_command *command,
                        const char *path, struct error *err)
{
    const struct config_texts *texts = &command->texts;
    if (texts->count == 0)
        return 0;
    if (texts->items[0].text[0] == '\0') {
        config_fail(err, reader, texts->items[0].line, path, REASON_CONFIG_VALUE,
                    "the name of the program is empty");
        return error_hint(err, "write [\"/path/of/the/program\", \"its argument\"], or leave the "
                               "key out");
    }
    const char **arguments =
        arena_alloc_zero(reader->arena, (texts->count + 1) * sizeof *arguments);
    for (uint32_t i = 0; i < texts->count; i++)
        arguments[i] = texts->items[i].text;
    command->arguments = arguments;
    return 0;
}

int config_commands(struct config_reader *reader, struct config_relay *relay, struct error *err)
{
    assert(reader != NULL && relay != NULL);
    if (read_command(reader, &relay->source.password_command, "source.password_command", err) < 0)
        return -1;
    return read_command(reader, &relay->kafka.token_command, "kafka_token_command", err);
}
