/* The dd-frame dialect with the JBD profile against the virtual board. */
#include "far.h"

#include "proto/board.h"
#include "proto/dd_frame.h"
#include "station/base/error.h"

struct fixture {
    struct far far;
    struct profile *profile;
    struct board *board;
};

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

static void set_up(struct fixture *f, const char *defect)
{
    const char *const defects[] = {defect, NULL};
    GError *error = NULL;
    memset(f, 0, sizeof *f);
    f->profile = load_profile();
    far_open_family(&f->far, "jbd", "9600-8N1", false, defect ? defects : NULL);
    tick_sleep_until(&f->far.clock.tick, tick_deadline_ms(&f->far.clock.tick, 500));
    f->board = board_open(f->profile, f->far.wire, 1, false, &error);
    g_assert_no_error(error);
}

static void tear_down(struct fixture *f)
{
    board_close(f->board);
    far_close(&f->far);
    profile_free(f->profile);
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

static void restart(struct fixture *f)
{
    struct tick *tick = &f->far.clock.tick;
    tick_sleep_until(tick, tick_deadline_ms(tick, 500));
    vboard_power(f->far.board, false, tick_now(tick));
    vboard_power(f->far.board, true, tick_now(tick));
    tick_sleep_until(tick, tick_deadline_ms(tick, 500));
}

static void test_identify(void)
{
    struct fixture f;
    struct board_identity identity;
    GError *error = NULL;
    set_up(&f, NULL);
    g_assert_true(board_identify(f.board, &identity, &error));
    g_assert_cmpstr(identity.product, ==, f.profile->product);
    g_assert_cmpstr(identity.firmware, ==, "2.1");
    tear_down(&f);
}

/* The virtual board and the profile were written apart: every printed default must meet. */
static void test_presets(void)
{
    struct fixture f;
    GError *error = NULL;
    unsigned met = 0;
    set_up(&f, NULL);
    struct board_image *image = board_image_read(f.board, &error);
    g_assert_no_error(error);
    for (guint i = 0; i < f.profile->items->len; i++) {
        const struct profile_item *it = g_ptr_array_index(f.profile->items, i);
        struct item_value value;
        if (!it->has_preset || !board_image_get(image, it, &value))
            continue;
        if (value.value != it->preset)
            g_error("%s is %" G_GINT64_FORMAT ", printed %s", it->key, value.raw, it->preset_text);
        met++;
    }
    g_assert_cmpuint(met, ==, 54);
    board_image_free(image);
    tear_down(&f);
}

static void test_write_and_keep(void)
{
    static const char *const values[][2] = {{"protect.cell_ov", "3.6 V"},
                                            {"protect.dsg_oc", "-100 A"},
                                            {"protect.chg_ut", "0.5 °C"},
                                            {"protect.cell_uv_delay", "7 s"},
                                            {"protect.cell_ov_delay", "3 s"},
                                            {"config.nominal_capacity", "280 Ah"},
                                            {"config.cell_count", "3"},
                                            {"config.voltage_90", "3.4 V"},
                                            {"identity.barcode", "JBD00000042"},
                                            {"identity.manufacturer", "Example"},
                                            {"control.remaining_capacity", "120 Ah"}};
    struct fixture f;
    struct item_value all[G_N_ELEMENTS(values)];
    GError *error = NULL;
    set_up(&f, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(values); i++)
        all[i] = value_of(&f, values[i][0], values[i][1]);
    if (!board_write_values(f.board, all, G_N_ELEMENTS(all), &error))
        g_error("%s", error->message);
    restart(&f);
    for (gsize i = 0; i < G_N_ELEMENTS(values); i++) {
        g_autofree char *text = read_text(&f, values[i][0]);
        g_assert_cmpstr(text, ==, values[i][1]);
    }
    g_autofree char *kept = read_text(&f, "protect.pack_ov_delay");
    g_assert_cmpstr(kept, ==, "2 s");
    g_autofree char *errors = read_text(&f, "errors.chg_oc");
    g_assert_cmpstr(errors, ==, "0");
    tear_down(&f);
}

/* One of two values that share a register, and nothing of it when a later register is refused. */
static void test_all_or_nothing(void)
{
    struct fixture f;
    g_autoptr(GError) error = NULL;
    set_up(&f, NULL);
    struct item_value values[] = {value_of(&f, "protect.cell_uv_delay", "9 s"),
                                  value_of(&f, "identity.barcode", "ABC")};
    values[1].text[0] = '\0';
    memset(values[1].text, 'x', 31);
    values[1].text[31] = '\0';
    struct item_value bad = value_of(&f, "config.cell_count", "3");
    bad.raw = 9;
    g_assert_true(board_write_item(f.board, &values[0], NULL, &error));
    g_assert_true(board_write_item(f.board, &values[1], NULL, &error));
    struct item_value both[] = {value_of(&f, "protect.cell_uv_delay", "5 s"), bad};
    g_assert_false(board_write_values(f.board, both, 2, &error));
    g_assert_error(error, PACK_ERROR, ERROR_REFUSED);
    g_assert_nonnull(strstr(error->message, "config.cell_count (register 2FH)"));
    g_autofree char *text = read_text(&f, "protect.cell_uv_delay");
    g_assert_cmpstr(text, ==, "9 s");
    tear_down(&f);
}

/* Outside service mode the board answers 80H: without a session nothing stored is reached. */
static void test_session_is_needed(void)
{
    struct fixture f;
    struct item_value value;
    g_autoptr(GError) error = NULL;
    set_up(&f, NULL);
    ((struct profile_block *)item(&f, "protect.cell_ov")->in)->session = false;
    g_assert_false(board_read_item(f.board, item(&f, "protect.cell_ov"), &value, &error));
    g_assert_error(error, PACK_ERROR, ERROR_REFUSED);
    tear_down(&f);
}

static void test_calibrate_current(void)
{
    struct fixture f;
    struct board_telemetry t;
    GError *error = NULL;
    set_up(&f, NULL);
    g_assert_true(board_calibrate(f.board, CALIBRATE_CURRENT_ZERO, 0, 0, &error));
    vboard_bench_current(f.far.board, 20000);
    g_assert_true(board_calibrate(f.board, CALIBRATE_CURRENT_GAIN, 0, 20000, &error));
    vboard_bench_current(f.far.board, -15000);
    g_assert_true(board_calibrate(f.board, CALIBRATE_CURRENT_GAIN, 0, -15000, &error));
    restart(&f);
    static const int64_t truths[] = {0, 20000, 40000, -15000, -30000};
    for (gsize i = 0; i < G_N_ELEMENTS(truths); i++) {
        vboard_bench_current(f.far.board, truths[i]);
        g_assert_true(board_telemetry(f.board, &t, &error));
        g_assert_cmpint(ABS(t.current_ma - truths[i]), <=, 50);
    }
    /* A gain from a current that flows the other way is refused, and the register named. */
    vboard_bench_current(f.far.board, 20000);
    g_autoptr(GError) wrong = NULL;
    g_assert_false(board_calibrate(f.board, CALIBRATE_CURRENT_GAIN, 0, -20000, &wrong));
    g_assert_nonnull(strstr(wrong->message, "calibration.current_discharge (register AFH)"));
    tear_down(&f);
}

static void test_calibrate_cells_and_sensors(void)
{
    struct fixture f;
    struct board_telemetry t;
    GError *error = NULL;
    set_up(&f, NULL);
    for (unsigned i = 0; i < 4; i++)
        g_assert_true(board_calibrate(f.board, CALIBRATE_CELL, i, 3300 + (int64_t)i, &error));
    g_assert_true(board_calibrate(f.board, CALIBRATE_TEMPERATURE, 0, 25000, &error));
    restart(&f);
    g_assert_true(board_telemetry(f.board, &t, &error));
    for (unsigned i = 0; i < 4; i++)
        g_assert_cmpint(t.cell_mv[i], ==, 3300 + (int64_t)i);
    g_assert_cmpint(t.sensor_mdeg[0], ==, 25000);
    g_autoptr(GError) absent = NULL;
    g_assert_false(board_calibrate(f.board, CALIBRATE_TEMPERATURE, 3, 25000, &absent));
    g_assert_error(absent, PACK_ERROR, ERROR_REFUSED);
    g_assert_nonnull(strstr(absent->message, "calibration.ntc (register D3H)"));
    g_autoptr(GError) none = NULL;
    g_assert_false(board_calibrate(f.board, CALIBRATE_CELL, 32, 3300, &none));
    g_assert_error(none, PACK_ERROR, ERROR_RULE);
    tear_down(&f);
}

static void test_mosfets(void)
{
    struct fixture f;
    struct board_telemetry t;
    GError *error = NULL;
    set_up(&f, NULL);
    g_assert_true(board_control(f.board, CONTROL_CHARGE_FET, 0, &error));
    g_assert_true(board_control(f.board, CONTROL_DISCHARGE_FET, 0, &error));
    g_assert_true(board_telemetry(f.board, &t, &error));
    g_assert_false(t.charge_fet || t.discharge_fet);
    g_assert_cmpstr(t.active, ==, "MOSFET locked by command");
    g_assert_true(board_control(f.board, CONTROL_CHARGE_FET, 1, &error));
    g_assert_true(board_telemetry(f.board, &t, &error));
    g_assert_true(t.charge_fet && !t.discharge_fet);
    g_assert_true(board_control(f.board, CONTROL_DISCHARGE_FET, 1, &error));
    g_assert_true(board_telemetry(f.board, &t, &error));
    g_assert_true(t.charge_fet && t.discharge_fet);
    g_autoptr(GError) unsupported = NULL;
    g_assert_false(board_control(f.board, CONTROL_SLEEP, 0, &unsupported));
    g_assert_error(unsupported, PACK_ERROR, ERROR_REFUSED);
    tear_down(&f);
}

static void test_password(void)
{
    static const struct {
        const char *word;
        int kind; /* -1 = right */
    } rows[] = {{"135790", -1}, {"000000", ERROR_REFUSED}, {"12345", ERROR_AUTHOR}};
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct fixture f;
        struct item_value value;
        set_up(&f, "wrong-password");
        g_autoptr(GError) locked = NULL, error = NULL;
        g_assert_false(board_read_item(f.board, item(&f, "protect.cell_ov"), &value, &locked));
        g_assert_error(locked, PACK_ERROR, ERROR_REFUSED);
        g_assert_nonnull(strstr(locked->message, "service.enter (register 00H)"));
        struct secret *password = secret_from_text(rows[i].word);
        bool ok = board_login(f.board, 1, password, &error);
        secret_free(password);
        g_assert_cmpint(ok ? -1 : (int)error_kind(error), ==, rows[i].kind);
        g_assert_true(!error || !strstr(error->message, rows[i].word));
        g_assert_cmpint(board_read_item(f.board, item(&f, "protect.cell_ov"), &value, NULL), ==, ok);
        tear_down(&f);
    }
}

static void test_liars(void)
{
    static const struct {
        const char *defect;
        enum error_kind kind;
    } rows[] = {
        {"ack-param-no-write", ERROR_MISMATCH}, {"clamp-parameter", ERROR_MISMATCH}, {"busy", ERROR_REFUSED}};
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct fixture f;
        g_autoptr(GError) error = NULL;
        set_up(&f, rows[i].defect);
        struct item_value value = value_of(&f, "protect.cell_ov", "3.62 V");
        g_assert_false(board_write_item(f.board, &value, NULL, &error));
        g_assert_cmpint(error_kind(error), ==, rows[i].kind);
        g_assert_nonnull(strstr(error->message, "protect.cell_ov"));
        tear_down(&f);
    }
}

/* The password is blanked in a trace, with the checksum that would tell of it. */
static void test_mask(void)
{
    const struct dialect_kind *dialect = dialect_find("dd-frame");
    struct dd_frame frame = {
        .first = DD_WRITE, .second = 0x06, .n = 7, .data = {6, '1', '3', '5', '7', '9', '0'}};
    uint8_t bytes[DD_FRAME_MAX];
    bool secret[DD_FRAME_MAX] = {false};
    size_t n = dd_encode(&frame, bytes);
    dialect->mask(NULL, true, bytes, n, secret);
    for (size_t i = 0; i < n; i++)
        g_assert_cmpint(secret[i], ==, i >= 4 && i < n - 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/jbd/identify", test_identify);
    g_test_add_func("/jbd/presets", test_presets);
    g_test_add_func("/jbd/write_and_keep", test_write_and_keep);
    g_test_add_func("/jbd/all_or_nothing", test_all_or_nothing);
    g_test_add_func("/jbd/session_is_needed", test_session_is_needed);
    g_test_add_func("/jbd/calibrate/current", test_calibrate_current);
    g_test_add_func("/jbd/calibrate/cells_and_sensors", test_calibrate_cells_and_sensors);
    g_test_add_func("/jbd/mosfets", test_mosfets);
    g_test_add_func("/jbd/password", test_password);
    g_test_add_func("/jbd/liars", test_liars);
    g_test_add_func("/jbd/mask", test_mask);
    return g_test_run();
}
