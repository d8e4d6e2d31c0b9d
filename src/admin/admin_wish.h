/* admin/admin_wish: the page /reload, through which a file may be asked for; pure but for the cell.
 * Internal to the module: admin.c serves it. */
#ifndef WALFERRY_ADMIN_ADMIN_WISH_H
#define WALFERRY_ADMIN_ADMIN_WISH_H

#include "admin/admin_page.h"
#include "model/reload_cell.h"

/* What of a request is looked at; texts NULL: it has no such header. */
struct admin_wish_request {
    bool post;          /* else it only wants to know what became of the newest wish */
    bool trusted;       /* it comes from this machine, or has shown the token */
    const char *wish;   /* Walferry-Reload: show, take */
    const char *hash;   /* Walferry-File: of the file that is meant */
    const char *origin; /* Origin */
    const char *site;   /* Sec-Fetch-Site */
};

/* Fills *page. The caller frees page->body. */
void admin_wish(const struct admin_wish_request *request, struct reload_cell *cell,
                struct admin_page *page);

#endif
