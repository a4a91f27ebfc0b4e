/* A board that answers anything: every operation of the dialect ends, in finite time, with a value or an
 * error. */
#include "tests/fuzz/fuzz.h"

#include "proto/board.h"
#include "proto/yd1363.h"

#define SECONDS_MAX 600

static const char *const files[] = {"recipes/boards/basen-lt55.yaml", "recipes/boards/clever-176x33.yaml",
                                    "recipes/boards/topbms-v17.yaml", "recipes/boards/pace-25.yaml"};
static struct profile *profiles[G_N_ELEMENTS(files)];
static const struct profile *profile; /* of this input */

static void load_profiles(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autoptr(GBytes) bytes = fuzz_source(files[i]);
        g_autoptr(bind_report_auto) report = bind_report_new("profile", bytes);
        profiles[i] = profile_load("profile", bytes, report);
        g_assert_nonnull(profiles[i]);
    }
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
    struct item_value value = {0};
    int64_t wall_us;
    unsigned records = 0;
    switch (what % 10) {
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
    case 5: {
        struct secret *password = secret_from_text("888888"), *theft = secret_from_text("654321");
        bool ok = board_login(board, 1, password, error) && board_antitheft_off(board, theft, error) &&
                  board_calibrate(board, what / 10 % (CALIBRATE_CELL + 1), 1, -20000, error) &&
                  board_history_erase(board, error);
        secret_free(password);
        secret_free(theft);
        return ok;
    }
    case 6:
        return board_control(board, what / 10 % (CONTROL_CHARGE_LIMITER + 1), 0, error);
    case 7:
        value.item = g_ptr_array_index(profile->items, what / 10 % profile->items->len);
        board->level = 3;
        return board_read_item(board, value.item, &value, error) &&
               board_write_item(board, &value, &value, error);
    case 8:
        return board_wait_alive(board, tick_now(board->wire->tick) + TICK_S(5), &identity, error);
    default:
        return board_read_item(board, g_ptr_array_index(profile->items, what / 10 % profile->items->len),
                               &value, error);
    }
}

enum { REFUSE = 1, HEAD = 2, RAW = 4, ECHO = 8, STRANGER = 16 };

/* A frame with right LENGTH and checksum, so that what stands behind them is reached. The first byte of the
 * piece says how: a refusal, the head of the request repeated, the bytes as they are, the request first,
 * another address. */
static void frame(GByteArray *out, const uint8_t *piece, size_t n, const uint8_t *request, size_t request_n)
{
    struct yd1363_decoder decoder;
    struct yd1363_frame asked = {0};
    struct yd1363_frame reply = {.version = (uint8_t)profile->frame.version,
                                 .cid1 = (uint8_t)profile->frame.equipment};
    char text[YD1363_FRAME_MAX];
    if (n == 0)
        return;
    unsigned how = piece[0];
    yd1363_reset(&decoder);
    for (size_t i = 0; i < request_n; i++)
        g_assert_cmpint(yd1363_decode(&decoder, request[i], &asked), !=, YD1363_BAD);
    if (how & ECHO)
        g_byte_array_append(out, request, (guint)request_n);
    if (how & RAW) {
        g_byte_array_append(out, piece + 1, (guint)n - 1);
        return;
    }
    reply.address = asked.address ^ (how & STRANGER ? 1 : 0);
    reply.cid2 = how & REFUSE && n > 1 ? piece[1] : 0;
    if (how & HEAD)
        memcpy(reply.info, asked.info, reply.n = MIN(asked.n, profile->frame.version == 0x22 ? 4 : 1));
    memcpy(reply.info + reply.n, piece + 1, n - 1);
    reply.n += n - 1;
    g_byte_array_append(out, (const uint8_t *)text, (guint)yd1363_encode(&reply, text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_answers answers;
    if (!profiles[0])
        load_profiles();
    if (size < 3)
        return 0;
    profile = profiles[(data[1] >> 2) % G_N_ELEMENTS(files)];
    fuzz_answers_open(&answers, data + 2, size - 2, "9600-8N1");
    answers.babble = data[1] & 1;
    answers.shape = data[1] & 2 ? frame : NULL;
    struct board *board = board_open(profile, answers.wire, 1, true, NULL);
    board->alarm_log = data[1] & 0x80;
    g_autoptr(GError) error = NULL;
    int64_t began = tick_now(&answers.clock.tick);
    bool ok = operate(board, data[0], &error);
    g_assert_true(ok || error);
    g_assert_cmpint(tick_now(&answers.clock.tick) - began, <, TICK_S(SECONDS_MAX));
    board_close(board);
    fuzz_answers_close(&answers);
    return 0;
}
