/* claim_record: resume of the progress record of who claims, for those who claim nothing.
 *
 *   {"ids": {"public.outbox": "17,18"}, "shapes": {"public.outbox": "1a2b3c4d"}, "xid": "742",
 *    "flushed": "0/1A2B3C0"} */
#include "source/claim_options.h"

#include "json/json_read.h"
#include "json/json_write.h"
#include "model/position.h"

#include <inttypes.h>
#include <stdio.h>

bool claim_resume_read(struct span resume, struct claim_record *record)
{
    struct json_tree *root = NULL;
    struct error bad = ERROR_INIT;
    struct span flushed;
    *record = (struct claim_record){0, 0};
    bool good = resume.ptr != NULL && json_tree_parse(resume, &root, &bad) == 0 &&
                json_tree_kind(json_tree_member(root, "ids")) == JSON_TREE_OBJECT &&
                json_tree_member_string(root, "flushed", &flushed) &&
                lsn_parse(flushed, &record->flushed);
    if (good && !json_tree_is_null(json_tree_member(root, "xid")))
        good = json_tree_member_u64(root, "xid", &record->xid);
    json_tree_free(root);
    return good;
}

/* A record of an older version has none. */
int claim_check_shape(struct span resume, struct span table, uint32_t shape, struct error *err)
{
    struct json_tree *root = NULL;
    struct error bad = ERROR_INIT;
    struct span known = span_null();
    char name[256], text[16];
    snprintf(name, sizeof name, "%.*s", SPAN_ARG(table));
    snprintf(text, sizeof text, "%08" PRIx32, shape);
    bool differs = shape != 0 && json_tree_parse(resume, &root, &bad) == 0 &&
                   json_tree_member_string(json_tree_member(root, "shapes"), name, &known) &&
                   !span_equal_text(known, text);
    json_tree_free(root);
    if (!differs)
        return 0;
    error_stop(err, REASON_MODE_CHANGED,
               "rows of table %s were finished under other values of routes[].poll (done, column, "
               "pending or key): rows that are published may be pending under those of the file",
               name);
    error_hint(err, "put them back; or finish by hand what is published, then publish what is "
                    "pending");
    return error_mend(err, "rebase --to beginning --accept-repeat");
}

static bool has(struct span list, const char *key, size_t len)
{
    for (size_t at = 0; at + len <= list.len; at++) {
        bool starts = at == 0 || list.ptr[at - 1] == ',';
        bool ends = at + len == list.len || list.ptr[at + len] == ',';
        if (starts && ends && memcmp(list.ptr + at, key, len) == 0)
            return true;
    }
    return false;
}

bool claim_resume_has(struct span resume, struct change_id id)
{
    struct json_tree *root = NULL;
    struct error bad = ERROR_INIT;
    char key[CHANGE_ID_KEY_MAX];
    bool found = false;
    if (!change_id_is_claimed(id) || resume.ptr == NULL || json_tree_parse(resume, &root, &bad) < 0)
        return false;
    size_t len = change_id_format_key(id, key);
    const struct json_tree *ids = json_tree_member(root, "ids");
    for (size_t i = 0; i < json_tree_count(ids); i++) {
        struct span list;
        const char *table = json_tree_name_at(ids, i);
        found |= json_tree_member_string(ids, table, &list) && has(list, key, len);
    }
    json_tree_free(root);
    return found;
}
