/* config_gen: prints what is generated from the table of configuration keys.
 *
 *   config_gen schema       config/walferry.schema.json
 *   config_gen sample       config/walferry.yaml
 *   config_gen man          the key section of docs/man/walferry.yaml.5
 *   config_gen page PAGE    PAGE with its key section, the lines between the two marks, made anew
 *
 * `make generate` writes the files; a unit test compares them with this output. */
#include "config/config.h"

#include <stdio.h>

#define MARK_BEGIN ".\\\" keys: made by `make generate` from src/config/config.def\n"
#define MARK_END ".\\\" end of keys\n"

static int usage(void)
{
    fputs("usage: config_gen schema|sample|man|page PAGE\n", stderr);
    return 2;
}

static int read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return -1;
    size_t got;
    while ((got = fread(buf_reserve(out, 8192), 1, 8192, file)) > 0)
        out->len += got;
    int failed = ferror(file);
    fclose(file);
    return failed != 0 ? -1 : 0;
}

static int write_page(const char *path, struct buf *out)
{
    struct buf page = BUF_EMPTY;
    int result = -1;
    if (read_file(path, &page) < 0) {
        perror(path);
    } else {
        const char *text = buf_text(&page);
        const char *begin = strstr(text, MARK_BEGIN);
        const char *end = begin != NULL ? strstr(begin, MARK_END) : NULL;
        if (end != NULL) {
            buf_add(out, (struct span){text, (size_t)(begin - text)});
            buf_add_text(out, MARK_BEGIN);
            config_write_man(out);
            buf_add_text(out, end);
            result = 0;
        } else {
            fprintf(stderr, "%s: the marks of the key section are missing\n", path);
        }
    }
    buf_fini(&page);
    return result;
}

int main(int argc, char **argv)
{
    struct buf out = BUF_EMPTY;
    if (argc == 2 && strcmp(argv[1], "schema") == 0)
        config_write_schema(&out);
    else if (argc == 2 && strcmp(argv[1], "sample") == 0)
        config_write_sample(&out);
    else if (argc == 2 && strcmp(argv[1], "man") == 0)
        config_write_man(&out);
    else if (argc != 3 || strcmp(argv[1], "page") != 0)
        return usage();
    else if (write_page(argv[2], &out) < 0)
        return 1;
    size_t written = fwrite(out.ptr, 1, out.len, stdout);
    int failed = written != out.len || fflush(stdout) != 0;
    buf_fini(&out);
    return failed;
}
