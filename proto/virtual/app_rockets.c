/* The application of a rockets battery, written from docs/families/rockets.md and the manual alone: frames in
 * and out, the dictionary, sleep. */
#include "proto/virtual/app_rockets.h"

#include <string.h>

#define ANSWER_MS    1
#define COMMIT_MS    20
#define SLEEP_MS     10
#define SLEEP_WORD   0x534c
#define UNUSED_S     (14 * 86400)
#define IDLE_MA      50
#define BYTE_GAP_US  50000 /* a frame that stops in its middle is none */
#define CELLS        10
#define CELL_MORE_MV 342 /* above the cells of the others: 3.64 V */
#define SPREAD_MV    130
#define FULL_MAH     11600
#define LEFT_MAH     4732
#define UNCHARGED_H  95
#define EPOCH_1984   INT64_C(441763200)
#define DRIFT_PPM    20
#define FIRST_TIME   INT64_C(1602953320000000) /* 2020-10-17 16:48:40, as it shows it */
#define D_MOS        (1u << 0)
#define C_MOS        (1u << 6)
#define FLAGS        27

static struct vb_app *app_new(void)
{
    return g_new0(struct vb_app, 1);
}

static void app_free(struct vb_app *app)
{
    g_free(app);
}

static void put(uint8_t *p, int64_t value, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        p[i] = (uint8_t)((uint64_t)value >> 8 * i);
}

static void send_frame(struct vboard *board, uint32_t id, const uint8_t *data, unsigned n, int64_t due_us)
{
    uint8_t record[RECORD] = {0};
    memcpy(record, &id, sizeof id);
    record[4] = (uint8_t)n;
    memcpy(record + 8, data, n);
    vb_send(board, record, sizeof record, due_us);
}

static void app_start(struct vboard *board, int64_t now_us)
{
    const uint8_t boot_up = 0;
    memset(board->app, 0, sizeof *board->app);
    board->app->used_us = now_us;
    send_frame(board, 0x700 + board->address, &boot_up, 1, now_us);
}

static void factory(struct vboard *board)
{
    uint64_t unit = vb_defect(board, "same-sn") ? (uint64_t)vb_defect_number(board, "same-sn", 1)
                                                : board->nvm.unit_seed % 10000000000u;
    g_autofree char *number = g_strdup_printf("RS%010" G_GUINT64_FORMAT, unit);
    vb_block_add(&board->nvm, 0, 0x2000, NUMBER_MAX);
    memcpy(board->nvm.blocks[0].bytes, number, NUMBER_MAX);
    if (vb_defect(board, "foreign-sn"))
        memcpy(board->nvm.blocks[0].bytes, "OTHER-SN-001", NUMBER_MAX);
    memcpy(board->nvm.unique_id, board->nvm.blocks[0].bytes, NUMBER_MAX); /* it has nothing else of its own */
    board->nvm.rtc_us = FIRST_TIME;
}

static int64_t cell_mv(const struct vboard *board, unsigned cell)
{
    const bool low = vb_defect(board, "cell-spread") && cell == 3;
    return vb_cell_mv(board, cell) + CELL_MORE_MV - (low ? SPREAD_MV : 0);
}

static void cells(const struct vboard *board, int64_t *high, int64_t *low, int64_t *sum)
{
    *high = *sum = 0;
    *low = INT64_MAX;
    for (unsigned i = 0; i < CELLS; i++) {
        int64_t mv = cell_mv(board, i);
        *high = MAX(*high, mv);
        *low = MIN(*low, mv);
        *sum += mv;
    }
}

/* TIME_OF_DAY of what the clock showed so many microseconds ago. */
static void put_time(const struct vboard *board, uint8_t *p, int64_t ago_us, int64_t now_us)
{
    int64_t passed = now_us - board->rtc_at_us;
    int64_t shown = board->nvm.rtc_us + passed + passed * DRIFT_PPM / 1000000 - ago_us;
    int64_t ms = shown / 1000 - EPOCH_1984 * 1000;
    put(p, ms % 86400000, 4);
    put(p + 4, ms / 86400000, 2);
}

static enum abort_code set_time(struct vboard *board, const uint8_t *p, unsigned n, int64_t now_us)
{
    if (n != 6)
        return n < 6 ? TOO_SHORT : TOO_LONG;
    int64_t ms = (int64_t)p[0] | (int64_t)p[1] << 8 | (int64_t)p[2] << 16 | (int64_t)(p[3] & 15) << 24;
    int64_t days = p[4] | p[5] << 8;
    if (ms >= 86400000)
        return BAD_VALUE;
    if (vb_defect(board, "rtc-stuck"))
        return NOTHING_WRONG;
    board->nvm.rtc_us = (EPOCH_1984 + days * 86400) * 1000000 + ms * 1000;
    board->rtc_at_us = now_us;
    vb_dirty(board, now_us);
    return NOTHING_WRONG;
}

static uint32_t flags(const struct vboard *board)
{
    uint32_t on = D_MOS | C_MOS;
    if (vb_defect(board, "flag"))
        on ^= 1u << vb_defect_number(board, "flag", 1) % FLAGS;
    return on;
}

static int64_t tenths(struct vboard *board, unsigned sensor)
{
    return vb_temperature_mdeg(board, sensor) / 100;
}

/* Newest first; each fault is there twice, over and begun, an hour apart. */
static unsigned get_log(struct vboard *board, uint8_t sub, uint8_t *p, int64_t now_us)
{
    static const uint8_t faults[] = {7, 12, 2, 15, 8, 1}; /* OV DOT DOC CUT COC UV */
    const unsigned place = board->app->chosen, count = board->nvm.history_count;
    const bool over = place % 2 == 0;
    int64_t high, low, sum;
    cells(board, &high, &low, &sum);
    switch (sub) {
    case 1:
        put(p, count, 2);
        return 2;
    case 2:
        put(p, place, 2);
        return 2;
    case 3:
        put(p, board->nvm.history_first_id + count - 1 - place, 4);
        return 4;
    case 4:
        put_time(board, p, ((int64_t)place + 1) * 3600000000, now_us);
        return 6;
    case 5:
        p[0] = faults[place / 2 % sizeof faults];
        return 1;
    case 6:
        p[0] = !over;
        return 1;
    case 7:
        put(p, sum, 4);
        return 4;
    case 8:
        put(p, over ? 0 : 1200, 4);
        return 4;
    case 9:
        p[0] = 40;
        return 1;
    case 10:
    case 11:
        put(p, sub == 10 ? high : low, 2);
        return 2;
    default:
        put(p, tenths(board, 0), 2);
        return 2;
    }
}

static unsigned get_text(uint8_t *p, const char *text)
{
    size_t n = MIN(strlen(text), (size_t)VALUE_MAX);
    memcpy(p, text, n);
    return (unsigned)n;
}

static unsigned get_live(struct vboard *board, uint16_t index, uint8_t sub, uint8_t *p)
{
    int64_t high, low, sum;
    cells(board, &high, &low, &sum);
    switch (index) {
    case 0x2010:
        put(p, sub == 1 ? LEFT_MAH * 100 / FULL_MAH : sub == 2 ? LEFT_MAH : FULL_MAH, 4);
        return sub == 1 ? 1 : 4;
    case 0x2020:
        put(p, sub == 1 ? vb_current_ma(board, true) : sum, 4);
        return 4;
    case 0x2021:
        put(p, cell_mv(board, sub - 1u), 2);
        return 2;
    case 0x2022:
        put(p, high - low, 2);
        return 2;
    case 0x2030: {
        int64_t first = tenths(board, 0), second = tenths(board, 1);
        int64_t shown[] = {MAX(first, second), MIN(first, second), tenths(board, 4), first, second};
        put(p, shown[sub - 1], 2);
        return 2;
    }
    case 0x2040:
        put(p, 0xffffffff, 4);
        return 4;
    default:
        put(p, sub == 1 ? 0 : UNCHARGED_H, 2);
        return 2;
    }
}

/* Objects and their last sub-index; a plain one has only 0. */
static const struct object {
    uint16_t index;
    uint8_t last;
} objects[] = {{0x1000, 0}, {0x1001, 0}, {0x1008, 0}, {0x1009, 0},  {0x100a, 0}, {0x1018, 4},
               {0x2000, 1}, {0x2010, 3}, {0x2020, 2}, {0x2021, 10}, {0x2022, 1}, {0x2030, 5},
               {0x2040, 2}, {0x2050, 0}, {0x2060, 2}, {0x2070, 1},  {0x2080, 1}, {0x2090, 12}};

static enum abort_code find(uint16_t index, uint8_t sub, const struct object **object)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(objects); i++)
        if (objects[i].index == index) {
            *object = &objects[i];
            return sub <= objects[i].last ? NOTHING_WRONG : NO_SUB;
        }
    return NO_OBJECT;
}

enum abort_code rockets_get(struct vboard *board, uint16_t index, uint8_t sub, uint8_t value[VALUE_MAX],
                            unsigned *n, int64_t now_us)
{
    const struct object *object;
    enum abort_code code = find(index, sub, &object);
    memset(value, 0, VALUE_MAX);
    if (code != NOTHING_WRONG)
        return code;
    *n = index == 0x1000 || index == 0x1018 ? 4 : 1;
    if (object->last > 0 && sub == 0) {
        *n = 1;
        value[0] = object->last;
    } else if (index == 0x1008) {
        *n = get_text(value, vb_defect(board, "wrong-product") ? "ROCKETS-OTHER" : "ROCKETS-SMART");
    } else if (index == 0x1009) {
        *n = get_text(value, vb_defect(board, "wrong-hardware") ? "HW-9.0" : "HW-1.0");
    } else if (index == 0x100a) {
        *n = get_text(value, "2.1.0");
    } else if (index == 0x1018 && sub == 4) {
        put(value, (int64_t)board->nvm.unit_seed, 4);
    } else if (index == 0x2000) {
        *n = NUMBER_MAX;
        memcpy(value, vb_block(&board->live, 0x2000)->bytes, NUMBER_MAX);
    } else if (index == 0x2050) {
        *n = 4;
        put(value, flags(board), 4);
    } else if (index == 0x2070) {
        *n = 6;
        put_time(board, value, 0, now_us);
    } else if (index == 0x2080) {
        return WRITE_ONLY;
    } else if (index == 0x2090) {
        *n = get_log(board, sub, value, now_us);
    } else if (index >= 0x2000) {
        *n = get_live(board, index, sub, value);
    }
    return NOTHING_WRONG;
}

enum abort_code rockets_put(struct vboard *board, uint16_t index, uint8_t sub, const uint8_t *value,
                            unsigned n, int64_t now_us)
{
    const struct object *object;
    enum abort_code code = find(index, sub, &object);
    const unsigned word = n == 2 ? (unsigned)(value[0] | value[1] << 8) : 0;
    if (code != NOTHING_WRONG)
        return code;
    if (index == 0x2070 && sub == 1)
        return vb_defect(board, "busy") ? BAD_VALUE : set_time(board, value, n, now_us);
    if (!(index == 0x2080 && sub == 1) && !(index == 0x2090 && sub == 2))
        return READ_ONLY;
    if (n != 2)
        return n < 2 ? TOO_SHORT : TOO_LONG;
    if (index == 0x2090) {
        if (word >= board->nvm.history_count)
            return BAD_VALUE;
        board->app->chosen = word;
        return NOTHING_WRONG;
    }
    if (word != SLEEP_WORD)
        return BAD_VALUE;
    if (!vb_defect(board, "sleepless"))
        vb_change_mode(board, VB_ASLEEP, now_us + vb_ms(board, SLEEP_MS));
    return NOTHING_WRONG;
}

static void frame(struct vboard *board, int64_t now_us)
{
    struct vb_app *app = board->app;
    uint32_t id;
    uint8_t answer[8];
    memcpy(&id, app->record, sizeof id);
    if (id != 0x600 + board->address || app->record[4] != 8)
        return;
    app->used_us = now_us;
    if (rockets_serve(board, app->record + 8, answer, now_us))
        send_frame(board, 0x580 + board->address, answer, 8, now_us + vb_ms(board, ANSWER_MS));
}

static void app_byte(struct vboard *board, uint8_t byte, int64_t now_us)
{
    struct vb_app *app = board->app;
    if (now_us - app->byte_us > BYTE_GAP_US)
        app->n = 0;
    app->byte_us = now_us;
    app->record[app->n++] = byte;
    if (app->n < RECORD)
        return;
    app->n = 0;
    frame(board, now_us);
}

static void app_tick(struct vboard *board, int64_t now_us)
{
    struct vb_app *app = board->app;
    if (ABS(vb_true_ma(board)) > IDLE_MA)
        app->used_us = now_us;
    if (now_us - app->used_us >= (int64_t)UNUSED_S * 1000000)
        vb_change_mode(board, VB_ASLEEP, now_us);
}

static int64_t app_next_us(const struct vboard *board)
{
    return board->app->used_us + (int64_t)UNUSED_S * 1000000;
}

const struct vb_family vb_family_rockets = {.name = "rockets",
                                            .factory = factory,
                                            .app_new = app_new,
                                            .app_free = app_free,
                                            .app_start = app_start,
                                            .app_byte = app_byte,
                                            .app_tick = app_tick,
                                            .app_next_us = app_next_us,
                                            .correction = vb_true_correction,
                                            .cells = CELLS,
                                            .parameters = 0x2000,
                                            .frames = true,
                                            .sleeps = true,
                                            .wake_ma = 100,
                                            .wake_ms = 1500};
