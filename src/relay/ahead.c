/* relay/ahead: see ahead.h. A ring of copies; the reader's call takes one out and the inner source
 * fills the gap. */
#include "relay/ahead.h"

#include "base/table.h"
#include "types/types.h"

#include <assert.h>
#include <stdlib.h>

#define RING_MAX 128
/* A row of more is not copied. */
#define ROW_BYTES (16 * (size_t)1024)
#define RING_BYTES (256 * (size_t)1024)
#define CHUNK_BYTES (16 * (size_t)1024)

struct kept {
    struct change change;
    struct buf bytes; /* its cells, and what they point to */
};

/* A type that people have made, as it was. */
struct own_type {
    const struct type *type; /* which is changed in place */
    struct type seen;
    struct type *copy;
    struct own_type *next;
};

/* A relation as it was when rows of this version came. */
struct described {
    uint64_t version;
    const struct relation *relation;
    struct own_type *own; /* of its columns, and what they are made of */
};

struct ahead {
    struct source base; /* first: the ops find us through it */
    struct source *inner;
    struct router *router;
    struct kept ring[RING_MAX];
    uint32_t first, count;
    size_t bytes;       /* of all in the ring */
    struct change last; /* not copied: nothing is read until the call after its own */
    bool has_last;
    uint32_t dry;           /* the inner source had nothing: not asked again above so many */
    struct error failure;   /* of the inner source, told once the ring is empty */
    bool reading;           /* next was called last, not tick: the caller has room for changes */
    struct arena arena;     /* of what was described */
    struct table described; /* by the address of the inner relation */
    const struct relation *described_last; /* the inner one, and what it is here */
    struct described *described_as;
    struct arena scratch;
};

static struct ahead *from_base(struct source *s)
{
    assert(s != NULL);
    return (struct ahead *)s;
}

/* ---- Relations ---- */

static const struct type *copy_type(struct ahead *a, struct described *d, const struct type *type)
{
    if (type == NULL || type == types_unknown() || types_builtin(type->oid) == type)
        return type;
    for (struct own_type *own = d->own; own != NULL; own = own->next)
        if (own->type == type)
            return own->copy;
    struct own_type *own = arena_alloc(&a->arena, sizeof *own);
    struct type *copy = arena_alloc(&a->arena, sizeof *copy);
    memcpy(&own->seen, type, sizeof own->seen);
    *copy = *type;
    own->type = type;
    own->copy = copy;
    own->next = d->own;
    d->own = own;
    copy->element = copy_type(a, d, type->element);
    copy->base = type->base == type ? copy : copy_type(a, d, type->base);
    struct span *labels = arena_alloc(&a->arena, type->label_count * sizeof *labels);
    if (type->label_count > 0)
        memcpy(labels, type->labels, type->label_count * sizeof *labels);
    copy->labels = labels;
    return copy;
}

static void copy_key(struct ahead *a, struct relation_key *key, uint32_t column_count)
{
    if (key->columns != NULL) {
        uint32_t *columns = arena_alloc(&a->arena, key->count * sizeof *columns);
        memcpy(columns, key->columns, key->count * sizeof *columns);
        key->columns = columns;
    }
    if (key->not_null != NULL) {
        bool *not_null = arena_alloc(&a->arena, column_count * sizeof *not_null);
        memcpy(not_null, key->not_null, column_count * sizeof *not_null);
        key->not_null = not_null;
    }
    if (key->defs != NULL) {
        struct span *defs = arena_alloc(&a->arena, column_count * sizeof *defs);
        memcpy(defs, key->defs, column_count * sizeof *defs);
        key->defs = defs;
    }
}

/* Names lie in the epoch, where the old ones stay; structs and arrays are changed in place. */
static void describe_anew(struct ahead *a, struct described *d, const struct relation *relation)
{
    struct relation *copy = arena_alloc(&a->arena, sizeof *copy);
    *d = (struct described){.version = relation->version, .relation = copy};
    *copy = *relation;
    copy_key(a, &copy->key, relation->column_count);
    copy->columns = arena_alloc(&a->arena, relation->column_count * sizeof *copy->columns);
    for (uint32_t i = 0; i < relation->column_count; i++) {
        copy->columns[i] = relation->columns[i];
        copy->columns[i].type = copy_type(a, d, relation->columns[i].type);
    }
}

static bool is_as_described(const struct described *d, const struct relation *relation)
{
    if (d->version != relation->version)
        return false;
    for (const struct own_type *own = d->own; own != NULL; own = own->next)
        if (memcmp(own->type, &own->seen, sizeof own->seen) != 0)
            return false;
    return true;
}

static const struct relation *describe(struct ahead *a, const struct relation *relation)
{
    if (relation == a->described_last && is_as_described(a->described_as, relation))
        return a->described_as->relation;
    struct span key = {(const char *)&relation, sizeof relation};
    struct described *described = table_get(&a->described, key);
    if (described == NULL) {
        described = arena_alloc_zero(&a->arena, sizeof *described);
        table_put(&a->described, key, described);
    }
    if (!is_as_described(described, relation))
        describe_anew(a, described, relation);
    a->described_last = relation;
    a->described_as = described;
    return described->relation;
}

/* ---- Copies ---- */

static bool has_bytes(const struct cell *cell)
{
    return cell->kind == CELL_TEXT || cell->kind == CELL_BINARY || cell->kind == CELL_BYTES;
}

static size_t cells_bytes(const struct cell *cells, uint32_t count)
{
    size_t bytes = 0;
    for (uint32_t i = 0; cells != NULL && i < count; i++)
        bytes += sizeof *cells + (has_bytes(&cells[i]) ? cells[i].bytes.len : 0);
    return bytes;
}

static size_t row_bytes(const struct row *row)
{
    return cells_bytes(row->cells, row->count) + cells_bytes(row->raw, row->count);
}

/* There is room. The cells first, then what they point to. */
static struct cell *copy_cells(struct buf *to, const struct cell *cells, uint32_t count)
{
    if (cells == NULL || count == 0)
        return NULL;
    struct cell *copies = (struct cell *)(void *)(to->ptr + to->len);
    memcpy(copies, cells, count * sizeof *copies);
    to->len += count * sizeof *copies;
    return copies;
}

static void copy_contents(struct buf *to, struct cell *cells, uint32_t count)
{
    for (uint32_t i = 0; cells != NULL && i < count; i++) {
        if (!has_bytes(&cells[i]))
            continue;
        char *bytes = to->ptr + to->len;
        memcpy(bytes, cells[i].bytes.ptr, cells[i].bytes.len);
        to->len += cells[i].bytes.len;
        cells[i].bytes.ptr = bytes;
    }
}

static void keep_row(struct buf *to, const struct row *row, struct row *copy)
{
    struct cell *cells = copy_cells(to, row->cells, row->count);
    struct cell *raw = copy_cells(to, row->raw, row->count);
    *copy = (struct row){row->count, cells, raw};
}

static void keep_contents(struct buf *to, struct row *copy)
{
    copy_contents(to, copy->cells, copy->count);
    copy_contents(to, (struct cell *)copy->raw, copy->count);
}

static const struct change *keep(struct ahead *a, const struct change *change, size_t size)
{
    struct kept *kept = &a->ring[(a->first + a->count++) % RING_MAX];
    struct change *copy = &kept->change;
    struct buf *to = &kept->bytes;
    *copy = *change;
    buf_reset(to);
    (void)buf_reserve(to, size + 1); /* of no bytes, too, there is a place */
    keep_row(to, &change->before, &copy->before);
    keep_row(to, &change->after, &copy->after);
    keep_contents(to, &copy->before);
    keep_contents(to, &copy->after);
    if (change->origin.ptr != NULL) {
        copy->origin.ptr = to->ptr + to->len;
        buf_add(to, change->origin);
    }
    assert(to->len == size);
    a->bytes += size;
    return copy;
}

static bool is_row(const struct change *change)
{
    return change->op == CHANGE_INSERT || change->op == CHANGE_UPDATE ||
           change->op == CHANGE_DELETE || change->op == CHANGE_READ;
}

static bool is_kept(const struct change *change, size_t size)
{
    bool simple = change->op == CHANGE_BEGIN || change->op == CHANGE_COMMIT ||
                  change->op == CHANGE_MARK || is_row(change);
    return simple && size <= ROW_BYTES;
}

/* ---- Reading ahead ---- */

static void take(struct ahead *a, struct change *change)
{
    size_t size = row_bytes(&change->before) + row_bytes(&change->after) + change->origin.len;
    if (is_row(change))
        change->relation = describe(a, change->relation);
    if (!is_kept(change, size)) {
        a->last = *change;
        a->has_last = true;
        return;
    }
    const struct change *kept = keep(a, change, size);
    if (!is_row(kept))
        return;
    arena_reset(&a->scratch);
    router_expect(a->router, kept, &a->scratch);
}

/* With nothing in hand it reads whatever the router has room for: somebody waits. */
static bool may_read(const struct ahead *a)
{
    if (a->has_last || a->failure.kind != ERROR_NONE)
        return false;
    return a->count == 0 || (a->count < RING_MAX && a->count <= a->dry && a->bytes < RING_BYTES &&
                             router_has_room(a->router));
}

/* What the server has not sent yet is asked for less and less often, as the ring grows empty. */
static void read_ahead(struct ahead *a, int64_t now_us)
{
    while (may_read(a)) {
        struct change change;
        enum step got = source_next(a->inner, now_us, &change, &a->failure);
        a->base.data_us = a->inner->data_us;
        a->dry = got == STEP_WAIT ? a->count / 2 : RING_MAX;
        if (got != STEP_DONE)
            return;
        take(a, &change);
    }
}

static enum step next(struct source *base, int64_t now_us, struct change *change, struct error *err)
{
    struct ahead *a = from_base(base);
    assert(change != NULL && err != NULL);
    a->reading = true;
    read_ahead(a, now_us);
    if (a->count > 0) {
        struct kept *kept = &a->ring[a->first];
        *change = kept->change;
        a->first = (a->first + 1) % RING_MAX;
        a->count--;
        a->bytes -= kept->bytes.len;
        return STEP_DONE;
    }
    if (a->has_last) {
        *change = a->last;
        a->has_last = false;
        return STEP_DONE;
    }
    if (a->failure.kind == ERROR_NONE)
        return STEP_WAIT;
    *err = a->failure;
    return STEP_FAILED;
}

static void wait(struct source *base, int *fd, int64_t *deadline_us)
{
    struct ahead *a = from_base(base);
    source_wait(a->inner, fd, deadline_us);
    if (!a->reading || (a->count == 0 && !a->has_last))
        return;
    *fd = -1;
    *deadline_us = 0;
}

static int tick(struct source *base, int64_t now_us, struct error *err)
{
    struct ahead *a = from_base(base);
    a->reading = false;
    int result = source_tick(a->inner, now_us, err);
    a->base.data_us = a->inner->data_us;
    return result;
}

static void confirm(struct source *base, struct position committed, struct span resume)
{
    source_confirm(from_base(base)->inner, committed, resume);
}

static void report(const struct source *base, struct source_status *status)
{
    *status = source_report(((const struct ahead *)base)->inner);
}

static void close_ahead(struct source *base, int64_t deadline_us)
{
    struct ahead *a = from_base(base);
    source_close(a->inner, deadline_us);
    for (uint32_t i = 0; i < RING_MAX; i++)
        buf_fini(&a->ring[i].bytes);
    arena_fini(&a->arena);
    arena_fini(&a->scratch);
    free(a);
}

static const struct source_ops ahead_ops = {
    .name = "ahead",
    .next = next,
    .wait = wait,
    .tick = tick,
    .confirm = confirm,
    .report = report,
    .close = close_ahead,
};

struct source *ahead_open(struct source *inner, struct router *router)
{
    assert(inner != NULL && inner->ops->resume == NULL);
    assert(router != NULL);
    struct ahead *a = calloc(1, sizeof *a);
    if (a == NULL)
        abort();
    a->base = (struct source){.ops = &ahead_ops, .data_us = inner->data_us};
    a->inner = inner;
    a->router = router;
    a->failure = ERROR_INIT;
    arena_init(&a->arena, CHUNK_BYTES, CHUNK_BYTES);
    arena_init(&a->scratch, CHUNK_BYTES, CHUNK_BYTES);
    table_init(&a->described, &a->arena);
    return &a->base;
}
