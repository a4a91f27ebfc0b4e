/* Opening and closing: the lock, the pragmas, the schema, the checks, and the recovery of what a dead station
 * left behind. */
#include "station/store/store_parts.h"

#include "station/base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define TAIL_ROWS      1000 /* of the chain checked at every start */
#define LOG_CHUNK      32768
#define APPLICATION_ID 0x504b4c4a /* as in schema.sql */

/* What brings a database from one version to the next; the first makes it. */
static const char *const migrations[STORE_SCHEMA_VERSION] = {store_schema_sql, "" /* v_run.evidence */};

/* The kernel drops a dead process's lock, so a lock is never stale. */
static bool take_lock(struct store *store, GError **error)
{
    g_autofree char *path = g_build_filename(store->folder, "lock", NULL);
    g_autofree char *pid = g_strdup_printf("%d\n", (int)getpid());
    char owner[32] = "";
    store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (store->lock_fd < 0)
        return error_set(error, ERROR_STORAGE,
                         "%s: %s: the folder of the journal must be writable for this user", path,
                         g_strerror(errno));
    if (flock(store->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK)
            return error_set(error, ERROR_STORAGE, "%s: %s", path, g_strerror(errno));
        ssize_t n = pread(store->lock_fd, owner, sizeof owner - 1, 0);
        g_strchomp(owner);
        return error_set(error, ERROR_BUSY, "%s is in use by process %s: one station works on a store",
                         store->folder, n > 0 && owner[0] ? owner : "unknown");
    }
    /* Only a help for the reader of that message: the lock itself is the kernel's. */
    if (ftruncate(store->lock_fd, 0) != 0 || pwrite(store->lock_fd, pid, strlen(pid), 0) < 0)
        return error_set(error, ERROR_STORAGE, "%s: %s", path, g_strerror(errno));
    return true;
}

static bool open_connection(struct store *store, sqlite3 **db, int flags, GError **error)
{
    g_autofree char *path = g_build_filename(store->folder, "station.db", NULL);
    int code = sqlite3_open_v2(path, db, flags | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK && sqlite3_busy_timeout(*db, STORE_BUSY_MS) == SQLITE_OK)
        return true;
    return error_set(error, ERROR_STORAGE, "%s: %s: check the folder and its permissions", path,
                     *db ? sqlite3_errmsg(*db) : sqlite3_errstr(code));
}

static bool pragma_is(struct store *store, const char *pragma, const char *wanted, GError **error)
{
    g_autofree char *sql = g_strdup_printf("PRAGMA %s", pragma);
    g_autofree char *found = NULL;
    if (!store_get_text(store, error, &found, sql, NULL))
        return false;
    return g_strcmp0(found, wanted) == 0 ||
           error_set(error, ERROR_STORAGE,
                     "SQLite runs with %s = %s on %s, only %s is safe: use a local disk", pragma,
                     found ? found : "nothing", store->folder, wanted);
}

/* FULL: with less, an acknowledged row is lost when the power goes. No mmap: SQLite before 3.51.3 may damage
 * the database together with it. Both are read back, because SQLite ignores what it cannot do. */
static bool set_pragmas(struct store *store, GError **error)
{
    static const char set[] =
        "PRAGMA mmap_size = 0; PRAGMA journal_mode = WAL;"
        "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA recursive_triggers = ON;";
    return store_exec(store, set, error) && pragma_is(store, "journal_mode", "wal", error) &&
           pragma_is(store, "synchronous", "2", error) && pragma_is(store, "foreign_keys", "1", error) &&
           pragma_is(store, "recursive_triggers", "1", error);
}

/* After a failed sync the kernel shows what it will never write, and no later sync brings it to the disk. A
 * row appended behind it would go with it when the power goes, and a checkpoint would copy it into the
 * database in pieces. So the log that was found is written once more, byte by byte what it is, and synced,
 * before anything else is written. */
static bool write_log_again(struct store *store, GError **error)
{
    uint8_t bytes[LOG_CHUNK];
    sqlite3_file *log = NULL;
    sqlite3_int64 size = 0;
    int code = sqlite3_file_control(store->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (code == SQLITE_OK && (!log || !log->pMethods))
        return true;
    if (code == SQLITE_OK)
        code = log->pMethods->xFileSize(log, &size);
    for (sqlite3_int64 at = 0; code == SQLITE_OK && at < size; at += LOG_CHUNK) {
        int n = (int)MIN(LOG_CHUNK, size - at);
        code = log->pMethods->xRead(log, bytes, n, at);
        if (code == SQLITE_OK)
            code = log->pMethods->xWrite(log, bytes, n, at);
    }
    if (code == SQLITE_OK && size > 0)
        code = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
    if (code == SQLITE_OK)
        return true;
    g_autofree char *text = g_strdup_printf("%s: the journal's log cannot be made durable: %s (SQLite %d): "
                                            "check the disk and its free space",
                                            store->folder, sqlite3_errstr(code), code);
    return store_fail(store, text, error);
}

static bool get_version(struct store *store, int64_t *version, GError **error)
{
    bool found;
    int64_t application, tables;
    if (!store_get_int(store, error, version, &found, "PRAGMA user_version", NULL) ||
        !store_get_int(store, error, &application, &found, "PRAGMA application_id", NULL) ||
        !store_get_int(store, error, &tables, &found, "SELECT count(*) FROM sqlite_schema", NULL))
        return false;
    if (application != APPLICATION_ID && (*version != 0 || tables != 0))
        return error_set(error, ERROR_STORAGE,
                         "%s/station.db is no journal of packline: choose another folder or move it away",
                         store->folder);
    if (*version > STORE_SCHEMA_VERSION)
        return error_set(error, ERROR_STORAGE,
                         "%s was written by a newer packline (schema %d, this one knows %d): update packline",
                         store->folder, (int)*version, STORE_SCHEMA_VERSION);
    return true;
}

static bool drop_derived(struct store *store, GError **error)
{
    while (true) {
        g_autofree char *drop = NULL;
        if (!store_get_text(store, error, &drop,
                            "SELECT 'DROP ' || type || ' ' || name FROM sqlite_schema WHERE type = 'view' OR"
                            " (type = 'trigger' AND name GLOB 'derive_*') LIMIT 1",
                            NULL))
            return false;
        if (!drop)
            return true;
        if (!store_exec(store, drop, error))
            return false;
    }
}

/* One transaction from whatever version to the present one; views hold no data and are made anew. */
static bool migrate(struct store *store, GError **error)
{
    static const char *const rest[] = {store_derive_sql, store_views_sql, store_promises_sql,
                                       "PRAGMA user_version = " G_STRINGIFY(STORE_SCHEMA_VERSION)};
    int64_t version;
    if (!get_version(store, &version, error))
        return false;
    if (version == STORE_SCHEMA_VERSION)
        return true;
    bool ok = store_exec(store, "BEGIN EXCLUSIVE", error);
    for (; ok && version < STORE_SCHEMA_VERSION; version++)
        ok = store_exec(store, migrations[version], error);
    ok = ok && drop_derived(store, error);
    for (gsize i = 0; ok && i < G_N_ELEMENTS(rest); i++)
        ok = store_exec(store, rest[i], error);
    ok = ok && store_exec(store, "COMMIT", error);
    if (!ok)
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return ok;
}

static bool check_health(struct store *store, GError **error)
{
    g_autofree char *answer = NULL;
    bool found;
    int64_t rows;
    if (!store_get_text(store, error, &answer, "PRAGMA quick_check(1)", NULL))
        return false;
    if (g_strcmp0(answer, "ok") != 0)
        return error_set(error, ERROR_STORAGE,
                         "%s/station.db is damaged (%s): keep it aside and restore a backup", store->folder,
                         answer ? answer : "no answer");
    return store_check_schema(store, error) &&
           store_get_int(store, error, &store->seq, &found, "SELECT coalesce(max(seq), 0) FROM journal",
                         NULL) &&
           store_check_chain(store, MAX(1, store->seq - TAIL_ROWS + 1), &rows, store->head, error);
}

static bool interrupt(struct store *store, json_t *row, GError **error)
{
    json_t *step = json_object_get(row, "step");
    const char *verb = json_string_value(json_object_get(row, "verb"));
    g_autofree char *text = verb ? g_strdup_printf("the station stopped during or after step '%s'", verb)
                                 : g_strdup("the station stopped before the first step");
    const struct event end = {.type = EVENT_RUN_END,
                              .run = json_integer_value(json_object_get(row, "run")),
                              .step = json_is_integer(step) ? (int)json_integer_value(step) : -1,
                              .verdict = VERDICT_INTERRUPTED,
                              .exit_code = 11,
                              .sn = json_string_value(json_object_get(row, "sn")),
                              .error_kind = "interrupted",
                              .text = text,
                              .detail = "Scan the same board again: it gets its own number again.",
                              .now_us = tick_now(store->tick),
                              .wall_us = tick_wall(store->tick)};
    return store_post(store, &end, error);
}

/* Runs that were open when the station died: nobody knows more of them than the journal does. */
static bool interrupt_open_runs(struct store *store, GError **error)
{
    json_t *open = store_rows(
        store, error,
        "SELECT r.run, r.sn, (SELECT max(step) FROM step s WHERE s.run = r.run) AS step,"
        " (SELECT verb FROM step s WHERE s.run = r.run ORDER BY step DESC, attempt DESC LIMIT 1) AS verb"
        " FROM run r LEFT JOIN run_end e ON e.run = r.run WHERE e.run IS NULL ORDER BY r.run",
        NULL);
    size_t i;
    json_t *row;
    bool ok = open != NULL;
    json_array_foreach(open, i, row) ok = ok && interrupt(store, row, error);
    json_decref(open);
    return ok;
}

/* A label that was being sent when the station died: nobody knows whether it came out, so it is never sent
 * again by itself. */
static bool settle_labels(struct store *store, GError **error)
{
    json_t *sending =
        store_rows(store, error, "SELECT job FROM label_job WHERE state = 'sending' ORDER BY job", NULL);
    size_t i;
    json_t *row;
    bool ok = sending != NULL;
    json_array_foreach(sending, i, row) ok =
        ok && store_label_set(store, json_integer_value(json_object_get(row, "job")), LABEL_UNCONFIRMED,
                              "the station stopped while sending", error);
    json_decref(sending);
    return ok;
}

/* Instants of two boots do not compare; those of two virtual clocks neither, so each opening is a boot. */
static bool read_boot(struct store *store, GError **error)
{
    g_autofree char *text = NULL;
    if (store->tick->is_virtual) {
        g_snprintf(store->boot, sizeof store->boot, "virtual-%" G_GINT64_FORMAT, store->seq + 1);
        return true;
    }
    if (!g_file_get_contents("/proc/sys/kernel/random/boot_id", &text, NULL, NULL))
        return error_set(error, ERROR_STORAGE, "/proc/sys/kernel/random/boot_id cannot be read");
    g_strlcpy(store->boot, g_strchomp(text), sizeof store->boot);
    return true;
}

/* A reader changes nothing, so it cannot bring an old database to the present shape. */
static bool check_version(struct store *store, GError **error)
{
    int64_t version;
    if (!get_version(store, &version, error))
        return false;
    return version == STORE_SCHEMA_VERSION ||
           error_set(error, ERROR_STORAGE,
                     "%s was written by an older packline (schema %d): start the station on it once",
                     store->folder, (int)version);
}

static bool open_proof(struct store *store, GError **error)
{
    return open_connection(store, &store->proof, SQLITE_OPEN_READONLY, error) &&
           (sqlite3_exec(store->proof, "PRAGMA query_only = ON", NULL, NULL, NULL) == SQLITE_OK ||
            error_set(error, ERROR_STORAGE, "%s: %s", store->folder, sqlite3_errmsg(store->proof)));
}

struct store *store_open(const char *folder, const char *station, struct tick *tick, GError **error)
{
    struct store *store = g_new0(struct store, 1);
    store->folder = g_strdup(folder);
    store->station = g_strdup(station);
    store->tick = tick;
    store->lock_fd = -1;
    g_strlcpy(store->head, STORE_GENESIS, sizeof store->head);
    bool ok = g_mkdir_with_parents(folder, 0700) == 0 ||
              error_set(error, ERROR_STORAGE, "%s: %s", folder, g_strerror(errno));
    if (ok && take_lock(store, error) &&
        open_connection(store, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, error) &&
        set_pragmas(store, error) && write_log_again(store, error) && migrate(store, error) &&
        check_health(store, error) && read_boot(store, error) && open_proof(store, error) &&
        interrupt_open_runs(store, error) && settle_labels(store, error))
        return store;
    store_close(store);
    return NULL;
}

struct store *store_open_reader(const char *folder, GError **error)
{
    struct store *store = g_new0(struct store, 1);
    g_autofree char *path = g_build_filename(folder, "station.db", NULL);
    store->folder = g_strdup(folder);
    store->lock_fd = -1;
    store->reader = true;
    if (!g_file_test(path, G_FILE_TEST_EXISTS))
        error_set(error, ERROR_STORAGE, "%s: there is no journal; say the folder of a station's store", path);
    else if (open_connection(store, &store->db, SQLITE_OPEN_READONLY, error) &&
             store_exec(store, "PRAGMA query_only = ON", error) && check_version(store, error))
        return store;
    store_close(store);
    return NULL;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    sqlite3_finalize(store->insert);
    /* What a failed sync left in the log is not copied into the database: it may be there only to be seen. */
    if (store->db && store->failed)
        sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_close(store->proof); /* before the writer, whose closing empties the write-ahead log */
    sqlite3_close(store->db);
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    g_free(store->failed);
    g_free(store->folder);
    g_free(store->station);
    g_free(store);
}
