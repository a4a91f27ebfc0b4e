/* Single registers by number, for engineers: around the profile's items, but not around what it forbids. */
#include "proto/board.h"

#include "station/base/error.h"

static bool supported(const struct board *board, GError **error)
{
    return board->dialect->registers ||
           error_set(error, ERROR_REFUSED, "dialect '%s' has no registers to number", board->dialect->name);
}

/* The item of a writable block that lies in this register; NULL = none is described there. */
static const struct profile_item *item_at(const struct profile *profile, unsigned number,
                                          bool (*is)(const struct profile_item *))
{
    for (guint i = 0; i < profile->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(profile->items, i);
        int64_t first = item->in->number * 2 + item->offset, end = first + item->width * item->count;
        if (!item->in->read_command && first < 2 * ((int64_t)number + 1) && end > 2 * (int64_t)number &&
            is(item))
            return item;
    }
    return NULL;
}

static bool is_secret(const struct profile_item *item)
{
    return item->secret;
}

static bool is_forbidden(const struct profile_item *item)
{
    return item->access == ACCESS_NEVER || item->access == ACCESS_READ_ONLY || item->secret;
}

static struct profile_block one_register(unsigned number)
{
    return (struct profile_block){.name = (char *)"register", .number = number, .size = 2};
}

bool board_register_read(struct board *board, unsigned number, uint16_t *value, GError **error)
{
    const struct profile_block block = one_register(number);
    const struct profile_item *secret = item_at(board->profile, number, is_secret);
    uint8_t bytes[2];
    if (!supported(board, error))
        return false;
    if (secret)
        return error_set(error, ERROR_RULE, "register %04XH holds '%s', which is secret", number,
                         secret->key);
    if (!board->dialect->read_block(board, &block, 0, bytes, 2, error))
        return false;
    *value = (uint16_t)(bytes[0] << 8 | bytes[1]);
    return true;
}

bool board_register_write(struct board *board, unsigned number, uint16_t value, GError **error)
{
    const struct profile_block block = one_register(number);
    const struct profile_item *forbidden = item_at(board->profile, number, is_forbidden);
    const uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};
    uint16_t found;
    if (!supported(board, error))
        return false;
    if (forbidden)
        return error_set(error, ERROR_RULE, "register %04XH holds '%s', which must not be written", number,
                         forbidden->key);
    if (!board->dialect->write_block(board, &block, 0, bytes, 2, error) ||
        !board_register_read(board, number, &found, error))
        return false;
    return found == value || error_set(error, ERROR_MISMATCH, "register %04XH was written as %u but reads %u",
                                       number, value, found);
}
