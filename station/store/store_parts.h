/* Inside the store: what its files share. */
#pragma once

#include "station/store/store.h"

#include <sqlite3.h>

#define STORE_SCHEMA_VERSION 2
#define STORE_GENESIS        "0000000000000000000000000000000000000000000000000000000000000000"
#define STORE_BOOT_MAX       48
#define STORE_SN_MAX         30
#define STORE_BUSY_MS        5000

struct store {
    sqlite3 *db;
    sqlite3 *proof;       /* of a writer: a second, read-only connection that sees only what is committed */
    sqlite3_stmt *insert; /* the journal's one INSERT: its triggers take long to prepare */
    struct tick *tick;
    char *folder, *station;
    int lock_fd;
    bool reader;
    char *failed; /* what broke; once set nothing is written any more */
    char boot[STORE_BOOT_MAX];
    int64_t seq;   /* of the last journal row */
    char head[65]; /* its hash */
};

/* Texts of the embedded SQL files, in the order in which they make a database. */
extern const char store_schema_sql[], store_derive_sql[], store_views_sql[], store_promises_sql[];

/* False with an error when the store may not write: opened for reading, or broken before. Every writing
 * function asks first. */
bool store_ready(struct store *store, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Says what the database says of its last call, always false. STORAGE and a failed writer; INTERNAL without
 * that when a rule of the schema refused a row, because then nothing is wrong with the disk. */
bool store_broken(struct store *store, const char *what, GError **error);
/* STORAGE error with this text; a writer is failed from here on. Always false. */
bool store_fail(struct store *store, const char *text, GError **error);

bool store_exec(struct store *store, const char *sql, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Prepares; NULL with an error. Format: one letter a parameter, s text (NULL = NULL), i int64, after the SQL.
 */
sqlite3_stmt *store_prepare(struct store *store, GError **error, const char *sql, const char *format, ...);
/* Binds anew, in the same letters. */
bool store_bind(struct store *store, sqlite3_stmt *statement, GError **error, const char *format, ...);
/* First column of the first row; *found false when there is none. */
bool store_get_int(struct store *store, GError **error, int64_t *value, bool *found, const char *sql,
                   const char *format, ...) G_GNUC_WARN_UNUSED_RESULT;
/* Newly allocated, NULL when there is no row or it is NULL. */
bool store_get_text(struct store *store, GError **error, char **text, const char *sql, const char *format,
                    ...) G_GNUC_WARN_UNUSED_RESULT;
/* All rows as an array of objects; new reference. */
json_t *store_rows(struct store *store, GError **error, const char *sql, const char *format, ...);
/* The row a statement stands on, as an object; new reference. */
json_t *store_row_json(sqlite3_stmt *statement);

/* Appends one journal row, and through the triggers all that is derived from it, or neither. False leaves the
 * journal as it was. now_us and wall_us are of the event. */
bool store_record(struct store *store, int64_t run, const char *type, int64_t now_us, int64_t wall_us,
                  json_t *payload, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The same for what the store itself decides, at its own time. Takes the reference; NULL is INTERNAL. */
bool store_record_own(struct store *store, int64_t run, const char *type, json_t *payload,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Hash of a row as the chain defines it. */
void store_hash(const char *prev, int64_t seq, int64_t run, const char *type, const char *boot,
                int64_t now_us, int64_t wall_us, const char *payload, char hash[65]);
/* INTERNAL when the run is unknown or has ended. */
bool store_run_open(struct store *store, int64_t run, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* True for what an empty, erased or refused field reads as. */
bool store_is_sentinel(const char *text);

/* Chain from row `from` on; *rows counts, head is the last hash. */
bool store_check_chain(struct store *store, int64_t from, int64_t *rows, char head[65],
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Every table, trigger and view of packline is in the database word for word. */
bool store_check_schema(struct store *store, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Makes all derived tables again from the journal, in a temporary database, and compares them row by row. */
bool store_check_derived(struct store *store, GError **error) G_GNUC_WARN_UNUSED_RESULT;
