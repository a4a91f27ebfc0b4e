/* The seplos3 application's measuring side: readings, flags, records, calibration. */
#include "proto/virtual/app_seplos3.h"

#include <string.h>

#define ZERO_DEGREES 2731 /* 0.1 K */
#define FLOWING_MA   500
#define ONE_PPM      INT64_C(1000000)
#define ZERO_MAX_MA  2000
#define GAIN_MIN_MA  5000
#define HOUR_US      INT64_C(3600000000)
#define VOLTAGE_BAD  4000 /* ppm */

struct seplos3_correction *seplos3_corrections(struct vb_nvm *nvm)
{
    return (struct seplos3_correction *)(void *)vb_block(nvm, CORRECTION)->bytes;
}

struct pack {
    int64_t sum, high, low, ma; /* mV; charge positive */
    int heat[4], hot, cold;     /* 0.1 K */
    unsigned cells;
};

static struct pack measure(struct vboard *board)
{
    const struct seplos3_correction *c = seplos3_corrections(&board->live);
    struct pack p = {.low = INT64_MAX, .hot = INT16_MIN, .cold = INT16_MAX};
    int64_t sum = 0;
    p.cells = (unsigned)CLAMP(seplos3_parameter(board, 0x1301), 1, CELLS_MAX);
    for (unsigned i = 0; i < p.cells; i++) {
        const int64_t mv = vb_cell_mv(board, i);
        sum += mv;
        p.high = MAX(p.high, mv);
        p.low = MIN(p.low, mv);
    }
    const int64_t wrong = (int64_t)(board->nvm.unit_seed * 7919 % (2 * VOLTAGE_BAD + 1)) - VOLTAGE_BAD;
    p.sum = sum * (ONE_PPM + wrong) / ONE_PPM * c->voltage_ppm / ONE_PPM;
    for (unsigned i = 0; i < G_N_ELEMENTS(p.heat); i++) {
        p.heat[i] = (int)(vb_temperature_mdeg(board, i) / 100) + ZERO_DEGREES;
        p.hot = MAX(p.hot, p.heat[i]);
        p.cold = MIN(p.cold, p.heat[i]);
    }
    p.ma = vb_current_ma(board, false);
    return p;
}

static int heat_of(struct vboard *board, unsigned sensor)
{
    return (int)(vb_temperature_mdeg(board, sensor) / 100) + ZERO_DEGREES;
}

static unsigned pack_a(struct vboard *board, unsigned i)
{
    const struct pack p = measure(board);
    const int64_t noisy = vb_current_ma(board, true);
    const int remaining = seplos3_parameter(board, 0x135a) & 0xffff,
              total = seplos3_parameter(board, 0x1359) & 0xffff;
    const int64_t values[] = {p.sum / 10,
                              noisy / 10,
                              remaining,
                              total,
                              29,
                              total ? remaining * 1000 / total : 0,
                              1000,
                              1,
                              p.sum / p.cells,
                              (p.hot + p.cold) / 2,
                              p.high,
                              p.low,
                              p.hot,
                              p.cold,
                              0,
                              180,
                              180};
    return (unsigned)values[i] & 0xffff;
}

/* A system of one pack: this one, which is its master. Of 32 bits the low half stands first. */
static unsigned system_a(struct vboard *board, unsigned i)
{
    const struct pack p = measure(board);
    const int remaining = (int)pack_a(board, 2), total = (int)pack_a(board, 3);
    const int64_t wide[] = {
        p.sum / 10, p.ma / 100, remaining, total, 29, seplos3_parameter(board, 0x1358) & 0xffff,
        1,          0,          1800,      1800};
    const unsigned narrow[] = {576, 464, 1, pack_a(board, 7), pack_a(board, 5), pack_a(board, 6)};
    if (i < 2 * G_N_ELEMENTS(wide))
        return (unsigned)(wide[i / 2] >> (i % 2 ? 16 : 0)) & 0xffff;
    return narrow[i - 2 * G_N_ELEMENTS(wide)];
}

static unsigned system_b(struct vboard *board, unsigned i)
{
    const struct pack p = measure(board);
    const int64_t values[] = {p.high, p.low, 0, 0, p.sum / 10, p.sum / 10, 0, 0};
    return (unsigned)values[i];
}

bool seplos3_input(struct vboard *board, unsigned number, unsigned *value)
{
    if (number >= EIA && number < EIA + 26) {
        *value = system_a(board, number - EIA);
        return true;
    }
    if (number >= EIB && number < EIB + 8) {
        *value = system_b(board, number - EIB);
        return true;
    }
    if (number >= PIA && number < PIA + 17) {
        *value = pack_a(board, number - PIA);
        return true;
    }
    if (number < PIB || number >= PIB + 26)
        return false;
    const struct pack p = measure(board);
    const unsigned i = number - PIB;
    if (i < CELLS_MAX)
        *value = i < p.cells ? (unsigned)vb_cell_mv(board, i) : 0;
    else if (i < CELLS_MAX + G_N_ELEMENTS(p.heat))
        *value = (unsigned)p.heat[i - CELLS_MAX];
    else
        *value = i < 24 ? ZERO_DEGREES : (unsigned)heat_of(board, i == 24 ? 5 : 4);
    return true;
}

/* A function switch that is off mutes its event. */
static void set(struct vboard *board, bool *coils, unsigned event, unsigned function, unsigned bit, bool on)
{
    coils[event + bit] = on && vb_block(&board->live, SFA)->bytes[function + bit];
}

static void voltage_events(struct vboard *board, const struct pack *p, bool *coils)
{
    const int64_t high[] = {p->high,     p->high,     -p->low,      -p->low,
                            p->sum / 10, p->sum / 10, -p->sum / 10, -p->sum / 10};
    const unsigned limits[] = {0x130b, 0x130d, 0x130f, 0x1311, 0x1303, 0x1305, 0x1307, 0x1309};
    for (unsigned bit = 0; bit < G_N_ELEMENTS(limits); bit++) {
        const int64_t limit = seplos3_parameter(board, limits[bit]);
        set(board, coils, C_VOLTAGE, 0, bit, high[bit] > (high[bit] < 0 ? -limit : limit));
    }
}

static void other_events(struct vboard *board, const struct pack *p, bool *coils)
{
    const bool in = p->ma > FLOWING_MA, out = p->ma < -FLOWING_MA;
    set(board, coils, C_CELL_HEAT, 8, 1, in && p->hot > seplos3_parameter(board, 0x1332));
    set(board, coils, C_CELL_HEAT, 8, 3, in && p->cold < seplos3_parameter(board, 0x1336));
    set(board, coils, C_CELL_HEAT, 8, 5, p->hot > seplos3_parameter(board, 0x133a));
    set(board, coils, C_CELL_HEAT, 8, 7, p->cold < seplos3_parameter(board, 0x133e));
    set(board, coils, C_CURRENT, 32, 1, in && p->ma / 1000 > seplos3_parameter(board, 0x1317));
    set(board, coils, C_CURRENT, 32, 4, out && p->ma / 1000 < seplos3_parameter(board, 0x131d));
}

void seplos3_coils(struct vboard *board, bool coils[PIC_COILS])
{
    const struct pack p = measure(board);
    const struct vb_app *app = board->app;
    memset(coils, 0, PIC_COILS * sizeof *coils);
    voltage_events(board, &p, coils);
    other_events(board, &p, coils);
    coils[C_STATE] = p.ma < -FLOWING_MA;
    coils[C_STATE + 1] = p.ma > FLOWING_MA;
    coils[C_STATE + 4] = !coils[C_STATE] && !coils[C_STATE + 1];
    const bool no_charge = coils[C_VOLTAGE + 1] || coils[C_VOLTAGE + 5] || coils[C_CURRENT + 1] ||
                           coils[C_CELL_HEAT + 1] || coils[C_CELL_HEAT + 3];
    const bool no_discharge = coils[C_VOLTAGE + 3] || coils[C_VOLTAGE + 7] || coils[C_CURRENT + 4] ||
                              coils[C_CELL_HEAT + 5] || coils[C_CELL_HEAT + 7];
    coils[C_FET] = !app->discharge_off && !no_discharge;
    coils[C_FET + 1] = !app->charge_off && !no_charge;
    coils[C_FET + 2] =
        !app->limiter_off && coils[C_FET + 1] && p.ma > 1000 * seplos3_parameter(board, 0x1316);
    coils[C_FET + 3] = app->heater_on;
}

void seplos3_date(uint8_t p[DATE_SIZE], int64_t wall_us)
{
    g_autoptr(GDateTime) shown = g_date_time_new_from_unix_utc(wall_us / 1000000);
    const int year = g_date_time_get_year(shown);
    const int parts[] = {year & 0xff,
                         year >> 8,
                         g_date_time_get_month(shown),
                         g_date_time_get_day_of_month(shown),
                         g_date_time_get_hour(shown),
                         g_date_time_get_minute(shown),
                         g_date_time_get_second(shown),
                         0};
    for (unsigned i = 0; i < DATE_SIZE; i++)
        p[i] = (uint8_t)parts[i];
}

/* Newest first, one an hour; the fourth tells an overvoltage. */
void seplos3_record(struct vboard *board, unsigned place, uint8_t record[RECORD_SIZE], int64_t now_us)
{
    const struct pack p = measure(board);
    const int64_t wall = board->nvm.rtc_us + now_us - board->rtc_at_us;
    memset(record, 0, RECORD_SIZE);
    vb_put32(record, board->nvm.history_count - 1 - place);
    seplos3_date(record + 4, wall - (int64_t)(place + 1) * HOUR_US);
    record[12] = 0x10;
    record[13] = place % 4 == 3 ? 0x02 : 0;
    record[19] = place % 4 == 3 ? 0x01 : 0x03;
    vb_put16(record + 22, p.sum / 10);
    vb_put16(record + 24, place % 4 == 3 ? 1200 : 0);
    vb_put16(record + 26, seplos3_parameter(board, 0x135a));
    for (unsigned i = 0; i < CELLS_MAX; i++)
        vb_put16(record + 28 + 2 * i, i < p.cells ? vb_cell_mv(board, i) : 0);
    for (unsigned i = 0; i < 8; i++)
        vb_put16(record + 60 + 2 * i, i < 4 ? p.heat[i] : ZERO_DEGREES);
    vb_put16(record + 76, heat_of(board, 5));
    vb_put16(record + 78, heat_of(board, 4));
}

enum vb_exception seplos3_zero(struct vboard *board)
{
    struct seplos3_correction *c = seplos3_corrections(&board->live);
    if (ABS(vb_current_raw_ma(board, false)) > ZERO_MAX_MA)
        return VB_NOT_POSSIBLE;
    if (vb_defect(board, "no-zero"))
        return VB_FINE;
    c->zero_ma = vb_current_raw_ma(board, false);
    c->zero_done = true;
    return VB_FINE;
}

enum vb_exception seplos3_gain(struct vboard *board, int64_t truth_ma)
{
    struct seplos3_correction *c = seplos3_corrections(&board->live);
    const int64_t net = vb_current_raw_ma(board, false) - c->zero_ma;
    if (ABS(net) < GAIN_MIN_MA || !c->zero_done)
        return VB_NOT_POSSIBLE;
    const int64_t gain = truth_ma * ONE_PPM / net;
    if (gain < ONE_PPM * 8 / 10 || gain > ONE_PPM * 12 / 10)
        return VB_BAD_VALUE;
    c->gain_ppm = gain;
    return VB_FINE;
}

enum vb_exception seplos3_voltage(struct vboard *board, int64_t truth_mv)
{
    struct seplos3_correction *c = seplos3_corrections(&board->live);
    const int64_t raw = measure(board).sum * ONE_PPM / c->voltage_ppm;
    const int64_t factor = raw ? truth_mv * ONE_PPM / raw : 0;
    if (factor < ONE_PPM * 9 / 10 || factor > ONE_PPM * 11 / 10)
        return VB_BAD_VALUE;
    c->voltage_ppm = factor;
    return VB_FINE;
}
