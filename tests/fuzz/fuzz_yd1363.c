/* The framing: whatever comes, a frame that is believed prints to characters that read the same again. */
#include "tests/fuzz/fuzz.h"

#include "proto/yd1363.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yd1363_decoder decoder, second;
    struct yd1363_frame frame, again;
    char text[YD1363_FRAME_MAX];
    yd1363_reset(&decoder);
    for (size_t i = 0; i < size; i++) {
        if (yd1363_decode(&decoder, data[i], &frame) != YD1363_FRAME)
            continue;
        size_t n = yd1363_encode(&frame, text);
        enum yd1363_state state = YD1363_MORE;
        yd1363_reset(&second);
        for (size_t k = 0; k < n; k++) {
            g_assert_cmpint(state, ==, YD1363_MORE);
            state = yd1363_decode(&second, (uint8_t)text[k], &again);
        }
        g_assert_cmpint(state, ==, YD1363_FRAME);
        g_assert_cmpmem(again.info, again.n, frame.info, frame.n);
        g_assert_true(again.version == frame.version && again.address == frame.address &&
                      again.cid1 == frame.cid1 && again.cid2 == frame.cid2);
    }
    return 0;
}
