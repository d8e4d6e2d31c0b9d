/* model/recent: see recent.h. It reads no clock and formats nothing. */
#include "model/recent.h"

#include "base/utf8.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void recent_init(struct recent *recent)
{
    assert(recent != NULL);
    memset(recent, 0, sizeof *recent);
    pthread_mutex_init(&recent->mutex, NULL);
}

void recent_fini(struct recent *recent)
{
    buf_fini(&recent->config);
    pthread_mutex_destroy(&recent->mutex);
}

/* ---- Texts ---- */

/* As much as fits without a character in two; bytes that are no text are cut anywhere. Returns how
 * many. */
static uint16_t take(struct span from, char *bytes, size_t room)
{
    size_t len = from.len < room ? from.len : room;
    for (size_t back = 1; from.len > room && back <= 3; back++)
        if (utf8_cut_off(from.ptr + room - back, from.ptr + room))
            len = room - back;
    if (len > 0)
        memcpy(bytes, from.ptr, len);
    return (uint16_t)len;
}

void recent_text_set(struct recent_text *text, struct span from)
{
    assert(text != NULL);
    *text = (struct recent_text){.absent = from.ptr == NULL, .whole_bytes = (uint32_t)from.len};
    text->len = take(from, text->bytes, sizeof text->bytes);
}

void recent_payload_set(struct recent_event *event, struct span payload)
{
    assert(event != NULL);
    event->has_payload = true;
    event->payload.absent = payload.ptr == NULL;
    event->payload.whole_bytes = (uint32_t)payload.len;
    event->payload.len = take(payload, event->payload.bytes, sizeof event->payload.bytes);
}

/* ---- Writing ---- */

void recent_add_events(struct recent *recent, struct recent_event *events, uint32_t count)
{
    if (recent == NULL || count == 0)
        return;
    assert(events != NULL && count <= RECENT_EVENTS);
    struct recent_lists *lists = &recent->lists;
    pthread_mutex_lock(&recent->mutex);
    for (uint32_t i = 0; i < count; i++) {
        events[i].number = lists->event_count + 1;
        lists->events[lists->event_count++ % RECENT_EVENTS] = events[i];
    }
    pthread_mutex_unlock(&recent->mutex);
}

void recent_forget_payloads(struct recent *recent)
{
    if (recent == NULL)
        return;
    pthread_mutex_lock(&recent->mutex);
    for (uint32_t i = 0; i < RECENT_EVENTS; i++) {
        recent->lists.events[i].has_payload = false;
        memset(&recent->lists.events[i].payload, 0, sizeof recent->lists.events[i].payload);
    }
    pthread_mutex_unlock(&recent->mutex);
}

/* NULL: there is none yet. The caller holds the mutex. */
static struct recent_sample *newest_sample(struct recent_lists *lists)
{
    if (lists->sample_count == 0)
        return NULL;
    return &lists->samples[(lists->sample_count - 1) % RECENT_SAMPLES];
}

/* A clock that was set back begins anew at once. */
bool recent_wants_sample(struct recent *recent, int64_t wall_us)
{
    if (recent == NULL)
        return false;
    pthread_mutex_lock(&recent->mutex);
    const struct recent_sample *newest = newest_sample(&recent->lists);
    bool wants = newest == NULL || wall_us - newest->wall_us >= RECENT_SAMPLE_US ||
                 wall_us < newest->wall_us;
    pthread_mutex_unlock(&recent->mutex);
    return wants;
}

void recent_add_sample(struct recent *recent, const struct recent_sample *sample)
{
    if (recent == NULL)
        return;
    assert(sample != NULL);
    struct recent_lists *lists = &recent->lists;
    pthread_mutex_lock(&recent->mutex);
    lists->samples[lists->sample_count++ % RECENT_SAMPLES] = *sample;
    pthread_mutex_unlock(&recent->mutex);
}

void recent_open_epoch(struct recent *recent, uint64_t generation, int64_t wall_us)
{
    if (recent == NULL)
        return;
    struct recent_lists *lists = &recent->lists;
    pthread_mutex_lock(&recent->mutex);
    lists->epochs[lists->epoch_count % RECENT_EPOCHS] = (struct recent_epoch){
        .number = lists->epoch_count + 1, .generation = generation, .opened_wall_us = wall_us};
    lists->epoch_count++;
    pthread_mutex_unlock(&recent->mutex);
}

void recent_close_epoch(struct recent *recent, const char *reason, int64_t wall_us)
{
    if (recent == NULL)
        return;
    assert(reason != NULL && recent->lists.epoch_count > 0);
    pthread_mutex_lock(&recent->mutex);
    struct recent_epoch *newest =
        &recent->lists.epochs[(recent->lists.epoch_count - 1) % RECENT_EPOCHS];
    newest->closed_wall_us = wall_us;
    snprintf(newest->reason, sizeof newest->reason, "%s", reason);
    pthread_mutex_unlock(&recent->mutex);
}

void recent_set_config(struct recent *recent, struct span text)
{
    if (recent == NULL)
        return;
    pthread_mutex_lock(&recent->mutex);
    buf_reset(&recent->config);
    buf_add(&recent->config, text);
    pthread_mutex_unlock(&recent->mutex);
}

/* ---- Reading ---- */

void recent_copy(struct recent *recent, struct recent_lists *lists)
{
    assert(lists != NULL && lists != &recent->lists);
    pthread_mutex_lock(&recent->mutex);
    *lists = recent->lists;
    pthread_mutex_unlock(&recent->mutex);
}

void recent_copy_config(struct recent *recent, struct buf *out)
{
    assert(out != NULL && out != &recent->config);
    pthread_mutex_lock(&recent->mutex);
    buf_add(out, buf_span(&recent->config));
    pthread_mutex_unlock(&recent->mutex);
}
