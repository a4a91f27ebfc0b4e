/* The A5 framing: what is taken for a frame encodes to the same bytes, whatever came before, and a whole
 * frame behind anything is found; the same of a CAN bus. */
#include "tests/fuzz/fuzz.h"

#include "proto/a5.h"

static void check_frame(const struct a5_frame *frame)
{
    struct a5_decoder decoder = {0};
    struct a5_frame again;
    struct can_message message;
    uint8_t bytes[A5_FRAME_MAX], receiver, sender;
    a5_encode(frame, bytes);
    for (unsigned i = 0; i < A5_FRAME_MAX; i++)
        a5_put(&decoder, bytes[i]);
    g_assert_cmpint(a5_take(&decoder, false, &again), ==, A5_FRAME);
    g_assert_true(again.address == frame->address && again.id == frame->id);
    g_assert_cmpmem(again.data, A5_DATA, frame->data, A5_DATA);
    a5_to_can(frame, 7, frame->address, &message);
    g_assert_true(a5_from_can(&message, &receiver, &sender, &again));
    g_assert_true(receiver == 7 && sender == frame->address && again.id == frame->id);
    g_assert_cmpmem(again.data, A5_DATA, frame->data, A5_DATA);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct a5_decoder decoder = {0};
    struct a5_frame frame;
    size_t taken = 0;
    for (size_t i = 0; i < size; i++) {
        enum a5_state state;
        a5_put(&decoder, data[i]);
        while ((state = a5_take(&decoder, false, &frame)) != A5_MORE)
            if (state == A5_FRAME)
                check_frame(&frame);
        g_assert_cmpuint(decoder.n, <, A5_FRAME_MAX);
        taken++;
    }
    while (a5_take(&decoder, true, &frame) != A5_MORE)
        g_assert_cmpuint(taken, >, 0);
    g_assert_cmpuint(decoder.n, ==, 0);
    return 0;
}
