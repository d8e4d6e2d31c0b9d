/* admin/admin_page: the pages, as texts; pure. Internal to the module: admin.c serves them. */
#ifndef WALFERRY_ADMIN_ADMIN_PAGE_H
#define WALFERRY_ADMIN_ADMIN_PAGE_H

#include "admin/admin.h"
#include "base/buf.h"

struct admin_page {
    unsigned status;          /* of HTTP */
    const char *content_type; /* a literal */
    struct buf body;
};

/* Fills *page for a path; an unknown one is 404. The caller frees page->body. */
void admin_page(const char *path, const struct admin_options *from, struct admin_page *page);
/* The object of /status and its newline, appended. */
void admin_status_json(const struct status *status, struct buf *out);

#endif
