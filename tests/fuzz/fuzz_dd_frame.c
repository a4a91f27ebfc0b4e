/* The framing: whatever comes, a frame that is believed prints to bytes that read the same again, and there
 * is room for every byte. */
#include "tests/fuzz/fuzz.h"

#include "proto/dd_frame.h"

static void same_again(const struct dd_frame *frame)
{
    struct dd_decoder decoder;
    struct dd_frame again;
    uint8_t out[DD_FRAME_MAX];
    size_t n = dd_encode(frame, out);
    dd_reset(&decoder);
    for (size_t i = 0; i < n; i++) {
        g_assert_cmpint(dd_take(&decoder, &again), ==, DD_MORE);
        dd_put(&decoder, out[i]);
    }
    g_assert_cmpint(dd_take(&decoder, &again), ==, DD_FRAME);
    g_assert_true(again.first == frame->first && again.second == frame->second);
    g_assert_cmpmem(again.data, again.n, frame->data, frame->n);
}

static void take_all(struct dd_decoder *decoder)
{
    struct dd_frame frame;
    enum dd_state state;
    while ((state = dd_take(decoder, &frame)) != DD_MORE) {
        if (state == DD_FRAME)
            same_again(&frame);
        else
            g_assert_nonnull(decoder->why);
    }
    g_assert_cmpuint(decoder->n, <, sizeof decoder->bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dd_decoder decoder;
    dd_reset(&decoder);
    for (size_t i = 0; i < size; i++) {
        dd_put(&decoder, data[i]);
        take_all(&decoder);
    }
    while (dd_give_up(&decoder) == DD_BAD)
        take_all(&decoder);
    return 0;
}
