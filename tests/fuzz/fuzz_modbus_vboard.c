/* The virtual register board as others may talk to it: any bytes, and any requests, in any order, at any
 * time.
 *
 * Input: unit seed, then pieces: a length byte, then so many bytes; with the high bit of the length the check
 * is added. */
#include "tests/fuzz/fuzz.h"

#include "proto/modbus.h"
#include "proto/virtual/vboard.h"

#define CHECKED 0x80

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t out[300];
    int64_t now_us = 1000000;
    if (size < 2)
        return 0;
    const struct vboard_options options = {.family = "monv4", .address = 1, .unit_seed = data[0]};
    struct vboard *board = vboard_new(&options, 0, NULL);
    vboard_bench_current(board, (int64_t)(int8_t)data[1] * 1000);
    data += 2;
    size -= 2;
    while (size > 0) {
        size_t n = MIN((size_t)data[0] & (CHECKED - 1), size - 1);
        uint8_t bytes[CHECKED + 2];
        uint16_t crc = modbus_crc(data + 1, n);
        bool checked = data[0] & CHECKED;
        memcpy(bytes, data + 1, n);
        bytes[n] = (uint8_t)crc;
        bytes[n + 1] = (uint8_t)(crc >> 8);
        vboard_accept(board, bytes, n + (checked ? 2 : 0), now_us);
        data += n + 1;
        size -= n + 1;
        now_us += checked ? 10000 : 100000;
        size_t got;
        while ((got = vboard_produce(board, out, sizeof out, now_us)) > 0)
            g_assert_cmpuint(got, <=, 256);
        g_assert_cmpint(vboard_next_us(board), >=, 0);
    }
    vboard_free(board);
    return 0;
}
