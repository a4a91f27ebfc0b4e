/* A bus that answers anything: every operation of a board that a profile describes over CANopen ends, in
 * finite time, with a value or an error. */
#include "tests/fuzz/fuzz.h"

#include "proto/board.h"
#include "proto/can.h"
#include "proto/canopen_sdo.h"

#define SECONDS_MAX 600

static struct profile *profile;

static void load_profile(void)
{
    g_autoptr(GBytes) bytes = fuzz_source("recipes/boards/rockets-smart.yaml");
    g_autoptr(bind_report_auto) report = bind_report_new("profile", bytes);
    profile = profile_load("profile", bytes, report);
    g_assert_nonnull(profile);
}

static bool take(void *context, const struct board_record *record, GError **error)
{
    unsigned *n = context;
    (void)error;
    g_assert_nonnull(memchr(record->what, 0, sizeof record->what));
    return ++*n < 20;
}

static bool operate(struct board *board, unsigned what, GError **error)
{
    struct board_identity identity;
    struct board_telemetry telemetry;
    const struct profile_item *item = g_ptr_array_index(profile->items, what / 8 % profile->items->len);
    struct item_value value = {.item = item};
    int64_t wall_us;
    unsigned records = 0;
    switch (what % 8) {
    case 0:
        return board_identify(board, &identity, error);
    case 1:
        if (!board_telemetry(board, &telemetry, error))
            return false;
        g_assert_cmpuint(telemetry.cells, <=, BOARD_CELLS_MAX);
        g_assert_nonnull(memchr(telemetry.active, 0, sizeof telemetry.active));
        return true;
    case 2:
        return board_clock_read(board, &wall_us, error) && board_clock_write(board, wall_us, error);
    case 3:
        return board_history_read(board, take, &records, error);
    case 4: {
        struct board_image *image = board_image_read(board, error);
        if (image)
            json_decref(board_image_json(image));
        board_image_free(image);
        return image != NULL;
    }
    case 5:
        return board_control(board, CONTROL_SLEEP, 0, error);
    case 6:
        return board_read_item(board, item, &value, error) && board_write_item(board, &value, &value, error);
    default:
        return board_read_item(board, item, &value, error);
    }
}

enum { RAW = 1, STRANGER = 2, LENGTH = 4, OBJECT = 8 };

/* One frame for each piece. The first byte says how: bytes as they are, another id, another length, and the
 * object that was asked for, so that what stands behind it is reached. */
static void frame(GByteArray *out, const uint8_t *piece, size_t n, const uint8_t *request, size_t request_n)
{
    struct can_message m = {.id = SDO_ANSWER + 1, .n = SDO_FRAME};
    uint8_t record[CAN_RECORD];
    if (n == 0 || request_n != CAN_RECORD)
        return;
    const unsigned how = piece[0];
    if (how & RAW) {
        g_byte_array_append(out, piece + 1, (guint)n - 1);
        return;
    }
    memcpy(m.data, piece + 1, MIN(n - 1, sizeof m.data));
    if (how & OBJECT)
        memcpy(m.data + 1, request + 9, 3);
    if (how & STRANGER)
        m.id++;
    if (how & LENGTH)
        m.n = (uint8_t)(how >> 4);
    can_to_record(&m, record);
    g_byte_array_append(out, record, sizeof record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_answers answers;
    if (!profile)
        load_profile();
    if (size < 3)
        return 0;
    fuzz_answers_open(&answers, data + 2, size - 2, "250000-can");
    answers.babble = data[1] & 1;
    answers.shape = data[1] & 2 ? frame : NULL;
    struct board *board = board_open(profile, answers.wire, 1, true, NULL);
    g_autoptr(GError) error = NULL;
    int64_t began = tick_now(&answers.clock.tick);
    bool ok = operate(board, data[0], &error);
    g_assert_true(ok || error);
    g_assert_cmpint(tick_now(&answers.clock.tick) - began, <, TICK_S(SECONDS_MAX));
    board_close(board);
    fuzz_answers_close(&answers);
    return 0;
}
