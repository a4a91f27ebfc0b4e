#include "station/bench.h"

#include "station/base/error.h"

#include <string.h>

extern const struct bench_kind bench_scpi_kind;
extern const struct bench_kind bench_entered_kind;
bool bench_scpi_start(struct bench *bench, const char *identity, GError **error);

static const struct bench_kind *const kinds[] = {&bench_scpi_kind, &bench_entered_kind};

static const struct bench_kind *kind_find(const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (strcmp(kinds[i]->name, name) == 0)
            return kinds[i];
    return NULL;
}

struct bench *bench_open(const struct bench_options *options, GError **error)
{
    const struct bench_kind *kind = kind_find(options->kind);
    if (!kind) {
        error_set(error, ERROR_AUTHOR, "bench: no kind '%s'; known are scpi and entered", options->kind);
        return NULL;
    }
    struct bench *bench = g_new0(struct bench, 1);
    bench->kind = kind;
    bench->desk = options->desk;
    bench->tick = options->tick;
    bench->due_us = options->due_us;
    if (options->due_us) {
        g_autofree char *date = tick_format_utc(options->due_us);
        g_strlcpy(bench->due, date, 11);
    }
    g_strlcpy(bench->identity, options->identity ? options->identity : "", sizeof bench->identity);
    if (kind != &bench_scpi_kind)
        return bench;
    struct wire_options wire = {{9600, 8, WIRE_PARITY_NONE, 1}, options->tick, NULL};
    bench->wire = wire_open(options->link, &wire, error);
    if (!bench->wire || !bench_scpi_start(bench, options->identity, error)) {
        if (error && *error)
            (*error)->code = ERROR_INSTRUMENT;
        g_prefix_error(error, "bench %s: ", options->link);
        bench_close(bench);
        return NULL;
    }
    return bench;
}

void bench_close(struct bench *bench)
{
    if (!bench)
        return;
    bench_safe(bench);
    if (bench->kind->close)
        bench->kind->close(bench);
    wire_close(bench->wire);
    g_free(bench);
}

bool bench_valid(const struct bench *bench, int64_t wall_us, GError **error)
{
    if (!bench)
        return error_set(error, ERROR_INSTRUMENT,
                         "this slot has no reference: name one under `bench:` in the station file");
    if (bench->due_us == 0)
        return error_set(error, ERROR_INSTRUMENT,
                         "reference '%s' has no calibration date: enter `due:` for it", bench->identity);
    /* The date itself is still a valid day. */
    if (wall_us >= bench->due_us + TICK_S(86400))
        return error_set(error, ERROR_INSTRUMENT,
                         "reference '%s' was due for calibration on %s: calibrate it first", bench->identity,
                         bench->due);
    return true;
}

bool bench_rest(struct bench *bench, GError **error)
{
    return !bench->kind->rest || bench->kind->rest(bench, error);
}

static bool lacks(const struct bench *bench, const char *what, GError **error)
{
    return error_set(error, ERROR_INSTRUMENT, "bench '%s' cannot %s", bench ? bench->identity : "none", what);
}

bool bench_set_current(struct bench *bench, int64_t ma, GError **error)
{
    if (!bench || !bench->kind->set_current)
        return lacks(bench, "set a current", error);
    bench->output_on = true;
    if (!bench->kind->set_current(bench, ma, error))
        return false;
    bench->output_on = ma != 0;
    return true;
}

bool bench_read_current(struct bench *bench, int64_t *ma, GError **error)
{
    return bench && bench->kind->read_current ? bench->kind->read_current(bench, ma, error)
                                              : lacks(bench, "measure a current", error);
}

bool bench_set_temperature(struct bench *bench, int64_t mdeg, GError **error)
{
    return bench && bench->kind->set_temperature ? bench->kind->set_temperature(bench, mdeg, error)
                                                 : lacks(bench, "set a temperature", error);
}

bool bench_read_temperature(struct bench *bench, int64_t *mdeg, GError **error)
{
    return bench && bench->kind->read_temperature ? bench->kind->read_temperature(bench, mdeg, error)
                                                  : lacks(bench, "measure a temperature", error);
}

bool bench_read_cell(struct bench *bench, unsigned cell, int64_t *mv, GError **error)
{
    return bench && bench->kind->read_cell ? bench->kind->read_cell(bench, cell, mv, error)
                                           : lacks(bench, "measure a cell", error);
}

bool bench_power_cycle(struct bench *bench, int64_t off_ms, GError **error)
{
    if (!bench || !bench->kind->power)
        return lacks(bench, "switch the board's supply", error);
    if (!bench->kind->power(bench, false, error))
        return false;
    tick_sleep_until(bench->tick, tick_deadline_ms(bench->tick, off_ms));
    return bench->kind->power(bench, true, error);
}

void bench_safe(struct bench *bench)
{
    g_autoptr(GError) ignored = NULL;
    if (bench && bench->output_on && bench->kind->set_current && bench->kind->set_current(bench, 0, &ignored))
        bench->output_on = false;
}
