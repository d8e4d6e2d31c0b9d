/* route/route_jq_number: which decimal numbers a double holds, and how a double is written.
 * Internal to the module.
 *
 * A double holds a number where writing the double with the fewest digits that lead back to it
 * gives the same number again: 12.10 is held, 9007199254740993 is not. Trailing zeros are no
 * difference. */
#ifndef WALFERRY_ROUTE_ROUTE_JQ_NUMBER_H
#define WALFERRY_ROUTE_ROUTE_JQ_NUMBER_H

#include "base/span.h"

/* With the NUL. */
#define JQ_NUMBER_TEXT_MAX 40

/* text: a number of JSON, or of jq (".5", "5."). False where a double would round it. */
bool jq_number_read(struct span text, double *value);
/* As JSON; digits alone from 1e-6 up to 1e21. A finite value. Returns the length. */
size_t jq_number_write(double value, char text[JQ_NUMBER_TEXT_MAX]);

#endif
