/* relay/wake: the relay's eventfds: raised by one thread, seen by another in its poll(2), lowered
 * by whoever has heeded them. Private to this module. */
#ifndef WALFERRY_RELAY_WAKE_H
#define WALFERRY_RELAY_WAKE_H

/* -1: there are no descriptors left. */
int wake_open(void);
void wake_raise(int fd);
void wake_lower(int fd);

#endif
