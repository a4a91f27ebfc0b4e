/* The board's own log, read through items: a record is chosen by writing its place, 0 for the newest. */
#include "proto/described.h"

#include "station/base/error.h"

#include <string.h>

static bool number_of(struct board *board, enum profile_log_field field, int64_t *value, int64_t *raw,
                      GError **error)
{
    const struct profile_item *item = board->profile->log.in[field];
    struct item_value read = {0};
    if (item && !board_read_item(board, item, &read, error))
        return false;
    if (value)
        *value = read.value;
    if (raw)
        *raw = read.raw;
    return true;
}

static bool select_record(struct board *board, unsigned place, GError **error)
{
    const struct profile_item *item = board->profile->log.in[LOG_SELECT];
    const struct item_value value = {.item = item, .raw = place};
    uint8_t bytes[8] = {0};
    profile_value_encode(&value, bytes);
    return board->dialect->write_block(board, item->in, (unsigned)item->offset, bytes, item->width, error);
}

bool described_log_open(struct board *board, unsigned *count, GError **error)
{
    int64_t there;
    if (!board->profile->log.in[LOG_COUNT])
        return error_set(error, ERROR_REFUSED, "history is not supported by profile '%s'",
                         board->profile->profile);
    board->log_at = board->log_count = 0;
    if (!number_of(board, LOG_COUNT, NULL, &there, error))
        return false;
    *count = board->log_count = (unsigned)MAX(there, 0);
    return true;
}

static bool read_time(struct board *board, int64_t *wall_us, GError **error)
{
    const struct profile_item *item = board->profile->log.in[LOG_TIME];
    uint8_t bytes[8];
    *wall_us = 0;
    if (!item)
        return true;
    return board->dialect->read_block(board, item->in, (unsigned)item->offset, bytes, item->width, error) &&
           described_time_decode(&board->profile->clock, bytes, tick_wall(board->wire->tick), wall_us, error);
}

static bool read_event(struct board *board, struct board_record *record, GError **error)
{
    const struct profile_log *log = &board->profile->log;
    int64_t event, active;
    if (!log->in[LOG_EVENT])
        return true;
    if (!number_of(board, LOG_EVENT, NULL, &event, error) ||
        !number_of(board, LOG_ACTIVE, NULL, &active, error))
        return false;
    if (event >= 0 && event < (int64_t)log->events->len)
        g_strlcpy(record->what, g_ptr_array_index(log->events, (guint)event), sizeof record->what);
    else
        g_snprintf(record->what, sizeof record->what, "event %" G_GINT64_FORMAT, event);
    if (log->in[LOG_ACTIVE])
        g_strlcat(record->what, active ? " occurred" : " cleared", sizeof record->what);
    return true;
}

/* New records move the older ones, so the running numbers must go down by one. */
bool described_log_next(struct board *board, struct board_record *record, bool *end, GError **error)
{
    int64_t id;
    *end = board->log_at == board->log_count;
    if (*end)
        return true;
    if (!select_record(board, board->log_at, error) || !number_of(board, LOG_ID, NULL, &id, error) ||
        !read_time(board, &record->wall_us, error) || !read_event(board, record, error) ||
        !number_of(board, LOG_PACK_VOLTAGE, &record->pack_mv, NULL, error) ||
        !number_of(board, LOG_CURRENT, &record->current_ma, NULL, error) ||
        !number_of(board, LOG_SOC, &record->soc_ppc, NULL, error) ||
        !number_of(board, LOG_CELL_MAX, &record->cell_max_mv, NULL, error) ||
        !number_of(board, LOG_CELL_MIN, &record->cell_min_mv, NULL, error) ||
        !number_of(board, LOG_TEMPERATURE, &record->temperature_max_mdeg, NULL, error))
        return false;
    record->current_ma *= board->profile->charge_sign;
    record->id = (uint32_t)id;
    if (board->log_at > 0 && record->id + 1 != board->log_id)
        return error_set(error, ERROR_GARBLED,
                         "the log changed while it was read: record %u follows %u; read it again", record->id,
                         board->log_id);
    board->log_id = record->id;
    board->log_at++;
    return true;
}
