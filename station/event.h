/* The closed list of things that can happen in a run. Events are values; strings are borrowed for the call.
 *
 * All but EVENT_PROGRESS are facts: they go into the journal and are never lost. Progress is a pulse. */
#pragma once

#include "station/base/quantity.h"

#include <jansson.h>

enum event_type {
    EVENT_RUN_BEGIN,
    EVENT_STEP_BEGIN,
    EVENT_INTENT,      /* on disk before an effect that cannot be taken back */
    EVENT_RESULT,      /* the proof that closes an intent */
    EVENT_IDENTITY,    /* which board this is */
    EVENT_VALUE,       /* an item: before, written, read back */
    EVENT_MEASUREMENT, /* a measured value and its limits */
    EVENT_IMAGE,       /* a whole parameter image or other document, as JSON */
    EVENT_NOTE,        /* a warning or remark a quality engineer should see */
    EVENT_PROGRESS,    /* pulse */
    EVENT_STEP_END,
    EVENT_RUN_END,
    EVENT_TYPES
};
const char *event_type_name(enum event_type type); /* "step_begin" */

enum event_verdict { VERDICT_NONE, VERDICT_PASS, VERDICT_FAIL, VERDICT_INTERRUPTED, VERDICT_ABORTED };
const char *event_verdict_name(enum event_verdict verdict); /* "PASS" … "" */

/* What a run is made of; hashes are 64 hex digits or "". */
struct event_run {
    const char *station, *slot, *operator_name, *scan, *sn, *model;
    const char *recipe, *recipe_revision, *recipe_sha256;
    const char *profile, *profile_sha256;
    const char *evidence; /* how the profile is known: "vendor-public 4, reference 210" */
    const char *package_version, *package_sha256, *package_signer, *image_sha256;
    const char *layout_sha256, *release_sha256, *plan_sha256;
    bool production; /* a released set; else a trial that never counts as a production PASS */
    bool reference;  /* reference dialect, not the vendor's protocol */
    unsigned steps;
};

struct event {
    enum event_type type;
    int64_t run;      /* store's number */
    int step;         /* from 0; -1 = of the run */
    unsigned attempt; /* from 1 */
    int64_t now_us, wall_us;

    const char *verb;   /* step: "flash" */
    const char *title;  /* step: for people */
    const char *key;    /* value: item key; measurement: name; intent/result: what ("erase"); image: name */
    const char *text;   /* sentence: note, error, evidence */
    const char *detail; /* advice, digest, JSON of an image */

    struct event_run begin; /* RUN_BEGIN */

    const char *unique_id, *sn, *product, *hardware, *firmware, *bootloader, *mcu_id; /* IDENTITY */

    const char *before, *written, *found; /* VALUE: as shown; found = read back */
    int64_t raw_written, raw_found;
    const char *stage; /* VALUE: "write", "after-restart" */

    enum quantity quantity; /* MEASUREMENT */
    int64_t value, min, max;
    bool has_min, has_max;
    const char *instrument, *instrument_due;

    const char *phase; /* PROGRESS */
    uint64_t done, total;

    bool ok;                    /* STEP_END, MEASUREMENT, VALUE */
    const char *error_kind;     /* STEP_END, RUN_END: error_rule name */
    enum event_verdict verdict; /* RUN_END */
    int exit_code;              /* RUN_END */
    int64_t duration_us;        /* STEP_END, RUN_END */
};

/* Canonical JSON of what the type uses (no empty fields), sorted keys when dumped with JSON_SORT_KEYS. New
 * reference. */
json_t *event_json(const struct event *event);
/* The line an integrator reads: {"v":1,"type":"task_begin|task_progress|task_end|info|log","data":{…}}. New
 * ref. */
json_t *event_line_json(const struct event *event);
