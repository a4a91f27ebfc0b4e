/* The YD/T 1363 dialect: transactions, block reads and writes, and the named procedures, with the codes of
 * the profile. The layouts are those of docs/families/basen.md. */
#include "proto/board.h"
#include "proto/yd1363.h"
#include "station/base/error.h"

#include <string.h>

extern const struct dialect_kind dialect_yd1363;

#define VERSION        0x22
#define CID1           0x4a
#define BLOCK_CHUNK    128 /* bytes of a block in one request: replies stay short enough for a 500 ms answer */
#define PASSWORD_BYTES 8
#define CODE_BYTES     6
#define HISTORY_GAP_MS 410 /* manual: 400 ms between records */
#define RECORD_BYTES   24
#define FRAMES_MAX     64 /* frames looked at in one wait: echoes and late replies */

static const char *const commands[] = {"telemetry",   "version",    "manufacturing", "login",   "read_block",
                                       "write_block", "clock_read", "clock_write",   "control", "calibrate",
                                       "antitheft",   "history",    "unique_id",     NULL};

/* What may be sent again after a lost answer. */
enum repeat {
    NEVER, /* a second one would do something else */
    ONCE,  /* the board counts tries: no more than one, and none after a refusal */
    REPEATABLE
};

struct exchange {
    const char *name;
    enum repeat repeat;
    const uint8_t *info; /* arguments behind the profile's fixed bytes */
    size_t n;
    int64_t extra_us; /* more patience than the profile's reply_max */
};

static uint16_t u16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static int16_t i16(const uint8_t *p)
{
    return (int16_t)u16(p);
}

static bool refused(const char *name, uint8_t rtn, GError **error)
{
    const char *why = yd1363_rtn_name(rtn);
    return why ? error_set(error, ERROR_REFUSED, "%s: the board answered '%s' (RTN %02XH)", name, why, rtn)
               : error_set(error, ERROR_REFUSED, "%s: the board answered RTN %02XH", name, rtn);
}

/* The first whole frame of this board that is not our own request echoed back. */
static bool receive(struct board *board, const struct yd1363_frame *request, struct yd1363_frame *reply,
                    int64_t deadline_us, GError **error)
{
    struct yd1363_decoder decoder;
    const char *garbled = NULL;
    unsigned frames = 0;
    size_t late = 0;
    yd1363_reset(&decoder);
    while (frames < FRAMES_MAX) {
        uint8_t bytes[64];
        size_t got;
        g_autoptr(GError) silent = NULL;
        if (!wire_receive(board->wire, bytes, sizeof bytes, &got, deadline_us, &silent)) {
            if (error_kind(silent) == ERROR_SILENT && garbled)
                return error_set(error, ERROR_GARBLED, "garbled answer (%s)", garbled);
            g_propagate_error(error, g_steal_pointer(&silent));
            return false;
        }
        for (size_t i = 0; i < got; i++) {
            enum yd1363_state state = yd1363_decode(&decoder, bytes[i], reply);
            frames += state != YD1363_MORE;
            if (state == YD1363_BAD)
                garbled = decoder.why;
            if (state != YD1363_FRAME || reply->address != request->address)
                continue;
            bool echo = reply->cid2 == request->cid2 && reply->n == request->n &&
                        memcmp(reply->info, request->info, reply->n) == 0 && reply->cid2 != 0;
            if (!echo)
                return true;
        }
        /* A wire gives what has arrived even after the deadline. That may be a whole answer, but a far side
         * that never stops would be listened to for ever. */
        late += tick_now(board->wire->tick) > MIN(deadline_us, board->wire->limit_us) ? got : 0;
        if (late > YD1363_FRAME_MAX)
            return error_set(error, ERROR_GARBLED, "the line is never quiet and brings no answer");
    }
    return error_set(error, ERROR_GARBLED, "%d frames and none of them an answer", FRAMES_MAX);
}

static bool once(struct board *board, const struct yd1363_frame *request, struct yd1363_frame *reply,
                 int64_t extra_us, GError **error)
{
    g_autofree char *text = g_malloc(YD1363_FRAME_MAX);
    size_t n = yd1363_encode(request, text);
    struct tick *tick = board->wire->tick;
    /* A late reply to an earlier request must not be taken for the answer to this one. */
    if (!wire_discard(board->wire, error) ||
        !wire_send(board->wire, text, n, tick_now(tick) + TICK_S(10), error))
        return false;
    board->frames++;
    if (receive(board, request, reply, tick_now(tick) + board->profile->reply_max + extra_us, error))
        return true;
    board->frames_lost++;
    return false;
}

static bool transact(struct board *board, const struct exchange *x, struct yd1363_frame *reply,
                     GError **error)
{
    const struct profile_command *command = profile_command_find(board->profile, x->name);
    if (!command)
        return error_set(error, ERROR_REFUSED, "profile '%s' has no command '%s': not supported",
                         board->profile->profile, x->name);
    struct yd1363_frame request = {
        .version = VERSION, .address = (uint8_t)board->address, .cid1 = CID1, .cid2 = (uint8_t)command->code};
    if (command->info) {
        gsize fixed;
        const void *bytes = g_bytes_get_data(command->info, &fixed);
        memcpy(request.info, bytes, fixed);
        request.n = fixed;
    }
    if (x->n)
        memcpy(request.info + request.n, x->info, x->n);
    request.n += x->n;
    int64_t tries = x->repeat == NEVER ? 1 : x->repeat == ONCE ? 2 : 1 + board->profile->retries;
    for (int64_t i = 0; i < tries; i++) {
        g_autoptr(GError) failure = NULL;
        if (once(board, &request, reply, x->extra_us, &failure))
            /* A damaged request is answered RTN 02 or 03 by some boards: the same as silence. */
            if ((reply->cid2 != 0x02 && reply->cid2 != 0x03) || i + 1 == tries)
                return reply->cid2 == 0 || refused(x->name, reply->cid2, error);
        if (failure && (i + 1 == tries || !error_rule(failure)->retry)) {
            g_propagate_prefixed_error(error, g_steal_pointer(&failure), "%s: ", x->name);
            return false;
        }
        if (!wire_pause_ms(board->wire, MAX(board->profile->gap_min / 1000, 1), error))
            return false;
    }
    return error_set(error, ERROR_SILENT, "%s: no answer", x->name);
}

static bool short_reply(const char *name, size_t got, size_t wanted, GError **error)
{
    return error_set(error, ERROR_GARBLED, "%s: the answer has %zu bytes, %zu are needed", name, got, wanted);
}

static bool read_plain(struct board *board, const struct profile_block *block, unsigned offset,
                       uint8_t *bytes, unsigned n, GError **error)
{
    g_autofree struct yd1363_frame *reply = g_new(struct yd1363_frame, 1);
    for (unsigned done = 0; done < n; done += BLOCK_CHUNK) {
        unsigned part = MIN(n - done, BLOCK_CHUNK), at = offset + done;
        const uint8_t info[] = {(uint8_t)block->number, (uint8_t)(at >> 8), (uint8_t)at, (uint8_t)part};
        if (!transact(board, &(struct exchange){"read_block", REPEATABLE, info, sizeof info, 0}, reply,
                      error))
            return false;
        if (reply->n != sizeof info + part || memcmp(reply->info, info, sizeof info) != 0)
            return error_set(error, ERROR_GARBLED, "read_block: the answer is not for block %02XH offset %u",
                             (unsigned)block->number, at);
        memcpy(bytes + done, reply->info + sizeof info, part);
    }
    return true;
}

/* B0H answers B0, ADR, op, module, function, length in front of the data. */
static bool read_manufacturing(struct board *board, const struct profile_block *block, unsigned offset,
                               uint8_t *bytes, unsigned n, GError **error)
{
    enum { HEAD = 6 };
    g_autofree struct yd1363_frame *reply = g_new(struct yd1363_frame, 1);
    const uint8_t info[] = {(uint8_t)board->address, 0x01, (uint8_t)block->read_number, 0xff, 0x00};
    if (!transact(board, &(struct exchange){"manufacturing", REPEATABLE, info, sizeof info, 0}, reply, error))
        return false;
    if (reply->n < HEAD + offset + n)
        return short_reply("manufacturing", reply->n, HEAD + offset + n, error);
    if (reply->info[3] != info[2])
        return error_set(error, ERROR_GARBLED, "manufacturing: the answer is for module %u", reply->info[3]);
    memcpy(bytes, reply->info + HEAD + offset, n);
    return true;
}

static bool read_block(struct board *board, const struct profile_block *block, unsigned offset,
                       uint8_t *bytes, unsigned n, GError **error)
{
    if (block->read_command && strcmp(block->read_command, "manufacturing") == 0)
        return read_manufacturing(board, block, offset, bytes, n, error);
    return read_plain(board, block, offset, bytes, n, error);
}

static bool write_block(struct board *board, const struct profile_block *block, unsigned offset,
                        const uint8_t *bytes, unsigned n, GError **error)
{
    g_autofree struct yd1363_frame *reply = g_new(struct yd1363_frame, 1);
    uint8_t info[4 + BLOCK_CHUNK];
    for (unsigned done = 0; done < n; done += BLOCK_CHUNK) {
        unsigned part = MIN(n - done, BLOCK_CHUNK), at = offset + done;
        info[0] = (uint8_t)block->number;
        info[1] = (uint8_t)(at >> 8);
        info[2] = (uint8_t)at;
        info[3] = (uint8_t)part;
        memcpy(info + 4, bytes + done, part);
        if (!transact(board, &(struct exchange){"write_block", REPEATABLE, info, 4 + part, 0}, reply, error))
            return false;
    }
    return true;
}

static void copy_text(char *out, size_t size, const uint8_t *bytes, size_t n)
{
    size_t k = 0;
    while (n > 0 && (bytes[n - 1] == ' ' || bytes[n - 1] == 0))
        n--;
    for (size_t i = 0; i < n && k < size - 1; i++)
        out[k++] = bytes[i] >= 0x20 && bytes[i] <= 0x7e ? (char)bytes[i] : '?';
    out[k] = '\0';
}

static bool identify(struct board *board, struct board_identity *identity, GError **error)
{
    enum { VERSION_BYTES = 34 };
    g_autofree struct yd1363_frame *reply = g_new(struct yd1363_frame, 1);
    memset(identity, 0, sizeof *identity);
    if (!transact(board, &(struct exchange){"version", REPEATABLE, NULL, 0, 0}, reply, error))
        return false;
    if (reply->n < VERSION_BYTES)
        return short_reply("version", reply->n, VERSION_BYTES, error);
    const uint8_t *p = reply->info;
    copy_text(identity->hardware, sizeof identity->hardware, p, 10);
    copy_text(identity->product, sizeof identity->product, p + 10, 10);
    copy_text(identity->project, sizeof identity->project, p + 20, 10);
    g_snprintf(identity->firmware, sizeof identity->firmware, "%u.%u.%u", p[30], p[31], p[32]);
    g_snprintf(identity->bootloader, sizeof identity->bootloader, "%u.%u", p[33], reply->n > 34 ? p[34] : 0);
    if (!profile_command_find(board->profile, "unique_id"))
        return true;
    if (!transact(board, &(struct exchange){"unique_id", REPEATABLE, NULL, 0, 0}, reply, error))
        return false;
    if (reply->n != sizeof identity->unique_id)
        return short_reply("unique_id", reply->n, sizeof identity->unique_id, error);
    memcpy(identity->unique_id, reply->info, sizeof identity->unique_id);
    identity->has_unique_id = true;
    return true;
}

static bool login(struct board *board, int level, const struct secret *password, GError **error)
{
    uint8_t info[1 + PASSWORD_BYTES] = {(uint8_t)level};
    const char *text = secret_reveal(password);
    g_autofree struct yd1363_frame *reply = g_new(struct yd1363_frame, 1);
    if (strlen(text) > PASSWORD_BYTES)
        return error_set(error, ERROR_AUTHOR, "a password of this board has at most %d characters",
                         PASSWORD_BYTES);
    memcpy(info + 1, text, strlen(text));
    g_autoptr(GError) failure = NULL;
    bool ok = transact(board, &(struct exchange){"login", ONCE, info, sizeof info, 0}, reply, &failure);
    explicit_bzero(info, sizeof info);
    if (!ok && error_kind(failure) == ERROR_REFUSED)
        g_prefix_error(&failure, "wrong password, or the board refuses logins; it is not tried again: ");
    if (!ok)
        g_propagate_error(error, g_steal_pointer(&failure));
    return ok;
}

static bool clock_read(struct board *board, int64_t *wall_us, GError **error)
{
    g_autofree struct yd1363_frame *reply = g_new(struct yd1363_frame, 1);
    if (!transact(board, &(struct exchange){"clock_read", REPEATABLE, NULL, 0, 0}, reply, error))
        return false;
    if (reply->n != 6)
        return short_reply("clock_read", reply->n, 6, error);
    const uint8_t *p = reply->info;
    g_autoptr(GDateTime) utc = g_date_time_new_utc(2000 + p[0], p[1], p[2], p[3], p[4], p[5]);
    if (!utc)
        return error_set(error, ERROR_GARBLED, "clock_read: %u-%u-%u %u:%u:%u is no time", 2000 + p[0], p[1],
                         p[2], p[3], p[4], p[5]);
    *wall_us = g_date_time_to_unix(utc) * 1000000;
    return true;
}

static bool clock_write(struct board *board, int64_t wall_us, GError **error)
{
    g_autofree struct yd1363_frame *reply = g_new(struct yd1363_frame, 1);
    g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(wall_us / 1000000);
    if (!utc || g_date_time_get_year(utc) < 2000 || g_date_time_get_year(utc) > 2099)
        return error_set(error, ERROR_RULE, "the station's clock shows no year from 2000 to 2099");
    const uint8_t info[] = {
        (uint8_t)(g_date_time_get_year(utc) - 2000), (uint8_t)g_date_time_get_month(utc),
        (uint8_t)g_date_time_get_day_of_month(utc),  (uint8_t)g_date_time_get_hour(utc),
        (uint8_t)g_date_time_get_minute(utc),        (uint8_t)g_date_time_get_second(utc)};
    return transact(board, &(struct exchange){"clock_write", REPEATABLE, info, sizeof info, 0}, reply, error);
}

static bool control(struct board *board, enum board_control what, int argument, GError **error)
{
    static const uint8_t ops[] = {[CONTROL_RESET] = 1,
                                  [CONTROL_ENTER_BOOTLOADER] = 2,
                                  [CONTROL_SLEEP] = 3,
                                  [CONTROL_FACTORY_DEFAULTS] = 4,
                                  [CONTROL_CHARGE_FET] = 5,
                                  [CONTROL_DISCHARGE_FET] = 6,
                                  [CONTROL_CLEAR_PCB_BARCODE] = 7};
    g_autofree struct yd1363_frame *reply = g_new(struct yd1363_frame, 1);
    const uint8_t info[] = {ops[what], (uint8_t)argument};
    /* Bootloader and sleep end the conversation, so a lost answer must not cause a second one. A reset must
     * have been heard: after a lost answer nobody knows whether the board started anew. */
    bool repeatable = what != CONTROL_ENTER_BOOTLOADER && what != CONTROL_SLEEP;
    return transact(board,
                    &(struct exchange){"control", repeatable ? REPEATABLE : NEVER, info, sizeof info, 0},
                    reply, error);
}

static bool calibrate(struct board *board, enum board_calibration what, unsigned sensor, int64_t truth,
                      GError **error)
{
    g_autofree struct yd1363_frame *reply = g_new(struct yd1363_frame, 1);
    int64_t signed_ma = truth * board->profile->charge_sign;
    int64_t tenths = (truth + (truth < 0 ? -50 : 50)) / 100;
    uint8_t zero[] = {0x01}, reset[] = {0x0f};
    uint8_t gain[] = {0x02, (uint8_t)(signed_ma >> 24), (uint8_t)(signed_ma >> 16), (uint8_t)(signed_ma >> 8),
                      (uint8_t)signed_ma};
    uint8_t temperature[] = {0x03, (uint8_t)sensor, (uint8_t)(tenths >> 8), (uint8_t)tenths};
    /* The board works from its raw readings, so the same command twice corrects once. */
    struct exchange x = {.name = "calibrate", .repeat = REPEATABLE, .extra_us = TICK_MS(500)};
    switch (what) {
    case CALIBRATE_CURRENT_ZERO:
        x.info = zero, x.n = sizeof zero;
        break;
    case CALIBRATE_CURRENT_GAIN:
        x.info = gain, x.n = sizeof gain;
        break;
    case CALIBRATE_TEMPERATURE:
        x.info = temperature, x.n = sizeof temperature;
        break;
    case CALIBRATE_RESET:
        x.info = reset, x.n = sizeof reset;
        break;
    case CALIBRATE_CELL:
        return error_set(error, ERROR_REFUSED, "this dialect has no request that calibrates a cell");
    }
    return transact(board, &x, reply, error);
}

static bool antitheft_off(struct board *board, const struct secret *code, GError **error)
{
    uint8_t info[1 + CODE_BYTES] = {0x01};
    const char *text = secret_reveal(code);
    g_autofree struct yd1363_frame *reply = g_new(struct yd1363_frame, 1);
    if (strlen(text) != CODE_BYTES)
        return error_set(error, ERROR_AUTHOR, "the anti-theft code of this board has %d characters",
                         CODE_BYTES);
    memcpy(info + 1, text, CODE_BYTES);
    bool ok = transact(board, &(struct exchange){"antitheft", ONCE, info, sizeof info, 0}, reply, error);
    explicit_bzero(info, sizeof info);
    return ok;
}

struct flag {
    unsigned bit;
    const char *name;
};

static void name_flags(struct board_telemetry *t, uint16_t word, const struct flag *flags, uint32_t *mask,
                       unsigned shift)
{
    for (; flags->name; flags++) {
        if (!(word >> flags->bit & 1))
            continue;
        *mask |= 1u << ((flags->bit + shift) & 31);
        if (t->active[0])
            g_strlcat(t->active, ", ", sizeof t->active);
        g_strlcat(t->active, flags->name, sizeof t->active);
    }
}

static void decode_status(struct board_telemetry *t, const uint8_t *words)
{
    static const struct flag voltage_protect[] = {{0, "cell overvoltage"}, {1, "cell undervoltage"},
                                                  {2, "pack overvoltage"}, {3, "pack undervoltage"},
                                                  {14, "cell difference"}, {0, NULL}};
    static const struct flag voltage_alarm[] = {{4, "cell high"}, {5, "cell low"},        {6, "pack high"},
                                                {7, "pack low"},  {8, "difference high"}, {0, NULL}};
    static const struct flag current_protect[] = {{2, "charge overcurrent"},
                                                  {3, "short circuit"},
                                                  {4, "discharge overcurrent 1"},
                                                  {5, "discharge overcurrent 2"},
                                                  {0, NULL}};
    static const struct flag current_alarm[] = {
        {6, "charge current high"}, {7, "discharge current high"}, {0, NULL}};
    static const struct flag heat_protect[] = {
        {0, "charge overtemperature"},    {1, "charge undertemperature"},
        {2, "discharge overtemperature"}, {3, "discharge undertemperature"},
        {4, "ambient overtemperature"},   {5, "ambient undertemperature"},
        {6, "MOSFET overtemperature"},    {0, NULL}};
    static const struct flag heat_alarm[] = {
        {8, "charge hot"},   {9, "charge cold"},   {10, "discharge hot"}, {11, "discharge cold"},
        {12, "ambient hot"}, {13, "ambient cold"}, {14, "MOSFET hot"},    {0, NULL}};
    uint16_t voltage = u16(words), current = u16(words + 2), heat = u16(words + 4), fets = u16(words + 8);
    name_flags(t, voltage, voltage_protect, &t->protections, 0);
    name_flags(t, current, current_protect, &t->protections, 14);
    name_flags(t, heat, heat_protect, &t->protections, 22);
    name_flags(t, voltage, voltage_alarm, &t->alarms, 0);
    name_flags(t, current, current_alarm, &t->alarms, 8);
    name_flags(t, heat, heat_alarm, &t->alarms, 8);
    t->discharge_fet = fets & 1;
    t->charge_fet = fets >> 1 & 1;
}

static int64_t temperature_of(const uint8_t *p)
{
    return i16(p) == -400 ? TELEMETRY_ABSENT : (int64_t)i16(p) * 100;
}

static bool telemetry(struct board *board, struct board_telemetry *t, GError **error)
{
    enum { STATUS_WORDS = 11 };
    g_autofree struct yd1363_frame *reply = g_new(struct yd1363_frame, 1);
    const uint8_t info[] = {(uint8_t)board->address};
    memset(t, 0, sizeof *t);
    if (!transact(board, &(struct exchange){"telemetry", REPEATABLE, info, sizeof info, 0}, reply, error))
        return false;
    const uint8_t *p = reply->info;
    size_t n = reply->n, at = 6;
    if (n < 6 || p[5] > BOARD_CELLS_MAX || n < at + 2u * p[5] + 7)
        return short_reply("telemetry", n, at + 7, error);
    t->soc_ppc = (int64_t)u16(p + 1) * 10;
    t->pack_mv = (int64_t)u16(p + 3) * 10;
    t->cells = p[5];
    for (unsigned i = 0; i < t->cells; i++, at += 2)
        t->cell_mv[i] = u16(p + at);
    t->ambient_mdeg = temperature_of(p + at);
    t->mos_mdeg = temperature_of(p + at + 4);
    t->sensors = p[at + 6];
    at += 7;
    if (t->sensors > BOARD_SENSORS_MAX || n < at + 2u * t->sensors + 13 + 2 * STATUS_WORDS)
        return short_reply("telemetry", n, at + 2u * t->sensors + 13 + 2 * STATUS_WORDS, error);
    for (unsigned i = 0; i < t->sensors; i++, at += 2)
        t->sensor_mdeg[i] = temperature_of(p + at);
    t->current_ma = (int64_t)i16(p + at) * 10 * board->profile->charge_sign;
    t->soh_ppc = (int64_t)u16(p + at + 4) * 1000;
    t->full_mah = (int64_t)u16(p + at + 7) * 10;
    t->remaining_mah = (int64_t)u16(p + at + 9) * 10;
    t->cycles = u16(p + at + 11);
    at += 13;
    decode_status(t, p + at);
    /* Machine and IO status follow the words of the upper cells; older builds end before them. */
    if (n >= at + 33) {
        t->charging = p[at + 30] >> 4 & 1;
        t->discharging = p[at + 30] >> 3 & 1;
        t->antitheft_locked = p[at + 32] >> 5 & 1;
    }
    return true;
}

static bool history(struct board *board, uint8_t op, bool repeatable, struct yd1363_frame *reply,
                    GError **error)
{
    return transact(board, &(struct exchange){"history", repeatable ? REPEATABLE : NEVER, &op, 1, 0}, reply,
                    error);
}

static bool history_open(struct board *board, unsigned *count, GError **error)
{
    g_autofree struct yd1363_frame *reply = g_new(struct yd1363_frame, 1);
    if (!history(board, 0x01, true, reply, error))
        return false;
    if (reply->n != 2)
        return short_reply("history", reply->n, 2, error);
    *count = u16(reply->info);
    return true;
}

static void decode_record(const uint8_t *p, struct board_record *record)
{
    static const struct {
        uint16_t code;
        const char *what;
    } codes[] = {{1, "timing"}, {2, "start"}, {3, "exit"}, {0x10, "protection"}};
    g_autoptr(GDateTime) utc = g_date_time_new_utc(2000 + p[4], p[5], p[6], p[7], p[8], p[9]);
    uint16_t code = u16(p + 10);
    record->id = (uint32_t)u16(p) << 16 | u16(p + 2);
    record->wall_us = utc ? g_date_time_to_unix(utc) * 1000000 : 0;
    g_snprintf(record->what, sizeof record->what, "code %u", code);
    for (gsize i = 0; i < G_N_ELEMENTS(codes); i++)
        if (codes[i].code == code)
            g_strlcpy(record->what, codes[i].what, sizeof record->what);
    record->cells = p[12];
    record->pack_mv = (int64_t)u16(p + 13) * 10;
    record->current_ma = (int64_t)i16(p + 15) * 10;
    record->soc_ppc = (int64_t)p[17] * 1000;
    record->cell_max_mv = u16(p + 18);
    record->cell_min_mv = u16(p + 20);
    record->temperature_max_mdeg = (int64_t)i16(p + 22) * 100;
}

/* Not repeatable: a lost answer would skip a record, so a loss ends the reading as an error. */
static bool history_next(struct board *board, struct board_record *record, bool *end, GError **error)
{
    g_autofree struct yd1363_frame *reply = g_new(struct yd1363_frame, 1);
    if (!wire_pause_ms(board->wire, HISTORY_GAP_MS, error) || !history(board, 0x02, false, reply, error))
        return false;
    *end = reply->n == 1 && reply->info[0] == 0x00;
    if (*end)
        return true;
    if (reply->n != 1 + RECORD_BYTES || reply->info[0] != 0x01)
        return short_reply("history", reply->n, 1 + RECORD_BYTES, error);
    decode_record(reply->info + 1, record);
    return true;
}

static bool history_close(struct board *board, GError **error)
{
    g_autofree struct yd1363_frame *reply = g_new(struct yd1363_frame, 1);
    return history(board, 0x03, true, reply, error);
}

static bool history_erase(struct board *board, GError **error)
{
    g_autofree struct yd1363_frame *reply = g_new(struct yd1363_frame, 1);
    return history(board, 0x04, true, reply, error);
}

/* Secret are the INFO characters of login (D0H), anti-theft (D7H) and change password (DAH). The mask sees
 * chunks as they are sent, and a request is sent as one chunk. */
static void mask(void *context, bool sent, const uint8_t *bytes, size_t n, bool *secret)
{
    static const char *const codes[] = {"D0", "D7", "DA"};
    (void)context;
    if (!sent || n < 18 || bytes[0] != '~')
        return;
    for (gsize i = 0; i < G_N_ELEMENTS(codes); i++)
        if (memcmp(bytes + 7, codes[i], 2) == 0)
            for (size_t k = 13; k < n; k++)
                secret[k] = true;
}

const struct dialect_kind dialect_yd1363 = {
    .name = "yd1363",
    .commands = commands,
    .read_block = read_block,
    .write_block = write_block,
    .identify = identify,
    .login = login,
    .clock_read = clock_read,
    .clock_write = clock_write,
    .control = control,
    .calibrate = calibrate,
    .antitheft_off = antitheft_off,
    .telemetry = telemetry,
    .history_open = history_open,
    .history_next = history_next,
    .history_close = history_close,
    .history_erase = history_erase,
    .mask = mask,
};
