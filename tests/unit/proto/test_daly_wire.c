/* Family daly: published frames and captures through the dialects a5-frame, a5-frame-can and modbus and the
 * shipped profiles. */
#include "tests/unit/proto/far.h"

#include "proto/a5.h"
#include "proto/board.h"
#include "proto/wire_frames.h"
#include "station/base/error.h"

static size_t bytes_of(const char *hex, uint8_t *out)
{
    size_t n = 0;
    for (const char *p = hex; *p; p++)
        if (g_ascii_isxdigit(p[0]) && g_ascii_isxdigit(p[1])) {
            out[n++] = (uint8_t)(g_ascii_xdigit_value(p[0]) << 4 | g_ascii_xdigit_value(p[1]));
            p++;
        }
    return n;
}

/* diysolarforum.com thread 21898, "Decoding the DALY SmartBMS protocol": 14 cells. */
static const char *const forum[] = {"a5 01 90 08 02 10 00 00 75 30 01 f4 ea",
                                    "a5 01 91 08 0e c8 05 0e 9c 09 01 f4 c2",
                                    "a5 01 92 08 3d 01 3d 01 9c 09 01 f4 56",
                                    "a5 01 93 08 00 01 01 10 00 00 4e 20 c1",
                                    "a5 01 94 08 0e 01 00 00 02 00 00 20 73",
                                    "a5 01 95 08 01 0e c0 0e c2 0e c7 20 d7",
                                    "a5 01 95 08 02 0e c8 0e c8 0e c6 20 e5",
                                    "a5 01 95 08 03 0e c2 0e c2 0e 9c 20 b0",
                                    "a5 01 95 08 04 0e c4 0e c4 0e c4 20 dd",
                                    "a5 01 95 08 05 0e c3 0e c0 0e c4 20 d9",
                                    "a5 01 96 08 01 3d 00 00 00 00 00 00 82",
                                    "a5 01 96 08 02 00 00 00 00 00 00 00 46",
                                    "a5 01 97 08 00 00 00 00 00 00 00 00 45",
                                    "a5 01 98 08 00 00 00 00 00 00 00 00 46",
                                    NULL};
static const char *const single[] = {
    "a5 40 90 08 00 00 00 00 00 00 00 00 7d", /* the same thread, a request */
    "a5 01 90 08 01 01 00 00 75 30 01 46 2c", /* GenericBMSArduino issue 4 */
    "A5 01 90 08 00 82 00 00 75 30 01 F3 59", /* esphome issue 12445 */
    "A5 40 91 08 00 00 00 00 00 00 00 00 7E", /* the same */
    "A5 01 91 08 0C B5 02 0C B2 01 00 03 C4", /* the same */
    "a5 01 90 08 00 a2 00 00 75 30 03 80 08", /* esphome-daly-hkms-bms issue 9 */
    "A5 40 21 08 16 0C 0D 15 1D 27 01 2C C3", /* diysolarforum.com thread 52016 */
    "a5 80 95 08 00 00 00 00 00 00 00 00 c2", /* python-daly-bms, in its source */
    NULL};

/* dbus-serialbattery issue 165: the fifth frame is cut short by the sixth. */
static const char cut[] =
    "a501950801 0d290d330d329089 a501950802 0d2f0d2e0d33908c a501950803 0d330d330d339096 a501950804 "
    "0d330d320d2f9092 a501950805 0d300d34 a501950806 0d320d340d319097 a501900802 1c000076560286b0";

static void check_published(const char *hex)
{
    struct a5_decoder decoder = {0};
    struct a5_frame frame;
    uint8_t bytes[16], again[A5_FRAME_MAX];
    g_assert_cmpuint(bytes_of(hex, bytes), ==, A5_FRAME_MAX);
    for (unsigned k = 0; k < A5_FRAME_MAX; k++) {
        a5_put(&decoder, bytes[k]);
        g_assert_cmpint(a5_take(&decoder, false, &frame), ==, k + 1 < A5_FRAME_MAX ? A5_MORE : A5_FRAME);
    }
    a5_encode(&frame, again);
    g_assert_cmpmem(again, sizeof again, bytes, A5_FRAME_MAX);
    for (unsigned k = 0; k < 8 * A5_FRAME_MAX; k++) { /* no flipped bit passes */
        struct a5_decoder one = {0};
        bytes[k / 8] ^= (uint8_t)(1 << k % 8);
        for (unsigned i = 0; i < A5_FRAME_MAX; i++)
            a5_put(&one, bytes[i]);
        for (enum a5_state state = A5_BAD; state != A5_MORE;) {
            state = a5_take(&one, true, &frame);
            g_assert_cmpint(state, !=, A5_FRAME);
        }
        bytes[k / 8] ^= (uint8_t)(1 << k % 8);
    }
}

static void test_published(void)
{
    for (unsigned i = 0; forum[i]; i++)
        check_published(forum[i]);
    for (unsigned i = 0; single[i]; i++)
        check_published(single[i]);
}

static void test_cut(void)
{
    struct a5_decoder decoder = {0};
    struct a5_frame frame;
    uint8_t bytes[200];
    const size_t n = bytes_of(cut, bytes);
    g_autoptr(GString) seen = g_string_new(NULL);
    for (size_t i = 0; i < n; i++) {
        a5_put(&decoder, bytes[i]);
        for (enum a5_state state = A5_BAD; state != A5_MORE;) {
            state = a5_take(&decoder, false, &frame);
            if (state == A5_FRAME)
                g_string_append_printf(seen, "%02X%d ", frame.id, frame.data[0]);
        }
    }
    g_assert_cmpstr(seen->str, ==, "951 952 953 954 956 902 ");
}

/* dbus-serialbattery, daly_can.py and issue 249. */
static void test_can(void)
{
    struct can_message message;
    struct a5_frame frame = {.id = 0x90};
    uint8_t receiver, sender;
    char text[CAN_TEXT_MAX];
    a5_to_can(&frame, 1, 0x40, &message);
    can_format(&message, text);
    g_assert_cmpstr(text, ==, "18900140#0000000000000000");
    g_assert_true(can_parse("18904002#010D00007566032B", &message, NULL));
    g_assert_true(a5_from_can(&message, &receiver, &sender, &frame));
    g_assert_true(receiver == 0x40 && sender == 2 && frame.id == 0x90 && frame.address == 2);
    g_assert_cmpuint(frame.data[7], ==, 0x2b);
    static const char *const none[] = {"18904002#010D0000756603", "08904002#010D00007566032B",
                                       "123#010D00007566032B", "18904002#R8"};
    for (unsigned i = 0; i < G_N_ELEMENTS(none); i++) {
        g_assert_true(can_parse(none[i], &message, NULL));
        g_assert_false(a5_from_can(&message, &receiver, &sender, &frame));
    }
}

/* Profiles; `change` is pairs of texts, each there once. */
static struct profile *load(const char *name, const char *const *change)
{
    g_autofree char *path = g_build_filename(SOURCE_DIR, "recipes/boards", name, NULL);
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    for (unsigned i = 0; change && change[i]; i += 2) {
        g_auto(GStrv) parts = g_strsplit(text, change[i], -1);
        g_assert_cmpuint(g_strv_length(parts), ==, 2);
        g_free(text);
        text = g_strjoinv(change[i + 1], parts);
    }
    g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));
    g_autoptr(bind_report_auto) report = bind_report_new(path, bytes);
    struct profile *profile = profile_load(path, bytes, report);
    if (!profile)
        g_error("%s", bind_report_text(report));
    return profile;
}

/* A board that is a list of captured frames: each request is answered by those of its data id, or by those of
 * its registers. */
struct replay {
    const char *const *frames;
    const char *stream; /* what every answer is, instead */
    bool echo;          /* the line hears itself */
    uint8_t sent[32];   /* the last request */
    uint8_t registers[512];
    unsigned asked;
    GByteArray *out;
    struct tick_virtual clock;
    struct wire *wire;
    struct profile *profile;
    struct board *board;
};

static unsigned crc_of(const uint8_t *bytes, size_t n)
{
    unsigned crc = 0xffff;
    while (n--) {
        crc ^= *bytes++;
        for (int i = 0; i < 8; i++)
            crc = crc & 1 ? crc >> 1 ^ 0xa001 : crc >> 1;
    }
    return crc;
}

static void replay_registers(struct replay *r, const uint8_t *bytes)
{
    const unsigned first = bytes[3], count = bytes[5];
    uint8_t reply[300] = {0xd2, 3, (uint8_t)(2 * count)};
    g_assert_cmpuint(bytes[1], ==, 3);
    memcpy(reply + 3, r->registers + 2 * first, 2 * count);
    const unsigned crc = crc_of(reply, 3 + 2 * count);
    reply[3 + 2 * count] = (uint8_t)crc;
    reply[4 + 2 * count] = (uint8_t)(crc >> 8);
    g_byte_array_append(r->out, reply, 5 + 2 * count);
}

static void replay_frames(struct replay *r, const uint8_t *bytes, size_t n)
{
    const unsigned id = bytes[2]; /* on the bus, a byte of the id */
    for (unsigned i = 0; r->frames[i]; i++) {
        uint8_t frame[CAN_RECORD];
        struct can_message message;
        if (n == CAN_RECORD) {
            g_assert_true(can_parse(r->frames[i], &message, NULL));
            can_to_record(&message, frame);
        } else {
            bytes_of(r->frames[i], frame);
        }
        if (frame[2] == id)
            g_byte_array_append(r->out, frame, (guint)n);
    }
}

static void replay_accept(void *context, const uint8_t *bytes, size_t n, int64_t now_us)
{
    struct replay *r = context;
    uint8_t stream[200];
    (void)now_us;
    r->asked++;
    memcpy(r->sent, bytes, MIN(n, sizeof r->sent));
    if (r->echo)
        g_byte_array_append(r->out, bytes, (guint)n);
    if (r->stream)
        g_byte_array_append(r->out, stream, (guint)bytes_of(r->stream, stream));
    else if (r->frames)
        replay_frames(r, bytes, n);
    else
        replay_registers(r, bytes);
}

static size_t replay_produce(void *context, uint8_t *bytes, size_t max, int64_t now_us)
{
    struct replay *r = context;
    const size_t n = MIN(max, r->out->len);
    (void)now_us;
    if (n)
        memcpy(bytes, r->out->data, n);
    g_byte_array_remove_range(r->out, 0, (guint)n);
    return n;
}

static int64_t replay_next(void *context)
{
    (void)context;
    return TICK_NEVER;
}

static void replay_open(struct replay *r, const char *profile, const char *const *change, unsigned address)
{
    const struct wire_far_side side = {r, replay_accept, replay_produce, replay_next, NULL, NULL};
    struct wire_options options = {.tick = &r->clock.tick};
    GError *error = NULL;
    tick_virtual_init(&r->clock, 1795000000000000);
    r->profile = load(profile, change);
    r->out = g_byte_array_new();
    options.line = r->profile->line;
    r->wire = wire_loop_open(&side, &options);
    r->board = board_open(r->profile, r->wire, address, false, &error);
    g_assert_no_error(error);
}

static void replay_close(struct replay *r)
{
    board_close(r->board);
    wire_close(r->wire);
    profile_free(r->profile);
    g_byte_array_unref(r->out);
}

static const char *const fourteen[] = {
    "size: 36", "size: 30", "count: 16", "count: 14", "  - {reading: full, item: rated.capacity}\n",
    "",         NULL};

/* What python-daly-bms makes of the same bytes. */
static void test_forum(void)
{
    struct replay r = {.frames = forum};
    struct board_telemetry t;
    GError *error = NULL;
    replay_open(&r, "daly-uart-16s.yaml", fourteen, 1);
    g_assert_true(board_telemetry(r.board, &t, &error));
    g_assert_no_error(error);
    g_assert_cmpint(t.pack_mv, ==, 52800);
    g_assert_cmpint(t.current_ma, ==, 0);
    g_assert_cmpint(t.soc_ppc, ==, 50000);
    g_assert_cmpint(t.remaining_mah, ==, 20000);
    g_assert_cmpuint(t.cells, ==, 14);
    g_assert_cmpint(t.cell_mv[0], ==, 3776);
    g_assert_cmpint(t.cell_mv[8], ==, 3740);
    g_assert_cmpint(t.cell_mv[13], ==, 3776);
    g_assert_cmpint(t.sensor_mdeg[0], ==, 21000);
    g_assert_cmpint(t.sensor_mdeg[1], ==, TELEMETRY_ABSENT);
    g_assert_true(t.charge_fet && t.discharge_fet && !t.charging && !t.discharging);
    g_assert_cmpstr(t.active, ==, "");
    replay_close(&r);
}

/* A frame of a series that is lost is never made up, however often. */
static void test_series(void)
{
    static const char *const short_one[] = {"size: 36", "size: 18", "count: 16", "count: 9", NULL};
    struct replay r = {.stream = cut}, more = {.stream = cut};
    struct item_value value;
    g_autoptr(GError) error = NULL;
    replay_open(&r, "daly-uart-16s.yaml", NULL, 1);
    g_assert_false(board_read_item(r.board, profile_item_find(r.profile, "cells.voltage"), &value, &error));
    g_assert_error(error, PACK_ERROR, ERROR_GARBLED);
    g_assert_nonnull(strstr(error->message, "6 frames were expected, 5 came"));
    g_assert_cmpuint(r.asked, ==, 4);
    replay_close(&r);
    replay_open(&more, "daly-uart-16s.yaml", short_one, 1); /* what is more is left alone */
    g_assert_true(
        board_read_item(more.board, profile_item_find(more.profile, "cells.voltage"), &value, NULL));
    g_assert_cmpint(value.value, ==, 0x0d29);
    replay_close(&more);
}

/* An adapter that hears itself, and a second board on the line, which is asked from 41H. */
static void test_echo(void)
{
    static const char *const second[] = {"a502900801010000753001462d", NULL};
    struct replay r = {.frames = forum, .echo = true}, alone = {.frames = &forum[14], .echo = true};
    struct replay two = {.frames = second};
    struct item_value value;
    g_autoptr(GError) silent = NULL;
    replay_open(&r, "daly-uart-16s.yaml", NULL, 1);
    const struct profile_item *soc = profile_item_find(r.profile, "pack.soc");
    g_assert_true(board_read_item(r.board, soc, &value, NULL));
    g_assert_cmpint(value.value, ==, 50000);
    g_assert_cmphex(r.sent[1], ==, 0x40);
    replay_close(&r);
    replay_open(&alone, "daly-uart-16s.yaml", NULL, 1);
    g_assert_false(
        board_read_item(alone.board, profile_item_find(alone.profile, "pack.soc"), &value, &silent));
    g_assert_error(silent, PACK_ERROR, ERROR_SILENT);
    g_assert_nonnull(strstr(silent->message, "echo"));
    replay_close(&alone);
    replay_open(&two, "daly-uart-16s.yaml", NULL, 2);
    g_assert_true(board_read_item(two.board, profile_item_find(two.profile, "pack.soc"), &value, NULL));
    g_assert_cmpint(value.value, ==, 32600);
    g_assert_cmphex(two.sent[1], ==, 0x41);
    replay_close(&two);
}

/* dbus-serialbattery issue 249, board 2: 8 cells, charged with 5.4 A. The program that logged it adds the
 * frame number to the ids of the cells; here they stand as they were on the bus. */
static const char *const bus[] = {"18904002#010D00007566032B", "18914002#0D25030D2401FFFF",
                                  "18924002#36023501FFFFFFFF", "18934002#0101012600027A3C",
                                  "18944002#0802000000000136", "18954001#0111111111111100",
                                  "18954002#010D240D240D2500", "18954002#020D250D250D2500",
                                  "18984002#0000000000000000", NULL};

static void test_bus(void)
{
    static const char *const eight[] = {"size: 36",
                                        "size: 12",
                                        "count: 16",
                                        "count: 6",
                                        "  - {reading: full, item: rated.capacity}\n",
                                        "",
                                        "  - {reading: sensors, item: temperatures.cell}\n",
                                        "",
                                        "cells_item: status.cells\n",
                                        "",
                                        NULL};
    static const char *const other_sign[] = {"size: 36",
                                             "size: 12",
                                             "count: 16",
                                             "count: 6",
                                             "  - {reading: full, item: rated.capacity}\n",
                                             "",
                                             "  - {reading: sensors, item: temperatures.cell}\n",
                                             "",
                                             "cells_item: status.cells\n",
                                             "",
                                             "charge_sign: 1",
                                             "charge_sign: -1",
                                             NULL};
    static const char *const less_room[] = {
        "size: 36", "size: 12", "count: 16", "count: 6", "  - {reading: full, item: rated.capacity}\n",
        "",         NULL};
    struct replay r = {.frames = bus}, wrong = {.frames = bus}, small = {.frames = bus};
    struct board_telemetry t;
    GError *error = NULL;
    g_autoptr(GError) sign = NULL, room = NULL;
    replay_open(&r, "daly-can-16s.yaml", eight, 2);
    g_assert_true(board_telemetry(r.board, &t, &error));
    g_assert_no_error(error);
    g_assert_cmpint(t.pack_mv, ==, 26900);
    g_assert_cmpint(t.current_ma, ==, 5400);
    g_assert_cmpint(t.soc_ppc, ==, 81100);
    g_assert_cmpint(t.remaining_mah, ==, 162364);
    g_assert_cmpint(t.cell_mv[0], ==, 3364);
    g_assert_cmpint(t.cell_mv[5], ==, 3365);
    g_assert_true(t.charging && t.charge_fet);
    replay_close(&r);
    replay_open(&wrong, "daly-can-16s.yaml", other_sign, 2);
    g_assert_false(board_telemetry(wrong.board, &t, &sign));
    g_assert_error(sign, PACK_ERROR, ERROR_RULE);
    g_assert_nonnull(strstr(sign->message, "charge_sign"));
    replay_close(&wrong);
    replay_open(&small, "daly-can-16s.yaml", less_room, 2);
    g_assert_false(board_telemetry(small.board, &t, &room));
    g_assert_error(room, PACK_ERROR, ERROR_GARBLED);
    g_assert_nonnull(strstr(room->message, "has room for 6"));
    replay_close(&small);
}

/* syssi/esphome-daly-bms, tests/components/daly_bms_ble/common.h: real frames, without head and CRC. */
static const char status_frame[] =
    "0CD10CD20CD30CD30CD30CD20CD30CD30CD30CD30CD30CD30CD30CD30CD30CD300000000000000000000000000"
    "0000000000000000000000000000000000000000350035003500350000000000000000020D751702310CD30CD1"
    "003500350002049A00100004003C0000000100010CD20002008300000000000000000000000075300000003700"
    "00000000000000000000000000000000000000000000000000";
static const char settings_frame[] =
    "041A0C80000100040000000000010000000000001C200DAC0DAC0A280A28008C008C0068006874CC74CC749075"
    "D00055005500280028006E006E0027002700FF00FF00FF00FF0C8000140001000102A80057";
static const char version_frame[] =
    "323034303132000000000000000000000000000000000000000000000000000053483339463030330000000000"
    "00000000000000000000000000000000000000";

/* What that project says these frames mean. */
static void test_registers(void)
{
    struct replay r = {0};
    struct board_telemetry t;
    struct board_identity identity;
    struct item_value value;
    GError *error = NULL;
    bytes_of(status_frame, r.registers);
    bytes_of(settings_frame, r.registers + 2 * 0x80);
    bytes_of(version_frame, r.registers + 2 * 0xa9);
    replay_open(&r, "daly-modbus-16s.yaml", NULL, 0xd2);
    /* That project takes the second half for the hardware version; the vendor's map calls it the machine
     * encoding. */
    g_assert_true(board_identify(r.board, &identity, &error));
    g_assert_cmpstr(identity.firmware, ==, "204012");
    g_assert_cmpstr(identity.hardware, ==, "");
    g_assert_true(
        board_read_item(r.board, profile_item_find(r.profile, "identity.machine_code"), &value, &error));
    g_assert_cmpstr(value.text, ==, "SH39F003");
    g_assert_true(board_telemetry(r.board, &t, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(t.cells, ==, 16);
    g_assert_cmpint(t.cell_mv[0], ==, 3281);
    g_assert_cmpint(t.cell_mv[15], ==, 3283);
    g_assert_cmpint(t.pack_mv, ==, 52500);
    g_assert_cmpint(t.soc_ppc, ==, 56100);
    g_assert_cmpint(t.current_ma, ==, -2500);
    g_assert_true(t.discharging && t.charge_fet && t.discharge_fet);
    g_assert_cmpint(t.remaining_mah, ==, 117800);
    g_assert_cmpint(t.cycles, ==, 60);
    g_assert_cmpint(t.sensor_mdeg[3], ==, 13000);
    g_assert_cmpint(t.sensor_mdeg[4], ==, TELEMETRY_ABSENT);
    static const struct {
        const char *key;
        int64_t value;
    } settings[] = {{"pack.rated", 105000},        {"pack.cells_1", 4},          {"sleep.wait", 7200000000},
                    {"limit.cell_ov_2", 3500},     {"limit.cell_uv_1", 2600},    {"limit.pack_ov_1", 14000},
                    {"limit.charge_oc_1", -10000}, {"limit.charge_ot_1", 45000}, {"switch.charge", 1},
                    {"limit.charge_ut_2", 0},      {"charge.soc", 68000},        {"limit.mos_ot", 47000}};
    for (unsigned i = 0; i < G_N_ELEMENTS(settings); i++) {
        g_assert_true(
            board_read_item(r.board, profile_item_find(r.profile, settings[i].key), &value, &error));
        g_assert_cmpint(value.value, ==, settings[i].value);
    }
    replay_close(&r);
}

int main(int argc, char **argv)
{
    g_setenv("TZ", "UTC", TRUE);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/daly-wire/published", test_published);
    g_test_add_func("/daly-wire/cut", test_cut);
    g_test_add_func("/daly-wire/can", test_can);
    g_test_add_func("/daly-wire/forum", test_forum);
    g_test_add_func("/daly-wire/series", test_series);
    g_test_add_func("/daly-wire/echo", test_echo);
    g_test_add_func("/daly-wire/bus", test_bus);
    g_test_add_func("/daly-wire/registers", test_registers);
    return g_test_run();
}
