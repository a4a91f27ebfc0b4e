/* The virtual board is a test peer that others talk to: any bytes, in any pieces, at any time. */
#include "tests/fuzz/fuzz.h"

#include "proto/virtual/vboard.h"
#include "proto/yd1363.h"

#define FRAMED 0x80 /* in the length of a piece: with what makes it a request */

static const struct {
    const char *family;
    uint8_t version, equipment;
} families[] = {{"basen", 0x22, 0x4a}, {"clever", 0x21, 0x46}, {"pace", 0x25, 0x46}, {"topbms", 0x21, 0x46}};
static unsigned family;

/* CID2 and INFO as a frame for this board. */
static void send_frame(struct vboard *board, const uint8_t *piece, size_t n, int64_t now_us)
{
    struct yd1363_frame frame = {.version = families[family].version,
                                 .address = 1,
                                 .cid1 = families[family].equipment,
                                 .cid2 = piece[0],
                                 .n = n - 1};
    char text[YD1363_FRAME_MAX];
    memcpy(frame.info, piece + 1, n - 1);
    vboard_accept(board, (const uint8_t *)text, yd1363_encode(&frame, text), now_us);
}

/* A byte with its complement, or bytes with their XOR. */
static void send_phase(struct vboard *board, const uint8_t *piece, size_t n, int64_t now_us)
{
    uint8_t bytes[FRAMED + 1], sum = n == 1 ? 0xff : 0;
    for (size_t i = 0; i < n; i++)
        sum ^= bytes[i] = piece[i];
    bytes[n] = sum;
    vboard_accept(board, bytes, n + 1, now_us);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t out[256];
    int64_t now_us = 1000000;
    if (size < 2)
        return 0;
    family = (data[0] >> 3) % G_N_ELEMENTS(families);
    const struct vboard_options options = {
        .family = families[family].family, .address = 1, .unit_seed = data[1], .bootloader = data[0] & 1};
    struct vboard *board = vboard_new(&options, 0, NULL);
    bool bootloader = data[0] & 2;
    int64_t pause_us = data[0] & 4 ? 1000 : 300000;
    data += 2;
    size -= 2;
    while (size > 0) {
        size_t n = MIN((size_t)data[0] & (FRAMED - 1), size - 1);
        if (!(data[0] & FRAMED) || n == 0)
            vboard_accept(board, data + 1, n, now_us);
        else
            (bootloader ? send_phase : send_frame)(board, data + 1, n, now_us);
        data += n + 1;
        size -= n + 1;
        now_us += pause_us;
        while (vboard_produce(board, out, sizeof out, now_us) > 0)
            continue;
        g_assert_cmpint(vboard_next_us(board), >=, 0);
    }
    vboard_free(board);
    return 0;
}
