/* A reference that a person reads: the operator sets it and enters what it shows. */
#include "station/bench.h"

#include "station/base/error.h"

#define ENTERED_CURRENT_MAX_MA  1000000
#define ENTERED_TEMPERATURE_MIN -40000
#define ENTERED_TEMPERATURE_MAX 85000
#define ENTERED_CELL_MAX_MV     6000

extern const struct bench_kind bench_entered_kind;

static bool set_current(struct bench *bench, int64_t ma, GError **error)
{
    g_autofree char *amount = quantity_format(QUANTITY_CURRENT, ma < 0 ? -ma : ma);
    g_autofree char *text = ma == 0 ? g_strdup("Switch the current source off, then confirm.")
                                    : g_strdup_printf("Let %s flow %s the pack, then confirm.", amount,
                                                      ma > 0 ? "into" : "out of");
    struct desk_answer answer = {0};
    if (!bench->desk->ask(bench->desk->context, &(struct desk_ask){.question = ASK_CONFIRM, .text = text},
                          &answer, error))
        return false;
    return answer.yes ||
           error_set(error, ERROR_INSTRUMENT, "the operator could not set the current to %s", amount);
}

static bool number(struct bench *bench, const char *text, enum quantity quantity, int64_t min, int64_t max,
                   int64_t *value, GError **error)
{
    struct desk_answer answer = {0};
    struct desk_ask ask = {
        .question = ASK_NUMBER, .text = text, .quantity = quantity, .min = min, .max = max};
    if (!bench->desk->ask(bench->desk->context, &ask, &answer, error))
        return false;
    *value = answer.number;
    return true;
}

static bool read_current(struct bench *bench, int64_t *ma, GError **error)
{
    return number(bench, "Enter the current that the reference shows; charging is positive.",
                  QUANTITY_CURRENT, -ENTERED_CURRENT_MAX_MA, ENTERED_CURRENT_MAX_MA, ma, error);
}

static bool read_temperature(struct bench *bench, int64_t *mdeg, GError **error)
{
    return number(bench, "Enter the temperature that the reference shows at the sensors.",
                  QUANTITY_TEMPERATURE, ENTERED_TEMPERATURE_MIN, ENTERED_TEMPERATURE_MAX, mdeg, error);
}

static bool read_cell(struct bench *bench, unsigned cell, int64_t *mv, GError **error)
{
    g_autofree char *text =
        g_strdup_printf("Enter the voltage that the reference shows at cell %u.", cell + 1);
    return number(bench, text, QUANTITY_VOLTAGE, 0, ENTERED_CELL_MAX_MV, mv, error);
}

const struct bench_kind bench_entered_kind = {
    .name = "entered",
    .set_current = set_current,
    .read_current = read_current,
    .read_temperature = read_temperature,
    .read_cell = read_cell,
};
