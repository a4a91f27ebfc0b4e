/* Family tianpower: published frames and captures through the dialect tp-binary and the shipped profile, and
 * this against the virtual board. */
#include "tests/unit/proto/far.h"

#include "proto/board.h"
#include "proto/tp.h"
#include "station/base/error.h"

/* slim-bean/powermon, README: a LifePower4 of EG4. */
static const char powermon[] =
    "7E010158 01100CF30CF40CF30CF30CF40CF40CF40CF40CF40CF40CF40CF40CF40CF40CF40CF4 02017530 0301229C "
    "04012710 "
    "0506004100410040004080422042 060500000000000000000000 07010001 080114B9 09012710 0A010000 3C0D";
/* ai-republic/bms-to-inverter issue 114: a Narada 48NPFC200 that is being charged. */
static const char narada[] =
    "7C010180 01108D490D4B0D4B8D530D490D4C8D500D4E8D4A0D4E8D4A0D4D8D4D0D4A8D4A0D3C 02017354 03012684 "
    "04012710 "
    "0506004600460046004640492048 060500000001000000000000 07010008 08011544 09012710 0A010000 0B01000002F1 "
    "0C010000024E 0D01000411CC 0E010002F850 0F01000098BC 1001000076C0 11010000 FC 0D";
static const char *const published[] = {
    powermon,
    narada,
    "7E0101 00 FE 0D", /* powermon */
    "7E0201 00 FC 0D", /* the same */
    "7E0001 00 00 0D", /* dbus-serialbattery issue 1104, from the vendor's program */
    "7E0401 00 F8 0D", /* the same */
    "7E0801 00 F0 0D", /* the same */
    "7E0A01 00 FC 0D", /* the same */
    "7E0C01 00 F8 0D", /* the same */
    "7E0E01 00 FC 0D", /* the same */
    "7E0142 00 FC 0D", /* dbus-serialbattery, eg4_lifepower.py */
    "7E0133 00 FE 0D", /* dbus-serialbattery issue 1116 */
    "7E0133 16 51542D595330302D3136535631303041 2D56332E3430 B8 0D", /* the same */
    "7C0142 00 80 0D",                                               /* dbus-serialbattery, revov.py */
    "7C0133 00 FE 0D",                                               /* the same */
    "7C0106 00 F8 0D",                                               /* the same */
    "7C0101 00 02 0D",                                               /* the same */
    "7C0133 16 54502D42443136533438563135302D56332E312E3239 E2 0D",  /* dbus-serialbattery issue 691 */
};

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

static void check_published(const char *hex)
{
    struct tp_decoder decoder = {0};
    struct tp_frame frame = {0};
    uint8_t bytes[300], again[TP_FRAME_MAX];
    const size_t n = bytes_of(hex, bytes);
    for (size_t k = 0; k < n; k++) {
        tp_put(&decoder, bytes[k]);
        g_assert_cmpint(tp_take(&decoder, false, &frame), ==, k + 1 < n ? TP_MORE : TP_FRAME);
    }
    g_assert_cmpuint(tp_encode(&frame, again), ==, n);
    g_assert_cmpmem(again, n, bytes, n);
}

static void test_published(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(published); i++)
        check_published(published[i]);
}

/* Noise that looks like the beginning of a long frame hides nothing. */
static void test_false_start(void)
{
    struct tp_decoder decoder = {0};
    struct tp_frame frame;
    uint8_t bytes[300] = {0x7c, 0x01, 0x7e, 0xf0};
    const size_t n = 4 + bytes_of(published[12], bytes + 4);
    for (size_t k = 0; k < n; k++) {
        tp_put(&decoder, bytes[k]);
        g_assert_cmpint(tp_take(&decoder, false, &frame), ==, TP_MORE);
    }
    enum tp_state state;
    while ((state = tp_take(&decoder, true, &frame)) == TP_BAD)
        ;
    g_assert_cmpint(state, ==, TP_FRAME);
    g_assert_cmpuint(frame.function, ==, 0x33);
    g_assert_cmpuint(frame.n, ==, 0x16);
}

static void test_groups(void)
{
    static const uint8_t data[] = {1, 2, 0, 1, 0, 2, 11, 1, 0, 0, 2, 0xf1, 9, 1, 0x27, 0x10};
    struct tp_group group;
    bool broken;
    g_assert_true(tp_group_find(data, sizeof data, 1u << 11, 9, &group, &broken));
    g_assert_true(group.count == 1 && group.width == 2 && group.values[1] == 0x10);
    g_assert_true(tp_group_find(data, sizeof data, 1u << 11, 11, &group, &broken));
    g_assert_true(group.count == 1 && group.width == 4 && group.values[3] == 0xf1);
    g_assert_false(tp_group_find(data, sizeof data, 1u << 11, 8, &group, &broken));
    g_assert_false(broken);
    g_assert_false(tp_group_find(data, sizeof data, 0, 1, &group, &broken)); /* the widths are wrong */
    g_assert_true(broken);
    g_assert_false(tp_group_find(data, sizeof data - 1, 1u << 11, 1, &group, &broken));
    g_assert_true(broken);
}

static struct profile *load(const char *from, const char *to)
{
    g_autofree char *path = g_build_filename(SOURCE_DIR, "recipes/boards/tianpower-16s.yaml", NULL);
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    if (from) {
        g_auto(GStrv) parts = g_strsplit(text, from, -1);
        g_assert_cmpuint(g_strv_length(parts), ==, 2);
        g_free(text);
        text = g_strjoinv(to, parts);
    }
    g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));
    g_autoptr(bind_report_auto) report = bind_report_new(path, bytes);
    struct profile *profile = profile_load(path, bytes, report);
    if (!profile && !from)
        g_error("%s", bind_report_text(report));
    g_assert_false(profile && profile->has_reference);
    return profile;
}

/* What is written is written whole. */
static void test_mask(void)
{
    g_assert_null(load("mask: 0x3FFF, count: 16, quantity: voltage, step: 1 mV, access: read-only",
                       "mask: 0x3FFF, count: 16, quantity: voltage, step: 1 mV, access: engineering"));
}

/* A board that answers each request with the same captured bytes. */
struct replay {
    const char *answer;
    unsigned asked;
    bool echo;
    uint8_t out[400];
    size_t n;
    struct tick_virtual clock;
    struct wire *wire;
    struct profile *profile;
    struct board *board;
};

static void replay_accept(void *context, const uint8_t *bytes, size_t n, int64_t now_us)
{
    struct replay *r = context;
    (void)now_us;
    r->asked++;
    r->n = 0;
    if (r->echo) {
        memcpy(r->out, bytes, n);
        r->n = n;
    }
    r->n += bytes_of(r->answer, r->out + r->n);
}

static size_t replay_produce(void *context, uint8_t *bytes, size_t max, int64_t now_us)
{
    struct replay *r = context;
    const size_t n = MIN(max, r->n);
    (void)now_us;
    memcpy(bytes, r->out, n);
    memmove(r->out, r->out + n, r->n - n);
    r->n -= n;
    return n;
}

static int64_t replay_next(void *context)
{
    (void)context;
    return TICK_NEVER;
}

static void replay_open(struct replay *r, const char *from, const char *to)
{
    const struct wire_far_side side = {r, replay_accept, replay_produce, replay_next, NULL, NULL};
    struct wire_options options = {.tick = &r->clock.tick};
    tick_virtual_init(&r->clock, 1795000000000000);
    r->profile = load(from, to);
    options.line = r->profile->line;
    r->wire = wire_loop_open(&side, &options);
    r->board = board_open(r->profile, r->wire, 1, false, NULL);
    g_assert_nonnull(r->board);
}

static void replay_close(struct replay *r)
{
    board_close(r->board);
    wire_close(r->wire);
    profile_free(r->profile);
}

/* What powermon says that its frame means; all of it from one answer. */
static void test_powermon(void)
{
    struct replay r = {.answer = powermon, .echo = true};
    struct board_telemetry t;
    GError *error = NULL;
    replay_open(&r, NULL, NULL);
    g_assert_true(board_telemetry(r.board, &t, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(r.asked, ==, 2);
    g_assert_cmpuint(t.cells, ==, 16);
    g_assert_cmpint(t.cell_mv[0], ==, 3315);
    g_assert_cmpint(t.cell_mv[1], ==, 3316);
    g_assert_cmpint(t.cell_mv[15], ==, 3316);
    g_assert_cmpint(t.current_ma, ==, 0);
    g_assert_cmpint(t.soc_ppc, ==, 88600);
    g_assert_cmpint(t.full_mah, ==, 100000);
    g_assert_cmpuint(t.sensors, ==, 4);
    g_assert_cmpint(t.sensor_mdeg[0], ==, 15000);
    g_assert_cmpint(t.sensor_mdeg[3], ==, 14000);
    g_assert_cmpint(t.mos_mdeg, ==, 16000);
    g_assert_cmpint(t.ambient_mdeg, ==, 16000);
    g_assert_cmpint(t.cycles, ==, 1);
    g_assert_cmpint(t.pack_mv, ==, 53050);
    g_assert_cmpint(t.soh_ppc, ==, 100000);
    g_assert_cmpstr(t.active, ==, "");
    g_assert_true(board_telemetry(r.board, &t, &error)); /* a new reading is a new question */
    g_assert_cmpuint(r.asked, ==, 4);
    replay_close(&r);
}

/* The longer answer of a newer board: its current, with what the board says of it, tells the sign. */
static void test_narada(void)
{
    struct replay r = {.answer = narada}, old = {.answer = narada};
    struct board_telemetry t;
    struct item_value value;
    GError *error = NULL;
    g_autoptr(GError) silent = NULL;
    replay_open(&r, "name: start, code: 0x7E", "name: start, code: 0x7C");
    g_assert_true(board_telemetry(r.board, &t, &error));
    g_assert_no_error(error);
    g_assert_cmpint(t.cell_mv[0], ==, 0x0d49);
    g_assert_cmpint(t.cell_mv[15], ==, 0x0d3c);
    g_assert_cmpint(t.current_ma, ==, 4760);
    g_assert_cmpint(t.pack_mv, ==, 54440);
    g_assert_cmpint(t.soc_ppc, ==, 98600);
    g_assert_cmpint(t.mos_mdeg, ==, 23000);
    g_assert_cmpint(t.cycles, ==, 8);
    g_assert_true(board_read_item(r.board, profile_item_find(r.profile, "state.alarm"), &value, &error));
    g_assert_cmpint(value.raw, ==, 1);
    replay_close(&r);
    replay_open(&old, NULL, NULL); /* asked with 7E, it answers 7C: none of ours */
    g_assert_false(board_telemetry(old.board, &t, &silent));
    g_assert_error(silent, PACK_ERROR, ERROR_SILENT);
    replay_close(&old);
}

static void test_model(void)
{
    struct replay r = {.answer = "7E013316 51542D595330302D3136535631303041 2D56332E3430 B80D"};
    struct replay damaged = {.answer = "7E013316 51542D595330302D3136535631303045 2D56332E3430 B80D"};
    struct item_value value;
    g_autoptr(GError) garbled = NULL;
    replay_open(&r, NULL, NULL);
    g_assert_true(board_read_item(r.board, profile_item_find(r.profile, "model.name"), &value, NULL));
    g_assert_cmpstr(value.text, ==, "QT-YS00-16SV100A");
    g_assert_true(board_read_item(r.board, profile_item_find(r.profile, "model.version"), &value, NULL));
    g_assert_cmpstr(value.text, ==, "V3.40");
    replay_close(&r);
    replay_open(&damaged, NULL, NULL);
    g_assert_false(
        board_read_item(damaged.board, profile_item_find(damaged.profile, "model.name"), &value, &garbled));
    g_assert_error(garbled, PACK_ERROR, ERROR_GARBLED);
    g_assert_cmpuint(damaged.asked, ==, 4);
    replay_close(&damaged);
}

static char *answer_of(const uint8_t *data, unsigned n)
{
    struct tp_frame frame = {.start = TP_START, .address = 1, .function = 1, .n = (uint8_t)n};
    uint8_t bytes[TP_FRAME_MAX];
    g_autoptr(GString) text = g_string_new(NULL);
    memcpy(frame.data, data, n);
    const size_t length = tp_encode(&frame, bytes);
    for (size_t i = 0; i < length; i++)
        g_string_append_printf(text, "%02X", bytes[i]);
    return g_strdup(text->str);
}

/* Fewer cells than there is room for are counted; more, or a group that is cut short, are an error. */
static void test_counts(void)
{
    static const uint8_t two[] = {1, 2, 0x0c, 0xf3, 0x0c, 0xf4, 2, 1, 0x75, 0x30};
    static const uint8_t many[36] = {1, 17};
    static const uint8_t torn[] = {1, 2, 0x0c, 0xf3, 0x0c, 0xf4, 2, 1, 0x75};
    g_autofree char *few_text = answer_of(two, sizeof two), *many_text = answer_of(many, sizeof many),
                    *torn_text = answer_of(torn, sizeof torn);
    struct replay r = {.answer = few_text};
    struct item_value value;
    g_autoptr(GError) refused = NULL;
    g_autoptr(GError) more = NULL;
    g_autoptr(GError) garbled = NULL;
    replay_open(&r, NULL, NULL);
    const struct profile_item *cells = profile_item_find(r.profile, "cells.voltage");
    g_assert_true(board_read_item(r.board, profile_item_find(r.profile, "cells.count"), &value, NULL));
    g_assert_cmpint(value.raw, ==, 2);
    g_assert_false(board_read_item(r.board, profile_item_find(r.profile, "pack.soh"), &value, &refused));
    g_assert_error(refused, PACK_ERROR, ERROR_REFUSED);
    g_assert_true(board_read_item(r.board, cells, &value, NULL));
    r.answer = many_text;
    g_assert_false(board_read_item(r.board, cells, &value, &more));
    g_assert_error(more, PACK_ERROR, ERROR_GARBLED);
    r.answer = torn_text;
    g_assert_false(board_read_item(r.board, cells, &value, &garbled));
    g_assert_error(garbled, PACK_ERROR, ERROR_GARBLED);
    replay_close(&r);
}

/* The check byte misses a flipped bit where the sum does not carry: the two answers tell. */
static void test_alike(void)
{
    static const uint8_t one[] = {1, 2, 0x0c, 0xf3, 0x0c, 0xf4, 11, 1, 0, 0, 2, 0xf1},
                         near_it[] = {1, 2, 0x0d, 0x10, 0x0c, 0xf3, 11, 1, 0, 0, 2, 0xf9},
                         far_off[] = {1, 2, 0x0c, 0xf3, 0x1c, 0xf4, 11, 1, 0, 0, 2, 0xf1},
                         other[] = {2, 2, 0x0c, 0xf3, 0x0c, 0xf4, 11, 1, 0, 0, 2, 0xf1},
                         wide[] = {1, 2, 0x0c, 0xf3, 0x0c, 0xf4, 11, 1, 1, 0, 2, 0xf1};
    g_assert_true(tp_groups_agree(one, one, sizeof one, 1u << 11));
    g_assert_true(tp_groups_agree(one, near_it, sizeof one, 1u << 11));
    g_assert_false(tp_groups_agree(one, far_off, sizeof one, 1u << 11));
    g_assert_false(tp_groups_agree(one, other, sizeof one, 1u << 11));
    g_assert_false(tp_groups_agree(one, wide, sizeof one, 1u << 11));
    uint8_t bytes[300];
    const size_t n = bytes_of(powermon, bytes);
    unsigned missed = 0;
    for (size_t k = 0; k < 8 * n; k++) {
        struct tp_decoder decoder = {0};
        struct tp_frame frame;
        bytes[k / 8] ^= (uint8_t)(1 << k % 8);
        for (size_t i = 0; i < n; i++)
            tp_put(&decoder, bytes[i]);
        for (enum tp_state state = TP_BAD; state != TP_MORE;) {
            state = tp_take(&decoder, true, &frame);
            missed += state == TP_FRAME;
        }
        bytes[k / 8] ^= (uint8_t)(1 << k % 8);
    }
    g_assert_cmpuint(missed, >, 8 * n / 3);
}

/* Against the virtual board */
static void set_up(struct far *far, struct profile **profile, struct board **board, const char *defect)
{
    const char *const defects[] = {defect, NULL};
    far_open_family(far, "tianpower", "9600-8N1", false, defects);
    *profile = load(NULL, NULL);
    *board = board_open(*profile, far->wire, 1, false, NULL);
    g_assert_true(wire_pause_ms(far->wire, 500, NULL));
}

static void tear_down(struct far *far, struct profile *profile, struct board *board)
{
    board_close(board);
    far_close(far);
    profile_free(profile);
}

static void test_board(void)
{
    struct far far;
    struct profile *profile;
    struct board *board;
    struct board_identity identity;
    struct board_telemetry t;
    GError *error = NULL;
    set_up(&far, &profile, &board, NULL);
    g_assert_true(board_identify(board, &identity, &error));
    g_assert_cmpstr(identity.product, ==, "QT-YS00-16SV100A");
    g_assert_cmpstr(identity.firmware, ==, "V3.40");
    g_assert_false(identity.has_unique_id);
    vboard_bench_current(far.board, -8000);
    g_assert_true(board_telemetry(board, &t, &error));
    g_assert_no_error(error);
    g_assert_cmpint(ABS(t.current_ma + 8000), <=, 30);
    g_assert_true(t.discharging);
    g_assert_cmpuint(t.cells, ==, 16);
    int64_t sum = 0;
    for (unsigned i = 0; i < 16; i++)
        sum += t.cell_mv[i];
    g_assert_cmpint(ABS(sum - t.pack_mv), <, 10);
    g_assert_cmpint(ABS(t.ambient_mdeg - 25000), <=, 1000);
    tear_down(&far, profile, board);
}

static void test_flags(void)
{
    static const char *const names[] = {"",           "",           "short circuit", "overcurrent",
                                        "OV",         "UV",         "charge OT",     "charge UT",
                                        "ambient UT", "ambient OT", "serious alarm"};
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        struct far far;
        struct profile *profile;
        struct board *board;
        struct board_telemetry t;
        g_autofree char *defect = g_strdup_printf("flag:%u", i);
        set_up(&far, &profile, &board, defect);
        g_assert_true(board_telemetry(board, &t, NULL));
        g_assert_cmpstr(t.active, ==, names[i]);
        tear_down(&far, profile, board);
    }
}

static void test_lossy(void)
{
    const struct wire_fault_plan plan = {
        .seed = 3, .drop_ppm = 500, .corrupt_ppm = 500, .duplicate_ppm = 500};
    struct far far;
    struct profile *profile;
    struct board *board;
    unsigned failed = 0;
    set_up(&far, &profile, &board, NULL);
    far.wire = wire_fault(far.wire, &plan);
    board->wire = far.wire;
    for (int i = 0; i < 100; i++) {
        struct board_telemetry t;
        g_autoptr(GError) error = NULL;
        if (!board_telemetry(board, &t, &error)) {
            failed++;
            continue;
        }
        int64_t sum = 0;
        for (unsigned k = 0; k < 16; k++)
            sum += t.cell_mv[k];
        g_assert_cmpint(ABS(sum - t.pack_mv), <, 10);
    }
    g_assert_cmpuint(failed, <=, 2);
    g_assert_cmpuint(board->frames_lost, >, 0);
    tear_down(&far, profile, board);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tianpower/published", test_published);
    g_test_add_func("/tianpower/false-start", test_false_start);
    g_test_add_func("/tianpower/groups", test_groups);
    g_test_add_func("/tianpower/mask", test_mask);
    g_test_add_func("/tianpower/powermon", test_powermon);
    g_test_add_func("/tianpower/narada", test_narada);
    g_test_add_func("/tianpower/model", test_model);
    g_test_add_func("/tianpower/counts", test_counts);
    g_test_add_func("/tianpower/alike", test_alike);
    g_test_add_func("/tianpower/board", test_board);
    g_test_add_func("/tianpower/flags", test_flags);
    g_test_add_func("/tianpower/lossy", test_lossy);
    return g_test_run();
}
