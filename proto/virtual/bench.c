/* The bench around a board, as SCPI-like text: docs/virtual-bench.md. */
#include "proto/virtual/parts.h"

#include <string.h>

static char *fail(struct vboard *board, const char *error)
{
    g_strlcpy(board->bench_error, error, sizeof board->bench_error);
    return g_strdup("");
}

static char *milli(int64_t value)
{
    return g_strdup_printf("%s%" G_GINT64_FORMAT ".%03d", value < 0 ? "-" : "", ABS(value) / 1000,
                           (int)(ABS(value) % 1000));
}

static bool number(const char *text, int64_t *value)
{
    char *end = NULL;
    double parsed = g_ascii_strtod(text, &end);
    if (end == text || *end || !(parsed > -1000 && parsed < 1000))
        return false;
    *value = (int64_t)(parsed * 1000 + (parsed < 0 ? -0.5 : 0.5));
    return true;
}

static char *set_number(struct vboard *board, const char *text, int64_t *to)
{
    return number(text, to) ? g_strdup("") : fail(board, "-222,\"Data out of range\"");
}

static char *query(struct vboard *board, const char *line)
{
    int64_t sum = 0;
    if (strcmp(line, "*IDN?") == 0)
        return g_strdup_printf("PACKLINE,VIRTUAL-BENCH,%" G_GUINT64_FORMAT ",1.0", board->nvm.unit_seed);
    if (strcmp(line, "SOUR:CURR?") == 0)
        return milli(board->bench_ma);
    if (strcmp(line, "OUTP?") == 0)
        return g_strdup(board->bench_output ? "1" : "0");
    if (strcmp(line, "MEAS:CURR?") == 0)
        return milli(vb_true_ma(board));
    if (strcmp(line, "MEAS:TEMP?") == 0)
        return milli(board->bench_mdeg);
    if (g_str_has_prefix(line, "MEAS:CELL? ")) {
        guint64 cell;
        bool ok = g_ascii_string_to_unsigned(line + 11, 10, 1, board->family->cells, &cell, NULL);
        return ok ? milli(vb_cell_mv(board, (unsigned)cell - 1)) : fail(board, "-222,\"Data out of range\"");
    }
    for (unsigned i = 0; i < board->family->cells; i++)
        sum += vb_cell_mv(board, i);
    if (strcmp(line, "MEAS:VOLT?") == 0)
        return milli(sum);
    if (strcmp(line, "SYST:ERR?") == 0) {
        char *error = g_strdup(board->bench_error[0] ? board->bench_error : "0,\"No error\"");
        board->bench_error[0] = '\0';
        return error;
    }
    return fail(board, "-113,\"Undefined header\"");
}

char *vboard_bench_command(struct vboard *board, const char *line, int64_t now_us)
{
    if (strchr(line, '?'))
        return query(board, line);
    if (g_str_has_prefix(line, "SOUR:CURR "))
        return set_number(board, line + 10, &board->bench_ma);
    if (g_str_has_prefix(line, "SOUR:TEMP "))
        return set_number(board, line + 10, &board->bench_mdeg);
    if (strcmp(line, "OUTP ON") == 0 || strcmp(line, "OUTP OFF") == 0) {
        board->bench_output = line[6] == 'N';
        return g_strdup("");
    }
    if (strcmp(line, "BOAR:POW ON") == 0 || strcmp(line, "BOAR:POW OFF") == 0) {
        vboard_power(board, line[10] == 'N', now_us);
        return g_strdup("");
    }
    if (strcmp(line, "BOAR:POW CYCL") == 0) {
        vboard_power(board, false, now_us);
        vboard_power(board, true, now_us);
        return g_strdup("");
    }
    if (strcmp(line, "BOAR:RES") == 0 || strcmp(line, "BOAR:RES 10") == 0) {
        int64_t held = strlen(line) > 8 ? 10000000 : 100000;
        vboard_reset_button(board, true, now_us - held);
        vboard_reset_button(board, false, now_us);
        return g_strdup("");
    }
    return fail(board, "-113,\"Undefined header\"");
}
