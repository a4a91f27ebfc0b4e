/* A register board that answers anything: every operation ends, in finite time, with a value or an error, and
 * what the profile describes is read and run. */
#include "tests/fuzz/fuzz.h"

#include "proto/board.h"
#include "proto/modbus.h"

#define SECONDS_MAX 600

static struct profile *profile;

static void load_profile(void)
{
    g_autoptr(GBytes) bytes = fuzz_source("recipes/boards/monv4-reference.yaml");
    g_autoptr(bind_report_auto) report = bind_report_new("profile", bytes);
    profile = profile_load("profile", bytes, report);
    g_assert_nonnull(profile);
}

static bool operate(struct board *board, unsigned what, GError **error)
{
    struct board_identity identity;
    struct board_telemetry telemetry;
    struct item_value value = {0};
    unsigned other = what / 8;
    uint16_t word;
    switch (what % 8) {
    case 0:
        return board_identify(board, &identity, error);
    case 1:
        if (!board_telemetry(board, &telemetry, error))
            return false;
        g_assert_cmpuint(telemetry.cells, <=, 24);
        g_assert_cmpuint(telemetry.sensors, ==, 6);
        g_assert_nonnull(memchr(telemetry.active, 0, sizeof telemetry.active));
        return true;
    case 2: {
        struct board_image *image = board_image_read(board, error);
        if (image)
            json_decref(board_image_json(image));
        board_image_free(image);
        return image != NULL;
    }
    case 3:
        return board_calibrate(board, other % (CALIBRATE_RESET + 1), 1, 20000, error);
    case 4:
        return board_control(board, other % (CONTROL_CLEAR_PCB_BARCODE + 1), 1, error);
    case 5:
        return board_wait_alive(board, tick_now(board->wire->tick) + TICK_S(5), &identity, error);
    case 6:
        return board_register_read(board, other * 64, &word, error) &&
               board_register_write(board, other * 64, word, error);
    default:
        value.item = g_ptr_array_index(profile->items, other * 7 % profile->items->len);
        return board_read_item(board, value.item, &value, error) &&
               board_write_item(board, &value, &value, error);
    }
}

enum { REFUSE = 1, RAW = 2, ECHO = 4, STRANGER = 8, TWICE = 16 };

/* A frame with the right length and check for the request, so that what stands in it is read. The first byte
 * of the piece says how: an exception, the bytes as they are, the request first, another unit, two of them.
 */
static void frame(GByteArray *out, const uint8_t *piece, size_t n, const uint8_t *request, size_t request_n)
{
    uint8_t reply[MODBUS_FRAME_MAX] = {0};
    if (n == 0 || request_n < 8)
        return;
    unsigned how = piece[0];
    if (how & ECHO)
        g_byte_array_append(out, request, (guint)request_n);
    if (how & RAW) {
        g_byte_array_append(out, piece + 1, (guint)n - 1);
        return;
    }
    memcpy(reply, request, 6);
    reply[0] ^= how & STRANGER ? 1 : 0;
    size_t length = 6;
    if (how & REFUSE) {
        reply[1] |= 0x80;
        reply[2] = n > 1 ? piece[1] : 1;
        length = 3;
    } else if (request[1] <= 4) {
        reply[2] = (uint8_t)(2 * request[5]);
        length = 3 + reply[2];
        for (size_t i = 3; i < length; i++)
            reply[i] = n > 1 ? piece[1 + (i - 3) % (n - 1)] : 0;
    }
    uint16_t crc = modbus_crc(reply, length);
    reply[length++] = (uint8_t)crc;
    reply[length++] = (uint8_t)(crc >> 8);
    for (unsigned i = 0; i < (how & TWICE ? 2 : 1); i++)
        g_byte_array_append(out, reply, (guint)length);
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
