/* stream_fuzz: arbitrary CopyData payloads through the sans-I/O core of the stream (libFuzzer).
 * Input is a .frames file of tests/golden: Int64 start LSN, then payloads behind their Int32
 * length. The low bits of a length decide what happens besides. Checked: positions never go back,
 * and no status tells the server more than was confirmed (I1). */
#include "source/source.h"

#include "pgoutput_encoder.h"

#include <stdint.h>
#include <stdlib.h>

#define START_BYTES 8
#define LENGTH_BYTES 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
    struct stream *stream;
    struct position last;
    uint64_t confirmed_lsn;
    uint64_t told_lsn;
    int64_t now_us;
    struct buf out;
};

static void must(bool condition)
{
    if (!condition)
        abort();
}

static uint64_t number(const uint8_t *bytes, int width)
{
    uint64_t value = 0;

    for (int i = 0; i < width; i++)
        value = value << 8 | bytes[i];
    return value;
}

static void check_status(struct run *r)
{
    struct standby_status status;

    buf_reset(&r->out);
    if (!stream_status(r->stream, r->now_us, r->now_us, &r->out))
        return;
    must(read_status(buf_span(&r->out), &status));
    must(status.flush_lsn == r->confirmed_lsn);
    must(status.write_lsn == status.flush_lsn && status.apply_lsn == status.flush_lsn);
    must(status.flush_lsn >= r->told_lsn);
    r->told_lsn = status.flush_lsn;
}

static void check_change(struct run *r, const struct change *change)
{
    if (change->op == CHANGE_MESSAGE && !change->message.transactional)
        return;
    must(position_compare(change->position, r->last) >= 0);
    must(change->position.seq == change->id.ordinal);
    r->last = change->position;
}

static int feed_one(struct run *r, const uint8_t *bytes, size_t len)
{
    struct change change;
    struct error err = ERROR_INIT;
    char *exact = malloc(len > 0 ? len : 1);

    must(exact != NULL);
    if (len > 0)
        memcpy(exact, bytes, len);
    int result = stream_feed(r->stream, (struct span){exact, len}, r->now_us, &err);

    must((result < 0) == (err.kind == ERROR_STOP));
    if (result == 0 && stream_next(r->stream, &change) == 1)
        check_change(r, &change);
    free(exact);
    if ((len & 3) == 1) {
        stream_confirm(r->stream, r->last);
        r->confirmed_lsn = r->last.lsn;
    }
    if ((len & 4) != 0)
        r->now_us += (int64_t)len * 1000;
    check_status(r);
    if (stream_tick(r->stream, r->now_us, &err) < 0) {
        must(err.kind == ERROR_RETRY);
        return -1;
    }
    must(stream_deadline(r->stream) > r->now_us);
    return result;
}

static void run_frames(struct run *r, const uint8_t *data, size_t size)
{
    for (size_t at = START_BYTES; at + LENGTH_BYTES <= size;) {
        size_t len = (size_t)number(data + at, LENGTH_BYTES);

        at += LENGTH_BYTES;
        if (len > size - at)
            len = size - at;
        if (feed_one(r, data + at, len) < 0)
            return;
        at += len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < START_BYTES)
        return 0;
    uint64_t start_lsn = number(data, START_BYTES);
    struct stream_options options = {.start = {start_lsn, 0}, .server_timeout_us = 60000000};

    if ((size & 7) == 7) {
        options.partial.final_lsn = start_lsn + (size & 0xff);
        options.partial.done = options.start.seq = size & 15;
    }
    struct run r = {.stream = stream_open(&options),
                    .last = {start_lsn, 0},
                    .confirmed_lsn = start_lsn,
                    .out = BUF_EMPTY};

    run_frames(&r, data, size);
    stream_close(r.stream);
    buf_fini(&r.out);
    return 0;
}
