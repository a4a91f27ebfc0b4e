/* The dd-frame dialect with the JBD profile, against captured and against damaged answers. */
#include "proto/board.h"
#include "station/base/error.h"

#include <string.h>

/* A far side that says what it is told to, whatever is asked. */
struct script {
    const char *const *answers; /* hexadecimal, one a request, NULL-terminated; "" is silence */
    unsigned next;
    GByteArray *out, *heard;
};

struct fixture {
    struct script script;
    struct tick_virtual clock;
    struct wire *wire;
    struct profile *profile;
    struct board *board;
};

static void put_hex(GByteArray *out, const char *hex)
{
    for (const char *p = hex; *p; p++) {
        if (*p == ' ')
            continue;
        uint8_t byte = (uint8_t)(g_ascii_xdigit_value(p[0]) << 4 | g_ascii_xdigit_value(p[1]));
        g_byte_array_append(out, &byte, 1);
        p++;
    }
}

static void script_accept(void *context, const uint8_t *bytes, size_t n, int64_t now_us)
{
    struct script *script = context;
    (void)now_us;
    g_byte_array_append(script->heard, bytes, (guint)n);
    if (script->answers[script->next])
        put_hex(script->out, script->answers[script->next++]);
}

static size_t script_produce(void *context, uint8_t *bytes, size_t max, int64_t now_us)
{
    struct script *script = context;
    size_t n = MIN(max, script->out->len);
    (void)now_us;
    if (n == 0)
        return 0;
    memcpy(bytes, script->out->data, n);
    g_byte_array_remove_range(script->out, 0, (guint)n);
    return n;
}

static int64_t script_next(void *context)
{
    (void)context;
    return TICK_NEVER;
}

static struct profile *load_profile(void)
{
    g_autofree char *text = NULL;
    gsize n;
    g_assert_true(g_file_get_contents(SOURCE_DIR "/recipes/boards/jbd-sp04s020.yaml", &text, &n, NULL));
    g_autoptr(GBytes) bytes = g_bytes_new(text, n);
    g_autoptr(bind_report_auto) report = bind_report_new("p", bytes);
    struct profile *profile = profile_load("p", bytes, report);
    g_assert_nonnull(profile);
    g_assert_false(profile->has_reference);
    return profile;
}

static void scripted(struct fixture *f, const char *const *answers)
{
    const struct wire_far_side side = {&f->script, script_accept, script_produce, script_next, NULL, NULL};
    struct wire_options options = {0};
    GError *error = NULL;
    memset(f, 0, sizeof *f);
    f->script = (struct script){answers, 0, g_byte_array_new(), g_byte_array_new()};
    tick_virtual_init(&f->clock, 1795000000000000);
    options.tick = &f->clock.tick;
    g_assert_true(wire_line_parse("9600-8N1", &options.line, &error));
    f->wire = wire_loop_open(&side, &options);
    f->profile = load_profile();
    f->board = board_open(f->profile, f->wire, 1, false, &error);
    g_assert_no_error(error);
}

static void script_end(struct fixture *f)
{
    board_close(f->board);
    wire_close(f->wire);
    profile_free(f->profile);
    g_byte_array_unref(f->script.out);
    g_byte_array_unref(f->script.heard);
}

static const struct profile_item *item(struct fixture *f, const char *key)
{
    const struct profile_item *found = profile_item_find(f->profile, key);
    g_assert_nonnull(found);
    return found;
}

static struct item_value value_of(struct fixture *f, const char *key, const char *text)
{
    struct item_value value;
    GError *error = NULL;
    g_assert_true(profile_value_parse(item(f, key), text, &value, &error));
    return value;
}

static char *read_text(struct fixture *f, const char *key)
{
    struct item_value value;
    GError *error = NULL;
    if (!board_read_item(f->board, item(f, key), &value, &error))
        g_error("%s", error->message);
    return profile_value_format(&value);
}

#define BASIC_4S                                                                                             \
    "DD 03 00 1D 06 18 00 00 01 F2 01 F4 00 00 2C 7C 00 00 00 00 00 00 80 64 03 04 03 0B 8B 0B 8A 0B 84 FA " \
    "8D "                                                                                                    \
    "77"
#define CELLS_4S "DD 04 00 08 0F 45 0F 3D 0F 37 0F 3D FE C6 77"

/* esphome-jbd-bms, docs/pdus/JBD-SP04S034-L4S-200A-B-U.txt, and what its tests say it means. */
static void test_capture_4s(void)
{
    static const char *const answers[] = {BASIC_4S, CELLS_4S, NULL};
    struct fixture f;
    struct board_telemetry t;
    GError *error = NULL;
    scripted(&f, answers);
    g_assert_true(board_telemetry(f.board, &t, &error));
    g_assert_cmpint(t.pack_mv, ==, 15600);
    g_assert_cmpint(t.current_ma, ==, 0);
    g_assert_cmpint(t.remaining_mah, ==, 4980);
    g_assert_cmpint(t.full_mah, ==, 5000);
    g_assert_cmpint(t.cycles, ==, 0);
    g_assert_cmpint(t.soc_ppc, ==, 100000);
    g_assert_cmpuint(t.protections, ==, 0);
    g_assert_true(t.charge_fet && t.discharge_fet);
    g_assert_cmpuint(t.cells, ==, 4);
    g_assert_cmpint(t.cell_mv[0], ==, 3909);
    g_assert_cmpint(t.cell_mv[2], ==, 3895);
    g_assert_cmpuint(t.sensors, ==, 3);
    g_assert_cmpint(t.sensor_mdeg[0], ==, 22400);
    g_assert_cmpint(t.sensor_mdeg[1], ==, 22300);
    g_assert_cmpint(t.sensor_mdeg[2], ==, 21700);
    /* What was asked is what was captured being asked. */
    g_autoptr(GByteArray) asked = g_byte_array_new();
    put_hex(asked, "DD A5 03 00 FF FD 77 DD A5 04 00 FF FC 77");
    g_assert_cmpmem(f.script.heard->data, f.script.heard->len, asked->data, asked->len);
    script_end(&f);
}

/* JBD-SP25S003-L16S-100A-100A-B.txt: sixteen cells, no sensor. */
static void test_capture_16s(void)
{
    static const char *const answers[] = {
        "DD 03 00 17 00 00 00 00 00 00 27 10 00 00 2C 50 00 00 00 00 00 00 20 00 01 10 00 FF 05 77",
        "DD 04 00 20 0E 10 0E 10 0E 10 0E 10 0E 10 0E 10 0E 10 0E 10 0E 10 0E 10 0E 10 0E 10 0E 10 0E 10 0E "
        "10 "
        "00 00 FE 1E 77",
        NULL};
    struct fixture f;
    struct board_telemetry t;
    GError *error = NULL;
    scripted(&f, answers);
    g_assert_true(board_telemetry(f.board, &t, &error));
    g_assert_cmpint(t.full_mah, ==, 100000);
    g_assert_cmpuint(t.cells, ==, 16);
    g_assert_cmpint(t.cell_mv[14], ==, 3600);
    g_assert_cmpint(t.cell_mv[15], ==, 0);
    g_assert_cmpuint(t.sensors, ==, 0);
    g_assert_true(t.charge_fet && !t.discharge_fet);
    script_end(&f);
}

/* Captures that came with what somebody else's program made of them. */
static void test_captures(void)
{
    static const struct {
        const char *source, *basic, *cells;
        int64_t pack_mv, current_ma, remaining_mah, full_mah;
        unsigned cycles, soc, n, sensors;
        int64_t cell_mv[4], last_mv, first_mdeg, last_mdeg;
    } rows[] = {
        {"rakhmaevao/JbdBms issue 4",
         "DD 03 00 1B 05 37 00 00 50 EF 6D 60 00 09 27 83 00 00 00 00 00 00 15 4A 03 04 02 0B 4E 0B 5C FB C2 "
         "77",
         "DD 04 00 08 0D 0D 0D 0A 0D 0A 0D 0C FF 97 77",
         13350,
         0,
         207190,
         280000,
         9,
         74,
         4,
         2,
         {3341, 3338, 3338, 3340},
         3340,
         16300,
         17700},
        {"patman15/aiobmsble tests/bms/test_jbd_bms.py",
         "DD 03 00 1D 06 18 FE E1 01 F2 01 F4 00 2A 2C 7C 00 00 00 00 00 00 80 64 03 04 03 0B 8B 0B 8A 0B 84 "
         "F8 "
         "84 77",
         "DD 04 00 08 0D 66 0D 61 0D 68 0D 59 FE 3C 77",
         15600,
         -2870,
         4980,
         5000,
         42,
         100,
         4,
         3,
         {3430, 3425, 3432, 3417},
         3417,
         22400,
         21700},
        /* Of the cells only values are published: 3.193, 3.193, 3.188, 3.194 V; the frame is made of them. */
        {"syssi/esphome-jbd-bms issue 14",
         "DD 03 00 1D 04 FC FF 13 00 00 02 1C 00 05 2B 92 00 00 00 00 00 00 20 00 03 04 03 0B CA 0B C1 0B BF "
         "FA "
         "5C 77",
         "DD 04 00 08 0C 79 0C 79 0C 74 0C 7A FD E8 77",
         12760,
         -2370,
         0,
         5400,
         5,
         0,
         4,
         3,
         {3193, 3193, 3188, 3194},
         3194,
         28700,
         27600},
        {"vendor, V4 basic status and universal protocol V13 cells",
         "DD 03 00 1B 17 00 00 00 02 D0 03 E8 00 00 20 78 00 00 00 00 00 00 10 48 03 0F 02 0B 76 0B 82 FB FF "
         "77",
         "DD 04 00 1E 0F 66 0F 63 0F 63 0F 64 0F 3E 0F 63 0F 37 0F 5B 0F 65 0F 3B 0F 63 0F 63 0F 3C 0F 66 0F "
         "3D "
         "F9 F9 77",
         58880,
         0,
         7200,
         10000,
         0,
         72,
         15,
         2,
         {3942, 3939, 3939, 3940},
         3901,
         20300,
         21500},
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        const char *const answers[] = {rows[i].basic, rows[i].cells, NULL};
        struct fixture f;
        struct board_telemetry t;
        GError *error = NULL;
        scripted(&f, answers);
        g_test_message("%s", rows[i].source);
        g_assert_true(board_telemetry(f.board, &t, &error));
        g_assert_cmpint(t.pack_mv, ==, rows[i].pack_mv);
        g_assert_cmpint(t.current_ma, ==, rows[i].current_ma);
        g_assert_cmpint(t.remaining_mah, ==, rows[i].remaining_mah);
        g_assert_cmpint(t.full_mah, ==, rows[i].full_mah);
        g_assert_cmpint(t.cycles, ==, rows[i].cycles);
        g_assert_cmpint(t.soc_ppc, ==, 1000 * (int64_t)rows[i].soc);
        g_assert_cmpuint(t.protections, ==, 0);
        g_assert_true(t.charge_fet && t.discharge_fet);
        g_assert_cmpuint(t.cells, ==, rows[i].n);
        for (unsigned k = 0; k < G_N_ELEMENTS(rows[i].cell_mv); k++)
            g_assert_cmpint(t.cell_mv[k], ==, rows[i].cell_mv[k]);
        g_assert_cmpint(t.cell_mv[t.cells - 1], ==, rows[i].last_mv);
        g_assert_cmpuint(t.sensors, ==, rows[i].sensors);
        g_assert_cmpint(t.sensor_mdeg[0], ==, rows[i].first_mdeg);
        g_assert_cmpint(t.sensor_mdeg[t.sensors - 1], ==, rows[i].last_mdeg);
        script_end(&f);
    }
}

/* JBD-DP04S007L4S100A-BLE.txt: eleven bytes more than the counts say, of newer software. */
static void test_capture_longer(void)
{
    static const char *const answers[] = {"DD 03 00 22 05 5F 00 00 4A DF 4E 20 00 02 2D 14 00 00 00 00 00 00 "
                                          "23 60 03 04 01 0B B1 00 00 00 4E 20 4A "
                                          "DF 00 00 FA C2 77",
                                          CELLS_4S, NULL};
    struct fixture f;
    struct board_telemetry t;
    GError *error = NULL;
    scripted(&f, answers);
    g_assert_true(board_telemetry(f.board, &t, &error));
    g_assert_cmpint(t.pack_mv, ==, 13750);
    g_assert_cmpint(t.remaining_mah, ==, 191670);
    g_assert_cmpint(t.full_mah, ==, 200000);
    g_assert_cmpint(t.cycles, ==, 2);
    g_assert_cmpint(t.soc_ppc, ==, 96000);
    g_assert_cmpuint(t.sensors, ==, 1);
    g_assert_cmpint(t.sensor_mdeg[0], ==, 26200);
    script_end(&f);
}

/* The vendor's own example (V4): 15 cells, 58.88 V, 7.2 of 10 Ah, 24 March 2016. */
static void test_vendor_example(void)
{
    static const char *const answers[] = {
        "DD 03 00 1B 17 00 00 00 02 D0 03 E8 00 00 20 78 00 00 00 00 00 00 10 48 03 "
        "0F 02 0B 76 0B 82 FB FF 77",
        NULL};
    struct fixture f;
    scripted(&f, answers);
    g_autofree char *voltage = read_text(&f, "live.pack_voltage");
    g_assert_cmpstr(voltage, ==, "58.88 V");
    f.script.next = 0;
    g_autofree char *left = read_text(&f, "live.remaining_capacity");
    g_assert_cmpstr(left, ==, "7.2 Ah");
    f.script.next = 0;
    g_autofree char *cells = read_text(&f, "live.cells");
    g_assert_cmpstr(cells, ==, "15");
    f.script.next = 0;
    g_autofree char *soc = read_text(&f, "live.soc");
    g_assert_cmpstr(soc, ==, "72 %");
    script_end(&f);
}

static void test_capture_identity(void)
{
    static const char *const answers[] = {
        "DD 05 00 19 4A 42 44 2D 53 50 30 34 53 30 33 34 2D 4C 34 53 2D 32 30 30 41 2D 42 2D 55 FA 08 77",
        BASIC_4S, NULL};
    struct fixture f;
    struct board_identity identity;
    GError *error = NULL;
    scripted(&f, answers);
    g_assert_true(board_identify(f.board, &identity, &error));
    g_assert_cmpstr(identity.product, ==, "JBD-SP04S034-L4S-200A-B-U");
    g_assert_cmpstr(identity.firmware, ==, "8.0");
    g_assert_false(identity.has_unique_id);
    script_end(&f);
}

/* esphome-jbd-bms, write_command_test.cpp: these bytes from a logic analyser; the protections of frames.h. */
static void test_capture_mosfets(void)
{
    static const struct {
        const char *status;
        enum board_control which;
        int on;
        const char *request;
    } rows[] = {
        {BASIC_4S, CONTROL_CHARGE_FET, 0, "DD 5A E1 02 00 01 FF 1C 77"},
        {BASIC_4S, CONTROL_DISCHARGE_FET, 0, "DD 5A E1 02 00 02 FF 1B 77"},
        {BASIC_4S, CONTROL_CHARGE_FET, 1, "DD 5A E1 02 00 00 FF 1D 77"},
        /* charge locked by command already: both are off then */
        {"DD 03 00 1D 06 0B 00 00 01 ED 01 F4 00 00 2C 7C 00 00 00 00 10 00 80 63 02 04 03 0B A0 0B 9D 0B 98 "
         "FA 55 "
         "77",
         CONTROL_DISCHARGE_FET, 0, "DD 5A E1 02 00 03 FF 1A 77"},
        /* charge off by its protection, not by command: only what was asked for */
        {"DD 03 00 1D 05 94 00 00 6D 60 6D 60 00 08 2C 7C 00 00 00 00 00 01 80 64 02 04 03 0B 82 0B 7C 0B 77 "
         "FA 7C 77",
         CONTROL_DISCHARGE_FET, 0, "DD 5A E1 02 00 02 FF 1B 77"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        const char *const answers[] = {"DD 00 00 00 00 00 77", rows[i].status, "DD E1 00 00 00 00 77",
                                       "DD 01 00 00 00 00 77", NULL};
        struct fixture f;
        GError *error = NULL;
        scripted(&f, answers);
        if (!board_control(f.board, rows[i].which, rows[i].on, &error))
            g_error("row %u: %s", (unsigned)i, error->message);
        g_autoptr(GByteArray) asked = g_byte_array_new();
        put_hex(asked, "DD 5A 00 02 56 78 FF 30 77 DD A5 03 00 FF FD 77");
        put_hex(asked, rows[i].request);
        put_hex(asked, "DD 5A 01 02 00 00 FF FD 77");
        g_assert_cmpmem(f.script.heard->data, f.script.heard->len, asked->data, asked->len);
        script_end(&f);
    }
}

/* esphome-jbd-bms, tests/components/jbd_bms/frames.h: eleven counters and two bytes that nobody explains. */
static void test_capture_errors(void)
{
    static const char *const answers[] = {
        "DD 00 00 00 00 00 77",
        "DD AA 00 18 00 00 00 00 00 00 00 7A 00 02 00 00 00 00 00 00 00 00 00 00 00 00 00 01 FF 6B 77",
        "DD 01 00 00 00 00 77", NULL};
    struct fixture f;
    scripted(&f, answers);
    g_autofree char *high = read_text(&f, "errors.cell_ov");
    g_assert_cmpstr(high, ==, "122");
    f.script.next = 0;
    g_autofree char *low = read_text(&f, "errors.cell_uv");
    g_assert_cmpstr(low, ==, "2");
    script_end(&f);
}

/* What a damaged or strange answer is called: item, register and bytes. */
static void test_messages(void)
{
    static const struct {
        const char *answer;
        enum error_kind kind;
        const char *says[3];
    } rows[] = {
        {"DD 24 80 00 FF 80 77",
         ERROR_REFUSED,
         {"protect.cell_ov (register 24H)", "status 80H", "DD 24 80 00 FF 80 77"}},
        {"DD 24 81 00 FF 7F 77",
         ERROR_REFUSED,
         {"protect.cell_ov (register 24H)", "status 81H", "DD 24 81 00 FF 7F 77"}},
        {"DD 24 00 02 0E 42 FF AF 77",
         ERROR_GARBLED,
         {"protect.cell_ov (register 24H)", "wrong checksum", "DD 24 00 02 0E 42 FF AF 77"}},
        {"DD 24 00 02 0E 42 FF AE 78",
         ERROR_GARBLED,
         {"protect.cell_ov (register 24H)", "no 77H", "FF AE 78"}},
        {"DD 24 00 02 0E", ERROR_GARBLED, {"protect.cell_ov (register 24H)", "cut short", "DD 24 00 02 0E"}},
        {"DD 24 00 03 0E 42 00 FF AD 77",
         ERROR_GARBLED,
         {"protect.cell_ov (register 24H)", "two bytes", "DD 24 00 03 0E 42 00 FF AD 77"}},
        {"DD 24 00 00 00 00 77",
         ERROR_GARBLED,
         {"protect.cell_ov (register 24H)", "without data", "DD 24 00 00 00 00 77"}},
        {"DD 25 00 02 0D AC FF 45 77",
         ERROR_GARBLED,
         {"protect.cell_ov (register 24H)", "another register", "DD 25 00 02 0D AC FF 45 77"}},
        {"DD A5 24 00 FF DC 77", ERROR_SILENT, {"protect.cell_ov (register 24H)", "", ""}},
        {"", ERROR_SILENT, {"protect.cell_ov (register 24H)", "", ""}},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        const char *const answers[] = {
            "DD 00 00 00 00 00 77", rows[i].answer, rows[i].answer,         rows[i].answer,
            rows[i].answer,         rows[i].answer, "DD 01 00 00 00 00 77", NULL};
        struct fixture f;
        struct item_value value;
        g_autoptr(GError) error = NULL;
        scripted(&f, answers);
        g_assert_false(board_read_item(f.board, item(&f, "protect.cell_ov"), &value, &error));
        if (error_kind(error) != rows[i].kind)
            g_error("%s: %s", rows[i].answer, error->message);
        for (unsigned k = 0; k < 3; k++)
            if (!strstr(error->message, rows[i].says[k]))
                g_error("%s: '%s' is not in '%s'", rows[i].answer, rows[i].says[k], error->message);
        g_assert_false(f.board->in_session);
        script_end(&f);
    }
}

/* An echo, an answer of the register before, noise, and then the answer. */
static void test_patience(void)
{
    static const char *const answers[] = {
        "DD 00 00 00 00 00 77",
        "DD A5 24 00 FF DC 77 DD 23 00 02 04 B0 FF 4A 77 77 DD 00 DD 24 00 02 0E 42 FF AE 77",
        "DD 01 00 00 00 00 77", NULL};
    struct fixture f;
    scripted(&f, answers);
    g_autofree char *text = read_text(&f, "protect.cell_ov");
    g_assert_cmpstr(text, ==, "3.65 V");
    script_end(&f);
}

/* Storing is refused: nothing of what was written may stay in force. */
static void test_save_refused(void)
{
    static const char *const answers[] = {"DD 00 00 00 00 00 77", "DD 24 00 00 00 00 77",
                                          "DD 01 80 00 FF 80 77", "DD 01 00 00 00 00 77", NULL};
    static const char leave[] = "DD 5A 01 02 28 28 FF AD 77 DD 5A 01 02 00 00 FF FD 77";
    struct fixture f;
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) end = g_byte_array_new();
    scripted(&f, answers);
    struct item_value value = value_of(&f, "protect.cell_ov", "3.6 V");
    g_assert_false(board_write_values(f.board, &value, 1, &error));
    g_assert_error(error, PACK_ERROR, ERROR_REFUSED);
    put_hex(end, leave);
    const GByteArray *heard = f.script.heard;
    g_assert_cmpuint(heard->len, >, end->len);
    g_assert_cmpmem(heard->data + heard->len - end->len, end->len, end->data, end->len);
    g_assert_false(f.board->in_session);
    script_end(&f);
}

/* The late answer to a reading is no acknowledgement of the writing that came after it. */
static void test_late_answer(void)
{
    static const char *const answers[] = {"DD 00 00 00 00 00 77", "DD 24 00 02 0E 42 FF AE 77",
                                          "DD 24 80 00 FF 80 77", "DD 01 00 00 00 00 77", NULL};
    struct fixture f;
    g_autoptr(GError) error = NULL;
    scripted(&f, answers);
    struct item_value value = value_of(&f, "protect.cell_ov", "3.6 V");
    g_assert_false(board_write_values(f.board, &value, 1, &error));
    g_assert_error(error, PACK_ERROR, ERROR_REFUSED);
    /* What failed was not saved: service mode was left with 0. */
    g_autoptr(GByteArray) left = g_byte_array_new();
    put_hex(left, "DD 5A 01 02 00 00 FF FD 77");
    g_assert_cmpmem(f.script.heard->data + f.script.heard->len - left->len, left->len, left->data, left->len);
    script_end(&f);
}

static void test_bad_counts(void)
{
    static const struct {
        const char *status, *cells, *says;
    } rows[] = {
        {BASIC_4S, "DD 04 00 06 0F 45 0F 3D 0F 37 FF 14 77", "6 bytes for 4 cells"},
        {"DD 03 00 17 00 00 00 00 00 00 27 10 00 00 2C 50 00 00 00 00 00 00 20 00 01 10 01 FF 04 77",
         CELLS_4S, "shorter than its counts say"},
        {"DD 03 00 02 00 00 FF FE 77", CELLS_4S, "shorter than its counts say"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        const char *const answers[] = {rows[i].status, rows[i].cells, NULL};
        struct fixture f;
        struct board_telemetry t;
        g_autoptr(GError) error = NULL;
        scripted(&f, answers);
        g_assert_false(board_telemetry(f.board, &t, &error));
        g_assert_error(error, PACK_ERROR, ERROR_GARBLED);
        g_assert_nonnull(strstr(error->message, rows[i].says));
        g_assert_nonnull(strstr(error->message, "register 0"));
        script_end(&f);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/jbd/capture/4s", test_capture_4s);
    g_test_add_func("/jbd/capture/16s", test_capture_16s);
    g_test_add_func("/jbd/capture/longer", test_capture_longer);
    g_test_add_func("/jbd/capture/captures", test_captures);
    g_test_add_func("/jbd/capture/vendor", test_vendor_example);
    g_test_add_func("/jbd/capture/identity", test_capture_identity);
    g_test_add_func("/jbd/capture/mosfets", test_capture_mosfets);
    g_test_add_func("/jbd/capture/errors", test_capture_errors);
    g_test_add_func("/jbd/messages", test_messages);
    g_test_add_func("/jbd/patience", test_patience);
    g_test_add_func("/jbd/late_answer", test_late_answer);
    g_test_add_func("/jbd/save-refused", test_save_refused);
    g_test_add_func("/jbd/bad_counts", test_bad_counts);
    return g_test_run();
}
