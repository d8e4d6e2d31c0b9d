/* poll_record: resume of the progress record, for those who poll nothing: they judge a start, begin
 * anew, or ask whether a change is behind. */
#include "source/poll_options.h"

#include "json/json_read.h"
#include "json/json_write.h"
#include "source/poll_snapshot.h"

void poll_resume_write(struct span snapshot, struct buf *json)
{
    struct json_writer w = json_writer(json);
    json_write_begin_object(&w);
    json_write_member_string(&w, "prev", snapshot);
    json_write_member_null(&w, "target");
    json_write_name(&w, "last_seq");
    json_write_begin_object(&w);
    json_write_end_object(&w);
    json_write_end_object(&w);
}

bool poll_resume_read(struct span resume, struct buf *prev, uint64_t *xmax)
{
    struct json_tree *root = NULL;
    struct error bad = ERROR_INIT;
    struct span text, target;
    struct snapshot s;
    bool good = resume.ptr != NULL && json_tree_parse(resume, &root, &bad) == 0 &&
                json_tree_member_string(root, "prev", &text) && snapshot_parse(text, &s);
    if (good) {
        buf_add(prev, text);
        *xmax = s.xmax;
        if (json_tree_member_string(root, "target", &target) && snapshot_parse(target, &s) &&
            s.xmax > *xmax)
            *xmax = s.xmax;
    }
    json_tree_free(root);
    return good;
}

bool poll_resume_sees(struct span resume, uint64_t xid)
{
    struct buf prev = BUF_EMPTY;
    uint64_t xmax;
    struct snapshot s;
    bool sees = poll_resume_read(resume, &prev, &xmax) && snapshot_parse(buf_span(&prev), &s) &&
                snapshot_sees(&s, xid);
    buf_fini(&prev);
    return sees;
}

/* A schema with a dot stands in quotes, as in the file; else two tables could have one name. */
void poll_table_name(const struct relation *relation, struct buf *name)
{
    struct span schema = relation->schema;
    bool quoted = memchr(schema.ptr, '.', schema.len) || memchr(schema.ptr, '"', schema.len);
    buf_add_text(name, quoted ? "\"" : "");
    for (size_t i = 0; i < schema.len; i++) {
        buf_add_char(name, schema.ptr[i]);
        if (schema.ptr[i] == '"')
            buf_add_char(name, '"');
    }
    buf_add_text(name, quoted ? "\"." : ".");
    buf_add(name, relation->name);
}
