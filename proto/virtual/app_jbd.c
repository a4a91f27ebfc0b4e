/* The application of a JBD board, written from docs/families/jbd.md alone. */
#include "proto/virtual/parts.h"

#include <string.h>

#define DATA_MAX   255
#define FRAME_MAX  (4 + DATA_MAX + 3)
#define REPLY_MS   8
#define COMMIT_MS  20
#define GAP_US     100000 /* a frame with such a pause in it is none */
#define CELLS      4
#define NTCS       8
#define CELL_TRIMS 32
#define GAIN_ONE   32768
#define CELL_ERROR 12 /* mV, of an uncalibrated input */
#define TRIM_MAX   100
#define REST_MA    2000
#define VERSION    0x21
#define TEXT_MAX   31
#define MODEL      "JBD-SP04S020-L4S-120A-B-U"

enum { OK = 0x00, NO = 0x80 };

/* Blocks of the non-volatile memory are numbered by their first register. */
enum {
    PARAMETERS = 0x10,
    CURVE = 0x42,
    MANUFACTURER = 0xa0,
    NAME,
    BARCODE,
    ERRORS = 0xaa,
    TRIMS = 0xad,
    LEFT = 0xe0
};
enum { ZERO = 0, CHARGE_GAIN = 2, DISCHARGE_GAIN = 4, NTC_TRIM = 6, CELL_TRIM = NTC_TRIM + 2 * NTCS };
enum { TRIMS_SIZE = CELL_TRIM + 2 * CELL_TRIMS };

extern const struct vb_family vb_family_jbd;

struct vb_app {
    uint8_t text[FRAME_MAX];
    unsigned n;
    int64_t heard_us;
    bool service, unlocked, charge_off, discharge_off;
    uint8_t reply[DATA_MAX];
    unsigned reply_n;
};

static void put16(uint8_t *p, int64_t value)
{
    p[0] = (uint8_t)((uint64_t)value >> 8);
    p[1] = (uint8_t)value;
}

static int u16(const uint8_t *p)
{
    return p[0] << 8 | p[1];
}

static int i16(const uint8_t *p)
{
    return (int16_t)u16(p);
}

static uint8_t *live(const struct vboard *board, unsigned block)
{
    return vb_block((struct vb_nvm *)&board->live, block)->bytes;
}

static int parameter(const struct vboard *board, unsigned reg)
{
    return u16(live(board, PARAMETERS) + 2 * (reg - PARAMETERS));
}

static struct vb_app *app_new(void)
{
    return g_new0(struct vb_app, 1);
}

static void app_free(struct vb_app *app)
{
    g_free(app);
}

static void app_start(struct vboard *board, int64_t now_us)
{
    (void)now_us;
    memset(board->app, 0, sizeof *board->app);
}

/* Registers 10H to 3FH as the vendor's parameter file for this board prints them. */
static const uint16_t defaults[] = {10000,  8000,   3400,   3000,   2,      10328,  0,      0,     3381, 3281,
                                    2721,   2781,   3481,   3431,   2631,   2731,   1460,   1400,  1000, 1200,
                                    3650,   3500,   2500,   3000,   13000,  52536,  3400,   30,    1,    14,
                                    1,      4,      30,     10,     3350,   3300,   3150,   3100,  3900, 2300,
                                    0x9962, 0xb020, 0x0202, 0x0202, 0x0202, 0x0202, 0x0a20, 0x0a20};
static const uint16_t curve[] = {3380, 3320, 3250, 3120, 3050, 3450};

static void put_text(struct vb_nvm *nvm, unsigned block, const char *text)
{
    uint8_t *p = vb_block(nvm, block)->bytes;
    p[0] = (uint8_t)MIN(strlen(text), TEXT_MAX);
    memcpy(p + 1, text, p[0]);
}

static void factory(struct vboard *board)
{
    struct vb_nvm *nvm = &board->nvm;
    vb_block_add(nvm, 0, PARAMETERS, sizeof defaults);
    vb_block_add(nvm, 1, CURVE, sizeof curve);
    vb_block_add(nvm, 2, MANUFACTURER, 1 + TEXT_MAX);
    vb_block_add(nvm, 3, NAME, 1 + TEXT_MAX);
    vb_block_add(nvm, 4, BARCODE, 1 + TEXT_MAX);
    vb_block_add(nvm, 5, ERRORS, 22);
    vb_block_add(nvm, 6, TRIMS, TRIMS_SIZE);
    vb_block_add(nvm, 7, LEFT, 2);
    for (unsigned i = 0; i < G_N_ELEMENTS(defaults); i++)
        put16(nvm->blocks[0].bytes + 2 * i, defaults[i]);
    for (unsigned i = 0; i < G_N_ELEMENTS(curve); i++)
        put16(nvm->blocks[1].bytes + 2 * i, curve[i]);
    put_text(nvm, MANUFACTURER, "DGJBD");
    put_text(nvm, NAME, MODEL);
    put16(nvm->blocks[5].bytes + 2, 3); /* what the maker's own test left */
    put16(nvm->blocks[6].bytes + CHARGE_GAIN, GAIN_ONE);
    put16(nvm->blocks[6].bytes + DISCHARGE_GAIN, GAIN_ONE);
    put16(nvm->blocks[7].bytes, 5000);
    if (vb_defect(board, "foreign-sn"))
        put_text(nvm, BARCODE, "OTHER-SN-1");
    if (vb_defect(board, "same-sn")) {
        g_autofree char *sn = g_strdup_printf("JBD%08u", (unsigned)vb_defect_number(board, "same-sn", 1));
        put_text(nvm, BARCODE, sn);
    }
}

static void correction(const struct vboard *board, struct vb_correction *correction)
{
    const uint8_t *p = live(board, TRIMS);
    correction->zero_ma = i16(p + ZERO) * 10;
    correction->gain_num = u16(p + (vb_true_ma(board) < 0 ? DISCHARGE_GAIN : CHARGE_GAIN));
    correction->gain_den = GAIN_ONE;
    for (unsigned i = 0; i < VB_SENSORS; i++)
        correction->heat_mdeg[i] = i16(p + NTC_TRIM + 2 * i) * 100;
}

static int64_t cell_raw_mv(const struct vboard *board, unsigned cell)
{
    uint64_t state = board->nvm.unit_seed * 77003u + cell;
    return vb_cell_mv(board, cell) + (int64_t)(vb_random(&state) % (2 * CELL_ERROR + 1)) - CELL_ERROR;
}

static int64_t cell_mv(const struct vboard *board, unsigned cell)
{
    return cell_raw_mv(board, cell) + i16(live(board, TRIMS) + CELL_TRIM + 2 * cell);
}

static unsigned cells_of(const struct vboard *board)
{
    return (unsigned)CLAMP(parameter(board, 0x2f), 1, CELLS);
}

static unsigned sensors_of(const struct vboard *board)
{
    unsigned n = 0;
    for (unsigned mask = (unsigned)parameter(board, 0x2e) & 0xff; mask; mask >>= 1)
        n += mask & 1;
    return MIN(n, VB_SENSORS);
}

static int64_t heat_tenths(struct vboard *board, unsigned sensor)
{
    return vb_temperature_mdeg(board, sensor) / 100 + 2731;
}

static unsigned protections_of(struct vboard *board)
{
    int64_t low = INT64_MAX, high = 0, sum = 0, current = vb_current_ma(board, false) / 10;
    unsigned bits = board->app->charge_off || board->app->discharge_off ? 1u << 12 : 0;
    for (unsigned i = 0; i < cells_of(board); i++) {
        low = MIN(low, cell_mv(board, i));
        high = MAX(high, cell_mv(board, i));
        sum += cell_mv(board, i);
    }
    bits |= high > parameter(board, 0x24) ? 1u << 0 : 0;
    bits |= low < parameter(board, 0x26) ? 1u << 1 : 0;
    bits |= sum / 10 > parameter(board, 0x20) ? 1u << 2 : 0;
    bits |= sum / 10 < parameter(board, 0x22) ? 1u << 3 : 0;
    for (unsigned i = 0; i < sensors_of(board); i++) {
        int64_t heat = heat_tenths(board, i);
        bits |= current > 0 && heat > parameter(board, 0x18) ? 1u << 4 : 0;
        bits |= current > 0 && heat < parameter(board, 0x1a) ? 1u << 5 : 0;
        bits |= heat > parameter(board, 0x1c) ? 1u << 6 : 0;
        bits |= heat < parameter(board, 0x1e) ? 1u << 7 : 0;
    }
    bits |= current > (int16_t)parameter(board, 0x28) ? 1u << 8 : 0;
    bits |= current < (int16_t)parameter(board, 0x29) ? 1u << 9 : 0;
    return bits;
}

/* What a protection forbids, and what a command did. */
static unsigned mosfets_of(const struct vboard *board, unsigned protections)
{
    const unsigned no_charge = 1u << 0 | 1u << 2 | 1u << 4 | 1u << 5 | 1u << 8;
    const unsigned no_discharge = 1u << 1 | 1u << 3 | 1u << 6 | 1u << 7 | 1u << 9;
    return (board->app->charge_off || protections & no_charge ? 0 : 1u) |
           (board->app->discharge_off || protections & no_discharge ? 0 : 2u);
}

static void out8(struct vboard *board, int64_t value)
{
    board->app->reply[board->app->reply_n++] = (uint8_t)value;
}

static void out16(struct vboard *board, int64_t value)
{
    put16(board->app->reply + board->app->reply_n, value);
    board->app->reply_n += 2;
}

static uint8_t basic_status(struct vboard *board)
{
    int64_t sum = 0, full = MAX(parameter(board, 0x10), 1), left = u16(live(board, LEFT));
    unsigned cells = cells_of(board), sensors = sensors_of(board), protections = protections_of(board);
    for (unsigned i = 0; i < cells; i++)
        sum += cell_mv(board, i);
    out16(board, sum / 10);
    out16(board, vb_current_ma(board, true) / 10);
    out16(board, left);
    out16(board, full);
    out16(board, parameter(board, 0x17));
    out16(board, parameter(board, 0x15));
    out16(board, 0);
    out16(board, 0);
    out16(board, protections);
    out8(board, VERSION);
    out8(board, MIN(left * 100 / full, 100));
    out8(board, mosfets_of(board, protections));
    out8(board, cells);
    out8(board, sensors);
    for (unsigned i = 0; i < sensors; i++)
        out16(board, heat_tenths(board, i));
    return OK;
}

static uint8_t out_bytes(struct vboard *board, const void *bytes, unsigned n)
{
    memcpy(board->app->reply, bytes, n);
    board->app->reply_n = n;
    return OK;
}

static uint8_t version(struct vboard *board)
{
    const char *model = vb_defect(board, "wrong-product")    ? "JBD-SP15S020-L15S-60A-B-U"
                        : vb_defect(board, "wrong-hardware") ? "JBD-SP04S020-L4S-60A-B-U"
                                                             : MODEL;
    return out_bytes(board, model, (unsigned)strlen(model));
}

/* The stored registers, whatever block they lie in; NULL for one that is not there. */
static uint8_t *stored(struct vboard *board, unsigned reg)
{
    static const struct {
        unsigned first, count;
    } runs[] = {{PARAMETERS, G_N_ELEMENTS(defaults)}, {CURVE, G_N_ELEMENTS(curve)}};
    for (unsigned i = 0; i < G_N_ELEMENTS(runs); i++)
        if (reg >= runs[i].first && reg < runs[i].first + runs[i].count)
            return live(board, runs[i].first) + 2 * (reg - runs[i].first);
    return NULL;
}

static uint8_t read_register(struct vboard *board, unsigned reg)
{
    if (reg == 0x03)
        return basic_status(board);
    if (reg == 0x04) {
        for (unsigned i = 0; i < cells_of(board); i++)
            out16(board, cell_mv(board, i));
        return OK;
    }
    if (reg == 0x05)
        return version(board);
    if (!board->app->service)
        return NO;
    if (reg >= MANUFACTURER && reg <= BARCODE)
        return out_bytes(board, live(board, reg), 1 + live(board, reg)[0]);
    if (reg == ERRORS)
        return out_bytes(board, live(board, ERRORS), 22);
    const uint8_t *p = stored(board, reg);
    return p ? out_bytes(board, p, 2) : NO;
}

static void commit(struct vboard *board, int64_t now_us)
{
    memcpy(board->nvm.blocks, board->live.blocks, sizeof board->nvm.blocks);
    board->commit_us = INT64_MAX;
    vb_dirty(board, now_us);
}

static uint8_t leave_service(struct vboard *board, int how, int64_t now_us)
{
    if (how != 0 && how != 0x2828)
        return NO;
    if (board->commit_us != INT64_MAX)
        commit(board, now_us);
    if (board->app->service && how == 0x2828) {
        memset(live(board, ERRORS), 0, 22);
        board->commit_us = now_us + vb_ms(board, COMMIT_MS);
    } else {
        memcpy(board->live.blocks, board->nvm.blocks, sizeof board->live.blocks);
    }
    board->app->service = false;
    return OK;
}

static uint8_t enter_service(struct vboard *board, int key)
{
    if (key != 0x5678 || (vb_defect(board, "wrong-password") && !board->app->unlocked))
        return NO;
    board->app->service = true;
    return OK;
}

static uint8_t use_password(struct vboard *board, const uint8_t *data, unsigned n)
{
    if (n != 7 || data[0] != 6)
        return NO;
    board->app->unlocked = !vb_defect(board, "wrong-password") || memcmp(data + 1, "135790", 6) == 0;
    return board->app->unlocked ? OK : NO;
}

static bool acceptable(unsigned reg, int value)
{
    return reg == 0x2f ? value >= 3 && value <= CELLS : reg == 0x29 ? (int16_t)value < 0 : true;
}

static uint8_t write_stored(struct vboard *board, unsigned reg, const uint8_t *data, unsigned n)
{
    uint8_t *p = stored(board, reg);
    if (!p || n != 2 || !acceptable(reg, u16(data)) || vb_defect(board, "busy"))
        return NO;
    if (vb_defect(board, "ack-param-no-write"))
        return OK;
    memcpy(p, data, 2);
    if (reg == 0x24 && vb_defect(board, "clamp-parameter"))
        put16(p, MIN(u16(p), 3600));
    return OK;
}

static uint8_t write_text(struct vboard *board, unsigned reg, const uint8_t *data, unsigned n)
{
    if (n < 1 || data[0] != n - 1 || n - 1 > TEXT_MAX)
        return NO;
    memset(live(board, reg), 0, 1 + TEXT_MAX);
    memcpy(live(board, reg), data, n);
    return OK;
}

static uint8_t trim_gain(struct vboard *board, unsigned at, int truth, int sign)
{
    uint8_t *trims = live(board, TRIMS);
    int64_t net = sign * (vb_current_raw_ma(board, false) / 10 - i16(trims + ZERO));
    if (net < 50 || truth == 0)
        return NO;
    int64_t gain = ((int64_t)truth * GAIN_ONE + net / 2) / net;
    if (gain < GAIN_ONE * 8 / 10 || gain > GAIN_ONE * 12 / 10)
        return NO;
    put16(trims + at, gain);
    return OK;
}

static uint8_t trim(uint8_t *p, int64_t difference)
{
    if (difference < -TRIM_MAX || difference > TRIM_MAX)
        return NO;
    put16(p, difference);
    return OK;
}

static uint8_t calibrate(struct vboard *board, unsigned reg, int value)
{
    uint8_t *trims = live(board, TRIMS);
    int64_t raw = vb_current_raw_ma(board, false);
    if (reg == 0xad && (value != 0 || ABS(raw) > REST_MA))
        return NO;
    if (reg == 0xad) {
        if (!vb_defect(board, "no-zero"))
            put16(trims + ZERO, (raw + (raw < 0 ? -5 : 5)) / 10);
        return OK;
    }
    if (reg == 0xae || reg == 0xaf)
        return trim_gain(board, reg == 0xae ? CHARGE_GAIN : DISCHARGE_GAIN, value, reg == 0xae ? 1 : -1);
    if (reg >= 0xd0)
        return reg - 0xd0 < sensors_of(board)
                   ? trim(trims + NTC_TRIM + 2 * (reg - 0xd0),
                          value - 2731 - vb_temperature_raw_mdeg(board, reg - 0xd0) / 100)
                   : NO;
    return reg - 0xb0 < cells_of(board)
               ? trim(trims + CELL_TRIM + 2 * (reg - 0xb0), value - cell_raw_mv(board, reg - 0xb0))
               : NO;
}

static uint8_t write_word(struct vboard *board, unsigned reg, int value)
{
    struct vb_app *app = board->app;
    if ((reg >= 0xad && reg <= 0xcf) || (reg >= 0xd0 && reg < 0xd0 + NTCS))
        return calibrate(board, reg, value);
    if (reg == 0xe0 && value <= parameter(board, 0x10)) {
        put16(live(board, LEFT), value);
        return OK;
    }
    if (reg == 0xe1 && value <= 3) {
        app->charge_off = value & 1;
        app->discharge_off = value & 2;
        return OK;
    }
    return reg == 0xe2 && value >= 1 && value <= 3 ? OK : NO;
}

static uint8_t write_register(struct vboard *board, unsigned reg, const uint8_t *data, unsigned n,
                              int64_t now_us)
{
    if (reg == 0x00)
        return n == 2 ? enter_service(board, u16(data)) : NO;
    if (reg == 0x01)
        return n == 2 ? leave_service(board, u16(data), now_us) : NO;
    if (reg == 0x06)
        return use_password(board, data, n);
    if (!board->app->service)
        return NO;
    if (reg >= MANUFACTURER && reg <= BARCODE)
        return write_text(board, reg, data, n);
    if (stored(board, reg))
        return write_stored(board, reg, data, n);
    return n == 2 ? write_word(board, reg, u16(data)) : NO;
}

static unsigned sum_of(const uint8_t *bytes, unsigned n)
{
    unsigned sum = 0;
    while (n--)
        sum += *bytes++;
    return 0x10000 - sum;
}

static void answer(struct vboard *board, uint8_t reg, uint8_t status, int64_t now_us)
{
    uint8_t out[FRAME_MAX] = {0xdd, reg, status};
    unsigned n = status == OK ? board->app->reply_n : 0;
    out[3] = (uint8_t)n;
    memcpy(out + 4, board->app->reply, n);
    put16(out + 4 + n, sum_of(out + 2, 2 + n));
    out[6 + n] = 0x77;
    int64_t ready = board->commit_us == INT64_MAX ? now_us : MAX(now_us, board->commit_us);
    vb_send(board, out, 7 + n, ready + vb_ms(board, REPLY_MS));
}

/* A frame that is not whole or has a wrong checksum gets no answer. */
static void frame(struct vboard *board, int64_t now_us)
{
    const uint8_t *t = board->app->text;
    unsigned n = t[3], reg = t[2];
    board->app->reply_n = 0;
    if (t[6 + n] != 0x77 || u16(t + 4 + n) != (int)(sum_of(t + 2, 2 + n) & 0xffff))
        return;
    if (t[1] == 0xa5)
        answer(board, (uint8_t)reg, n == 0 ? read_register(board, reg) : NO, now_us);
    else if (t[1] == 0x5a)
        answer(board, (uint8_t)reg, write_register(board, reg, t + 4, n, now_us), now_us);
}

static void app_byte(struct vboard *board, uint8_t byte, int64_t now_us)
{
    struct vb_app *app = board->app;
    if (now_us - app->heard_us > GAP_US)
        app->n = 0;
    app->heard_us = now_us;
    if (app->n == 0 && byte != 0xdd)
        return;
    app->text[app->n++] = byte;
    if (app->n >= 4 && app->n == 7u + app->text[3]) {
        app->n = 0;
        frame(board, now_us);
    }
}

const struct vb_family vb_family_jbd = {.name = "jbd",
                                        .factory = factory,
                                        .app_new = app_new,
                                        .app_free = app_free,
                                        .app_start = app_start,
                                        .app_byte = app_byte,
                                        .correction = correction,
                                        .cells = CELLS,
                                        .parameters = PARAMETERS};
