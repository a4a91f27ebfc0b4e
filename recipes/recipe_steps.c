/* The parameters of every verb: one table each, and one visible list of the verbs. */
#include "recipes/recipe.h"

#define COMMON(of)                                                                                           \
    {.key = "title",                                                                                         \
     .type = BIND_TEXT,                                                                                      \
     .offset = offsetof(struct of, common.title),                                                            \
     .min = 1,                                                                                               \
     .max = 80,                                                                                              \
     .doc = "What people see; without it the verb's own title."},                                            \
        {.key = "retries",                                                                                   \
         .type = BIND_INTEGER,                                                                               \
         .offset = offsetof(struct of, common.retries),                                                      \
         .min = 0,                                                                                           \
         .max = 5,                                                                                           \
         .preset = "0",                                                                                      \
         .doc =                                                                                              \
             "Further attempts after a silence or a garbled answer, only of a verb that may be repeated."},  \
    {                                                                                                        \
        .key = "timeout", .type = BIND_QUANTITY, .offset = offsetof(struct of, common.timeout),              \
        .quantity = QUANTITY_TIME, .min = 1, .max = 7200000000,                                              \
        .doc = "Limit of the whole step; without it the verb's own."                                         \
    }

#define SCHEMA(verb, sentence)                                                                               \
    static const struct bind_schema verb##_schema = {                                                        \
        .name = #verb, .doc = sentence, .size = sizeof(struct recipe_##verb), .fields = verb##_fields}

static const struct bind_choice levels[] = {
    {"operator", 0, "may read"}, {"administrator", 1, "may write parameters"}, {NULL}};

static const struct bind_field identify_fields[] = {
    {.key = "product",
     .type = BIND_TEXT,
     .offset = offsetof(struct recipe_identify, product),
     .min = 1,
     .max = 30,
     .doc = "Product the board must report; without it the one the firmware manifest names."},
    {.key = "hardware",
     .type = BIND_TEXT,
     .offset = offsetof(struct recipe_identify, hardware),
     .min = 1,
     .max = 30,
     .doc =
         "Hardware revision the board must report, for a recipe without firmware; a manifest lists its own."},
    {.key = "same_serial",
     .type = BIND_FLAG,
     .offset = offsetof(struct recipe_identify, same_serial),
     .preset = "false",
     .doc = "The board must carry the scanned serial number already, of boards that bring their own."},
    {.key = "login",
     .type = BIND_TEXT,
     .offset = offsetof(struct recipe_identify, login),
     .pattern = "[a-z0-9-]+",
     .doc =
         "Name of the password for a board that shows its serial number only after a login. It is sent when "
         "product and hardware are right."},
    {.key = "level",
     .type = BIND_CHOICE,
     .offset = offsetof(struct recipe_identify, level),
     .preset = "administrator",
     .choices = levels,
     .doc = "Permission level of that login."},
    {.key = "wake",
     .type = BIND_TEXT,
     .offset = offsetof(struct recipe_identify, wake),
     .min = 1,
     .max = 200,
     .doc = "The board may be asleep: what the operator is told to do, in one sentence. The station notices "
            "when "
            "it answers."},
    {.key = "wake_within",
     .type = BIND_QUANTITY,
     .offset = offsetof(struct recipe_identify, wake_within),
     .quantity = QUANTITY_TIME,
     .min = 1000000,
     .max = 3600000000,
     .preset = "2 min",
     .doc = "How long that may take."},
    {.key = "wake_current",
     .type = BIND_QUANTITY,
     .offset = offsetof(struct recipe_identify, wake_current),
     .quantity = QUANTITY_CURRENT,
     .min = 1,
     .max = 50000,
     .doc = "Current with which the slot's bench charges the board until it answers; without it the operator "
            "charges it."},
    COMMON(recipe_identify),
    {NULL}};
SCHEMA(identify, "Reads which board this is and whether this run may touch it; must be the first step.");

static const struct bind_field login_fields[] = {
    {.key = "level",
     .type = BIND_CHOICE,
     .offset = offsetof(struct recipe_login, level),
     .required = true,
     .choices = levels,
     .doc = "Permission level."},
    {.key = "secret",
     .type = BIND_TEXT,
     .offset = offsetof(struct recipe_login, secret),
     .required = true,
     .pattern = "[a-z0-9-]+",
     .doc = "Name of the password in the station's secret store."},
    COMMON(recipe_login),
    {NULL}};
SCHEMA(login, "Logs in on the board. A wrong password is never tried a second time.");

static const struct bind_field flash_fields[] = {
    {.key = "skip_if_identical",
     .type = BIND_FLAG,
     .offset = offsetof(struct recipe_flash, skip_if_identical),
     .preset = "false",
     .doc = "Prove the device first and write nothing when the bytes are already there."},
    COMMON(recipe_flash),
    {NULL}};
SCHEMA(flash,
       "Flashes the package's image, proves every byte on the device, starts it and checks its version.");

static const struct bind_choice restart_ways[] = {
    {"command", RESTART_COMMAND, "the board's own reset command"},
    {"power", RESTART_POWER, "the bench switches the supply"},
    {"prompt", RESTART_PROMPT, "the operator does it and confirms"},
    {NULL}};
static const struct bind_field restart_fields[] = {
    {.key = "how",
     .type = BIND_CHOICE,
     .offset = offsetof(struct recipe_restart, how),
     .required = true,
     .choices = restart_ways,
     .doc = "How the board is restarted."},
    {.key = "login",
     .type = BIND_TEXT,
     .offset = offsetof(struct recipe_restart, login),
     .pattern = "[a-z0-9-]+",
     .doc = "Name of the password to log in with again afterwards."},
    {.key = "level",
     .type = BIND_CHOICE,
     .offset = offsetof(struct recipe_restart, level),
     .preset = "administrator",
     .choices = levels,
     .doc = "Permission level of that login."},
    COMMON(recipe_restart),
    {NULL}};
SCHEMA(restart, "Restarts the board and waits until it answers again.");

#define VALUES                                                                                               \
    {                                                                                                        \
        .key = "values", .type = BIND_PAIRS, .offset = offsetof(struct recipe_items, values),                \
        .pattern = "[a-z0-9_]+(\\.[a-z0-9_]+)+",                                                             \
        .doc = "Item keys of the profile and their values, with units; texts may hold {sn} {scan} {date} "   \
               "{model} "                                                                                    \
               "{firmware}."                                                                                 \
    }
static const struct bind_field items_fields[] = {VALUES, COMMON(recipe_items), {NULL}};
static const struct bind_field parameters_fields[] = {
    {.key = "presets",
     .type = BIND_FLAG,
     .offset = offsetof(struct recipe_items, presets),
     .preset = "false",
     .doc = "Also write the profile's printed default of every parameter not named here."},
    {.key = "set",
     .type = BIND_TEXT,
     .offset = offsetof(struct recipe_items, set),
     .pattern = "[a-z0-9-]+",
     .doc = "Also write this set of the profile's values, but for those named here."},
    VALUES,
    COMMON(recipe_items),
    {NULL}};
static const struct bind_schema write_identity_schema = {
    .name = "write_identity",
    .size = sizeof(struct recipe_items),
    .fields = items_fields,
    .doc = "Writes serial number, barcodes and product strings; only on a board whose firmware is proved."};
static const struct bind_schema parameters_schema = {
    .name = "parameters",
    .size = sizeof(struct recipe_items),
    .fields = parameters_fields,
    .doc = "Writes parameters block-wise and reads every one back."};
static const struct bind_schema switches_schema = {.name = "switches",
                                                   .size = sizeof(struct recipe_items),
                                                   .fields = items_fields,
                                                   .doc = "Opens or closes protection and alarm functions."};

#define CHARGE(name, sentence)                                                                               \
    {                                                                                                        \
        .key = #name, .type = BIND_QUANTITY, .offset = offsetof(struct recipe_capacity, name),               \
        .required = true, .quantity = QUANTITY_CHARGE, .min = 1, .max = 10000000, .doc = sentence            \
    }
static const struct bind_field capacity_fields[] = {
    CHARGE(nominal, "Rated capacity."),
    CHARGE(full, "Full charge capacity; equal to nominal unless waived."),
    CHARGE(remaining, "Charge in the pack now."),
    COMMON(recipe_capacity),
    {NULL}};
SCHEMA(capacity, "Writes the capacities in every place and unit the board keeps them.");

static const struct bind_field cells_fields[] = {{.key = "count",
                                                  .type = BIND_INTEGER,
                                                  .offset = offsetof(struct recipe_cells, count),
                                                  .required = true,
                                                  .min = 1,
                                                  .max = 176,
                                                  .doc = "Cells in series."},
                                                 COMMON(recipe_cells),
                                                 {NULL}};
SCHEMA(cells, "Writes the cell count.");

static const struct bind_field verify_fields[] = {COMMON(recipe_verify), {NULL}};
SCHEMA(verify, "Reads every item written in this run again, raw; needs a restart since the last write.");

/* Calibrations. The bounds keep out slips of unit and sign; the gain's are the manuals': a charger of 10 to
 * 50 A. */
#define GAIN_MAX_MA        50000
#define ERROR_MAX_MA       2000
#define CORRECTION_MAX_MA  10000
#define ERROR_MAX_MK       5000
#define CORRECTION_MAX_MK  20000
#define VERIFY_STEP_MIN_MK 1000
#define VERIFY_STEP_MAX_MK 40000

#define QUANTITY_OF(of, name, need, what, least, most, sentence)                                             \
    {                                                                                                        \
        .key = #name, .type = BIND_QUANTITY, .offset = offsetof(struct of, name), .required = need,          \
        .quantity = what, .min = least, .max = most, .doc = sentence                                         \
    }
#define SAMPLES(of, spread_quantity, most)                                                                   \
    {.key = "samples",                                                                                       \
     .type = BIND_INTEGER,                                                                                   \
     .offset = offsetof(struct of, samples),                                                                 \
     .min = 2,                                                                                               \
     .max = 64,                                                                                              \
     .preset = "8",                                                                                          \
     .doc = "Readings taken of the board; one alone has no spread."},                                        \
        QUANTITY_OF(of, spread, true, spread_quantity, 1, most,                                              \
                    "Largest difference between these readings.")
#define AMPERES(of, name, least, most, sentence)                                                             \
    QUANTITY_OF(of, name, true, QUANTITY_CURRENT, least, most, sentence)

static const struct bind_field calibrate_zero_fields[] = {
    SAMPLES(recipe_calibrate_zero, QUANTITY_CURRENT, ERROR_MAX_MA),
    AMPERES(recipe_calibrate_zero, tolerance, 1, ERROR_MAX_MA, "Error that may remain."),
    AMPERES(recipe_calibrate_zero, correction_max, 1, CORRECTION_MAX_MA,
            "A larger error as found is a bad board; not below tolerance."),
    COMMON(recipe_calibrate_zero),
    {NULL}};
SCHEMA(calibrate_zero, "Calibrates the current zero while no current flows.");

static const struct bind_field calibrate_gain_fields[] = {
    AMPERES(recipe_calibrate_gain, current, -GAIN_MAX_MA, GAIN_MAX_MA,
            "Current to calibrate at, a charge of 10 A to 50 A, or a discharge (negative) on boards that "
            "have a gain "
            "for it."),
    AMPERES(recipe_calibrate_gain, verify_current, -GAIN_MAX_MA, GAIN_MAX_MA,
            "Second point that must read right afterwards; at least 1 A away from 0 A and from current."),
    SAMPLES(recipe_calibrate_gain, QUANTITY_CURRENT, ERROR_MAX_MA),
    AMPERES(recipe_calibrate_gain, tolerance, 1, ERROR_MAX_MA, "Error that may remain at both points."),
    QUANTITY_OF(recipe_calibrate_gain, correction_max, true, QUANTITY_PERCENT, 1, 50000,
                "A larger error as found is a bad board."),
    {.key = "settle",
     .type = BIND_QUANTITY,
     .offset = offsetof(struct recipe_calibrate_gain, settle),
     .quantity = QUANTITY_TIME,
     .min = 1,
     .max = 60000000,
     .preset = "200 ms",
     .doc = "Wait after the current was set."},
    COMMON(recipe_calibrate_gain),
    {NULL}};
SCHEMA(calibrate_gain,
       "Calibrates the current gain against the slot's reference and proves it at a second point.");

#define KELVIN(name, need, least, most, sentence)                                                            \
    QUANTITY_OF(recipe_calibrate_temperature, name, need, QUANTITY_TEMPERATURE_DIFFERENCE, least, most,      \
                sentence)

static const struct bind_field calibrate_temperature_fields[] = {
    {.key = "sensors",
     .type = BIND_INTEGERS,
     .offset = offsetof(struct recipe_calibrate_temperature, sensors),
     .required = true,
     .min = 1,
     .max = RECIPE_SENSOR_LAST + 1,
     .doc = "Sensor numbers from 0, each once; cells first, then MOS, then ambient."},
    SAMPLES(recipe_calibrate_temperature, QUANTITY_TEMPERATURE_DIFFERENCE, ERROR_MAX_MK),
    KELVIN(tolerance, true, 1, ERROR_MAX_MK, "Error that may remain."),
    KELVIN(correction_max, true, 1, CORRECTION_MAX_MK,
           "A larger error as found is a bad board; not below tolerance."),
    KELVIN(verify_step, false, VERIFY_STEP_MIN_MK, VERIFY_STEP_MAX_MK,
           "The bench moves by this much for the second point; absent = no second point."),
    COMMON(recipe_calibrate_temperature),
    {NULL}};
SCHEMA(calibrate_temperature, "Calibrates temperature sensors against the slot's reference.");

#define ERROR_MAX_MV      50
#define CORRECTION_MAX_MV 500
#define VOLTS(name, most, sentence)                                                                          \
    QUANTITY_OF(recipe_calibrate_cells, name, true, QUANTITY_VOLTAGE, 1, most, sentence)

static const struct bind_field calibrate_cells_fields[] = {
    SAMPLES(recipe_calibrate_cells, QUANTITY_VOLTAGE, ERROR_MAX_MV),
    VOLTS(tolerance, ERROR_MAX_MV, "Error that may remain."),
    VOLTS(correction_max, CORRECTION_MAX_MV, "A larger error as found is a bad board; not below tolerance."),
    COMMON(recipe_calibrate_cells),
    {NULL}};
SCHEMA(calibrate_cells,
       "Calibrates the voltage of every cell the board reports against the slot's reference.");

#define ERROR_MAX_PACK_MV      500
#define CORRECTION_MAX_PACK_MV 5000
#define PACK_VOLTS(name, most, sentence)                                                                     \
    QUANTITY_OF(recipe_calibrate_voltage, name, true, QUANTITY_VOLTAGE, 1, most, sentence)

static const struct bind_field calibrate_voltage_fields[] = {
    SAMPLES(recipe_calibrate_voltage, QUANTITY_VOLTAGE, ERROR_MAX_PACK_MV),
    PACK_VOLTS(tolerance, ERROR_MAX_PACK_MV, "Error that may remain."),
    PACK_VOLTS(correction_max, CORRECTION_MAX_PACK_MV,
               "A larger error as found is a bad board; not below tolerance."),
    COMMON(recipe_calibrate_voltage),
    {NULL}};
SCHEMA(calibrate_voltage, "Calibrates the pack voltage against the slot's reference while no current flows.");

static const struct bind_field clock_fields[] = {{.key = "tolerance",
                                                  .type = BIND_QUANTITY,
                                                  .offset = offsetof(struct recipe_clock, tolerance),
                                                  .preset = "2 s",
                                                  .quantity = QUANTITY_TIME,
                                                  .min = 1000000,
                                                  .max = 60000000,
                                                  .doc = "Largest difference after setting."},
                                                 COMMON(recipe_clock),
                                                 {NULL}};
SCHEMA(clock, "Sets the board's clock to the station's and reads it back.");

static const struct bind_field antitheft_off_fields[] = {
    {.key = "secret",
     .type = BIND_TEXT,
     .offset = offsetof(struct recipe_antitheft_off, secret),
     .required = true,
     .pattern = "[a-z0-9-]+",
     .doc = "Name of the close code in the station's secret store."},
    COMMON(recipe_antitheft_off),
    {NULL}};
SCHEMA(antitheft_off, "Switches all anti-theft modes off, so that no pack locks itself in a warehouse.");

static const struct bind_field sleep_fields[] = {COMMON(recipe_sleep), {NULL}};
SCHEMA(sleep, "Sends the board to sleep and sees that it is silent. Only the label may follow.");

static const struct bind_choice beyonds[] = {
    {"fail", BEYOND_FAIL, "the unit is bad"},
    {"hold", BEYOND_HOLD, "the unit is neither good nor bad yet and is tested again later"},
    {NULL}};
static const struct bind_field limit_fields[] = {
    {.key = "read",
     .type = BIND_TEXT,
     .offset = offsetof(struct recipe_limit, read),
     .required = true,
     .doc = "What is measured: pack_voltage, cell_max, cell_min, cell_delta, cell_count, current, soc, "
            "temperature_max, temperature_min, ambient, mos, protections, alarms, charge_fet, discharge_fet, "
            "antitheft_locked."},
    {.key = "min",
     .type = BIND_TEXT,
     .offset = offsetof(struct recipe_limit, min_text),
     .doc = "Lower limit, with unit; within what the reading can be."},
    {.key = "max",
     .type = BIND_TEXT,
     .offset = offsetof(struct recipe_limit, max_text),
     .doc = "Upper limit, with unit; within what the reading can be."},
    {.key = "beyond",
     .type = BIND_CHOICE,
     .offset = offsetof(struct recipe_limit, beyond),
     .choices = beyonds,
     .preset = "fail",
     .doc = "What a value outside means."},
    {.key = "advice",
     .type = BIND_TEXT,
     .offset = offsetof(struct recipe_limit, advice),
     .min = 1,
     .max = 200,
     .doc = "What is done to a unit on hold before it is tested again."},
    {NULL}};
static const struct bind_schema limit_schema = {.name = "limit",
                                                .size = sizeof(struct recipe_limit),
                                                .doc = "One reading and its limits.",
                                                .fields = limit_fields};
static const struct bind_field measure_fields[] = {
    {.key = "limits",
     .type = BIND_LIST,
     .offset = offsetof(struct recipe_measure, limits),
     .required = true,
     .min = 1,
     .max = 32,
     .child = &limit_schema,
     .doc = "Readings with their limits; all are recorded even when one fails."},
    COMMON(recipe_measure),
    {NULL}};
SCHEMA(measure, "Self-test: reads the board's telemetry once and holds it against limits.");

static const struct bind_choice questions[] = {{"confirm", QUESTION_CONFIRM, "yes, or the run fails"},
                                               {"pass_fail", QUESTION_PASS_FAIL, "the operator judges"},
                                               {"number", QUESTION_NUMBER, "a number inside limits"},
                                               {NULL}};
static const struct bind_field prompt_fields[] = {
    {.key = "text",
     .type = BIND_TEXT,
     .offset = offsetof(struct recipe_prompt, text),
     .required = true,
     .min = 1,
     .max = 200,
     .doc = "One sentence for the operator."},
    {.key = "question",
     .type = BIND_CHOICE,
     .offset = offsetof(struct recipe_prompt, question),
     .required = true,
     .choices = questions,
     .doc = "What kind of answer is expected."},
    {.key = "unit",
     .type = BIND_TEXT,
     .offset = offsetof(struct recipe_prompt, unit),
     .doc = "Quantity of a number: voltage, current, charge, temperature, time …; absent = a plain count."},
    {.key = "min",
     .type = BIND_TEXT,
     .offset = offsetof(struct recipe_prompt, min_text),
     .doc = "Lower limit of a number."},
    {.key = "max",
     .type = BIND_TEXT,
     .offset = offsetof(struct recipe_prompt, max_text),
     .doc = "Upper limit of a number."},
    COMMON(recipe_prompt),
    {NULL}};
SCHEMA(prompt, "Asks the operator; the answer is on record.");

static const struct bind_field label_fields[] = {COMMON(recipe_label), {NULL}};
SCHEMA(label,
       "The label's place in the order; it is printed from the committed PASS row. Must be the last step.");

static const struct bind_field defaults_fields[] = {COMMON(recipe_defaults), {NULL}};
SCHEMA(defaults, "Restores the board's factory defaults and reads them; before anything is written.");

const struct bind_variant recipe_steps[] = {
    {"identify", &identify_schema},
    {"login", &login_schema},
    {"flash", &flash_schema},
    {"restart", &restart_schema},
    {"write_identity", &write_identity_schema},
    {"capacity", &capacity_schema},
    {"cells", &cells_schema},
    {"parameters", &parameters_schema},
    {"switches", &switches_schema},
    {"verify", &verify_schema},
    {"calibrate_zero", &calibrate_zero_schema},
    {"calibrate_gain", &calibrate_gain_schema},
    {"calibrate_temperature", &calibrate_temperature_schema},
    {"calibrate_cells", &calibrate_cells_schema},
    {"calibrate_voltage", &calibrate_voltage_schema},
    {"clock", &clock_schema},
    {"antitheft_off", &antitheft_off_schema},
    {"measure", &measure_schema},
    {"prompt", &prompt_schema},
    {"defaults", &defaults_schema},
    {"sleep", &sleep_schema},
    {"label", &label_schema},
    {NULL},
};
