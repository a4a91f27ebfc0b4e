/* Family clever: its profile against its virtual board, on a virtual clock. */
#include "clever_far.h"

#include "station/base/error.h"

static void test_identify(void)
{
    struct fixture f;
    struct board_identity identity;
    uint8_t id[12];
    GError *error = NULL;
    set_up(&f, NULL);
    g_assert_true(board_identify(f.board, &identity, &error));
    vboard_truth_unique_id(f.far.board, id);
    g_assert_cmpstr(identity.product, ==, "CLV-176X33");
    g_assert_cmpstr(identity.hardware, ==, "V3.0");
    g_assert_cmpstr(identity.firmware, ==, "3.81");
    g_assert_cmpmem(identity.unique_id, 12, id, 12);
    tear_down(&f);
}

/* The pack is locked: another one's answers do not count, and there are eight. */
static void test_pack(void)
{
    struct fixture f;
    g_autoptr(GError) error = NULL;
    struct board_identity identity;
    set_up(&f, NULL);
    f.board->address = 4;
    g_assert_false(board_identify(f.board, &identity, &error));
    g_assert_error(error, PACK_ERROR, ERROR_SILENT);
    for (unsigned address = 0; address < 12; address++) {
        g_autoptr(GError) outside = NULL;
        struct board *board = board_open(f.profile, f.far.wire, address, false, &outside);
        g_assert_cmpint(board != NULL, ==, address >= 1 && address <= 8);
        if (!board)
            g_assert_error(outside, PACK_ERROR, ERROR_AUTHOR);
        board_close(board);
    }
    tear_down(&f);
}

/* Seven texts of 30 bytes in one frame; a single one leaves the others as they are. */
static void test_product(void)
{
    struct fixture f;
    static const char *const keys[] = {"product.company", "product.date",         "product.module_name",
                                       "product.version", "product.battery_type", "product.serial_number",
                                       "product.remarks"};
    const uint8_t *truth;
    size_t n;
    g_autoptr(GError) error = NULL;
    struct item_value value;
    set_up(&f, NULL);
    g_assert_true(board_read_item(f.board, profile_item_find(f.profile, keys[5]), &value, &error));
    g_assert_true(value.absent);
    for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
        g_autofree char *text = g_strdup_printf("%u-23456789012345678901234567890", i);
        text[30] = '\0';
        write_text(&f, keys[i], text);
    }
    write_text(&f, keys[5], "CLV00000001");
    g_assert_false(profile_value_parse(profile_item_find(f.profile, keys[0]),
                                       "1234567890123456789012345678901", &value, &error));
    wait_ms(&f, 100);
    raw(&f, "system.cycles");
    g_assert_true(vboard_truth_block(f.far.board, 0xf1, &truth, &n));
    g_assert_cmpuint(n, ==, 210);
    g_assert_cmpmem(truth, 30, "0-2345678901234567890123456789", 30);
    g_assert_cmpmem(truth + 150, 30, "CLV00000001                   ", 30);
    g_assert_cmpmem(truth + 180, 30, "6-2345678901234567890123456789", 30);
    tear_down(&f);
}

/* As the board answers and as the document prints it, with every number of cells and sensors. */
static void test_telemetry(void)
{
    static const char *const layouts[] = {NULL, "as-documented"};
    for (unsigned i = 0; i < 2 * G_N_ELEMENTS(layouts); i++) {
        struct fixture f;
        struct board_telemetry t;
        GError *error = NULL;
        const char *const defects[] = {i & 1 ? "sensors:33" : "sensors:2", layouts[i / 2], NULL};
        open_with(&f, load(PROFILE, NULL, NULL), defects);
        login(&f);
        for (unsigned cells = 1; cells <= 176; cells += 25) {
            g_autofree char *text = g_strdup_printf("%u", cells);
            write_text(&f, "parameter.cell_count", text);
            bool ok = board_telemetry(f.board, &t, &error);
            g_assert_no_error(error);
            g_assert_true(ok);
            g_assert_cmpuint(t.cells, ==, cells);
            g_assert_cmpuint(t.sensors, ==, i & 1 ? 31 : 0);
            for (unsigned k = 0; k < cells; k++)
                g_assert_cmpint(ABS(t.cell_mv[k] - 3300), <=, 8);
            g_assert_cmpint(ABS(t.mos_mdeg - 25000), <=, 3000);
            g_assert_cmpint(ABS(t.ambient_mdeg - 25000), <=, 3000);
            g_assert_cmpint(t.full_mah, ==, 100000);
            g_assert_cmpint(t.soc_ppc, ==, 50000);
        }
        tear_down(&f);
    }
}

/* A version nobody named is refused; one request of a long line still meets its answer. */
static void test_version(void)
{
    struct fixture f;
    g_autoptr(GError) error = NULL;
    struct board_telemetry t;
    open_with(&f, load(PROFILE, "answers: \"21 52\"", "answers: \"21\""), NULL);
    g_assert_false(board_telemetry(f.board, &t, &error));
    g_assert_nonnull(strstr(error->message, "VER 52H"));
    tear_down(&f);
}

/* Every item that may be written holds what was written, alone and all at once. */
static void test_every_item(void)
{
    struct fixture f;
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) values = g_array_new(FALSE, TRUE, sizeof(struct item_value));
    set_up(&f, NULL);
    login(&f);
    for (guint i = 0; i < f.profile->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(f.profile->items, i);
        struct item_value value = {.item = item, .raw = item->type == ITEM_TEXT ? 0 : 1};
        if (item->access != ACCESS_SERVICE)
            continue;
        if (item->type == ITEM_TEXT)
            g_snprintf(value.text, sizeof value.text, "T%u", i);
        else if (item->type != ITEM_FLAG && item->valid->len == 0)
            value.raw = (item->max - item->origin) / item->step; /* as large as it may be */
        bool ok = board_write_item(f.board, &value, NULL, &error);
        g_assert_no_error(error);
        g_assert_true(ok);
        g_array_append_val(values, value);
    }
    g_assert_cmpuint(values->len, >=, 100);
    struct item_value *all = (struct item_value *)(void *)values->data;
    g_assert_true(board_write_values(f.board, all, values->len, &error));
    for (guint i = 0; i < values->len; i++) {
        struct item_value found;
        g_assert_true(board_read_item(f.board, all[i].item, &found, &error));
        g_assert_cmpstr(found.text, ==, all[i].text);
        if (all[i].item->type != ITEM_TEXT)
            g_assert_cmpint(found.raw, ==, all[i].raw);
    }
    tear_down(&f);
}

/* The defaults come alone, and they take back every value of the page; the other pages stay. */
static void test_defaults(void)
{
    struct fixture f;
    GError *error = NULL;
    set_up(&f, NULL);
    login(&f);
    write_text(&f, "protect.cell_ov", "3.6 V");
    write_text(&f, "parameter.cell_count", "15");
    write_text(&f, "enable.buzzer", "false");
    write_text(&f, "system.cycles", "12");
    write_text(&f, "product.serial_number", "CLV1");
    g_assert_true(board_control(f.board, CONTROL_FACTORY_DEFAULTS, 0, &error));
    g_assert_no_error(error);
    g_assert_cmpint(raw(&f, "protect.cell_ov"), ==, 3650);
    g_assert_cmpint(raw(&f, "parameter.cell_count"), ==, 16);
    g_assert_cmpint(raw(&f, "enable.buzzer"), ==, 1);
    g_assert_cmpint(raw(&f, "other.restore_defaults"), ==, 0);
    g_assert_cmpint(raw(&f, "system.cycles"), ==, 12);
    struct item_value value;
    g_assert_true(
        board_read_item(f.board, profile_item_find(f.profile, "product.serial_number"), &value, &error));
    g_assert_cmpstr(value.text, ==, "CLV1");
    tear_down(&f);
}

/* Against a current neither the station nor the board switches. */
static void test_interlocks(void)
{
    static const struct {
        enum board_control fet;
        int64_t ma;
        bool allowed;
    } cases[] = {{CONTROL_CHARGE_FET, 0, true},         {CONTROL_CHARGE_FET, 10000, true},
                 {CONTROL_CHARGE_FET, -10000, false},   {CONTROL_DISCHARGE_FET, 0, true},
                 {CONTROL_DISCHARGE_FET, 10000, false}, {CONTROL_DISCHARGE_FET, -10000, true}};
    for (unsigned host = 0; host < 2; host++)
        for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
            struct fixture f;
            struct board_telemetry t;
            g_autoptr(GError) error = NULL;
            const int wanted = host ? (int)ERROR_RULE : (int)ERROR_REFUSED;
            open_with(&f, load(PROFILE, host ? NULL : "interlock_current: 0.5 A", ""), NULL);
            login(&f);
            g_assert_true(board_calibrate(f.board, CALIBRATE_CURRENT_ZERO, 0, 0, &error));
            vboard_bench_current(f.far.board, cases[i].ma);
            g_assert_cmpint(board_control(f.board, cases[i].fet, 0, &error), ==, cases[i].allowed);
            if (!cases[i].allowed)
                g_assert_cmpint(error_kind(error), ==, wanted);
            g_clear_error(&error);
            g_assert_true(board_telemetry(f.board, &t, &error));
            bool on = cases[i].fet == CONTROL_CHARGE_FET ? t.charge_fet : t.discharge_fet;
            g_assert_cmpint(on, ==, !cases[i].allowed);
            g_assert_true(board_control(f.board, cases[i].fet, 1, &error));
            tear_down(&f);
        }
}

/* Limiting: on at its condition alone, off always, then judged anew. */
static void test_limiter(void)
{
    struct fixture f;
    g_autoptr(GError) error = NULL;
    set_up(&f, NULL);
    login(&f);
    g_assert_false(board_control(f.board, CONTROL_CHARGE_LIMITER, 1, &error));
    g_assert_error(error, PACK_ERROR, ERROR_REFUSED);
    g_clear_error(&error);
    g_assert_true(board_control(f.board, CONTROL_CHARGE_LIMITER, 0, &error));
    vboard_bench_current(f.far.board, 30000);
    g_assert_true(board_control(f.board, CONTROL_CHARGE_LIMITER, 1, &error));
    g_assert_true(board_control(f.board, CONTROL_CHARGE_LIMITER, 0, &error));
    tear_down(&f);
}

static void test_calibrate(void)
{
    struct fixture f;
    g_autoptr(GError) error = NULL;
    struct board_telemetry t;
    const char *const defects[] = {"sensors:33", NULL};
    open_with(&f, load(PROFILE, NULL, NULL), defects);
    login(&f);
    g_assert_cmpint(ABS(vboard_truth_current_error_ma(f.far.board, 0)), >, 20);
    g_assert_true(board_calibrate(f.board, CALIBRATE_CURRENT_ZERO, 0, 0, &error));
    g_assert_cmpint(ABS(vboard_truth_current_error_ma(f.far.board, 0)), <, 20);
    g_assert_cmpint(raw(&f, "calibration.zero_done"), ==, 1);
    g_assert_false(board_calibrate(f.board, CALIBRATE_CURRENT_GAIN, 0, 20000, &error)); /* not open */
    g_clear_error(&error);
    vboard_bench_temperature(f.far.board, 31000);
    for (unsigned sensor = 0; sensor < 33; sensor++)
        g_assert_true(board_calibrate(f.board, CALIBRATE_TEMPERATURE, sensor, 31000, &error));
    g_assert_false(board_calibrate(f.board, CALIBRATE_TEMPERATURE, 33, 31000, &error));
    g_clear_error(&error);
    g_assert_true(board_telemetry(f.board, &t, &error));
    for (unsigned i = 0; i < t.sensors; i++)
        g_assert_cmpint(t.sensor_mdeg[i], ==, 31000);
    g_assert_cmpint(t.mos_mdeg, ==, 31000);
    g_assert_cmpint(t.ambient_mdeg, ==, 31000);
    g_assert_true(board_calibrate(f.board, CALIBRATE_RESET, 0, 0, &error));
    g_assert_cmpint(raw(&f, "calibration.current_zero"), ==, 0);
    g_assert_cmpint(raw(&f, "calibration.zero_done"), ==, 0);
    vboard_bench_current(f.far.board, 10000); /* with a current there is no zero */
    g_assert_false(board_calibrate(f.board, CALIBRATE_CURRENT_ZERO, 0, 0, &error));
    tear_down(&f);
}

/* Hibernation ends the conversation; charging wakes the board. */
static void test_hibernation(void)
{
    struct fixture f;
    g_autoptr(GError) error = NULL;
    struct board_identity identity;
    set_up(&f, NULL);
    login(&f);
    g_assert_true(board_control(f.board, CONTROL_SLEEP, 0, &error));
    wait_ms(&f, 500);
    g_assert_false(board_identify(f.board, &identity, &error));
    g_assert_error(error, PACK_ERROR, ERROR_SILENT);
    g_clear_error(&error);
    vboard_bench_current(f.far.board, 5000);
    wait_ms(&f, 1000);
    g_assert_true(board_identify(f.board, &identity, &error));
    tear_down(&f);
}

static void test_clock(void)
{
    struct fixture f;
    int64_t wall;
    GError *error = NULL;
    set_up(&f, NULL);
    login(&f);
    g_assert_true(board_clock_write(f.board, tick_wall(&f.far.clock.tick), &error));
    g_assert_true(board_clock_read(f.board, &wall, &error));
    g_assert_cmpint(ABS(wall - tick_wall(&f.far.clock.tick)), <, TICK_S(2));
    tear_down(&f);
}

struct records {
    unsigned n, stop_after;
};

static bool take(void *context, const struct board_record *record, GError **error)
{
    struct records *records = context;
    g_assert_cmpuint(record->cells, ==, 16);
    return ++records->n != records->stop_after || error_set(error, ERROR_CANCELLED, "stopped");
}

static unsigned count_records(struct fixture *f)
{
    struct records records = {0, 0};
    GError *error = NULL;
    bool ok = board_history_read(f->board, take, &records, &error);
    g_assert_no_error(error);
    g_assert_true(ok);
    return records.n;
}

/* Nothing is stored by default; two logs; what was read is not erased by reading or stopping. */
static void test_records(void)
{
    struct fixture f;
    GError *error = NULL;
    set_up(&f, NULL);
    login(&f);
    wait_ms(&f, 3600000);
    g_assert_cmpuint(count_records(&f), ==, 0);
    write_text(&f, "system.data_interval", "10");
    wait_ms(&f, 3600000);
    g_assert_cmpuint(count_records(&f), >=, 5);
    struct records stopped = {0, 2};
    g_assert_false(board_history_read(f.board, take, &stopped, &error));
    g_assert_error(error, PACK_ERROR, ERROR_CANCELLED);
    g_clear_error(&error);
    g_assert_cmpuint(count_records(&f), >=, 5);
    f.board->alarm_log = true;
    g_assert_cmpuint(count_records(&f), ==, 2);
    g_assert_true(board_history_erase(f.board, &error));
    g_assert_cmpuint(count_records(&f), ==, 0);
    f.board->alarm_log = false;
    g_assert_cmpuint(count_records(&f), >=, 5);
    g_assert_true(board_history_erase(f.board, &error));
    g_assert_cmpuint(count_records(&f), ==, 0);
    tear_down(&f);
}

static const struct item_value *board_value(void *context, const char *key)
{
    static struct item_value values[8];
    static unsigned next;
    struct fixture *f = context;
    const struct profile_item *item = profile_item_find(f->profile, key);
    struct item_value *value = &values[next++ % G_N_ELEMENTS(values)];
    return item && board_read_item(f->board, item, value, NULL) ? value : NULL;
}

static void show(void *context, const struct profile_rule *rule, const char *sentence)
{
    (void)rule;
    g_string_append_printf(context, "%s\n", sentence);
}

struct lookup {
    struct fixture *f;
    GString *sentences;
};

static const struct item_value *look(void *context, const char *key)
{
    return board_value(((struct lookup *)context)->f, key);
}

static void tell(void *context, const struct profile_rule *rule, const char *sentence)
{
    show(((struct lookup *)context)->sentences, rule, sentence);
}

/* A new board keeps the profile's rules; a short circuit below the overcurrent does not. */
static void test_rules(void)
{
    struct fixture f;
    g_autoptr(GString) text = g_string_new(NULL);
    struct lookup lookup = {&f, text};
    set_up(&f, NULL);
    login(&f);
    profile_check_rules(f.profile, NULL, look, tell, &lookup);
    g_assert_cmpstr(text->str, ==, "");
    write_text(&f, "other.scp", "90 mV");
    g_assert_cmpuint(profile_check_rules(f.profile, NULL, look, tell, &lookup), ==, 1);
    g_assert_nonnull(strstr(text->str, "120 A"));
    write_text(&f, "other.scp", "150 mV");
    write_text(&f, "parameter.cell_count", "15");
    g_assert_cmpuint(profile_check_rules(f.profile, NULL, look, tell, &lookup), >=, 4);
    tear_down(&f);
}

/* The published part alone: no reference entry, so it may go onto a physical wire. */
static void test_public(void)
{
    struct fixture f;
    struct board_telemetry t;
    struct board_identity identity;
    GError *error = NULL;
    f.profile = load(PUBLIC, NULL, NULL);
    far_open_at(&f.far, "topbms", 3, "9600-8N1", false, NULL);
    wait_ms(&f, 500);
    f.board = board_open(f.profile, f.far.wire, 3, false, &error);
    g_assert_false(f.profile->has_reference);
    write_text(&f, "product.serial_number", "CLV00000001");
    write_text(&f, "product.module_name", "PACK-51.2-100");
    g_assert_true(board_telemetry(f.board, &t, &error));
    g_assert_cmpuint(t.cells, ==, 16);
    g_assert_true(board_identify(f.board, &identity, &error));
    g_assert_cmpstr(identity.product, ==, "16"); /* what nobody writes: its cells */
    g_assert_false(identity.has_unique_id);
    board_close(f.board); /* what is not published, such a board does not know */
    profile_free(f.profile);
    f.profile = load(PROFILE, NULL, NULL);
    f.board = board_open(f.profile, f.far.wire, 3, false, &error);
    g_assert_false(board_identify(f.board, &identity, &error));
    g_assert_nonnull(strstr(error->message, "unknown command"));
    g_clear_error(&error);
    tear_down(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/clever/identify", test_identify);
    g_test_add_func("/clever/pack", test_pack);
    g_test_add_func("/clever/product", test_product);
    g_test_add_func("/clever/telemetry", test_telemetry);
    g_test_add_func("/clever/version", test_version);
    g_test_add_func("/clever/every-item", test_every_item);
    g_test_add_func("/clever/defaults", test_defaults);
    g_test_add_func("/clever/interlocks", test_interlocks);
    g_test_add_func("/clever/limiter", test_limiter);
    g_test_add_func("/clever/calibrate", test_calibrate);
    g_test_add_func("/clever/hibernation", test_hibernation);
    g_test_add_func("/clever/clock", test_clock);
    g_test_add_func("/clever/records", test_records);
    g_test_add_func("/clever/rules", test_rules);
    g_test_add_func("/clever/public", test_public);
    return g_test_run();
}
