/* admin/admin_wish: see admin_wish.h. Nothing is handed over here: the relay reads the file that
 * it was started with, whoever asks, and only when the main thread comes to it.
 *
 * A browser asks what any page in it says, also of a port that only this machine reaches. It says
 * so in Origin and Sec-Fetch-Site, which no page can leave out of a POST, and sets a header of ours
 * only after a question of its own (CORS), which is never answered. */
#include "admin/admin_wish.h"

#include "json/json_write.h"

#include <assert.h>
#include <string.h>

static void refuse(struct admin_page *page, unsigned status, const char *text)
{
    page->status = status;
    buf_add_text(&page->body, text);
}

static void ask(const struct admin_wish_request *request, bool show, struct reload_cell *cell,
                struct admin_page *page)
{
    uint64_t number = reload_cell_ask(cell, show, request->hash, false);
    if (number == 0) {
        refuse(page, 409, "another reload is under way\n");
        return;
    }
    page->status = 202;
    page->content_type = "application/json";
    struct json_writer w = json_writer(&page->body);
    json_write_begin_object(&w);
    json_write_member_u64(&w, "number", number);
    json_write_end_object(&w);
    buf_add_char(&page->body, '\n');
}

static void post(const struct admin_wish_request *request, struct reload_cell *cell,
                 struct admin_page *page)
{
    bool show = request->wish != NULL && strcmp(request->wish, "show") == 0;
    bool take = request->wish != NULL && strcmp(request->wish, "take") == 0;
    if (request->origin != NULL || request->site != NULL)
        refuse(page, 403, "not from a browser\n");
    else if (!request->trusted)
        refuse(page, 403, "only from the machine, or the container, that the relay runs in\n");
    else if (!show && !take)
        refuse(page, 400, "the header Walferry-Reload says show or take\n");
    else if (request->hash != NULL && strlen(request->hash) >= RELOAD_HASH_MAX)
        refuse(page, 400, "Walferry-File is no hash of a file\n");
    else if (take && (request->hash == NULL || request->hash[0] == '\0'))
        refuse(page, 400, "to take wants Walferry-File, with the hash of the file that is meant\n");
    else
        ask(request, show, cell, page);
}

static void write_state(const struct reload *r, struct buf *out)
{
    struct json_writer w = json_writer(out);
    struct buf advice = BUF_EMPTY;
    json_write_begin_object(&w);
    json_write_member_u64(&w, "number", r->number);
    json_write_member_text(&w, "state", reload_state_name(r->state));
    json_write_member_text(&w, "file", r->file[0] != '\0' ? r->file : NULL);
    if (r->changes.len > 0)
        json_write_member_raw(&w, "changes", buf_span(&r->changes));
    else
        json_write_member_null(&w, "changes");
    if (r->state == RELOAD_REFUSED) {
        error_advice(&r->err, &(struct invocation){.file = r->file}, &advice);
        json_write_member_error(&w, &r->err, advice.len > 0 ? buf_text(&advice) : NULL);
    } else {
        json_write_member_null(&w, "error");
    }
    json_write_end_object(&w);
    buf_add_char(out, '\n');
    buf_fini(&advice);
}

void admin_wish(const struct admin_wish_request *request, struct reload_cell *cell,
                struct admin_page *page)
{
    assert(request != NULL && cell != NULL);
    *page = (struct admin_page){
        .status = 200, .content_type = "text/plain; charset=utf-8", .body = BUF_EMPTY};
    if (request->post) {
        post(request, cell, page);
        return;
    }
    struct reload reload;
    reload_cell_get(cell, &reload);
    page->content_type = "application/json";
    write_state(&reload, &page->body);
    buf_fini(&reload.changes);
}
