/* The YD/T 1363 dialect: transactions, block reads and writes, and the named procedures, with the codes of
 * the profile. The layouts are those of docs/families/basen.md. */
#include "proto/board.h"
#include "proto/yd1363_link.h"
#include "proto/yd1363_readings.h"
#include "station/base/error.h"

#include <string.h>

extern const struct dialect_kind dialect_yd1363;

#define BLOCK_CHUNK    128 /* bytes of a block in one request: replies stay short enough for a 500 ms answer */
#define PASSWORD_BYTES 8
#define CODE_BYTES     6
#define HISTORY_GAP_MS 410 /* manual: 400 ms between records */

static const char *const commands[] = {
    "telemetry",  "analog",      "states",        "version",     "manufacturing",   "login",
    "read_block", "write_block", "clock_read",    "clock_write", "control",         "calibrate",
    "antitheft",  "history",     "alarm_history", "unique_id",   "change_password", NULL};

static uint16_t u16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static bool holds_secret(const struct board *board, const struct profile_block *block)
{
    for (guint i = 0; i < board->profile->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(board->profile->items, i);
        if (item->in == block && item->secret)
            return true;
    }
    return false;
}

static bool read_plain(struct board *board, const struct profile_block *block, unsigned offset,
                       uint8_t *bytes, unsigned n, GError **error)
{
    g_autofree struct yd1363_frame *reply = g_new(struct yd1363_frame, 1);
    for (unsigned done = 0; done < n; done += BLOCK_CHUNK) {
        unsigned part = MIN(n - done, BLOCK_CHUNK), at = offset + done;
        const uint8_t info[] = {(uint8_t)block->number, (uint8_t)(at >> 8), (uint8_t)at, (uint8_t)part};
        const struct yd1363_exchange x = {"read_block", YD1363_REPEATABLE, info, sizeof info,
                                          .secret = holds_secret(board, block)};
        if (!yd1363_transact(board, &x, reply, error))
            return false;
        if (reply->n != sizeof info + part || memcmp(reply->info, info, sizeof info) != 0)
            return yd1363_unfit(board, &x, reply, "it answers another question", error);
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
    const struct yd1363_exchange x = {"manufacturing", YD1363_REPEATABLE, info, sizeof info,
                                      .secret = holds_secret(board, block)};
    if (!yd1363_transact(board, &x, reply, error))
        return false;
    if (reply->n < HEAD + offset + n)
        return yd1363_wrong_size(board, &x, reply, HEAD + offset + n, error);
    if (reply->info[3] != info[2])
        return yd1363_unfit(board, &x, reply, "it answers for another module", error);
    memcpy(bytes, reply->info + HEAD + offset, n);
    return true;
}

/* A block with codes of its own is moved whole, with the address in front of it where the board wants it. */
static bool read_whole(struct board *board, const struct profile_block *block, uint8_t *bytes, GError **error)
{
    g_autofree struct yd1363_frame *reply = g_new(struct yd1363_frame, 1);
    const uint8_t info[] = {(uint8_t)board->address};
    size_t lead = block->leads_address, size = (size_t)block->size;
    size_t least = lead + (block->size_min ? (size_t)block->size_min : size);
    const struct yd1363_exchange x = {block->name,      YD1363_REPEATABLE,         info, lead, 0,
                                      block->read_code, holds_secret(board, block)};
    if (!yd1363_transact(board, &x, reply, error))
        return false;
    if (reply->n < least || reply->n > lead + size)
        return yd1363_wrong_size(board, &x, reply, least, error);
    if (lead && reply->info[0] != info[0])
        return yd1363_unfit(board, &x, reply, "it answers for another address", error);
    memset(bytes, 0xff, size);
    memcpy(bytes, reply->info + lead, reply->n - lead);
    return true;
}

/* What a board shows with another sign than it takes must not go back to it as it came. */
static void turn_signs(const struct profile *profile, const struct profile_block *block, uint8_t *bytes)
{
    for (guint i = 0; i < profile->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(profile->items, i);
        struct item_value value;
        if (item->in != block || !item->reads_negative)
            continue;
        profile_value_decode(item, bytes + item->offset, &value);
        profile_value_encode(&value, bytes + item->offset);
    }
}

static bool write_whole(struct board *board, const struct profile_block *block, unsigned offset,
                        const uint8_t *bytes, unsigned n, GError **error)
{
    g_autofree struct yd1363_frame *reply = g_new(struct yd1363_frame, 1);
    g_autofree uint8_t *info = g_malloc0(1 + (gsize)block->size);
    size_t lead = block->leads_address, size = (size_t)(block->write_size ? block->write_size : block->size);
    if (offset + n > size || (n < size && !block->read_code))
        return error_set(error, ERROR_RULE, "block '%s' is written in its first %zu bytes, and whole",
                         block->name, size);
    info[0] = (uint8_t)board->address;
    if (n < size && !read_whole(board, block, info + lead, error))
        return false;
    turn_signs(board->profile, block, info + lead);
    memcpy(info + lead + offset, bytes, n);
    return yd1363_transact(board,
                           &(struct yd1363_exchange){block->name, YD1363_REPEATABLE, info, lead + size, 0,
                                                     block->write_code, holds_secret(board, block)},
                           reply, error);
}

static bool read_readings(struct board *board, struct board_telemetry *t, GError **error)
{
    g_autofree struct yd1363_frame *reply = g_new(struct yd1363_frame, 1);
    const struct yd1363_pack pack = yd1363_pack_of(board);
    const uint8_t info[] = {(uint8_t)pack.pack};
    const struct yd1363_exchange x = {"analog", YD1363_REPEATABLE, info, sizeof info};
    if (!yd1363_transact(board, &x, reply, error))
        return false;
    const char *wrong = yd1363_pack_analog(&pack, reply->info, reply->n, t);
    return !wrong || yd1363_unfit(board, &x, reply, wrong, error);
}

/* What a board that says nothing else of itself is: its number of cells. */
static bool read_shape(struct board *board, const struct profile_block *block, unsigned offset,
                       uint8_t *bytes, unsigned n, GError **error)
{
    struct board_telemetry t = {0};
    if (offset + n > 1)
        return error_set(error, ERROR_RULE, "block '%s' of command 'analog' is one byte, the number of cells",
                         block->name);
    if (!read_readings(board, &t, error))
        return false;
    bytes[0] = (uint8_t)t.cells;
    return true;
}

static bool read_block(struct board *board, const struct profile_block *block, unsigned offset,
                       uint8_t *bytes, unsigned n, GError **error)
{
    if (block->read_command && strcmp(block->read_command, "manufacturing") == 0)
        return read_manufacturing(board, block, offset, bytes, n, error);
    if (block->read_command && strcmp(block->read_command, "analog") == 0)
        return read_shape(board, block, offset, bytes, n, error);
    if (!block->read_code && block->write_code)
        return error_set(error, ERROR_REFUSED, "block '%s' can only be written", block->name);
    if (!block->read_code)
        return read_plain(board, block, offset, bytes, n, error);
    g_autofree uint8_t *whole = g_malloc((gsize)block->size);
    if (!read_whole(board, block, whole, error))
        return false;
    memcpy(bytes, whole + offset, n);
    return true;
}

static bool write_plain(struct board *board, const struct profile_block *block, unsigned offset,
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
        const struct yd1363_exchange x = {"write_block", YD1363_REPEATABLE, info, 4 + part,
                                          .secret = holds_secret(board, block)};
        if (!yd1363_transact(board, &x, reply, error))
            return false;
    }
    return true;
}

static bool write_block(struct board *board, const struct profile_block *block, unsigned offset,
                        const uint8_t *bytes, unsigned n, GError **error)
{
    if (!block->read_code && !block->write_code)
        return write_plain(board, block, offset, bytes, n, error);
    return block->write_code ? write_whole(board, block, offset, bytes, n, error)
                             : error_set(error, ERROR_RULE, "block '%s' cannot be written", block->name);
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
    const struct yd1363_exchange x = {"version", YD1363_REPEATABLE, NULL, 0};
    if (!yd1363_transact(board, &x, reply, error))
        return false;
    if (reply->n < VERSION_BYTES)
        return yd1363_wrong_size(board, &x, reply, VERSION_BYTES, error);
    const uint8_t *p = reply->info;
    copy_text(identity->hardware, sizeof identity->hardware, p, 10);
    copy_text(identity->product, sizeof identity->product, p + 10, 10);
    copy_text(identity->project, sizeof identity->project, p + 20, 10);
    g_snprintf(identity->firmware, sizeof identity->firmware, "%u.%u.%u", p[30], p[31], p[32]);
    g_snprintf(identity->bootloader, sizeof identity->bootloader, "%u.%u", p[33], reply->n > 34 ? p[34] : 0);
    if (!profile_command_find(board->profile, "unique_id"))
        return true;
    const struct yd1363_exchange id = {"unique_id", YD1363_REPEATABLE, NULL, 0};
    if (!yd1363_transact(board, &id, reply, error))
        return false;
    if (reply->n != sizeof identity->unique_id)
        return yd1363_wrong_size(board, &id, reply, sizeof identity->unique_id, error);
    memcpy(identity->unique_id, reply->info, sizeof identity->unique_id);
    identity->has_unique_id = true;
    return true;
}

static bool take_password(uint8_t *field, const struct secret *password, GError **error)
{
    const char *text = secret_reveal(password);
    memcpy(field, text, MIN(strlen(text), PASSWORD_BYTES));
    return strlen(text) <= PASSWORD_BYTES ||
           error_set(error, ERROR_AUTHOR, "a password of this board has at most %d characters",
                     PASSWORD_BYTES);
}

/* INFO is wiped. */
static bool send_password(struct board *board, const char *name, uint8_t *info, size_t n, GError **error)
{
    g_autofree struct yd1363_frame *reply = g_new(struct yd1363_frame, 1);
    g_autoptr(GError) failure = NULL;
    bool ok = yd1363_transact(
        board,
        &(struct yd1363_exchange){.name = name, .repeat = YD1363_ONCE, .info = info, .n = n, .secret = true},
        reply, &failure);
    explicit_bzero(info, n);
    if (ok)
        return true;
    if (error_kind(failure) == ERROR_REFUSED)
        g_prefix_error(&failure, "wrong password, or the board refuses logins; it is not tried again: ");
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

static bool login(struct board *board, int level, const struct secret *password, GError **error)
{
    uint8_t info[1 + PASSWORD_BYTES] = {(uint8_t)level};
    return take_password(info + 1, password, error) &&
           send_password(board, "login", info, sizeof info, error);
}

/* Never twice: whether the first one was taken is what a login with the new password shows. */
static bool change_password(struct board *board, int level, const struct secret *old,
                            const struct secret *wanted, GError **error)
{
    uint8_t info[1 + 2 * PASSWORD_BYTES] = {(uint8_t)level};
    const char *was = secret_reveal(old), *is = secret_reveal(wanted);
    g_autofree struct yd1363_frame *reply = g_new(struct yd1363_frame, 1);
    if (is[0] == '\0' || strlen(is) > PASSWORD_BYTES || strlen(was) > PASSWORD_BYTES)
        return error_set(error, ERROR_AUTHOR, "a password of this board has 1 to %d characters",
                         PASSWORD_BYTES);
    memcpy(info + 1, was, strlen(was));
    memcpy(info + 1 + PASSWORD_BYTES, is, strlen(is));
    bool ok = yd1363_transact(board,
                              &(struct yd1363_exchange){.name = "change_password",
                                                        .repeat = YD1363_NEVER,
                                                        .info = info,
                                                        .n = sizeof info,
                                                        .secret = true},
                              reply, error);
    explicit_bzero(info, sizeof info);
    return ok;
}

static bool clock_read(struct board *board, int64_t *wall_us, GError **error)
{
    g_autofree struct yd1363_frame *reply = g_new(struct yd1363_frame, 1);
    const struct yd1363_exchange x = {"clock_read", YD1363_REPEATABLE, NULL, 0};
    if (!yd1363_transact(board, &x, reply, error))
        return false;
    if (reply->n != 6)
        return yd1363_wrong_size(board, &x, reply, 6, error);
    const uint8_t *p = reply->info;
    g_autoptr(GDateTime) utc = g_date_time_new_utc(2000 + p[0], p[1], p[2], p[3], p[4], p[5]);
    if (!utc)
        return yd1363_unfit(board, &x, reply, "it shows no time", error);
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
    return yd1363_transact(
        board, &(struct yd1363_exchange){"clock_write", YD1363_REPEATABLE, info, sizeof info}, reply, error);
}

static bool control(struct board *board, enum board_control what, int argument, GError **error)
{
    static const uint8_t ops[] = {[CONTROL_RESET] = 1,
                                  [CONTROL_ENTER_BOOTLOADER] = 2,
                                  [CONTROL_SLEEP] = 3,
                                  [CONTROL_FACTORY_DEFAULTS] = 4,
                                  [CONTROL_CHARGE_FET] = 5,
                                  [CONTROL_DISCHARGE_FET] = 6,
                                  [CONTROL_CLEAR_PCB_BARCODE] = 7,
                                  [CONTROL_CHARGE_LIMITER] = 8};
    g_autofree struct yd1363_frame *reply = g_new(struct yd1363_frame, 1);
    const uint8_t info[] = {ops[what], (uint8_t)argument};
    /* Bootloader and sleep end the conversation, so a lost answer must not cause a second one. A reset must
     * have been heard: after a lost answer nobody knows whether the board started anew. */
    bool repeatable = what != CONTROL_ENTER_BOOTLOADER && what != CONTROL_SLEEP;
    return yd1363_transact(board,
                           &(struct yd1363_exchange){"control", repeatable ? YD1363_REPEATABLE : YD1363_NEVER,
                                                     info, sizeof info},
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
    struct yd1363_exchange x = {.name = "calibrate", .repeat = YD1363_REPEATABLE, .extra_us = TICK_MS(500)};
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
    case CALIBRATE_VOLTAGE:
        return error_set(error, ERROR_REFUSED, "this dialect calibrates no voltage");
    case CALIBRATE_RESET:
        x.info = reset, x.n = sizeof reset;
        break;
    case CALIBRATE_CELL:
        return error_set(error, ERROR_REFUSED, "this dialect has no request that calibrates a cell");
    }
    return yd1363_transact(board, &x, reply, error);
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
    bool ok = yd1363_transact(
        board,
        &(struct yd1363_exchange){
            .name = "antitheft", .repeat = YD1363_ONCE, .info = info, .n = sizeof info, .secret = true},
        reply, error);
    explicit_bzero(info, sizeof info);
    return ok;
}

/* The layout with all packs' states behind their readings, one request. */
static bool read_group(struct board *board, struct board_telemetry *t, GError **error)
{
    g_autofree struct yd1363_frame *reply = g_new(struct yd1363_frame, 1);
    const uint8_t info[] = {(uint8_t)board->address};
    size_t wanted;
    const struct yd1363_exchange x = {"telemetry", YD1363_REPEATABLE, info, sizeof info};
    if (!yd1363_transact(board, &x, reply, error))
        return false;
    return yd1363_group(reply->info, reply->n, t, &wanted) ||
           yd1363_wrong_size(board, &x, reply, wanted, error);
}

/* The layout of one pack at a time: readings and states are two requests. */
static bool read_pack(struct board *board, struct board_telemetry *t, GError **error)
{
    g_autofree struct yd1363_frame *reply = g_new(struct yd1363_frame, 1);
    const struct yd1363_pack pack = yd1363_pack_of(board);
    const uint8_t info[] = {(uint8_t)pack.pack};
    const struct yd1363_exchange x = {"states", YD1363_REPEATABLE, info, sizeof info};
    if (!read_readings(board, t, error) || !yd1363_transact(board, &x, reply, error))
        return false;
    const char *wrong = yd1363_pack_states(&pack, reply->info, reply->n, t);
    return !wrong || yd1363_unfit(board, &x, reply, wrong, error);
}

static bool telemetry(struct board *board, struct board_telemetry *t, GError **error)
{
    memset(t, 0, sizeof *t);
    if (!(profile_command_find(board->profile, "analog") ? read_pack : read_group)(board, t, error))
        return false;
    t->current_ma *= board->profile->charge_sign;
    return true;
}

static const char *log_name(const struct board *board)
{
    return board->alarm_log ? "alarm_history" : "history";
}

static bool history(struct board *board, uint8_t op, bool repeatable, struct yd1363_frame *reply,
                    GError **error)
{
    return yd1363_transact(
        board,
        &(struct yd1363_exchange){log_name(board), repeatable ? YD1363_REPEATABLE : YD1363_NEVER, &op, 1},
        reply, error);
}

static bool history_open(struct board *board, unsigned *count, GError **error)
{
    g_autofree struct yd1363_frame *reply = g_new(struct yd1363_frame, 1);
    if (!history(board, 0x01, true, reply, error))
        return false;
    const struct yd1363_exchange x = {.name = log_name(board)};
    if (reply->n != 2)
        return yd1363_wrong_size(board, &x, reply, 2, error);
    *count = u16(reply->info);
    return true;
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
    const struct yd1363_exchange x = {.name = log_name(board)};
    if (reply->n != 1 + YD1363_RECORD || reply->info[0] != 0x01)
        return yd1363_wrong_size(board, &x, reply, 1 + YD1363_RECORD, error);
    yd1363_record(reply->info + 1, record);
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

/* Secret are the INFO characters of login, anti-theft and change of password. The mask sees chunks as they
 * are sent, and a request is sent as one chunk. */
static void mask(void *context, bool sent, const uint8_t *bytes, size_t n, bool *secret)
{
    static const char *const names[] = {"login", "antitheft", "change_password"};
    const struct board *board = context;
    if (!board || !sent || n < 18 || bytes[0] != '~')
        return;
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        const struct profile_command *command = profile_command_find(board->profile, names[i]);
        char code[3] = "";
        if (command)
            g_snprintf(code, sizeof code, "%02X", (unsigned)command->code & 0xff);
        if (command && memcmp(bytes + 7, code, 2) == 0)
            memset(secret + 13, true, (n - 13) * sizeof *secret);
    }
}

const struct dialect_kind dialect_yd1363 = {
    .name = "yd1363",
    .commands = commands,
    .read_block = read_block,
    .write_block = write_block,
    .identify = identify,
    .login = login,
    .change_password = change_password,
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
