/* Appending to the journal, and the transactions of a run. */
#include "station/store/store_parts.h"

#include "station/base/error.h"

#include <string.h>

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

static bool append(struct store *store, int64_t run, const char *type, int64_t now_us, int64_t wall_us,
                   const char *payload, const char *hash, GError **error)
{
    static const char sql[] = "INSERT INTO journal VALUES (?,?,?,?,?,?,?,?,?)", format[] = "iissiisss";
    if (!store->insert)
        store->insert = store_prepare(store, error, sql, NULL);
    bool ok = store->insert &&
              store_bind(store, store->insert, error, format, store->seq + 1, run, type, store->boot, now_us,
                         wall_us, payload, store->head, hash) &&
              (sqlite3_step(store->insert) == SQLITE_DONE || store_broken(store, "journal", error));
    sqlite3_reset(store->insert);
    return ok;
}

bool store_record(struct store *store, int64_t run, const char *type, int64_t now_us, int64_t wall_us,
                  json_t *payload, GError **error)
{
    char hash[65];
    if (!store_ready(store, error))
        return false;
    char *text = json_dumps(payload, JSON_SORT_KEYS | JSON_COMPACT);
    if (!text)
        return error_set(error, ERROR_INTERNAL, "a journal row of type '%s' cannot be written as JSON", type);
    store_hash(store->head, store->seq + 1, run, type, store->boot, now_us, wall_us, text, hash);
    bool ok = store_exec(store, "BEGIN IMMEDIATE", error) &&
              append(store, run, type, now_us, wall_us, text, hash, error) &&
              store_exec(store, "COMMIT", error);
    free(text);
    if (!ok) {
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL); /* says "no transaction" when none is left */
        return false;
    }
    store->seq++;
    memcpy(store->head, hash, sizeof hash);
    return true;
}

bool store_record_own(struct store *store, int64_t run, const char *type, json_t *payload, GError **error)
{
    bool ok = store_record(store, run, type, tick_now(store->tick), tick_wall(store->tick), payload, error);
    json_decref(payload);
    return ok;
}

static bool record_event(struct store *store, const struct event *event, GError **error)
{
    json_t *payload = event_json(event);
    bool ok = store_record(store, event->run, event_type_name(event->type), event->now_us, event->wall_us,
                           payload, error);
    json_decref(payload);
    return ok;
}

bool store_run_open(struct store *store, int64_t run, GError **error)
{
    bool found;
    int64_t ended;
    if (!store_get_int(
            store, error, &ended, &found,
            "SELECT e.run IS NOT NULL FROM run r LEFT JOIN run_end e ON e.run = r.run WHERE r.run = ?", "i",
            run))
        return false;
    if (!found)
        return error_set(error, ERROR_INTERNAL, "no run %" G_GINT64_FORMAT, run);
    return !ended || error_set(error, ERROR_INTERNAL, "run %" G_GINT64_FORMAT " has already ended", run);
}

bool store_gate(struct store *store, const struct event *intent, GError **error)
{
    if (intent->type != EVENT_INTENT)
        return error_set(error, ERROR_INTERNAL, "'%s' is no intent", event_type_name(intent->type));
    return store_ready(store, error) && store_run_open(store, intent->run, error) &&
           record_event(store, intent, error);
}

/* A PASS is believed only when the journal itself shows why. */
static bool check_pass(struct store *store, int64_t run, GError **error)
{
    g_autofree char *why = NULL;
    if (!store_get_text(store, error, &why, "SELECT why FROM pass_objection WHERE run = ?1 LIMIT 1", "i",
                        run))
        return false;
    return !why ||
           error_set(error, ERROR_INTERNAL, "run %" G_GINT64_FORMAT " may not become PASS: %s", run, why);
}

/* The committed row, through a connection that never saw the transaction. Any doubt stops the station. */
static bool read_back(struct store *store, const struct event *end, GError **error)
{
    static const char sql[] =
        "SELECT e.verdict, j.hash FROM run_end e JOIN journal j ON j.seq = e.seq AND j.run = e.run"
        " AND j.type = 'run_end' WHERE e.run = ?";
    sqlite3_stmt *row = NULL;
    bool same = sqlite3_prepare_v2(store->proof, sql, -1, &row, NULL) == SQLITE_OK &&
                sqlite3_bind_int64(row, 1, end->run) == SQLITE_OK && sqlite3_step(row) == SQLITE_ROW &&
                g_strcmp0((const char *)sqlite3_column_text(row, 0), event_verdict_name(end->verdict)) == 0 &&
                g_strcmp0((const char *)sqlite3_column_text(row, 1), store->head) == 0;
    sqlite3_finalize(row);
    if (same)
        return true;
    g_autofree char *text = g_strdup_printf("the verdict of run %" G_GINT64_FORMAT " does not read back (%s)",
                                            end->run, sqlite3_errmsg(store->proof));
    return store_fail(store, text, error);
}

bool store_post(struct store *store, const struct event *event, GError **error)
{
    if (event->type == EVENT_PROGRESS)
        return true;
    if (event->type == EVENT_RUN_BEGIN)
        return error_set(error, ERROR_INTERNAL, "a run begins with store_run_begin");
    if (!store_ready(store, error) || !store_run_open(store, event->run, error))
        return false;
    if (event->type != EVENT_RUN_END)
        return record_event(store, event, error);
    return (event->verdict != VERDICT_PASS || check_pass(store, event->run, error)) &&
           record_event(store, event, error) && read_back(store, event, error);
}

bool store_run_begin(struct store *store, const struct event *begin, int64_t *run, GError **error)
{
    struct event event = *begin;
    bool found;
    int64_t next;
    if (begin->type != EVENT_RUN_BEGIN)
        return error_set(error, ERROR_INTERNAL, "'%s' begins no run", event_type_name(begin->type));
    if (!store_ready(store, error) ||
        !store_get_int(store, error, &next, &found, "SELECT coalesce(max(run), 0) + 1 FROM run", NULL))
        return false;
    event.run = next;
    if (!record_event(store, &event, error))
        return false;
    *run = next;
    return true;
}
