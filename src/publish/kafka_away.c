/* publish/kafka_away: see kafka_away.h. Only librdkafka's texts tell which broker an error is
 * about: the name that it gives a connection stands before the first ": ", with the broker's number
 * behind the last slash of it. */
#include "publish/kafka_away.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Of name[0..len) what is in front of "/<number>"; 0 where that is not there. */
static size_t length_before_number(const char *name, size_t len)
{
    size_t at = len;
    while (at > 0 && name[at - 1] >= '0' && name[at - 1] <= '9')
        at--;
    return at == len || at < 2 || name[at - 1] != '/' ? 0 : at - 1;
}

/* The address that a text is about, with what follows it in *why; absent: none. */
static struct span address_in(const char *text, const char **why)
{
    static const char *const logical[] = {"TxnCoordinator: ", "GroupCoordinator: "};
    bool numbered = true;
    for (size_t i = 0; i < sizeof logical / sizeof logical[0]; i++)
        if (strncmp(text, logical[i], strlen(logical[i])) == 0) {
            text += strlen(logical[i]);
            numbered = false;
        }
    const char *end = strstr(text, ": ");
    size_t len = end != NULL ? (size_t)(end - text) : 0;
    if (numbered)
        len = length_before_number(text, len);
    struct span name = {text, len};
    const char *scheme = strstr(text, "://");
    if (scheme != NULL && scheme + 3 <= text + len)
        name = (struct span){scheme + 3, len - (size_t)(scheme + 3 - text)};
    if (name.len == 0 || memchr(name.ptr, ':', name.len) == NULL ||
        memchr(name.ptr, ' ', name.len) != NULL)
        return span_null();
    *why = end + 2;
    return name;
}

static uint32_t find(const struct kafka_away *away, struct span address)
{
    uint32_t i = 0;
    while (i < away->count && !span_equal_text(address, away->brokers[i].address))
        i++;
    return i;
}

/* "host:port", and not an IPv6 address and a port. */
static bool is_of_name(struct span address)
{
    const char *colon = memchr(address.ptr, ':', address.len);
    return colon != NULL &&
           memchr(colon + 1, ':', address.len - (size_t)(colon + 1 - address.ptr)) == NULL;
}

/* Of connections that end later it says "Disconnected", and what state they were in. Where a name
 * has addresses of both families, and nobody listens at that of version 6, the other one is taken
 * next. */
static bool is_not_made(struct span address, const char *why)
{
    static const char v6[] = "Connect to ipv6#";
    if (strncmp(why, v6, sizeof v6 - 1) == 0 && is_of_name(address))
        return false;
    static const char *const texts[] = {"Connect to ",       "Connection setup timed out",
                                        "Failed to resolve", "ApiVersion",
                                        "APIVERSION",        "in state CONNECT"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (strstr(why, texts[i]) != NULL)
            return true;
    return false;
}

void kafka_away_note(struct kafka_away *away, const char *text)
{
    assert(away != NULL && text != NULL);
    const char *why;
    struct span address = address_in(text, &why);
    if (address.ptr == NULL || address.len >= sizeof away->brokers[0].address)
        return;
    uint32_t i = find(away, address);
    if (i == KAFKA_AWAY_MAX)
        return;
    if (i == away->count)
        away->count++;
    struct kafka_away_broker *broker = &away->brokers[i];
    snprintf(broker->address, sizeof broker->address, "%.*s", SPAN_ARG(address));
    snprintf(broker->why, sizeof broker->why, "%s", why);
    broker->unreachable |= is_not_made(address, why);
}

bool kafka_away_unreachable(const struct kafka_away *away)
{
    assert(away->count <= KAFKA_AWAY_MAX);
    for (uint32_t i = 0; i < away->count; i++)
        if (away->brokers[i].unreachable)
            return true;
    return false;
}

/* An IPv6 address has brackets in texts from librdkafka 2.15.1 on, and none in older ones. */
bool kafka_away_has(const struct kafka_away *away, const char *host, int port)
{
    assert(away != NULL && host != NULL);
    char address[300];
    snprintf(address, sizeof address, "%s:%d", host, port);
    if (find(away, span_of(address)) < away->count)
        return true;
    snprintf(address, sizeof address, "[%s]:%d", host, port);
    return find(away, span_of(address)) < away->count;
}

bool kafka_away_all(const struct kafka_away *away, rd_kafka_t *rk, int wait_ms)
{
    assert(away != NULL && rk != NULL);
    const struct rd_kafka_metadata *metadata;
    if (away->count == 0 ||
        rd_kafka_metadata(rk, 0, NULL, &metadata, wait_ms) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return false;
    bool all = metadata->broker_cnt > 0;
    for (int i = 0; i < metadata->broker_cnt; i++)
        all = all && kafka_away_has(away, metadata->brokers[i].host, metadata->brokers[i].port);
    rd_kafka_metadata_destroy(metadata);
    return all;
}

/* ---- Is it one of bootstrap.servers? ---- */

#define DEFAULT_PORT SPAN_LITERAL("9092")

struct place {
    struct span host, port;
};

/* "host:port", "[::1]:port", "::1:port"; of a list also "PROTO://host", where the port may lack. */
static struct place place_of(struct span entry, bool may_lack)
{
    const char *scheme = memmem(entry.ptr, entry.len, "://", 3);
    if (scheme != NULL) {
        size_t skip = (size_t)(scheme + 3 - entry.ptr);
        entry = (struct span){entry.ptr + skip, entry.len - skip};
    }
    const char *colon = memrchr(entry.ptr, ':', entry.len);
    const char *bracket = memrchr(entry.ptr, ']', entry.len);
    struct place place = {.host = entry, .port = DEFAULT_PORT};
    if (colon != NULL && (!may_lack || bracket == NULL || bracket < colon)) {
        place.host.len = (size_t)(colon - entry.ptr);
        place.port = (struct span){colon + 1, entry.len - place.host.len - 1};
    }
    if (place.host.len > 1 && place.host.ptr[0] == '[' && place.host.ptr[place.host.len - 1] == ']')
        place.host = (struct span){place.host.ptr + 1, place.host.len - 2};
    return place;
}

bool kafka_away_is_listed(const char *servers, const char *address)
{
    static const char between[] = ", \t\r\n";
    assert(servers != NULL && address != NULL);
    const struct place wanted = place_of(span_of(address), false);
    for (const char *at = servers + strspn(servers, between); *at != '\0';
         at += strspn(at, between)) {
        const struct place entry = place_of((struct span){at, strcspn(at, between)}, true);
        if (entry.host.len == wanted.host.len &&
            strncasecmp(entry.host.ptr, wanted.host.ptr, wanted.host.len) == 0 &&
            span_equal(entry.port, wanted.port))
            return true;
        at += strcspn(at, between);
    }
    return false;
}
