/* A line that answers anything to a daly or tianpower board's driver: every operation ends, in finite time,
 * with a value or an error. Input: which profile, which operation, then pieces. */
#include "tests/fuzz/fuzz.h"

#include "proto/a5.h"
#include "proto/board.h"
#include "proto/tp.h"

#define SECONDS_MAX 600

static const char *const files[] = {"recipes/boards/daly-uart-16s.yaml", "recipes/boards/daly-can-16s.yaml",
                                    "recipes/boards/tianpower-16s.yaml"};
static struct profile *profiles[G_N_ELEMENTS(files)];

static void load_profiles(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autoptr(GBytes) bytes = fuzz_source(files[i]);
        g_autoptr(bind_report_auto) report = bind_report_new("profile", bytes);
        profiles[i] = profile_load("profile", bytes, report);
        g_assert_nonnull(profiles[i]);
    }
}

static bool operate(struct board *board, unsigned what, GError **error)
{
    struct board_identity identity;
    struct board_telemetry telemetry;
    const struct profile_item *item =
        g_ptr_array_index(board->profile->items, what / 8 % board->profile->items->len);
    struct item_value value = {.item = item};
    int64_t wall_us;
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
        return board_control(board, CONTROL_RESET, 0, error);
    case 4: {
        struct board_image *image = board_image_read(board, error);
        if (image)
            json_decref(board_image_json(image));
        board_image_free(image);
        return image != NULL;
    }
    case 5:
        return board_control(board, CONTROL_CHARGE_FET, 1, error);
    case 6:
        return board_read_item(board, item, &value, error) && board_write_item(board, &value, &value, error);
    default:
        return board_read_item(board, item, &value, error);
    }
}

/* The first byte of a piece says how: bytes as they are, or made an answer to the request. */
static void uart(GByteArray *out, const uint8_t *piece, size_t n, const uint8_t *request, size_t request_n)
{
    struct a5_frame frame = {.address = 1};
    uint8_t bytes[A5_FRAME_MAX];
    if (n == 0 || request_n != A5_FRAME_MAX || piece[0] & 1) {
        g_byte_array_append(out, piece, (guint)n);
        return;
    }
    frame.id = request[2];
    for (size_t at = 1; at < n; at += A5_DATA) { /* a series */
        memset(frame.data, 0, sizeof frame.data);
        memcpy(frame.data, piece + at, MIN(n - at, sizeof frame.data));
        a5_encode(&frame, bytes);
        g_byte_array_append(out, bytes, sizeof bytes);
    }
}

static void bus(GByteArray *out, const uint8_t *piece, size_t n, const uint8_t *request, size_t request_n)
{
    struct a5_frame frame = {.address = 1};
    struct can_message message;
    uint8_t record[CAN_RECORD];
    if (n == 0 || request_n != CAN_RECORD || piece[0] & 1) {
        g_byte_array_append(out, piece, (guint)n);
        return;
    }
    frame.id = request[2];
    for (size_t at = 1; at < n; at += A5_DATA) {
        memset(frame.data, 0, sizeof frame.data);
        memcpy(frame.data, piece + at, MIN(n - at, sizeof frame.data));
        a5_to_can(&frame, 0x40, 1, &message);
        can_to_record(&message, record);
        g_byte_array_append(out, record, sizeof record);
    }
}

/* Twice, since an answer counts when the next one agrees with it. */
static void binary(GByteArray *out, const uint8_t *piece, size_t n, const uint8_t *request, size_t request_n)
{
    struct tp_frame frame = {.start = TP_START, .address = 1};
    uint8_t bytes[TP_FRAME_MAX];
    if (n == 0 || request_n < 6 || piece[0] & 1) {
        g_byte_array_append(out, piece, (guint)n);
        return;
    }
    frame.function = request[2];
    frame.n = (uint8_t)MIN(n - 1, (size_t)TP_DATA_MAX);
    memcpy(frame.data, piece + 1, frame.n);
    g_byte_array_append(out, bytes, (guint)tp_encode(&frame, bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const shapes[])(GByteArray *, const uint8_t *, size_t, const uint8_t *,
                                  size_t) = {uart, bus, binary};
    struct fuzz_answers answers;
    if (!profiles[0])
        load_profiles();
    if (size < 3)
        return 0;
    const unsigned which = data[0] % G_N_ELEMENTS(files);
    fuzz_answers_open(&answers, data + 3, size - 3, which == 1 ? "250000-can" : "9600-8N1");
    answers.babble = data[2] & 1;
    answers.shape = data[2] & 2 ? shapes[which] : NULL;
    struct board *board = board_open(profiles[which], answers.wire, 1, false, NULL);
    g_assert_nonnull(board);
    g_autoptr(GError) error = NULL;
    const int64_t began = tick_now(&answers.clock.tick);
    const bool ok = operate(board, data[1], &error);
    g_assert_true(ok || error);
    g_assert_cmpint(tick_now(&answers.clock.tick) - began, <, TICK_S(SECONDS_MAX));
    board_close(board);
    fuzz_answers_close(&answers);
    return 0;
}
