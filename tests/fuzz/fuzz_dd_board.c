/* A board of DD frames that answers anything: every operation ends, in finite time, with a value or an error,
 * and no session is left open in the driver's mind. */
#include "tests/fuzz/fuzz.h"

#include "proto/board.h"
#include "proto/dd_frame.h"

#define SECONDS_MAX 3600

static struct profile *profile;

static void load_profile(void)
{
    g_autoptr(GBytes) bytes = fuzz_source("recipes/boards/jbd-sp04s020.yaml");
    g_autoptr(bind_report_auto) report = bind_report_new("profile", bytes);
    profile = profile_load("profile", bytes, report);
    g_assert_nonnull(profile);
}

static bool show(struct board *board, GError **error)
{
    struct board_telemetry t;
    if (!board_telemetry(board, &t, error))
        return false;
    g_assert_cmpuint(t.cells, <=, BOARD_CELLS_MAX);
    g_assert_cmpuint(t.sensors, <=, BOARD_SENSORS_MAX);
    g_assert_nonnull(memchr(t.active, 0, sizeof t.active));
    return true;
}

static bool operate(struct board *board, unsigned what, GError **error)
{
    const struct profile_item *item = g_ptr_array_index(profile->items, what / 8 * 5 % profile->items->len);
    struct board_identity identity;
    struct item_value value = {.item = item};
    switch (what % 8) {
    case 0:
        return board_identify(board, &identity, error);
    case 1:
        return show(board, error);
    case 2: {
        struct board_image *image = board_image_read(board, error);
        bool ok = image != NULL;
        if (image)
            json_decref(board_image_json(image));
        board_image_free(image);
        return ok;
    }
    case 3: {
        struct secret *password = secret_from_text("123456");
        bool ok = board_login(board, 1, password, error);
        secret_free(password);
        return ok;
    }
    case 4:
        return board_control(board, CONTROL_CHARGE_FET + (what / 8 & 1), what / 16 & 1, error);
    case 5:
        return board_calibrate(board, what / 8 % (CALIBRATE_CELL + 1), what / 64, -20000, error);
    case 6:
        return board_read_item(board, item, &value, error) && board_write_item(board, &value, &value, error);
    default:
        return board_read_item(board, item, &value, error);
    }
}

enum { REFUSE = 1, RAW = 2, ECHO = 4, STRANGER = 8, EMPTY = 16, ZERO = 32 };

/* A frame with right LEN and checksum, so that what stands behind them is reached. The first byte of the
 * piece says how: a status, the bytes as they are, the request first, another register, no data, as many
 * zeros as the second. */
static void frame(GByteArray *out, const uint8_t *piece, size_t n, const uint8_t *request, size_t request_n)
{
    struct dd_frame reply = {0};
    uint8_t bytes[DD_FRAME_MAX];
    if (n == 0 || request_n < 3)
        return;
    unsigned how = piece[0];
    if (how & ECHO)
        g_byte_array_append(out, request, (guint)request_n);
    if (how & RAW) {
        g_byte_array_append(out, piece + 1, (guint)n - 1);
        return;
    }
    reply.first = request[2] ^ (how & STRANGER ? 1 : 0);
    reply.second = how & REFUSE && n > 1 ? piece[1] : DD_OK;
    reply.n = (uint8_t)(how & EMPTY ? 0 : how & ZERO && n > 1 ? piece[1] : n - 1);
    if (!(how & (EMPTY | ZERO)))
        memcpy(reply.data, piece + 1, reply.n);
    g_byte_array_append(out, bytes, (guint)dd_encode(&reply, bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_answers answers;
    if (!profile)
        load_profile();
    if (size < 3)
        return 0;
    fuzz_answers_open(&answers, data + 2, size - 2, "9600-8N1");
    answers.babble = data[1] & 1;
    answers.shape = data[1] & 2 ? frame : NULL;
    struct board *board = board_open(profile, answers.wire, 1, false, NULL);
    g_autoptr(GError) error = NULL;
    int64_t began = tick_now(&answers.clock.tick);
    bool ok = operate(board, data[0], &error);
    g_assert_true(ok == !error);
    g_assert_false(board->in_session);
    g_assert_cmpint(tick_now(&answers.clock.tick) - began, <, TICK_S(SECONDS_MAX));
    board_close(board);
    fuzz_answers_close(&answers);
    return 0;
}
