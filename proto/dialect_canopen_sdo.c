/* The CANopen dialect: a block is an object, its number the index; an item is one of its entries, its number
 * the sub-index, and the elements of a list follow each other. Numbers are little-endian on the bus, texts
 * and bytes go as they are. The profile's address is the node's id. */
#include "proto/board.h"
#include "proto/canopen_sdo.h"
#include "proto/wire_frames.h"
#include "station/base/error.h"

#include <string.h>

extern const struct dialect_kind dialect_canopen_sdo;

#define SEND_MAX_MS 1000
#define SHOWN       16 /* bytes of a value in a message */
#define EXTRA_ROOM  64 /* bytes beyond the item, so that a value too long is told from one that fits */

static const char *const commands[] = {NULL};

/* One entry of an object. */
struct entry {
    const struct profile_block *block;
    const struct profile_item *item;
    uint8_t sub;
};

static bool explain(const struct entry *e, const struct sdo *sdo, enum error_kind kind, const char *who,
                    GError **error)
{
    const char *name = sdo_abort_name(sdo->abort);
    return error_set(error, kind, "object %04XH:%02X (%s): %s '%s' (abort %08XH)", sdo->index, sdo->sub,
                     e->item->key, who, name ? name : "a reason of the manufacturer", sdo->abort);
}

/* A frame of the node's server, or an error. Others on the bus do not stop the clock. */
static bool receive(struct board *board, uint8_t in[SDO_FRAME], int64_t deadline_us, GError **error)
{
    unsigned others = 0;
    char last[CAN_TEXT_MAX];
    while (true) {
        struct can_message m;
        if (!wire_receive_frame(board->wire, &m, deadline_us, error)) {
            if (others)
                g_prefix_error(error, "%u frames came that are no answer, the last %s: ", others, last);
            return false;
        }
        if (m.id == SDO_ANSWER + board->address && !m.extended && !m.remote && m.n == SDO_FRAME) {
            memcpy(in, m.data, SDO_FRAME);
            return true;
        }
        others++;
        can_format(&m, last);
        /* A wire gives what has arrived even after the deadline. */
        if (tick_now(board->wire->tick) > MIN(deadline_us, board->wire->limit_us))
            return error_set(error, ERROR_SILENT,
                             "no answer in time; %u frames came that are no answer, the last %s", others,
                             last);
    }
}

static bool send_out(struct board *board, const struct sdo *sdo, GError **error)
{
    struct can_message m = {.id = SDO_REQUEST + board->address, .n = SDO_FRAME};
    memcpy(m.data, sdo->out, SDO_FRAME);
    board->frames++;
    return wire_send_frame(board->wire, &m, tick_deadline_ms(board->wire->tick, SEND_MAX_MS), error);
}

/* The server must not wait for the rest of a transfer that nobody goes on with. */
static void abandon(struct board *board, struct sdo *sdo, uint32_t reason)
{
    g_autoptr(GError) ignored = NULL;
    if (reason)
        sdo_give_up(sdo, reason);
    (void)!send_out(board, sdo, &ignored);
}

static bool converse(struct board *board, const struct entry *e, struct sdo *sdo, GError **error)
{
    enum sdo_step step = SDO_SEND;
    if (!wire_discard(board->wire, error))
        return false;
    while (step == SDO_SEND) {
        uint8_t in[SDO_FRAME];
        if (!send_out(board, sdo, error))
            return false;
        const int64_t deadline = tick_now(board->wire->tick) + board->profile->reply_max;
        for (step = SDO_OTHER; step == SDO_OTHER;) {
            if (!receive(board, in, deadline, error)) {
                board->frames_lost++;
                if (sdo->state == SDO_UPLOAD_SEGMENT || sdo->state == SDO_DOWNLOAD_SEGMENT)
                    abandon(board, sdo, SDO_ABORT_TIMEOUT);
                return false;
            }
            step = sdo_answer(sdo, in);
        }
    }
    if (step == SDO_BROKEN) {
        abandon(board, sdo, 0);
        return explain(e, sdo, ERROR_GARBLED, "the board broke the protocol:", error);
    }
    /* These two say that frames were lost on the way, not that the board does not want. */
    if (step == SDO_ABORTED)
        return explain(e, sdo,
                       sdo->abort == SDO_ABORT_TOGGLE || sdo->abort == SDO_ABORT_TIMEOUT ? ERROR_GARBLED
                                                                                         : ERROR_REFUSED,
                       "the board answered", error);
    return true;
}

/* Reading and writing a whole value may both be done again: the second changes nothing. */
static bool transfer(struct board *board, const struct entry *e, struct sdo *sdo, const uint8_t *from,
                     uint8_t *to, size_t n, GError **error)
{
    const int64_t retries = board->one_try ? 0 : board->profile->retries;
    for (int64_t i = 0;; i++) {
        g_autoptr(GError) failure = NULL;
        if (to)
            memset(to, 0, n);
        if (from)
            sdo_download(sdo, (uint16_t)e->block->number, e->sub, from, n);
        else
            sdo_upload(sdo, (uint16_t)e->block->number, e->sub, to, n);
        if (converse(board, e, sdo, &failure))
            return true;
        if (i >= retries || !error_rule(failure)->retry) {
            g_propagate_prefixed_error(error, g_steal_pointer(&failure), "node %u: ", board->address);
            return false;
        }
        if (!wire_pause_ms(board->wire, MAX(board->profile->gap_min / 1000, 1), error))
            return false;
    }
}

static bool is_raw(const struct profile_item *item)
{
    return item->type == ITEM_TEXT || item->type == ITEM_BYTES;
}

/* Between the item's order of bytes and the bus's. */
static void turn(const struct profile_item *item, const uint8_t *from, uint8_t *to)
{
    for (unsigned i = 0; i < item->width; i++)
        to[i] = is_raw(item) ? from[i] : from[item->width - 1 - i];
}

static bool read_entry(struct board *board, const struct entry *e, uint8_t *bytes, GError **error)
{
    const unsigned width = e->item->width;
    uint8_t room[PROFILE_LENGTH_MAX + EXTRA_ROOM] = {0};
    struct sdo sdo;
    if (!transfer(board, e, &sdo, NULL, room, width + EXTRA_ROOM, error))
        return false;
    const bool fits = sdo.vague ? width <= sdo.done : is_raw(e->item) ? sdo.done <= width : sdo.done == width;
    if (!fits) {
        g_autoptr(GString) hex = g_string_new(NULL);
        for (size_t i = 0; !e->item->secret && i < MIN(sdo.done, SHOWN); i++)
            g_string_append_printf(hex, " %02X", room[i]);
        return error_set(error, ERROR_GARBLED,
                         "node %u: object %04XH:%02X (%s) has %zu bytes, %u are expected:%s", board->address,
                         sdo.index, sdo.sub, e->item->key, sdo.done, width, hex->str);
    }
    turn(e->item, room, bytes);
    return true;
}

static bool write_entry(struct board *board, const struct entry *e, const uint8_t *bytes, GError **error)
{
    uint8_t turned[PROFILE_LENGTH_MAX];
    struct sdo sdo;
    turn(e->item, bytes, turned);
    return transfer(board, e, &sdo, turned, NULL, e->item->width, error);
}

/* The entries of a block inside a stretch of its bytes; whole values only. */
typedef bool (*entry_deed)(struct board *board, const struct entry *e, unsigned at, void *bytes,
                           GError **error);

static bool each_entry(struct board *board, const struct profile_block *block, unsigned offset, unsigned n,
                       entry_deed deed, void *bytes, GError **error)
{
    for (guint i = 0; i < board->profile->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(board->profile->items, i);
        for (unsigned k = 0; item->in == block && k < (unsigned)item->count; k++) {
            const unsigned at = (unsigned)item->offset + k * item->width;
            const struct entry e = {block, item, (uint8_t)(item->number + k)};
            if (at >= offset && at + item->width <= offset + n && !deed(board, &e, at - offset, bytes, error))
                return false;
        }
    }
    return true;
}

static bool read_one(struct board *board, const struct entry *e, unsigned at, void *bytes, GError **error)
{
    return read_entry(board, e, (uint8_t *)bytes + at, error);
}

static bool write_one(struct board *board, const struct entry *e, unsigned at, void *bytes, GError **error)
{
    return write_entry(board, e, (const uint8_t *)bytes + at, error);
}

static bool read_block(struct board *board, const struct profile_block *block, unsigned offset,
                       uint8_t *bytes, unsigned n, GError **error)
{
    memset(bytes, 0, n);
    return each_entry(board, block, offset, n, read_one, bytes, error);
}

static bool write_block(struct board *board, const struct profile_block *block, unsigned offset,
                        const uint8_t *bytes, unsigned n, GError **error)
{
    g_autofree uint8_t *copy = g_memdup2(bytes, n);
    return each_entry(board, block, offset, n, write_one, copy, error);
}

const struct dialect_kind dialect_canopen_sdo = {.name = "canopen-sdo",
                                                 .commands = commands,
                                                 .by_number = true,
                                                 .can = true,
                                                 .read_block = read_block,
                                                 .write_block = write_block};
