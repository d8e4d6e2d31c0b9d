/* base/crash: places where a test build can be told to die.
 *
 * WALFERRY_CRASH_AT=<point>:<n> makes the n-th passage (from 1) of CRASH_POINT("<point>") end the
 * process at once, as SIGKILL would. Points are named in docs/ARCHITECTURE.md (C1 to C14, P1 to
 * P4, S1 to S4). Release builds hold none of this. */
#ifndef WALFERRY_BASE_CRASH_H
#define WALFERRY_BASE_CRASH_H

#ifdef WALFERRY_TEST
void crash_point(const char *point);
#define CRASH_POINT(point) crash_point(point)
#else
#define CRASH_POINT(point) ((void)0)
#endif

#endif
