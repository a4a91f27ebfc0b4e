/* A board that answers anything: every operation of the dialect ends, in finite time, with a value or an
 * error. */
#include "tests/fuzz/fuzz.h"

#include "proto/board.h"

#define SECONDS_MAX 600

static struct profile *profile;

static void load_profile(void)
{
    g_autoptr(GBytes) bytes = fuzz_source("recipes/boards/basen-lt55.yaml");
    g_autoptr(bind_report_auto) report = bind_report_new("profile", bytes);
    profile = profile_load("profile", bytes, report);
    g_assert_nonnull(profile);
}

static bool take(void *context, const struct board_record *record, GError **error)
{
    unsigned *n = context;
    (void)error;
    g_assert_cmpuint(record->cells, <=, BOARD_CELLS_MAX);
    return ++*n < 20;
}

static bool operate(struct board *board, unsigned what, GError **error)
{
    struct board_identity identity;
    struct board_telemetry telemetry;
    struct item_value value = {0};
    int64_t wall_us;
    unsigned records = 0;
    switch (what % 8) {
    case 0:
        return board_identify(board, &identity, error);
    case 1:
        if (!board_telemetry(board, &telemetry, error))
            return false;
        g_assert_cmpuint(telemetry.cells, <=, BOARD_CELLS_MAX);
        g_assert_cmpuint(telemetry.sensors, <=, BOARD_SENSORS_MAX);
        g_assert_nonnull(memchr(telemetry.active, 0, sizeof telemetry.active));
        return true;
    case 2:
        return board_clock_read(board, &wall_us, error);
    case 3:
        return board_history_read(board, take, &records, error);
    case 4: {
        struct board_image *image = board_image_read(board, error);
        board_image_free(image);
        return image != NULL;
    }
    case 5: {
        struct secret *password = secret_from_text("888888");
        bool ok = board_login(board, 1, password, error);
        secret_free(password);
        return ok;
    }
    case 6:
        return board_control(board, CONTROL_RESET, 0, error);
    default:
        return board_read_item(board, g_ptr_array_index(profile->items, what / 8 % profile->items->len),
                               &value, error);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_answers answers;
    if (!profile)
        load_profile();
    if (size < 2)
        return 0;
    fuzz_answers_open(&answers, data + 1, size - 1, "9600-8N1");
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
