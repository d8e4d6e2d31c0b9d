/* route/route_jq_seal: the system calls that the worker of the cage keeps. Internal to the module.
 *
 * A program of jq that asks for a file, a clock's zone or a socket is refused by its text; this is
 * for what the text does not tell, and for mistakes of libjq. */
#ifndef WALFERRY_ROUTE_ROUTE_JQ_SEAL_H
#define WALFERRY_ROUTE_ROUTE_JQ_SEAL_H

/* From here on the process can use its memory and the descriptors that it has, set its timer and
 * end; all else is EPERM to it. Where the kernel does not know of such filters nothing changes. */
void jq_seal(void);

#endif
