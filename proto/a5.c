#include "proto/a5.h"

#include <string.h>

static uint8_t sum_of(const uint8_t *bytes, size_t n)
{
    unsigned sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += bytes[i];
    return (uint8_t)sum;
}

void a5_encode(const struct a5_frame *frame, uint8_t *out)
{
    out[0] = A5_START;
    out[1] = frame->address;
    out[2] = frame->id;
    out[3] = A5_DATA;
    memcpy(out + 4, frame->data, A5_DATA);
    out[12] = sum_of(out, 12);
}

void a5_put(struct a5_decoder *decoder, uint8_t byte)
{
    if (decoder->n < sizeof decoder->bytes)
        decoder->bytes[decoder->n++] = byte;
}

static void drop(struct a5_decoder *decoder, size_t n)
{
    decoder->n -= n;
    memmove(decoder->bytes, decoder->bytes + n, decoder->n);
}

enum a5_state a5_take(struct a5_decoder *decoder, bool end, struct a5_frame *frame)
{
    const uint8_t *b = decoder->bytes;
    while (decoder->n > 0 && b[0] != A5_START)
        drop(decoder, 1);
    if (decoder->n < A5_FRAME_MAX && (!end || decoder->n == 0))
        return A5_MORE;
    if (decoder->n == A5_FRAME_MAX && b[3] == A5_DATA && b[12] == sum_of(b, 12)) {
        frame->address = b[1];
        frame->id = b[2];
        memcpy(frame->data, b + 4, A5_DATA);
        decoder->n = 0;
        return A5_FRAME;
    }
    memcpy(decoder->bad, b, sizeof decoder->bad);
    drop(decoder, 1);
    return A5_BAD;
}

void a5_to_can(const struct a5_frame *frame, uint8_t receiver, uint8_t sender, struct can_message *message)
{
    *message = (struct can_message){.id = (uint32_t)A5_PRIORITY << 24 | (uint32_t)frame->id << 16 |
                                          (uint32_t)receiver << 8 | sender,
                                    .extended = true,
                                    .n = A5_DATA};
    memcpy(message->data, frame->data, A5_DATA);
}

bool a5_from_can(const struct can_message *message, uint8_t *receiver, uint8_t *sender,
                 struct a5_frame *frame)
{
    if (!message->extended || message->remote || message->error || message->n != A5_DATA ||
        message->id >> 24 != A5_PRIORITY)
        return false;
    *receiver = (uint8_t)(message->id >> 8);
    *sender = (uint8_t)message->id;
    frame->address = *sender;
    frame->id = (uint8_t)(message->id >> 16);
    memcpy(frame->data, message->data, A5_DATA);
    return true;
}
