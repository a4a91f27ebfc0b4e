/* The proof that the tables say what the journal says: they are made again from its rows, in a temporary
 * database, by the same triggers, and compared. */
#include "station/store/store_parts.h"

#include "station/base/error.h"

#include <string.h>

/* Derived tables, each with the order that its key gives. */
static const struct {
    const char *name, *sql;
} tables[] = {
    {"run", "SELECT * FROM run ORDER BY run"},
    {"run_end", "SELECT * FROM run_end ORDER BY run"},
    {"step", "SELECT * FROM step ORDER BY run, step, attempt"},
    {"fact", "SELECT * FROM fact ORDER BY seq"},
    {"value", "SELECT * FROM value ORDER BY seq"},
    {"measurement", "SELECT * FROM measurement ORDER BY seq"},
    {"serial", "SELECT * FROM serial ORDER BY sn"},
    {"unit", "SELECT * FROM unit ORDER BY run"},
    {"label_job", "SELECT * FROM label_job ORDER BY job"},
    {"package_sequence", "SELECT * FROM package_sequence ORDER BY seq"},
    {"file", "SELECT * FROM file ORDER BY sha256"},
};

static bool scratch_failed(sqlite3 *scratch, GError **error)
{
    return error_set(error, ERROR_STORAGE, "the tables cannot be made again from the journal: %s",
                     scratch ? sqlite3_errmsg(scratch) : "out of memory");
}

/* An empty name is a private file that SQLite removes by itself; it may be lost, so nothing is synced. */
static sqlite3 *open_scratch(GError **error)
{
    static const char *const texts[] = {"PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF",
                                        store_schema_sql, store_derive_sql, store_views_sql,
                                        store_promises_sql};
    sqlite3 *scratch = NULL;
    int code = sqlite3_open_v2("", &scratch, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    for (gsize i = 0; code == SQLITE_OK && i < G_N_ELEMENTS(texts); i++)
        code = sqlite3_exec(scratch, texts[i], NULL, NULL, NULL);
    if (code == SQLITE_OK)
        return scratch;
    scratch_failed(scratch, error);
    sqlite3_close(scratch);
    return NULL;
}

static bool copy_row(sqlite3 *scratch, sqlite3_stmt *from, sqlite3_stmt *to, GError **error)
{
    for (int i = 0; i < sqlite3_column_count(from); i++)
        sqlite3_bind_value(to, i + 1, sqlite3_column_value(from, i));
    if (sqlite3_step(to) != SQLITE_DONE)
        return error_set(error, ERROR_STORAGE, "row %" G_GINT64_FORMAT " of the journal cannot be: %s",
                         (gint64)sqlite3_column_int64(from, 0), sqlite3_errmsg(scratch));
    sqlite3_reset(to);
    return true;
}

static bool copy_journal(struct store *store, sqlite3 *scratch, GError **error)
{
    sqlite3_stmt *from = store_prepare(store, error, "SELECT * FROM journal ORDER BY seq", NULL), *to = NULL;
    int code = SQLITE_DONE;
    bool ok = from != NULL;
    if (ok && (sqlite3_exec(scratch, "BEGIN", NULL, NULL, NULL) != SQLITE_OK ||
               sqlite3_prepare_v2(scratch, "INSERT INTO journal VALUES (?,?,?,?,?,?,?,?,?)", -1, &to, NULL) !=
                   SQLITE_OK))
        ok = scratch_failed(scratch, error);
    while (ok && (code = sqlite3_step(from)) == SQLITE_ROW)
        ok = copy_row(scratch, from, to, error);
    if (ok && code != SQLITE_DONE)
        ok = store_broken(store, "journal", error);
    sqlite3_finalize(from);
    sqlite3_finalize(to);
    return ok &&
           (sqlite3_exec(scratch, "COMMIT", NULL, NULL, NULL) == SQLITE_OK || scratch_failed(scratch, error));
}

static bool same_cell(sqlite3_stmt *a, sqlite3_stmt *b, int i)
{
    return sqlite3_column_type(a, i) == sqlite3_column_type(b, i) &&
           g_strcmp0((const char *)sqlite3_column_text(a, i), (const char *)sqlite3_column_text(b, i)) == 0;
}

static bool same_rows(sqlite3_stmt *is, sqlite3_stmt *must, const char *table, GError **error)
{
    for (int64_t row = 1;; row++) {
        int a = sqlite3_step(is), b = sqlite3_step(must);
        if (a == SQLITE_DONE && b == SQLITE_DONE)
            return true;
        if ((a != SQLITE_ROW && a != SQLITE_DONE) || (b != SQLITE_ROW && b != SQLITE_DONE))
            return error_set(error, ERROR_STORAGE, "table %s cannot be read", table);
        if (a != b)
            return error_set(error, ERROR_STORAGE, "table %s has %s rows than the journal says", table,
                             a == SQLITE_ROW ? "more" : "fewer");
        for (int i = 0; i < sqlite3_column_count(must); i++)
            if (!same_cell(is, must, i))
                return error_set(error, ERROR_STORAGE,
                                 "row %" G_GINT64_FORMAT
                                 " of table %s (%s = %s) was changed: its %s is not what the journal says",
                                 row, table, sqlite3_column_name(is, 0),
                                 (const char *)sqlite3_column_text(is, 0), sqlite3_column_name(is, i));
    }
}

static bool same_table(struct store *store, sqlite3 *scratch, gsize i, GError **error)
{
    sqlite3_stmt *is = store_prepare(store, error, tables[i].sql, NULL), *must = NULL;
    bool ok = is != NULL;
    if (ok && sqlite3_prepare_v2(scratch, tables[i].sql, -1, &must, NULL) != SQLITE_OK)
        ok = scratch_failed(scratch, error);
    ok = ok && same_rows(is, must, tables[i].name, error);
    sqlite3_finalize(is);
    sqlite3_finalize(must);
    return ok;
}

bool store_check_derived(struct store *store, GError **error)
{
    sqlite3 *scratch = open_scratch(error);
    bool ok = scratch && copy_journal(store, scratch, error);
    for (gsize i = 0; ok && i < G_N_ELEMENTS(tables); i++)
        ok = same_table(store, scratch, i, error);
    sqlite3_close(scratch);
    return ok;
}

static bool has_object(struct store *store, const char *type, const char *name, const char *sql,
                       GError **error)
{
    int64_t one;
    bool found;
    if (!store_get_int(store, error, &one, &found,
                       "SELECT 1 FROM sqlite_schema WHERE type = ? AND name = ? AND sql IS ?", "sss", type,
                       name, sql))
        return false;
    return found ||
           error_set(error, ERROR_STORAGE,
                     "the %s '%s' of the journal is missing or was changed: somebody else wrote to %s", type,
                     name, store->folder);
}

/* A trigger of somebody else could change what a row of the journal does. */
static bool no_foreign_triggers(struct store *store, int64_t ours, GError **error)
{
    int64_t all;
    bool found;
    if (!store_get_int(store, error, &all, &found,
                       "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'", NULL))
        return false;
    return all == ours ||
           error_set(error, ERROR_STORAGE, "there are triggers in %s that are not packline's", store->folder);
}

bool store_check_schema(struct store *store, GError **error)
{
    sqlite3 *scratch = open_scratch(error);
    sqlite3_stmt *must = NULL;
    bool ok = scratch != NULL;
    int code = SQLITE_DONE;
    int64_t triggers = 0;
    if (ok && sqlite3_prepare_v2(scratch, "SELECT type, name, sql FROM sqlite_schema", -1, &must, NULL) !=
                  SQLITE_OK)
        ok = scratch_failed(scratch, error);
    while (ok && (code = sqlite3_step(must)) == SQLITE_ROW) {
        const char *type = (const char *)sqlite3_column_text(must, 0);
        triggers += strcmp(type, "trigger") == 0;
        ok = has_object(store, type, (const char *)sqlite3_column_text(must, 1),
                        (const char *)sqlite3_column_text(must, 2), error);
    }
    if (ok && code != SQLITE_DONE)
        ok = scratch_failed(scratch, error);
    sqlite3_finalize(must);
    sqlite3_close(scratch);
    return ok && no_foreign_triggers(store, triggers, error);
}
