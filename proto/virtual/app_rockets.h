/* Inside the rockets application: its dictionary, and the server in front of it. */
#pragma once

#include "proto/virtual/parts.h"

#define RECORD     16 /* bytes of a frame on the line */
#define VALUE_MAX  16 /* bytes of the longest object */
#define NUMBER_MAX 12

enum abort_code {
    NOTHING_WRONG = 0,
    BAD_TOGGLE = 0x05030000,
    BAD_COMMAND = 0x05040001,
    WRITE_ONLY = 0x06010001,
    READ_ONLY = 0x06010002,
    NO_OBJECT = 0x06020000,
    TOO_LONG = 0x06070012,
    TOO_SHORT = 0x06070013,
    NO_SUB = 0x06090011,
    BAD_VALUE = 0x06090030
};

extern const struct vb_family vb_family_rockets;

struct vb_app {
    uint8_t record[RECORD];
    unsigned n;
    int64_t byte_us; /* when the last one came */

    /* the transfer that is going on */
    uint16_t index;
    uint8_t sub;
    bool reading, writing, toggle;
    uint8_t value[VALUE_MAX];
    unsigned size, done;

    int64_t used_us; /* last request or current */
    unsigned chosen; /* record of the log */
};

/* The dictionary. Values are little-endian, n bytes of them. */
enum abort_code rockets_get(struct vboard *board, uint16_t index, uint8_t sub, uint8_t value[VALUE_MAX],
                            unsigned *n, int64_t now_us);
enum abort_code rockets_put(struct vboard *board, uint16_t index, uint8_t sub, const uint8_t *value,
                            unsigned n, int64_t now_us);
/* One request of eight bytes; false = there is no answer. */
bool rockets_serve(struct vboard *board, const uint8_t request[8], uint8_t answer[8], int64_t now_us);
