/* The cell chemistry that a board itself reports. */
#include "proto/board.h"

#include "station/base/error.h"

bool board_chemistry(struct board *board, const char **chemistry, GError **error)
{
    const struct profile *profile = board->profile;
    const struct profile_item *item = profile_item_find(profile, profile->chemistry_item);
    struct item_value value;
    *chemistry = NULL;
    if (!item)
        return true;
    if (!board_read_item(board, item, &value, error))
        return false;
    if (value.raw < 0 || value.raw >= (int64_t)profile->chemistry_words->len)
        return error_set(error, ERROR_RULE,
                         "%s is %" G_GINT64_FORMAT ", which is no chemistry this profile knows", item->key,
                         value.raw);
    *chemistry = g_ptr_array_index(profile->chemistry_words, (guint)value.raw);
    return true;
}
