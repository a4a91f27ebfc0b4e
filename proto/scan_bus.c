#include "proto/scan_bus.h"

#include "station/base/error.h"

#include <string.h>

static bool read_text(struct board *board, const char *key, char *text, size_t size, GError **error)
{
    const struct profile_item *item = profile_item_find(board->profile, key);
    struct item_value value = {0};
    text[0] = '\0';
    if (!item)
        return true;
    if (!board_read_item(board, item, &value, error))
        return false;
    if (!value.absent)
        g_strlcpy(text, value.text, size);
    return true;
}

static bool ask(struct board *board, struct bus_board *found, GError **error)
{
    found->address = board->address;
    return board_identify(board, &found->identity, error) &&
           read_text(board, board->profile->serial_item, found->serial, sizeof found->serial, error) &&
           read_text(board, board->profile->barcode_item, found->barcode, sizeof found->barcode, error);
}

static const char *same_identity(const struct bus_board *a, const struct bus_board *b)
{
    if (a->serial[0] && strcmp(a->serial, b->serial) == 0)
        return "serial number";
    if (a->barcode[0] && strcmp(a->barcode, b->barcode) == 0)
        return "barcode";
    if (a->identity.has_unique_id && b->identity.has_unique_id &&
        memcmp(a->identity.unique_id, b->identity.unique_id, sizeof a->identity.unique_id) == 0)
        return "unique id";
    return NULL;
}

static bool check_apart(const GArray *boards, GError **error)
{
    for (guint i = 0; i < boards->len; i++)
        for (guint k = 0; k < i; k++) {
            const struct bus_board *a = &g_array_index(boards, struct bus_board, k);
            const struct bus_board *b = &g_array_index(boards, struct bus_board, i);
            const char *what = same_identity(a, b);
            if (what)
                return error_set(
                    error, ERROR_RULE,
                    "addresses %u and %u report the same %s: one board answers at both, or one of "
                    "two is not itself; take one off the line",
                    a->address, b->address, what);
        }
    return true;
}

/* Who is worth asking: those that were heard, or everybody. */
static bool survey(const struct profile *profile, struct wire *wire, unsigned first, unsigned last,
                   bool allow_reference, bool there[BOARD_ADDRESSES], GError **error)
{
    struct board *board = board_open(profile, wire, first, allow_reference, error);
    if (!board)
        return false;
    memset(there, !board->dialect->survey, BOARD_ADDRESSES * sizeof *there);
    bool ok = !board->dialect->survey || board->dialect->survey(board, first, last, there, error);
    board_close(board);
    return ok;
}

GArray *bus_scan(const struct profile *profile, struct wire *wire, unsigned first, unsigned last,
                 bool allow_reference, bus_progress progress, void *context, GError **error)
{
    g_autoptr(GArray) boards = g_array_new(FALSE, FALSE, sizeof(struct bus_board));
    bool heard[BOARD_ADDRESSES];
    if (!survey(profile, wire, first, last, allow_reference, heard, error))
        return NULL;
    for (unsigned address = first; address <= last && address < BOARD_ADDRESSES; address++) {
        struct bus_board found = {0};
        g_autoptr(GError) wrong = NULL;
        if (!heard[address])
            continue;
        if (progress)
            progress(context, address);
        struct board *board = board_open(profile, wire, address, allow_reference, error);
        if (!board)
            return NULL;
        bool there = ask(board, &found, &wrong);
        board_close(board);
        if (there) {
            g_array_append_val(boards, found);
        } else if (error_kind(wrong) == ERROR_GARBLED) {
            error_set(error, ERROR_RULE, "address %u answers in pieces, perhaps two boards have it: %s",
                      address, wrong->message);
            return NULL;
        } else if (error_kind(wrong) != ERROR_SILENT) {
            g_propagate_prefixed_error(error, g_steal_pointer(&wrong), "address %u: ", address);
            return NULL;
        }
    }
    return check_apart(boards, error) ? g_steal_pointer(&boards) : NULL;
}
