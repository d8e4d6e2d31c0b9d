/* base/memory: memory that is there; where none is left the process ends. */
#ifndef WALFERRY_BASE_MEMORY_H
#define WALFERRY_BASE_MEMORY_H

/* What malloc(), calloc() and the like gave. */
void *memory_checked(void *memory);
/* A copy for free(); NULL of NULL. */
char *memory_copy(const char *text);

#endif
