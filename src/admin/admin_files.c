/* admin/admin_files: the assembler puts the files of src/admin/page into the program as they are,
 * so that there is no second form of them that could differ. Their paths are from the top of the
 * tree, where every compiler is started; src/admin/files.mk says what this depends on. */
#include "admin/admin_files.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#define EMBED(name, file)                                                                          \
    __asm__(".section .rodata\n"                                                                   \
            ".global walferry_" #name "\n"                                                         \
            ".global walferry_" #name "_end\n"                                                     \
            "walferry_" #name ":\n"                                                                \
            ".incbin \"" file "\"\n"                                                               \
            "walferry_" #name "_end:\n"                                                            \
            ".byte 0\n"                                                                            \
            ".previous\n");                                                                        \
    extern const char walferry_##name[], walferry_##name##_end[]

EMBED(page_html, "src/admin/page/index.html");
EMBED(page_css, "src/admin/page/page.css");
EMBED(page_js, "src/admin/page/page.js");
EMBED(icon_svg, "src/admin/page/icon.svg");

static const struct {
    const char *path, *content_type, *from, *to;
} files[] = {
    {"/", "text/html; charset=utf-8", walferry_page_html, walferry_page_html_end},
    {"/page.css", "text/css; charset=utf-8", walferry_page_css, walferry_page_css_end},
    {"/page.js", "text/javascript; charset=utf-8", walferry_page_js, walferry_page_js_end},
    {"/icon.svg", "image/svg+xml", walferry_icon_svg, walferry_icon_svg_end},
};

const struct admin_file *admin_file(const char *path, struct admin_file *file)
{
    assert(path != NULL && file != NULL);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (strcmp(path, files[i].path) != 0)
            continue;
        *file =
            (struct admin_file){.path = files[i].path,
                                .content_type = files[i].content_type,
                                .bytes = {files[i].from, (size_t)(files[i].to - files[i].from)}};
        return file;
    }
    return NULL;
}
