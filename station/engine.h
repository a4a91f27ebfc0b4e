/* The engine runs one plan on one slot. It knows no SQL, no HTTP, no protocol: steps speak to board, loader
 * and bench, and everything that happens leaves through the desk. */
#pragma once

#include "recipes/plan.h"
#include "station/bench.h"
#include "station/desk.h"

struct engine_slot {
    const char *name;
    unsigned address;     /* the board's bus address */
    bool allow_reference; /* the station's override for reference dialects on physical wires */
    struct tick *tick;
    struct cancel *cancel; /* may be NULL */
    void *context;
    /* Opens the slot's wire at this line; called once a run. */
    struct wire *(*connect)(void *context, const struct wire_line *line, GError **error);
    /* Opens the slot's bench; NULL = the slot has none. */
    struct bench *(*open_bench)(void *context, GError **error);
    /* Borrowed; NULL when the station has no such secret. */
    const struct secret *(*secret)(void *context, const char *name);
};

struct engine_result {
    enum event_verdict verdict;
    int exit_code;
    int failed_step;     /* -1 = none */
    char error_kind[16]; /* "" when it passed */
    char *text;          /* what failed; NULL when it passed */
    char *advice;        /* what to do next */
    bool recorded;       /* false: the verdict could not be stored, and nothing of it may be believed */
};

/* Blocks until the run ended one way; always fills *result and always asks the desk to record the end. */
void engine_run(const struct plan *plan, const struct engine_slot *slot, const struct desk *desk, int64_t run,
                struct engine_result *result);
void engine_result_clear(struct engine_result *result);

/* What a plan's RUN_END and records call this set, filled from the plan; strings are borrowed from it. */
void engine_describe(const struct plan *plan, struct event_run *run);
