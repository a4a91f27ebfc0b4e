/* The A5 dialect, on a UART and on a CAN bus: a block is what one data id carries, in one frame or in a
 * numbered series of frames. What the bytes mean is data of the profile.
 *
 * A block's number is the data id that writes it, its read_number the one that reads it (0: the same). It is
 * read by the command it names; one that names none is never asked for, since on this wire the request for a
 * switch is its being switched. */
#include "proto/a5.h"
#include "proto/board.h"
#include "proto/wire_frames.h"
#include "station/base/error.h"

#include <string.h>

extern const struct dialect_kind dialect_a5_frame, dialect_a5_frame_can;

#define SEND_MAX_MS  1000
#define SERIES_MAX   48   /* frames of one answer */
#define BYTES_MAX    1024 /* of one wait: a line that brings more is never quiet */
#define FRAMES_OTHER 64
#define UPPER        0x40 /* address of who asks when the profile names none */

/* `host` is the address the station speaks from, `fill` the byte that fills a request; the others say how an
 * answer is made: their code is the number of bytes a frame carries, the first info byte the number of the
 * first frame. */
static const char *const commands[] = {"host", "fill", "single", "series_6", "series_7", NULL};

struct link {
    int64_t heard_us; /* end of the last exchange */
};

/* One request and what answers it. */
struct exchange {
    struct a5_frame request;
    unsigned frames;  /* of the answer */
    unsigned carried; /* bytes in each; 8 = the frames have no number */
    unsigned first;   /* number of the first frame */
    uint8_t *out;     /* frames × carried bytes */
    uint64_t seen;    /* frames that have come */
    bool echoed, damaged;
    char *instead; /* what came in place of a frame */
};

static bool is_can(const struct board *board)
{
    return board->dialect->can;
}

static uint8_t code_of(const struct board *board, const char *name, uint8_t otherwise)
{
    const struct profile_command *command = profile_command_find(board->profile, name);
    return command ? (uint8_t)command->code : otherwise;
}

/* On a UART the board is chosen by the address of who asks, one more for each board. */
static uint8_t asker(const struct board *board)
{
    return (uint8_t)(code_of(board, "host", UPPER) + (is_can(board) ? 0 : board->address - 1));
}

static void note(struct exchange *x, const char *why, const uint8_t *bytes, size_t n)
{
    g_autoptr(GString) hex = g_string_new(NULL);
    for (size_t i = 0; i < n; i++)
        g_string_append_printf(hex, " %02X", bytes[i]);
    g_free(x->instead);
    x->instead = g_strdup_printf("%s:%s", why, hex->str);
}

static void note_message(struct exchange *x, const char *why, const struct can_message *message)
{
    char text[CAN_TEXT_MAX];
    can_format(message, text);
    g_free(x->instead);
    x->instead = g_strdup_printf("%s: %s", why, text);
}

/* What came was not for us, or not from this board. */
static void note_other(const struct board *board, struct exchange *x, const struct a5_frame *frame)
{
    uint8_t bytes[A5_FRAME_MAX];
    struct can_message message;
    a5_encode(frame, bytes);
    a5_to_can(frame, x->request.address, frame->address, &message);
    if (is_can(board))
        note_message(x, "a frame of others came", &message);
    else
        note(x, "a frame of others came", bytes, sizeof bytes);
}

static bool is_whole(const struct exchange *x)
{
    return x->seen == (UINT64_C(1) << x->frames) - 1;
}

static void take_frame(const struct board *board, struct exchange *x, const struct a5_frame *frame)
{
    if (!is_can(board) && frame->address == x->request.address && frame->address != board->address) {
        x->echoed = true;
        return;
    }
    if (frame->address != board->address || frame->id != x->request.id) {
        note_other(board, x, frame);
        return;
    }
    if (x->carried == A5_DATA) {
        memcpy(x->out, frame->data, A5_DATA);
        x->seen = 1;
        return;
    }
    /* More frames than there is room for are those of a board with more cells or sensors. */
    if (frame->data[0] < x->first || frame->data[0] >= x->first + x->frames) {
        note_other(board, x, frame);
        return;
    }
    const unsigned i = frame->data[0] - x->first;
    memcpy(x->out + i * x->carried, frame->data + 1, x->carried);
    x->seen |= UINT64_C(1) << i;
}

static void take_bytes(const struct board *board, struct exchange *x, struct a5_decoder *decoder, bool end)
{
    struct a5_frame frame;
    enum a5_state state;
    while (!is_whole(x) && (state = a5_take(decoder, end, &frame)) != A5_MORE) {
        if (state == A5_FRAME) {
            take_frame(board, x, &frame);
            continue;
        }
        note(x, "a damaged frame came", decoder->bad, sizeof decoder->bad);
        x->damaged = true;
    }
}

static bool fail(const struct exchange *x, GError **silent, GError **error)
{
    const unsigned came = (unsigned)__builtin_popcountll(x->seen);
    if (error_kind(*silent) != ERROR_SILENT) {
        g_propagate_error(error, g_steal_pointer(silent));
        return false;
    }
    if (x->seen)
        return error_set(error, ERROR_GARBLED, "%u frames were expected, %u came%s%s", x->frames, came,
                         x->instead ? "; " : "", x->instead ? x->instead : "");
    if (x->damaged)
        return error_set(error, ERROR_GARBLED, "%s", x->instead);
    return error_set(error, ERROR_SILENT, "%s%s%s", (*silent)->message, x->instead || x->echoed ? "; " : "",
                     x->instead  ? x->instead
                     : x->echoed ? "only the line's own echo came"
                                 : "");
}

static bool receive_uart(struct board *board, struct exchange *x, int64_t deadline_us, GError **error)
{
    struct a5_decoder decoder = {0};
    for (size_t late = 0; late < BYTES_MAX;) {
        uint8_t bytes[64];
        size_t got;
        g_autoptr(GError) silent = NULL;
        if (!wire_receive(board->wire, bytes, sizeof bytes, &got, deadline_us, &silent)) {
            if (error_kind(silent) == ERROR_SILENT)
                take_bytes(board, x, &decoder, true);
            return is_whole(x) || fail(x, &silent, error);
        }
        for (size_t i = 0; i < got && !is_whole(x); i++) {
            a5_put(&decoder, bytes[i]);
            take_bytes(board, x, &decoder, false);
        }
        if (is_whole(x))
            return true;
        /* A wire gives what has arrived even after the deadline. */
        late += tick_now(board->wire->tick) > MIN(deadline_us, board->wire->limit_us) ? got : 0;
    }
    return error_set(error, ERROR_GARBLED, "the line is never quiet and brings no answer");
}

/* Of others, or not as this board's answer must be. */
static void note_stray(const struct board *board, struct exchange *x, const struct can_message *message)
{
    struct can_message wanted;
    a5_to_can(&x->request, x->request.address, (uint8_t)board->address, &wanted);
    const bool ours = message->extended && message->id == wanted.id;
    x->damaged |= ours;
    note_message(x, ours ? "a frame that is no answer came" : "a frame of others came", message);
}

static bool receive_can(struct board *board, struct exchange *x, int64_t deadline_us, GError **error)
{
    for (unsigned late = 0; late < FRAMES_OTHER;) {
        struct can_message message;
        struct a5_frame frame;
        uint8_t receiver, sender;
        g_autoptr(GError) silent = NULL;
        if (!wire_receive_frame(board->wire, &message, deadline_us, &silent))
            return fail(x, &silent, error);
        if (a5_from_can(&message, &receiver, &sender, &frame) && receiver == x->request.address)
            take_frame(board, x, &frame);
        else
            note_stray(board, x, &message);
        if (is_whole(x))
            return true;
        late += tick_now(board->wire->tick) > MIN(deadline_us, board->wire->limit_us);
    }
    return error_set(error, ERROR_SILENT, "no answer in time; %s", x->instead);
}

static bool send_out(struct board *board, const struct exchange *x, GError **error)
{
    const int64_t deadline = tick_deadline_ms(board->wire->tick, SEND_MAX_MS);
    board->frames++;
    if (is_can(board)) {
        struct can_message message;
        a5_to_can(&x->request, (uint8_t)board->address, x->request.address, &message);
        return wire_send_frame(board->wire, &message, deadline, error);
    }
    uint8_t bytes[A5_FRAME_MAX];
    a5_encode(&x->request, bytes);
    return wire_send(board->wire, bytes, sizeof bytes, deadline, error);
}

/* These boards lose a request that follows too soon. */
static bool settle(struct board *board, struct link *link, GError **error)
{
    const int64_t now = tick_now(board->wire->tick), ready = link->heard_us + board->profile->gap_min;
    if (ready > now && !wire_pause_ms(board->wire, (ready - now + 999) / 1000, error))
        return false;
    return wire_discard(board->wire, error);
}

static bool once(struct board *board, struct exchange *x, GError **error)
{
    if (!board->scratch)
        board->scratch = g_new0(struct link, 1);
    struct link *link = board->scratch;
    const struct wire_line *line = &board->wire->line;
    if (!settle(board, link, error) || !send_out(board, x, error))
        return false;
    /* The frames take their time on the line, which is none of the board's. */
    const int64_t bits = is_can(board) ? 0 : (int64_t)A5_FRAME_MAX * wire_line_bits(line) * (1 + x->frames);
    const int64_t deadline = tick_now(board->wire->tick) + board->profile->reply_max +
                             (line->baud ? bits * 1000000 / line->baud : 0);
    g_clear_pointer(&x->instead, g_free);
    x->seen = 0;
    x->echoed = x->damaged = false;
    const bool ok =
        is_can(board) ? receive_can(board, x, deadline, error) : receive_uart(board, x, deadline, error);
    board->frames_lost += !ok;
    link->heard_us = tick_now(board->wire->tick);
    return ok;
}

static bool transact(struct board *board, struct exchange *x, GError **error)
{
    const int64_t tries = board->one_try ? 1 : 1 + board->profile->retries;
    bool ok = false;
    for (int64_t i = 1; !ok; i++) {
        g_autoptr(GError) failure = NULL;
        ok = once(board, x, &failure);
        if (ok || (i < tries && error_rule(failure)->retry))
            continue;
        g_propagate_prefixed_error(error, g_steal_pointer(&failure),
                                   "data id %02XH of board %u: ", x->request.id, board->address);
        break;
    }
    g_free(x->instead);
    return ok;
}

static bool wrong_profile(const struct profile_block *block, const char *why, GError **error)
{
    return error_set(error, ERROR_AUTHOR, "block '%s' %s: correct the profile", block->name, why);
}

static bool read_whole(struct board *board, const struct profile_block *block, uint8_t *bytes, GError **error)
{
    const struct profile_command *how =
        block->read_command ? profile_command_find(board->profile, block->read_command) : NULL;
    if (!how)
        return error_set(error, ERROR_REFUSED, "block '%s' can only be written", block->name);
    const bool single = strcmp(how->name, "single") == 0;
    if (how->code < 1 || how->code > A5_DATA || single != (how->code == A5_DATA))
        return wrong_profile(block, "is read by a command with a wrong code", error);
    struct exchange x = {.request = {asker(board), (uint8_t)block->number, {0}},
                         .carried = (unsigned)how->code,
                         .frames = (unsigned)((block->size + how->code - 1) / how->code),
                         .first = 1};
    gsize n = 0;
    const uint8_t *info = how->info ? g_bytes_get_data(how->info, &n) : NULL;
    if (n > 0)
        x.first = info[0];
    if (block->read_number)
        x.request.id = (uint8_t)block->read_number;
    if (x.frames > (single ? 1 : SERIES_MAX))
        return wrong_profile(block, "is longer than an answer", error);
    memset(x.request.data, code_of(board, "fill", 0), A5_DATA);
    g_autofree uint8_t *room = g_malloc0(x.frames * x.carried);
    x.out = room;
    if (!transact(board, &x, error))
        return false;
    memcpy(bytes, room, (size_t)block->size);
    return true;
}

static bool read_block(struct board *board, const struct profile_block *block, unsigned offset,
                       uint8_t *bytes, unsigned n, GError **error)
{
    g_autofree uint8_t *whole = g_malloc((gsize)block->size);
    if (!read_whole(board, block, whole, error))
        return false;
    memcpy(bytes, whole + offset, n);
    return true;
}

/* What is not written keeps its value when it can be read. The first byte of the answer is 1, or the first
 * byte of the request: the switch that was set. */
static bool write_block(struct board *board, const struct profile_block *block, unsigned offset,
                        const uint8_t *bytes, unsigned n, GError **error)
{
    uint8_t answer[A5_DATA] = {0};
    struct exchange x = {.request = {asker(board), (uint8_t)block->number, {0}},
                         .carried = A5_DATA,
                         .frames = 1,
                         .out = answer};
    if (block->size > A5_DATA)
        return wrong_profile(block, "is longer than a request", error);
    if (n < block->size && block->read_command && !read_whole(board, block, x.request.data, error))
        return false;
    memcpy(x.request.data + offset, bytes, n);
    if (!transact(board, &x, error))
        return false;
    return answer[0] == 1 || answer[0] == x.request.data[0] ||
           error_set(error, ERROR_REFUSED,
                     "data id %02XH of board %u: the board refuses it (it answers %02XH)", x.request.id,
                     board->address, answer[0]);
}

const struct dialect_kind dialect_a5_frame = {
    .name = "a5-frame", .commands = commands, .read_block = read_block, .write_block = write_block};

const struct dialect_kind dialect_a5_frame_can = {.name = "a5-frame-can",
                                                  .commands = commands,
                                                  .can = true,
                                                  .read_block = read_block,
                                                  .write_block = write_block};
