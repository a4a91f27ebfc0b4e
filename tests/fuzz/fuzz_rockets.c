/* The virtual battery on the bus: any requests, in any pieces, at any time; what it says are whole frames of
 * its own ids, and a conversation of this program's client with it ends. Input: pieces, each a byte of length
 * and so many bytes; eight of them are a request. */
#include "tests/fuzz/fuzz.h"

#include "proto/can.h"
#include "proto/canopen_sdo.h"
#include "proto/virtual/vboard.h"

static void accept_piece(struct vboard *board, const uint8_t *piece, size_t n, int64_t now_us)
{
    struct can_message m = {.id = SDO_REQUEST + 1, .n = SDO_FRAME};
    uint8_t record[CAN_RECORD];
    if (n != SDO_FRAME) {
        vboard_accept(board, piece, n, now_us);
        return;
    }
    memcpy(m.data, piece, SDO_FRAME);
    can_to_record(&m, record);
    vboard_accept(board, record, sizeof record, now_us);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const defects[] = {"awake", NULL};
    const struct vboard_options options = {
        .family = "rockets", .address = 1, .unit_seed = 7, .defects = defects, .fast = true};
    int64_t now_us = 1000000;
    if (size < 1)
        return 0;
    const int64_t pause_us = data[0] & 1 ? 1000 : 60000;
    struct vboard *board = vboard_new(&options, 0, NULL);
    for (data++, size--; size > 0;) {
        const size_t n = MIN((size_t)data[0] % 20, size - 1);
        uint8_t record[CAN_RECORD];
        struct can_message m;
        size_t got;
        accept_piece(board, data + 1, n, now_us);
        data += n + 1;
        size -= n + 1;
        now_us += pause_us;
        while ((got = vboard_produce(board, record, sizeof record, now_us)) > 0) {
            g_assert_cmpuint(got, ==, sizeof record);
            g_assert_true(can_from_record(record, &m));
            g_assert_true((m.id == SDO_ANSWER + 1 && m.n == SDO_FRAME) || (m.id == 0x701 && m.n == 1));
        }
        g_assert_cmpint(vboard_next_us(board), >=, 0);
    }
    vboard_free(board);
    return 0;
}
