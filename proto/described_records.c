/* Logs that are read whole: a ring of positions, and records that come one after the other. */
#include "proto/described.h"

#include "station/base/error.h"

#include <string.h>

/* "over temperature occurred, short circuit cleared" */
static void say(struct board_record *record, const char *name, const char *after)
{
    if (record->what[0])
        g_strlcat(record->what, ", ", sizeof record->what);
    g_strlcat(record->what, name, sizeof record->what);
    g_strlcat(record->what, after, sizeof record->what);
}

static const uint8_t *position(const struct board *board, unsigned number)
{
    return board->log_bytes + (gsize)(number - 1) * board->profile->log.ring.records_in->width;
}

static bool is_empty(const struct board *board, unsigned number)
{
    const struct profile_log_ring *ring = &board->profile->log.ring;
    const uint8_t *p = position(board, number);
    bool zeros = true, ones = true;
    for (unsigned i = 0; i < ring->records_in->width; i++) {
        zeros &= p[i] == 0;
        ones &= p[i] == 0xff;
    }
    return (ring->empty != EMPTY_ONES && zeros) || (ring->empty != EMPTY_ZEROS && ones);
}

static bool read_last(struct board *board, int64_t *last, GError **error)
{
    struct item_value value;
    if (!board_read_item(board, board->profile->log.ring.last_in, &value, error))
        return false;
    *last = value.raw;
    return true;
}

static bool is_none(const struct profile_log_ring *ring, int64_t last)
{
    for (guint i = 0; ring->none && i < ring->none->len; i++)
        if (g_array_index(ring->none, int64_t, i) == last)
            return true;
    return false;
}

/* Full, all positions count; else those up to the newest, and the others are empty. A hole is neither. */
static bool count_used(struct board *board, int64_t last, unsigned *used, GError **error)
{
    const struct profile_log_ring *ring = &board->profile->log.ring;
    const unsigned places = (unsigned)ring->records_in->count;
    const bool none = is_none(ring, last);
    *used = 0;
    if (!none && (last < 1 || last > places))
        return error_set(error, ERROR_GARBLED,
                         "the newest record is said to be number %" G_GINT64_FORMAT " of %u", last, places);
    for (unsigned i = 1; i <= places; i++)
        *used += !is_empty(board, i);
    if (none ? *used == 0 : *used == places)
        return true;
    for (unsigned i = 1; i <= places; i++)
        if (is_empty(board, i) != (none || i > last))
            return error_set(error, ERROR_GARBLED,
                             "record %u is %s, though the newest one is number %" G_GINT64_FORMAT, i,
                             is_empty(board, i) ? "empty" : "written", last);
    return true;
}

/* The newest is told before and after: what the board wrote in between would stand in the wrong place. */
bool described_ring_open(struct board *board, unsigned *count, GError **error)
{
    const struct profile_item *records = board->profile->log.ring.records_in;
    const unsigned n = (unsigned)(records->count * records->width);
    int64_t before, after;
    board->log_bytes = g_malloc0(n);
    if (!read_last(board, &before, error) ||
        !board->dialect->read_block(board, records->in, (unsigned)records->offset, board->log_bytes, n,
                                    error) ||
        !read_last(board, &after, error))
        return false;
    if (before != after)
        return error_set(error, ERROR_GARBLED, "the log changed while it was read; read it again");
    board->log_at = 0;
    board->log_id = (uint32_t)before;
    if (!count_used(board, before, &board->log_count, error))
        return false;
    *count = board->log_count;
    return true;
}

static uint32_t flags_of(const struct board *board, unsigned number)
{
    const uint8_t *p = position(board, number) + board->profile->log.ring.flags;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* A record tells the flags from then on; what changed is told by the record before it. The oldest one has
 * none. */
static void name_changes(const struct board *board, unsigned number, unsigned before,
                         struct board_record *record)
{
    const struct profile_log *log = &board->profile->log;
    const uint32_t now = flags_of(board, number), earlier = before ? flags_of(board, before) : 0;
    for (unsigned bit = 0; bit < 32; bit++) {
        g_autofree char *number_name = g_strdup_printf("flag %u", bit);
        const char *name = bit < log->events->len ? g_ptr_array_index(log->events, bit) : number_name;
        if ((now ^ earlier) >> bit & 1)
            say(record, name, !before ? " active" : now >> bit & 1 ? " occurred" : " cleared");
    }
    if (!record->what[0])
        g_strlcpy(record->what, before ? "no change" : "no flag active", sizeof record->what);
}

bool described_ring_next(struct board *board, struct board_record *record, bool *end, GError **error)
{
    const struct profile_log_ring *ring = &board->profile->log.ring;
    const unsigned places = (unsigned)ring->records_in->count;
    *end = board->log_at == board->log_count;
    if (*end)
        return true;
    const unsigned number = (board->log_id - 1 + places - board->log_at) % places + 1;
    const bool oldest = board->log_at + 1 == board->log_count;
    record->id = number;
    record->event_only = true;
    name_changes(board, number, oldest ? 0 : (number + places - 2) % places + 1, record);
    if (!described_time_decode(&board->profile->clock, position(board, number) + ring->time,
                               tick_wall(board->wire->tick), &record->wall_us, error)) {
        g_prefix_error(error, "record %u: ", number);
        return false;
    }
    board->log_at++;
    return true;
}

static bool stream_read(struct board *board, bool first, bool *end, GError **error)
{
    const struct profile_block *block = board->profile->log.record_in;
    return board->dialect->record(board, block, first, board->log_bytes, end, error);
}

bool described_stream_open(struct board *board, unsigned *count, GError **error)
{
    if (!board->dialect->record)
        return error_set(error, ERROR_REFUSED, "dialect '%s' reads no log record by record",
                         board->dialect->name);
    board->log_bytes = g_malloc0((gsize)board->profile->log.record_in->size);
    board->log_at = 0;
    *count = BOARD_RECORDS_UNTOLD;
    return true;
}

enum pick { PICK_FIRST, PICK_LEAST, PICK_MOST };

/* Of an item with elements, the one that is asked for; what is absent does not count. */
static int64_t pick(const struct board *board, enum profile_log_field field, enum pick which)
{
    const struct profile_item *item = board->profile->log.in[field];
    struct item_value value;
    int64_t best = 0;
    bool any = false;
    for (unsigned i = 0; item && i < (which == PICK_FIRST ? 1 : (unsigned)item->count); i++) {
        profile_value_decode(item, board->log_bytes + item->offset + i * item->width, &value);
        if (value.absent || (any && (which == PICK_LEAST ? value.value >= best : value.value <= best)))
            continue;
        best = value.value;
        any = true;
    }
    return best;
}

static void name_marks(const struct board *board, struct board_record *record)
{
    const struct profile_log *log = &board->profile->log;
    for (guint i = 0; i < log->marks->len; i++) {
        const struct profile_log_mark *mark = g_ptr_array_index(log->marks, i);
        struct item_value value;
        profile_value_decode(mark->in, board->log_bytes + mark->in->offset, &value);
        for (guint bit = 0; bit < mark->flags->len; bit++) {
            const char *name = g_ptr_array_index(mark->flags, bit);
            if (value.raw >> bit & 1 && strcmp(name, "-") != 0)
                say(record, name, "");
        }
    }
}

/* How many follow goes down by one from record to record, and the last one knows that it is the last. */
static bool check_remaining(struct board *board, bool end, GError **error)
{
    const int64_t remaining = pick(board, LOG_REMAINING, PICK_FIRST);
    if (!board->profile->log.in[LOG_REMAINING])
        return true;
    if (end)
        return board->log_at == 0 || board->log_id <= 1 ||
               error_set(error, ERROR_GARBLED, "the log ends though %u records should follow", board->log_id);
    if (board->log_at > 0 && remaining + 1 != board->log_id)
        return error_set(error, ERROR_GARBLED,
                         "a record says that %" G_GINT64_FORMAT
                         " follow, the one before it said %u: read again",
                         remaining, board->log_id);
    board->log_id = (uint32_t)remaining;
    return true;
}

bool described_stream_next(struct board *board, struct board_record *record, bool *end, GError **error)
{
    const struct profile_item *time = board->profile->log.in[LOG_TIME];
    if (!stream_read(board, board->log_at == 0, end, error) || !check_remaining(board, *end, error))
        return false;
    if (*end)
        return true;
    record->id = ++board->log_at;
    record->pack_mv = pick(board, LOG_PACK_VOLTAGE, PICK_FIRST);
    record->current_ma = pick(board, LOG_CURRENT, PICK_FIRST) * board->profile->charge_sign;
    record->soc_ppc = pick(board, LOG_SOC, PICK_FIRST);
    record->cell_max_mv = pick(board, LOG_CELL_MAX, PICK_MOST);
    record->cell_min_mv = pick(board, LOG_CELL_MIN, PICK_LEAST);
    record->temperature_max_mdeg = pick(board, LOG_TEMPERATURE, PICK_MOST);
    name_marks(board, record);
    return !time || described_time_decode(&board->profile->clock, board->log_bytes + time->offset,
                                          tick_wall(board->wire->tick), &record->wall_us, error);
}
