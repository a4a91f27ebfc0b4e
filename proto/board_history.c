/* The board's own history, to its own end marker. */
#include "proto/board.h"

#include "proto/described.h"
#include "station/base/error.h"

#define HISTORY_MAX 100000 /* records: more than any board of these families keeps */

static bool read_records(struct board *board, unsigned count, board_record_sink sink, void *context,
                         GError **error)
{
    for (unsigned i = 0; i < HISTORY_MAX; i++) {
        struct board_record record = {0};
        bool end = false;
        if (!(board->dialect->history_next ? board->dialect->history_next(board, &record, &end, error)
                                           : described_log_next(board, &record, &end, error))) {
            if (count == BOARD_RECORDS_UNTOLD)
                g_prefix_error(error, "after %u records: ", i);
            else
                g_prefix_error(error, "after %u of %u records: ", i, count);
            return false;
        }
        if (end)
            return i == count || count == BOARD_RECORDS_UNTOLD ||
                   error_set(error, ERROR_GARBLED, "the board announced %u records and sent %u", count, i);
        if (!sink(context, &record, error))
            return false;
    }
    return error_set(error, ERROR_GARBLED, "more than %d records without an end marker", HISTORY_MAX);
}

bool board_history_read(struct board *board, board_record_sink sink, void *context, GError **error)
{
    unsigned count;
    if (!(board->dialect->history_open ? board->dialect->history_open(board, &count, error)
                                       : described_log_open(board, &count, error)))
        return false;
    bool ok = read_records(board, count, sink, context, error);
    g_autoptr(GError) ignored = NULL; /* the reading counts, not the closing */
    if (board->dialect->history_close)
        (void)!board->dialect->history_close(board, &ignored);
    return ok;
}

bool board_history_can_erase(const struct board *board, GError **error)
{
    return board->dialect->history_erase ||
           error_set(error, ERROR_REFUSED, "erasing the history is not supported by dialect '%s'",
                     board->dialect->name);
}

bool board_history_erase(struct board *board, GError **error)
{
    return board_history_can_erase(board, error) && board_may_act(board, error) &&
           board->dialect->history_erase(board, error);
}
