/* The application of a daly board on its UART and on a CAN bus, written from docs/families/daly.md alone. */
#include "proto/virtual/app_daly.h"

#include <string.h>

extern const struct vb_family vb_family_daly, vb_family_daly_can;

#define REPLY_MS    10
#define COMMIT_MS   20
#define RESTART_MS  50
#define SILENCE_US  50000 /* a frame that stops in its middle is none */
#define HOST        0x40
#define FRAME       13
#define RECORD      16 /* struct can_frame */
#define EXTENDED    0x80000000u
#define RATED_MAH   100000
#define SOC         500 /* 0.1 % */
#define CYCLES      3
#define LOW_CELL_MV 130
#define FIRST_TIME  INT64_C(1609459200000000) /* 2021-01-01, as it shows it */

struct vb_app *daly_app_new(void)
{
    return g_new0(struct vb_app, 1);
}

void daly_app_free(struct vb_app *app)
{
    g_free(app);
}

void daly_app_start(struct vboard *board, int64_t now_us)
{
    memset(board->app, 0, sizeof *board->app);
    board->app->heard_us = now_us;
}

/* From 80H on: a board for 16 cells LFP; limits of currents and temperatures with their offsets. */
static const uint16_t settings[SETTINGS] = {1000,  3200, 1,    16,   0,   0,   2,   0,   0,     0,     3600,
                                            3600,  3750, 2800, 2500, 584, 600, 448, 400, 29000, 28900, 31000,
                                            31500, 90,   95,   40,   35,  100, 105, 25,  20,    300,   500,
                                            10,    15,   3300, 30,   1,   1,   SOC, 125};

void daly_factory(struct vboard *board)
{
    const uint64_t unit = vb_defect(board, "same-sn") ? (uint64_t)vb_defect_number(board, "same-sn", 1)
                                                      : board->nvm.unit_seed % 10000000000u;
    g_autofree char *code = g_strdup_printf("226JD%010" G_GUINT64_FORMAT, unit);
    const char *battery = vb_defect(board, "wrong-product") ? "R08S1A-8S100A" : "R16S1A-16S100A";
    const uint8_t date[] = {26, 11, 3, 0};
    vb_block_add(&board->nvm, 0, B_SETTINGS, 2 * SETTINGS);
    for (unsigned i = 0; i < SETTINGS; i++)
        daly_put16(board->nvm.blocks[0].bytes + 2 * i, settings[i]);
    vb_block_add(&board->nvm, 1, B_CODE, 32);
    memcpy(board->nvm.blocks[1].bytes, vb_defect(board, "foreign-sn") ? "OTHER-SN-000001" : code, 15);
    vb_block_add(&board->nvm, 2, B_PASSWORD, 6);
    memcpy(board->nvm.blocks[2].bytes, "123456", 6);
    vb_block_add(&board->nvm, 3, B_DATE, sizeof date);
    memcpy(board->nvm.blocks[3].bytes, date, sizeof date);
    vb_block_add(&board->nvm, 4, B_BATTERY_CODE, BATTERY_CODE);
    memcpy(board->nvm.blocks[4].bytes, battery, strlen(battery));
    vb_block_add(&board->nvm, 5, B_ZERO, 4);
    board->nvm.rtc_us = FIRST_TIME;
}

/* Its maker calibrated the gain; the zero is that of the memory. */
void daly_correction(const struct vboard *board, struct vb_correction *correction)
{
    const uint8_t *zero = vb_block((struct vb_nvm *)&board->live, B_ZERO)->bytes;
    vb_true_correction(board, correction);
    correction->zero_ma =
        (int32_t)((uint32_t)zero[0] << 24 | (uint32_t)zero[1] << 16 | (uint32_t)zero[2] << 8 | zero[3]);
}

void daly_commit(struct vboard *board, int64_t now_us)
{
    board->commit_us = now_us + vb_ms(board, COMMIT_MS);
}

int64_t daly_cell_mv(const struct vboard *board, unsigned cell)
{
    return vb_cell_mv(board, cell) - (cell == 3 && vb_defect(board, "cell-spread") ? LOW_CELL_MV : 0);
}

int64_t daly_pack_mv(const struct vboard *board)
{
    int64_t sum = 0;
    for (unsigned i = 0; i < CELLS; i++)
        sum += daly_cell_mv(board, i);
    return sum;
}

unsigned daly_current(struct vboard *board, int sign, unsigned *direction)
{
    const int64_t ma = vb_current_ma(board, true);
    *direction = ma > REST_MA ? 1 : ma < -REST_MA ? 2 : 0;
    return (unsigned)CLAMP(ZERO_RAW + sign * ma / 100, 0, UINT16_MAX);
}

void daly_failures(struct vboard *board, uint8_t bytes[7])
{
    int64_t high = 0, low = INT64_MAX;
    memset(bytes, 0, 7);
    for (unsigned i = 0; i < CELLS; i++) {
        high = MAX(high, daly_cell_mv(board, i));
        low = MIN(low, daly_cell_mv(board, i));
    }
    for (unsigned level = 0; level < 2; level++) {
        if (high > (int64_t)daly_get16(daly_setting(board, S_CELL_HIGH + level)))
            bytes[0] |= (uint8_t)(1 << level);
        if (low < (int64_t)daly_get16(daly_setting(board, S_CELL_HIGH + 2 + level)))
            bytes[0] |= (uint8_t)(4 << level);
    }
    const int64_t flag = vb_defect_number(board, "flag", -1);
    if (flag >= 0)
        bytes[flag / 8 % 7] |= (uint8_t)(1 << flag % 8);
}

/* One frame of an answer leaves the board. */
static void answer(struct vboard *board, uint8_t id, const uint8_t data[8], int64_t now_us)
{
    const int64_t due = now_us + vb_ms(board, REPLY_MS);
    if (board->family->frames) {
        uint8_t record[RECORD] = {0};
        const uint32_t can_id = EXTENDED | 0x18u << 24 | (uint32_t)id << 16 | HOST << 8 | board->address;
        memcpy(record, &can_id, sizeof can_id);
        record[4] = 8;
        memcpy(record + 8, data, 8);
        vb_send(board, record, sizeof record, due);
        return;
    }
    uint8_t frame[FRAME] = {0xa5, (uint8_t)board->address, id, 8};
    unsigned sum = 0;
    memcpy(frame + 4, data, 8);
    for (unsigned i = 0; i < FRAME - 1; i++)
        sum += frame[i];
    frame[FRAME - 1] = (uint8_t)sum;
    vb_send(board, frame, sizeof frame, due);
}

static void series(struct vboard *board, uint8_t id, const uint8_t *bytes, unsigned n, unsigned carried,
                   int64_t now_us)
{
    for (unsigned i = 0; i * carried < n; i++) {
        uint8_t data[8] = {(uint8_t)(i + 1)};
        memcpy(data + 1, bytes + i * carried, MIN(carried, n - i * carried));
        answer(board, id, data, now_us);
    }
}

static void cells(struct vboard *board, int64_t now_us)
{
    uint8_t bytes[2 * CELLS];
    for (unsigned i = 0; i < CELLS; i++)
        daly_put16(bytes + 2 * i, daly_cell_mv(board, i));
    series(board, 0x95, bytes, sizeof bytes, 6, now_us);
}

static uint8_t heat(struct vboard *board, unsigned sensor)
{
    return (uint8_t)CLAMP(vb_temperature_mdeg(board, sensor) / 1000 + HEAT_RAW, 0, UINT8_MAX);
}

static void extremes(struct vboard *board, uint8_t *p)
{
    unsigned high = 0, low = 0;
    for (unsigned i = 1; i < CELLS; i++) {
        high = daly_cell_mv(board, i) > daly_cell_mv(board, high) ? i : high;
        low = daly_cell_mv(board, i) < daly_cell_mv(board, low) ? i : low;
    }
    daly_put16(p, daly_cell_mv(board, high));
    p[2] = (uint8_t)(high + 1);
    daly_put16(p + 3, daly_cell_mv(board, low));
    p[5] = (uint8_t)(low + 1);
}

static void put32(uint8_t *p, uint32_t value)
{
    daly_put16(p, value >> 16);
    daly_put16(p + 2, value & 0xffff);
}

static int sign_of(const struct vboard *board)
{
    return board->family->frames ? 1 : -1;
}

static void measurements(struct vboard *board, uint8_t id, uint8_t *p)
{
    unsigned direction;
    const unsigned current = daly_current(board, sign_of(board), &direction);
    const unsigned soc = daly_get16(daly_setting(board, S_SOC));
    const unsigned rated = daly_get16(daly_setting(board, S_RATED));
    if (id == 0x90) {
        daly_put16(p, daly_pack_mv(board) / 100);
        daly_put16(p + 4, current);
        daly_put16(p + 6, soc);
        return;
    }
    p[0] = (uint8_t)direction;
    p[1] = daly_setting(board, S_CHARGE)[1];
    p[2] = daly_setting(board, S_DISCHARGE)[1];
    p[3] = board->app->beat++;
    put32(p + 4, soc * rated / 10);
}

static void put_time(const struct vboard *board, uint8_t *p, int64_t now_us)
{
    g_autoptr(GDateTime) shown =
        g_date_time_new_from_unix_utc((board->nvm.rtc_us + now_us - board->rtc_at_us) / 1000000);
    p[0] = (uint8_t)(g_date_time_get_year(shown) % 100);
    p[1] = (uint8_t)g_date_time_get_month(shown);
    p[2] = (uint8_t)g_date_time_get_day_of_month(shown);
    p[3] = (uint8_t)g_date_time_get_hour(shown);
    p[4] = (uint8_t)g_date_time_get_minute(shown);
    p[5] = (uint8_t)g_date_time_get_second(shown);
    daly_put16(p + 6, daly_get16(vb_block((struct vb_nvm *)&board->live, B_SETTINGS)->bytes + 2 * S_SOC));
}

static bool read_out(struct vboard *board, uint8_t id, uint8_t *p, int64_t now_us)
{
    switch (id) {
    case 0x50:
        put32(p, daly_get16(daly_setting(board, S_RATED)) * 100u);
        put32(p + 4, daly_get16(daly_setting(board, S_REFERENCE)));
        return true;
    case 0x53:
        memcpy(p + 2, vb_block(&board->live, B_DATE)->bytes, 3);
        return true;
    case 0x61:
        put_time(board, p, now_us);
        return true;
    case 0x90:
    case 0x93:
        measurements(board, id, p);
        return true;
    case 0x91:
        extremes(board, p);
        return true;
    case 0x92:
        p[0] = MAX(heat(board, 0), heat(board, 1));
        p[1] = heat(board, 1) > heat(board, 0) ? 2 : 1;
        p[2] = MIN(heat(board, 0), heat(board, 1));
        p[3] = (uint8_t)(3 - p[1]);
        return true;
    case 0x94:
        p[0] = CELLS;
        p[1] = SENSORS;
        daly_put16(p + 5, CYCLES);
        return true;
    case 0x97:
        return true;
    case 0x98:
        daly_failures(board, p);
        return true;
    default:
        return false;
    }
}

/* The answer's first byte: 1 done, or what was switched. */
static uint8_t set_time(struct vboard *board, const uint8_t *data, int64_t now_us)
{
    g_autoptr(GDateTime) shown =
        g_date_time_new_utc(2000 + data[0], data[1], data[2], data[3], data[4], data[5]);
    if (!shown || daly_get16(data + 6) > 1000 || vb_defect(board, "busy"))
        return 0xff;
    daly_put16(daly_setting(board, S_SOC), daly_get16(data + 6));
    if (!vb_defect(board, "rtc-stuck")) {
        board->nvm.rtc_us = g_date_time_to_unix(shown) * 1000000;
        board->rtc_at_us = now_us;
        vb_dirty(board, now_us);
    }
    daly_commit(board, now_us);
    return 1;
}

static uint8_t set_switch(struct vboard *board, unsigned setting, uint8_t on, int64_t now_us)
{
    if (!vb_defect(board, "ack-param-no-write"))
        daly_put16(daly_setting(board, setting), on != 0);
    daly_commit(board, now_us);
    return on;
}

/* What is asked of this board; of what it does not know it says nothing. */
static void obey(struct vboard *board, uint8_t id, const uint8_t *data, int64_t now_us)
{
    uint8_t reply[8] = {0}, text[BATTERY_CODE];
    const uint8_t heats[] = {heat(board, 0), heat(board, 1)};
    if (id == 0x95) {
        cells(board, now_us);
        return;
    }
    if (id == 0x96) {
        series(board, id, heats, sizeof heats, 7, now_us);
        return;
    }
    if (id == 0x57) {
        memcpy(text, vb_block(&board->live, B_BATTERY_CODE)->bytes, sizeof text);
        series(board, id, text, sizeof text, 7, now_us);
        return;
    }
    const bool writes = !board->family->frames;
    if (writes && id == 0x21)
        reply[0] = set_time(board, data, now_us);
    else if (writes && (id == 0xd9 || id == 0xda))
        reply[0] = set_switch(board, id == 0xda ? S_CHARGE : S_DISCHARGE, data[0], now_us);
    else if (writes && id == 0x00)
        vb_change_mode(board, VB_STARTING, now_us + vb_ms(board, RESTART_MS));
    else if (!read_out(board, id, reply, now_us))
        return;
    answer(board, id, reply, now_us);
}

static void take_record(struct vboard *board, const uint8_t *record, int64_t now_us)
{
    uint32_t id;
    memcpy(&id, record, sizeof id);
    if (id >> 24 == (EXTENDED >> 24 | 0x18) && (id >> 8 & 0xff) == board->address && (id & 0xff) == HOST &&
        record[4] == 8)
        obey(board, (uint8_t)(id >> 16), record + 8, now_us);
}

static void take_frame(struct vboard *board, const uint8_t *frame, int64_t now_us)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < FRAME - 1; i++)
        sum += frame[i];
    if (frame[1] == HOST + board->address - 1 && frame[3] == 8 && frame[FRAME - 1] == (uint8_t)sum)
        obey(board, frame[2], frame + 4, now_us);
}

static void app_byte(struct vboard *board, uint8_t byte, int64_t now_us)
{
    struct vb_app *app = board->app;
    const unsigned whole = board->family->frames ? RECORD : FRAME;
    if (now_us - app->heard_us > SILENCE_US)
        app->n = 0;
    app->heard_us = now_us;
    if (!board->family->frames && app->n == 0 && byte != 0xa5)
        return;
    app->frame[app->n++] = byte;
    if (app->n < whole)
        return;
    app->n = 0;
    if (board->family->frames)
        take_record(board, app->frame, now_us);
    else
        take_frame(board, app->frame, now_us);
}

const struct vb_family vb_family_daly = {.name = "daly",
                                         .factory = daly_factory,
                                         .app_new = daly_app_new,
                                         .app_free = daly_app_free,
                                         .app_start = daly_app_start,
                                         .app_byte = app_byte,
                                         .correction = vb_true_correction,
                                         .cells = CELLS,
                                         .parameters = B_SETTINGS};

const struct vb_family vb_family_daly_can = {.name = "daly-can",
                                             .factory = daly_factory,
                                             .app_new = daly_app_new,
                                             .app_free = daly_app_free,
                                             .app_start = daly_app_start,
                                             .app_byte = app_byte,
                                             .correction = vb_true_correction,
                                             .cells = CELLS,
                                             .parameters = B_SETTINGS,
                                             .frames = true};
