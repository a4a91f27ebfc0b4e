/* Records: answers from the documented views. */
#include "station/store/store_parts.h"

#include "station/base/error.h"

#include <string.h>

#define LIST_LIMIT 100

static const char list_sql[] = "SELECT * FROM v_run WHERE (?1 IS NULL OR sn = ?1) AND (?2 IS NULL OR model = "
                               "?2) AND (?3 IS NULL OR verdict = ?3)"
                               " AND (?4 IS NULL OR firmware = ?4) AND (?5 IS NULL OR started >= ?5) AND (?6 "
                               "IS NULL OR substr(started, 1, 10) <= ?6)"
                               " ORDER BY run DESC LIMIT ?7";

json_t *store_records_list(struct store *store, const struct store_filter *f, GError **error)
{
    return store_rows(store, error, list_sql, "ssssssi", f->sn, f->model, f->verdict, f->firmware, f->since,
                      f->until, f->limit > 0 ? f->limit : (int64_t)LIST_LIMIT);
}

/* One object a run with everything that belongs to it. */
static bool add_details(struct store *store, json_t *run, GError **error)
{
    static const struct {
        const char *key, *sql;
    } parts[] = {
        {"step", "SELECT step, attempt, verb, title, ok, error_kind, text, seconds FROM v_step WHERE run = ? "
                 "ORDER BY step, attempt"},
        {"value", "SELECT step, stage, key, before, written, found, raw_written, raw_found, ok FROM v_value "
                  "WHERE run = ?"},
        {"measurement", "SELECT step, name, quantity, value, shown, min, max, ok, instrument, instrument_due "
                        "FROM v_measurement"
                        " WHERE run = ?"},
        {"proof", "SELECT step, type, key, text FROM fact WHERE run = ? AND type IN ('intent', 'result', "
                  "'note') ORDER BY seq"},
        {"label", "SELECT job, copy, state, payload, text FROM v_label WHERE run = ?"},
    };
    int64_t number = json_integer_value(json_object_get(run, "run"));
    for (gsize i = 0; i < G_N_ELEMENTS(parts); i++) {
        json_t *rows = store_rows(store, error, parts[i].sql, "i", number);
        if (!rows)
            return false;
        json_object_set_new(run, parts[i].key, rows);
    }
    return true;
}

json_t *store_records_show(struct store *store, const char *sn, GError **error)
{
    json_t *runs = store_rows(store, error, "SELECT * FROM v_run WHERE sn = ? ORDER BY run", "s", sn);
    json_t *serial = store_rows(store, error, "SELECT * FROM v_serial WHERE sn = ?", "s", sn);
    json_t *unit = store_rows(store, error, "SELECT * FROM v_unit WHERE sn = ?", "s", sn);
    bool ok = runs && serial && unit;
    size_t i;
    json_t *run;
    if (ok && json_array_size(runs) == 0)
        ok = error_set(error, ERROR_ABSENT, "no record of serial number '%s'", sn);
    json_array_foreach(runs, i, run) ok = ok && add_details(store, run, error);
    if (ok)
        return json_pack("{s:s,s:o,s:o,s:o}", "sn", sn, "unit", unit, "serial", serial, "runs", runs);
    json_decref(runs);
    json_decref(serial);
    json_decref(unit);
    return NULL;
}

json_t *store_run_json(struct store *store, int64_t run, GError **error)
{
    json_t *rows = store_rows(store, error, "SELECT * FROM v_run WHERE run = ?", "i", run);
    json_t *row = rows ? json_incref(json_array_get(rows, 0)) : NULL;
    json_decref(rows);
    if (rows && !row)
        error_set(error, ERROR_ABSENT, "no run %" G_GINT64_FORMAT, run);
    return row;
}

bool store_value_found(struct store *store, int64_t run, const char *key, char **shown, GError **error)
{
    return store_get_text(
        store, error, shown,
        "SELECT found FROM value WHERE run = ? AND key = ? AND ok = 1 ORDER BY seq DESC LIMIT 1", "is", run,
        key);
}

/* RFC 4180; a cell that a spreadsheet would run as a formula gets an apostrophe in front. */
static void put_cell(FILE *out, json_t *value, bool first)
{
    g_autofree char *text = json_is_string(value) ? g_strdup(json_string_value(value))
                            : json_is_integer(value)
                                ? g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(value))
                            : json_is_real(value) ? g_strdup_printf("%.3f", json_real_value(value))
                                                  : g_strdup("");
    bool guard = json_is_string(value) && text[0] && strchr("=+-@\t\r", text[0]);
    fputs(first ? "\"" : ",\"", out);
    if (guard)
        fputc('\'', out);
    for (const char *p = text; *p; p++) {
        if (*p == '"')
            fputc('"', out);
        fputc(*p, out);
    }
    fputc('"', out);
}

bool store_export_csv(struct store *store, const struct store_filter *filter, FILE *out, GError **error)
{
    static const char *const columns[] = {"run",     "sn",     "uid",      "model",       "started",
                                          "verdict", "mode",   "firmware", "recipe",      "recipe_revision",
                                          "station", "slot",   "operator", "failed_step", "error_kind",
                                          "failure", "seconds"};
    json_t *rows = store_records_list(store, filter, error), *row;
    size_t i;
    if (!rows)
        return false;
    for (gsize c = 0; c < G_N_ELEMENTS(columns); c++)
        fprintf(out, "%s\"%s\"", c ? "," : "", columns[c]);
    fputs("\r\n", out);
    json_array_foreach(rows, i, row)
    {
        for (gsize c = 0; c < G_N_ELEMENTS(columns); c++)
            put_cell(out, json_object_get(row, columns[c]), c == 0);
        fputs("\r\n", out);
    }
    json_decref(rows);
    return fflush(out) == 0 || error_set(error, ERROR_STORAGE, "the export cannot be written");
}
