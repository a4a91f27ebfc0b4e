/* The virtual board is a test peer that others talk to: any bytes, in any pieces, at any time. */
#include "tests/fuzz/fuzz.h"

#include "proto/virtual/vboard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t out[256];
    int64_t now_us = 1000000;
    if (size < 2)
        return 0;
    const struct vboard_options options = {
        .family = vboard_families()[0], .address = 1, .unit_seed = data[1], .bootloader = data[0] & 1};
    struct vboard *board = vboard_new(&options, 0, NULL);
    data += 2;
    size -= 2;
    while (size > 0) {
        size_t n = MIN((size_t)data[0], size - 1);
        vboard_accept(board, data + 1, n, now_us);
        data += n + 1;
        size -= n + 1;
        now_us += 1000 * (int64_t)(n + 1) * (size % 7 ? 1 : 500);
        while (vboard_produce(board, out, sizeof out, now_us) > 0)
            continue;
        if (n == 3)
            g_free(vboard_bench_command(board, "MEAS:CURR?", now_us));
    }
    vboard_free(board);
    return 0;
}
