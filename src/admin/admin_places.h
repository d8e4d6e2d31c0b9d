/* admin/admin_places: who is connected, and who has to go when there are too many. Pure. Internal
 * to the module.
 *
 * A newcomer is never turned away: an honest client asks at once and has its answer in the same
 * turn, while one that only holds its place grows old. So the oldest goes, of whoever has the most;
 * a crowd from one address cannot keep another one out. */
#ifndef WALFERRY_ADMIN_ADMIN_PLACES_H
#define WALFERRY_ADMIN_ADMIN_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct place {
    int fd; /* -1: free */
    bool leaving;
    int64_t opened_us;
    unsigned char address[16];
};

struct places {
    size_t count;
    struct place *items;
    unsigned max, per_address_max; /* of those that are not leaving */
};

/* items: of the caller, `count` of them; more than max, because who leaves is not gone yet. */
void places_init(struct places *places, struct place *items, size_t count, unsigned max,
                 unsigned per_address_max);
/* address: of IPv4 or IPv6, of which the first half counts; NULL or another: one for all of these.
 * NULL where no item is free. */
struct place *places_take(struct places *places, int fd, const struct sockaddr *address,
                          int64_t now_us);
void places_leave(struct place *place); /* NULL is legal */
/* Who has to go, or NULL: one that was opened before `oldest_us`, or the oldest of an address, or
 * of all, that has too many. It is marked as leaving. */
struct place *places_evict(struct places *places, int64_t oldest_us);

#endif
