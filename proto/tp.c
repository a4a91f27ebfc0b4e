#include "proto/tp.h"

#include <string.h>

/* Nobody has published what the byte is. This rule was found in captures and holds for all of them:
 * tests/unit/proto/test_tianpower.c. It misses half of all single flipped bits. */
static uint8_t check_of(const uint8_t *bytes, size_t n)
{
    unsigned sum = 0, folded = 0;
    for (size_t i = 0; i < n; i++) {
        sum += bytes[i];
        folded ^= bytes[i];
    }
    return (uint8_t)(sum ^ folded);
}

size_t tp_encode(const struct tp_frame *frame, uint8_t *out)
{
    out[0] = frame->start;
    out[1] = frame->address;
    out[2] = frame->function;
    out[3] = frame->n;
    memcpy(out + 4, frame->data, frame->n);
    out[4 + frame->n] = check_of(out, 4u + frame->n);
    out[5 + frame->n] = TP_END;
    return 6u + frame->n;
}

void tp_put(struct tp_decoder *decoder, uint8_t byte)
{
    if (decoder->n < sizeof decoder->bytes)
        decoder->bytes[decoder->n++] = byte;
}

static void drop(struct tp_decoder *decoder, size_t n)
{
    decoder->n -= n;
    memmove(decoder->bytes, decoder->bytes + n, decoder->n);
}

static bool is_start(uint8_t byte)
{
    return byte == TP_START || byte == TP_START_OLD;
}

enum tp_state tp_take(struct tp_decoder *decoder, bool end, struct tp_frame *frame)
{
    const uint8_t *b = decoder->bytes;
    while (decoder->n > 0 && !is_start(b[0]))
        drop(decoder, 1);
    const size_t whole = decoder->n < 4 ? 0 : 6u + b[3];
    if (whole == 0 || decoder->n < whole) {
        if (!end || decoder->n == 0)
            return TP_MORE;
    } else if (b[whole - 1] == TP_END && b[whole - 2] == check_of(b, whole - 2)) {
        frame->start = b[0];
        frame->address = b[1];
        frame->function = b[2];
        frame->n = b[3];
        memcpy(frame->data, b + 4, b[3]);
        drop(decoder, whole);
        return TP_FRAME;
    }
    decoder->bad_n = decoder->n < sizeof decoder->bad ? decoder->n : sizeof decoder->bad;
    memcpy(decoder->bad, b, decoder->bad_n);
    drop(decoder, 1);
    return TP_BAD;
}

static unsigned width_of(uint8_t number, uint64_t wide)
{
    return number < 64 && wide >> number & 1 ? 4 : 2;
}

static uint32_t value_at(const uint8_t *bytes, unsigned width)
{
    uint32_t value = 0;
    while (width--)
        value = value << 8 | *bytes++;
    return value;
}

bool tp_groups_agree(const uint8_t *one, const uint8_t *two, size_t n, uint64_t wide)
{
    for (size_t at = 0; at + 2 <= n;) {
        const unsigned width = width_of(one[at], wide), count = one[at + 1];
        if (memcmp(one + at, two + at, 2) != 0)
            return false;
        at += 2;
        for (unsigned i = 0; i < count && at + width <= n; i++, at += width) {
            const uint32_t a = value_at(one + at, width), b = value_at(two + at, width);
            if ((a > b ? a - b : b - a) > (a / 64 > 1 ? a / 64 : 1))
                return false;
        }
    }
    return true;
}

bool tp_group_find(const uint8_t *data, size_t n, uint64_t wide, unsigned number, struct tp_group *group,
                   bool *broken)
{
    bool found = false;
    size_t at = 0;
    while (at + 2 <= n) {
        const unsigned width = width_of(data[at], wide), count = data[at + 1];
        if (data[at] == number && !found) {
            *group = (struct tp_group){data + at + 2, count, width};
            found = true;
        }
        at += 2u + count * width;
    }
    *broken = at != n;
    return found && !*broken;
}
