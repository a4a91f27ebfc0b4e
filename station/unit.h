/* One unit, from scan to label: plan, journal, engine, press. What `run` and `demo` do. */
#pragma once

#include "labels/printer.h"
#include "station/config.h"
#include "station/screen.h"
#include "station/store/store.h"

/* What stands around a station in place of its configured links, benches and printers: the simulation. */
struct unit_world {
    void *context;
    struct wire *(*connect)(void *context, const struct wire_options *options, GError **error);
    struct bench *(*open_bench)(void *context, GError **error);
    enum printer_outcome (*print)(void *context, const struct printer_job *job, GError **error);
};

struct unit_request {
    const char *recipe; /* a release file (production) or a recipe file (trial) */
    const char *slot;   /* NULL = the first */
    const char *scan;
    const char
        *mark; /* of confirm_label: what a board carries that cannot say which one it is; NULL = asked for */
    const char *operator_name; /* NULL = "" */
    bool assume_yes;           /* confirmations are answered yes, on record */
    struct cancel *cancel;     /* may be NULL */
    struct tick *tick;
    const struct unit_world *world; /* NULL = the real one */
};

/* Runs one unit against an open store, showing it on the screen. Returns the process exit code; every refusal
 * before a board is touched is an error instead (returns -1 with *error). */
int unit_run(const struct config *config, struct store *store, const struct unit_request *request,
             struct screen *screen, GError **error);
