/* The 7E/7C binary framing and its groups: what is taken for a frame encodes to the same bytes, and a group
 * that is found lies inside its data. */
#include "tests/fuzz/fuzz.h"

#include "proto/tp.h"

static void check_groups(const struct tp_frame *frame, uint64_t wide)
{
    for (unsigned number = 0; number < 70; number++) {
        struct tp_group group;
        bool broken;
        if (!tp_group_find(frame->data, frame->n, wide, number, &group, &broken))
            continue;
        g_assert_false(broken);
        g_assert_true(group.values >= frame->data);
        g_assert_cmpuint((size_t)(group.values - frame->data) + group.count * group.width, <=, frame->n);
    }
    g_assert_true(tp_groups_agree(frame->data, frame->data, frame->n, wide));
}

static void check_frame(const struct tp_frame *frame, uint64_t wide)
{
    struct tp_decoder decoder = {0};
    struct tp_frame again;
    uint8_t bytes[TP_FRAME_MAX];
    const size_t n = tp_encode(frame, bytes);
    for (size_t i = 0; i < n; i++)
        tp_put(&decoder, bytes[i]);
    g_assert_cmpint(tp_take(&decoder, false, &again), ==, TP_FRAME);
    g_assert_true(again.address == frame->address && again.function == frame->function);
    g_assert_cmpmem(again.data, again.n, frame->data, frame->n);
    check_groups(frame, wide);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tp_decoder decoder = {0};
    struct tp_frame frame;
    if (size < 1)
        return 0;
    const uint64_t wide = (uint64_t)data[0] << 10;
    for (size_t i = 1; i < size; i++) {
        enum tp_state state;
        tp_put(&decoder, data[i]);
        while ((state = tp_take(&decoder, false, &frame)) != TP_MORE)
            if (state == TP_FRAME)
                check_frame(&frame, wide);
        g_assert_cmpuint(decoder.n, <, TP_FRAME_MAX);
    }
    while (tp_take(&decoder, true, &frame) != TP_MORE)
        ;
    g_assert_cmpuint(decoder.n, ==, 0);
    return 0;
}
