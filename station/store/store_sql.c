/* The few ways in which the store talks to SQLite. */
#include "station/store/store_parts.h"

#include "station/base/error.h"

#include <stdarg.h>
#include <string.h>

bool store_broken(struct store *store, const char *what, GError **error)
{
    int code = sqlite3_extended_errcode(store->db);
    const char *advice = code == SQLITE_FULL || (code & 0xff) == SQLITE_FULL ? "the disk is full: make room"
                         : (code & 0xff) == SQLITE_READONLY
                             ? "the database cannot be written: check the disk and its permissions"
                         : (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB
                             ? "the database is damaged: restore a backup"
                             : "check the disk";
    g_autofree char *text =
        g_strdup_printf("%s: %s (SQLite %d); %s", what, sqlite3_errmsg(store->db), code, advice);
    if (!store->reader && !store->failed)
        store->failed = g_strdup(text);
    return error_set(error, ERROR_STORAGE, "%s", text);
}

bool store_exec(struct store *store, const char *sql, GError **error)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ||
           store_broken(store, "journal", error);
}

static bool bind_all(sqlite3_stmt *statement, const char *format, va_list args)
{
    bool ok = true;
    for (int i = 0; format && format[i]; i++) {
        if (format[i] == 'i') {
            ok &= sqlite3_bind_int64(statement, i + 1, va_arg(args, int64_t)) == SQLITE_OK;
        } else {
            const char *text = va_arg(args, const char *);
            ok &= (text ? sqlite3_bind_text(statement, i + 1, text, -1, SQLITE_TRANSIENT)
                        : sqlite3_bind_null(statement, i + 1)) == SQLITE_OK;
        }
    }
    return ok;
}

static sqlite3_stmt *prepare(struct store *store, GError **error, const char *sql, const char *format,
                             va_list args)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) == SQLITE_OK &&
        bind_all(statement, format, args))
        return statement;
    store_broken(store, "journal", error);
    sqlite3_finalize(statement);
    return NULL;
}

sqlite3_stmt *store_prepare(struct store *store, GError **error, const char *sql, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    sqlite3_stmt *statement = prepare(store, error, sql, format, args);
    va_end(args);
    return statement;
}

bool store_run(struct store *store, GError **error, const char *sql, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    sqlite3_stmt *statement = prepare(store, error, sql, format, args);
    va_end(args);
    if (!statement)
        return false;
    int code = sqlite3_step(statement);
    bool ok = code == SQLITE_DONE || code == SQLITE_ROW || store_broken(store, "journal", error);
    sqlite3_finalize(statement);
    return ok;
}

bool store_get_int(struct store *store, GError **error, int64_t *value, bool *found, const char *sql,
                   const char *format, ...)
{
    va_list args;
    va_start(args, format);
    sqlite3_stmt *statement = prepare(store, error, sql, format, args);
    va_end(args);
    if (!statement)
        return false;
    int code = sqlite3_step(statement);
    *found = code == SQLITE_ROW;
    *value = *found ? sqlite3_column_int64(statement, 0) : 0;
    bool ok = *found || code == SQLITE_DONE || store_broken(store, "journal", error);
    sqlite3_finalize(statement);
    return ok;
}

bool store_get_text(struct store *store, GError **error, char **text, const char *sql, const char *format,
                    ...)
{
    va_list args;
    va_start(args, format);
    sqlite3_stmt *statement = prepare(store, error, sql, format, args);
    va_end(args);
    if (!statement)
        return false;
    int code = sqlite3_step(statement);
    *text = code == SQLITE_ROW ? g_strdup((const char *)sqlite3_column_text(statement, 0)) : NULL;
    bool ok = code == SQLITE_ROW || code == SQLITE_DONE || store_broken(store, "journal", error);
    sqlite3_finalize(statement);
    return ok;
}

static json_t *row_json(sqlite3_stmt *statement)
{
    json_t *row = json_object();
    for (int i = 0; i < sqlite3_column_count(statement); i++) {
        const char *name = sqlite3_column_name(statement, i);
        switch (sqlite3_column_type(statement, i)) {
        case SQLITE_INTEGER:
            json_object_set_new(row, name, json_integer(sqlite3_column_int64(statement, i)));
            break;
        case SQLITE_FLOAT:
            json_object_set_new(row, name, json_real(sqlite3_column_double(statement, i)));
            break;
        case SQLITE_TEXT:
            json_object_set_new(row, name, json_string((const char *)sqlite3_column_text(statement, i)));
            break;
        default:
            json_object_set_new(row, name, json_null());
            break;
        }
    }
    return row;
}

json_t *store_rows(struct store *store, GError **error, const char *sql, const char *format, ...)
{
    va_list args;
    int code;
    va_start(args, format);
    sqlite3_stmt *statement = prepare(store, error, sql, format, args);
    va_end(args);
    if (!statement)
        return NULL;
    json_t *rows = json_array();
    while ((code = sqlite3_step(statement)) == SQLITE_ROW)
        json_array_append_new(rows, row_json(statement));
    sqlite3_finalize(statement);
    if (code == SQLITE_DONE)
        return rows;
    json_decref(rows);
    store_broken(store, "journal", error);
    return NULL;
}

bool store_begin(struct store *store, GError **error)
{
    /* After one storage error nothing is believed any more: a retry could report a lost write as done. */
    if (store->failed)
        return error_set(error, ERROR_STORAGE, "the journal stopped after: %s", store->failed);
    return store_exec(store, "BEGIN IMMEDIATE", error);
}

bool store_commit(struct store *store, bool ok, GError **error)
{
    if (ok && store_exec(store, "COMMIT", error))
        return true;
    sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return false;
}
