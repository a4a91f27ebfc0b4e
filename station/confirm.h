/* Scanning a label back: the number on the label, the record and the board in the slot must be one unit. */
#pragma once

#include "station/unit.h"

/* request->scan is what was read from the label; recipe is not looked at. Meant is the unit of the slot whose
 * label waits, or, when none does, the unit with the number that was scanned. RULE, on record, when label or
 * board is another one's; ABSENT when there is no such unit; the link's errors when the board does not
 * answer. A board that sleeps is woken
 * by the operator, who is asked to at the screen. */
bool confirm_label(const struct config *config, struct store *store, const struct unit_request *request,
                   struct screen *screen, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Asks for the scan at the desk until it fits; CANCELLED when nobody answers. RULE after three wrong ones. */
bool confirm_at_desk(const struct config *config, struct store *store, const struct unit_request *request,
                     struct screen *screen, GError **error) G_GNUC_WARN_UNUSED_RESULT;
