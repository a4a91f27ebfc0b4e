/* The label press: prints only from a committed PASS row, one journaled job per run and copy. PRINTER errors
 * leave the unit's PASS untouched; RULE when the label was already sent. */
#pragma once

#include "labels/printer.h"
#include "recipes/plan.h"
#include "station/config.h"
#include "station/screen.h"
#include "station/store/store.h"

/* What a press works with; all borrowed. */
struct press {
    const struct config *config;
    struct store *store;
    struct tick *tick;
    struct screen *screen;
    /* In place of the configured printer; NULL = that one. */
    enum printer_outcome (*print)(void *context, const struct printer_job *job, GError **error);
    void *context;
};

/* Renders the layout with what the record says, queues the job, sends it, records how it went. */
bool press_unit(const struct press *press, const struct layout *layout, const struct profile *profile,
                int64_t run, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The profile of a run as it was kept, whatever became of its file. */
struct profile *press_kept_profile(struct store *store, const char *sha256,
                                   GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The label of a unit that passed and whose label surely never reached a printer, with the layout the run
 * used. */
bool press_again(const struct press *press, const char *sn, GError **error) G_GNUC_WARN_UNUSED_RESULT;
