/* The few ways in which the store talks to SQLite. */
#include "station/store/store_parts.h"

#include "station/base/error.h"

#include <stdarg.h>
#include <string.h>

bool store_fail(struct store *store, const char *text, GError **error)
{
    if (!store->reader && !store->failed)
        store->failed = g_strdup(text);
    return error_set(error, ERROR_STORAGE, "%s", text);
}

bool store_ready(struct store *store, GError **error)
{
    if (store->reader)
        return error_set(error, ERROR_INTERNAL, "%s is open for reading only", store->folder);
    /* After one storage error nothing is believed any more: a retry could report a lost write as done. */
    return !store->failed ||
           error_set(error, ERROR_STORAGE,
                     "nothing is recorded any more since: %s; restart when it is repaired", store->failed);
}

static const char *advice_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_FULL:
        return "the disk is full: make room, then restart";
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        return "check that the disk is mounted writable and the folder belongs to this user";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return "the database is damaged: keep it aside and restore a backup";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return "another program holds the database: close it, open it with -readonly";
    default:
        return "check the disk and its free space";
    }
}

bool store_broken(struct store *store, const char *what, GError **error)
{
    int code = store->db ? sqlite3_extended_errcode(store->db) : SQLITE_NOMEM;
    const char *says = store->db ? sqlite3_errmsg(store->db) : "out of memory";
    if ((code & 0xff) == SQLITE_CONSTRAINT)
        return error_set(error, ERROR_INTERNAL, "the journal refuses this: %s", says);
    g_autofree char *text = g_strdup_printf("%s: %s (SQLite %d): %s", what, says, code, advice_of(code));
    return store_fail(store, text, error);
}

bool store_exec(struct store *store, const char *sql, GError **error)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ||
           store_broken(store, "journal", error);
}

/* Foreign bytes that are no UTF-8 are made readable, so that what goes in also comes out. */
static bool bind_text(sqlite3_stmt *statement, int i, const char *text)
{
    if (!text)
        return sqlite3_bind_null(statement, i) == SQLITE_OK;
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    return sqlite3_bind_text(statement, i, valid, -1, SQLITE_TRANSIENT) == SQLITE_OK;
}

static bool bind_all(sqlite3_stmt *statement, const char *format, va_list args)
{
    bool ok = true; /* the first failure ends it: the next success would take SQLite's error code away */
    for (int i = 0; ok && format && format[i]; i++) {
        if (format[i] == 'i')
            ok = sqlite3_bind_int64(statement, i + 1, va_arg(args, int64_t)) == SQLITE_OK;
        else
            ok = bind_text(statement, i + 1, va_arg(args, const char *));
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

bool store_bind(struct store *store, sqlite3_stmt *statement, GError **error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    bool ok = bind_all(statement, format, args);
    va_end(args);
    return ok || store_broken(store, "journal", error);
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

json_t *store_row_json(sqlite3_stmt *statement)
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
        json_array_append_new(rows, store_row_json(statement));
    sqlite3_finalize(statement);
    if (code == SQLITE_DONE)
        return rows;
    json_decref(rows);
    store_broken(store, "journal", error);
    return NULL;
}
