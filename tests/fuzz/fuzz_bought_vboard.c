/* The virtual boards of families daly and tianpower: any requests, in any pieces, at any time. Input: which
 * one, then pieces, each a byte of length and so many bytes. */
#include "tests/fuzz/fuzz.h"

#include "proto/virtual/vboard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const families[] = {"daly", "daly-can", "daly-modbus", "tianpower"};
    if (size < 1)
        return 0;
    const struct vboard_options options = {
        .family = families[data[0] % G_N_ELEMENTS(families)], .address = 1, .unit_seed = 7, .fast = true};
    const int64_t pause_us = data[0] & 0x80 ? 100 : 60000;
    int64_t now_us = 1000000;
    struct vboard *board = vboard_new(&options, 0, NULL);
    for (data++, size--; size > 0;) {
        const size_t n = MIN((size_t)data[0], size - 1);
        uint8_t bytes[600];
        vboard_accept(board, data + 1, n, now_us);
        data += n + 1;
        size -= n + 1;
        now_us += pause_us;
        while (vboard_produce(board, bytes, sizeof bytes, now_us) > 0)
            ;
        g_assert_cmpint(vboard_next_us(board), >=, 0);
    }
    vboard_free(board);
    return 0;
}
