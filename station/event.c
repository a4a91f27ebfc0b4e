#include "station/event.h"

#include <string.h>

const char *event_type_name(enum event_type type)
{
    static const char *const names[EVENT_TYPES] = {"run_begin", "step_begin", "intent",      "result",
                                                   "identity",  "value",      "measurement", "image",
                                                   "note",      "progress",   "step_end",    "run_end"};
    return names[type];
}

const char *event_verdict_name(enum event_verdict verdict)
{
    static const char *const names[] = {"", "PASS", "FAIL", "INTERRUPTED", "ABORTED"};
    return names[verdict];
}

static void put(json_t *json, const char *key, const char *text)
{
    if (!text || !*text)
        return;
    /* Foreign bytes that are no UTF-8 would make the whole object NULL. */
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    json_object_set_new(json, key, json_string(valid));
}

static void put_number(json_t *json, const char *key, int64_t number)
{
    json_object_set_new(json, key, json_integer(number));
}

static void put_run(json_t *json, const struct event_run *run)
{
    const struct {
        const char *key, *text;
    } texts[] = {{"station", run->station},
                 {"slot", run->slot},
                 {"operator", run->operator_name},
                 {"scan", run->scan},
                 {"sn", run->sn},
                 {"model", run->model},
                 {"recipe", run->recipe},
                 {"recipe_revision", run->recipe_revision},
                 {"recipe_sha256", run->recipe_sha256},
                 {"profile", run->profile},
                 {"profile_sha256", run->profile_sha256},
                 {"evidence", run->evidence},
                 {"package_version", run->package_version},
                 {"package_sha256", run->package_sha256},
                 {"package_signer", run->package_signer},
                 {"image_sha256", run->image_sha256},
                 {"layout_sha256", run->layout_sha256},
                 {"release_sha256", run->release_sha256},
                 {"plan_sha256", run->plan_sha256},
                 {"mode", run->production ? "production" : "trial"}};
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++)
        put(json, texts[i].key, texts[i].text);
    if (run->reference)
        put(json, "dialect", "reference dialect, not the vendor's protocol");
    put_number(json, "steps", run->steps);
}

static void put_measurement(json_t *json, const struct event *event)
{
    g_autofree char *shown = quantity_format(event->quantity, event->value);
    put_number(json, "value", event->value);
    put(json, "shown", shown);
    put(json, "quantity", quantity_name(event->quantity));
    if (event->has_min)
        put_number(json, "min", event->min);
    if (event->has_max)
        put_number(json, "max", event->max);
    put(json, "instrument", event->instrument);
    put(json, "instrument_due", event->instrument_due);
}

static void put_identity(json_t *json, const struct event *event)
{
    put(json, "unique_id", event->unique_id);
    put(json, "sn", event->sn);
    put(json, "product", event->product);
    put(json, "hardware", event->hardware);
    put(json, "firmware", event->firmware);
    put(json, "bootloader", event->bootloader);
    put(json, "mcu_id", event->mcu_id);
}

json_t *event_json(const struct event *event)
{
    json_t *json = json_object();
    put(json, "event", event_type_name(event->type));
    put_number(json, "run", event->run);
    if (event->step >= 0)
        put_number(json, "step", event->step);
    if (event->attempt)
        put_number(json, "attempt", event->attempt);
    put_number(json, "now_us", event->now_us);
    put_number(json, "wall_us", event->wall_us);
    put(json, "verb", event->verb);
    put(json, "title", event->title);
    put(json, "key", event->key);
    put(json, "text", event->text);
    put(json, "detail", event->detail);
    put_identity(json, event);
    if (event->type == EVENT_RUN_BEGIN)
        put_run(json, &event->begin);
    if (event->type == EVENT_VALUE) {
        put(json, "before", event->before);
        put(json, "written", event->written);
        put(json, "found", event->found);
        put_number(json, "raw_written", event->raw_written);
        put_number(json, "raw_found", event->raw_found);
        put(json, "stage", event->stage);
    }
    if (event->type == EVENT_MEASUREMENT)
        put_measurement(json, event);
    if (event->type == EVENT_PROGRESS) {
        put(json, "phase", event->phase);
        put_number(json, "done", (int64_t)event->done);
        put_number(json, "total", (int64_t)event->total);
    }
    if (event->type == EVENT_STEP_END || event->type == EVENT_MEASUREMENT || event->type == EVENT_VALUE)
        json_object_set_new(json, "ok", json_boolean(event->ok));
    if (event->type == EVENT_STEP_END || event->type == EVENT_RUN_END)
        put_number(json, "duration_us", event->duration_us);
    put(json, "error_kind", event->error_kind);
    if (event->type == EVENT_RUN_END) {
        put(json, "verdict", event_verdict_name(event->verdict));
        put_number(json, "exit_code", event->exit_code);
    }
    return json;
}

json_t *event_line_json(const struct event *event)
{
    static const char *const types[EVENT_TYPES] = {
        [EVENT_RUN_BEGIN] = "task_begin",   [EVENT_STEP_BEGIN] = "task_begin",
        [EVENT_PROGRESS] = "task_progress", [EVENT_STEP_END] = "task_end",
        [EVENT_RUN_END] = "task_end",       [EVENT_NOTE] = "log",
    };
    const char *type = types[event->type] ? types[event->type] : "info";
    return json_pack("{s:i,s:s,s:o}", "v", 1, "type", type, "data", event_json(event));
}
