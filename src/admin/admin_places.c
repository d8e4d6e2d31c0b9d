/* admin/admin_places: a table that is searched whole: it is short, and looked at once a turn. */
#include "admin/admin_places.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>

void places_init(struct places *places, struct place *items, size_t count, unsigned max,
                 unsigned per_address_max)
{
    assert(items != NULL && count > max);
    assert(per_address_max > 0 && per_address_max <= max);
    *places = (struct places){
        .count = count, .items = items, .max = max, .per_address_max = per_address_max};
    for (size_t i = 0; i < count; i++)
        items[i] = (struct place){.fd = -1};
}

/* A host with IPv6 has the whole second half to choose from. */
static void name_address(const struct sockaddr *address, unsigned char name[16])
{
    memset(name, 0, 16);
    if (address != NULL && address->sa_family == AF_INET) {
        memset(name + 10, 0xff, 2);
        memcpy(name + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    } else if (address != NULL && address->sa_family == AF_INET6) {
        const struct in6_addr *six =
            &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
        memcpy(name, six, IN6_IS_ADDR_V4MAPPED(six) ? 16 : 8);
    }
}

struct place *places_take(struct places *places, int fd, const struct sockaddr *address,
                          int64_t now_us)
{
    assert(fd >= 0);
    assert(places->items != NULL);
    for (size_t i = 0; i < places->count; i++) {
        struct place *place = &places->items[i];
        if (place->fd >= 0)
            continue;
        *place = (struct place){.fd = fd, .opened_us = now_us};
        name_address(address, place->address);
        return place;
    }
    return NULL;
}

void places_leave(struct place *place)
{
    assert(place == NULL || place->fd >= 0);
    if (place != NULL)
        place->fd = -1;
}

static bool stays(const struct place *place)
{
    return place->fd >= 0 && !place->leaving;
}

static bool same_address(const struct place *a, const struct place *b)
{
    return memcmp(a->address, b->address, sizeof a->address) == 0;
}

/* How many stay at the address of `like`, or at any (NULL); *oldest is the oldest of them. */
static unsigned look(struct places *places, const struct place *like, struct place **oldest)
{
    unsigned found = 0;
    *oldest = NULL;
    for (size_t i = 0; i < places->count; i++) {
        struct place *place = &places->items[i];
        if (!stays(place) || (like != NULL && !same_address(place, like)))
            continue;
        found++;
        if (*oldest == NULL || place->opened_us < (*oldest)->opened_us)
            *oldest = place;
    }
    return found;
}

/* The oldest of the address that has the most. */
static struct place *of_the_most(struct places *places, unsigned *most)
{
    struct place *chosen = NULL;
    *most = 0;
    for (size_t i = 0; i < places->count; i++) {
        struct place *place = &places->items[i], *oldest = NULL;
        if (!stays(place) || (chosen != NULL && same_address(place, chosen)))
            continue; /* a crowd from one address is counted once */
        unsigned found = look(places, place, &oldest);
        if (found > *most) {
            *most = found;
            chosen = oldest;
        }
    }
    return chosen;
}

struct place *places_evict(struct places *places, int64_t oldest_us)
{
    assert(places->items != NULL);
    assert(places->max > 0);
    struct place *chosen = NULL;
    unsigned all = look(places, NULL, &chosen);
    if (chosen == NULL)
        return NULL;
    if (chosen->opened_us >= oldest_us) {
        if (all <= places->per_address_max)
            return NULL; /* nobody can have too many */
        unsigned most;
        chosen = of_the_most(places, &most);
        if (most <= places->per_address_max && all <= places->max)
            return NULL;
    }
    chosen->leaving = true;
    return chosen;
}
