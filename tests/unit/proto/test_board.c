/* The board model against the virtual board, on a virtual clock. */
#include "far.h"

#include "proto/board.h"
#include "station/base/error.h"

struct fixture {
    struct far far;
    struct profile *profile;
    struct board *board;
};

static void set_up(struct fixture *f, const char *defect)
{
    const char *const defects[] = {defect, NULL};
    g_autofree char *text = NULL;
    gsize n;
    GError *error = NULL;
    g_assert_true(g_file_get_contents(SOURCE_DIR "/recipes/boards/basen-lt55.yaml", &text, &n, NULL));
    g_autoptr(GBytes) bytes = g_bytes_new(text, n);
    g_autoptr(bind_report_auto) report = bind_report_new("p", bytes);
    f->profile = profile_load("p", bytes, report);
    g_assert_nonnull(f->profile);
    far_open(&f->far, "9600-8N1", false, defect ? defects : NULL);
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

static void login(struct fixture *f)
{
    GError *error = NULL;
    struct secret *password = secret_from_text("888888");
    g_assert_true(board_login(f->board, 1, password, &error));
    secret_free(password);
}

static struct item_value value_of(struct fixture *f, const char *key, const char *text)
{
    struct item_value value;
    GError *error = NULL;
    g_assert_true(profile_value_parse(profile_item_find(f->profile, key), text, &value, &error));
    return value;
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
    g_assert_cmpstr(identity.product, ==, "B200LT55");
    g_assert_cmpstr(identity.hardware, ==, "HY-PT003");
    g_assert_cmpstr(identity.firmware, ==, "0.9.0");
    g_assert_cmpmem(identity.unique_id, 12, id, 12);
    tear_down(&f);
}

static void test_wrong_address(void)
{
    struct fixture f;
    struct board_identity identity;
    g_autoptr(GError) error = NULL;
    set_up(&f, NULL);
    f.board->address = 2;
    g_assert_false(board_identify(f.board, &identity, &error));
    g_assert_error(error, PACK_ERROR, ERROR_SILENT);
    tear_down(&f);
}

static void test_login(void)
{
    struct fixture f;
    g_autoptr(GError) error = NULL;
    struct secret *wrong = secret_from_text("123456");
    set_up(&f, NULL);
    uint64_t frames = f.board->frames;
    g_assert_false(board_login(f.board, 1, wrong, &error));
    g_assert_error(error, PACK_ERROR, ERROR_REFUSED);
    g_assert_cmpuint(f.board->frames - frames, ==, 1); /* never a second try */
    secret_free(wrong);
    struct item_value value = value_of(&f, "protect.cell_ov_start", "3.6 V");
    g_clear_error(&error);
    g_assert_false(board_write_item(f.board, &value, NULL, &error));
    g_assert_error(error, PACK_ERROR, ERROR_RULE);
    login(&f);
    g_clear_error(&error);
    g_assert_true(board_write_item(f.board, &value, NULL, &error));
    tear_down(&f);
}

static void test_write_read(void)
{
    struct fixture f;
    struct item_value found;
    GError *error = NULL;
    const uint8_t *truth;
    size_t n;
    set_up(&f, NULL);
    login(&f);
    const struct item_value values[] = {
        value_of(&f, "protect.cell_ov_start", "3.65 V"), value_of(&f, "protect.chg_ut_start", "-7.5 °C"),
        value_of(&f, "identity.serial_number", "BSN1"), value_of(&f, "switch.buzzer", "false"),
        value_of(&f, "config.full_capacity", "123456 mAh")};
    g_assert_true(board_write_values(f.board, values, G_N_ELEMENTS(values), &error));
    for (gsize i = 0; i < G_N_ELEMENTS(values); i++) {
        g_assert_true(board_read_item(f.board, values[i].item, &found, &error));
        g_assert_cmpint(found.raw, ==, values[i].raw);
        g_assert_cmpstr(found.text, ==, values[i].text);
    }
    tick_sleep_until(&f.far.clock.tick, tick_deadline_ms(&f.far.clock.tick, 100));
    uint8_t none;
    vboard_produce(f.far.board, &none, 0, tick_now(&f.far.clock.tick));
    g_assert_true(vboard_truth_block(f.far.board, 0x01, &truth, &n));
    g_assert_cmpuint(truth[0] << 8 | truth[1], ==, 3650);
    g_assert_cmpint((int16_t)(truth[56] << 8 | truth[57]), ==, -75);
    g_assert_cmpuint(truth[102] << 8 | truth[103], ==,
                     123); /* the other unit of the same storage, truncated */
    tear_down(&f);
}

/* Bytes between two items that are written stay what they were. */
static void test_neighbours(void)
{
    struct fixture f;
    GError *error = NULL;
    const uint8_t *truth;
    size_t n;
    set_up(&f, NULL);
    login(&f);
    const struct item_value values[] = {value_of(&f, "protect.cell_ov_start", "3.65 V"),
                                        value_of(&f, "protect.chg_ut_start", "-7.5 °C")};
    g_assert_true(vboard_truth_block(f.far.board, 0x01, &truth, &n));
    g_autofree uint8_t *before = g_memdup2(truth, n);
    g_assert_true(board_write_values(f.board, values, G_N_ELEMENTS(values), &error));
    tick_sleep_until(&f.far.clock.tick, tick_deadline_ms(&f.far.clock.tick, 100));
    uint8_t none;
    vboard_produce(f.far.board, &none, 0, tick_now(&f.far.clock.tick));
    g_assert_true(vboard_truth_block(f.far.board, 0x01, &truth, &n));
    g_assert_cmpmem(before + 2, 54, truth + 2, 54);
    g_assert_cmpmem(before + 58, n - 58, truth + 58, n - 58);
    tear_down(&f);
}

static void test_clamp(void)
{
    struct fixture f;
    g_autoptr(GError) error = NULL;
    set_up(&f, "clamp-parameter");
    login(&f);
    struct item_value value = value_of(&f, "protect.cell_ov_start", "3.65 V");
    g_assert_false(board_write_item(f.board, &value, NULL, &error));
    g_assert_error(error, PACK_ERROR, ERROR_MISMATCH);
    g_assert_nonnull(strstr(error->message, "3.65 V"));
    g_assert_nonnull(strstr(error->message, "3.6 V"));
    tear_down(&f);
}

static void test_image(void)
{
    struct fixture f;
    struct item_value value;
    GError *error = NULL;
    set_up(&f, NULL);
    struct board_image *image = board_image_read(f.board, &error);
    g_assert_no_error(error);
    for (guint i = 0; i < f.profile->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(f.profile->items, i);
        g_assert_true(board_image_get(image, item, &value));
        /* A virgin board holds what the manual prints; the remaining capacity is printed with two values. */
        if (item->has_preset && !strstr(item->key, "remaining"))
            g_assert_cmpint(value.value, ==, item->preset);
    }
    g_assert_true(board_image_get(image, profile_item_find(f.profile, "identity.serial_number"), &value));
    g_assert_true(value.absent);
    json_t *json = board_image_json(image);
    g_assert_cmpstr(
        json_string_value(json_object_get(json_object_get(json, "items"), "protect.cell_ov_start")), ==,
        "3.7 V");
    json_decref(json);
    board_image_free(image);
    tear_down(&f);
}

static void test_calibrate(void)
{
    struct fixture f;
    g_autoptr(GError) error = NULL;
    set_up(&f, NULL);
    login(&f);
    g_assert_false(board_calibrate(f.board, CALIBRATE_CURRENT_GAIN, 0, 20000, &error)); /* nothing flows */
    g_assert_error(error, PACK_ERROR, ERROR_REFUSED);
    g_clear_error(&error);
    g_assert_cmpint(ABS(vboard_truth_current_error_ma(f.far.board, 30000)), >, 100);
    g_assert_true(board_calibrate(f.board, CALIBRATE_CURRENT_ZERO, 0, 0, &error));
    vboard_bench_current(f.far.board, 20000);
    g_assert_true(board_calibrate(f.board, CALIBRATE_CURRENT_GAIN, 0, 20000, &error));
    g_assert_cmpint(ABS(vboard_truth_current_error_ma(f.far.board, 40000)), <, 60);
    g_assert_cmpint(ABS(vboard_truth_current_error_ma(f.far.board, 0)), <, 20);
    vboard_bench_temperature(f.far.board, 31200);
    g_assert_true(board_calibrate(f.board, CALIBRATE_TEMPERATURE, 2, 31200, &error));
    struct board_telemetry t;
    g_assert_true(board_telemetry(f.board, &t, &error));
    g_assert_cmpint(ABS(t.sensor_mdeg[2] - 31200), <=, 100);
    g_assert_cmpuint(t.cells, ==, 16);
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

static void test_antitheft(void)
{
    struct fixture f;
    g_autoptr(GError) error = NULL;
    struct item_value value;
    struct secret *wrong = secret_from_text("111111"), *code = secret_from_text("654321");
    set_up(&f, NULL);
    login(&f);
    g_assert_false(board_antitheft_off(f.board, wrong, &error));
    g_clear_error(&error);
    g_assert_true(
        board_read_item(f.board, profile_item_find(f.profile, "antitheft.communication"), &value, &error));
    g_assert_cmpint(value.raw, ==, 1);
    /* Silence of more than 48 h locks the pack. */
    tick_sleep_until(&f.far.clock.tick, tick_deadline_ms(&f.far.clock.tick, INT64_C(49) * 3600 * 1000));
    struct board_telemetry t;
    g_assert_true(board_telemetry(f.board, &t, &error));
    g_assert_true(t.antitheft_locked);
    g_assert_false(t.discharge_fet);
    g_assert_true(board_antitheft_off(f.board, code, &error));
    g_assert_true(board_telemetry(f.board, &t, &error));
    g_assert_false(t.antitheft_locked);
    secret_free(wrong);
    secret_free(code);
    tear_down(&f);
}

static bool count_record(void *context, const struct board_record *record, GError **error)
{
    unsigned *last = context;
    (void)error;
    if (*last)
        g_assert_cmpuint(record->id, ==, *last - 1); /* newest first, none left out */
    *last = record->id;
    g_assert_cmpuint(record->cells, ==, 16);
    return true;
}

static void test_history(void)
{
    struct fixture f;
    GError *error = NULL;
    unsigned last = 0;
    set_up(&f, NULL);
    g_assert_true(board_history_read(f.board, count_record, &last, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(last, ==, 1);
    login(&f);
    g_assert_true(board_history_erase(f.board, &error));
    last = 0;
    g_assert_true(board_history_read(f.board, count_record, &last, &error));
    g_assert_cmpuint(last, ==, 0);
    tear_down(&f);
}

static void test_sleep(void)
{
    struct fixture f;
    g_autoptr(GError) error = NULL;
    struct board_identity identity;
    set_up(&f, NULL);
    vboard_bench_current(f.far.board, 5000);
    g_assert_false(board_control(f.board, CONTROL_SLEEP, 0, &error)); /* not while charging */
    g_assert_error(error, PACK_ERROR, ERROR_REFUSED);
    g_clear_error(&error);
    vboard_bench_current(f.far.board, 0);
    g_assert_true(board_control(f.board, CONTROL_SLEEP, 0, &error));
    tick_sleep_until(&f.far.clock.tick, tick_deadline_ms(&f.far.clock.tick, 1000));
    g_assert_false(board_identify(f.board, &identity, &error));
    tear_down(&f);
}

static bool cut_off(void *context, const struct board_record *record, GError **error)
{
    struct fixture *f = context;
    (void)record;
    (void)error;
    vboard_power(f->far.board, false, tick_now(&f->far.clock.tick));
    return true;
}

/* A log that breaks off is an error, never a short log. */
static void test_history_cut(void)
{
    struct fixture f;
    g_autoptr(GError) error = NULL;
    set_up(&f, NULL);
    g_assert_false(board_history_read(f.board, cut_off, &f, &error));
    g_assert_true(error_rule(error)->exit_code == 5);
    tear_down(&f);
}

/* A secret is in no document: neither as a value nor among the bytes of its block. */
static void test_secret_in_image(void)
{
    struct fixture f;
    g_autoptr(GError) error = NULL;
    set_up(&f, NULL);
    struct profile_item *item = (struct profile_item *)profile_item_find(f.profile, "protect.cell_ov_delay");
    item->secret = true; /* 1000 ms: 03E8 */
    struct board_image *image = board_image_read(f.board, &error);
    g_assert_no_error(error);
    json_t *json = board_image_json(image);
    const char *hex = json_string_value(json_object_get(json_object_get(json, "blocks"), "protect"));
    const char *text = json_string_value(json_object_get(json_object_get(json, "items"), item->key));
    g_assert_cmpstr(text, ==, "***");
    g_assert_true(g_str_has_prefix(hex, "0E74****0D34"));
    json_decref(json);
    board_image_free(image);
    tear_down(&f);
}

/* A physical wire refuses our own dialect, whatever decorates it. */
static void test_reference_refused(void)
{
    struct fixture f;
    g_autoptr(GError) error = NULL;
    set_up(&f, NULL);
    g_free(f.far.wire->url);
    f.far.wire->url = g_strdup("serial:/dev/ttyUSB0");
    g_assert_null(board_open(f.profile, f.far.wire, 1, false, &error));
    g_assert_error(error, PACK_ERROR, ERROR_RULE);
    struct board *board = board_open(f.profile, f.far.wire, 1, true, NULL);
    g_assert_nonnull(board);
    board_close(board);
    tear_down(&f);
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
            f.far.wire, &(struct wire_fault_plan){.seed = seed, .corrupt_ppm = 20000, .drop_ppm = 10000});
        f.board->wire = f.far.wire;
        if (board_read_item(f.board, profile_item_find(f.profile, "protect.pack_ov_start"), &value, &error)) {
            g_assert_cmpint(value.value, ==, 58400);
            read++;
        } else {
            g_assert_true(error_rule(error)->exit_code == 5 || error_kind(error) == ERROR_REFUSED);
        }
        tear_down(&f);
    }
    g_assert_cmpuint(read, >, 100);
}

/* Whatever codes a site gives them: what is secret is none of the trace's. */
static void test_masked(void)
{
    struct fixture f;
    GError *error = NULL;
    g_autofree char *folder = g_dir_make_tmp("packline-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "trace", NULL);
    g_autofree char *trace = NULL;
    struct secret *old = secret_from_text("888888"), *wanted = secret_from_text("777777");
    bool sent;
    set_up(&f, NULL);
    board_close(f.board);
    f.far.wire = wire_trace(f.far.wire, path, NULL, NULL, &error);
    g_assert_no_error(error);
    f.board = board_open(f.profile, f.far.wire, 1, false, &error);
    g_assert_true(board_login(f.board, 1, old, &error));
    g_assert_true(board_change_password(f.board, 1, old, wanted, &sent, &error));
    g_assert_false(board_login(f.board, 1, old, &error));
    g_assert_error(error, PACK_ERROR, ERROR_REFUSED);
    g_clear_error(&error);
    g_assert_true(board_login(f.board, 1, wanted, &error));
    for (guint i = 0; i < f.profile->commands->len; i++) {
        struct profile_command *command = g_ptr_array_index(f.profile->commands, i);
        if (strcmp(command->name, "login") == 0)
            command->code = 0x3c; /* the board does not know it */
    }
    g_assert_false(board_login(f.board, 1, wanted, &error));
    g_clear_error(&error);
    tear_down(&f);
    secret_free(old);
    secret_free(wanted);
    g_assert_true(g_file_get_contents(path, &trace, NULL, NULL));
    g_assert_null(strstr(trace, "33 38 33 38")); /* 8 is 38H, sent as two characters */
    g_assert_null(strstr(trace, "33 37 33 37"));
    g_assert_nonnull(strstr(trace, "33 43")); /* the request itself is there */
    g_assert_cmpint(remove(path), ==, 0);
    g_assert_cmpint(remove(folder), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/board/identify", test_identify);
    g_test_add_func("/board/wrong-address", test_wrong_address);
    g_test_add_func("/board/login", test_login);
    g_test_add_func("/board/write-read", test_write_read);
    g_test_add_func("/board/neighbours", test_neighbours);
    g_test_add_func("/board/clamp", test_clamp);
    g_test_add_func("/board/masked", test_masked);
    g_test_add_func("/board/image", test_image);
    g_test_add_func("/board/calibrate", test_calibrate);
    g_test_add_func("/board/clock", test_clock);
    g_test_add_func("/board/antitheft", test_antitheft);
    g_test_add_func("/board/history", test_history);
    g_test_add_func("/board/history-cut", test_history_cut);
    g_test_add_func("/board/secret-in-image", test_secret_in_image);
    g_test_add_func("/board/sleep", test_sleep);
    g_test_add_func("/board/reference-refused", test_reference_refused);
    g_test_add_func("/board/corruption", test_corruption);
    return g_test_run();
}
