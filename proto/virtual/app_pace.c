/* The application of a pace board, written from docs/families/pace.md and the published document alone. */
#include "proto/virtual/ascii.h"

#include <string.h>
#include <time.h>

extern const struct vb_family vb_family_pace;

#define REPLY_MS      2
#define COMMIT_MS     20
#define VERSION       0x25
#define EQUIPMENT     0x46
#define CELLS         16
#define SENSORS       6 /* four cell sensors, MOSFET, ambient */
#define FLOWS_MA      500
#define ZERO_KELVIN   2730
#define CONFIGURATION 0x01
#define SERIAL        0xc2 /* product information, which its maker wrote */
#define SERIAL_SIZE   40
#define DRIFT_PPM     20

enum rtn { OK = 0x00, BAD_COMMAND = 0x04, FAILED = 0x09 };

struct vb_app {
    struct vb_ascii line;
    struct vb_request request;
    struct vb_answer answer;
    bool charge_off, discharge_off;
    uint8_t control; /* state of the switches */
};

/* Pairs of commands and the bytes behind them, with what a new board holds. */
static const struct pair {
    uint8_t read, write, size, write_size;
    uint8_t preset[13];
} pairs[] = {
    {0xd1, 0xd0, 8, 8, {0x01, 0x0e, 0x10, 0x0e, 0x74, 0x0d, 0x34, 0x0a}},
    {0xd5, 0xd4, 8, 8, {0x01, 0xe1, 0x00, 0xe7, 0x40, 0xd2, 0xf0, 0x0a}},
    {0xd3, 0xd2, 8, 8, {0x01, 0x0a, 0xf0, 0x09, 0xc4, 0x0b, 0x54, 0x0a}},
    {0xd7, 0xd6, 8, 8, {0x01, 0xaf, 0x00, 0x9c, 0x40, 0xb5, 0x40, 0x0a}},
    {0xd9, 0xd8, 6, 6, {0x01, 0x00, 0x68, 0x00, 0x6e, 0x0a}},
    {0xdb, 0xda, 6, 6, {0x01, 0x00, 0x69, 0x00, 0x6e, 0x0a}},
    {0xe3, 0xe2, 6, 3, {0x00, 0x96, 0x04, 0x00, 0x96, 0x04}},
    {0xe5, 0xe4, 1, 1, {0x0c}},
    {0xb6, 0xb5, 4, 4, {0x0d, 0x48, 0x00, 0x1e}},
    {0xa0, 0xa8, 4, 4, {0x0c, 0x1c, 0x00, 0x05}},
    {0xaf, 0xae, 5, 5, {0xda, 0xc0, 0x07, 0xd0, 0x05}},
    {0xdd, 0xdc, 13, 13, {0x01, 0x0c, 0xa8, 0x0c, 0xd0, 0x0c, 0x9e, 0x0c, 0xda, 0x0d, 0x02, 0x0c, 0xd0}},
    {0xdf, 0xde, 13, 13, {0x01, 0x0a, 0xaa, 0x0a, 0x78, 0x0a, 0xaa, 0x0a, 0x14, 0x09, 0xe2, 0x0a, 0x14}},
    {0xe1, 0xe0, 7, 7, {0x01, 0x0e, 0x2e, 0x0e, 0xf6, 0x0d, 0xfc}},
    {0xe7, 0xe6, 13, 13, {0x01, 0x09, 0xe2, 0x09, 0xb0, 0x09, 0xe2, 0x0d, 0x34, 0x0d, 0x66, 0x0d, 0x34}},
    {0xed, 0xee, 2, 2, {0x00, 0x64}},
    {0xeb, 0xec, 3, 3, {0x13, 0x14, 0x00}},
};

static uint8_t *bytes_of(struct vboard *board, const struct pair *pair)
{
    unsigned at = 0;
    for (const struct pair *p = pairs; p < pair; p++)
        at += p->size;
    return vb_block(&board->live, CONFIGURATION)->bytes + at;
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

static void factory(struct vboard *board)
{
    unsigned size = 0, at = 0;
    for (unsigned i = 0; i < G_N_ELEMENTS(pairs); i++)
        size += pairs[i].size;
    vb_block_add(&board->nvm, 0, CONFIGURATION, size);
    for (unsigned i = 0; i < G_N_ELEMENTS(pairs); at += pairs[i++].size)
        memcpy(board->nvm.blocks[0].bytes + at, pairs[i].preset, pairs[i].size);
    g_autofree char *number = vb_defect(board, "foreign-sn")
                                  ? g_strdup("OTHER-SN-1")
                                  : g_strdup_printf("1821%010" G_GUINT64_FORMAT, board->nvm.unit_seed);
    vb_block_add(&board->nvm, 1, SERIAL, SERIAL_SIZE);
    memset(board->nvm.blocks[1].bytes, ' ', SERIAL_SIZE);
    memcpy(board->nvm.blocks[1].bytes, number, MIN(strlen(number), SERIAL_SIZE));
}

static int64_t kelvin(struct vboard *board, unsigned sensor)
{
    return vb_temperature_mdeg(board, sensor) / 100 + ZERO_KELVIN;
}

static uint8_t analog(struct vboard *board, const struct vb_request *r)
{
    enum { REMAINING = 6204, FULL = 10346, DESIGN = 10000, CYCLES = 8 };
    struct vb_answer *a = &board->app->answer;
    int64_t sum = 0;
    vb_add(a, 0, 1);
    vb_add(a, r->info[0] == 0xff ? 1 : r->info[0], 1);
    vb_add(a, CELLS, 1);
    for (unsigned i = 0; i < CELLS; i++) {
        sum += vb_cell_mv(board, i);
        vb_add(a, vb_cell_mv(board, i), 2);
    }
    vb_add(a, SENSORS, 1);
    for (unsigned i = 0; i < SENSORS; i++)
        vb_add(a, kelvin(board, i), 2);
    vb_add(a, vb_current_ma(board, true) / 10, 2);
    vb_add(a, sum, 2);
    vb_add(a, REMAINING, 2);
    vb_add(a, 3, 1);
    vb_add(a, FULL, 2);
    vb_add(a, CYCLES, 2);
    vb_add(a, DESIGN, 2);
    return OK;
}

static unsigned setting(struct vboard *board, unsigned pair, unsigned offset)
{
    return vb_get(bytes_of(board, &pairs[pair]) + offset, 2);
}

static uint8_t states(struct vboard *board, const struct vb_request *r)
{
    enum { CELL_OV, PACK_OV, CELL_UV, PACK_UV, AT_PROTECT = 3, BALANCES = 2, WARNINGS = 2 };
    struct vb_answer *a = &board->app->answer;
    int64_t low = INT64_MAX, high = 0, sum = 0, ma = vb_true_ma(board);
    for (unsigned i = 0; i < CELLS; i++) {
        int64_t mv = vb_cell_mv(board, i);
        low = MIN(low, mv);
        high = MAX(high, mv);
        sum += mv;
    }
    unsigned protect = (high > setting(board, CELL_OV, AT_PROTECT) ? 1 : 0) |
                       (low < setting(board, CELL_UV, AT_PROTECT) ? 2 : 0) |
                       (sum > setting(board, PACK_OV, AT_PROTECT) ? 4 : 0) |
                       (sum < setting(board, PACK_UV, AT_PROTECT) ? 8 : 0);
    bool charge = !board->app->charge_off && !protect, discharge = !board->app->discharge_off && !protect;
    vb_add(a, 0, 1);
    vb_add(a, r->info[0] == 0xff ? 1 : r->info[0], 1);
    vb_add(a, CELLS, 1);
    memset(a->info + a->n, 0, CELLS);
    a->n += CELLS;
    vb_add(a, SENSORS, 1);
    memset(a->info + a->n, 0, SENSORS + 3);
    a->n += SENSORS + 3;
    vb_add(a, protect, 1);
    vb_add(a, 0, 1);
    vb_add(a, (charge ? 2 : 0) | (discharge ? 4 : 0) | (ma < -FLOWS_MA ? 8 : 0) | (ma > FLOWS_MA ? 0x20 : 0),
           1);
    vb_add(a, board->app->control, 1);
    vb_add(a, 0, 1 + BALANCES + WARNINGS);
    return OK;
}

static uint8_t text(struct vboard *board, const char *words, unsigned width)
{
    struct vb_answer *a = &board->app->answer;
    memset(a->info, ' ', width);
    memcpy(a->info, words, MIN(strlen(words), width));
    a->n = width;
    return OK;
}

static uint8_t serial(struct vboard *board)
{
    struct vb_answer *a = &board->app->answer;
    a->n = vb_defect(board, "short-serial") ? SERIAL_SIZE / 2 : SERIAL_SIZE;
    memcpy(a->info, vb_block(&board->live, SERIAL)->bytes, a->n);
    return OK;
}

static int64_t board_time_us(const struct vboard *board, int64_t now_us)
{
    int64_t passed = now_us - board->rtc_at_us;
    return board->nvm.rtc_us + passed + passed * DRIFT_PPM / 1000000;
}

static uint8_t read_clock(struct vboard *board, int64_t now_us)
{
    time_t seconds = (time_t)(board_time_us(board, now_us) / 1000000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    const int parts[] = {tm.tm_year - 100, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec};
    for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++)
        vb_add(&board->app->answer, parts[i], 1);
    return OK;
}

static uint8_t set_clock(struct vboard *board, const struct vb_request *r, int64_t now_us)
{
    const uint8_t *p = r->info;
    if (r->n != 6)
        return FAILED;
    struct tm tm = {.tm_year = p[0] + 100, .tm_mon = p[1] - 1, .tm_mday = p[2], .tm_hour = p[3]};
    tm.tm_min = p[4];
    tm.tm_sec = p[5];
    struct tm asked = tm;
    time_t seconds = timegm(&tm);
    if (tm.tm_mon != asked.tm_mon || tm.tm_mday != asked.tm_mday || tm.tm_hour != asked.tm_hour || p[5] > 59)
        return FAILED;
    if (vb_defect(board, "rtc-stuck"))
        return OK;
    board->nvm.rtc_us = (int64_t)seconds * 1000000;
    board->rtc_at_us = now_us;
    vb_dirty(board, now_us);
    return OK;
}

/* Both FETs are never off, and none goes off against a current. Which of 0 and 1 is on is the board's secret.
 */
static uint8_t switch_fet(struct vboard *board, bool charge, const struct vb_request *r)
{
    struct vb_app *app = board->app;
    int64_t ma = vb_true_ma(board);
    if (r->n != 1 || r->info[0] > 1)
        return FAILED;
    bool on = r->info[0] != vb_defect(board, "fet-inverted");
    if (!on && ((charge ? app->discharge_off : app->charge_off) || (charge ? ma < -FLOWS_MA : ma > FLOWS_MA)))
        return FAILED;
    *(charge ? &app->charge_off : &app->discharge_off) = !on;
    vb_add(&app->answer, charge ? 0x24 | (on ? 0 : 2) : 0x04, 1);
    return OK;
}

static uint8_t switch_function(struct vboard *board, const struct vb_request *r)
{
    static const uint8_t bits[] = {0x20, 0x20, 0x08, 0x08, 0x10, 0x10, 0x01, 0x01}; /* from 06H */
    if (r->n != 1 || r->info[0] < 6 || r->info[0] > 13)
        return FAILED;
    uint8_t bit = bits[r->info[0] - 6];
    board->app->control = (uint8_t)(r->info[0] & 1 ? board->app->control | bit : board->app->control & ~bit);
    vb_add(&board->app->answer, r->info[0], 1);
    vb_add(&board->app->answer, board->app->control, 1);
    return OK;
}

/* A board that is charging or discharging starts again at once. */
static uint8_t shut_down(struct vboard *board, const struct vb_request *r, int64_t now_us)
{
    if (r->n != 1 || r->info[0] != 1)
        return FAILED;
    bool busy = ABS(vb_true_ma(board)) > FLOWS_MA;
    vb_change_mode(board, busy ? VB_STARTING : VB_ASLEEP, now_us + vb_ms(board, 50));
    return OK;
}

static uint8_t read_pair(struct vboard *board, const struct pair *pair)
{
    struct vb_answer *a = &board->app->answer;
    memcpy(a->info, bytes_of(board, pair), pair->size);
    a->n = pair->size;
    if (pair->read == 0xdb) /* discharge currents are shown negative */
        for (unsigned at = 1; at <= 3; at += 2)
            vb_put(a->info + at, -(int64_t)(int16_t)vb_get(a->info + at, 2), 2);
    return OK;
}

static uint8_t write_pair(struct vboard *board, const struct pair *pair, const struct vb_request *r,
                          int64_t now_us)
{
    uint8_t *bytes = bytes_of(board, pair);
    if (r->n != pair->write_size || vb_defect(board, "busy") || (pair->write == 0xda && r->info[1] & 0x80))
        return FAILED;
    if (vb_defect(board, "ack-param-no-write"))
        return OK;
    memcpy(bytes, r->info, r->n);
    if (pair->write == 0xd0 && vb_defect(board, "clamp-parameter") && vb_get(bytes + 3, 2) > 3600)
        vb_put(bytes + 3, 3600, 2);
    board->commit_us = now_us + vb_ms(board, COMMIT_MS);
    return OK;
}

static uint8_t serve(struct vboard *board, const struct vb_request *r, int64_t now_us)
{
    unsigned own = MAX(board->address, 1);
    for (unsigned i = 0; i < G_N_ELEMENTS(pairs); i++) {
        if (r->command == pairs[i].read)
            return read_pair(board, &pairs[i]);
        if (r->command == pairs[i].write)
            return write_pair(board, &pairs[i], r, now_us);
    }
    switch (r->command) {
    case 0x42:
        return r->n == 1 && (r->info[0] == own || r->info[0] == 0xff) ? analog(board, r) : FAILED;
    case 0x44:
        return r->n == 1 && (r->info[0] == own || r->info[0] == 0xff) ? states(board, r) : FAILED;
    case 0x90:
        vb_add(&board->app->answer, 1, 1);
        return OK;
    case 0x99:
        return switch_function(board, r);
    case 0x9a:
    case 0x9b:
        return switch_fet(board, r->command == 0x9a, r);
    case 0x9c:
        return shut_down(board, r, now_us);
    case 0xa6: {
        static const uint8_t capacities[] = {0x18, 0x3c, 0x28, 0x6a, 0x27, 0x10};
        memcpy(board->app->answer.info, capacities, sizeof capacities);
        board->app->answer.n = sizeof capacities;
        return OK;
    }
    case 0xb1:
        return read_clock(board, now_us);
    case 0xb2:
        return set_clock(board, r, now_us);
    case 0xc1:
        return text(board, vb_defect(board, "wrong-product") ? "P08S100A-1812-1.00" : "P16S100A-1812-1.00",
                    20);
    case 0xc2:
        return serial(board);
    default:
        return BAD_COMMAND;
    }
}

static void app_byte(struct vboard *board, uint8_t byte, int64_t now_us)
{
    struct vb_app *app = board->app;
    const struct vb_request *r = &app->request;
    if (!vb_ascii_take(&app->line, byte, &app->request) || r->address != board->address ||
        r->version != VERSION || r->equipment != EQUIPMENT)
        return;
    app->answer = (struct vb_answer){.version = VERSION, .address = board->address, .equipment = EQUIPMENT};
    app->answer.code = serve(board, r, now_us);
    vb_ascii_send(board, &app->answer, now_us + vb_ms(board, REPLY_MS));
}

const struct vb_family vb_family_pace = {.name = "pace",
                                         .factory = factory,
                                         .app_new = app_new,
                                         .app_free = app_free,
                                         .app_start = app_start,
                                         .app_byte = app_byte,
                                         /* It comes calibrated: nothing over this line does that. */
                                         .correction = vb_true_correction,
                                         .cells = CELLS,
                                         .parameters = CONFIGURATION,
                                         .from_zero = true};
