/* Calibration against a reference: precondition, N samples inside a spread, a correction inside its bounds,
 * and proof at a second point. The current always flows only while a step needs it. */
#include "station/step.h"

#include "station/base/error.h"

#include <stdlib.h>

extern const struct step_kind step_calibrate_zero, step_calibrate_gain, step_calibrate_temperature,
    step_calibrate_cells, step_calibrate_voltage;

#define SAMPLES_MAX      64
#define SAMPLE_PERIOD_MS 50

struct sampling;
typedef bool (*sample_reader)(const struct board_telemetry *telemetry, const struct sampling *s,
                              int64_t *value, GError **error);

struct sampling {
    sample_reader reader;
    unsigned sensor;
    int64_t count, spread;
    enum quantity quantity;
    const char *name;
};

static bool untold(const struct sampling *s, GError **error)
{
    return error_set(error, ERROR_LIMIT, "%s: the board does not report it", s->name);
}

static bool current_of(const struct board_telemetry *telemetry, const struct sampling *s, int64_t *value,
                       GError **error)
{
    *value = telemetry->current_ma;
    return telemetry_tells(telemetry, TELEMETRY_CURRENT) || untold(s, error);
}

/* Sensors are numbered as the recipe numbers them: the cells' from 0, then MOS, then ambient. */
static bool temperature_of(const struct board_telemetry *telemetry, const struct sampling *s, int64_t *value,
                           GError **error)
{
    unsigned mos = telemetry->sensors, ambient = mos + 1;
    if (s->sensor > ambient)
        return error_set(error, ERROR_AUTHOR,
                         "%s: sensor %u is not there: this board has %u cell sensors, so MOS is %u and "
                         "ambient %u is the last; correct `sensors:` of the recipe's calibrate_temperature",
                         s->name, s->sensor, mos, mos, ambient);
    *value = s->sensor < mos    ? telemetry->sensor_mdeg[s->sensor]
             : s->sensor == mos ? telemetry->mos_mdeg
                                : telemetry->ambient_mdeg;
    return *value != TELEMETRY_ABSENT || error_set(error, ERROR_LIMIT,
                                                   "%s: the board reports sensor %u as absent; expected a "
                                                   "temperature: check the sensor and its plug",
                                                   s->name, s->sensor);
}

static bool cell_of(const struct board_telemetry *telemetry, const struct sampling *s, int64_t *value,
                    GError **error)
{
    *value = s->sensor < telemetry->cells ? telemetry->cell_mv[s->sensor] : 0;
    return s->sensor < telemetry->cells ||
           error_set(error, ERROR_LIMIT, "%s: the board reports %u cells only", s->name, telemetry->cells);
}

static bool voltage_of(const struct board_telemetry *telemetry, const struct sampling *s, int64_t *value,
                       GError **error)
{
    *value = telemetry->pack_mv;
    return telemetry_tells(telemetry, TELEMETRY_PACK_VOLTAGE) || untold(s, error);
}

/* The mean of the board's own reading; LIMIT when it wanders more than the spread allows. */
static bool sample(struct step_context *context, const struct sampling *s, int64_t *mean, GError **error)
{
    int64_t sum = 0, low = INT64_MAX, high = INT64_MIN;
    int64_t count = CLAMP(s->count, 1, SAMPLES_MAX);
    for (int64_t i = 0; i < count; i++) {
        struct board_telemetry telemetry;
        int64_t value;
        if ((i && !wire_pause_ms(context->wire, SAMPLE_PERIOD_MS, error)) ||
            !board_telemetry(context->board, &telemetry, error))
            return false;
        if (!s->reader(&telemetry, s, &value, error))
            return false;
        sum += value;
        low = MIN(low, value);
        high = MAX(high, value);
        step_progress(context, "sample", (uint64_t)i + 1, (uint64_t)count);
    }
    *mean = sum / count;
    g_autofree char *name = g_strdup_printf("%s spread", s->name);
    enum quantity spread =
        s->quantity == QUANTITY_TEMPERATURE ? QUANTITY_TEMPERATURE_DIFFERENCE : s->quantity;
    return step_measure(
        context,
        &(struct step_measurement){
            .name = name, .quantity = spread, .value = high - low, .max = s->spread, .has_max = true},
        error);
}

static bool measure_error(struct step_context *context, const char *name, enum quantity quantity,
                          int64_t value, int64_t bound, GError **error)
{
    return step_measure(context,
                        &(struct step_measurement){.name = name,
                                                   .quantity = quantity,
                                                   .value = value,
                                                   .min = -bound,
                                                   .max = bound,
                                                   .has_min = true,
                                                   .has_max = true,
                                                   .by_bench = true},
                        error);
}

static bool calibrate(struct step_context *context, const char *what, enum board_calibration kind,
                      unsigned sensor, int64_t truth, GError **error)
{
    return step_same_board(context, error) && step_intent(context, what, NULL, error) &&
           board_calibrate(context->board, kind, sensor, truth, error) &&
           step_result(context, what, NULL, error);
}

static bool zero(struct step_context *context, GError **error)
{
    const struct recipe_calibrate_zero *p = context->step->parameters;
    struct sampling s = {current_of, 0, p->samples, p->spread, QUANTITY_CURRENT, "current at rest"};
    int64_t before, after;
    if (!step_need_bench(context, error) || !bench_set_current(context->bench, 0, error) ||
        !sample(context, &s, &before, error) ||
        !measure_error(context, "zero error as found", QUANTITY_CURRENT, before, p->correction_max, error) ||
        !calibrate(context, "calibrate-zero", CALIBRATE_CURRENT_ZERO, 0, 0, error) ||
        !sample(context, &s, &after, error))
        return false;
    return measure_error(context, "zero error after calibration", QUANTITY_CURRENT, after, p->tolerance,
                         error);
}

/* Sets a current, lets it settle, and gives the reference's and the board's reading of it. */
static bool read_point(struct step_context *context, int64_t current_ma, int64_t *truth, int64_t *reading,
                       GError **error)
{
    const struct recipe_calibrate_gain *p = context->step->parameters;
    struct sampling s = {current_of, 0, p->samples, p->spread, QUANTITY_CURRENT, "current"};
    return bench_set_current(context->bench, current_ma, error) &&
           wire_pause_ms(context->wire, p->settle / 1000, error) &&
           bench_read_current(context->bench, truth, error) && sample(context, &s, reading, error);
}

/* A reference that is itself far from what was asked for would calibrate the board to a wrong truth, and from
 * no current no gain can be had. */
static bool check_reference(int64_t truth, int64_t asked, GError **error)
{
    int64_t slack = llabs(asked) / 10;
    if (truth != 0 && llabs(truth - asked) <= slack)
        return true;
    g_autofree char *must = quantity_format(QUANTITY_CURRENT, asked);
    g_autofree char *is = quantity_format(QUANTITY_CURRENT, truth);
    g_autofree char *least = quantity_format(QUANTITY_CURRENT, asked - slack);
    g_autofree char *most = quantity_format(QUANTITY_CURRENT, asked + slack);
    if (truth == 0)
        return error_set(
            error, ERROR_INSTRUMENT,
            "no current flows: the reference shows 0 A, expected %s to %s; check that the source is "
            "on and its cables to board and reference are plugged",
            least, most);
    return error_set(error, ERROR_INSTRUMENT,
                     "the source was set to %s but the reference shows %s, expected %s to %s; check the "
                     "source's limits, the wiring and the reference's range",
                     must, is, least, most);
}

static bool gain_points(struct step_context *context, GError **error)
{
    const struct recipe_calibrate_gain *p = context->step->parameters;
    int64_t truth, reading;
    if (!read_point(context, p->current, &truth, &reading, error) ||
        !check_reference(truth, p->current, error))
        return false;
    int64_t error_ppc = (reading - truth) * 100000 / truth; /* thousandths of a percent */
    if (!measure_error(context, "gain error as found", QUANTITY_PERCENT, error_ppc, p->correction_max,
                       error) ||
        !calibrate(context, "calibrate-gain", CALIBRATE_CURRENT_GAIN, 0, truth, error) ||
        !read_point(context, p->current, &truth, &reading, error) ||
        !measure_error(context, "current error after calibration", QUANTITY_CURRENT, reading - truth,
                       p->tolerance, error) ||
        !read_point(context, p->verify_current, &truth, &reading, error) ||
        !check_reference(truth, p->verify_current, error))
        return false;
    return measure_error(context, "current error at the second point", QUANTITY_CURRENT, reading - truth,
                         p->tolerance, error);
}

static bool gain(struct step_context *context, GError **error)
{
    if (!step_need_bench(context, error))
        return false;
    bool ok = gain_points(context, error);
    bench_safe(context->bench);
    return ok;
}

static bool one_sensor(struct step_context *context, unsigned sensor, int64_t truth, GError **error)
{
    const struct recipe_calibrate_temperature *p = context->step->parameters;
    g_autofree char *name = g_strdup_printf("temperature %u", sensor + 1);
    g_autofree char *found = g_strdup_printf("%s error as found", name);
    g_autofree char *left = g_strdup_printf("%s error after calibration", name);
    struct sampling s = {temperature_of, sensor, p->samples, p->spread, QUANTITY_TEMPERATURE, name};
    int64_t reading;
    return sample(context, &s, &reading, error) &&
           measure_error(context, found, QUANTITY_TEMPERATURE_DIFFERENCE, reading - truth, p->correction_max,
                         error) &&
           calibrate(context, "calibrate-temperature", CALIBRATE_TEMPERATURE, sensor, truth, error) &&
           sample(context, &s, &reading, error) &&
           measure_error(context, left, QUANTITY_TEMPERATURE_DIFFERENCE, reading - truth, p->tolerance,
                         error);
}

static bool second_temperature(struct step_context *context, int64_t truth, GError **error)
{
    const struct recipe_calibrate_temperature *p = context->step->parameters;
    if (p->verify_step == 0)
        return true;
    int64_t moved;
    if (!bench_set_temperature(context->bench, truth + p->verify_step, error) ||
        !bench_read_temperature(context->bench, &moved, error))
        return false;
    for (guint i = 0; i < p->sensors->len; i++) {
        unsigned sensor = (unsigned)g_array_index(p->sensors, int64_t, i);
        g_autofree char *name = g_strdup_printf("temperature %u error at the second point", sensor + 1);
        struct sampling s = {temperature_of, sensor, p->samples, p->spread, QUANTITY_TEMPERATURE, name};
        int64_t reading;
        if (!sample(context, &s, &reading, error) ||
            !measure_error(context, name, QUANTITY_TEMPERATURE_DIFFERENCE, reading - moved, p->tolerance,
                           error))
            return false;
    }
    return bench_set_temperature(context->bench, truth, error);
}

static bool temperature(struct step_context *context, GError **error)
{
    const struct recipe_calibrate_temperature *p = context->step->parameters;
    int64_t truth;
    if (!step_need_bench(context, error) || !bench_read_temperature(context->bench, &truth, error))
        return false;
    for (guint i = 0; i < p->sensors->len; i++)
        if (!one_sensor(context, (unsigned)g_array_index(p->sensors, int64_t, i), truth, error))
            return false;
    return second_temperature(context, truth, error);
}

static bool one_cell(struct step_context *context, unsigned cell, GError **error)
{
    const struct recipe_calibrate_cells *p = context->step->parameters;
    g_autofree char *name = g_strdup_printf("cell %u", cell + 1);
    g_autofree char *found = g_strdup_printf("%s error as found", name);
    g_autofree char *left = g_strdup_printf("%s error after calibration", name);
    struct sampling s = {cell_of, cell, p->samples, p->spread, QUANTITY_VOLTAGE, name};
    int64_t truth, reading;
    return bench_read_cell(context->bench, cell, &truth, error) && sample(context, &s, &reading, error) &&
           measure_error(context, found, QUANTITY_VOLTAGE, reading - truth, p->correction_max, error) &&
           calibrate(context, "calibrate-cell", CALIBRATE_CELL, cell, truth, error) &&
           sample(context, &s, &reading, error) &&
           measure_error(context, left, QUANTITY_VOLTAGE, reading - truth, p->tolerance, error);
}

static bool cells(struct step_context *context, GError **error)
{
    struct board_telemetry telemetry;
    if (!step_need_bench(context, error) || !bench_set_current(context->bench, 0, error) ||
        !board_telemetry(context->board, &telemetry, error))
        return false;
    if (telemetry.cells == 0)
        return error_set(error, ERROR_LIMIT, "the board reports no cells to calibrate");
    for (unsigned i = 0; i < telemetry.cells; i++)
        if (!one_cell(context, i, error))
            return false;
    return true;
}

static bool voltage(struct step_context *context, GError **error)
{
    const struct recipe_calibrate_voltage *p = context->step->parameters;
    struct sampling s = {voltage_of, 0, p->samples, p->spread, QUANTITY_VOLTAGE, "pack voltage"};
    int64_t truth, reading;
    return step_need_bench(context, error) && bench_set_current(context->bench, 0, error) &&
           bench_read_voltage(context->bench, &truth, error) && sample(context, &s, &reading, error) &&
           measure_error(context, "pack voltage error as found", QUANTITY_VOLTAGE, reading - truth,
                         p->correction_max, error) &&
           calibrate(context, "calibrate-voltage", CALIBRATE_VOLTAGE, 0, truth, error) &&
           bench_read_voltage(context->bench, &truth, error) && sample(context, &s, &reading, error) &&
           measure_error(context, "pack voltage error after calibration", QUANTITY_VOLTAGE, reading - truth,
                         p->tolerance, error);
}

const struct step_kind step_calibrate_zero = {
    .verb = "calibrate_zero",
    .title = "Calibrate the current zero",
    .repeatable = true,
    .timeout_s = 120,
    .run = zero,
};

const struct step_kind step_calibrate_gain = {
    .verb = "calibrate_gain",
    .title = "Calibrate the current gain",
    .repeatable = true,
    .timeout_s = 300,
    .run = gain,
};

const struct step_kind step_calibrate_temperature = {
    .verb = "calibrate_temperature",
    .title = "Calibrate the temperatures",
    .repeatable = true,
    .timeout_s = 300,
    .run = temperature,
};

const struct step_kind step_calibrate_cells = {
    .verb = "calibrate_cells",
    .title = "Calibrate the cell voltages",
    .repeatable = true,
    .timeout_s = 300,
    .run = cells,
};

const struct step_kind step_calibrate_voltage = {
    .verb = "calibrate_voltage",
    .title = "Calibrate the pack voltage",
    .repeatable = true,
    .timeout_s = 120,
    .run = voltage,
};
