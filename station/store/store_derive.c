/* Derived rows of an event, and what must be true before a PASS is believed. */
#include "station/store/store_parts.h"

#include "station/base/error.h"

#include <string.h>

static const char *text_or(const char *text)
{
    return text ? text : "";
}

static bool run_begin(struct store *store, const struct event *event, GError **error)
{
    const struct event_run *r = &event->begin;
    return store_run(
        store, error,
        "INSERT INTO run (run, sn, scan, model, station, slot, operator, mode, reference, steps, recipe,"
        " recipe_revision, recipe_sha256, profile, profile_sha256, package_version, package_sha256,"
        " package_signer, image_sha256, layout_sha256, release_sha256, plan_sha256, started_us, began_seq)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        "isssssssiissssssssssssii", event->run, text_or(r->sn), text_or(r->scan), text_or(r->model),
        text_or(r->station), text_or(r->slot), text_or(r->operator_name),
        r->production ? "production" : "trial", (int64_t)r->reference, (int64_t)r->steps, text_or(r->recipe),
        text_or(r->recipe_revision), text_or(r->recipe_sha256), text_or(r->profile),
        text_or(r->profile_sha256), text_or(r->package_version), text_or(r->package_sha256),
        text_or(r->package_signer), text_or(r->image_sha256), text_or(r->layout_sha256),
        text_or(r->release_sha256), text_or(r->plan_sha256), event->wall_us, store->seq);
}

static bool run_end(struct store *store, const struct event *event, GError **error)
{
    if (!store_run(store, error, "INSERT INTO run_end VALUES (?,?,?,?,?,?,?,?,?,?)", "isiisssiii", event->run,
                   event_verdict_name(event->verdict), (int64_t)event->exit_code, (int64_t)event->step,
                   event->error_kind, event->text, event->detail, event->wall_us, event->duration_us,
                   store->seq))
        return false;
    /* A mis-scan must not bind a number to the wrong board for ever: nothing of it was ever sent there. */
    if (event->verdict != VERDICT_PASS)
        return store_run(store, error, "DELETE FROM serial WHERE run = ? AND rank = 1", "i", event->run);
    return store_run(
        store, error,
        "UPDATE serial SET state = 'CONSUMED', rank = 4, run = ?, seq = ? WHERE sn = (SELECT sn FROM run"
        " WHERE run = ? AND mode = 'production')",
        "iii", event->run, store->seq, event->run);
}

static bool step_end(struct store *store, const struct event *event, GError **error)
{
    return store_run(store, error,
                     "UPDATE step SET ended_seq = ?, ok = ?, error_kind = ?, text = ?, duration_us = ?"
                     " WHERE run = ? AND step = ? AND attempt = ?",
                     "iissiiii", store->seq, (int64_t)event->ok, event->error_kind, event->text,
                     event->duration_us, event->run, (int64_t)event->step, (int64_t)event->attempt);
}

static bool identity(struct store *store, const struct event *event, GError **error)
{
    return store_run(store, error,
                     "UPDATE run SET uid = coalesce(?, uid), product = coalesce(?, product), hardware = "
                     "coalesce(?, hardware),"
                     " firmware = coalesce(?, firmware), mcu_id = coalesce(?, mcu_id) WHERE run = ?",
                     "sssssi", event->unique_id, event->product, event->hardware, event->firmware,
                     event->mcu_id, event->run);
}

static bool measurement(struct store *store, const struct event *event, GError **error)
{
    g_autofree char *shown = quantity_format(event->quantity, event->value);
    if (!store_run(store, error,
                   "INSERT INTO measurement (seq, run, step, name, quantity, value, shown, ok, instrument,"
                   " instrument_due) VALUES (?,?,?,?,?,?,?,?,?,?)",
                   "iiissisiss", store->seq, event->run, (int64_t)event->step, text_or(event->key),
                   quantity_name(event->quantity), event->value, shown, (int64_t)event->ok, event->instrument,
                   event->instrument_due))
        return false;
    if (event->has_min && !store_run(store, error, "UPDATE measurement SET min = ? WHERE seq = ?", "ii",
                                     event->min, store->seq))
        return false;
    return !event->has_max || store_run(store, error, "UPDATE measurement SET max = ? WHERE seq = ?", "ii",
                                        event->max, store->seq);
}

static bool fact(struct store *store, const struct event *event, GError **error)
{
    return store_run(store, error, "INSERT INTO fact VALUES (?,?,?,?,?,?,?)", "iiissss", store->seq,
                     event->run, (int64_t)event->step, event_type_name(event->type), event->key, event->text,
                     event->detail);
}

bool store_derive(struct store *store, const struct event *event, GError **error)
{
    switch (event->type) {
    case EVENT_RUN_BEGIN:
        return run_begin(store, event, error);
    case EVENT_STEP_BEGIN:
        return store_run(store, error,
                         "INSERT INTO step (run, step, attempt, verb, title, began_seq, started_us) VALUES "
                         "(?,?,?,?,?,?,?)",
                         "iiissii", event->run, (int64_t)event->step, (int64_t)event->attempt,
                         text_or(event->verb), text_or(event->title), store->seq, event->wall_us);
    case EVENT_STEP_END:
        return step_end(store, event, error);
    case EVENT_IDENTITY:
        return identity(store, event, error) && fact(store, event, error);
    case EVENT_VALUE:
        return store_run(store, error, "INSERT INTO value VALUES (?,?,?,?,?,?,?,?,?,?,?)", "iiisssssiii",
                         store->seq, event->run, (int64_t)event->step, text_or(event->stage),
                         text_or(event->key), event->before, text_or(event->written), text_or(event->found),
                         event->raw_written, event->raw_found, (int64_t)event->ok);
    case EVENT_MEASUREMENT:
        return measurement(store, event, error);
    case EVENT_RUN_END:
        return run_end(store, event, error);
    default:
        return fact(store, event, error);
    }
}

static bool refuse(int64_t run, const char *why, GError **error)
{
    return error_set(error, ERROR_INTERNAL, "run %" G_GINT64_FORMAT " may not become PASS: %s", run, why);
}

/* A PASS is believed only when the journal itself shows why. */
static const struct {
    const char *sql, *why;
} pass_rules[] = {
    {"SELECT r.steps = (SELECT count(DISTINCT step) FROM step s WHERE s.run = r.run AND s.ok = 1) FROM run r "
     "WHERE run = ?",
     "not every step of the recipe ended ok"},
    {"SELECT count(*) = 0 FROM step s WHERE run = ? AND ok IS NULL", "a step never ended"},
    {"SELECT uid IS NOT NULL FROM run WHERE run = ?", "the board was never identified"},
    {"SELECT count(*) = 0 FROM fact i WHERE i.run = ? AND i.type = 'intent' AND NOT EXISTS (SELECT 1 FROM "
     "fact r WHERE"
     " r.run = i.run AND r.type = 'result' AND r.seq > i.seq AND (r.key = i.key OR (i.key = 'erase' AND "
     "r.key = 'verify')))",
     "an intent has no result"},
    {"SELECT count(*) = 0 FROM fact i JOIN run USING (run) WHERE i.run = ? AND i.type = 'intent' AND i.key = "
     "'identity' AND"
     " package_sha256 <> '' AND NOT EXISTS (SELECT 1 FROM fact r WHERE r.run = i.run AND r.type = 'result' "
     "AND"
     " r.key = 'verify' AND r.seq < i.seq)",
     "identity was written before the firmware was proved"},
    {"SELECT count(*) = 0 FROM (SELECT key FROM value w WHERE w.run = ?1 AND stage = 'write' GROUP BY key "
     "EXCEPT"
     " SELECT key FROM value a WHERE a.run = ?1 AND stage = 'after-restart' AND ok = 1)",
     "a value was not read back after a restart"},
    {"SELECT count(*) = 1 FROM run r JOIN serial s ON s.sn = r.sn AND s.uid = r.uid WHERE r.run = ? AND "
     "s.rank >= 3"
     " UNION ALL SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM fact WHERE run = ?1 AND type = 'intent' AND key = "
     "'identity')"
     " ORDER BY 1 DESC LIMIT 1",
     "the serial number is not on this board"},
};

bool store_check_pass(struct store *store, const struct event *end, GError **error)
{
    for (gsize i = 0; i < G_N_ELEMENTS(pass_rules); i++) {
        int64_t holds;
        bool found;
        if (!store_get_int(store, error, &holds, &found, pass_rules[i].sql, "i", end->run))
            return false;
        if (!found || !holds)
            return refuse(end->run, pass_rules[i].why, error);
    }
    return true;
}
