/* The virtual board of DD frames is a test peer that others talk to: any bytes, in any pieces, at any time.
 */
#include "tests/fuzz/fuzz.h"

#include "proto/dd_frame.h"
#include "proto/virtual/vboard.h"

#define FRAMED 0x80 /* in the length of a piece: op, register and data, with what makes them a request */

static void send_frame(struct vboard *board, const uint8_t *piece, size_t n, int64_t now_us)
{
    struct dd_frame frame = {
        .first = piece[0], .second = n > 1 ? piece[1] : 0, .n = n > 2 ? (uint8_t)(n - 2) : 0};
    uint8_t bytes[DD_FRAME_MAX];
    memcpy(frame.data, piece + MIN(n, 2), frame.n);
    vboard_accept(board, bytes, dd_encode(&frame, bytes), now_us);
}

/* What comes back is whole frames, however the pieces are cut. */
static void take_answers(struct vboard *board, struct dd_decoder *decoder, int64_t now_us)
{
    struct dd_frame frame;
    uint8_t out[256];
    size_t n;
    while ((n = vboard_produce(board, out, sizeof out, now_us)) > 0)
        for (size_t i = 0; i < n; i++) {
            dd_put(decoder, out[i]);
            if (decoder->n == 0)
                g_error("a byte outside a frame");
            g_assert_cmpint(dd_take(decoder, &frame), !=, DD_BAD);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dd_decoder decoder;
    int64_t now_us = 1000000;
    if (size < 2)
        return 0;
    const struct vboard_options options = {.family = "jbd", .unit_seed = data[1]};
    struct vboard *board = vboard_new(&options, 0, NULL);
    int64_t pause_us = data[0] & 1 ? 1000 : 200000;
    vboard_bench_current(board, (int64_t)data[0] * 500 - 64000);
    dd_reset(&decoder);
    data += 2;
    size -= 2;
    while (size > 0) {
        size_t n = MIN((size_t)data[0] & (FRAMED - 1), size - 1);
        if (!(data[0] & FRAMED) || n == 0)
            vboard_accept(board, data + 1, n, now_us);
        else
            send_frame(board, data + 1, n, now_us);
        data += n + 1;
        size -= n + 1;
        now_us += pause_us;
        take_answers(board, &decoder, now_us);
        g_assert_cmpint(vboard_next_us(board), >=, 0);
    }
    vboard_free(board);
    return 0;
}
