/* What is done to the board as a whole: its defaults before anything is written, its sleep after everything.
 */
#include "station/step.h"

#include "station/base/error.h"

extern const struct step_kind step_defaults, step_hibernate;

#define ASLEEP_MS 1000

/* Alone, and read in full afterwards: what comes back is the maker's, not the profile's. */
static bool run_defaults(struct step_context *context, GError **error)
{
    if (g_hash_table_size(context->written) > 0)
        return error_set(error, ERROR_RULE,
                         "values were written before: the defaults would take them back unseen");
    if (!step_need_image(context, error) || !step_same_board(context, error) ||
        !step_intent(context, "factory-defaults", NULL, error) ||
        !board_control(context->board, CONTROL_FACTORY_DEFAULTS, 0, error))
        return false;
    struct board_image *image = board_image_read(context->board, error);
    if (!image)
        return false;
    bool ok = step_document(context, "parameter-image-defaults", board_image_json(image), error);
    board_image_free(image);
    return ok && step_same_board(context, error) &&
           step_result(context, "factory-defaults", "the defaults were read back", error);
}

/* The board has said yes, and then it must be silent: one that still answers does not sleep. */
static bool run_hibernate(struct step_context *context, GError **error)
{
    struct board_identity identity;
    g_autoptr(GError) silence = NULL;
    if (!step_same_board(context, error) || !step_intent(context, "hibernate", NULL, error) ||
        !board_control(context->board, CONTROL_SLEEP, 0, error) ||
        !wire_pause_ms(context->wire, ASLEEP_MS, error))
        return false;
    if (board_identify(context->board, &identity, &silence))
        return error_set(error, ERROR_MISMATCH, "the board was told to hibernate and still answers");
    if (error_kind(silence) != ERROR_SILENT) {
        g_propagate_error(error, g_steal_pointer(&silence));
        return false;
    }
    return step_result(context, "hibernate", "the board is silent", error);
}

const struct step_kind step_defaults = {
    .verb = "defaults",
    .title = "Restore the factory defaults",
    .repeatable = true,
    .timeout_s = 60,
    .run = run_defaults,
};

const struct step_kind step_hibernate = {
    .verb = "hibernate",
    .title = "Hibernate",
    .repeatable = false, /* asked twice, a board that sleeps would look like one that is gone */
    .timeout_s = 30,
    .run = run_hibernate,
};
