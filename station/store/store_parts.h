/* Inside the store: what its files share. */
#pragma once

#include "station/store/store.h"

#include <sqlite3.h>

#define STORE_SCHEMA_VERSION 1
#define STORE_GENESIS        "0000000000000000000000000000000000000000000000000000000000000000"
#define STORE_BOOT_MAX       40

struct store {
    sqlite3 *db;
    struct tick *tick;
    char *folder, *station;
    int lock_fd;
    bool reader;
    char *failed; /* what broke; once set nothing is written any more */
    char boot[STORE_BOOT_MAX];
    int64_t seq; /* of the last journal row */
    char head[65];
};

/* Text of the embedded schema and views. */
extern const char store_schema_sql[], store_views_sql[];

/* Sets a STORAGE error from the database's own message and marks a writer as failed. Always false. */
bool store_broken(struct store *store, const char *what, GError **error);
/* Runs SQL without parameters. */
bool store_exec(struct store *store, const char *sql, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Prepares; NULL with an error. Format: one letter a parameter, s text (NULL = NULL), i int64, after the SQL.
 */
sqlite3_stmt *store_prepare(struct store *store, GError **error, const char *sql, const char *format, ...);
/* Prepares, steps once, finalizes: for statements that give no rows. */
bool store_run(struct store *store, GError **error, const char *sql, const char *format,
               ...) G_GNUC_WARN_UNUSED_RESULT;
/* First column of the first row; *found false when there is none. */
bool store_get_int(struct store *store, GError **error, int64_t *value, bool *found, const char *sql,
                   const char *format, ...) G_GNUC_WARN_UNUSED_RESULT;
/* Newly allocated, NULL when there is no row or it is NULL. */
bool store_get_text(struct store *store, GError **error, char **text, const char *sql, const char *format,
                    ...) G_GNUC_WARN_UNUSED_RESULT;
/* All rows as an array of objects. */
json_t *store_rows(struct store *store, GError **error, const char *sql, const char *format, ...);

/* One transaction: begin, the deed, commit; rolled back when the deed fails. A failed commit breaks the
 * store. */
bool store_begin(struct store *store, GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool store_commit(struct store *store, bool ok, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Appends a journal row inside a transaction. */
bool store_append(struct store *store, int64_t run, const char *type, int64_t now_us, int64_t wall_us,
                  json_t *payload, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Hash of a row as the chain defines it. */
void store_hash(const char *prev, int64_t seq, int64_t run, const char *type, const char *boot,
                int64_t now_us, int64_t wall_us, const char *payload, char hash[65]);
/* Derived rows of one event, inside its transaction. */
bool store_derive(struct store *store, const struct event *event, GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool store_check_pass(struct store *store, const struct event *end, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Chain from row `from` on; *rows counts, head is the last hash. */
bool store_check_chain(struct store *store, int64_t from, int64_t *rows, char head[65],
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;
