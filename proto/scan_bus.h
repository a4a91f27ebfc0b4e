/* Which boards are on a shared line. Reads only. */
#pragma once

#include "proto/board.h"

struct bus_board {
    unsigned address;
    struct board_identity identity;
    char serial[2 * PROFILE_LENGTH_MAX + 1]; /* "" = not set, or no item says it */
    char barcode[2 * PROFILE_LENGTH_MAX + 1];
};

/* Called for each address before it is asked; may be NULL. */
typedef void (*bus_progress)(void *context, unsigned address);

/* Array of struct bus_board by address, or NULL. An address that answers in pieces is RULE: two boards may
 * have it. Two boards that report the same serial number, barcode or unique id are RULE, with both addresses:
 * nothing could tell which of them a job is for. */
GArray *bus_scan(const struct profile *profile, struct wire *wire, unsigned first, unsigned last,
                 bool allow_reference, bus_progress progress, void *context, GError **error);
