/* The label press: prints only from a committed PASS row, one journaled job per run and copy. */
#pragma once

#include "recipes/plan.h"
#include "station/config.h"
#include "station/screen.h"
#include "station/store/store.h"

/* Renders the plan's layout with what the record says, queues the job, sends it, records how it went. PRINTER
 * errors leave the unit's PASS untouched. */
bool press_unit(const struct config *config, struct store *store, const struct plan *plan, int64_t run,
                struct tick *tick, struct screen *screen, GError **error) G_GNUC_WARN_UNUSED_RESULT;
