/* The DD … 77 framing: bytes ↔ frame. Pure.
 *
 * Requests (DD, A5 read or 5A write, register, LEN, data) and replies (DD, register, status, LEN, data) have
 * one shape and one checksum, which covers everything from the second byte behind DD. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DD_READ      0xa5
#define DD_WRITE     0x5a
#define DD_OK        0x00
#define DD_ERROR     0x80
#define DD_DATA_MAX  255
#define DD_FRAME_MAX (1 + 3 + DD_DATA_MAX + 2 + 1)

struct dd_frame {
    uint8_t first;  /* read or write; register of a reply */
    uint8_t second; /* register; status of a reply */
    uint8_t n;
    uint8_t data[DD_DATA_MAX];
};

/* Into out, which takes DD_FRAME_MAX; returns the length. */
size_t dd_encode(const struct dd_frame *frame, uint8_t *out);

enum dd_state { DD_MORE, DD_FRAME, DD_BAD };

/* Put a byte, then take until MORE. DD and 77 stand in data too: only LEN and checksum make a frame, and of a
 * damaged one all but its DD is looked through again. */
struct dd_decoder {
    size_t n;
    const char *why;           /* of the last BAD */
    uint8_t bad[DD_FRAME_MAX]; /* its bytes */
    size_t bad_n;
    uint8_t bytes[DD_FRAME_MAX];
};
void dd_reset(struct dd_decoder *decoder);
/* There is always room for it after taking until MORE. */
void dd_put(struct dd_decoder *decoder, uint8_t byte);
enum dd_state dd_take(struct dd_decoder *decoder, struct dd_frame *frame);
/* No more bytes will come: what began like a frame was none, or was cut short. BAD, or MORE when nothing was
 * there. Then take again. */
enum dd_state dd_give_up(struct dd_decoder *decoder);
