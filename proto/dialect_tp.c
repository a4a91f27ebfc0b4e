/* The 7E/7C binary dialect: a block is the data of one function, or one group in it. Nothing is written:
 * no write of these boards is published. What the bytes mean is data of the profile.
 *
 * A block's number is the function. `text` reads all of its data, what is shorter than the block ends with
 * zeros; `group` and `group_wide` read the values of the group read_number (two bytes each, or four), and
 * `count` how many of them there are. */
#include "proto/board.h"
#include "proto/tp.h"
#include "station/base/error.h"

#include <string.h>

extern const struct dialect_kind dialect_tp_binary;

#define SEND_MAX_MS 1000
#define BYTES_MAX   1024   /* of one wait: a line that brings more is never quiet */
#define ONE_READING 500000 /* µs: groups asked for within it are those of one answer */
#define GROUPS      64
#define SHOWN       16 /* bytes of an answer in a message */
#define ABSENT      0xff

/* `start` is the first byte of a frame. */
static const char *const commands[] = {"start", "text", "group", "group_wide", "count", NULL};

/* The last answer: each of its groups is given once, the next question for it is asked anew. */
struct link {
    int64_t heard_us;
    int64_t taken_us;
    struct tp_frame answer;
    uint64_t given, counted;
    bool any;
};

static struct link *link_of(struct board *board)
{
    if (!board->scratch)
        board->scratch = g_new0(struct link, 1);
    return board->scratch;
}

static bool is(const struct profile_block *block, const char *command)
{
    return block->read_command && strcmp(block->read_command, command) == 0;
}

static char *hex_of(const uint8_t *bytes, size_t n)
{
    GString *hex = g_string_new(NULL);
    for (size_t i = 0; i < MIN(n, SHOWN); i++)
        g_string_append_printf(hex, " %02X", bytes[i]);
    g_string_append(hex, n > SHOWN ? " …" : "");
    return g_string_free(hex, FALSE);
}

struct waiting {
    const struct tp_frame *request;
    struct tp_decoder decoder;
    bool echoed;
    char *instead, *other; /* what came and was no answer: damaged, or of another board */
};

static void note_other(struct waiting *w, const struct tp_frame *frame)
{
    uint8_t bytes[TP_FRAME_MAX];
    g_autofree char *hex = hex_of(bytes, tp_encode(frame, bytes));
    g_free(w->other);
    w->other = g_strdup_printf("an answer of others came:%s", hex);
}

static bool take(struct waiting *w, bool end, struct tp_frame *answer)
{
    enum tp_state state;
    while ((state = tp_take(&w->decoder, end, answer)) != TP_MORE) {
        if (state == TP_FRAME) {
            const bool ours = answer->address == w->request->address &&
                              answer->function == w->request->function && answer->start == w->request->start;
            if (ours && answer->n > 0)
                return true;
            w->echoed |= ours;
            if (!ours)
                note_other(w, answer);
            continue;
        }
        g_autofree char *hex = hex_of(w->decoder.bad, w->decoder.bad_n);
        g_free(w->instead);
        w->instead = g_strdup_printf("a damaged frame, it begins%s", hex);
    }
    return false;
}

static bool fail(const struct waiting *w, GError **silent, GError **error)
{
    if (error_kind(*silent) == ERROR_SILENT && w->instead)
        return error_set(error, ERROR_GARBLED, "%s", w->instead);
    if (error_kind(*silent) == ERROR_SILENT && (w->echoed || w->other))
        return error_set(error, ERROR_SILENT, "%s; %s", (*silent)->message,
                         w->other ? w->other : "only the line's own echo came");
    g_propagate_error(error, g_steal_pointer(silent));
    return false;
}

static bool receive(struct board *board, struct waiting *w, struct tp_frame *answer, int64_t deadline_us,
                    GError **error)
{
    for (size_t late = 0; late < BYTES_MAX;) {
        uint8_t bytes[64];
        size_t got;
        g_autoptr(GError) silent = NULL;
        if (!wire_receive(board->wire, bytes, sizeof bytes, &got, deadline_us, &silent))
            return (error_kind(silent) == ERROR_SILENT && take(w, true, answer)) || fail(w, &silent, error);
        for (size_t i = 0; i < got; i++) {
            tp_put(&w->decoder, bytes[i]);
            if (take(w, false, answer))
                return true;
        }
        /* A wire gives what has arrived even after the deadline. */
        late += tick_now(board->wire->tick) > MIN(deadline_us, board->wire->limit_us) ? got : 0;
    }
    return error_set(error, ERROR_GARBLED, "the line is never quiet and brings no answer");
}

static bool once(struct board *board, const struct tp_frame *request, struct tp_frame *answer, GError **error)
{
    struct link *link = link_of(board);
    struct tick *tick = board->wire->tick;
    const struct wire_line *line = &board->wire->line;
    struct waiting w = {.request = request};
    uint8_t bytes[TP_FRAME_MAX];
    const size_t n = tp_encode(request, bytes);
    const int64_t ready = link->heard_us + board->profile->gap_min, now = tick_now(tick);
    if (ready > now && !wire_pause_ms(board->wire, (ready - now + 999) / 1000, error))
        return false;
    if (!wire_discard(board->wire, error) ||
        !wire_send(board->wire, bytes, n, tick_deadline_ms(tick, SEND_MAX_MS), error))
        return false;
    board->frames++;
    /* An answer takes its time on the line, which is none of the board's. */
    const int64_t bits = (int64_t)(n + TP_FRAME_MAX) * wire_line_bits(line);
    const bool ok = receive(
        board, &w, answer,
        tick_now(tick) + board->profile->reply_max + (line->baud ? bits * 1000000 / line->baud : 0), error);
    board->frames_lost += !ok;
    link->heard_us = tick_now(tick);
    g_free(w.instead);
    g_free(w.other);
    return ok;
}

/* Which groups have values of four bytes: the profile says it of those it describes. */
static uint64_t wide_groups(const struct board *board, int64_t function)
{
    uint64_t wide = 0;
    for (guint i = 0; i < board->profile->blocks->len; i++) {
        const struct profile_block *block = g_ptr_array_index(board->profile->blocks, i);
        if (block->number == function && is(block, "group_wide") && block->read_number < GROUPS)
            wide |= UINT64_C(1) << block->read_number;
    }
    return wide;
}

/* The check byte lets much through, so an answer counts when the next one agrees with it. */
static bool ask(struct board *board, const struct tp_frame *request, bool groups, struct tp_frame *answer,
                GError **error)
{
    g_autofree struct tp_frame *before = g_new(struct tp_frame, 1);
    if (!once(board, request, before, error) || !once(board, request, answer, error))
        return false;
    const bool agree =
        before->n == answer->n && (groups ? tp_groups_agree(before->data, answer->data, answer->n,
                                                            wide_groups(board, request->function))
                                          : memcmp(before->data, answer->data, answer->n) == 0);
    if (agree)
        return true;
    g_autofree char *one = hex_of(before->data, before->n), *two = hex_of(answer->data, answer->n);
    return error_set(error, ERROR_GARBLED, "two answers, one after the other, are not alike:%s, then%s", one,
                     two);
}

static bool transact(struct board *board, uint8_t function, bool groups, struct tp_frame *answer,
                     GError **error)
{
    const struct profile_command *start = profile_command_find(board->profile, "start");
    const struct tp_frame request = {.start = start ? (uint8_t)start->code : TP_START,
                                     .address = (uint8_t)board->address,
                                     .function = function};
    for (int64_t i = 0; true; i++) {
        g_autoptr(GError) failure = NULL;
        if (ask(board, &request, groups, answer, &failure))
            return true;
        if (i < board->profile->retries && error_rule(failure)->retry)
            continue;
        g_propagate_prefixed_error(error, g_steal_pointer(&failure), "function %02XH of board %u: ", function,
                                   board->address);
        return false;
    }
}

static bool wrong_profile(const struct profile_block *block, const char *why, GError **error)
{
    return error_set(error, ERROR_AUTHOR, "block '%s' %s: correct the profile", block->name, why);
}

static bool unfit(const struct board *board, const struct profile_block *block, const struct tp_frame *answer,
                  enum error_kind kind, const char *why, GError **error)
{
    g_autofree char *hex = hex_of(answer->data, answer->n);
    return error_set(error, kind, "function %02XH, group %02XH of board %u: the answer of %u bytes: %s:%s",
                     (unsigned)block->number, (unsigned)block->read_number, board->address, answer->n, why,
                     hex);
}

static bool take_group(const struct board *board, const struct profile_block *block,
                       const struct tp_frame *answer, uint8_t *bytes, GError **error)
{
    struct tp_group group;
    bool broken;
    if (!tp_group_find(answer->data, answer->n, wide_groups(board, block->number),
                       (unsigned)block->read_number, &group, &broken))
        return unfit(board, block, answer, broken ? ERROR_GARBLED : ERROR_REFUSED,
                     broken ? "its groups do not fill it" : "it lacks the group", error);
    if (is(block, "count")) {
        bytes[0] = (uint8_t)group.count;
        return true;
    }
    const unsigned n = group.count * group.width;
    if (n > block->size)
        return unfit(board, block, answer, ERROR_GARBLED, "the group has more values than there is room for",
                     error);
    memset(bytes, ABSENT, (size_t)block->size);
    memcpy(bytes, group.values, n);
    return true;
}

static bool read_group(struct board *board, const struct profile_block *block, uint8_t *bytes, GError **error)
{
    struct link *link = link_of(board);
    if (block->read_number >= GROUPS || (is(block, "count") && block->size != 1))
        return wrong_profile(block, "is no group", error);
    uint64_t *used = is(block, "count") ? &link->counted : &link->given;
    const uint64_t bit = UINT64_C(1) << block->read_number;
    if (!link->any || link->answer.function != block->number || *used & bit ||
        tick_now(board->wire->tick) - link->taken_us > ONE_READING) {
        link->any = false;
        if (!transact(board, (uint8_t)block->number, true, &link->answer, error))
            return false;
        link->any = true;
        link->given = link->counted = 0;
        link->taken_us = tick_now(board->wire->tick);
    }
    *used |= bit;
    return take_group(board, block, &link->answer, bytes, error);
}

static bool read_text(struct board *board, const struct profile_block *block, uint8_t *bytes, GError **error)
{
    g_autofree struct tp_frame *answer = g_new(struct tp_frame, 1);
    if (!transact(board, (uint8_t)block->number, false, answer, error))
        return false;
    if (answer->n > block->size)
        return unfit(board, block, answer, ERROR_GARBLED, "it is longer than there is room for", error);
    memset(bytes, 0, (size_t)block->size);
    memcpy(bytes, answer->data, answer->n);
    return true;
}

static bool read_block(struct board *board, const struct profile_block *block, unsigned offset,
                       uint8_t *bytes, unsigned n, GError **error)
{
    g_autofree uint8_t *whole = g_malloc((gsize)block->size);
    if (!block->read_command)
        return wrong_profile(block, "says no read_command", error);
    if (!(is(block, "text") ? read_text(board, block, whole, error) : read_group(board, block, whole, error)))
        return false;
    memcpy(bytes, whole + offset, n);
    return true;
}

static bool write_block(struct board *board, const struct profile_block *block, unsigned offset,
                        const uint8_t *bytes, unsigned n, GError **error)
{
    (void)offset, (void)bytes, (void)n;
    return error_set(error, ERROR_REFUSED, "block '%s': dialect '%s' writes nothing", block->name,
                     board->dialect->name);
}

const struct dialect_kind dialect_tp_binary = {
    .name = "tp-binary", .commands = commands, .read_block = read_block, .write_block = write_block};
