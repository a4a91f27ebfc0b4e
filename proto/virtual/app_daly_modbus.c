/* The application of a daly board of the series with a register map, written from docs/families/daly.md
 * alone. */
#include "proto/virtual/app_daly.h"

#include <string.h>

extern const struct vb_family vb_family_daly_modbus;

#define UNIT       0xd2
#define REPLY_MS   10
#define RESTART_MS 100
#define SILENCE_US 50000
#define ZERO_MA    2000 /* more than this is no zero */

enum exception { FINE = 0, BAD_FUNCTION = 1, BAD_ADDRESS = 2, BAD_VALUE = 3, NOT_POSSIBLE = 4 };

static unsigned heat(struct vboard *board, unsigned sensor)
{
    return (unsigned)CLAMP(vb_temperature_mdeg(board, sensor) / 1000 + HEAT_RAW, 0, 255);
}

static unsigned failures(struct vboard *board, unsigned number)
{
    uint8_t bytes[8] = {0};
    daly_failures(board, bytes);
    return (unsigned)bytes[2 * number + 1] << 8 | bytes[2 * number];
}

static unsigned measured(struct vboard *board, unsigned number)
{
    int64_t high = 0, low = INT64_MAX;
    unsigned direction;
    const unsigned current = daly_current(board, 1, &direction);
    for (unsigned i = 0; i < CELLS; i++) {
        high = MAX(high, daly_cell_mv(board, i));
        low = MIN(low, daly_cell_mv(board, i));
    }
    const unsigned soc = daly_get16(daly_setting(board, S_SOC));
    const unsigned rated = daly_get16(daly_setting(board, S_RATED));
    const unsigned values[] = {(unsigned)daly_pack_mv(board) / 100,
                               current,
                               soc,
                               (unsigned)high,
                               (unsigned)low,
                               MAX(heat(board, 0), heat(board, 1)),
                               MIN(heat(board, 0), heat(board, 1)),
                               direction,
                               rated * soc / 1000,
                               CELLS,
                               SENSORS,
                               3,
                               0,
                               daly_get16(daly_setting(board, S_CHARGE)),
                               daly_get16(daly_setting(board, S_DISCHARGE)),
                               (unsigned)daly_pack_mv(board) / CELLS,
                               (unsigned)(high - low),
                               0,
                               failures(board, 0),
                               failures(board, 1),
                               failures(board, 2),
                               failures(board, 3) & 0xff};
    G_STATIC_ASSERT(G_N_ELEMENTS(values) == 0x3e - 0x28);
    if (number < 0x20)
        return number < CELLS ? (unsigned)daly_cell_mv(board, number) : 0;
    if (number < 0x28)
        return number - 0x20 < SENSORS ? heat(board, number - 0x20) : 0;
    return number < 0x3e ? values[number - 0x28] : number == 0x42 ? heat(board, 4) : 0;
}

static unsigned text(const char *shown, unsigned word)
{
    uint8_t bytes[16] = {0};
    memcpy(bytes, shown, MIN(strlen(shown), sizeof bytes));
    return daly_get16(bytes + 2 * word);
}

/* Registers that are memory; NULL for a number that is none. */
static uint8_t *stored(struct vboard *board, unsigned number)
{
    static const unsigned blocks[] = {B_SETTINGS, B_CODE, B_PASSWORD, B_DATE};
    for (unsigned i = 0; i < G_N_ELEMENTS(blocks); i++) {
        struct vb_block *block = vb_block(&board->live, blocks[i]);
        if (number >= blocks[i] && number < blocks[i] + block->size / 2)
            return block->bytes + 2 * (number - blocks[i]);
    }
    return NULL;
}

static bool read_one(struct vboard *board, unsigned number, unsigned *value)
{
    const uint8_t *word = stored(board, number);
    if (number <= 0x69)
        *value = measured(board, number);
    else if (word)
        *value = daly_get16(word);
    else if (number >= 0xa9 && number <= 0xb0)
        *value = text("60_241128_01T2", number - 0xa9);
    else if (number >= 0xb1 && number <= 0xb8)
        *value = text(vb_defect(board, "wrong-product") ? "JHB-R08TS-V1.0" : "JHB-R24TS-V1.2", number - 0xb1);
    else
        return false;
    return true;
}

static void set_zero(struct vboard *board, int64_t ma)
{
    uint8_t *zero = vb_block(&board->live, B_ZERO)->bytes;
    daly_put16(zero, ma >> 16);
    daly_put16(zero + 2, ma);
}

static enum exception command(struct vboard *board, unsigned number, int64_t now_us)
{
    const int64_t raw = vb_current_raw_ma(board, false);
    switch (number) {
    case 0xf0:
        vb_change_mode(board, VB_STARTING, now_us + vb_ms(board, RESTART_MS));
        return FINE;
    case 0xf1:
        vb_change_mode(board, VB_ASLEEP, now_us + vb_ms(board, RESTART_MS));
        return FINE;
    case 0xf2:
        if (raw > ZERO_MA || raw < -ZERO_MA)
            return NOT_POSSIBLE;
        if (!vb_defect(board, "no-zero"))
            set_zero(board, raw);
        daly_commit(board, now_us);
        return FINE;
    default:
        daly_factory(board);
        memcpy(board->live.blocks, board->nvm.blocks, sizeof board->live.blocks);
        daly_commit(board, now_us);
        vb_change_mode(board, VB_STARTING, now_us + vb_ms(board, RESTART_MS));
        return FINE;
    }
}

static bool writable(unsigned number)
{
    return (number >= 0x80 && number <= 0xa8) || (number >= 0xc9 && number <= 0xcb);
}

static bool allowed(struct vboard *board)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < 3; i++)
        sum += daly_get16(daly_setting(board, S_CELLS + i));
    return sum >= 3 && sum <= 32 && daly_get16(daly_setting(board, S_BOARDS)) <= 3 &&
           daly_get16(daly_setting(board, S_CHEMISTRY)) <= 2 &&
           daly_get16(daly_setting(board, S_SOC)) <= 1000 && daly_get16(daly_setting(board, S_CHARGE)) <= 1 &&
           daly_get16(daly_setting(board, S_DISCHARGE)) <= 1;
}

static enum exception write_many(struct vboard *board, unsigned first, unsigned count, const uint8_t *data,
                                 int64_t now_us)
{
    if (first >= 0xf0 && first <= 0xf3)
        return count == 1 ? command(board, first, now_us) : BAD_ADDRESS;
    for (unsigned i = 0; i < count; i++)
        if (!writable(first + i))
            return BAD_ADDRESS;
    g_autofree struct vb_block *before = g_memdup2(board->live.blocks, sizeof board->live.blocks);
    const bool ignored = first < 0xa5 && vb_defect(board, "ack-param-no-write");
    for (unsigned i = 0; i < count && !ignored; i++)
        memcpy(stored(board, first + i), data + 2 * i, 2);
    if (vb_defect(board, "clamp-parameter"))
        daly_put16(daly_setting(board, S_CELL_HIGH + 1),
                   MIN(3600, daly_get16(daly_setting(board, S_CELL_HIGH + 1))));
    if (!allowed(board) || vb_defect(board, "busy")) {
        memcpy(board->live.blocks, before, sizeof board->live.blocks);
        return BAD_VALUE;
    }
    daly_commit(board, now_us);
    return FINE;
}

static unsigned crc_of(const uint8_t *bytes, unsigned n)
{
    unsigned crc = 0xffff;
    while (n--) {
        crc ^= *bytes++;
        for (int i = 0; i < 8; i++)
            crc = crc & 1 ? crc >> 1 ^ 0xa001 : crc >> 1;
    }
    return crc;
}

static enum exception serve(struct vboard *board, const uint8_t *frame, uint8_t *reply, unsigned *n,
                            int64_t now_us)
{
    const unsigned first = daly_get16(frame + 2), count = frame[1] == 0x06 ? 1 : daly_get16(frame + 4);
    if (frame[1] != 0x03) {
        memcpy(reply + 2, frame + 2, 4);
        *n = 6;
        if (frame[1] == 0x10 && (count < 1 || count > 123 || frame[6] != 2 * count))
            return BAD_VALUE;
        return write_many(board, first, count, frame + (frame[1] == 0x06 ? 4 : 7), now_us);
    }
    if (count < 1 || count > 125)
        return BAD_VALUE;
    reply[2] = (uint8_t)(2 * count);
    *n = 3 + 2 * count;
    for (unsigned i = 0; i < count; i++) {
        unsigned value;
        if (!read_one(board, first + i, &value))
            return BAD_ADDRESS;
        daly_put16(reply + 3 + 2 * i, value);
    }
    return FINE;
}

/* Bytes of the request that begins here; 0 = not known yet. */
static unsigned length_of(const uint8_t *frame, unsigned n)
{
    if (n < 2)
        return 0;
    if (frame[1] == 0x10)
        return n < 7 ? 0 : 9u + frame[6];
    return 8;
}

static void reply_to(struct vboard *board, const uint8_t *frame, unsigned n, int64_t now_us)
{
    uint8_t reply[260] = {frame[0], frame[1]};
    unsigned length = 0;
    if (frame[0] != UNIT || crc_of(frame, n) != 0)
        return;
    const bool known = frame[1] == 0x03 || frame[1] == 0x06 || frame[1] == 0x10;
    const enum exception result = known ? serve(board, frame, reply, &length, now_us) : BAD_FUNCTION;
    if (result != FINE) {
        reply[1] |= 0x80;
        reply[2] = (uint8_t)result;
        length = 3;
    }
    const unsigned crc = crc_of(reply, length);
    reply[length] = (uint8_t)crc;
    reply[length + 1] = (uint8_t)(crc >> 8);
    vb_send(board, reply, length + 2, now_us + vb_ms(board, REPLY_MS));
}

static void app_byte(struct vboard *board, uint8_t byte, int64_t now_us)
{
    struct vb_app *app = board->app;
    if (now_us - app->heard_us > SILENCE_US)
        app->n = 0;
    app->heard_us = now_us;
    if (app->n < sizeof app->frame)
        app->frame[app->n++] = byte;
    if (app->n == 0 || length_of(app->frame, app->n) != app->n)
        return;
    reply_to(board, app->frame, app->n, now_us);
    app->n = 0;
}

const struct vb_family vb_family_daly_modbus = {.name = "daly-modbus",
                                                .factory = daly_factory,
                                                .app_new = daly_app_new,
                                                .app_free = daly_app_free,
                                                .app_start = daly_app_start,
                                                .app_byte = app_byte,
                                                .correction = daly_correction,
                                                .cells = CELLS,
                                                .parameters = B_SETTINGS};
