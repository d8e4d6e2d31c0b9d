/* admin/admin_files: the files of src/admin/page, as they are in the program. Internal to the
 * module. */
#ifndef WALFERRY_ADMIN_ADMIN_FILES_H
#define WALFERRY_ADMIN_ADMIN_FILES_H

#include "base/span.h"

struct admin_file {
    const char *path;         /* of the request */
    const char *content_type; /* a literal */
    struct span bytes;
};

/* What the page may load and do: files of this port, and nothing else. No inline script or style,
 * no form, no frame around it. */
#define ADMIN_POLICY                                                                               \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src "        \
    "'self'; "                                                                                     \
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/* NULL: there is none of that path. */
const struct admin_file *admin_file(const char *path, struct admin_file *file);

#endif
