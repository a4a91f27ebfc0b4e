/* Label jobs: on record before anything is sent to a printer, one a unit and copy. */
#include "station/store/store_parts.h"

#include "station/base/error.h"

#include <string.h>

#define FIRST_COPY 1

static const char *const states[] = {"queued", "sending", "printed", "unconfirmed", "failed"};

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
