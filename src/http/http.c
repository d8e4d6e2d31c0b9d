/* http/http: the queue and the attempts, by libcurl's multi interface: it never blocks, but for the
 * wait in http_step(), and names are resolved in a thread of libcurl's own. Nothing of an answer is
 * kept but its status, and what is longer than ANSWER_BYTES_MAX is not read to its end. */
#include "http/http.h"

#include "base/jitter.h"
#include "base/memory.h"
#include "http/http_sign.h"

#include <assert.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of what a server asks for by Retry-After. */
#define RETRY_AFTER_MAX_US INT64_C(3600000000)
/* Of headers and body together: a server that never ceases to send costs no more than that, instead
 * of a processor for as long as the time-out allows. */
#define ANSWER_BYTES_MAX ((size_t)64 * 1024)

struct post {
    struct post *next;
    char id[HTTP_ID_MAX];
    int64_t put_us;
    int64_t due_us;
    int64_t wait_us; /* the next one between two attempts */
    size_t length;
    char body[];
};

struct http {
    struct http_target target; /* its texts are the http's own */
    CURLM *multi;
    CURL *easy;
    struct curl_slist *headers; /* of the attempt under way */
    char why[CURL_ERROR_SIZE];
    size_t answer_bytes; /* of that attempt */
    bool in_body;
    struct post *first, *last;
    uint32_t count;
    bool busy; /* an attempt of the first is under way */
    bool last_chance;
};

/* ---- Lifecycle ---- */

static void forget_target(struct http *http)
{
    struct http_pair *headers = (struct http_pair *)http->target.headers;
    for (uint32_t i = 0; i < http->target.header_count; i++) {
        free((char *)headers[i].name);
        free((char *)headers[i].value);
    }
    free(headers);
    free((char *)http->target.url);
    free((char *)http->target.ca_file);
    free((char *)http->target.secret);
}

void http_aim(struct http *http, const struct http_target *target)
{
    assert(http != NULL && target != NULL && target->url != NULL);
    assert(target->timeout_ms > 0 && target->give_up_us > 0 && target->queue_max > 0);
    struct http_pair *headers =
        memory_checked(calloc((size_t)target->header_count + 1, sizeof *headers));
    for (uint32_t i = 0; i < target->header_count; i++)
        headers[i] = (struct http_pair){memory_copy(target->headers[i].name),
                                        memory_copy(target->headers[i].value)};
    struct http_target fresh = *target;
    fresh.url = memory_copy(target->url);
    fresh.ca_file = memory_copy(target->ca_file);
    fresh.secret = memory_copy(target->secret);
    fresh.headers = headers;
    forget_target(http);
    http->target = fresh;
}

struct http *http_open(const struct http_target *target)
{
    struct http *http = memory_checked(calloc(1, sizeof *http));
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        abort();
    http->multi = memory_checked(curl_multi_init());
    http->easy = memory_checked(curl_easy_init());
    http_aim(http, target);
    return http;
}

static void end_attempt(struct http *http)
{
    if (!http->busy)
        return;
    curl_multi_remove_handle(http->multi, http->easy);
    curl_slist_free_all(http->headers);
    http->headers = NULL;
    http->busy = false;
}

static void drop_first(struct http *http)
{
    struct post *post = http->first;
    http->first = post->next;
    if (http->first == NULL)
        http->last = NULL;
    http->count--;
    free(post);
}

void http_close(struct http *http)
{
    if (http == NULL)
        return;
    (void)http_forget(http);
    curl_easy_cleanup(http->easy);
    curl_multi_cleanup(http->multi);
    curl_global_cleanup();
    forget_target(http);
    free(http);
}

/* ---- The queue ---- */

/* The oldest that waits; the one under way stays. */
static void drop_oldest(struct http *http)
{
    if (!http->busy) {
        drop_first(http);
        return;
    }
    struct post *post = http->first->next;
    http->first->next = post->next;
    if (http->last == post)
        http->last = http->first;
    http->count--;
    free(post);
}

bool http_put(struct http *http, struct span body, int64_t now_us)
{
    assert(http != NULL && body.ptr != NULL);
    struct post *post = memory_checked(malloc(sizeof *post + body.len));
    *post = (struct post){
        .put_us = now_us, .due_us = now_us, .wait_us = HTTP_WAIT_MIN_US, .length = body.len};
    memcpy(post->body, body.ptr, body.len);
    http_sign_id(post->id);
    bool full = http->count >= http->target.queue_max + (http->busy ? 1 : 0);
    if (full)
        drop_oldest(http);
    if (http->last != NULL)
        http->last->next = post;
    else
        http->first = post;
    http->last = post;
    http->count++;
    return !full;
}

uint32_t http_waiting(const struct http *http)
{
    assert(http != NULL);
    return http->count;
}

bool http_busy(const struct http *http)
{
    assert(http != NULL);
    return http->busy;
}

uint32_t http_forget(struct http *http)
{
    assert(http != NULL);
    uint32_t dropped = http->count;
    end_attempt(http);
    while (http->first != NULL)
        drop_first(http);
    return dropped;
}

void http_hurry(struct http *http)
{
    assert(http != NULL);
    http->last_chance = true;
    for (struct post *post = http->first; post != NULL; post = post->next)
        post->due_us = 0;
}

void http_wake(struct http *http)
{
    assert(http != NULL);
    curl_multi_wakeup(http->multi);
}

/* ---- An attempt ---- */

/* 0 ends the attempt. */
static size_t count_bytes(struct http *http, size_t bytes)
{
    http->answer_bytes += bytes;
    return http->answer_bytes <= ANSWER_BYTES_MAX ? bytes : 0;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *of)
{
    (void)bytes;
    return count_bytes(of, size * count);
}

static size_t on_body(char *bytes, size_t size, size_t count, void *of)
{
    struct http *http = of;
    (void)bytes;
    http->in_body = true;
    return count_bytes(http, size * count);
}

static void add_header(struct http *http, const char *name, const char *value)
{
    struct buf line = BUF_EMPTY;
    buf_add_format(&line, "%s: %s", name, value);
    http->headers = memory_checked(curl_slist_append(http->headers, buf_text(&line)));
    buf_fini(&line);
}

static void add_headers(struct http *http, const struct post *post, int64_t wall_us)
{
    char timestamp[24];
    add_header(http, "Content-Type", "application/json");
    add_header(http, "Expect", ""); /* no round trip before the body */
    for (uint32_t i = 0; i < http->target.header_count; i++)
        add_header(http, http->target.headers[i].name, http->target.headers[i].value);
    if (http->target.secret == NULL)
        return;
    struct buf signature = BUF_EMPTY;
    int64_t seconds = wall_us / 1000000;
    http_sign(http->target.secret, post->id, seconds, (struct span){post->body, post->length},
              &signature);
    snprintf(timestamp, sizeof timestamp, "%lld", (long long)seconds);
    add_header(http, "webhook-id", post->id);
    add_header(http, "webhook-timestamp", timestamp);
    add_header(http, "webhook-signature", buf_text(&signature));
    buf_fini(&signature);
}

/* A redirect is no answer of who was meant, and what is signed goes nowhere else. */
static void begin(struct http *http, int64_t wall_us)
{
    const struct post *post = http->first;
    const char *body = post->body;
    CURL *easy = http->easy;
    curl_easy_reset(easy);
    http->why[0] = '\0';
    http->answer_bytes = 0;
    http->in_body = false;
    add_headers(http, post, wall_us);
    curl_easy_setopt(easy, CURLOPT_URL, http->target.url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)http->target.timeout_ms);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, http->why);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, http);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, http);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "walferry/" WALFERRY_VERSION);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, http->headers);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)post->length);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
#if LIBCURL_VERSION_NUM >= 0x075700
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* a resolver that hangs is not waited for */
#endif
    if (http->target.ca_file != NULL) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, http->target.ca_file);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); /* that one and no other */
    }
    if (curl_multi_add_handle(http->multi, easy) != CURLM_OK)
        abort();
    http->busy = true;
}

/* ---- Its end ---- */

static bool is_final(const struct http_target *target, int status)
{
    if (!target->picky)
        return status == 410; /* Gone: whoever says that wants no more (Standard Webhooks) */
    bool passes = status == 401 || status == 403 || status == 408 || status == 429;
    return status >= 300 && status < 500 && !passes;
}

/* Whatever a server asks for, the last attempt is made in time. */
static void postpone(struct http *http, int64_t now_us)
{
    struct post *post = http->first;
    int64_t left_us = post->put_us + http->target.give_up_us - now_us;
    curl_off_t asked_s = 0;
    curl_easy_getinfo(http->easy, CURLINFO_RETRY_AFTER, &asked_s);
    int64_t asked_us =
        asked_s > RETRY_AFTER_MAX_US / 1000000 ? RETRY_AFTER_MAX_US : (int64_t)asked_s * 1000000;
    if (asked_us > left_us)
        asked_us = left_us;
    int64_t wait_us = jitter_us(post->wait_us);
    post->wait_us = post->wait_us * 2 > HTTP_WAIT_MAX_US ? HTTP_WAIT_MAX_US : post->wait_us * 2;
    post->due_us = now_us + (wait_us > asked_us ? wait_us : asked_us);
}

static void settle(struct http *http, CURLcode code, int64_t now_us, struct http_result *result)
{
    long status = 0;
    bool cut = http->answer_bytes > ANSWER_BYTES_MAX;
    if (cut && http->in_body)
        code = CURLE_OK; /* the rest of it would say nothing more */
    if (code == CURLE_OK)
        curl_easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &status);
    result->status = (int)status;
    if (code != CURLE_OK && cut)
        snprintf(result->detail, sizeof result->detail,
                 "the server sent more than 64 KB of headers");
    else if (code != CURLE_OK)
        snprintf(result->detail, sizeof result->detail, "%.199s",
                 http->why[0] != '\0' ? http->why : curl_easy_strerror(code));
    else
        snprintf(result->detail, sizeof result->detail, "the server answered %ld%s", status,
                 status >= 300 && status < 400 ? ", a redirect, which is not followed" : "");
    bool over = http->last_chance || now_us - http->first->put_us >= http->target.give_up_us;
    if (status >= 200 && status < 300)
        result->outcome = HTTP_SENT;
    else if (is_final(&http->target, (int)status))
        result->outcome = HTTP_REFUSED;
    else
        result->outcome = over ? HTTP_GIVEN_UP : HTTP_RETRIED;
    if (result->outcome == HTTP_RETRIED)
        postpone(http, now_us);
    end_attempt(http);
    if (result->outcome != HTTP_RETRIED)
        drop_first(http);
}

static bool settled(struct http *http, int64_t now_us, struct http_result *result)
{
    int running, left;
    if (!http->busy)
        return false;
    curl_multi_perform(http->multi, &running);
    for (CURLMsg *m; (m = curl_multi_info_read(http->multi, &left)) != NULL;) {
        if (m->msg != CURLMSG_DONE)
            continue;
        settle(http, m->data.result, now_us, result);
        return true;
    }
    return false;
}

void http_step(struct http *http, int64_t now_us, int64_t wall_us, int wait_ms,
               struct http_result *result)
{
    assert(http != NULL && result != NULL);
    assert(wait_ms >= 0);
    *result = (struct http_result){.outcome = HTTP_NOTHING};
    if (settled(http, now_us, result))
        return;
    if (!http->busy && http->first != NULL && http->first->due_us <= now_us) {
        begin(http, wall_us);
        if (settled(http, now_us, result))
            return;
    }
    if (!http->busy && http->first != NULL) {
        int64_t left_ms = (http->first->due_us - now_us) / 1000 + 1;
        wait_ms = left_ms < wait_ms ? (int)left_ms : wait_ms;
    }
    curl_multi_poll(http->multi, NULL, 0, wait_ms, NULL);
}
