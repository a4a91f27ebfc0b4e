/* Serial numbers, package sequences, kept files, label jobs. */
#include "station/store/store_parts.h"

#include "station/base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define SN_MAX 30

static bool only(const char *text, const char *characters)
{
    return strspn(text, characters) == strlen(text);
}

/* What an empty field reads as must never become somebody's identity. */
static bool is_sentinel(const char *text)
{
    static const char *const words[] = {"SN",      "NONE",  "NULL",    "N/A",    "TEST",
                                        "UNKNOWN", "BLANK", "REFUSED", "DEFAULT"};
    for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
        if (g_ascii_strcasecmp(text, words[i]) == 0)
            return true;
    return text[0] == '\0' || only(text, "0") || only(text, "fF") || only(text, " ") || only(text, "?");
}

static bool check_sn(const char *sn, GError **error)
{
    size_t n = strlen(sn);
    bool printable = n >= 1 && n <= SN_MAX;
    for (size_t i = 0; i < n; i++)
        printable = printable && sn[i] > 0x20 && sn[i] < 0x7f;
    if (!printable)
        return error_set(error, ERROR_RULE,
                         "'%s' is no serial number: 1 to %d printable characters without blanks", sn, SN_MAX);
    return !is_sentinel(sn) ||
           error_set(error, ERROR_RULE, "'%s' is what an empty field looks like, not a serial number", sn);
}

bool store_serial_check(struct store *store, const char *sn, GError **error)
{
    g_autofree char *state = NULL;
    if (!check_sn(sn, error) ||
        !store_get_text(store, error, &state, "SELECT state FROM serial WHERE sn = ?", "s", sn))
        return false;
    return g_strcmp0(state, "CONSUMED") != 0 ||
           error_set(error, ERROR_RULE,
                     "serial number %s belongs to a unit that already passed: it is never used again", sn);
}

static bool claim_unit(struct store *store, const char *uid, GError **error)
{
    g_autofree char *sn = NULL;
    if (is_sentinel(uid))
        return error_set(error, ERROR_RULE, "the board's unique id reads as %s, which is no identity", uid);
    if (!store_get_text(
            store, error, &sn,
            "SELECT r.sn FROM run r JOIN run_end e USING (run) WHERE r.uid = ? AND e.verdict = 'PASS' AND"
            " r.mode = 'production' LIMIT 1",
            "s", uid))
        return false;
    return !sn ||
           error_set(error, ERROR_RULE, "this board already passed as %s: take it to quality for rework", sn);
}

/* The serial row after a claim, with its journal row; one transaction. */
static bool set_serial(struct store *store, int64_t run, const char *sn, const char *uid, const char *state,
                       int64_t rank, GError **error)
{
    char head[65];
    int64_t seq = store->seq, now = tick_now(store->tick), wall = tick_wall(store->tick);
    memcpy(head, store->head, sizeof head);
    if (!store_begin(store, error))
        return false;
    json_t *payload = json_pack("{s:s,s:I,s:s,s:s,s:s}", "event", "serial", "run", (json_int_t)run, "sn", sn,
                                "unique_id", uid, "state", state);
    bool ok = store_append(store, run, "serial", now, wall, payload, error) &&
              store_run(store, error,
                        "INSERT INTO serial (sn, uid, state, rank, run, seq) VALUES (?,?,?,?,?,?)"
                        " ON CONFLICT (sn) DO UPDATE SET state = excluded.state, rank = excluded.rank, run = "
                        "excluded.run,"
                        " seq = excluded.seq WHERE excluded.rank > serial.rank",
                        "sssiii", sn, uid, state, rank, run, store->seq) &&
              store_run(store, error, "UPDATE run SET uid = ? WHERE run = ?", "si", uid, run);
    json_decref(payload);
    if (store_commit(store, ok, error))
        return true;
    store->seq = seq;
    memcpy(store->head, head, sizeof head);
    return false;
}

static bool check_pair(struct store *store, const char *uid, const char *sn, int64_t *rank, GError **error)
{
    g_autofree char *owner = NULL, *other = NULL;
    bool found;
    if (!check_sn(sn, error) ||
        !store_get_text(store, error, &owner, "SELECT uid FROM serial WHERE sn = ?", "s", sn) ||
        !store_get_text(store, error, &other, "SELECT sn FROM serial WHERE uid = ?", "s", uid) ||
        !store_get_int(store, error, rank, &found, "SELECT rank FROM serial WHERE sn = ?", "s", sn))
        return false;
    if (owner && strcmp(owner, uid) != 0)
        return error_set(error, ERROR_RULE,
                         "serial number %s belongs to the board with unique id %s, not to this one", sn,
                         owner);
    if (other && strcmp(other, sn) != 0)
        return error_set(error, ERROR_RULE, "this board already has serial number %s: scan that one", other);
    return true;
}

bool store_claim(struct store *store, int64_t run, enum desk_claim claim, const char *unique_id,
                 const char *sn, GError **error)
{
    static const struct {
        const char *state;
        int64_t rank;
    } states[] = {[CLAIM_SERIAL] = {"RESERVED", 1},
                  [CLAIM_SERIAL_INTENT] = {"WRITE_INTENT", 2},
                  [CLAIM_SERIAL_ON_BOARD] = {"ON_BOARD", 3}};
    int64_t rank;
    if (claim == CLAIM_UNIT)
        return claim_unit(store, unique_id, error);
    if (!check_pair(store, unique_id, sn, &rank, error))
        return false;
    /* A step that is tried again claims what it already has. */
    if (rank >= states[claim].rank)
        return store_begin(store, error) &&
               store_commit(
                   store,
                   store_run(store, error, "UPDATE run SET uid = ? WHERE run = ?", "si", unique_id, run),
                   error);
    return set_serial(store, run, sn, unique_id, states[claim].state, states[claim].rank, error);
}

bool store_sequence_newest(struct store *store, const char *product, int64_t *sequence, GError **error)
{
    bool found;
    return store_get_int(store, error, sequence, &found,
                         "SELECT coalesce(max(sequence), 0) FROM package_sequence WHERE product = ?", "s",
                         product);
}

bool store_sequence_accept(struct store *store, const char *product, int64_t sequence,
                           const char *package_sha256, GError **error)
{
    int64_t newest;
    if (!store_sequence_newest(store, product, &newest, error))
        return false;
    if (sequence < newest)
        return error_set(error, ERROR_TRUST,
                         "package sequence %" G_GINT64_FORMAT " is older than %" G_GINT64_FORMAT, sequence,
                         newest);
    return store_begin(store, error) &&
           store_commit(store,
                        store_run(store, error, "INSERT OR IGNORE INTO package_sequence VALUES (?,?,?,?)",
                                  "sisi", product, sequence, package_sha256, tick_wall(store->tick)),
                        error);
}

static bool sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

bool store_keep_file(struct store *store, const char *kind, GBytes *bytes, char sha256[65], GError **error)
{
    gsize n;
    const char *data = g_bytes_get_data(bytes, &n);
    g_autofree char *hash = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, bytes);
    g_autofree char *folder = g_strdup_printf("%s/files/%.2s", store->folder, hash);
    g_autofree char *path = g_strdup_printf("%s/%s", folder, hash);
    g_autofree char *present = NULL;
    gsize present_n = 0;
    g_autoptr(GError) inner = NULL;
    g_strlcpy(sha256, hash, 65);
    if (store->failed)
        return error_set(error, ERROR_STORAGE, "the journal stopped after: %s", store->failed);
    if (!g_file_get_contents(path, &present, &present_n, NULL) || present_n != n ||
        memcmp(present, data, n) != 0) {
        if (g_mkdir_with_parents(folder, 0700) != 0)
            return error_set(error, ERROR_STORAGE, "%s: %s", folder, g_strerror(errno));
        if (!g_file_set_contents_full(path, data, (gssize)n,
                                      G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0400,
                                      &inner) ||
            !sync_folder(folder))
            return error_set(error, ERROR_STORAGE, "%s: %s", path,
                             inner ? inner->message : g_strerror(errno));
    }
    return store_begin(store, error) &&
           store_commit(store,
                        store_run(store, error, "INSERT OR IGNORE INTO file VALUES (?,?,?,?)", "ssii", hash,
                                  kind, (int64_t)n, tick_wall(store->tick)),
                        error);
}

static const char *const label_states[] = {"queued", "sending", "printed", "unconfirmed", "failed"};

static bool journal_label(struct store *store, int64_t run, int64_t job, const char *state, const char *text,
                          bool insert, const char *payload_json, GError **error)
{
    char head[65];
    int64_t seq = store->seq, now = tick_now(store->tick), wall = tick_wall(store->tick);
    memcpy(head, store->head, sizeof head);
    if (!store_begin(store, error))
        return false;
    json_t *payload = json_pack("{s:s,s:I,s:I,s:s,s:s?}", "event", "label", "run", (json_int_t)run, "job",
                                (json_int_t)job, "state", state, "text", text);
    if (insert)
        json_object_set_new(payload, "payload", json_string(payload_json));
    bool ok = store_append(store, run, "label", now, wall, payload, error) &&
              (insert ? store_run(store, error, "INSERT INTO label_job VALUES (?,?,1,?,?,?,?)", "iisssi", job,
                                  run, state, payload_json, text, wall)
                      : store_run(store, error,
                                  "UPDATE label_job SET state = ?, text = ?, changed_us = ? WHERE job = ?",
                                  "ssii", state, text, wall, job));
    json_decref(payload);
    if (store_commit(store, ok, error))
        return true;
    store->seq = seq;
    memcpy(store->head, head, sizeof head);
    return false;
}

bool store_label_queue(struct store *store, int64_t run, const char *payload_json, int64_t *job,
                       GError **error)
{
    int64_t passed, present;
    bool found;
    g_autofree char *state = NULL;
    if (!store_get_int(store, error, &passed, &found,
                       "SELECT 1 FROM run_end JOIN run USING (run) WHERE run = ? AND verdict = 'PASS' AND "
                       "mode = 'production'",
                       "i", run))
        return false;
    if (!found)
        return error_set(error, ERROR_RULE, "run %" G_GINT64_FORMAT " is no production PASS: no label", run);
    if (!store_get_int(store, error, &present, &found, "SELECT job FROM label_job WHERE run = ?", "i", run) ||
        !store_get_text(store, error, &state, "SELECT state FROM label_job WHERE run = ?", "i", run))
        return false;
    if (found) {
        /* Only what surely never reached a printer is sent again: a second label of one number is worse than
         * none. */
        if (strcmp(state, "queued") != 0 && strcmp(state, "failed") != 0)
            return error_set(error, ERROR_RULE, "the label of run %" G_GINT64_FORMAT " was already %s", run,
                             strcmp(state, "printed") == 0 ? "printed"
                                                           : "sent, and nobody knows whether it came out");
        *job = present;
        return true;
    }
    if (!store_get_int(store, error, job, &found, "SELECT coalesce(max(job), 0) + 1 FROM label_job", NULL))
        return false;
    return journal_label(store, run, *job, label_states[LABEL_QUEUED], NULL, true, payload_json, error);
}

bool store_label_set(struct store *store, int64_t job, enum store_label_state state, const char *text,
                     GError **error)
{
    int64_t run;
    bool found;
    if (!store_get_int(store, error, &run, &found, "SELECT run FROM label_job WHERE job = ?", "i", job))
        return false;
    if (!found)
        return error_set(error, ERROR_INTERNAL, "no label job %" G_GINT64_FORMAT, job);
    return journal_label(store, run, job, label_states[state], text, false, NULL, error);
}
