/* A bench behind SCPI text commands over a wire: SOUR:CURR, OUTP, MEAS:CURR?, MEAS:TEMP?, MEAS:CELL?,
 * BOAR:POW. Numbers are decimals in A and °C, as IEEE 488.2 NR2. */
#include "station/bench.h"

#include "station/base/error.h"

#include <stdlib.h>
#include <string.h>

#define SCPI_LINE_MAX   128
#define SCPI_TIMEOUT_MS 2000

bool bench_scpi_start(struct bench *bench, const char *identity, GError **error);
extern const struct bench_kind bench_scpi_kind;

static bool receive_line(struct bench *bench, char line[SCPI_LINE_MAX], GError **error)
{
    int64_t deadline = tick_deadline_ms(bench->tick, SCPI_TIMEOUT_MS);
    for (gsize n = 0; n < SCPI_LINE_MAX - 1; n++) {
        if (!wire_receive_all(bench->wire, &line[n], 1, deadline, error))
            return false;
        if (line[n] == '\n') {
            line[n] = '\0';
            g_strchomp(line);
            return true;
        }
    }
    return error_set(error, ERROR_INSTRUMENT, "answer longer than %d characters", SCPI_LINE_MAX);
}

static bool exchange(struct bench *bench, const char *command, char answer[SCPI_LINE_MAX], GError **error)
{
    g_autofree char *line = g_strconcat(command, "\n", NULL);
    int64_t deadline = tick_deadline_ms(bench->tick, SCPI_TIMEOUT_MS);
    bool ok = wire_send(bench->wire, line, strlen(line), deadline, error) &&
              (!answer || receive_line(bench, answer, error));
    if (!ok && error && *error) {
        (*error)->code = ERROR_INSTRUMENT;
        g_prefix_error(error, "bench '%s': %s: ", bench->identity, command);
    }
    return ok;
}

/* Every command that changes something is followed by SYST:ERR?, so that a refusal is never taken for a deed.
 */
static bool command(struct bench *bench, const char *text, GError **error)
{
    char answer[SCPI_LINE_MAX];
    if (!exchange(bench, text, NULL, error) || !exchange(bench, "SYST:ERR?", answer, error))
        return false;
    if (!g_str_has_prefix(answer, "0,") && !g_str_has_prefix(answer, "+0,"))
        return error_set(error, ERROR_INSTRUMENT, "bench '%s' refused '%s': %s", bench->identity, text,
                         answer);
    return true;
}

/* Thousandths of a decimal such as "-12.345"; more digits than three are rounded to the nearest. */
static bool parse_milli(const char *text, int64_t *milli)
{
    char *end = NULL;
    double value = g_ascii_strtod(text, &end);
    if (end == text || *end || !(value > -1e6 && value < 1e6))
        return false;
    *milli = (int64_t)(value * 1000 + (value < 0 ? -0.5 : 0.5));
    return true;
}

static bool query_milli(struct bench *bench, const char *text, int64_t *milli, GError **error)
{
    char answer[SCPI_LINE_MAX];
    if (!exchange(bench, text, answer, error))
        return false;
    if (!parse_milli(answer, milli))
        return error_set(error, ERROR_INSTRUMENT, "bench '%s': %s answered '%s', which is not a number",
                         bench->identity, text, answer);
    return true;
}

bool bench_scpi_start(struct bench *bench, const char *identity, GError **error)
{
    char answer[SCPI_LINE_MAX];
    if (!exchange(bench, "*IDN?", answer, error))
        return false;
    if (identity && *identity && !g_str_has_prefix(answer, identity))
        return error_set(error, ERROR_INSTRUMENT, "instrument is '%s' but the station file names '%s'",
                         answer, identity);
    g_strlcpy(bench->identity, answer, sizeof bench->identity);
    return true;
}

static bool set_milli(struct bench *bench, const char *verb, int64_t milli, GError **error)
{
    g_autofree char *text = g_strdup_printf("%s %s%" G_GINT64_FORMAT ".%03d", verb, milli < 0 ? "-" : "",
                                            ABS(milli) / 1000, (int)(ABS(milli) % 1000));
    return command(bench, text, error);
}

static bool set_current(struct bench *bench, int64_t ma, GError **error)
{
    return set_milli(bench, "SOUR:CURR", ma, error) && command(bench, ma ? "OUTP ON" : "OUTP OFF", error);
}

static bool read_current(struct bench *bench, int64_t *ma, GError **error)
{
    return query_milli(bench, "MEAS:CURR?", ma, error);
}

static bool set_temperature(struct bench *bench, int64_t mdeg, GError **error)
{
    return set_milli(bench, "SOUR:TEMP", mdeg, error);
}

static bool read_temperature(struct bench *bench, int64_t *mdeg, GError **error)
{
    return query_milli(bench, "MEAS:TEMP?", mdeg, error);
}

static bool read_cell(struct bench *bench, unsigned cell, int64_t *mv, GError **error)
{
    g_autofree char *text = g_strdup_printf("MEAS:CELL? %u", cell + 1);
    return query_milli(bench, text, mv, error);
}

static bool power(struct bench *bench, bool on, GError **error)
{
    return command(bench, on ? "BOAR:POW ON" : "BOAR:POW OFF", error);
}

static bool rest(struct bench *bench, GError **error)
{
    return set_current(bench, 0, error) && power(bench, true, error);
}

const struct bench_kind bench_scpi_kind = {
    .name = "scpi",
    .set_current = set_current,
    .read_current = read_current,
    .set_temperature = set_temperature,
    .read_temperature = read_temperature,
    .read_cell = read_cell,
    .power = power,
    .rest = rest,
};
