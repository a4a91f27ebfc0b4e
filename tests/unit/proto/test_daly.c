/* The shipped profiles of family daly against its virtual boards, on all three services. */
#include "tests/unit/proto/far.h"

#include "proto/board.h"
#include "station/base/error.h"

static struct profile *load(const char *name)
{
    g_autofree char *path = g_build_filename(SOURCE_DIR, "recipes/boards", name, NULL);
    g_autofree char *text = NULL;
    gsize n;
    g_assert_true(g_file_get_contents(path, &text, &n, NULL));
    g_autoptr(GBytes) bytes = g_bytes_new(text, n);
    g_autoptr(bind_report_auto) report = bind_report_new(path, bytes);
    struct profile *profile = profile_load(path, bytes, report);
    if (!profile)
        g_error("%s", bind_report_text(report));
    return profile;
}

/* Nobody's wire protocol but the vendor's: these profiles may go onto a physical wire. */
static void test_profiles(void)
{
    static const char *const names[] = {"daly-uart-16s.yaml", "daly-can-16s.yaml", "daly-modbus-16s.yaml"};
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        struct profile *profile = load(names[i]);
        g_assert_false(profile->has_reference);
        profile_free(profile);
    }
}

/* Against the virtual boards */
struct setup {
    struct far far;
    struct profile *profile;
    struct board *board;
};

static void set_up(struct setup *s, const char *family, const char *profile, const char *defect)
{
    const char *const defects[] = {defect, NULL};
    GError *error = NULL;
    s->profile = load(profile);
    g_autofree char *line = wire_line_format(&s->profile->line);
    far_open_family(&s->far, family, line, false, defects);
    s->board = board_open(s->profile, s->far.wire, s->profile->address == 210 ? 210 : 1, false, &error);
    g_assert_no_error(error);
    g_assert_true(wire_pause_ms(s->far.wire, 500, NULL));
}

static void tear_down(struct setup *s)
{
    board_close(s->board);
    far_close(&s->far);
    profile_free(s->profile);
}

static const struct {
    const char *family, *profile;
} services[] = {{"daly", "daly-uart-16s.yaml"},
                {"daly-can", "daly-can-16s.yaml"},
                {"daly-modbus", "daly-modbus-16s.yaml"}};

static void test_telemetry(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(services); i++) {
        struct setup s;
        struct board_telemetry t;
        GError *error = NULL;
        set_up(&s, services[i].family, services[i].profile, NULL);
        vboard_bench_current(s.far.board, 20000);
        g_assert_true(board_telemetry(s.board, &t, &error));
        g_assert_no_error(error);
        g_assert_cmpuint(t.cells, ==, 16);
        int64_t sum = 0;
        for (unsigned k = 0; k < t.cells; k++)
            sum += t.cell_mv[k];
        g_assert_cmpint(ABS(t.pack_mv - sum), <, 100);
        g_assert_cmpint(ABS(t.current_ma - 20000), <=, i == 2 ? 2500 : 200);
        g_assert_true(t.charging && t.charge_fet && t.discharge_fet);
        g_assert_cmpint(t.soc_ppc, ==, 50000);
        g_assert_cmpint(t.remaining_mah, ==, 50000);
        g_assert_cmpint(ABS(t.sensor_mdeg[1] - 25000), <=, 3000);
        g_assert_cmpstr(t.active, ==, "");
        vboard_bench_current(s.far.board, -20000);
        g_assert_true(board_telemetry(s.board, &t, &error));
        g_assert_true(t.discharging);
        tear_down(&s);
    }
}

/* Each bit of the failure status by its name, the same on all three services. */
static void test_flags(void)
{
    static const struct {
        unsigned bit;
        const char *name;
        bool protection;
    } flags[] = {{0, "cell OV 1", false},
                 {1, "cell OV 2", true},
                 {7, "pack UV 2", true},
                 {8, "charge OT 1", false},
                 {15, "discharge UT 2", true},
                 {16, "charge OC 1", false},
                 {19, "discharge OC 2", true},
                 {24, "cell difference 1", false},
                 {27, "temperature difference 2", true},
                 {32, "charge MOS OT", true},
                 {40, "front end", true},
                 {44, "RTC", true}};
    for (unsigned i = 0; i < G_N_ELEMENTS(services); i++)
        for (unsigned k = 0; k < G_N_ELEMENTS(flags); k++) {
            struct setup s;
            struct board_telemetry t;
            g_autofree char *defect = g_strdup_printf("flag:%u", flags[k].bit);
            set_up(&s, services[i].family, services[i].profile, defect);
            g_assert_true(board_telemetry(s.board, &t, NULL));
            g_assert_cmpstr(t.active, ==, flags[k].name);
            g_assert_cmpint(t.protections != 0, ==, flags[k].protection);
            g_assert_cmpint(t.alarms != 0, ==, !flags[k].protection);
            tear_down(&s);
        }
}

/* The clock goes with the state of charge in one frame: writing either keeps the other. */
static void test_clock(void)
{
    struct setup s;
    struct item_value value;
    struct board_telemetry t;
    int64_t wall;
    GError *error = NULL;
    g_setenv("TZ", "Etc/GMT-2", TRUE);
    set_up(&s, "daly", "daly-uart-16s.yaml", NULL);
    const int64_t now = tick_wall(&s.far.clock.tick);
    g_assert_true(board_clock_write(s.board, now, &error));
    g_assert_true(board_clock_read(s.board, &wall, &error));
    g_assert_cmpint(ABS(wall - tick_wall(&s.far.clock.tick)), <=, TICK_S(1));
    g_assert_cmpint(
        ABS(vboard_truth_clock_us(s.far.board, tick_now(&s.far.clock.tick)) - wall - TICK_S(7200)), <=,
        TICK_S(1));
    g_assert_true(board_telemetry(s.board, &t, &error));
    g_assert_cmpint(t.soc_ppc, ==, 50000);
    g_assert_true(profile_value_parse(profile_item_find(s.profile, "time.soc"), "71.5 %", &value, &error));
    g_assert_true(board_write_item(s.board, &value, NULL, &error));
    g_assert_no_error(error);
    g_assert_true(board_telemetry(s.board, &t, &error));
    g_assert_cmpint(t.soc_ppc, ==, 71500);
    g_assert_true(board_clock_read(s.board, &wall, &error));
    g_assert_cmpint(ABS(wall - tick_wall(&s.far.clock.tick)), <=, TICK_S(2));
    g_setenv("TZ", "UTC", TRUE);
    tear_down(&s);
}

static void test_switches(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(services); i += 2) {
        struct setup s;
        struct board_telemetry t;
        GError *error = NULL;
        set_up(&s, services[i].family, services[i].profile, NULL);
        for (int on = 0; on < 2; on++) {
            g_assert_true(board_control(s.board, CONTROL_CHARGE_FET, on, &error));
            g_assert_true(board_telemetry(s.board, &t, &error));
            g_assert_true(t.charge_fet == on && t.discharge_fet);
        }
        g_assert_true(board_control(s.board, CONTROL_DISCHARGE_FET, 0, &error));
        g_assert_true(board_telemetry(s.board, &t, &error));
        g_assert_true(t.charge_fet && !t.discharge_fet);
        g_assert_true(board_control(s.board, CONTROL_RESET, 0, &error));
        g_assert_no_error(error);
        g_assert_true(wire_pause_ms(s.far.wire, 1000, NULL));
        g_assert_true(board_telemetry(s.board, &t, &error));
        tear_down(&s);
    }
}

/* To ask for a switch would be to switch it: nothing goes out. */
static void test_write_only(void)
{
    static const char *const keys[] = {"command.reset", "command.charge_mos", "command.discharge_mos"};
    struct setup s;
    set_up(&s, "daly", "daly-uart-16s.yaml", NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
        struct item_value value;
        g_autoptr(GError) error = NULL;
        const uint64_t sent = s.far.wire->bytes_sent;
        g_assert_false(board_read_item(s.board, profile_item_find(s.profile, keys[i]), &value, &error));
        g_assert_error(error, PACK_ERROR, ERROR_REFUSED);
        g_assert_cmpuint(s.far.wire->bytes_sent, ==, sent);
    }
    tear_down(&s);
}

static void test_refused(void)
{
    struct setup s;
    struct board_identity identity;
    g_autoptr(GError) refused = NULL;
    g_autoptr(GError) silent = NULL;
    set_up(&s, "daly", "daly-uart-16s.yaml", "busy");
    g_assert_false(board_clock_write(s.board, 1795000000000000, &refused));
    g_assert_error(refused, PACK_ERROR, ERROR_REFUSED);
    s.board->address = 2; /* there is no second board */
    g_assert_false(board_identify(s.board, &identity, &silent));
    g_assert_error(silent, PACK_ERROR, ERROR_SILENT);
    tear_down(&s);
}

static void test_zero(void)
{
    struct setup s;
    struct board_telemetry t;
    GError *error = NULL;
    set_up(&s, "daly-modbus", "daly-modbus-16s.yaml", NULL);
    g_assert_true(board_telemetry(s.board, &t, &error));
    g_assert_cmpint(ABS(t.current_ma), >, 100); /* as it comes */
    g_assert_true(board_calibrate(s.board, CALIBRATE_CURRENT_ZERO, 0, 0, &error));
    g_assert_no_error(error);
    g_assert_true(board_telemetry(s.board, &t, &error));
    g_assert_cmpint(ABS(t.current_ma), <=, 100);
    g_autoptr(GError) flowing = NULL;
    vboard_bench_current(s.far.board, 10000);
    g_assert_false(board_calibrate(s.board, CALIBRATE_CURRENT_ZERO, 0, 0, &flowing));
    g_assert_error(flowing, PACK_ERROR, ERROR_REFUSED);
    tear_down(&s);
}

/* Board splits, limits and the password are written and read back; the machine code is not written. */
static void test_settings(void)
{
    static const char *const writes[][2] = {{"pack.boards", "2"},          {"pack.cells_1", "8"},
                                            {"pack.cells_2", "8"},         {"pack.rated", "120 Ah"},
                                            {"limit.cell_ov_2", "3.65 V"}, {"limit.charge_oc_1", "-80 A"},
                                            {"limit.charge_ut_1", "2 °C"}, {"password.parameters", "654321"},
                                            {"charge.soc", "30 %"}};
    struct setup s;
    struct item_value value;
    GError *error = NULL;
    set_up(&s, "daly-modbus", "daly-modbus-16s.yaml", NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(writes); i++) {
        g_assert_true(
            profile_value_parse(profile_item_find(s.profile, writes[i][0]), writes[i][1], &value, &error));
        g_assert_true(board_write_item(s.board, &value, NULL, &error));
        g_assert_no_error(error);
    }
    g_autofree char *shown = NULL;
    g_assert_true(
        board_read_item(s.board, profile_item_find(s.profile, "password.parameters"), &value, &error));
    shown = profile_value_format(&value);
    g_assert_cmpstr(shown, ==, "***");
    g_assert_true(
        board_read_item(s.board, profile_item_find(s.profile, "identity.machine_code"), &value, &error));
    g_assert_cmpstr(value.text, ==, "226JD0000000007");
    g_autoptr(GError) rule = NULL;
    g_assert_false(board_write_item(s.board, &value, NULL, &rule));
    g_assert_error(rule, PACK_ERROR, ERROR_RULE);
    tear_down(&s);
}

/* Lost, damaged and doubled bytes: every reading is right or an error. */
static void test_lossy(void)
{
    struct setup s;
    const struct wire_fault_plan plan = {
        .seed = 5, .drop_ppm = 500, .corrupt_ppm = 500, .duplicate_ppm = 500};
    unsigned failed = 0;
    set_up(&s, "daly", "daly-uart-16s.yaml", NULL);
    s.far.wire = wire_fault(s.far.wire, &plan);
    s.board->wire = s.far.wire;
    for (int i = 0; i < 60; i++) {
        struct board_telemetry t;
        g_autoptr(GError) error = NULL;
        if (!board_telemetry(s.board, &t, &error)) {
            failed++;
            continue;
        }
        int64_t sum = 0;
        for (unsigned k = 0; k < 16; k++)
            sum += t.cell_mv[k];
        g_assert_cmpint(ABS(sum - t.pack_mv), <, 100);
        g_assert_cmpstr(t.active, ==, "");
    }
    g_assert_cmpuint(failed, <=, 3);
    g_assert_cmpuint(s.board->frames_lost, >, 0);
    tear_down(&s);
}

static void test_chatter(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(services); i++) {
        struct setup s;
        struct board_identity identity;
        g_autoptr(GError) error = NULL;
        set_up(&s, services[i].family, services[i].profile, "chatter");
        if (!board_identify(s.board, &identity, &error))
            g_assert_true(error_kind(error) == ERROR_GARBLED || error_kind(error) == ERROR_SILENT);
        tear_down(&s);
    }
}

int main(int argc, char **argv)
{
    g_setenv("TZ", "UTC", TRUE);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/daly/profiles", test_profiles);
    g_test_add_func("/daly/telemetry", test_telemetry);
    g_test_add_func("/daly/flags", test_flags);
    g_test_add_func("/daly/clock", test_clock);
    g_test_add_func("/daly/switches", test_switches);
    g_test_add_func("/daly/write-only", test_write_only);
    g_test_add_func("/daly/refused", test_refused);
    g_test_add_func("/daly/zero", test_zero);
    g_test_add_func("/daly/settings", test_settings);
    g_test_add_func("/daly/lossy", test_lossy);
    g_test_add_func("/daly/chatter", test_chatter);
    return g_test_run();
}
