/* Whole units through the real plan, engine, steps, board model, loader and store against the virtual board,
 * in one process on a virtual clock: an oracle compares what the record says with what is physically on the
 * board. */
#include "../proto/far.h"
#include "../recipes/line.h"

#include "station/base/secret.h"
#include "station/engine.h"
#include "station/store/store.h"

struct rig {
    struct line line;
    struct far far;
    struct store *store;
    struct desk desk;
    char *folder;
    int64_t run;
    unsigned programs;
    bool answer_yes;
    unsigned asked_reset;      /* how often the operator was told to hold the reset button, and did */
    int64_t reference_percent; /* of the true current; what the reference shows */
    const char *const *defects;
    struct wire_fault_plan fault;
    int jump_step; /* the wall clock jumps when this step begins, once */
    int64_t jump_us;
};

#define FLASH_STEP 2
#define CLOCK_STEP 13

static bool rig_gate(void *context, const struct event *intent, GError **error)
{
    return store_gate(((struct rig *)context)->store, intent, error);
}

static bool rig_post(void *context, const struct event *event, GError **error)
{
    struct rig *rig = context;
    if (event->type == EVENT_STEP_BEGIN && event->step == rig->jump_step) {
        rig->far.clock.wall_minus_now += rig->jump_us;
        rig->jump_us = 0;
    }
    rig->programs += event->type == EVENT_PROGRESS && strcmp(event->phase, "program") == 0;
    return event->type == EVENT_PROGRESS || store_post(rig->store, event, error);
}

static bool rig_claim(void *context, int64_t run, enum desk_claim claim, const char *uid, const char *sn,
                      GError **error)
{
    return store_claim(((struct rig *)context)->store, run, claim, uid, sn, error);
}

static bool rig_ask(void *context, const struct desk_ask *ask, struct desk_answer *answer, GError **error)
{
    struct rig *rig = context;
    (void)error;
    answer->yes = rig->answer_yes;
    if (rig->answer_yes && strstr(ask->text, "reset (RTS) button for 10 s")) {
        rig->asked_reset++;
        tick_sleep_until(&rig->far.clock.tick,
                         tick_now(&rig->far.clock.tick) +
                             TICK_S(40)); /* longer than the step may take without a person */
        vboard_reset_button(rig->far.board, true, tick_now(&rig->far.clock.tick) - TICK_S(10));
        vboard_reset_button(rig->far.board, false, tick_now(&rig->far.clock.tick));
    }
    return true;
}

/* The bench of the same virtual board, handed in as an instrument. */
struct rig_bench {
    struct bench bench;
    struct rig *rig;
};

static struct rig *rig_of(struct bench *bench)
{
    return ((struct rig_bench *)bench)->rig;
}

static bool set_current(struct bench *bench, int64_t ma, GError **error)
{
    (void)error;
    vboard_bench_current(rig_of(bench)->far.board, ma);
    return true;
}

static int64_t last_current(struct rig *rig)
{
    g_autofree char *text =
        vboard_bench_command(rig->far.board, "MEAS:CURR?", tick_now(&rig->far.clock.tick));
    return (int64_t)(g_ascii_strtod(text, NULL) * 1000);
}

static bool read_current(struct bench *bench, int64_t *ma, GError **error)
{
    (void)error;
    *ma = last_current(rig_of(bench)) * rig_of(bench)->reference_percent / 100;
    return true;
}

static bool set_temperature(struct bench *bench, int64_t mdeg, GError **error)
{
    (void)error;
    vboard_bench_temperature(rig_of(bench)->far.board, mdeg);
    return true;
}

static bool read_temperature(struct bench *bench, int64_t *mdeg, GError **error)
{
    (void)error;
    g_autofree char *text = vboard_bench_command(rig_of(bench)->far.board, "MEAS:TEMP?",
                                                 tick_now(&rig_of(bench)->far.clock.tick));
    *mdeg = (int64_t)(g_ascii_strtod(text, NULL) * 1000);
    return true;
}

static bool power(struct bench *bench, bool on, GError **error)
{
    (void)error;
    vboard_power(rig_of(bench)->far.board, on, tick_now(&rig_of(bench)->far.clock.tick));
    return true;
}

static const struct bench_kind rig_bench_kind = {.name = "rig",
                                                 .set_current = set_current,
                                                 .read_current = read_current,
                                                 .set_temperature = set_temperature,
                                                 .read_temperature = read_temperature,
                                                 .power = power};

static struct bench *open_bench(void *context, GError **error)
{
    struct rig_bench *bench = g_new0(struct rig_bench, 1);
    (void)error;
    bench->rig = context;
    bench->bench.kind = &rig_bench_kind;
    bench->bench.tick = &bench->rig->far.clock.tick;
    bench->bench.due_us = INT64_C(4102358400000000);
    g_strlcpy(bench->bench.identity, "RIG", sizeof bench->bench.identity);
    return &bench->bench;
}

/* The engine closes its wire; the far side stays for the next run. */
static struct wire *connect_far(void *context, const struct wire_line *line, GError **error)
{
    struct rig *rig = context;
    const struct wire_options options = {*line, &rig->far.clock.tick, NULL};
    const struct wire_far_side side = {&rig->far, far_accept, far_produce, far_next, far_signal, NULL};
    (void)error;
    struct wire *wire = wire_loop_open(&side, &options);
    return rig->fault.seed ? wire_fault(wire, &rig->fault) : wire;
}

static const struct secret *secret_of(void *context, const char *name)
{
    static const char *const texts[] = {"888888", "654321"};
    struct rig *rig = context;
    static struct secret *kept[2];
    int i = strcmp(name, "basen-antitheft") == 0;
    (void)rig;
    if (!kept[i])
        kept[i] = secret_from_text(texts[i]);
    return kept[i];
}

static void rig_make(struct rig *rig, const char *const *defects, uint64_t unit_seed)
{
    const struct vboard_options options = {
        .family = "basen", .address = 1, .unit_seed = unit_seed, .defects = defects};
    GError *error = NULL;
    memset(rig, 0, sizeof *rig);
    rig->answer_yes = true;
    rig->reference_percent = 100;
    rig->desk = (struct desk){rig, rig_gate, rig_post, rig_claim, rig_ask};
    tick_virtual_init(&rig->far.clock, INT64_C(1795000000000000));
    rig->far.board = vboard_new(&options, tick_now(&rig->far.clock.tick), &error);
    g_assert_no_error(error);
    line_make(&rig->line);
    rig->folder = line_path(&rig->line, "store");
    rig->store = store_open(rig->folder, "rig", &rig->far.clock.tick, &error);
    g_assert_no_error(error);
}

static void rig_clear(struct rig *rig)
{
    vboard_free(rig->far.board);
    store_close(rig->store);
    line_clear(&rig->line);
    g_free(rig->folder);
}

/* A board that is put into the slot in place of the one there. */
static void swap_board(struct rig *rig, const char *const *defects, uint64_t unit_seed)
{
    const struct vboard_options options = {
        .family = "basen", .address = 1, .unit_seed = unit_seed, .defects = defects};
    vboard_free(rig->far.board);
    rig->far.board = vboard_new(&options, tick_now(&rig->far.clock.tick), NULL);
}

static void run_unit(struct rig *rig, const char *sn, struct engine_result *result)
{
    GError *error = NULL;
    struct plan *plan = line_plan(&rig->line, true, sn, &error);
    struct event begin = {.type = EVENT_RUN_BEGIN, .step = -1};
    const struct engine_slot slot = {.name = "A",
                                     .address = 1,
                                     .tick = &rig->far.clock.tick,
                                     .context = rig,
                                     .connect = connect_far,
                                     .open_bench = open_bench,
                                     .secret = secret_of};
    g_assert_no_error(error);
    engine_describe(plan, &begin.begin);
    begin.begin.station = "rig";
    begin.begin.slot = "A";
    begin.now_us = tick_now(&rig->far.clock.tick);
    begin.wall_us = tick_wall(&rig->far.clock.tick);
    g_assert_true(store_run_begin(rig->store, &begin, &rig->run, &error));
    engine_run(plan, &slot, &rig->desk, rig->run, result);
    g_assert_true(result->recorded);
    plan_free(plan);
}

static void no_violation(void *context, const char *id, const char *promise, bool ok, const char *finding)
{
    (void)context;
    if (!ok)
        g_error("%s %s: %s", id, promise, finding);
}

/* Physical truth against the record. */
static void check_truth(struct rig *rig, const char *sn, const struct engine_result *result)
{
    GError *error = NULL;
    const uint8_t *bytes;
    uint32_t address;
    size_t n;
    g_assert_cmpint(store_audit(rig->store, true, no_violation, NULL, &error), ==, 0);
    json_t *row = store_run_json(rig->store, rig->run, &error);
    g_assert_cmpstr(json_string_value(json_object_get(row, "verdict")), ==,
                    event_verdict_name(result->verdict));
    json_decref(row);
    g_assert_cmpint(last_current(rig), ==, 0); /* whatever happened, no current flows */
    if (result->verdict != VERDICT_PASS)
        return;
    g_autofree char *image = NULL, *path = line_path(&rig->line, "image.bin");
    gsize image_n;
    g_assert_true(g_file_get_contents(path, &image, &image_n, NULL));
    g_assert_cmpmem(vboard_truth_flash(rig->far.board, &address, &n), image_n, image, image_n);
    g_assert_true(vboard_truth_running(rig->far.board));
    g_assert_true(vboard_truth_block(rig->far.board, 0x10, &bytes, &n));
    g_assert_cmpmem(bytes, strlen(sn), sn, strlen(sn));
    g_assert_true(vboard_truth_block(rig->far.board, 0x01, &bytes, &n));
    g_assert_cmpuint(bytes[0] << 8 | bytes[1], ==, 3650);
    g_assert_true(vboard_truth_block(rig->far.board, 0x05, &bytes, &n));
    g_assert_cmpuint(bytes[0], ==, 0);
    g_assert_cmpint(ABS(vboard_truth_current_error_ma(rig->far.board, 20000)), <, 200);
    g_assert_cmpint(ABS(vboard_truth_current_error_ma(rig->far.board, 40000)), <, 200);
}

static void test_pass(void)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct rig rig;
        struct engine_result result;
        rig_make(&rig, NULL, seed);
        run_unit(&rig, "BSN00000001", &result);
        if (result.verdict != VERDICT_PASS)
            g_error("step %d: %s", result.failed_step, result.text);
        g_assert_cmpint(result.exit_code, ==, 0);
        check_truth(&rig, "BSN00000001", &result);
        engine_result_clear(&result);
        rig_clear(&rig);
    }
}

static void test_defects(void)
{
    static const struct {
        const char *defect;
        int exit_code;
        const char *says;
        bool erased;
    } cases[] = {{"ack-no-write", 6, "CRC", true},
                 {"stuck-bit", 6, "CRC", true},
                 {"clamp-parameter", 6, "3.6 V", true},
                 {"lose-parameter", 6, "3.7 V", true},
                 {"ack-param-no-write", 6, "reads", true},
                 {"wrong-hardware", 7, "HY-PT009", false},
                 {"wrong-product", 7, "B300HT60", false},
                 {"wrong-mcu", 7, "0x0419", false},
                 {"wrong-password", 1, "no permission", false},
                 {"uid-after-reset", 7, "swapped", true},
                 {"swapped-while-flashing", 7, "swapped", true},
                 {"silent", 4, "no board answers", false},
                 {"silent-after-flash", 5, "did not start", true},
                 {"no-zero", 1, "zero error", true},
                 {"noisy-current", 1, "spread", true},
                 {"bent-current", 1, "second point", true},
                 {"rtc-stuck", 1, "clock error", true},
                 {"antitheft-stuck", 6, "antitheft", true},
                 {"foreign-sn", 7, "OTHER-SN-1", false}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *const defects[] = {cases[i].defect, NULL};
        struct rig rig;
        struct engine_result result;
        rig_make(&rig, defects, 3);
        run_unit(&rig, "BSN00000001", &result);
        if (result.exit_code != cases[i].exit_code || !strstr(result.text, cases[i].says))
            g_error("%s: exit %d, %s", cases[i].defect, result.exit_code, result.text);
        g_assert_cmpint(result.verdict, !=, VERDICT_PASS);
        g_assert_nonnull(result.advice);
        g_assert_cmpint(rig.programs > 0, ==, cases[i].erased);
        /* Seen in the bootloader, before what is on the wrong board is started. */
        if (strcmp(cases[i].defect, "swapped-while-flashing") == 0)
            g_assert_false(vboard_truth_running(rig.far.board));
        check_truth(&rig, "BSN00000001", &result);
        engine_result_clear(&result);
        rig_clear(&rig);
    }
}

static void test_recoverable(void)
{
    static const char *const cases[] = {"no-crc", "blank-flash", "half-flashed", "hung"};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *const defects[] = {cases[i], NULL};
        struct rig rig;
        struct engine_result result;
        rig_make(&rig, defects, 4);
        const bool hung = strcmp(cases[i], "hung") == 0;
        if (i > 0) { /* nobody vouches for the marking, or resets the board: nothing written */
            rig.answer_yes = false;
            run_unit(&rig, "BSN00000001", &result);
            g_assert_cmpint(result.exit_code, ==, hung ? 4 : 7);
            g_assert_cmpuint(rig.programs, ==, 0);
            engine_result_clear(&result);
            rig.answer_yes = true;
        }
        run_unit(&rig, "BSN00000001", &result);
        if (result.verdict != VERDICT_PASS)
            g_error("%s: %s", cases[i], result.text);
        g_assert_cmpuint(rig.asked_reset, ==, hung);
        check_truth(&rig, "BSN00000001", &result);
        engine_result_clear(&result);
        rig_clear(&rig);
    }
}

/* A number shows only once an application runs again: it is looked at before it would be written over. */
static void test_number_behind_blank(void)
{
    const char *const defects[] = {"blank-flash", "foreign-sn", NULL};
    struct rig rig;
    struct engine_result result;
    rig_make(&rig, defects, 4);
    run_unit(&rig, "BSN00000001", &result);
    g_assert_cmpint(result.exit_code, ==, 7);
    if (!strstr(result.text, "already carries serial number 'OTHER-SN-1'"))
        g_error("step %d: %s", result.failed_step, result.text);
    check_truth(&rig, "BSN00000001", &result);
    engine_result_clear(&result);
    rig_clear(&rig);
}

/* Unplugged after so many bytes, everywhere in the unit; the same board then passes with its own number. */
static void test_unplugged(void)
{
    unsigned failed = 0;
    for (uint64_t cut = 50; cut < 40000; cut += 1777) {
        struct rig rig;
        struct engine_result result;
        rig_make(&rig, NULL, 5);
        rig.fault = (struct wire_fault_plan){.seed = 1, .cut_after_bytes = cut};
        run_unit(&rig, "BSN00000001", &result);
        check_truth(&rig, "BSN00000001", &result);
        if (result.verdict != VERDICT_PASS) {
            failed++;
            g_assert_cmpint(result.exit_code, ==, 5);
            engine_result_clear(&result);
            rig.fault.seed = 0;
            power(&(struct rig_bench){.rig = &rig}.bench, false, NULL);
            power(&(struct rig_bench){.rig = &rig}.bench, true, NULL);
            run_unit(&rig, "BSN00000001", &result);
            if (result.verdict != VERDICT_PASS)
                g_error("after a cut at %u: %s", (unsigned)cut, result.text);
            check_truth(&rig, "BSN00000001", &result);
        }
        engine_result_clear(&result);
        rig_clear(&rig);
    }
    g_assert_cmpuint(failed, >, 10);
}

/* A disturbed line: never a PASS with a wrong byte or value on the board. */
static void test_disturbed(void)
{
    unsigned passed = 0;
    for (uint64_t seed = 1; seed <= 24; seed++) {
        struct rig rig;
        struct engine_result result;
        rig_make(&rig, NULL, seed);
        rig.fault =
            (struct wire_fault_plan){.seed = seed, .corrupt_ppm = seed % 4 * 100, .drop_ppm = seed % 3 * 100};
        run_unit(&rig, "BSN00000001", &result);
        check_truth(&rig, "BSN00000001", &result);
        passed += result.verdict == VERDICT_PASS;
        engine_result_clear(&result);
        rig_clear(&rig);
    }
    g_test_message("%u of 24 passed", passed);
    g_assert_cmpuint(passed, >, 0);
}

/* The wall clock of the station says when, never how long: a jump ends a unit at the clock step only. */
static void test_clock_jump(void)
{
    static const struct {
        int step;
        int64_t seconds;
        const char *text; /* NULL = it passes */
    } cases[] = {{0, 86400, "clock was moved"},          {FLASH_STEP, -86400, "clock was moved"},
                 {FLASH_STEP, 86400, "clock was moved"}, {CLOCK_STEP, 60, "clock was moved"},
                 {CLOCK_STEP + 1, 86400, NULL},          {CLOCK_STEP + 2, -86400, NULL}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct rig rig;
        struct engine_result result;
        rig_make(&rig, NULL, 3);
        rig.jump_step = cases[i].step;
        rig.jump_us = TICK_S(cases[i].seconds);
        run_unit(&rig, "BSN00000001", &result);
        g_assert_cmpint(result.verdict == VERDICT_PASS, ==, !cases[i].text);
        if (cases[i].text && (result.failed_step != CLOCK_STEP || !strstr(result.text, cases[i].text)))
            g_error("step %d: %s", result.failed_step, result.text);
        check_truth(&rig, "BSN00000001", &result);
        engine_result_clear(&result);
        rig_clear(&rig);
    }
}

/* A step's own time ends it, though the board goes on answering. */
static void test_step_timeout(void)
{
    struct rig rig;
    struct engine_result result;
    rig_make(&rig, NULL, 3);
    line_edit(&rig.line, "recipes/basen-100ah-16s.yaml", "- do: flash", "- do: flash\n    timeout: 300 ms");
    line_release(&rig.line);
    run_unit(&rig, "BSN00000001", &result);
    g_assert_cmpint(result.verdict, ==, VERDICT_FAIL);
    g_assert_cmpint(result.failed_step, ==, FLASH_STEP);
    g_assert_cmpint(result.exit_code, ==, 5);
    check_truth(&rig, "BSN00000001", &result);
    engine_result_clear(&result);
    rig_clear(&rig);
}

/* A recipe that names a sensor behind the last one is told so; the ambient sensor does not stand in for it.
 */
static void test_sensor_not_there(void)
{
    static const char recipe[] = "recipes/basen-100ah-16s.yaml";
    struct rig rig;
    struct engine_result result;
    rig_make(&rig, NULL, 3);
    line_edit(&rig.line, recipe, "sensors: [0, 1, 2, 3, 4, 5]", "sensors: [5, 6]");
    line_release(&rig.line);
    run_unit(&rig, "BSN00000001", &result);
    if (!strstr(result.text, "sensor 6 is not there") || !strstr(result.text, "ambient 5 is the last"))
        g_error("step %d: %s", result.failed_step, result.text);
    g_assert_cmpint(result.exit_code, ==, 3);
    check_truth(&rig, "BSN00000001", &result);
    engine_result_clear(&result);
    rig_clear(&rig);
}

/* No gain is made from a reference that shows nothing, or far from what the source was set to. */
static void test_reference_far_off(void)
{
    static const struct {
        int64_t percent;
        const char *says;
    } cases[] = {{0, "no current flows: the reference shows 0 A, expected 18 A to 22 A"},
                 {89, "the source was set to 20 A but the reference shows 17.8 A, expected 18 A to 22 A"},
                 {-100, "the reference shows -20 A, expected 18 A to 22 A"}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct rig rig;
        struct engine_result result;
        rig_make(&rig, NULL, 3);
        rig.reference_percent = cases[i].percent;
        run_unit(&rig, "BSN00000001", &result);
        if (!strstr(result.text, cases[i].says))
            g_error("step %d: %s", result.failed_step, result.text);
        g_assert_cmpint(result.exit_code, ==, 8);
        check_truth(&rig, "BSN00000001", &result);
        engine_result_clear(&result);
        rig_clear(&rig);
    }
}

/* What wants time is neither good nor bad; what is bad beside it is bad. */
static void test_hold(void)
{
    static const char recipe[] = "recipes/basen-100ah-16s.yaml";
    for (int bad = 0; bad < 2; bad++) {
        struct rig rig;
        struct engine_result result;
        rig_make(&rig, NULL, 3);
        line_edit(&rig.line, recipe, "{read: cell_delta, max: 30 mV}",
                  "{read: cell_delta, max: 1 mV, beyond: hold, advice: charge it for a day}");
        if (bad)
            line_edit(&rig.line, recipe, "{read: pack_voltage, min: 48 V, max: 56 V}",
                      "{read: pack_voltage, min: 48 V, max: 49 V}");
        line_release(&rig.line);
        run_unit(&rig, "BSN00000001", &result);
        g_assert_cmpint(result.verdict, ==, bad ? VERDICT_FAIL : VERDICT_INTERRUPTED);
        g_assert_true(bad || strstr(result.text, "charge it for a day"));
        check_truth(&rig, "BSN00000001", &result);
        engine_result_clear(&result);
        rig_clear(&rig);
    }
}

static void test_one_number_one_board(void)
{
    struct rig rig;
    struct engine_result result;
    rig_make(&rig, NULL, 6);
    run_unit(&rig, "BSN00000001", &result);
    g_assert_cmpint(result.verdict, ==, VERDICT_PASS);
    engine_result_clear(&result);
    run_unit(&rig, "BSN00000002", &result); /* the board that passed */
    g_assert_cmpint(result.exit_code, ==, 7);
    engine_result_clear(&result);
    swap_board(&rig, NULL, 7);
    run_unit(&rig, "BSN00000001", &result); /* the number that passed */
    g_assert_cmpint(result.exit_code, ==, 7);
    engine_result_clear(&result);
    run_unit(&rig, "BSN00000002", &result);
    g_assert_cmpint(result.verdict, ==, VERDICT_PASS);
    check_truth(&rig, "BSN00000002", &result);
    engine_result_clear(&result);
    rig_clear(&rig);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/engine/pass", test_pass);
    g_test_add_func("/engine/defects", test_defects);
    g_test_add_func("/engine/recoverable", test_recoverable);
    g_test_add_func("/engine/number-behind-blank", test_number_behind_blank);
    g_test_add_func("/engine/unplugged", test_unplugged);
    g_test_add_func("/engine/disturbed", test_disturbed);
    g_test_add_func("/engine/clock-jump", test_clock_jump);
    g_test_add_func("/engine/step-timeout", test_step_timeout);
    g_test_add_func("/engine/sensor-not-there", test_sensor_not_there);
    g_test_add_func("/engine/reference-far-off", test_reference_far_off);
    g_test_add_func("/engine/hold", test_hold);
    g_test_add_func("/engine/one-number-one-board", test_one_number_one_board);
    return g_test_run();
}
