/* The characters of '~' … CR frames on the boards' side: bytes in, requests out; answers in, characters out.
 */
#pragma once

#include "proto/virtual/parts.h"

#define VB_ASCII_INFO 1024

struct vb_request {
    unsigned version, address, equipment, command, n;
    uint8_t info[VB_ASCII_INFO];
};

struct vb_ascii {
    char text[2 * VB_ASCII_INFO + 32];
    unsigned n;
    bool in_frame;
};

/* True when this byte ends a frame whose LENGTH and checksum are right; any other frame is passed over in
 * silence. */
bool vb_ascii_take(struct vb_ascii *line, uint8_t byte, struct vb_request *request);
/* The answer to a request: code is RTN, the bytes are sent only with code 0. */
struct vb_answer {
    unsigned version, address, equipment, code, n;
    uint8_t info[VB_ASCII_INFO];
};
void vb_ascii_send(struct vboard *board, const struct vb_answer *answer, int64_t due_us);

static inline unsigned vb_get(const uint8_t *p, unsigned width)
{
    unsigned value = 0;
    while (width--)
        value = value << 8 | *p++;
    return value;
}

static inline void vb_put(uint8_t *p, int64_t value, unsigned width)
{
    for (unsigned i = 0; i < width; i++)
        p[i] = (uint8_t)((uint64_t)value >> (8 * (width - 1 - i)));
}

static inline void vb_add(struct vb_answer *answer, int64_t value, unsigned width)
{
    vb_put(answer->info + answer->n, value, width);
    answer->n += width;
}
