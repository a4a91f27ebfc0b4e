/* Label jobs: on record before anything is sent to a printer, one a unit and copy. */
#include "station/store/store_parts.h"

#include "station/base/error.h"
#include "station/base/words.h"

#include <string.h>

#define FIRST_COPY 1

static const char *const states[] = {"queued", "sending",   "printed", "unconfirmed",
                                     "failed", "confirmed", "waived"};

static bool record(struct store *store, int64_t run, int64_t job, enum store_label_state state,
                   const char *text, const char *payload, GError **error)
{
    g_autofree char *valid = text ? g_utf8_make_valid(text, -1) : NULL;
    json_t *json = json_pack("{s:s,s:s,s:I,s:I,s:s,s:s*,s:s*}", "event", "label", "station", store->station,
                             "run", (json_int_t)run, "job", (json_int_t)job, "state", states[state], "text",
                             valid, "payload", payload);
    if (json && payload)
        json_object_set_new(json, "copy", json_integer(FIRST_COPY));
    return store_record_own(store, run, "label", json, error);
}

/* The label says what the record says, or there is no label. */
static bool check_payload(struct store *store, int64_t run, const char *payload, GError **error)
{
    g_autofree char *sn = NULL;
    if (!store_get_text(store, error, &sn, "SELECT sn FROM unit WHERE run = ?", "i", run))
        return false;
    if (!sn)
        return error_set(error, ERROR_RULE, "run %" G_GINT64_FORMAT " is no production PASS: no label", run);
    json_t *json = json_loads(payload, 0, NULL);
    bool same = g_strcmp0(json_string_value(json_object_get(json, "sn")), sn) == 0;
    json_decref(json);
    return same ||
           error_set(error, ERROR_INTERNAL,
                     "the label of run %" G_GINT64_FORMAT " does not carry its serial number %s", run, sn);
}

bool store_label_queue(struct store *store, int64_t run, const char *payload_json, int64_t *job,
                       GError **error)
{
    int64_t present;
    bool found;
    g_autofree char *state = NULL;
    if (!store_ready(store, error) || !check_payload(store, run, payload_json, error) ||
        !store_get_text(store, error, &state, "SELECT state FROM label_job WHERE run = ?", "i", run) ||
        !store_get_int(store, error, &present, &found, "SELECT job FROM label_job WHERE run = ?", "i", run))
        return false;
    if (!found) {
        if (!store_get_int(store, error, &present, &found, "SELECT coalesce(max(job), 0) + 1 FROM label_job",
                           NULL) ||
            !record(store, run, present, LABEL_QUEUED, NULL, payload_json, error))
            return false;
    } else if (strcmp(state, states[LABEL_QUEUED]) != 0 && strcmp(state, states[LABEL_FAILED]) != 0) {
        /* Only what surely never reached a printer is sent again: a second label of one number is worse than
         * none. */
        return error_set(
            error, ERROR_RULE, "the label of run %" G_GINT64_FORMAT " was already %s: look for it", run,
            strcmp(state, states[LABEL_PRINTED]) == 0 ? "printed"
                                                      : "sent, and nobody knows whether it came out");
    }
    *job = present;
    return true;
}

bool store_label_set(struct store *store, int64_t job, enum store_label_state state, const char *text,
                     GError **error)
{
    int64_t run;
    bool found;
    if (!store_ready(store, error) ||
        !store_get_int(store, error, &run, &found, "SELECT run FROM label_job WHERE job = ?", "i", job))
        return false;
    if (!found)
        return error_set(error, ERROR_INTERNAL, "no label job %" G_GINT64_FORMAT, job);
    return record(store, run, job, state, text, NULL, error);
}

bool store_label_waiting(struct store *store, const char *slot, int64_t *run, char **sn, GError **error)
{
    bool found;
    *run = 0;
    *sn = NULL;
    if (!store_ready(store, error) ||
        !store_get_int(
            store, error, run, &found,
            "SELECT u.run FROM unit u JOIN run r ON r.run = u.run"
            " LEFT JOIN label_job l ON l.run = u.run"
            " WHERE u.run = (SELECT max(run) FROM run WHERE slot = ? AND run IN (SELECT run FROM unit))"
            " AND r.layout_sha256 <> '' AND coalesce(l.state, 'none') NOT IN ('confirmed', 'waived')"
            " AND (l.job IS NULL OR l.payload ->> 'confirm')",
            "s", slot))
        return false;
    return !found || store_get_text(store, error, sn, "SELECT sn FROM unit WHERE run = ?", "i", *run);
}

struct label_row {
    int64_t job;
    enum store_label_state state;
    char *sn, *uid;
    char *scan, *product; /* what the run began with, and what its board said it is */
};

static void label_row_clear(struct label_row *row)
{
    g_free(row->sn);
    g_free(row->uid);
    g_free(row->scan);
    g_free(row->product);
}
typedef struct label_row label_row_auto;
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(label_row_auto, label_row_clear)

static bool read_row(struct store *store, int64_t run, struct label_row *row, GError **error)
{
    bool found;
    g_autofree char *state = NULL;
    if (!store_get_int(store, error, &row->job, &found, "SELECT job FROM label_job WHERE run = ?", "i",
                       run) ||
        !store_get_text(store, error, &state, "SELECT state FROM label_job WHERE run = ?", "i", run) ||
        !store_get_text(store, error, &row->sn, "SELECT sn FROM unit WHERE run = ?", "i", run) ||
        !store_get_text(store, error, &row->uid, "SELECT uid FROM unit WHERE run = ?", "i", run) ||
        !store_get_text(store, error, &row->scan, "SELECT scan FROM run WHERE run = ?", "i", run) ||
        !store_get_text(store, error, &row->product, "SELECT product FROM run WHERE run = ?", "i", run))
        return false;
    if (!found || !state || !row->sn || !row->uid)
        return error_set(error, ERROR_RULE,
                         "run %" G_GINT64_FORMAT " has no label yet: print it with `packline label print`",
                         run);
    for (unsigned i = 0; i < G_N_ELEMENTS(states); i++)
        if (strcmp(states[i], state) == 0)
            row->state = (enum store_label_state)i;
    return true;
}

/* A board that cannot say which one it is is the unit's when it is of its product and carries the code that
 * was scanned when the run began. */
static bool is_marked(const struct label_row *row, const struct store_label_scan *scan)
{
    return strcmp(scan->mark, row->scan) == 0 && g_strcmp0(scan->product, row->product) == 0;
}

/* Whether it fits or not, the attempt is a fact. */
static bool record_scan(struct store *store, int64_t run, const struct label_row *row,
                        const struct store_label_scan *scan, bool fits, GError **error)
{
    const bool marked = scan->mark && is_marked(row, scan);
    const char *text = !fits        ? "wrong scan"
                       : scan->mark ? "scanned back, by the board's own print"
                                    : "scanned back";
    g_autofree char *scanned = g_utf8_make_valid(scan->scan, -1);
    g_autofree char *sn = g_utf8_make_valid(marked ? row->sn : scan->sn, -1);
    g_autofree char *mark = scan->mark ? g_utf8_make_valid(scan->mark, -1) : NULL;
    json_t *json = json_pack("{s:s,s:s,s:I,s:I,s:s,s:s,s:s,s:s,s:s,s:s*}", "event", "label", "station",
                             store->station, "run", (json_int_t)run, "job", (json_int_t)row->job, "state",
                             states[fits ? LABEL_CONFIRMED : row->state], "text", text, "scan", scanned,
                             "unique_id", marked ? row->uid : scan->unique_id, "found", sn, "mark", mark);
    return store_record_own(store, run, "label", json, error);
}

static bool wrong_board(const struct label_row *row, const struct store_label_scan *scan, GError **error)
{
    g_autofree char *carried = words_shown(scan->mark ? scan->mark : scan->sn);
    if (!scan->mark)
        return error_set(
            error, ERROR_RULE,
            "the board in the slot carries %s (unique id %s), the label belongs to %s: put that board "
            "back",
            carried, scan->unique_id, row->sn);
    g_autofree char *began = words_shown(row->scan);
    return error_set(
        error, ERROR_RULE,
        "the board in the slot is a '%s' and carries %s; the run of %s began with a '%s' and the scan "
        "of %s: put that board back",
        scan->product, carried, row->sn, row->product ? row->product : "", began);
}

bool store_label_confirm(struct store *store, int64_t run, const struct store_label_scan *scan,
                         GError **error)
{
    g_auto(label_row_auto) row = {0};
    if (!store_ready(store, error) || !read_row(store, run, &row, error))
        return false;
    if (row.state != LABEL_PRINTED && row.state != LABEL_UNCONFIRMED)
        return error_set(error, ERROR_RULE, "the label of %s is %s: there is nothing to confirm", row.sn,
                         states[row.state]);
    bool label = strcmp(scan->scan, row.sn) == 0;
    bool board = scan->mark ? is_marked(&row, scan)
                            : strcmp(scan->unique_id, row.uid) == 0 && strcmp(scan->sn, row.sn) == 0;
    if (!record_scan(store, run, &row, scan, label && board, error))
        return false;
    g_autofree char *shown = words_shown(scan->scan);
    if (!label)
        return error_set(error, ERROR_RULE,
                         "the label says %s, the unit is %s: take it off and stick on the right one", shown,
                         row.sn);
    return board || wrong_board(&row, scan, error);
}

bool store_label_waive(struct store *store, int64_t run, const char *reason, GError **error)
{
    g_auto(label_row_auto) row = {0};
    if (!store_ready(store, error) || !read_row(store, run, &row, error))
        return false;
    if (row.state == LABEL_CONFIRMED || row.state == LABEL_WAIVED)
        return error_set(error, ERROR_RULE, "the label of %s is %s already", row.sn, states[row.state]);
    return record(store, run, row.job, LABEL_WAIVED, reason, NULL, error);
}
