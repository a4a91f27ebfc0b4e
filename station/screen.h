/* What a person at a terminal sees of a run: one line a step, honest byte bars, one verdict line. Or NDJSON.
 */
#pragma once

#include "station/engine.h"

struct screen;

/* Somebody else who looks on in place of a terminal: the simulation. Members are never NULL. */
struct screen_watcher {
    void *context;
    void (*event)(void *context, const struct event *event);
    void (*verdict)(void *context, const struct engine_result *result, const char *sn);
    bool (*ask)(void *context, const struct desk_ask *ask, struct desk_answer *answer, GError **error);
};

/* json: one object a line on stdout. Otherwise lines on stdout; bars only when it is a terminal. */
struct screen *screen_new(bool json);
/* Shows nothing and tells the watcher, which is borrowed. */
struct screen *screen_new_watched(const struct screen_watcher *watcher);
void screen_free(struct screen *screen);
void screen_event(struct screen *screen, const struct event *event);
/* The verdict, after it was recorded: "PASS SN", "TRIAL PASS SN", "FAIL SN: what; what to do". */
void screen_verdict(struct screen *screen, const struct engine_result *result, const char *sn,
                    bool production);
/* Where the record and label are, or any other remark. */
void screen_line(struct screen *screen, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Asks at the terminal; CANCELLED when there is none. assume_yes answers confirmations. */
bool screen_ask(struct screen *screen, const struct desk_ask *ask, bool assume_yes,
                struct desk_answer *answer, GError **error);
