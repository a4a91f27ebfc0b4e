/* Family pace: each configuration pair as it was captured between the maker's tool and a board of address 0.
 * What the board answered is decoded, what the tool wrote is made again byte by byte:
 * nkinnan/esphome-pace-bms @2ba4bc6, pace_bms_protocol_v25.cpp; the values are those that its comments and
 * PBmsTools show for them. */
#include "proto/board.h"
#include "station/base/error.h"

#include <string.h>

#define PROFILE SOURCE_DIR "/recipes/boards/pace-25.yaml"

struct setting {
    const char *key;
    int64_t value; /* mV, mA, µs, m°C, thousandths of a percent */
};
static const struct pair {
    const char *request, *answer, *written;
    struct setting settings[7];
    int64_t first; /* what the tool wrote as the first setting, when it was another value */
} pairs[] = {
    {"~250046D10000FD9A",
     "~25004600F010010E100E740D340AFA35",
     "~250046D0F010010E100E740D340AFA21",
     {{"alarm.cell_ov", 3600},
      {"protect.cell_ov", 3700},
      {"protect.cell_ov_release", 3380},
      {"protect.cell_ov_delay", 1000000}}},
    {"~250046D50000FD96",
     "~25004600F01001E100E740D2F00AFA24",
     "~250046D4F01001E10AE740D2F00AF9FB",
     {{"alarm.pack_ov", 57600},
      {"protect.pack_ov", 59200},
      {"protect.pack_ov_release", 54000},
      {"protect.pack_ov_delay", 1000000}},
     57610},
    {"~250046D30000FD98",
     "~25004600F010010AF009C40B540AFA24",
     "~250046D2F010010AF009C40B540AFA0E",
     {{"alarm.cell_uv", 2800},
      {"protect.cell_uv", 2500},
      {"protect.cell_uv_release", 2900},
      {"protect.cell_uv_delay", 1000000}}},
    {"~250046D70000FD94",
     "~25004600F01001AF009C40B5400AFA24",
     "~250046D6F01001AF009C40B5400AFA0A",
     {{"alarm.pack_uv", 44800},
      {"protect.pack_uv", 40000},
      {"protect.pack_uv_release", 46400},
      {"protect.pack_uv_delay", 1000000}}},
    {"~250046D90000FD92",
     "~25004600400C010068006E0AFB1D",
     "~250046D8400C010068006E0AFB01",
     {{"alarm.charge_oc", 104000}, {"protect.charge_oc", 110000}, {"protect.charge_oc_delay", 1000000}}},
    {"~250046DB0000FD89",
     "~25004600400C01FF97FF920AFAD3",
     "~250046DA400C010069006E0AFAF7",
     {{"alarm.discharge_oc1", 105000},
      {"protect.discharge_oc1", 110000},
      {"protect.discharge_oc1_delay", 1000000}}},
    {"~250046E30000FD97",
     "~25004600400C009604009604FB32",
     "~250046E2A006009604FC4E",
     {{"protect.discharge_oc2", 150000}, {"protect.discharge_oc2_delay", 100000}}},
    {"~250046E50000FD95", "~25004600E0020CFD25", "~250046E4E0020CFD0C", {{"protect.short_delay", 300}}},
    {"~250046B60000FD97",
     "~2500460080080D48001EFBE9",
     "~250046B580080D48001EFBD2",
     {{"balance.threshold", 3400}, {"balance.difference", 30}}},
    {"~250046A00000FD9E",
     "~2500460080080C1C0005FBF3",
     "~250046A880080C1C0005FBDA",
     {{"sleep.cell_voltage", 3100}, {"sleep.delay", 300000000}}},
    {"~250046AF0000FD88",
     "~25004600600ADAC007D005FB60",
     "~250046AE600ADAC007D005FB3A",
     {{"charge_end.voltage", 56000}, {"charge_end.current", 2000}, {"alarm.soc_low", 5000}}},
    {"~250046DD0000FD87",
     "~25004600501A010CA80CD00C9E0CDA0D020CD0F7BE",
     "~250046DC501A010CA80CD00C9E0CDA0D020CD0F797",
     {{"alarm.charge_ot", 51000},
      {"protect.charge_ot", 55000},
      {"protect.charge_ot_release", 50000},
      {"alarm.discharge_ot", 56000},
      {"protect.discharge_ot", 60000},
      {"protect.discharge_ot_release", 55000}}},
    {"~250046DF0000FD85",
     "~25004600501A010AAA0A780AAA0A1409E20A14F7E5",
     "~250046DE501A010AAA0A780AAA0A1409E20A14F7BC",
     {{"alarm.charge_ut", 0},
      {"protect.charge_ut", -5000},
      {"protect.charge_ut_release", 0},
      {"alarm.discharge_ut", -15000},
      {"protect.discharge_ut", -20000},
      {"protect.discharge_ut_release", -15000}}},
    {"~250046E10000FD99",
     "~25004600200E010E2E0EF60DFCFA5D",
     "~250046E0200E010E2E0EF60DFCFA48",
     {{"alarm.mos_ot", 90000}, {"protect.mos_ot", 110000}, {"protect.mos_ot_release", 85000}}},
    {"~250046E70000FD93",
     "~25004600501A0109E209B009E20D340D660D34F806",
     "~250046E6501A0109E209B009E20D340D660D34F7EB",
     {{"alarm.env_ut", -20000},
      {"protect.env_ut", -25000},
      {"protect.env_ut_release", -20000},
      {"alarm.env_ot", 65000},
      {"protect.env_ot", 70000},
      {"protect.env_ot_release", 65000}}},
    {"~250046ED0000FD86", "~25004600C0040064FCCE", "~250046EEC0040064FCA4", {{"limiter.start", 100000}}},
    {"~250046EB0000FD88",
     "~25004600A006131400FC6F",
     NULL, /* no write of it was captured */
     {{"inverter.can", 19}, {"inverter.rs485", 20}, {"inverter.type", 0}}},
};

/* Requests that change something, with what the board answered. */
static const struct deed {
    const char *request, *answer;
} deeds[] = {
    {"~250046B2400C1808140E0F25FAFC", "~250046000000FDAF"}, {"~2500469AE00200FD1E", "~25004600E00226FD30"},
    {"~2500469AE00201FD1D", "~25004600E00224FD32"},         {"~2500469BE00200FD1D", "~25004600E00204FD34"},
    {"~2500469BE00201FD1C", "~25004609E00204FD2B"},         {"~2500469CE00201FD1B", "~250046000000FDAF"}};

struct far {
    struct tick_virtual clock;
    GString *out, *written; /* the last request, without CR */
    struct wire *wire;
    struct profile *profile;
    struct board *board;
};

static const char *answer_of(const char *request)
{
    for (gsize i = 0; i < G_N_ELEMENTS(pairs); i++)
        if (strcmp(pairs[i].request, request) == 0)
            return pairs[i].answer;
    for (gsize i = 0; i < G_N_ELEMENTS(deeds); i++)
        if (strcmp(deeds[i].request, request) == 0)
            return deeds[i].answer;
    return "~250046000000FDAF";
}

static void take(void *context, const uint8_t *bytes, size_t n, int64_t now_us)
{
    struct far *far = context;
    g_autofree char *request = g_strndup((const char *)bytes, n - 1);
    (void)now_us;
    g_string_assign(far->written, request);
    g_string_append_printf(far->out, "%s\r", answer_of(request));
}

static size_t give(void *context, uint8_t *bytes, size_t max, int64_t now_us)
{
    struct far *far = context;
    size_t n = MIN(max, far->out->len);
    (void)now_us;
    memcpy(bytes, far->out->str, n);
    g_string_erase(far->out, 0, (gssize)n);
    return n;
}

static int64_t soon(void *context)
{
    return tick_now(&((struct far *)context)->clock.tick) + 1000;
}

static void set_up(struct far *far, const char *polarity)
{
    struct wire_options options = {.tick = &far->clock.tick};
    const struct wire_far_side side = {far, take, give, soon, NULL, NULL};
    g_autofree char *text = NULL;
    GError *error = NULL;
    g_assert_true(g_file_get_contents(PROFILE, &text, NULL, NULL));
    g_autoptr(GString) profile = g_string_new(text);
    /* The captures have no readings between the deeds, which the interlock would ask for. */
    g_assert_cmpuint(g_string_replace(profile, "interlock_current: 0.5 A\n", "", 1), ==, 1);
    g_assert_cmpuint(g_string_replace(profile, "unmeasured\n", polarity, 1), ==, 1);
    g_autoptr(GBytes) bytes = g_bytes_new(profile->str, profile->len);
    g_autoptr(bind_report_auto) report = bind_report_new("p", bytes);
    far->profile = profile_load("p", bytes, report);
    g_assert_nonnull(far->profile);
    far->out = g_string_new(NULL);
    far->written = g_string_new(NULL);
    tick_virtual_init(&far->clock, 1795000000000000);
    g_assert_true(wire_line_parse("9600-8N1", &options.line, &error));
    far->wire = wire_loop_open(&side, &options);
    far->board = board_open(far->profile, far->wire, 0, false, &error);
    g_assert_no_error(error);
}

static void tear_down(struct far *far)
{
    board_close(far->board);
    wire_close(far->wire);
    profile_free(far->profile);
    g_string_free(far->out, TRUE);
    g_string_free(far->written, TRUE);
}

static void test_pairs(void)
{
    struct far far;
    unsigned settings = 0;
    set_up(&far, "unmeasured\n");
    for (gsize i = 0; i < G_N_ELEMENTS(pairs); i++) {
        struct item_value values[7];
        g_autoptr(GError) error = NULL;
        unsigned n = 0;
        for (const struct setting *s = pairs[i].settings; s->key; s++, n++) {
            const struct profile_item *item = profile_item_find(far.profile, s->key);
            g_assert_nonnull(item);
            g_assert_true(board_read_item(far.board, item, &values[n], &error));
            g_assert_cmpstr(far.written->str, ==, pairs[i].request);
            if (values[n].value != s->value)
                g_error("%s reads %" G_GINT64_FORMAT, s->key, values[n].value);
        }
        settings += n;
        if (!pairs[i].written)
            continue;
        if (pairs[i].first)
            values[0].raw = pairs[i].first;
        bool ok = board_write_values(far.board, values, n, &error);
        g_assert_no_error(error);
        g_assert_true(ok);
        g_assert_cmpstr(far.written->str, ==, pairs[i].written);
    }
    /* every setting that can be written is one of them, but the clock */
    for (guint i = 0; i < far.profile->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(far.profile->items, i);
        settings -= item->access == ACCESS_SERVICE && item->type != ITEM_BYTES;
    }
    g_assert_cmpuint(settings, ==, 0);
    tear_down(&far);
}

/* The switch was captured with both FETs on but the last, which the board refused. */
static void test_deeds(void)
{
    struct far far;
    g_autoptr(GError) error = NULL;
    set_up(&far, "plain\n");
    g_assert_true(board_clock_write(far.board, 1724163337000000, &error)); /* 2024-08-20 14:15:37 */
    g_assert_cmpstr(far.written->str, ==, deeds[0].request);
    g_assert_true(board_control(far.board, CONTROL_CHARGE_FET, 0, &error));
    g_assert_cmpstr(far.written->str, ==, deeds[1].request);
    g_assert_true(board_control(far.board, CONTROL_CHARGE_FET, 1, &error));
    g_assert_cmpstr(far.written->str, ==, deeds[2].request);
    g_assert_true(board_control(far.board, CONTROL_DISCHARGE_FET, 0, &error));
    g_assert_cmpstr(far.written->str, ==, deeds[3].request);
    g_assert_false(board_control(far.board, CONTROL_DISCHARGE_FET, 1, &error));
    g_assert_cmpstr(far.written->str, ==, deeds[4].request);
    g_assert_error(error, PACK_ERROR, ERROR_REFUSED);
    g_assert_nonnull(strstr(error->message, "RTN 09H"));
    g_clear_error(&error);
    g_assert_true(board_control(far.board, CONTROL_SLEEP, 0, &error));
    g_assert_cmpstr(far.written->str, ==, deeds[5].request);
    tear_down(&far);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pace/captured-pairs", test_pairs);
    g_test_add_func("/pace/captured-deeds", test_deeds);
    return g_test_run();
}
