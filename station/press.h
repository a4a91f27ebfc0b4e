/* The label press: prints only from a committed PASS row, one journaled job per run and copy. PRINTER errors
 * leave the unit's PASS untouched; RULE when the label was already sent. */
#pragma once

#include "recipes/plan.h"
#include "station/config.h"
#include "station/screen.h"
#include "station/store/store.h"

/* Renders the layout with what the record says, queues the job, sends it, records how it went. */
bool press_unit(const struct config *config, struct store *store, const struct layout *layout,
                const struct profile *profile, int64_t run, struct tick *tick, struct screen *screen,
                GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The label of a unit that passed and whose label surely never reached a printer, with the layout the run
 * used. */
bool press_again(const struct config *config, struct store *store, const char *sn, struct tick *tick,
                 struct screen *screen, GError **error) G_GNUC_WARN_UNUSED_RESULT;
