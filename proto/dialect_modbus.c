/* The Modbus dialect, RTU and TCP: blocks of registers and coils. What the registers mean, and what a board
 * does when they are written, is data of the profile.
 *
 * A block's number is its first register; without a read_command it is holding registers, with `read_input`
 * input registers (read-only), with `read_registers` registers that 04 reads and 10 writes, with `read_coils`
 * coils, one byte each. */
#include "proto/board.h"
#include "proto/modbus.h"
#include "station/base/error.h"

#include <string.h>

extern const struct dialect_kind dialect_modbus, dialect_modbus_tcp;

#define LATE_MAX   MODBUS_FRAME_MAX /* bytes after the deadline: the line never is quiet */
#define BUSY_MS    200
#define SHOWN      16    /* bytes of a garbled answer in its message */
#define FAST_BAUD  19200 /* from here on the silence between frames is a fixed time */
#define FAST_GAP   1750
#define BUSY       0x06
#define NO_TARGET  0x0b
#define NO_SUCH    0x01
#define NO_RECORD  0x81 /* of boards that have a log of their own; the standard does not know it */
#define HEAD_BYTES 16   /* of a request or an answer around its data, generously */

/* Names a profile may give codes to. `write_register` and `write_coil` allow the single writes, 06 and 05,
 * to boards that know no other. */
static const char *const commands[] = {"read_input", "read_registers", "read_coils",  "write_register",
                                       "write_coil", "first_record",   "next_record", NULL};

struct link {
    uint16_t transaction;
    bool line_echoes;      /* known before the first 05 or 06: these follow a refused 15 or 16 */
    bool single_only;      /* the board knows no writing of many */
    int64_t heard_us;      /* end of the last exchange */
    int64_t owed_until_us; /* answers to lost requests may still come */
    bool secret;           /* the request under way is about registers that hold a secret */
    uint8_t last[MODBUS_FRAME_MAX];
    size_t last_n;
};

static struct link *link_of(struct board *board)
{
    if (!board->scratch)
        board->scratch = g_new0(struct link, 1);
    return board->scratch;
}

static enum modbus_framing framing_of(const struct board *board)
{
    return board->dialect == &dialect_modbus_tcp ? MODBUS_TCP : MODBUS_RTU;
}

static bool is_between(int64_t first, int64_t end, int64_t from, int64_t n)
{
    return first < from + n && end > from;
}

static bool is_coils(const struct profile_block *block)
{
    return block->read_command && strcmp(block->read_command, "read_coils") == 0;
}

/* A secret is in the registers that this request names. */
static bool is_secret(const struct board *board, const struct modbus_request *request)
{
    for (guint i = 0; i < board->profile->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(board->profile->items, i);
        const int64_t first = 2 * item->in->number + item->offset;
        if (item->secret && !is_coils(item->in) &&
            is_between(first, first + item->width * item->count, 2 * (int64_t)request->address,
                       2 * (int64_t)request->count))
            return true;
    }
    return false;
}

/* An exchange about a secret is hidden as a whole: an answer comes in pieces, and a late one in another's
 * time. */
static void mask(void *context, bool sent, const uint8_t *bytes, size_t n, bool *secret)
{
    struct board *board = context;
    (void)sent, (void)bytes;
    if (board && board->scratch && ((const struct link *)board->scratch)->secret)
        memset(secret, true, n * sizeof *secret);
}

static int64_t byte_us(const struct board *board)
{
    const struct wire_line *line = &board->wire->line;
    return line->baud ? INT64_C(1000000) * wire_line_bits(line) / line->baud : 0;
}

/* A frame ends with 3.5 characters of silence. */
static int64_t gap_us(const struct board *board)
{
    if (framing_of(board) == MODBUS_TCP)
        return 0;
    int64_t silence = board->wire->line.baud > FAST_BAUD ? FAST_GAP : (7 * byte_us(board) + 1) / 2;
    return MAX(silence, board->profile->gap_min);
}

static const char *function_name(uint8_t function)
{
    static const char *const names[] = {
        [MODBUS_READ_COILS] = "reading coils",           [MODBUS_READ_HOLDING] = "reading holding registers",
        [MODBUS_READ_INPUT] = "reading input registers", [MODBUS_WRITE_COIL] = "writing coil",
        [MODBUS_WRITE_REGISTER] = "writing register",    [MODBUS_WRITE_COILS] = "writing coils",
        [MODBUS_WRITE_REGISTERS] = "writing registers"};
    return names[function];
}

/* "reading holding registers 0100H to 0117H of board 1" */
static void name_request(GError **error, const struct modbus_request *r)
{
    if (r->count == 1 || r->answers)
        g_prefix_error(error, "%s %04XH of board %u: ", function_name(r->function), r->address, r->unit);
    else
        g_prefix_error(error, "%s %04XH to %04XH of board %u: ", function_name(r->function), r->address,
                       r->address + r->count - 1, r->unit);
}

static bool refused(uint8_t exception, GError **error)
{
    const char *name = modbus_exception_name(exception);
    enum error_kind kind = exception == NO_TARGET ? ERROR_SILENT : ERROR_REFUSED;
    return name ? error_set(error, kind, "the board answered '%s' (exception %02XH)", name, exception)
                : error_set(error, kind, "the board answered exception %02XH", exception);
}

static bool garbled(const char *why, const uint8_t *bytes, size_t n, bool secret, GError **error)
{
    g_autoptr(GString) hex = g_string_new(NULL);
    if (secret)
        return error_set(error, ERROR_GARBLED, "garbled answer (%s): %zu bytes came", why, n);
    for (size_t i = 0; i < MIN(n, SHOWN); i++)
        g_string_append_printf(hex, "%s%02X", i ? " " : "", bytes[i]);
    return error_set(error, ERROR_GARBLED, "garbled answer (%s): %zu bytes came: %s%s", why, n, hex->str,
                     n > SHOWN ? " …" : "");
}

static bool receive(struct board *board, struct modbus_decoder *decoder, struct modbus_answer *answer,
                    int64_t deadline_us, GError **error)
{
    size_t late = 0, n = 0;
    uint8_t first[SHOWN];
    while (true) {
        uint8_t bytes[64];
        size_t got;
        g_autoptr(GError) silent = NULL;
        if (!wire_receive(board->wire, bytes, sizeof bytes, &got, deadline_us, &silent)) {
            if (error_kind(silent) == ERROR_SILENT && decoder->why)
                return garbled(decoder->why, first, n, link_of(board)->secret, error);
            if (error_kind(silent) == ERROR_SILENT && decoder->echoed)
                g_prefix_error(&silent, "only the line's own echo came: ");
            g_propagate_error(error, g_steal_pointer(&silent));
            return false;
        }
        for (size_t i = 0; i < got; i++, n++) {
            if (n < SHOWN)
                first[n] = bytes[i];
            if (modbus_decode(decoder, bytes[i], answer) == MODBUS_ANSWER)
                return true;
        }
        /* A wire gives what has arrived even after the deadline: perhaps a whole answer, perhaps a far side
         * that never stops. */
        late += tick_now(board->wire->tick) > MIN(deadline_us, board->wire->limit_us) ? got : 0;
        if (late > LATE_MAX)
            return error_set(error, ERROR_GARBLED, "the line is never quiet and brings no answer");
    }
}

/* An RTU answer does not say what it answers. After a loss, a request other than the lost one waits until no
 * answer to that one can come any more. */
static bool settle(struct board *board, struct link *link, const uint8_t *frame, size_t n, GError **error)
{
    int64_t now = tick_now(board->wire->tick), ready = link->heard_us + gap_us(board);
    bool same = n == link->last_n && memcmp(frame, link->last, n) == 0;
    if (framing_of(board) == MODBUS_RTU && !same)
        ready = MAX(ready, link->owed_until_us);
    if (ready > now && !wire_pause_ms(board->wire, (ready - now + 999) / 1000, error))
        return false;
    if (!same)
        link->owed_until_us = 0;
    memcpy(link->last, frame, n);
    link->last_n = n;
    return wire_discard(board->wire, error);
}

static bool once(struct board *board, const struct modbus_request *request, bool lost,
                 struct modbus_answer *answer, GError **error)
{
    struct link *link = link_of(board);
    struct modbus_decoder decoder = {.line_echoes = link->line_echoes};
    struct tick *tick = board->wire->tick;
    uint8_t frame[MODBUS_FRAME_MAX];
    enum modbus_framing framing = framing_of(board);
    modbus_expect(&decoder, framing, ++link->transaction, request);
    size_t n = modbus_encode(framing, link->transaction, request, frame);
    if (n == 0)
        return error_set(error, ERROR_AUTHOR, "Modbus has no such request: correct the profile");
    if (!settle(board, link, frame, n, error))
        return false;
    link->secret = is_secret(board, request);
    if (!wire_send(board->wire, frame, n, tick_now(tick) + TICK_S(10), error))
        return false;
    /* Both frames take their time on the line, which is none of the board's. */
    int64_t patience =
        board->profile->reply_max +
        (int64_t)(n + HEAD_BYTES + 2u * MIN(MAX(request->count, request->answers), MODBUS_READ_MAX)) *
            byte_us(board);
    int64_t sent_us = tick_now(tick);
    board->frames++;
    bool ok = receive(board, &decoder, answer, sent_us + patience, error);
    board->frames_lost += !ok;
    if (!ok || lost)
        link->owed_until_us = sent_us + 2 * patience;
    if (ok)
        link->line_echoes |= decoder.echoed;
    link->heard_us = tick_now(tick);
    return ok;
}

static bool transact_plain(struct board *board, const struct modbus_request *request,
                           struct modbus_answer *answer, GError **error)
{
    int64_t tries = board->one_try ? 1 : 1 + board->profile->retries;
    bool lost = false; /* an answer, which may still come */
    for (int64_t i = 0; true; i++) {
        g_autoptr(GError) failure = NULL;
        bool last = i + 1 == tries;
        if (once(board, request, lost, answer, &failure)) {
            if (answer->exception == 0)
                return true;
            if (answer->exception != BUSY || last)
                return refused(answer->exception, error);
            if (!wire_pause_ms(board->wire, BUSY_MS, error))
                return false;
        } else if (last || !error_rule(failure)->retry) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        } else
            lost = true;
    }
}

static bool transact(struct board *board, struct modbus_request *request, struct modbus_answer *answer,
                     GError **error)
{
    request->unit = (uint8_t)board->address;
    if (transact_plain(board, request, answer, error))
        return true;
    name_request(error, request);
    return false;
}

/* The code a profile gives to a command is the function that the standard has for it. */
static bool check_code(const struct board *board, const char *name, uint8_t function, GError **error)
{
    const struct profile_command *command = profile_command_find(board->profile, name);
    return (command && command->code == function) ||
           error_set(error, ERROR_AUTHOR, "command '%s' of Modbus has the code %02XH: correct profile '%s'",
                     name, function, board->profile->profile);
}

static bool is(const struct profile_block *block, const char *read_command)
{
    return block->read_command && strcmp(block->read_command, read_command) == 0;
}

static bool reads_input(const struct profile_block *block)
{
    return is(block, "read_input") || is(block, "read_registers");
}

/* There are 65536 registers and as many coils. */
static bool check_room(const struct profile_block *block, GError **error)
{
    int64_t count = is_coils(block) ? block->size : (block->size + 1) / 2;
    return block->number + count <= 0x10000 ||
           error_set(error, ERROR_AUTHOR, "block '%s' ends behind FFFFH: correct the profile", block->name);
}

static bool read_coils(struct board *board, const struct profile_block *block, unsigned offset,
                       uint8_t *bytes, unsigned n, GError **error)
{
    g_autofree struct modbus_answer *answer = g_new(struct modbus_answer, 1);
    if (!check_code(board, "read_coils", MODBUS_READ_COILS, error))
        return false;
    for (unsigned done = 0, part; done < n; done += part) {
        part = MIN(n - done, MODBUS_READ_COILS_MAX);
        struct modbus_request request = {.function = MODBUS_READ_COILS,
                                         .address = (uint16_t)(block->number + offset + done),
                                         .count = (uint16_t)part};
        if (!transact(board, &request, answer, error))
            return false;
        for (unsigned i = 0; i < part; i++)
            bytes[done + i] = answer->data[i / 8] >> i % 8 & 1;
    }
    return true;
}

static bool read_registers(struct board *board, uint8_t function, unsigned first, unsigned count,
                           uint8_t *bytes, GError **error)
{
    g_autofree struct modbus_answer *answer = g_new(struct modbus_answer, 1);
    for (unsigned done = 0, part; done < count; done += part) {
        part = MIN(count - done, MODBUS_READ_MAX);
        struct modbus_request request = {
            .function = function, .address = (uint16_t)(first + done), .count = (uint16_t)part};
        if (!transact(board, &request, answer, error))
            return false;
        memcpy(bytes + 2u * done, answer->data, 2u * part);
    }
    return true;
}

/* The registers that hold n bytes from an offset on. */
struct registers {
    unsigned first, count;
    uint8_t *bytes;
};

static struct registers registers_of(const struct profile_block *block, unsigned offset, unsigned n)
{
    unsigned from = offset / 2, end = (offset + n + 1) / 2;
    return (struct registers){(unsigned)block->number + from, end - from, g_malloc0(2u * (end - from))};
}

/* The records of a log are asked for with a word of the board's own where the number of registers stands. */
static bool record(struct board *board, const struct profile_block *block, bool first, uint8_t *bytes,
                   bool *end, GError **error)
{
    const char *name = first ? "first_record" : "next_record";
    const struct profile_command *command = profile_command_find(board->profile, name);
    g_autofree struct modbus_answer *answer = g_new0(struct modbus_answer, 1);
    gsize n = 0;
    const uint8_t *word = command && command->info ? g_bytes_get_data(command->info, &n) : NULL;
    *end = false;
    if (!check_code(board, name, MODBUS_READ_INPUT, error))
        return false;
    if (n != 2 || block->size % 2 || block->size > 2 * MODBUS_READ_MAX)
        return error_set(
            error, ERROR_AUTHOR,
            "command '%s' needs `info:` with the two bytes in place of the number of registers, and a "
            "block of whole registers",
            name);
    struct modbus_request request = {.function = MODBUS_READ_INPUT,
                                     .address = (uint16_t)block->number,
                                     .count = (uint16_t)(word[0] << 8 | word[1]),
                                     .answers = (uint16_t)(block->size / 2)};
    g_autoptr(GError) failure = NULL;
    /* Asking again for the next one would pass one over: a lost answer ends the reading. */
    board->one_try = !first;
    const bool ok = transact(board, &request, answer, &failure);
    board->one_try = false;
    *end = !ok && answer->exception == NO_RECORD;
    if (ok)
        memcpy(bytes, answer->data, answer->n);
    else if (!*end)
        g_propagate_error(error, g_steal_pointer(&failure));
    return ok || *end;
}

static bool read_block(struct board *board, const struct profile_block *block, unsigned offset,
                       uint8_t *bytes, unsigned n, GError **error)
{
    const bool input = reads_input(block);
    if (!check_room(block, error))
        return false;
    if (block->read_command && !input && !is_coils(block))
        return error_set(error, ERROR_AUTHOR, "block '%s' is read record by record: packline board log",
                         block->name);
    if (is_coils(block))
        return read_coils(board, block, offset, bytes, n, error);
    if (input && !check_code(board, block->read_command, MODBUS_READ_INPUT, error))
        return false;
    struct registers r = registers_of(block, offset, n);
    bool ok = read_registers(board, input ? MODBUS_READ_INPUT : MODBUS_READ_HOLDING, r.first, r.count,
                             r.bytes, error);
    if (ok)
        memcpy(bytes, r.bytes + offset % 2, n);
    g_free(r.bytes);
    return ok;
}

/* One by one, for a board that knows no writing of many. */
static bool write_singly(struct board *board, const struct modbus_request *many, GError **error)
{
    struct modbus_answer answer;
    bool coils = many->function == MODBUS_WRITE_COILS;
    for (unsigned i = 0; i < many->count; i++) {
        struct modbus_request one = {.function = coils ? MODBUS_WRITE_COIL : MODBUS_WRITE_REGISTER,
                                     .address = (uint16_t)(many->address + i),
                                     .count = 1,
                                     .n = 2};
        one.data[0] = coils ? (many->data[i / 8] >> i % 8 & 1 ? 0xff : 0) : many->data[2 * i];
        one.data[1] = coils ? 0 : many->data[2 * i + 1];
        if (!transact(board, &one, &answer, error))
            return false;
    }
    return true;
}

static bool write_many(struct board *board, struct modbus_request *many, GError **error)
{
    struct link *link = link_of(board);
    const char *name = many->function == MODBUS_WRITE_COILS ? "write_coil" : "write_register";
    uint8_t function = many->function == MODBUS_WRITE_COILS ? MODBUS_WRITE_COIL : MODBUS_WRITE_REGISTER;
    bool may = profile_command_find(board->profile, name);
    struct modbus_answer answer = {0};
    if (may && !check_code(board, name, function, error))
        return false;
    if (link->single_only)
        return write_singly(board, many, error);
    g_autoptr(GError) failure = NULL;
    if (transact(board, many, &answer, &failure))
        return true;
    if (may && answer.exception == NO_SUCH && error_kind(failure) == ERROR_REFUSED) {
        link->single_only = true;
        return write_singly(board, many, error);
    }
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

static bool write_coils(struct board *board, const struct profile_block *block, unsigned offset,
                        const uint8_t *bytes, unsigned n, GError **error)
{
    for (unsigned done = 0, part; done < n; done += part) {
        part = MIN(n - done, MODBUS_WRITE_COILS_MAX);
        struct modbus_request request = {.function = MODBUS_WRITE_COILS,
                                         .address = (uint16_t)(block->number + offset + done),
                                         .count = (uint16_t)part,
                                         .n = (part + 7) / 8};
        for (unsigned i = 0; i < part; i++)
            request.data[i / 8] |= (uint8_t)((bytes[done + i] != 0) << i % 8);
        if (!write_many(board, &request, error))
            return false;
    }
    return true;
}

static bool write_registers(struct board *board, const struct registers *r, GError **error)
{
    for (unsigned done = 0, part; done < r->count; done += part) {
        part = MIN(r->count - done, MODBUS_WRITE_MAX);
        struct modbus_request request = {.function = MODBUS_WRITE_REGISTERS,
                                         .address = (uint16_t)(r->first + done),
                                         .count = (uint16_t)part,
                                         .n = 2u * part};
        memcpy(request.data, r->bytes + 2u * done, 2u * part);
        if (!write_many(board, &request, error))
            return false;
    }
    return true;
}

static bool write_block(struct board *board, const struct profile_block *block, unsigned offset,
                        const uint8_t *bytes, unsigned n, GError **error)
{
    if (!check_room(block, error))
        return false;
    if (is_coils(block))
        return write_coils(board, block, offset, bytes, n, error);
    if (block->read_command && !is(block, "read_registers"))
        return error_set(error, ERROR_RULE, "input registers cannot be written");
    if (block->read_command && !check_code(board, "read_registers", MODBUS_READ_INPUT, error))
        return false;
    const uint8_t reading = block->read_command ? MODBUS_READ_INPUT : MODBUS_READ_HOLDING;
    struct registers r = registers_of(block, offset, n);
    bool odd_end = (offset + n) % 2;
    /* Half a register keeps its other half. */
    bool ok = (offset % 2 == 0 || read_registers(board, reading, r.first, 1, r.bytes, error)) &&
              (!odd_end ||
               read_registers(board, reading, r.first + r.count - 1, 1, r.bytes + 2u * (r.count - 1), error));
    if (ok) {
        memcpy(r.bytes + offset % 2, bytes, n);
        ok = write_registers(board, &r, error);
    }
    g_free(r.bytes);
    return ok;
}

const struct dialect_kind dialect_modbus = {.name = "modbus",
                                            .commands = commands,
                                            .registers = true,
                                            .read_block = read_block,
                                            .write_block = write_block,
                                            .record = record,
                                            .mask = mask};

const struct dialect_kind dialect_modbus_tcp = {.name = "modbus-tcp",
                                                .commands = commands,
                                                .registers = true,
                                                .read_block = read_block,
                                                .write_block = write_block,
                                                .record = record,
                                                .mask = mask};
