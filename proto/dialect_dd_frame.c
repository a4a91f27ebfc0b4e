/* The DD … 77 dialect: one register an exchange, service sessions as the profile describes them, and the two
 * published status registers. The layouts are those of docs/families/jbd.md.
 *
 * A block is a run of 16-bit registers that begins at its number. With read_command `read_whole` it is one
 * register of many bytes, with `read_text` one register that holds a length byte and a text. */
#include "proto/board.h"
#include "proto/dd_frame.h"
#include "proto/described.h"
#include "station/base/error.h"

#include <string.h>

extern const struct dialect_kind dialect_dd_frame;

#define FRAMES_MAX     64 /* frames looked at in one wait: echoes and late answers */
#define SHOWN_BYTES    48 /* of a frame in a message */
#define PASSWORD_BYTES 6
#define REGISTER_MAX   0xff

static const char *const commands[] = {"read",         "write",         "read_whole", "read_text", "version",
                                       "basic_status", "cell_voltages", "mos",        "login",     NULL};

struct exchange {
    const char *what; /* "protect.cell_ov (register 24H)" */
    struct dd_frame request;
    bool wants_data; /* an answer to a read has some, one to a write has none */
    bool secret;     /* what comes back may be an echo of it, so no bytes are shown */
    unsigned tries;
};

static unsigned u16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static int i16(const uint8_t *p)
{
    return (int16_t)u16(p);
}

static char *hex_of(const uint8_t *bytes, size_t n)
{
    GString *text = g_string_sized_new(3 * SHOWN_BYTES + 4);
    for (size_t i = 0; i < n && i < SHOWN_BYTES; i++)
        g_string_append_printf(text, i ? " %02X" : "%02X", bytes[i]);
    if (n > SHOWN_BYTES)
        g_string_append(text, " …");
    return g_string_free(text, FALSE);
}

static char *frame_text(const struct dd_frame *frame)
{
    uint8_t bytes[DD_FRAME_MAX];
    return hex_of(bytes, dd_encode(frame, bytes));
}

static bool garbled(const char *what, const char *why, const struct dd_frame *reply, GError **error)
{
    g_autofree char *text = frame_text(reply);
    return error_set(error, ERROR_GARBLED, "%s: %s: %s", what, why, text);
}

static bool refused(const char *what, const struct dd_frame *reply, GError **error)
{
    g_autofree char *text = frame_text(reply);
    if (reply->second == DD_ERROR)
        return error_set(error, ERROR_REFUSED, "%s: the board refuses it (status 80H): %s", what, text);
    return error_set(error, ERROR_REFUSED, "%s: the board answers status %02XH, which no document names: %s",
                     what, reply->second, text);
}

/* One wait for an answer, and what came instead of it. */
struct waiting {
    const struct exchange *x;
    struct dd_decoder decoder;
    unsigned frames;
    char *instead;
};

static void note(struct waiting *w, const char *why, char *hex)
{
    g_free(w->instead);
    w->instead = g_strdup_printf("%s: %s", why, w->x->secret ? "(not shown)" : hex);
    g_free(hex);
}

static bool is_answer(struct waiting *w, const struct dd_frame *frame)
{
    const struct dd_frame *request = &w->x->request;
    if (frame->first == request->first && frame->second == request->second && frame->n == request->n &&
        memcmp(frame->data, request->data, frame->n) == 0)
        return false; /* our own request, echoed */
    if (frame->first != request->second)
        note(w, "an answer for another register", frame_text(frame));
    else if (frame->second == DD_OK && (frame->n > 0) != w->x->wants_data)
        note(w, w->x->wants_data ? "an answer without data" : "a late answer with data", frame_text(frame));
    else
        return true;
    return false;
}

static bool take(struct waiting *w, struct dd_frame *reply)
{
    enum dd_state state;
    while ((state = dd_take(&w->decoder, reply)) != DD_MORE) {
        w->frames++;
        if (state == DD_BAD)
            note(w, w->decoder.why, hex_of(w->decoder.bad, w->decoder.bad_n));
        else if (is_answer(w, reply))
            return true;
    }
    return false;
}

/* Silence: what began like a frame may have hidden the answer behind it. */
static bool take_rest(struct waiting *w, struct dd_frame *reply)
{
    while (dd_give_up(&w->decoder) == DD_BAD) {
        note(w, w->decoder.why, hex_of(w->decoder.bad, w->decoder.bad_n));
        if (take(w, reply))
            return true;
    }
    return false;
}

static bool receive(struct board *board, struct waiting *w, struct dd_frame *reply, int64_t deadline_us,
                    GError **error)
{
    size_t late = 0;
    while (w->frames < FRAMES_MAX) {
        uint8_t bytes[64];
        size_t got;
        g_autoptr(GError) silent = NULL;
        if (!wire_receive(board->wire, bytes, sizeof bytes, &got, deadline_us, &silent)) {
            if (error_kind(silent) == ERROR_SILENT && take_rest(w, reply))
                return true;
            if (error_kind(silent) == ERROR_SILENT && w->instead)
                return error_set(error, ERROR_GARBLED, "%s", w->instead);
            g_propagate_error(error, g_steal_pointer(&silent));
            return false;
        }
        for (size_t i = 0; i < got; i++) {
            dd_put(&w->decoder, bytes[i]);
            if (take(w, reply))
                return true;
        }
        /* A wire gives what has arrived even after the deadline; a far side that never stops is not listened
         * to for ever. */
        late += tick_now(board->wire->tick) > MIN(deadline_us, board->wire->limit_us) ? got : 0;
        if (late > DD_FRAME_MAX)
            return error_set(error, ERROR_GARBLED, "the line is never quiet and brings no answer");
    }
    return error_set(error, ERROR_GARBLED, "%d frames and none of them an answer, the last %s", FRAMES_MAX,
                     w->instead ? w->instead : "an echo");
}

static bool once(struct board *board, const struct exchange *x, struct dd_frame *reply, GError **error)
{
    uint8_t bytes[DD_FRAME_MAX];
    struct waiting w = {.x = x};
    struct tick *tick = board->wire->tick;
    size_t n = dd_encode(&x->request, bytes);
    dd_reset(&w.decoder);
    /* A late answer to an earlier request must not be taken for the answer to this one. */
    bool ok = wire_discard(board->wire, error) &&
              wire_send(board->wire, bytes, n, tick_now(tick) + TICK_S(10), error);
    explicit_bzero(bytes, sizeof bytes);
    if (!ok)
        return false;
    board->frames++;
    ok = receive(board, &w, reply, tick_now(tick) + board->profile->reply_max, error);
    board->frames_lost += !ok;
    g_free(w.instead);
    return ok;
}

static bool transact(struct board *board, const struct exchange *x, struct dd_frame *reply, GError **error)
{
    unsigned tries = board->one_try ? 1 : x->tries ? x->tries : 1 + (unsigned)board->profile->retries;
    for (unsigned i = 1;; i++) {
        g_autoptr(GError) failure = NULL;
        if (once(board, x, reply, &failure))
            return reply->second == DD_OK || refused(x->what, reply, error);
        if (i == tries || !error_rule(failure)->retry) {
            g_propagate_prefixed_error(error, g_steal_pointer(&failure), "%s: ", x->what);
            return false;
        }
        if (!wire_pause_ms(board->wire, MAX(board->profile->gap_min / 1000, 1), error))
            return false;
    }
}

static bool code_of(const struct board *board, const char *name, uint8_t *code, GError **error)
{
    const struct profile_command *command = profile_command_find(board->profile, name);
    if (!command)
        return error_set(error, ERROR_REFUSED, "profile '%s' has no command '%s': not supported",
                         board->profile->profile, name);
    if (command->code > REGISTER_MAX)
        return error_set(error, ERROR_AUTHOR, "command '%s' is %" G_GINT64_FORMAT ", no byte", name,
                         command->code);
    *code = (uint8_t)command->code;
    return true;
}

/* "protect.cell_ov (register 24H)" */
static char *name_of(const struct board *board, const struct profile_block *block, unsigned offset,
                     unsigned reg)
{
    for (guint i = 0; i < board->profile->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(board->profile->items, i);
        if (item->in == block && offset >= item->offset && offset < item->offset + item->width * item->count)
            return g_strdup_printf("%s (register %02XH)", item->key, reg);
    }
    return g_strdup_printf("register %02XH", reg);
}

static bool ask(struct board *board, const char *command, uint8_t reg, const char *what,
                struct dd_frame *reply, GError **error)
{
    struct exchange x = {.what = what, .request = {.second = reg}, .wants_data = true};
    return code_of(board, command, &x.request.first, error) && transact(board, &x, reply, error);
}

static bool put(struct board *board, uint8_t reg, const uint8_t *data, unsigned n, const char *what,
                GError **error)
{
    struct exchange x = {.what = what, .request = {.second = reg, .n = (uint8_t)n}};
    struct dd_frame reply;
    memcpy(x.request.data, data, n);
    return code_of(board, "write", &x.request.first, error) && transact(board, &x, &reply, error);
}

/* Plain registers */
static bool check_register(const struct profile_block *block, unsigned offset, GError **error)
{
    return block->number + offset / 2 <= REGISTER_MAX ||
           error_set(error, ERROR_AUTHOR, "block '%s' reaches beyond register FFH", block->name);
}

static bool read_register(struct board *board, const struct profile_block *block, unsigned at, uint8_t two[2],
                          GError **error)
{
    struct dd_frame reply;
    if (!check_register(block, at, error))
        return false;
    unsigned reg = (unsigned)block->number + at / 2;
    g_autofree char *what = name_of(board, block, at, reg);
    if (!ask(board, "read", (uint8_t)reg, what, &reply, error))
        return false;
    if (reply.n != 2)
        return garbled(what, "an answer of two bytes was expected", &reply, error);
    memcpy(two, reply.data, 2);
    return true;
}

static bool read_plain(struct board *board, const struct profile_block *block, unsigned offset,
                       uint8_t *bytes, unsigned n, GError **error)
{
    for (unsigned at = offset & ~1u; at < offset + n; at += 2) {
        uint8_t two[2];
        if (!read_register(board, block, at, two, error))
            return false;
        for (unsigned i = 0; i < 2; i++)
            if (at + i >= offset && at + i < offset + n)
                bytes[at + i - offset] = two[i];
    }
    return true;
}

static bool write_plain(struct board *board, const struct profile_block *block, unsigned offset,
                        const uint8_t *bytes, unsigned n, GError **error)
{
    for (unsigned at = offset & ~1u; at < offset + n; at += 2) {
        uint8_t two[2];
        bool whole = at >= offset && at + 2 <= offset + n;
        if (!check_register(block, at, error))
            return false;
        unsigned reg = (unsigned)block->number + at / 2;
        g_autofree char *what = name_of(board, block, MAX(at, offset), reg);
        /* Two values share the register: the other one stays. */
        if (!whole && !read_register(board, block, at, two, error))
            return false;
        for (unsigned i = 0; i < 2; i++)
            if (at + i >= offset && at + i < offset + n)
                two[i] = bytes[at + i - offset];
        if (!put(board, (uint8_t)reg, two, 2, what, error))
            return false;
    }
    return true;
}

/* Registers of many bytes */
static bool read_whole(struct board *board, const struct profile_block *block, unsigned offset,
                       uint8_t *bytes, unsigned n, GError **error)
{
    struct dd_frame reply;
    g_autofree char *what = name_of(board, block, offset, (unsigned)block->number);
    if (!ask(board, "read_whole", (uint8_t)block->number, what, &reply, error))
        return false;
    if (reply.n < offset + n) {
        g_autofree char *why = g_strdup_printf("the answer has %u bytes, %u are needed", reply.n, offset + n);
        return garbled(what, why, &reply, error);
    }
    memcpy(bytes, reply.data + offset, n);
    return true;
}

static bool read_text(struct board *board, const struct profile_block *block, unsigned offset, uint8_t *bytes,
                      unsigned n, GError **error)
{
    struct dd_frame reply;
    g_autofree char *what = name_of(board, block, offset, (unsigned)block->number);
    if (!ask(board, "read_text", (uint8_t)block->number, what, &reply, error))
        return false;
    unsigned length = reply.data[0];
    if (length + 1 > reply.n || length > block->size)
        return garbled(what, "the length byte does not fit the answer or the item", &reply, error);
    for (unsigned i = 0; i < n; i++)
        bytes[i] = offset + i < length ? reply.data[1 + offset + i] : 0;
    return true;
}

static bool write_text(struct board *board, const struct profile_block *block, unsigned offset,
                       const uint8_t *bytes, unsigned n, GError **error)
{
    uint8_t data[DD_DATA_MAX];
    unsigned length = n;
    g_autofree char *what = name_of(board, block, offset, (unsigned)block->number);
    if (offset != 0 || n != block->size || n >= sizeof data)
        return error_set(error, ERROR_AUTHOR, "%s: a text is written whole", what);
    while (length > 0 && (bytes[length - 1] == 0 || bytes[length - 1] == ' '))
        length--;
    data[0] = (uint8_t)length;
    memcpy(data + 1, bytes, length);
    return put(board, (uint8_t)block->number, data, 1 + length, what, error);
}

static bool is_form(const struct profile_block *block, const char *form)
{
    return block->read_command && strcmp(block->read_command, form) == 0;
}

static bool read_block(struct board *board, const struct profile_block *block, unsigned offset,
                       uint8_t *bytes, unsigned n, GError **error)
{
    if (!check_register(block, 0, error))
        return false;
    return is_form(block, "read_text")    ? read_text(board, block, offset, bytes, n, error)
           : is_form(block, "read_whole") ? read_whole(board, block, offset, bytes, n, error)
                                          : read_plain(board, block, offset, bytes, n, error);
}

static bool write_block(struct board *board, const struct profile_block *block, unsigned offset,
                        const uint8_t *bytes, unsigned n, GError **error)
{
    if (!check_register(block, 0, error))
        return false;
    if (is_form(block, "read_whole"))
        return error_set(error, ERROR_RULE, "block '%s' (register %02XH) is only read", block->name,
                         (unsigned)block->number);
    return is_form(block, "read_text") ? write_text(board, block, offset, bytes, n, error)
                                       : write_plain(board, block, offset, bytes, n, error);
}

/* Basic status: pack, capacities, protections, MOSFETs, counts, temperatures. */
enum {
    PACK_10MV = 0,
    CURRENT_10MA = 2,
    REMAINING_10MAH = 4,
    FULL_10MAH = 6,
    CYCLES = 8,
    PROTECTIONS = 16,
    VERSION = 18,
    SOC = 19,
    MOSFETS = 20,
    CELLS = 21,
    SENSORS = 22,
    TEMPERATURES = 23
};
#define KELVIN_TENTHS   2731
#define SENSOR_ABSENT   2331 /* -40.0 °C */
#define BIT_CHARGE      1u
#define BIT_DISCHARGE   2u
#define LOCKED_BY_WRITE (1u << 12)

static const char *const protections[] = {"cell overvoltage",
                                          "cell undervoltage",
                                          "pack overvoltage",
                                          "pack undervoltage",
                                          "charge overtemperature",
                                          "charge undertemperature",
                                          "discharge overtemperature",
                                          "discharge undertemperature",
                                          "charge overcurrent",
                                          "discharge overcurrent",
                                          "short circuit",
                                          "front end fault",
                                          "MOSFET locked by command"};

static bool read_status(struct board *board, struct dd_frame *status, GError **error)
{
    uint8_t reg;
    if (!code_of(board, "basic_status", &reg, error))
        return false;
    g_autofree char *what = g_strdup_printf("basic status (register %02XH)", reg);
    if (!ask(board, "read_whole", reg, what, status, error))
        return false;
    if (status->n < TEMPERATURES || status->n < TEMPERATURES + 2u * status->data[SENSORS])
        return garbled(what, "the answer is shorter than its counts say", status, error);
    return true;
}

static bool read_cells(struct board *board, struct board_telemetry *t, GError **error)
{
    struct dd_frame reply;
    uint8_t reg;
    if (!code_of(board, "cell_voltages", &reg, error))
        return false;
    g_autofree char *what = g_strdup_printf("cell voltages (register %02XH)", reg);
    if (!ask(board, "read_whole", reg, what, &reply, error))
        return false;
    if (reply.n != 2 * t->cells) {
        g_autofree char *why = g_strdup_printf("%u bytes for %u cells", reply.n, t->cells);
        return garbled(what, why, &reply, error);
    }
    for (unsigned i = 0; i < t->cells; i++)
        t->cell_mv[i] = u16(reply.data + 2 * i);
    return true;
}

static void name_protections(struct board_telemetry *t)
{
    for (unsigned i = 0; i < 16; i++) {
        g_autofree char *unnamed = g_strdup_printf("bit %u", i);
        if (!(t->protections >> i & 1))
            continue;
        if (t->active[0])
            g_strlcat(t->active, ", ", sizeof t->active);
        g_strlcat(t->active, i < G_N_ELEMENTS(protections) ? protections[i] : unnamed, sizeof t->active);
    }
}

static int64_t temperature(unsigned raw)
{
    bool absent = raw == 0 || raw == 0xffff || raw == SENSOR_ABSENT;
    return absent ? TELEMETRY_ABSENT : ((int64_t)raw - KELVIN_TENTHS) * 100;
}

static bool telemetry(struct board *board, struct board_telemetry *t, GError **error)
{
    struct dd_frame status;
    memset(t, 0, sizeof *t);
    t->untold = 1u << TELEMETRY_SOH | 1u << TELEMETRY_ALARMS | 1u << TELEMETRY_ANTITHEFT;
    if (!read_status(board, &status, error))
        return false;
    const uint8_t *p = status.data;
    t->ambient_mdeg = t->mos_mdeg = TELEMETRY_ABSENT;
    t->pack_mv = 10 * (int64_t)u16(p + PACK_10MV);
    t->current_ma = 10 * i16(p + CURRENT_10MA) * board->profile->charge_sign;
    t->remaining_mah = 10 * (int64_t)u16(p + REMAINING_10MAH);
    t->full_mah = 10 * (int64_t)u16(p + FULL_10MAH);
    t->cycles = u16(p + CYCLES);
    t->protections = u16(p + PROTECTIONS);
    t->soc_ppc = 1000 * (int64_t)p[SOC];
    t->charge_fet = p[MOSFETS] & BIT_CHARGE;
    t->discharge_fet = p[MOSFETS] & BIT_DISCHARGE;
    t->cells = MIN(p[CELLS], BOARD_CELLS_MAX);
    t->sensors = MIN(p[SENSORS], BOARD_SENSORS_MAX);
    for (unsigned i = 0; i < t->sensors; i++)
        t->sensor_mdeg[i] = temperature(u16(p + TEMPERATURES + 2 * i));
    t->charging = t->current_ma > 0;
    t->discharging = t->current_ma < 0;
    name_protections(t);
    return read_cells(board, t, error);
}

static bool identify(struct board *board, struct board_identity *identity, GError **error)
{
    struct dd_frame version, status;
    uint8_t reg;
    memset(identity, 0, sizeof *identity);
    if (!code_of(board, "version", &reg, error))
        return false;
    g_autofree char *what = g_strdup_printf("hardware version (register %02XH)", reg);
    if (!ask(board, "read_whole", reg, what, &version, error) || !read_status(board, &status, error))
        return false;
    /* One document puts a length byte in front of the text, the captures have none. */
    const uint8_t *text = version.data;
    size_t n = version.n, length = 0;
    if (n > 1 && text[0] == n - 1 && text[0] < 0x20)
        text++, n--;
    while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == 0))
        n--;
    for (size_t i = 0; i < n && length < sizeof identity->product - 1; i++)
        identity->product[length++] = text[i] >= 0x20 && text[i] <= 0x7e ? (char)text[i] : '?';
    g_strlcpy(identity->hardware, identity->product, sizeof identity->hardware);
    g_snprintf(identity->firmware, sizeof identity->firmware, "%u.%u", status.data[VERSION] >> 4,
               status.data[VERSION] & 15u);
    return true;
}

static bool login(struct board *board, int level, const struct secret *password, GError **error)
{
    const char *text = secret_reveal(password);
    struct exchange x = {.what = "password",
                         .request = {.first = DD_WRITE, .n = 1 + PASSWORD_BYTES},
                         .secret = true,
                         .tries = 2};
    struct dd_frame reply;
    g_autoptr(GError) failure = NULL;
    (void)level; /* one password opens everything */
    if (strlen(text) != PASSWORD_BYTES)
        return error_set(error, ERROR_AUTHOR, "a password of this board has %d characters", PASSWORD_BYTES);
    if (!code_of(board, "login", &x.request.second, error))
        return false;
    x.request.data[0] = PASSWORD_BYTES;
    memcpy(x.request.data + 1, text, PASSWORD_BYTES);
    bool ok = transact(board, &x, &reply, &failure);
    explicit_bzero(&x.request, sizeof x.request);
    if (ok)
        return true;
    if (error_kind(failure) == ERROR_REFUSED)
        g_prefix_error(&failure, "wrong password; it is not tried again: ");
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

/* The register switches both MOSFETs off by bits, so the other one's must be kept: it is off by command only
 * when the board says that some lock is in force. */
static bool write_mosfets(struct board *board, unsigned bit, bool on, GError **error)
{
    struct dd_frame status;
    uint8_t reg;
    if (!code_of(board, "mos", &reg, error) || !read_status(board, &status, error))
        return false;
    bool locked = u16(status.data + PROTECTIONS) & LOCKED_BY_WRITE;
    unsigned other = bit ^ (BIT_CHARGE | BIT_DISCHARGE), off = on ? 0 : bit;
    if (locked && !(status.data[MOSFETS] & other))
        off |= other;
    const uint8_t data[2] = {0, (uint8_t)off};
    g_autofree char *what = g_strdup_printf("MOSFET control (register %02XH)", reg);
    return put(board, reg, data, sizeof data, what, error);
}

static bool control(struct board *board, enum board_control what, int argument, GError **error)
{
    const struct described_call call = {.argument = argument};
    struct described_session session;
    if (what != CONTROL_CHARGE_FET && what != CONTROL_DISCHARGE_FET)
        return described_run(board, PROCEDURE_RESET + (int)what, &call, error);
    unsigned bit = what == CONTROL_CHARGE_FET ? BIT_CHARGE : BIT_DISCHARGE;
    return described_open(board, true, &session, error) &&
           described_close(board, &session, false, write_mosfets(board, bit, argument != 0, error), error);
}

/* Whatever is written to the password registers, and its checksum, which would tell a part of it. */
static void mask(void *context, bool sent, const uint8_t *bytes, size_t n, bool *secret)
{
    (void)context, (void)sent;
    for (size_t i = 0; i + 4 < n; i++) {
        bool password =
            bytes[i] == 0xdd && bytes[i + 1] == DD_WRITE && bytes[i + 2] >= 0x06 && bytes[i + 2] <= 0x09;
        for (size_t k = 4; password && k < 4u + bytes[i + 3] + 2 && i + k < n; k++)
            secret[i + k] = true;
    }
}

const struct dialect_kind dialect_dd_frame = {
    .name = "dd-frame",
    .commands = commands,
    .read_block = read_block,
    .write_block = write_block,
    .identify = identify,
    .login = login,
    .control = control,
    .telemetry = telemetry,
    .mask = mask,
};
