/* What is done to the board as a whole, before anything is written. */
#include "station/step.h"

#include "station/base/error.h"

extern const struct step_kind step_defaults;

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

const struct step_kind step_defaults = {
    .verb = "defaults",
    .title = "Restore the factory defaults",
    .repeatable = true,
    .timeout_s = 60,
    .run = run_defaults,
};
