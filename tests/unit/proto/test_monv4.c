/* The monv4 profile through the Modbus dialect, against the virtual board, on a virtual clock. */
#include "far.h"

#include "proto/board.h"
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
    g_assert_true(g_file_get_contents(SOURCE_DIR "/recipes/boards/monv4-reference.yaml", &text, &n, NULL));
    g_autoptr(GBytes) bytes = g_bytes_new(text, n);
    g_autoptr(bind_report_auto) report = bind_report_new("p", bytes);
    struct profile *profile = profile_load("p", bytes, report);
    g_assert_nonnull(profile);
    return profile;
}

static void wait_ms(struct fixture *f, int64_t ms)
{
    tick_sleep_until(&f->far.clock.tick, tick_deadline_ms(&f->far.clock.tick, ms));
}

static void set_up(struct fixture *f, const char *defect)
{
    const char *const defects[] = {defect, NULL};
    GError *error = NULL;
    f->profile = load_profile();
    far_open_family(&f->far, "monv4", "9600-8N1", false, defect ? defects : NULL);
    wait_ms(f, 500);
    f->board = board_open(f->profile, f->far.wire, 1, false, &error);
    g_assert_no_error(error);
}

static void tear_down(struct fixture *f)
{
    board_close(f->board);
    far_close(&f->far);
    profile_free(f->profile);
}

static struct item_value value_of(struct fixture *f, const char *key, const char *text)
{
    struct item_value value;
    GError *error = NULL;
    if (!profile_value_parse(profile_item_find(f->profile, key), text, &value, &error))
        g_error("%s: %s", key, error->message);
    return value;
}

static int64_t read_raw(struct fixture *f, const char *key)
{
    struct item_value value;
    GError *error = NULL;
    if (!board_read_item(f->board, profile_item_find(f->profile, key), &value, &error))
        g_error("%s: %s", key, error->message);
    return value.raw;
}

static void test_identify(void)
{
    struct fixture f;
    struct board_identity identity;
    uint8_t id[12];
    GError *error = NULL;
    set_up(&f, NULL);
    g_assert_true(board_identify(f.board, &identity, &error));
    vboard_truth_unique_id(f.far.board, id);
    g_assert_cmpstr(identity.product, ==, "MONV4-24S");
    g_assert_cmpstr(identity.hardware, ==, "MV4-A");
    g_assert_cmpstr(identity.firmware, ==, "0.9.0");
    g_assert_true(identity.has_unique_id);
    g_assert_cmpmem(identity.unique_id, 12, id, 12);
    tear_down(&f);
}

/* A virgin board holds what the manual's table prints, in every register. */
static void test_image(void)
{
    struct fixture f;
    struct item_value value;
    GError *error = NULL;
    unsigned presets = 0;
    set_up(&f, NULL);
    struct board_image *image = board_image_read(f.board, &error);
    g_assert_no_error(error);
    for (guint i = 0; i < f.profile->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(f.profile->items, i);
        if (!item->has_preset || !board_image_get(image, item, &value))
            continue;
        if (value.value != item->preset)
            g_error("%s is %d", item->key, (int)value.value);
        presets++;
    }
    g_assert_cmpuint(presets, ==, 23 + 56 + 26 + 7);
    g_assert_true(board_image_get(image, profile_item_find(f.profile, "identity.serial_number"), &value));
    g_assert_true(value.absent);
    board_image_free(image);
    tear_down(&f);
}

/* Every value of both printed sets goes onto the board and comes back, but those that break the AFE split. */
static void test_sets(void)
{
    for (unsigned k = 0; k < 2; k++) {
        struct fixture f;
        GError *error = NULL;
        set_up(&f, NULL);
        const struct profile_set *set = profile_set_find(f.profile, k ? "nmc-24s" : "lfp-23s");
        g_autofree struct item_value *values = g_new0(struct item_value, set->values->len);
        for (guint i = 0; i < set->values->len; i++) {
            const struct bind_pair *pair = g_ptr_array_index(set->values, i);
            values[i] = value_of(&f, pair->key, pair->value);
        }
        if (!board_write_values(f.board, values, set->values->len, &error))
            g_error("%s", error->message);
        for (guint i = 0; i < set->values->len; i++)
            g_assert_cmpint(read_raw(&f, values[i].item->key), ==, values[i].raw);
        g_assert_cmpint(read_raw(&f, "system.cell_count"), ==, k ? 24 : 23);
        g_assert_cmpint(read_raw(&f, "live.cell_count"), ==, k ? 24 : 23);
        tear_down(&f);
    }
}

static void test_refusals(void)
{
    struct fixture f;
    g_autoptr(GError) error = NULL;
    set_up(&f, NULL);
    struct item_value alone = value_of(&f, "system.cell_count", "24");
    g_assert_false(board_write_item(f.board, &alone, NULL, &error));
    g_assert_error(error, PACK_ERROR, ERROR_REFUSED);
    g_assert_cmpstr(
        error->message, ==,
        "writing block 'system': writing registers 0105H of board 1: the board answered 'illegal data "
        "value' (exception 03H)");
    g_clear_error(&error);
    g_assert_cmpint(read_raw(&f, "system.cell_count"), ==, 23); /* all or nothing */

    struct item_value baud = value_of(&f, "system.baud", "19200");
    g_assert_false(board_write_item(f.board, &baud, NULL, &error));
    g_assert_error(error, PACK_ERROR, ERROR_RULE);
    g_clear_error(&error);
    struct item_value live = {.item = profile_item_find(f.profile, "live.soc")};
    g_assert_false(board_write_item(f.board, &live, NULL, &error));
    g_assert_error(error, PACK_ERROR, ERROR_RULE);
    g_clear_error(&error);

    f.board->address = 2;
    g_assert_false(board_read_item(f.board, alone.item, &alone, &error));
    g_assert_error(error, PACK_ERROR, ERROR_SILENT);
    tear_down(&f);
}

static void test_telemetry(void)
{
    struct fixture f;
    struct board_telemetry t;
    GError *error = NULL;
    set_up(&f, NULL);
    vboard_bench_temperature(f.far.board, 25000);
    g_assert_true(board_telemetry(f.board, &t, &error));
    int64_t sum = 0;
    for (unsigned i = 0; i < t.cells; i++)
        sum += t.cell_mv[i];
    g_assert_cmpuint(t.cells, ==, 23);
    g_assert_cmpint(ABS(sum - t.pack_mv), <, 10);
    g_assert_cmpuint(t.sensors, ==, 6);
    g_assert_cmpint(t.sensor_mdeg[3], !=, TELEMETRY_ABSENT);
    g_assert_cmpint(t.sensor_mdeg[4], ==, TELEMETRY_ABSENT);
    g_assert_cmpint(t.sensor_mdeg[5], ==, TELEMETRY_ABSENT);
    g_assert_true(t.charge_fet && t.discharge_fet);
    g_assert_cmpint(t.soc_ppc, ==, 50000);
    g_assert_cmpint(t.full_mah, ==, 50000);
    g_assert_cmpuint(t.protections, ==, 0);
    g_assert_cmpuint(t.alarms, ==, 0);

    /* The board calls charging negative; here it is positive. */
    vboard_bench_current(f.far.board, 30000);
    g_assert_true(board_telemetry(f.board, &t, &error));
    g_assert_cmpint(t.current_ma, >, 25000);
    g_assert_true(t.charging);
    vboard_bench_current(f.far.board, 0);

    /* An alarm informs; a protection opens the relay of its direction. */
    struct item_value alarm[] = {value_of(&f, "alarm.cov1", "3250 mV"),
                                 value_of(&f, "alarm.cov2", "3260 mV")};
    g_assert_true(board_write_values(f.board, alarm, 2, &error));
    g_assert_true(board_telemetry(f.board, &t, &error));
    g_assert_cmpstr(t.active, ==, "COV 1, COV 2");
    g_assert_cmpuint(t.protections, ==, 0);
    g_assert_true(t.charge_fet && t.discharge_fet);
    struct item_value limit = value_of(&f, "protect.cov", "3000 mV");
    g_assert_true(board_write_item(f.board, &limit, NULL, &error));
    g_assert_true(board_telemetry(f.board, &t, &error));
    g_assert_true(g_str_has_prefix(t.active, "COV, COV 1"));
    g_assert_true(t.discharge_fet && !t.charge_fet);
    tear_down(&f);
}

/* Inside the dead band the main page shows nothing, however wrong the measurement is. */
static void test_dead_band(void)
{
    struct fixture f;
    GError *error = NULL;
    set_up(&f, NULL);
    vboard_bench_current(f.far.board, 1000);
    g_assert_cmpint(read_raw(&f, "live.shown_current"), ==, 0);
    g_assert_cmpint(read_raw(&f, "live.current"), !=, 0);
    vboard_bench_current(f.far.board, 20000);
    g_assert_cmpint(read_raw(&f, "live.shown_current"), <, -150);
    struct item_value band = value_of(&f, "system.shield_i", "50 A");
    g_assert_true(board_write_item(f.board, &band, NULL, &error));
    g_assert_cmpint(read_raw(&f, "live.shown_current"), ==, 0);
    tear_down(&f);
}

static void test_calibrate(void)
{
    struct fixture f;
    g_autoptr(GError) error = NULL;
    set_up(&f, NULL);
    vboard_bench_current(f.far.board, 20000);
    g_assert_false(board_calibrate(f.board, CALIBRATE_CURRENT_ZERO, 0, 0, &error)); /* current flows */
    g_assert_error(error, PACK_ERROR, ERROR_REFUSED);
    g_clear_error(&error);
    g_assert_false(board_calibrate(f.board, CALIBRATE_CURRENT_GAIN, 0, 20000, &error)); /* before zero */
    g_clear_error(&error);
    vboard_bench_current(f.far.board, 0);
    g_assert_true(board_calibrate(f.board, CALIBRATE_CURRENT_ZERO, 0, 0, &error));
    g_assert_cmpint(ABS(vboard_truth_current_error_ma(f.far.board, 0)), <=, 13);        /* half a step */
    g_assert_false(board_calibrate(f.board, CALIBRATE_CURRENT_GAIN, 0, 20000, &error)); /* nothing flows */
    g_clear_error(&error);
    vboard_bench_current(f.far.board, 5000);
    g_assert_false(board_calibrate(f.board, CALIBRATE_CURRENT_GAIN, 0, 5000, &error)); /* below 10 A */
    g_clear_error(&error);
    vboard_bench_current(f.far.board, -20000);
    g_assert_false(board_calibrate(f.board, CALIBRATE_CURRENT_GAIN, 0, -20000, &error)); /* discharging */
    g_clear_error(&error);
    vboard_bench_current(f.far.board, 20000);
    g_assert_true(board_calibrate(f.board, CALIBRATE_CURRENT_GAIN, 0, 20000, &error));
    g_assert_cmpint(ABS(vboard_truth_current_error_ma(f.far.board, 40000)), <=, 280); /* half of 1/82 */
    /* Not a calibration of this board. */
    g_assert_false(board_calibrate(f.board, CALIBRATE_TEMPERATURE, 0, 25000, &error));
    g_assert_error(error, PACK_ERROR, ERROR_REFUSED);
    tear_down(&f);
}

static void test_controls(void)
{
    struct fixture f;
    struct board_telemetry t;
    struct board_identity identity;
    g_autoptr(GError) error = NULL;
    set_up(&f, NULL);
    g_assert_true(board_control(f.board, CONTROL_CHARGE_FET, 0, &error));
    g_assert_true(board_telemetry(f.board, &t, &error));
    g_assert_true(!t.charge_fet && t.discharge_fet);
    g_assert_true(board_control(f.board, CONTROL_CHARGE_FET, 1, &error));
    g_assert_true(board_control(f.board, CONTROL_DISCHARGE_FET, 0, &error));
    g_assert_true(board_telemetry(f.board, &t, &error));
    g_assert_true(t.charge_fet && !t.discharge_fet);

    /* A reset starts the relays anew; it keeps the values. */
    struct item_value value = value_of(&f, "protect.ocd", "333.3 A");
    g_assert_true(board_write_item(f.board, &value, NULL, &error));
    wait_ms(&f, 100);
    g_assert_true(board_control(f.board, CONTROL_RESET, 0, &error));
    wait_ms(&f, 150);
    g_assert_true(board_wait_alive(f.board, tick_now(&f.far.clock.tick) + TICK_S(5), &identity, &error));
    g_assert_true(board_telemetry(f.board, &t, &error));
    g_assert_true(t.charge_fet && t.discharge_fet);
    g_assert_cmpint(read_raw(&f, "protect.ocd"), ==, 3333);

    g_assert_true(board_control(f.board, CONTROL_FACTORY_DEFAULTS, 0, &error));
    g_assert_true(board_wait_alive(f.board, tick_now(&f.far.clock.tick) + TICK_S(5), &identity, &error));
    g_assert_cmpint(read_raw(&f, "protect.ocd"), ==, 4000);

    g_assert_false(board_control(f.board, CONTROL_SLEEP, 0, &error)); /* no such command */
    g_assert_error(error, PACK_ERROR, ERROR_REFUSED);
    g_clear_error(&error);
    g_assert_true(board_control(f.board, CONTROL_ENTER_BOOTLOADER, 0, &error));
    wait_ms(&f, 500);
    g_assert_false(board_identify(f.board, &identity, &error));
    tear_down(&f);
}

/* Raw registers go around the items, not around what must never be written. */
static void test_registers(void)
{
    struct fixture f;
    uint16_t value;
    g_autoptr(GError) error = NULL;
    set_up(&f, NULL);
    g_assert_true(board_register_read(f.board, 0x0204, &value, &error));
    g_assert_cmpuint(value, ==, 3650);
    g_assert_true(board_register_write(f.board, 0x0204, 3600, &error));
    g_assert_cmpint(read_raw(&f, "protect.cov"), ==, 3600);
    g_assert_true(board_register_write(f.board, 0x0300, 81, &error)); /* an engineer's */
    const unsigned forbidden[] = {0x0101, 0x0117};
    for (gsize i = 0; i < G_N_ELEMENTS(forbidden); i++) {
        g_assert_false(board_register_write(f.board, forbidden[i], 0, &error));
        g_assert_error(error, PACK_ERROR, ERROR_RULE);
        g_clear_error(&error);
    }
    g_assert_cmpint(read_raw(&f, "system.baud"), ==, 9600);
    g_assert_false(board_register_write(f.board, 0x0600, 1, &error)); /* obeyed, but reads 0 */
    g_assert_error(error, PACK_ERROR, ERROR_MISMATCH);
    g_clear_error(&error);
    g_assert_false(board_register_read(f.board, 0x4000, &value, &error));
    g_assert_error(error, PACK_ERROR, ERROR_REFUSED);
    tear_down(&f);
}

/* Busy while it restores: the board says so, and that is what the error says. */
static void test_busy(void)
{
    struct fixture f;
    g_autoptr(GError) error = NULL;
    set_up(&f, "busy");
    struct item_value value = value_of(&f, "protect.ocd", "300 A");
    g_assert_false(board_write_item(f.board, &value, NULL, &error));
    g_assert_error(error, PACK_ERROR, ERROR_REFUSED);
    g_assert_nonnull(strstr(error->message, "'device busy' (exception 06H)"));
    tear_down(&f);
}

/* Cells under a sleep threshold for its minutes: silent until a charger wakes it. */
static void test_sleep(void)
{
    struct fixture f;
    struct board_identity identity;
    g_autoptr(GError) error = NULL;
    set_up(&f, NULL);
    struct item_value sleep[] = {value_of(&f, "sleep.fast_voltage", "3400 mV"),
                                 value_of(&f, "sleep.fast_delay", "2 min")};
    g_assert_true(board_write_values(f.board, sleep, 2, &error));
    wait_ms(&f, 60000);
    g_assert_true(board_identify(f.board, &identity, &error));
    wait_ms(&f, 70000);
    uint8_t none;
    vboard_produce(f.far.board, &none, 0, tick_now(&f.far.clock.tick));
    g_assert_false(board_identify(f.board, &identity, &error));
    g_assert_error(error, PACK_ERROR, ERROR_SILENT);
    g_clear_error(&error);
    g_free(vboard_bench_command(f.far.board, "SOUR:CURR 5", tick_now(&f.far.clock.tick)));
    g_free(vboard_bench_command(f.far.board, "OUTP ON", tick_now(&f.far.clock.tick)));
    g_assert_true(board_wait_alive(f.board, tick_now(&f.far.clock.tick) + TICK_S(5), &identity, &error));
    tear_down(&f);
}

/* Everything a person may write, as it is. */
static struct item_value *all_values(struct fixture *f, unsigned *n)
{
    struct item_value *values = g_new0(struct item_value, f->profile->items->len);
    GError *error = NULL;
    *n = 0;
    for (guint i = 0; i < f->profile->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(f->profile->items, i);
        if (item->in->in_image && item->type != ITEM_TEXT &&
            (item->access == ACCESS_SERVICE || item->access == ACCESS_ENGINEERING))
            values[(*n)++].item = item;
    }
    g_assert_true(board_read_values(f->board, values, *n, &error));
    return values;
}

static void one_by_one(struct fixture *f, const struct item_value *values, unsigned n)
{
    GError *error = NULL;
    for (unsigned i = 0; i < n; i++)
        g_assert_true(board_write_item(f->board, &values[i], NULL, &error));
}

static void by_block(struct fixture *f, const struct item_value *values, unsigned n)
{
    GError *error = NULL;
    g_autofree struct item_value *found = g_memdup2(values, n * sizeof *values);
    g_assert_true(board_write_values(f->board, values, n, &error));
    g_assert_true(board_read_values(f->board, found, n, &error));
    for (unsigned i = 0; i < n; i++)
        g_assert_cmpint(found[i].raw, ==, values[i].raw);
}

/* The time of one exchange that cannot be less: both frames, the board's 5 ms, the silence. */
static int64_t least_us(unsigned answer_bytes, int64_t baud)
{
    int64_t silence = baud > 19200 ? 1750 : 35 * 1000000 / baud;
    return (8 + answer_bytes) * 10 * 1000000 / baud + 5000 + silence;
}

/* On a line that takes its time; the clock is virtual, so these are exact. */
static void test_speed(void)
{
    static const struct {
        const char *line;
        int64_t baud, percent;
    } lines[] = {{"9600-8N1", 9600, 12}, {"115200-8N1", 115200, 8}};
    static const unsigned registers[] = {24, 56, 26, 33, 7, 15};
    for (gsize i = 0; i < G_N_ELEMENTS(lines); i++) {
        struct fixture f;
        GError *error = NULL;
        unsigned n;
        set_up(&f, NULL);
        g_assert_true(wire_line_parse(lines[i].line, &f.far.wire->line, &error));
        f.far.wire = f.board->wire = wire_pace(f.far.wire);
        f.far.wire->line = f.far.wire->under->line;
        g_autofree struct item_value *values = all_values(&f, &n);
        g_assert_cmpuint(n, ==, 24 + 56 + 26 + 33 + 7 - 2); /* but the rate and the reserved one */

        int64_t start = tick_now(&f.far.clock.tick);
        one_by_one(&f, values, n);
        int64_t singly = tick_now(&f.far.clock.tick) - start;
        by_block(&f, values, n);
        int64_t block = tick_now(&f.far.clock.tick) - start - singly;
        start = tick_now(&f.far.clock.tick);
        struct board_image *image = board_image_read(f.board, &error);
        int64_t read = tick_now(&f.far.clock.tick) - start, least = 0;
        g_assert_nonnull(image);
        board_image_free(image);
        for (gsize k = 0; k < G_N_ELEMENTS(registers); k++)
            least += least_us(5 + 2 * registers[k], lines[i].baud);
        printf("# %s: %u parameters with read-back: one by one %.3f s, by block %.3f s (%.3f); image %.3f s, "
               "limit %.3f s (%.3f)\n",
               lines[i].line, n, (double)singly / 1e6, (double)block / 1e6, (double)block / (double)singly,
               (double)read / 1e6, (double)least / 1e6, (double)read / (double)least);
        g_assert_cmpint(block * 100, <=, singly * lines[i].percent);
        if (lines[i].baud == 9600) /* the family's own rate */
            g_assert_cmpint(read * 100, <=, least * 105);
        tear_down(&f);
    }
}

/* Disturbed answers: a value read is the true one, or an error. */
static void test_corruption(void)
{
    unsigned read = 0;
    for (unsigned seed = 1; seed <= 300; seed++) {
        struct fixture f;
        struct item_value value;
        g_autoptr(GError) error = NULL;
        set_up(&f, NULL);
        f.far.wire = wire_fault(
            f.far.wire, &(struct wire_fault_plan){
                            .seed = seed, .corrupt_ppm = 20000, .drop_ppm = 10000, .duplicate_ppm = 10000});
        f.board->wire = f.far.wire;
        if (board_read_item(f.board, profile_item_find(f.profile, "protect.tov"), &value, &error)) {
            g_assert_cmpint(value.value, ==, 85000);
            read++;
        } else
            g_assert_true(error_rule(error)->exit_code == 5 || error_kind(error) == ERROR_REFUSED);
        tear_down(&f);
    }
    g_assert_cmpuint(read, >, 100);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/monv4/identify", test_identify);
    g_test_add_func("/monv4/image", test_image);
    g_test_add_func("/monv4/sets", test_sets);
    g_test_add_func("/monv4/refusals", test_refusals);
    g_test_add_func("/monv4/telemetry", test_telemetry);
    g_test_add_func("/monv4/dead-band", test_dead_band);
    g_test_add_func("/monv4/calibrate", test_calibrate);
    g_test_add_func("/monv4/controls", test_controls);
    g_test_add_func("/monv4/registers", test_registers);
    g_test_add_func("/monv4/busy", test_busy);
    g_test_add_func("/monv4/sleep", test_sleep);
    g_test_add_func("/monv4/speed", test_speed);
    g_test_add_func("/monv4/corruption", test_corruption);
    return g_test_run();
}
