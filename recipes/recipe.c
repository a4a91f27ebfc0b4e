#include "recipes/recipe.h"

#include "firmware/trust.h"
#include "station/base/error.h"

#include <string.h>

static const struct bind_field scan_fields[] = {
    {.key = "pattern",
     .type = BIND_TEXT,
     .offset = offsetof(struct recipe_scan, pattern),
     .required = true,
     .min = 1,
     .max = 200,
     .doc = "Regular expression of the whole scan; its group `sn`, or the whole, is the serial number."},
    {.key = "length_max",
     .type = BIND_INTEGER,
     .offset = offsetof(struct recipe_scan, length_max),
     .min = 1,
     .max = 128,
     .preset = "64",
     .doc = "Longest scan in characters."},
    {NULL}};
static const struct bind_schema scan_schema = {.name = "scan",
                                               .doc = "What a scanned barcode means.",
                                               .size = sizeof(struct recipe_scan),
                                               .fields = scan_fields};

static const struct bind_field waiver_fields[] = {{.key = "rule",
                                                   .type = BIND_TEXT,
                                                   .offset = offsetof(struct recipe_waiver, rule),
                                                   .required = true,
                                                   .doc = "Name of a waivable rule of the profile."},
                                                  {.key = "reason",
                                                   .type = BIND_TEXT,
                                                   .offset = offsetof(struct recipe_waiver, reason),
                                                   .required = true,
                                                   .min = 10,
                                                   .max = 200,
                                                   .doc = "Why; shown in every record."},
                                                  {NULL}};
static const struct bind_schema waiver_schema = {.name = "waiver",
                                                 .doc = "A rule of the profile that this recipe may break.",
                                                 .size = sizeof(struct recipe_waiver),
                                                 .fields = waiver_fields};

static const struct bind_field recipe_fields[] = {
    {.key = "schema",
     .type = BIND_TEXT,
     .offset = offsetof(struct recipe, schema),
     .required = true,
     .doc = "`packline/recipe/1`."},
    {.key = "recipe",
     .type = BIND_TEXT,
     .offset = offsetof(struct recipe, recipe),
     .required = true,
     .min = 1,
     .max = 64,
     .pattern = "[A-Za-z0-9._-]+",
     .doc = "Name of the recipe."},
    {.key = "revision",
     .type = BIND_INTEGER,
     .offset = offsetof(struct recipe, revision),
     .required = true,
     .min = 1,
     .max = 1000000,
     .doc = "Grows with every change."},
    {.key = "title",
     .type = BIND_TEXT,
     .offset = offsetof(struct recipe, title),
     .max = 80,
     .min = 1,
     .doc = "What people see."},
    {.key = "model",
     .type = BIND_TEXT,
     .offset = offsetof(struct recipe, model),
     .required = true,
     .min = 1,
     .max = 30,
     .doc = "Model as the label prints it."},
    {.key = "profile",
     .type = BIND_TEXT,
     .offset = offsetof(struct recipe, profile),
     .required = true,
     .doc = "Board profile, relative to this file."},
    {.key = "package",
     .type = BIND_TEXT,
     .offset = offsetof(struct recipe, package),
     .doc = "Firmware package folder, relative to this file; needed by a flash step."},
    {.key = "layout",
     .type = BIND_TEXT,
     .offset = offsetof(struct recipe, layout),
     .doc = "Label layout, relative to this file; needed by a label step."},
    {.key = "scan",
     .type = BIND_MAP,
     .offset = offsetof(struct recipe, scan),
     .required = true,
     .child = &scan_schema,
     .doc = "What a scanned barcode means."},
    {.key = "waivers",
     .type = BIND_LIST,
     .offset = offsetof(struct recipe, waivers),
     .child = &waiver_schema,
     .max = 16,
     .doc = "Rules of the profile that this recipe may break, each with its reason."},
    {.key = "steps",
     .type = BIND_VARIANTS,
     .offset = offsetof(struct recipe, steps),
     .required = true,
     .min = 1,
     .max = RECIPE_STEPS_MAX,
     .variants = recipe_steps,
     .tag_key = "do",
     .doc = "What is done, in order."},
    {NULL}};
const struct bind_schema recipe_schema = {.name = "packline/recipe/1",
                                          .doc = "A recipe: what is done to a board model, in order.",
                                          .size = sizeof(struct recipe),
                                          .place_offset = offsetof(struct recipe, place),
                                          .fields = recipe_fields};

static const struct recipe_reading_info readings[READINGS] = {
    [READING_PACK_VOLTAGE] = {"pack_voltage", QUANTITY_VOLTAGE, 0, 1056000, TELEMETRY_PACK_VOLTAGE,
                              "voltage of the pack"},
    [READING_CELL_MAX] = {"cell_max", QUANTITY_VOLTAGE, 0, 6000, TELEMETRY_CELLS, "highest cell voltage"},
    [READING_CELL_MIN] = {"cell_min", QUANTITY_VOLTAGE, 0, 6000, TELEMETRY_CELLS, "lowest cell voltage"},
    [READING_CELL_DELTA] = {"cell_delta", QUANTITY_VOLTAGE, 0, 6000, TELEMETRY_CELLS,
                            "highest minus lowest cell voltage"},
    [READING_CELL_COUNT] = {"cell_count", QUANTITY_NONE, 0, 176, TELEMETRY_CELLS, "cells the board measures"},
    [READING_CURRENT] = {"current", QUANTITY_CURRENT, -1000000, 1000000, TELEMETRY_CURRENT,
                         "current, charge positive"},
    [READING_SOC] = {"soc", QUANTITY_PERCENT, 0, 100000, TELEMETRY_SOC, "state of charge"},
    [READING_TEMPERATURE_MAX] = {"temperature_max", QUANTITY_TEMPERATURE, -50000, 200000, TELEMETRY_SENSORS,
                                 "highest cell sensor"},
    [READING_TEMPERATURE_MIN] = {"temperature_min", QUANTITY_TEMPERATURE, -50000, 200000, TELEMETRY_SENSORS,
                                 "lowest cell sensor"},
    [READING_AMBIENT] = {"ambient", QUANTITY_TEMPERATURE, -50000, 200000, TELEMETRY_AMBIENT,
                         "ambient sensor"},
    [READING_MOS] = {"mos", QUANTITY_TEMPERATURE, -50000, 200000, TELEMETRY_MOS, "MOSFET sensor"},
    [READING_PROTECTIONS] = {"protections", QUANTITY_NONE, 0, UINT32_MAX, TELEMETRY_PROTECTIONS,
                             "active protections, as a bit mask; max 0 = none"},
    [READING_ALARMS] = {"alarms", QUANTITY_NONE, 0, UINT32_MAX, TELEMETRY_ALARMS,
                        "active alarms, as a bit mask; max 0 = none"},
    [READING_CHARGE_FET] = {"charge_fet", QUANTITY_NONE, 0, 1, TELEMETRY_CHARGE_FET, "charge FET on, 0 or 1"},
    [READING_DISCHARGE_FET] = {"discharge_fet", QUANTITY_NONE, 0, 1, TELEMETRY_DISCHARGE_FET,
                               "discharge FET on, 0 or 1"},
    [READING_ANTITHEFT_LOCKED] = {"antitheft_locked", QUANTITY_NONE, 0, 1, TELEMETRY_ANTITHEFT,
                                  "locked by anti-theft, 0 or 1"},
};

const struct recipe_reading_info *recipe_readings(void)
{
    return readings;
}

static const struct bind_variant_value *step_at(const struct recipe *recipe, guint i)
{
    return g_ptr_array_index(recipe->steps, i);
}

static bool is(const struct bind_variant_value *step, const char *verb)
{
    return strcmp(step->variant->tag, verb) == 0;
}

/* Index of the first or last step of this verb, -1 when there is none. */
static int find_step(const struct recipe *recipe, const char *verb, bool last)
{
    int found = -1;
    for (guint i = 0; i < recipe->steps->len; i++)
        if (is(step_at(recipe, i), verb)) {
            found = (int)i;
            if (!last)
                break;
        }
    return found;
}

static bool writes_items(const struct bind_variant_value *step)
{
    static const char *const verbs[] = {"write_identity", "capacity", "cells", "parameters", "switches"};
    for (gsize i = 0; i < G_N_ELEMENTS(verbs); i++)
        if (is(step, verbs[i]))
            return true;
    return false;
}

struct check {
    const struct recipe *recipe;
    struct bind_report *report;
};

static void complain(const struct check *c, int step, const char *hint, const char *text)
{
    struct bind_place place =
        step >= 0 ? step_at(c->recipe, (guint)step)->place : bind_place_of(c->recipe, c->recipe, "steps");
    bind_report_error(c->report, place, hint, "%s", text);
}

static void check_flash_and_identity(const struct check *c)
{
    int identity = find_step(c->recipe, "write_identity", false),
        flash = find_step(c->recipe, "flash", false);
    if (flash >= 0 && !c->recipe->package)
        complain(c, flash, "add `package:`", "a flash step needs a firmware package");
    if (flash < 0 && c->recipe->package)
        bind_report_error(c->report, bind_place_of(c->recipe, c->recipe, "package"),
                          "add a `flash` step or remove it",
                          "a firmware package is named but nothing flashes it");
    if (identity >= 0 && flash > identity)
        complain(c, identity, "move it behind the flash step",
                 "identity is written before the firmware is flashed and proved");
}

static void check_label(const struct check *c)
{
    int label = find_step(c->recipe, "label", false);
    if (label >= 0 && (guint)label + 1 != c->recipe->steps->len)
        complain(c, label, "move it to the end", "the label must be the last step");
    if (label >= 0 && !c->recipe->layout)
        complain(c, label, "add `layout:`", "a label step needs a layout");
}

/* Defaults take back what was written before. */
static void check_defaults(const struct check *c)
{
    int defaults = find_step(c->recipe, "defaults", true);
    for (int i = 0; i < defaults; i++)
        if (writes_items(step_at(c->recipe, (guint)i))) {
            complain(c, defaults, "move it before the first step that writes",
                     "the defaults would take back what was written before");
            break;
        }
}

/* A sleeping board answers nothing. */
static void check_sleep(const struct check *c)
{
    int sleep = find_step(c->recipe, "sleep", false), last = (int)c->recipe->steps->len - 1;
    if (sleep >= 0 && is(step_at(c->recipe, (guint)last), "label"))
        last--;
    if (sleep >= 0 && sleep != last)
        complain(c, sleep, "move it to the end, before the label",
                 "the board sleeps while steps still need it");
}

#define WAKE_SPARE_US INT64_C(10000000) /* for what identify does besides */

static void check_wake(const struct check *c, const struct recipe_identify *identify)
{
    if (identify->wake && identify->common.timeout < identify->wake_within + WAKE_SPARE_US)
        bind_report_error(c->report, bind_place_of(c->recipe, identify, "wake"),
                          "write a `timeout:` at least 10 s longer than `wake_within:`",
                          "the step ends before the board had its time to wake");
    if (!identify->wake && identify->wake_current)
        bind_report_error(c->report, bind_place_of(c->recipe, identify, "wake_current"), "add `wake:`",
                          "a current that wakes a board belongs to `wake:`");
}

/* Everything written must be read again after a restart: a value that vanishes at power-off is found only so.
 */
static void check_second_reading(const struct check *c)
{
    int written = -1, restart, verify = find_step(c->recipe, "verify", true);
    for (guint i = 0; i < c->recipe->steps->len; i++)
        if (writes_items(step_at(c->recipe, i)) || is(step_at(c->recipe, i), "antitheft_off"))
            written = (int)i;
    if (written < 0)
        return;
    restart = find_step(c->recipe, "restart", true);
    if (restart < written)
        complain(c, written, "add `- do: restart` and `- do: verify` after it",
                 "what is written here is never read back after a restart");
    else if (verify < restart)
        complain(c, restart, "add `- do: verify` after it",
                 "the values written are not read again after this restart");
}

static void complain_value(const struct check *c, const void *map, const char *key, const char *hint,
                           const char *text)
{
    bind_report_error(c->report, bind_place_of(c->recipe, map, key), hint, "%s: %s", key, text);
}

/* A board that was found within correction_max may then miss tolerance, never the other way round. */
static void check_tolerance(const struct check *c, const void *map, int64_t tolerance, int64_t correction_max)
{
    if (tolerance > correction_max)
        complain_value(c, map, "correction_max", "write a larger correction_max or a smaller tolerance",
                       "is below tolerance, expected at least as much");
}

#define POINTS_APART_MA 1000
#define GAIN_MIN_MA     10000

static void check_gain_points(const struct check *c, const struct recipe_calibrate_gain *gain)
{
    if (ABS(gain->current) < GAIN_MIN_MA) {
        g_autofree char *shown = quantity_format(QUANTITY_CURRENT, gain->current);
        g_autofree char *text = g_strdup_printf("%s is out of range, expected 10 A to 50 A", shown);
        complain_value(c, gain, "current", "write 10 A or more", text);
    }
    if (ABS(gain->verify_current) < POINTS_APART_MA)
        complain_value(c, gain, "verify_current", "write a current such as 40 A",
                       "near 0 A no gain can be proved, expected at least 1 A of charge or discharge");
    else if (ABS(gain->verify_current - gain->current) < POINTS_APART_MA)
        complain_value(c, gain, "verify_current", "write another current than under `current`",
                       "is the point of the calibration itself, expected a second one at least 1 A away");
}

static void check_sensors(const struct check *c, const struct recipe_calibrate_temperature *temperature)
{
    uint64_t seen = 0;
    for (guint i = 0; i < temperature->sensors->len; i++) {
        int64_t sensor = g_array_index(temperature->sensors, int64_t, i);
        if (sensor < 0 || sensor > RECIPE_SENSOR_LAST) {
            complain_value(c, temperature, "sensors", "cells from 0, then MOS, then ambient",
                           "no board has a sensor of this number, expected 0 to 34");
            return;
        }
        if (seen >> sensor & 1) {
            complain_value(c, temperature, "sensors", "name it once", "a sensor is named twice");
            return;
        }
        seen |= UINT64_C(1) << sensor;
    }
}

static void check_calibration(const struct check *c)
{
    int zero = find_step(c->recipe, "calibrate_zero", false),
        gain = find_step(c->recipe, "calibrate_gain", false);
    if (gain >= 0 && (zero < 0 || zero > gain))
        complain(c, gain, "put `calibrate_zero` before it", "the gain is calibrated before the zero");
    for (guint i = 0; i < c->recipe->steps->len; i++) {
        const struct bind_variant_value *step = step_at(c->recipe, i);
        if (is(step, "calibrate_zero")) {
            const struct recipe_calibrate_zero *p = step->value;
            check_tolerance(c, p, p->tolerance, p->correction_max);
        } else if (is(step, "calibrate_gain")) {
            check_gain_points(c, step->value);
        } else if (is(step, "calibrate_cells")) {
            const struct recipe_calibrate_cells *p = step->value;
            check_tolerance(c, p, p->tolerance, p->correction_max);
        } else if (is(step, "calibrate_voltage")) {
            const struct recipe_calibrate_voltage *p = step->value;
            check_tolerance(c, p, p->tolerance, p->correction_max);
        } else if (is(step, "calibrate_temperature")) {
            const struct recipe_calibrate_temperature *p = step->value;
            check_tolerance(c, p, p->tolerance, p->correction_max);
            check_sensors(c, p);
        }
    }
}

static bool parse_limit(const struct check *c, const void *map, const char *key, const char *text,
                        enum quantity quantity, int64_t *value, bool *has)
{
    g_autofree char *what = NULL, *hint = NULL;
    *has = text != NULL;
    if (!text || quantity_read(text, quantity, value, &what, &hint))
        return true;
    bind_report_error(c->report, bind_place_of(c->recipe, map, key), hint, "%s", what);
    return false;
}

/* A limit the reading can never reach passes every board: mostly a slip of unit. */
static void check_reach(const struct check *c, const struct recipe_limit *limit, const char *key, bool has,
                        int64_t value)
{
    const struct recipe_reading_info *reading = &readings[limit->reading];
    if (!has || (value >= reading->least && value <= reading->most))
        return;
    g_autofree char *least = quantity_format(reading->quantity, reading->least);
    g_autofree char *most = quantity_format(reading->quantity, reading->most);
    g_autofree char *shown = quantity_format(reading->quantity, value);
    bind_report_error(c->report, bind_place_of(c->recipe, limit, key), "look at the unit and the sign",
                      "%s: %s can never be %s, expected %s to %s", key, reading->name, shown, least, most);
}

static void check_order(const struct check *c, const void *map, bool both, int64_t min, int64_t max)
{
    if (both && min > max)
        bind_report_error(c->report, bind_place_of(c->recipe, map, "min"), NULL,
                          "the lower limit is above the upper one");
}

static void resolve_limits(const struct check *c, struct recipe_measure *measure)
{
    for (guint i = 0; i < measure->limits->len; i++) {
        struct recipe_limit *limit = g_ptr_array_index(measure->limits, i);
        limit->reading = -1;
        for (int r = 0; r < READINGS; r++)
            if (strcmp(readings[r].name, limit->read) == 0)
                limit->reading = r;
        if (limit->reading < 0) {
            bind_report_error(c->report, bind_place_of(c->recipe, limit, "read"),
                              "see the reference for the readings", "nothing is called '%s'", limit->read);
            continue;
        }
        enum quantity quantity = readings[limit->reading].quantity;
        parse_limit(c, limit, "min", limit->min_text, quantity, &limit->min, &limit->has_min);
        parse_limit(c, limit, "max", limit->max_text, quantity, &limit->max, &limit->has_max);
        check_reach(c, limit, "min", limit->has_min, limit->min);
        check_reach(c, limit, "max", limit->has_max, limit->max);
        check_order(c, limit, limit->has_min && limit->has_max, limit->min, limit->max);
        if ((limit->beyond == BEYOND_HOLD) != (limit->advice != NULL))
            bind_report_error(c->report, bind_place_of(c->recipe, limit, "beyond"), NULL,
                              limit->advice
                                  ? "an advice belongs to `beyond: hold`"
                                  : "`beyond: hold` needs `advice:`, what is done before the next test");
        if (!limit->min_text && !limit->max_text)
            bind_report_error(c->report, bind_place_of(c->recipe, limit, "read"), "add `min:` or `max:`",
                              "a reading without limits tests nothing");
    }
}

static void resolve_prompt(const struct check *c, struct recipe_prompt *prompt)
{
    bool has_min, has_max;
    prompt->quantity = QUANTITY_NONE;
    if (prompt->unit) {
        bool found = false;
        for (int q = 0; q < QUANTITIES; q++)
            if (strcmp(quantity_name((enum quantity)q), prompt->unit) == 0) {
                prompt->quantity = q;
                found = true;
            }
        if (!found)
            bind_report_error(c->report, bind_place_of(c->recipe, prompt, "unit"),
                              "for example `voltage` or `current`", "no quantity is called '%s'",
                              prompt->unit);
    }
    if (prompt->question != QUESTION_NUMBER && (prompt->unit || prompt->min_text || prompt->max_text))
        bind_report_error(c->report, bind_place_of(c->recipe, prompt, "question"), "write `question: number`",
                          "unit and limits belong to a number");
    parse_limit(c, prompt, "min", prompt->min_text, (enum quantity)prompt->quantity, &prompt->min, &has_min);
    parse_limit(c, prompt, "max", prompt->max_text, (enum quantity)prompt->quantity, &prompt->max, &has_max);
    check_order(c, prompt, has_min && has_max, prompt->min, prompt->max);
}

static void resolve_steps(const struct check *c)
{
    for (guint i = 0; i < c->recipe->steps->len; i++) {
        const struct bind_variant_value *step = step_at(c->recipe, i);
        if (is(step, "measure"))
            resolve_limits(c, step->value);
        else if (is(step, "identify"))
            check_wake(c, step->value);
        else if (is(step, "prompt"))
            resolve_prompt(c, step->value);
    }
}

static void check_scan(const struct check *c)
{
    g_autoptr(GError) wrong = NULL;
    g_autoptr(GRegex) regex = g_regex_new(c->recipe->scan.pattern, 0, 0, &wrong);
    if (!regex)
        bind_report_error(c->report, bind_place_of(c->recipe, &c->recipe->scan, "pattern"), NULL,
                          "not a regular expression: %s", wrong->message);
}

struct recipe *recipe_load(const char *path, GBytes *bytes, struct bind_report *report)
{
    struct recipe *recipe = bind_load(&recipe_schema, bytes, report);
    if (!recipe)
        return NULL;
    const struct check c = {recipe, report};
    gsize n;
    const void *data = g_bytes_get_data(bytes, &n);
    recipe->path = g_strdup(path);
    trust_sha256(data, n, recipe->sha256);
    if (!is(step_at(recipe, 0), "identify"))
        complain(&c, 0, "put `- do: identify` first", "the first step must find out which board this is");
    check_scan(&c);
    check_flash_and_identity(&c);
    check_label(&c);
    check_second_reading(&c);
    check_defaults(&c);
    check_sleep(&c);
    check_calibration(&c);
    resolve_steps(&c);
    if (bind_report_errors(report) == 0)
        return recipe;
    recipe_free(recipe);
    return NULL;
}

void recipe_free(struct recipe *recipe)
{
    if (!recipe)
        return;
    g_clear_pointer(&recipe->path, g_free);
    bind_free(&recipe_schema, recipe);
}

/* A scanner fires twice into one field: the text is two whole scans, one after the other. */
static bool two_scans(const GRegex *regex, const char *scan)
{
    size_t n = strlen(scan);
    for (size_t cut = 1; cut < n; cut++) {
        g_autofree char *first = g_strndup(scan, cut);
        if (g_regex_match(regex, first, G_REGEX_MATCH_ANCHORED, NULL) &&
            g_regex_match(regex, scan + cut, G_REGEX_MATCH_ANCHORED, NULL))
            return true;
    }
    return false;
}

bool recipe_scan_parse(const struct recipe *recipe, const char *scan, char **sn, GError **error)
{
    size_t n = strlen(scan);
    g_autofree char *pattern = g_strdup_printf("^(?:%s)\\z", recipe->scan.pattern);
    g_autoptr(GRegex) regex = g_regex_new(pattern, G_REGEX_DOLLAR_ENDONLY, 0, error);
    g_autoptr(GMatchInfo) match = NULL;
    if (!regex)
        return false;
    if (n == 0)
        return error_set(error, ERROR_RULE, "the scan is empty: scan the board's barcode");
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)scan[i] < 0x20 || (unsigned char)scan[i] > 0x7e)
            return error_set(
                error, ERROR_RULE,
                "the scan has a control character (0x%02X) at place %zu: check the scanner's set-up",
                (unsigned char)scan[i], i + 1);
    if (n <= 2 * (size_t)recipe->scan.length_max && two_scans(regex, scan))
        return error_set(error, ERROR_RULE, "the scan '%s' is two scans run together: scan once", scan);
    if (n > (size_t)recipe->scan.length_max)
        return error_set(error, ERROR_RULE,
                         "the scan is %zu characters long, at most %" G_GINT64_FORMAT " are expected", n,
                         recipe->scan.length_max);
    if (!g_regex_match(regex, scan, 0, &match))
        return error_set(error, ERROR_RULE, "the scan '%s' is not of the pattern %s that recipe '%s' expects",
                         scan, recipe->scan.pattern, recipe->recipe);
    *sn = g_match_info_fetch_named(match, "sn");
    if (!*sn || !**sn) {
        g_free(*sn);
        *sn = g_strdup(scan);
    }
    return true;
}
