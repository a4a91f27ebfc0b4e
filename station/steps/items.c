/* Steps that write items: identity, capacity, cell count, parameters, switches. All read the whole image
 * first, write with an intent on disk, and read every item back raw. */
#include "station/step.h"

#include "station/base/error.h"

#include <stdlib.h>
#include <string.h>

extern const struct step_kind step_write_identity, step_capacity, step_cells, step_parameters, step_switches;

static bool write_plain(struct step_context *context, GError **error)
{
    return step_write_values(context, context->step->values, context->step->value_count, error);
}

static bool firmware_needed(const struct step_context *context)
{
    return context->plan->package != NULL;
}

/* No identity goes onto a board whose bytes are not proved, and none over somebody else's. */
static bool write_identity(struct step_context *context, GError **error)
{
    const struct desk *desk = context->desk;
    const char *key = context->plan->profile->serial_item;
    const struct item_value *serial = NULL;
    if (firmware_needed(context) && !context->firmware_proved)
        return error_set(error, ERROR_RULE,
                         "the firmware on this board is not proved, so no identity is written");
    for (unsigned i = 0; i < context->step->value_count; i++)
        if (key && strcmp(context->step->values[i].item->key, key) == 0)
            serial = &context->step->values[i];
    if (!serial)
        return write_plain(context, error);

    struct item_value present;
    if (!step_same_board(context, error) || !board_read_item(context->board, serial->item, &present, error))
        return false;
    if (!present.absent && strcmp(present.text, serial->text) != 0)
        return error_set(error, ERROR_RULE,
                         "the board already carries serial number '%s', this run is for '%s'", present.text,
                         serial->text);
    return desk->claim(desk->context, context->run, CLAIM_SERIAL_INTENT, context->unique_id, serial->text,
                       error) &&
           step_intent(context, "identity", serial->text, error) && write_plain(context, error) &&
           desk->claim(desk->context, context->run, CLAIM_SERIAL_ON_BOARD, context->unique_id, serial->text,
                       error) &&
           step_result(context, "identity", serial->text, error);
}

const struct step_kind step_write_identity = {
    .verb = "write_identity",
    .title = "Write serial number and product information",
    .repeatable = true,
    .timeout_s = 30,
    .run = write_identity,
};

/* The third place a capacity lives in is what the board reports live: it must say the same. */
#define LIVE_STEP_MAH 10

static bool write_capacity(struct step_context *context, GError **error)
{
    const struct recipe_capacity *p = context->step->parameters;
    struct board_telemetry live;
    if (!write_plain(context, error) || !board_telemetry(context->board, &live, error))
        return false;
    if (!telemetry_tells(&live, TELEMETRY_FULL) || ABS(live.full_mah - p->full) < LIVE_STEP_MAH)
        return true;
    g_autofree char *shown = quantity_format(QUANTITY_CHARGE, live.full_mah);
    g_autofree char *wanted = quantity_format(QUANTITY_CHARGE, p->full);
    return error_set(error, ERROR_MISMATCH, "the full capacity was written as %s but the board reports %s",
                     wanted, shown);
}

const struct step_kind step_capacity = {
    .verb = "capacity",
    .title = "Set the capacity",
    .repeatable = true,
    .timeout_s = 30,
    .run = write_capacity,
};

const struct step_kind step_cells = {
    .verb = "cells",
    .title = "Set the cell count",
    .repeatable = true,
    .timeout_s = 30,
    .run = write_plain,
};

const struct step_kind step_parameters = {
    .verb = "parameters",
    .title = "Write the parameters",
    .repeatable = true,
    .timeout_s = 120,
    .run = write_plain,
};

const struct step_kind step_switches = {
    .verb = "switches",
    .title = "Set the protection and alarm switches",
    .repeatable = true,
    .timeout_s = 30,
    .run = write_plain,
};
