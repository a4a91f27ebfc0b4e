/* Records: answers from the documented views. */
#include "station/store/store_parts.h"

#include "station/base/error.h"
#include "station/base/words.h"

#include <string.h>

#define LIST_LIMIT 100
#define DAY_US     (INT64_C(86400) * 1000000)

/* "2026-11-20" → µs UTC at its start. */
static bool parse_day(const char *text, int64_t *wall_us, GError **error)
{
    g_autofree char *shown = words_shown(text);
    g_autofree char *iso = g_strconcat(text, "T00:00:00Z", NULL);
    g_autoptr(GDateTime) day = strlen(text) == 10 ? g_date_time_new_from_iso8601(iso, NULL) : NULL;
    if (!day)
        return error_set(error, ERROR_USAGE, "%s is no day: write YYYY-MM-DD, such as 2026-11-20", shown);
    *wall_us = g_date_time_to_unix(day) * 1000000;
    return true;
}

/* Only what is asked for stands in the query: "? IS NULL OR sn = ?" would read every run there ever was. */
static sqlite3_stmt *prepare_list(struct store *store, const char *columns, const struct store_filter *f,
                                  int64_t limit, GError **error)
{
    const struct {
        const char *condition, *value;
    } texts[] = {{" AND sn = ?1", f->sn},
                 {" AND model = ?2", f->model},
                 {" AND verdict = ?3", f->verdict},
                 {" AND firmware = ?4", f->firmware}};
    int64_t since = 0, until = 0;
    g_autoptr(GString) sql = g_string_new(NULL);
    if ((f->since && !parse_day(f->since, &since, error)) ||
        (f->until && !parse_day(f->until, &until, error)))
        return NULL;
    g_string_printf(sql, "SELECT %s FROM v_run WHERE 1", columns);
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++)
        if (texts[i].value)
            g_string_append(sql, texts[i].condition);
    if (f->since)
        g_string_append(sql, " AND started_us >= ?5");
    if (f->until)
        g_string_append(sql, " AND started_us < ?6");
    g_string_append(sql, " AND ?1 IS ?1 AND ?2 IS ?2 AND ?3 IS ?3 AND ?4 IS ?4 AND ?5 IS ?5 AND ?6 IS ?6"
                         " ORDER BY run DESC LIMIT ?7");
    return store_prepare(store, error, sql->str, "ssssiii", f->sn, f->model, f->verdict, f->firmware, since,
                         until + DAY_US, limit);
}

json_t *store_records_list(struct store *store, const struct store_filter *filter, GError **error)
{
    int code;
    sqlite3_stmt *row =
        prepare_list(store, "*", filter, filter->limit ? filter->limit : (int64_t)LIST_LIMIT, error);
    if (!row)
        return NULL;
    json_t *rows = json_array();
    while ((code = sqlite3_step(row)) == SQLITE_ROW) {
        json_t *object = store_row_json(row);
        json_object_del(object, "started_us");
        json_array_append_new(rows, object);
    }
    sqlite3_finalize(row);
    if (code == SQLITE_DONE)
        return rows;
    json_decref(rows);
    store_broken(store, "journal", error);
    return NULL;
}

/* One object a run with everything that belongs to it. */
static bool add_details(struct store *store, json_t *run, GError **error)
{
    static const struct {
        const char *key, *sql;
    } parts[] = {
        {"step", "SELECT step, attempt, verb, title, ok, error_kind, text, seconds FROM v_step WHERE run = ?"
                 " ORDER BY step, attempt"},
        {"value", "SELECT step, stage, key, before, written, found, raw_written, raw_found, ok FROM v_value"
                  " WHERE run = ? ORDER BY seq"},
        {"measurement", "SELECT step, name, quantity, value, shown, min, max, ok, instrument, instrument_due"
                        " FROM v_measurement WHERE run = ? ORDER BY seq"},
        {"proof", "SELECT step, type, key, text FROM fact WHERE run = ? AND type IN ('intent', 'result')"
                  " ORDER BY seq"},
        {"note", "SELECT step, text FROM fact WHERE run = ? AND type = 'note' ORDER BY seq"},
        {"label", "SELECT job, copy, state, payload, text, changed FROM v_label WHERE run = ? ORDER BY job"},
    };
    int64_t number = json_integer_value(json_object_get(run, "run"));
    for (gsize i = 0; i < G_N_ELEMENTS(parts); i++) {
        json_t *rows = store_rows(store, error, parts[i].sql, "i", number);
        if (!rows)
            return false;
        json_object_set_new(run, parts[i].key, rows);
    }
    json_object_del(run, "started_us");
    return true;
}

static json_t *show(struct store *store, const char *sn, GError **error)
{
    json_t *runs = store_rows(store, error, "SELECT * FROM v_run WHERE sn = ? ORDER BY run", "s", sn);
    json_t *serial = runs ? store_rows(store, error, "SELECT * FROM v_serial WHERE sn = ?", "s", sn) : NULL;
    json_t *unit = serial ? store_rows(store, error, "SELECT * FROM v_unit WHERE sn = ?", "s", sn) : NULL;
    bool ok = unit != NULL;
    size_t i;
    json_t *run;
    if (ok && json_array_size(runs) == 0 && json_array_size(serial) == 0) {
        g_autofree char *shown = words_shown(sn);
        ok = error_set(error, ERROR_ABSENT, "no record of serial number %s", shown);
    }
    json_array_foreach(runs, i, run) ok = ok && add_details(store, run, error);
    if (ok)
        return json_pack("{s:o,s:o,s:o,s:o}", "sn", json_string(sn), "unit", unit, "serial", serial, "runs",
                         runs);
    json_decref(runs);
    json_decref(serial);
    json_decref(unit);
    return NULL;
}

json_t *store_records_show(struct store *store, const char *sn, GError **error)
{
    /* One snapshot: a working station must not put a row between two of these answers. */
    if (!store_exec(store, "BEGIN", error))
        return NULL;
    json_t *record = show(store, sn, error);
    sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return record;
}

json_t *store_run_json(struct store *store, int64_t run, GError **error)
{
    json_t *rows = store_rows(store, error, "SELECT * FROM v_run WHERE run = ?", "i", run);
    json_t *row = rows ? json_incref(json_array_get(rows, 0)) : NULL;
    if (rows && !row)
        error_set(error, ERROR_ABSENT, "no run %" G_GINT64_FORMAT, run);
    json_decref(rows);
    if (row)
        json_object_del(row, "started_us");
    return row;
}

bool store_value_found(struct store *store, int64_t run, const char *key, char **shown, GError **error)
{
    return store_get_text(
        store, error, shown,
        "SELECT found FROM value WHERE run = ? AND key = ? AND ok = 1 ORDER BY seq DESC LIMIT 1", "is", run,
        key);
}

bool store_measured(struct store *store, int64_t run, const char *name, char **shown, GError **error)
{
    return store_get_text(
        store, error, shown,
        "SELECT shown FROM measurement WHERE run = ? AND name = ? AND ok = 1 ORDER BY seq DESC LIMIT 1", "is",
        run, name);
}

/* RFC 4180; a cell that a spreadsheet would run as a formula gets an apostrophe in front. */
static void put_cell(FILE *out, const char *text, bool is_text, bool first)
{
    fputs(first ? "\"" : ",\"", out);
    if (is_text && text[0] && strchr("=+-@\t\r\n", text[0]))
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
    static const char columns[] =
        "run, sn, uid, model, started, verdict, mode, firmware, recipe, recipe_revision, station,"
        " slot, operator, failed_step, error_kind, failure, printf('%.3f', seconds) AS seconds,"
        " hardware, package_sha256, release_sha256, dialect,"
        " profile, profile_sha256, evidence";
    int code;
    sqlite3_stmt *row =
        prepare_list(store, columns, filter, filter->limit ? filter->limit : (int64_t)-1, error);
    if (!row)
        return false;
    for (int c = 0; c < sqlite3_column_count(row); c++)
        put_cell(out, sqlite3_column_name(row, c), false, c == 0);
    fputs("\r\n", out);
    while ((code = sqlite3_step(row)) == SQLITE_ROW) {
        for (int c = 0; c < sqlite3_column_count(row); c++) {
            bool is_text = sqlite3_column_type(row, c) == SQLITE_TEXT;
            const char *text = (const char *)sqlite3_column_text(row, c);
            put_cell(out, text ? text : "", is_text, c == 0);
        }
        fputs("\r\n", out);
    }
    sqlite3_finalize(row);
    if (code != SQLITE_DONE)
        return store_broken(store, "journal", error);
    return (fflush(out) == 0 && !ferror(out)) ||
           error_set(error, ERROR_STORAGE, "the export cannot be written: check where it goes to");
}
