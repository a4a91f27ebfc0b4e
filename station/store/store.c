/* Opening and closing the journal, appending to it, and the transactions of a run. */
#include "station/store/store_parts.h"

#include "station/base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define TAIL_ROWS 1000 /* of the chain checked at every start */

void store_hash(const char *prev, int64_t seq, int64_t run, const char *type, const char *boot,
                int64_t now_us, int64_t wall_us, const char *payload, char hash[65])
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_autofree char *head = g_strdup_printf("%s\n%" G_GINT64_FORMAT "\n%" G_GINT64_FORMAT
                                            "\n%s\n%s\n%" G_GINT64_FORMAT "\n%" G_GINT64_FORMAT "\n",
                                            prev, seq, run, type, boot, now_us, wall_us);
    /* The leading 00H keeps these hashes apart from those of any tree built over them (RFC 6962). */
    g_checksum_update(sum, (const guchar *)"\0", 1);
    g_checksum_update(sum, (const guchar *)head, -1);
    g_checksum_update(sum, (const guchar *)payload, -1);
    g_strlcpy(hash, g_checksum_get_string(sum), 65);
}

bool store_append(struct store *store, int64_t run, const char *type, int64_t now_us, int64_t wall_us,
                  json_t *payload, GError **error)
{
    char hash[65];
    char *text = json_dumps(payload, JSON_SORT_KEYS | JSON_COMPACT);
    if (!text)
        return error_set(error, ERROR_INTERNAL, "an event cannot be written as JSON");
    store_hash(store->head, store->seq + 1, run, type, store->boot, now_us, wall_us, text, hash);
    bool ok = store_run(store, error, "INSERT INTO journal VALUES (?,?,?,?,?,?,?,?,?)", "iissiisss",
                        store->seq + 1, run, type, store->boot, now_us, wall_us, text, store->head, hash);
    free(text);
    if (!ok)
        return false;
    store->seq++;
    memcpy(store->head, hash, sizeof hash);
    return true;
}

/* The deed and its journal row, or neither. The memory of the chain's end goes back with a roll-back. */
static bool record(struct store *store, const struct event *event, GError **error)
{
    char head[65];
    int64_t seq = store->seq;
    memcpy(head, store->head, sizeof head);
    if (!store_begin(store, error))
        return false;
    json_t *payload = event_json(event);
    bool ok = store_append(store, event->run, event_type_name(event->type), event->now_us, event->wall_us,
                           payload, error) &&
              store_derive(store, event, error);
    json_decref(payload);
    if (store_commit(store, ok, error))
        return true;
    store->seq = seq;
    memcpy(store->head, head, sizeof head);
    return false;
}

bool store_gate(struct store *store, const struct event *intent, GError **error)
{
    return record(store, intent, error);
}

static bool read_back(struct store *store, const struct event *end, GError **error)
{
    g_autofree char *verdict = NULL;
    if (!store_get_text(store, error, &verdict, "SELECT verdict FROM run_end WHERE run = ?", "i", end->run))
        return false;
    return g_strcmp0(verdict, event_verdict_name(end->verdict)) == 0 ||
           error_set(error, ERROR_STORAGE, "the verdict of run %" G_GINT64_FORMAT " reads back as '%s'",
                     end->run, verdict ? verdict : "nothing");
}

bool store_post(struct store *store, const struct event *event, GError **error)
{
    if (event->type == EVENT_PROGRESS)
        return true;
    if (event->type == EVENT_RUN_END && event->verdict == VERDICT_PASS &&
        !store_check_pass(store, event, error))
        return false;
    return record(store, event, error) && (event->type != EVENT_RUN_END || read_back(store, event, error));
}

bool store_run_begin(struct store *store, const struct event *begin, int64_t *run, GError **error)
{
    struct event event = *begin;
    bool found;
    if (!store_get_int(store, error, run, &found, "SELECT coalesce(max(run), 0) + 1 FROM run", NULL))
        return false;
    event.run = *run;
    return record(store, &event, error);
}

/* Another process's claim to the folder is dropped by the kernel when it dies, so a lock is never stale. */
static bool take_lock(struct store *store, GError **error)
{
    g_autofree char *path = g_build_filename(store->folder, "lock", NULL);
    g_autofree char *pid = g_strdup_printf("%d\n", (int)getpid());
    char owner[32] = "";
    store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (store->lock_fd < 0)
        return error_set(error, ERROR_STORAGE, "%s: %s", path, g_strerror(errno));
    if (flock(store->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        ssize_t n = pread(store->lock_fd, owner, sizeof owner - 1, 0);
        g_strchomp(owner);
        return error_set(error, ERROR_BUSY, "%s is in use by process %s", store->folder,
                         n > 0 ? owner : "unknown");
    }
    /* Only a help for the next reader of the message: the lock itself is the kernel's. */
    if (ftruncate(store->lock_fd, 0) != 0 || pwrite(store->lock_fd, pid, strlen(pid), 0) < 0)
        return error_set(error, ERROR_STORAGE, "%s: %s", path, g_strerror(errno));
    return true;
}

static bool pragma_is(struct store *store, const char *pragma, const char *wanted, GError **error)
{
    g_autofree char *sql = g_strdup_printf("PRAGMA %s", pragma);
    g_autofree char *found = NULL;
    if (!store_get_text(store, error, &found, sql, NULL))
        return false;
    return g_strcmp0(found, wanted) == 0 ||
           error_set(error, ERROR_STORAGE, "SQLite runs with %s = %s, only %s is safe", pragma, found,
                     wanted);
}

static bool set_pragmas(struct store *store, GError **error)
{
    static const char set[] =
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
        "PRAGMA mmap_size = 0; PRAGMA trusted_schema = OFF;";
    return store_exec(store, set, error) && pragma_is(store, "journal_mode", "wal", error) &&
           pragma_is(store, "synchronous", "2", error) && pragma_is(store, "foreign_keys", "1", error);
}

static bool migrate(struct store *store, GError **error)
{
    int64_t version;
    bool found;
    if (!store_get_int(store, error, &version, &found, "PRAGMA user_version", NULL))
        return false;
    if (version > STORE_SCHEMA_VERSION)
        return error_set(error, ERROR_STORAGE,
                         "%s was written by a newer packline (schema %d, this one knows %d)", store->folder,
                         (int)version, STORE_SCHEMA_VERSION);
    if (version == STORE_SCHEMA_VERSION)
        return true;
    bool ok = store_begin(store, error) && store_exec(store, store_schema_sql, error) &&
              store_exec(store, store_views_sql, error) &&
              store_exec(store, "PRAGMA user_version = " G_STRINGIFY(STORE_SCHEMA_VERSION), error);
    return store_commit(store, ok, error);
}

static bool check_health(struct store *store, GError **error)
{
    g_autofree char *answer = NULL;
    bool found;
    int64_t rows;
    char head[65];
    if (!store_get_text(store, error, &answer, "PRAGMA quick_check(1)", NULL))
        return false;
    if (g_strcmp0(answer, "ok") != 0)
        return error_set(error, ERROR_STORAGE, "%s is damaged (%s): restore a backup", store->folder, answer);
    if (!store_get_int(store, error, &store->seq, &found, "SELECT coalesce(max(seq), 0) FROM journal",
                       NULL) ||
        !store_check_chain(store, MAX(1, store->seq - TAIL_ROWS + 1), &rows, head, error))
        return false;
    memcpy(store->head, head, sizeof head);
    return true;
}

/* Runs that were open when the station died: nobody knows more of them than the journal does. */
static bool interrupt_open_runs(struct store *store, GError **error)
{
    json_t *open = store_rows(
        store, error,
        "SELECT r.run, r.sn, (SELECT max(step) FROM step s WHERE s.run = r.run) AS step,"
        " (SELECT verb FROM step s WHERE s.run = r.run ORDER BY step DESC, attempt DESC LIMIT 1) AS verb"
        " FROM run r LEFT JOIN run_end e USING (run) WHERE e.run IS NULL ORDER BY r.run",
        NULL);
    size_t i;
    json_t *row;
    bool ok = open != NULL;
    json_array_foreach(open, i, row)
    {
        json_t *step = json_object_get(row, "step");
        const char *verb = json_string_value(json_object_get(row, "verb"));
        g_autofree char *text = verb ? g_strdup_printf("the station stopped during step '%s'", verb)
                                     : g_strdup("the station stopped before the first step");
        const struct event event = {.type = EVENT_RUN_END,
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
        ok = ok && record(store, &event, error);
    }
    json_decref(open);
    return ok;
}

/* A label that was being sent when the station died: nobody knows whether it came out, so it is never sent
 * again. */
static bool settle_labels(struct store *store, GError **error)
{
    json_t *open = store_rows(store, error, "SELECT job FROM label_job WHERE state = 'sending'", NULL), *row;
    bool ok = open != NULL;
    size_t i;
    json_array_foreach(open, i, row) ok =
        ok && store_label_set(store, json_integer_value(json_object_get(row, "job")), LABEL_UNCONFIRMED,
                              "the station stopped while sending", error);
    json_decref(open);
    return ok;
}

static bool open_database(struct store *store, int flags, GError **error)
{
    g_autofree char *path = g_build_filename(store->folder, "station.db", NULL);
    if (sqlite3_open_v2(path, &store->db, flags | SQLITE_OPEN_EXRESCODE, NULL) == SQLITE_OK) {
        sqlite3_busy_timeout(store->db, 5000);
        return true;
    }
    return store_broken(store, path, error);
}

static void read_boot_id(struct store *store)
{
    g_autofree char *text = NULL;
    if (!g_file_get_contents("/proc/sys/kernel/random/boot_id", &text, NULL, NULL))
        text = g_strdup("unknown");
    g_strlcpy(store->boot, g_strchomp(text), sizeof store->boot);
}

struct store *store_open(const char *folder, const char *station, struct tick *tick, GError **error)
{
    struct store *store = g_new0(struct store, 1);
    store->folder = g_strdup(folder);
    store->station = g_strdup(station);
    store->tick = tick;
    store->lock_fd = -1;
    g_strlcpy(store->head, STORE_GENESIS, sizeof store->head);
    read_boot_id(store);
    bool ok = g_mkdir_with_parents(folder, 0700) == 0 ||
              error_set(error, ERROR_STORAGE, "%s: %s", folder, g_strerror(errno));
    if (ok && take_lock(store, error) &&
        open_database(store, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, error) &&
        set_pragmas(store, error) && migrate(store, error) && check_health(store, error) &&
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
        error_set(error, ERROR_STORAGE, "%s: there is no journal", path);
    else if (open_database(store, SQLITE_OPEN_READONLY, error) &&
             store_exec(store, "PRAGMA query_only = ON", error))
        return store;
    store_close(store);
    return NULL;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    sqlite3_close(store->db);
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    g_free(store->failed);
    g_free(store->folder);
    g_free(store->station);
    g_free(store);
}
