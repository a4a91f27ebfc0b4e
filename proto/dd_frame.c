#include "proto/dd_frame.h"

#include <string.h>

#define SOI   0xdd
#define EOI   0x77
#define HEAD  4 /* DD, two bytes, LEN */
#define TRAIL 3 /* checksum, 77 */

static uint16_t checksum(const uint8_t *bytes, size_t n)
{
    uint16_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum = (uint16_t)(sum + bytes[i]);
    return (uint16_t)-sum;
}

size_t dd_encode(const struct dd_frame *frame, uint8_t *out)
{
    size_t n = HEAD + frame->n;
    out[0] = SOI;
    out[1] = frame->first;
    out[2] = frame->second;
    out[3] = frame->n;
    memcpy(out + HEAD, frame->data, frame->n);
    uint16_t sum = checksum(out + 2, n - 2);
    out[n++] = (uint8_t)(sum >> 8);
    out[n++] = (uint8_t)sum;
    out[n++] = EOI;
    return n;
}

void dd_reset(struct dd_decoder *decoder)
{
    decoder->n = decoder->bad_n = 0;
    decoder->why = NULL;
}

/* Keeps the bytes from the first DD at or behind `from`. */
static void advance(struct dd_decoder *decoder, size_t from)
{
    const uint8_t *next = from < decoder->n ? memchr(decoder->bytes + from, SOI, decoder->n - from) : NULL;
    decoder->n = next ? decoder->n - (size_t)(next - decoder->bytes) : 0;
    if (next)
        memmove(decoder->bytes, next, decoder->n);
}

void dd_put(struct dd_decoder *decoder, uint8_t byte)
{
    if ((decoder->n > 0 || byte == SOI) && decoder->n < sizeof decoder->bytes)
        decoder->bytes[decoder->n++] = byte;
}

static enum dd_state bad(struct dd_decoder *decoder, size_t n, const char *why)
{
    memcpy(decoder->bad, decoder->bytes, n);
    decoder->bad_n = n;
    decoder->why = why;
    advance(decoder, 1);
    return DD_BAD;
}

enum dd_state dd_take(struct dd_decoder *decoder, struct dd_frame *frame)
{
    const uint8_t *p = decoder->bytes;
    if (decoder->n < HEAD || decoder->n < (size_t)HEAD + p[3] + TRAIL)
        return DD_MORE;
    size_t body = (size_t)HEAD + p[3], n = body + TRAIL;
    if (p[n - 1] != EOI)
        return bad(decoder, n, "no 77H where LEN says the frame ends");
    if (checksum(p + 2, body - 2) != (p[body] << 8 | p[body + 1]))
        return bad(decoder, n, "wrong checksum");
    frame->first = p[1];
    frame->second = p[2];
    frame->n = p[3];
    memcpy(frame->data, p + HEAD, frame->n);
    advance(decoder, n);
    return DD_FRAME;
}

enum dd_state dd_give_up(struct dd_decoder *decoder)
{
    return decoder->n == 0 ? DD_MORE : bad(decoder, decoder->n, "cut short");
}
