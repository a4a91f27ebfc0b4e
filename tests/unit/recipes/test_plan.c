/* What a plan takes and what it refuses, each with its place and its reason. */
#include "line.h"

#include "recipes/plan.h"

static void test_tables(void)
{
    static const struct bind_schema *const tables[] = {&recipe_schema, &release_schema};
    for (gsize i = 0; i < G_N_ELEMENTS(tables); i++) {
        GError *error = NULL;
        g_assert_true(bind_schema_check(tables[i], &error));
        g_assert_no_error(error);
    }
}

static void test_shipped(void)
{
    struct line line;
    GError *error = NULL;
    line_make(&line);
    struct plan *plan = line_plan(&line, true, "BSN00000042", &error);
    g_assert_no_error(error);
    struct plan *again = line_plan(&line, true, "BSN00000042", &error);
    struct plan *other = line_plan(&line, true, "BSN00000043", &error);
    g_assert_true(plan->production);
    g_assert_cmpstr(plan->sn, ==, "BSN00000042");
    g_assert_cmpstr(plan->sha256, ==, again->sha256);
    g_assert_cmpstr(plan->sha256, !=, other->sha256);
    unsigned protect = 0;
    for (unsigned i = 0; i < plan->step_count; i++)
        for (unsigned k = 0; k < plan->steps[i].value_count; k++)
            protect += g_str_has_prefix(plan->steps[i].values[k].item->key, "protect.");
    g_assert_cmpuint(protect, ==, 53); /* every row of the manual's table is written */
    plan_free(plan);
    plan_free(again);
    plan_free(other);
    struct plan *trial = line_plan(&line, false, "BSN00000042", &error);
    g_assert_no_error(error);
    g_assert_false(trial->production);
    plan_free(trial);
    line_clear(&line);
}

/* One change of the recipe or profile, one sentence. */
static void test_refused(void)
{
    static const char recipe[] = "recipes/basen-100ah-16s.yaml", profile[] = "recipes/boards/basen-lt55.yaml";
    static const struct {
        const char *file, *from, *to;
        int kind;
        const char *says;
    } cases[] = {
        {recipe, "protect.cell_ov_start: 3.65 V", "protect.cell_ov_start: 6.5 V", ERROR_AUTHOR,
         "outside the range"},
        {recipe, "protect.cell_ov_start: 3.65 V", "protect.cell_ov_start: 3650", ERROR_AUTHOR, "3650"},
        {recipe, "protect.cell_ov_start: 3.65 V", "protect.cell_ov_strat: 3.65 V", ERROR_AUTHOR,
         "protect.cell_ov_start"},
        {recipe, "protect.cell_ov_stop: 3.38 V", "protect.cell_ov_stop: 3.7 V", ERROR_AUTHOR, "is not above"},
        {recipe, "protect.pack_ov_start: 58.4 V", "protect.pack_ov_start: 60 V", ERROR_AUTHOR, "cells"},
        {recipe, "alarm.chg_ot_stop: 55 °C", "alarm.cell_ov_stop: 3.4 V", ERROR_AUTHOR,
         "charge overtemperature alarm"},
        {recipe, "full: 100 Ah", "full: 90 Ah", ERROR_AUTHOR, "nominal"},
        {recipe, "count: 16", "count: 15", ERROR_AUTHOR, "cells"},
        {recipe, "count: 16", "count: 17", ERROR_AUTHOR, "range"},
        {recipe, "\"{sn}\"", "\"{serial}\"", ERROR_AUTHOR, "{serial}"},
        {recipe, "identity.product_id: BG", "antitheft.gyro: true\n      identity.product_id: BG",
         ERROR_AUTHOR, "engineers"},
        {recipe, "identity.product_id: BG", "config.parameter_version: 3\n      identity.product_id: BG",
         ERROR_AUTHOR, "read-only"},
        {recipe, "  - do: verify\n", "", ERROR_AUTHOR, "not read again"},
        {recipe, "  - do: verify\n", "  - do: sleep\n  - do: verify\n", ERROR_AUTHOR,
         "the board sleeps while steps still need it"},
        {recipe, "  - do: identify\n    retries: 2\n", "", ERROR_AUTHOR, "first step"},
        {recipe,
         "  - do: calibrate_zero\n    samples: 8\n    spread: 100 mA\n    tolerance: 50 mA\n    "
         "correction_max: 2 A\n",
         "", ERROR_AUTHOR, "before the zero"},
        {recipe, "  - do: antitheft_off\n    secret: basen-antitheft\n", "", ERROR_AUTHOR, "anti-theft"},
        {recipe, "    how: command\n    login: basen-admin\n", "    how: command\n", ERROR_AUTHOR,
         "administrator login"},
        {recipe, "{read: cell_min, min: 2.9 V}", "{read: cell_mim, min: 2.9 V}", ERROR_AUTHOR, "cell_mim"},
        {recipe, "{read: cell_min, min: 2.9 V}", "{read: cell_min}", ERROR_AUTHOR, "tests nothing"},
        {recipe, "{read: cell_min, min: 2.9 V}", "{read: cell_min, min: 2.9 A}", ERROR_AUTHOR, "voltage"},
        {recipe, "{read: cell_max, max: 3.55 V}", "{read: cell_max, max: 35.5 V}", ERROR_AUTHOR,
         "cell_max can never be 35.5 V, expected 0 V to 6 V"},
        {recipe, "{read: charge_fet, min: 1}", "{read: charge_fet, min: 2}", ERROR_AUTHOR, "expected 0 to 1"},
        {recipe, "    current: 20 A", "    current: 0 A", ERROR_AUTHOR,
         "current: 0 A is out of range, expected 10 A to 50 A"},
        {recipe, "    current: 20 A", "    current: 9.999 A", ERROR_AUTHOR, "(write 10 A or more)"},
        {recipe, "    current: 20 A", "    current: 50.001 A", ERROR_AUTHOR, "(write 50 A or less)"},
        {recipe, "    current: 20 A", "    current: -20 A", ERROR_AUTHOR, "expected 10 A to 50 A"},
        {recipe, "    current: 20 A", "    current: 200 mA", ERROR_AUTHOR, "expected 10 A to 50 A"},
        {recipe, "verify_current: 40 A", "verify_current: 0 A", ERROR_AUTHOR, "near 0 A"},
        {recipe, "verify_current: 40 A", "verify_current: 20 A", ERROR_AUTHOR,
         "the calibration itself, expected a second one"},
        {recipe, "verify_current: 40 A", "verify_current: 60 A", ERROR_AUTHOR, "expected -50 A to 50 A"},
        {recipe, "spread: 150 mA", "spread: 150 A", ERROR_AUTHOR, "expected 1 mA to 2 A"},
        {recipe, "tolerance: 150 mA", "tolerance: -150 mA", ERROR_AUTHOR, "expected 1 mA to 2 A"},
        {recipe, "correction_max: 2 A", "correction_max: 2000 A", ERROR_AUTHOR, "expected 1 mA to 10 A"},
        {recipe, "correction_max: 2 A", "correction_max: 20 mA", ERROR_AUTHOR, "is below tolerance"},
        {recipe, "    samples: 8\n    spread: 100 mA", "    samples: 1\n    spread: 100 mA", ERROR_AUTHOR,
         "expected 2 to 64"},
        {recipe, "spread: 0.5 K", "spread: 50 K", ERROR_AUTHOR, "expected 0.001 K to 5 K"},
        {recipe, "tolerance: 0.3 K", "tolerance: 300 K", ERROR_AUTHOR, "expected 0.001 K to 5 K"},
        {recipe, "correction_max: 4 K", "correction_max: 400 K", ERROR_AUTHOR, "expected 0.001 K to 20 K"},
        {recipe, "correction_max: 4 K", "correction_max: 0.2 K", ERROR_AUTHOR, "is below tolerance"},
        {recipe, "verify_step: 5 K", "verify_step: 0 K", ERROR_AUTHOR, "expected 1 K to 40 K"},
        {recipe, "verify_step: 5 K", "verify_step: -5 K", ERROR_AUTHOR, "expected 1 K to 40 K"},
        {recipe, "sensors: [0, 1, 2, 3, 4, 5]", "sensors: [0, 35]", ERROR_AUTHOR, "expected 0 to 34"},
        {recipe, "sensors: [0, 1, 2, 3, 4, 5]", "sensors: [0, 4294967296]", ERROR_AUTHOR, "expected 0 to 34"},
        {recipe, "sensors: [0, 1, 2, 3, 4, 5]", "sensors: [0, 1, 0]", ERROR_AUTHOR, "named twice"},
        {recipe, "pattern: (?P<sn>BSN[0-9]{8})", "pattern: (?P<sn>BSN[0-9]{8}", ERROR_AUTHOR,
         "regular expression"},
        {recipe, "package: ../packages/b200lt55-1.0.4", "package: ../packages/none", ERROR_AUTHOR, "none"},
        {profile, "product: B200LT55", "product: B200LT56", ERROR_AUTHOR, "B200LT56"},
        {profile, "flash_size: 0x20000", "flash_size: 0x800", ERROR_AUTHOR, "flash"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct line line;
        g_autoptr(GError) error = NULL;
        line_make(&line);
        line_edit(&line, cases[i].file, cases[i].from, cases[i].to);
        struct plan *plan = line_plan(&line, false, "BSN00000042", &error);
        if (plan || (int)error_kind(error) != cases[i].kind || !strstr(error->message, cases[i].says))
            g_error("'%s' gives: %s", cases[i].to, error ? error->message : "a plan");
        line_clear(&line);
    }
}

/* A recipe without firmware, of a board without printed values: what it writes must hold together by itself.
 */
static void test_without_firmware(void)
{
    static const char recipe[] = "recipes/clever-100ah-16s.yaml",
                      profile[] = "recipes/boards/clever-176x33.yaml";
    static const struct {
        const char *from, *to, *says;
    } cases[] = {
        {"", "", NULL},
        {"parameter.shunt: 100 A", "parameter.shunt: 70 A", "short-circuit protection"},
        {"other.scp: 150 mV", "other.scp: 15 V", "outside the range"},
        {"other.balance_mode: 2", "other.balance_mode: 4", "takes only 0, 1, 2, 3"},
        {"other.can_protocol: 0", "other.can_protocol: 10", "takes only"},
        {"other.can_protocol: 0", "other.restore_defaults: 1", "engineers"},
        {"protect.chg_oc: 110 A", "protect.chg_oc: 15 A", "above"},
        {"count: 16", "count: 15", "must not be above"},
        {"count: 16", "count: 177", "expected 1 to 176"},
        {"      protect.pack_ov: 58.4 V\n", "", "'protect.pack_ov' is not written anew"},
        {"protect.cell_ov: 3650 mV", "protect.cell_ov: 4200 mV", "LFP"},
        {"full: 100 Ah", "full: 90 Ah", "falsifies the state of charge"},
        {"product.remarks: 16S 100 Ah", "product.remarks: 1234567890123456789012345678901", "31 bytes"},
        {"product.remarks: 16S 100 Ah", "product.remarks: Stückprüfung", "ASCII"},
        {"  - do: defaults\n", "", NULL},
        {"  - do: cells\n", "  - do: defaults\n  - do: cells\n", "would take back"},
        {"  - do: clock\n", "  - do: sleep\n  - do: clock\n", "steps still need it"},
        {"  - do: sleep\n  - do: label", "  - do: label\n  - do: sleep", "last step"},
        {"    level: administrator\n", "    level: operator\n", "administrator login"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct line line;
        g_autoptr(GError) error = NULL;
        line_make(&line);
        line_copy(&line, recipe);
        line_copy(&line, profile);
        if (cases[i].from[0])
            line_edit(&line, recipe, cases[i].from, cases[i].to);
        struct plan *plan = line_trial(&line, recipe, "BSN00000042", &error);
        if (!plan != !!cases[i].says ||
            (!plan && (error_kind(error) != ERROR_AUTHOR || !strstr(error->message, cases[i].says))))
            g_error("'%s' gives: %s", cases[i].to, error ? error->message : "a plan");
        plan_free(plan);
        line_clear(&line);
    }
}

/* Firmware for a board whose maker tells nobody how: the recipe is refused with what is known of it. */
static void test_no_firmware(void)
{
    static const struct {
        const char *recipe, *profile, *scan, *says;
    } cases[] = {
        {"recipes/rockets-smart.yaml", "recipes/boards/rockets-smart.yaml", "RS0000000042",
         "prints no procedure"},
        {"recipes/mainx.yaml", "recipes/boards/mainx-reference.yaml", "BSN00000042", "own Updater"},
        {"recipes/seplos3-16s-330ah.yaml", "recipes/boards/seplos3.yaml", "BSN00000042",
         "not the transfer behind it"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct line line;
        g_autoptr(GError) error = NULL;
        line_make(&line);
        line_copy(&line, cases[i].recipe);
        line_copy(&line, cases[i].profile);
        line_edit(&line, cases[i].recipe, "\nlayout:", "\npackage: ../packages/b200lt55-1.0.4\nlayout:");
        line_edit(&line, cases[i].recipe, "    retries: 2\n", "    retries: 2\n  - do: flash\n");
        g_assert_null(line_trial(&line, cases[i].recipe, cases[i].scan, &error));
        g_assert_error(error, PACK_ERROR, ERROR_AUTHOR);
        if (!strstr(error->message, cases[i].says) || !strstr(error->message, "no way to load firmware"))
            g_error("%s gives: %s", cases[i].recipe, error->message);
        line_clear(&line);
    }
}

static void test_waiver(void)
{
    struct line line;
    g_autoptr(GError) error = NULL;
    line_make(&line);
    line_edit(&line, "recipes/basen-100ah-16s.yaml", "full: 100 Ah", "full: 90 Ah");
    line_edit(&line, "recipes/basen-100ah-16s.yaml",
              "\nsteps:", "\nwaivers:\n  - {rule: capacity, reason: derated second-life cells}\nsteps:");
    struct plan *plan = line_plan(&line, false, "BSN00000042", &error);
    g_assert_no_error(error);
    g_assert_cmpuint(plan->warnings->len, ==, 1);
    g_assert_nonnull(strstr(g_ptr_array_index(plan->warnings, 0), "derated second-life cells"));
    plan_free(plan);
    line_edit(&line, "recipes/basen-100ah-16s.yaml", "rule: capacity,", "rule: cell-ov-release,");
    g_assert_null(line_plan(&line, false, "BSN00000042", &error));
    g_assert_nonnull(strstr(error->message, "cannot be waived"));
    line_clear(&line);
}

/* Every file of a released set is pinned. */
static void test_release(void)
{
    static const char *const files[] = {"recipes/basen-100ah-16s.yaml", "recipes/boards/basen-lt55.yaml",
                                        "labels/board-60x40.yaml", "packages/b200lt55-1.0.4/manifest.yaml",
                                        "recipes/release.yaml"};
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
        struct line line;
        g_autoptr(GError) error = NULL;
        g_autofree char *text = NULL, *path = NULL;
        line_make(&line);
        path = line_path(&line, files[i]);
        g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
        g_autofree char *changed = g_strconcat(text, "# one more line\n", NULL);
        g_assert_true(g_file_set_contents(path, changed, -1, NULL));
        g_assert_null(line_plan(&line, true, "BSN00000042", &error));
        g_assert_error(error, PACK_ERROR, ERROR_TRUST);
        line_clear(&line);
    }
}

static bool newest(void *context, const char *product, int64_t *sequence, GError **error)
{
    (void)error;
    g_assert_cmpstr(product, ==, "B200LT55");
    *sequence = *(const int64_t *)context;
    return true;
}

static void test_package_time(void)
{
    struct line line;
    g_autoptr(GError) error = NULL;
    int64_t seen = 10004;
    line_make(&line);
    g_autofree char *recipe = line_path(&line, "recipes/basen-100ah-16s.yaml");
    struct plan_request request = {.recipe_path = recipe,
                                   .scan = "BSN00000042",
                                   .trust = line.trust,
                                   .wall_us = INT64_C(1795000000000000),
                                   .newest = newest,
                                   .context = &seen};
    struct plan *plan = plan_make(&request, &error);
    g_assert_no_error(error);
    plan_free(plan);
    seen = 10005;
    g_assert_null(plan_make(&request, &error));
    g_assert_error(error, PACK_ERROR, ERROR_TRUST);
    g_clear_error(&error);
    seen = 0;
    static const int64_t outside_us[] = {INT64_C(4200000000000000), INT64_C(1500000000000000), 0};
    for (gsize i = 0; i < G_N_ELEMENTS(outside_us);
         i++) { /* expired, not yet valid, a clock without battery */
        request.wall_us = outside_us[i];
        g_assert_null(plan_make(&request, &error));
        g_assert_error(error, PACK_ERROR, ERROR_TRUST);
        g_clear_error(&error);
    }
    request.wall_us = INT64_C(1795000000000000);
    request.physical_wire = true;
    g_assert_null(plan_make(&request, &error));
    g_assert_error(error, PACK_ERROR, ERROR_RULE);
    g_clear_error(&error);
    request.allow_reference = true;
    plan = plan_make(&request, &error);
    g_assert_no_error(error);
    plan_free(plan);
    struct trust *nobody = trust_load(line.folder, &error);
    request.trust = nobody;
    g_assert_null(plan_make(&request, &error));
    g_assert_error(error, PACK_ERROR, ERROR_TRUST);
    trust_free(nobody);
    line_clear(&line);
}

static void test_scan(void)
{
    static const struct {
        const char *scan, *sn, *says;
    } cases[] = {{"BSN00000042", "BSN00000042", NULL},
                 {"", NULL, "empty"},
                 {"BSN0000004", NULL, "pattern"},
                 {"xBSN00000042", NULL, "pattern"},
                 {"BSN00000042\n", NULL, "control"},
                 {"BSN0000\x1d"
                  "0042",
                  NULL, "control"},
                 {"BSN00000042BSN00000042", NULL, "two scans"},
                 {"BSN00000042BSN00000043", NULL, "two scans"},
                 {"BSN000000000000000000000000000000000000000000000000", NULL, "characters long"}};
    struct line line;
    line_make(&line);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        struct plan *plan = line_plan(&line, true, cases[i].scan, &error);
        if (cases[i].sn) {
            g_assert_no_error(error);
            g_assert_cmpstr(plan->sn, ==, cases[i].sn);
            plan_free(plan);
            continue;
        }
        g_assert_null(plan);
        g_assert_error(error, PACK_ERROR, ERROR_RULE);
        g_assert_nonnull(strstr(error->message, cases[i].says));
    }
    line_clear(&line);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/plan/tables", test_tables);
    g_test_add_func("/plan/shipped", test_shipped);
    g_test_add_func("/plan/refused", test_refused);
    g_test_add_func("/plan/without-firmware", test_without_firmware);
    g_test_add_func("/plan/no-firmware", test_no_firmware);
    g_test_add_func("/plan/waiver", test_waiver);
    g_test_add_func("/plan/release", test_release);
    g_test_add_func("/plan/package-time", test_package_time);
    g_test_add_func("/plan/scan", test_scan);
    return g_test_run();
}
