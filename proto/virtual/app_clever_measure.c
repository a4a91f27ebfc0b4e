/* The clever application's measuring side: readings, states, calibration, records. */
#include "proto/virtual/app_clever.h"

#include <string.h>
#include <time.h>

#define FLOWS_MA 500

static unsigned word(struct vboard *board, enum clever_block number, unsigned offset, unsigned width)
{
    return vb_get(clever_bytes(board, number) + offset, width);
}

static unsigned cells_of(struct vboard *board)
{
    return word(board, CLEVER_PARAMETER, AT_CELLS, 1);
}

/* The wire has ambient before MOS, calibration counts MOS first. */
static int64_t wire_temperature(struct vboard *board, unsigned i)
{
    unsigned n = clever_sensors(board);
    unsigned sensor = i + 2 < n ? i : i + 2 == n ? n - 1 : n - 2;
    int64_t mdeg = vb_temperature_mdeg(board, sensor);
    return CLAMP((mdeg + 40000 + 500) / 1000, 0, 0xfffe);
}

struct pack {
    int64_t low, high, sum;
};

static struct pack measure(struct vboard *board)
{
    struct pack pack = {INT64_MAX, 0, 0};
    for (unsigned i = 0; i < cells_of(board); i++) {
        int64_t mv = vb_cell_mv(board, i);
        pack.low = MIN(pack.low, mv);
        pack.high = MAX(pack.high, mv);
        pack.sum += mv;
    }
    return pack;
}

uint8_t clever_analog(struct vboard *board)
{
    struct vb_answer *a = &board->app->answer;
    bool documented = vb_defect(board, "as-documented");
    unsigned design = word(board, CLEVER_SYSTEM, AT_FULL, 4);
    unsigned left = word(board, CLEVER_SYSTEM, AT_REMAINING, 4);
    if (documented)
        vb_add(a, 0, 1);
    vb_add(a, board->address, 1);
    vb_add(a, cells_of(board), 1);
    for (unsigned i = 0; i < cells_of(board); i++)
        vb_add(a, vb_cell_mv(board, i), 2);
    vb_add(a, clever_sensors(board), 1);
    for (unsigned i = 0; i < clever_sensors(board); i++)
        vb_add(a, wire_temperature(board, i), 2);
    vb_add(a, vb_current_ma(board, true) / 10, 2);
    vb_add(a, MIN(measure(board).sum / 10, 0xffff), 2);
    vb_add(a, MIN(left / 10, 0xffff), 2);
    vb_add(a, documented ? 5 : 6, 1);
    vb_add(a, MIN(design / 10, 0xffff), 2);
    vb_add(a, word(board, CLEVER_SYSTEM, AT_CYCLES, 4), 2);
    vb_add(a, MIN((uint64_t)left * 100 / MAX(design, 1), 100), 1);
    vb_add(a, 100, 1);
    vb_add(a, 0, 2);
    vb_add(a, 0, documented ? 1 : 4);
    return CLEVER_OK;
}

static bool enabled(struct vboard *board, unsigned i)
{
    return clever_bytes(board, CLEVER_ENABLE)[i];
}

static int threshold(struct vboard *board, unsigned offset)
{
    return (int8_t)clever_bytes(board, CLEVER_PROTECT)[offset];
}

static uint8_t protections(struct vboard *board, const struct pack *pack, int64_t ma)
{
    uint8_t bits = 0;
    bits |=
        enabled(board, EN_PROTECTIONS + 3) && pack->high > word(board, CLEVER_PROTECT, AT_CELL_OV, 2) ? 1 : 0;
    bits |=
        enabled(board, EN_PROTECTIONS + 2) && pack->low < word(board, CLEVER_PROTECT, AT_CELL_UV, 2) ? 2 : 0;
    bits |=
        enabled(board, EN_PROTECTIONS + 1) && pack->sum > word(board, CLEVER_PROTECT, AT_PACK_OV, 4) ? 4 : 0;
    bits |= enabled(board, EN_PROTECTIONS) && pack->sum < word(board, CLEVER_PROTECT, AT_PACK_UV, 4) ? 8 : 0;
    bits |= enabled(board, EN_PROTECTIONS + 12) && ma > word(board, CLEVER_PROTECT, AT_CHARGE_OC, 4) ? 16 : 0;
    bits |= enabled(board, EN_PROTECTIONS + 13) && -ma > word(board, CLEVER_PROTECT, AT_DISCHARGE_OC1, 4) ? 32
                                                                                                          : 0;
    return bits;
}

static uint8_t heat_protections(struct vboard *board, int64_t ma)
{
    int64_t deg = vb_temperature_mdeg(board, 0) / 1000;
    uint8_t bits = 0;
    bits |= enabled(board, EN_PROTECTIONS + 9) && ma > 0 && deg > threshold(board, AT_CHARGE_OT) ? 1 : 0;
    bits |= enabled(board, EN_PROTECTIONS + 8) && ma > 0 && deg < threshold(board, AT_CHARGE_UT) ? 2 : 0;
    bits |= enabled(board, EN_PROTECTIONS + 11) && deg > threshold(board, AT_DISCHARGE_OT) ? 4 : 0;
    bits |= enabled(board, EN_PROTECTIONS + 10) && deg < threshold(board, AT_DISCHARGE_UT) ? 8 : 0;
    return bits;
}

/* Limiting starts at its own condition alone, and is looked at again after it was switched off. */
bool clever_may_limit(struct vboard *board)
{
    return enabled(board, EN_LIMITED) &&
           vb_current_ma(board, false) > word(board, CLEVER_PROTECT, AT_LIMITER, 4);
}

uint8_t clever_states(struct vboard *board)
{
    enum { STATES = 15 };
    struct vb_answer *a = &board->app->answer;
    const struct pack pack = measure(board);
    int64_t ma = vb_current_ma(board, false);
    uint8_t states[STATES] = {0};
    bool documented = vb_defect(board, "as-documented");
    bool high = enabled(board, EN_ALARMS + 3) && pack.high > word(board, CLEVER_PARAMETER, AT_CELL_HIGH, 2);
    bool low = enabled(board, EN_ALARMS + 2) && pack.low < word(board, CLEVER_PARAMETER, AT_CELL_LOW, 2);
    states[0] = (uint8_t)((high ? 1 : 0) | (low ? 2 : 0));
    states[1] = protections(board, &pack, ma);
    states[3] = heat_protections(board, ma);
    bool blocked = states[1] || states[3];
    states[4] = (uint8_t)((ma > FLOWS_MA ? 0x40 : 0) | (ma < -FLOWS_MA ? 0x80 : 0));
    states[5] = (uint8_t)((enabled(board, EN_DFET) && !board->app->discharge_off && !blocked ? 1 : 0) |
                          (enabled(board, EN_CFET) && !board->app->charge_off && !blocked ? 2 : 0) |
                          (enabled(board, EN_LIMITED) ? 0x20 : 0) | (board->app->limiting ? 0x40 : 0));
    states[6] = (uint8_t)((enabled(board, EN_HEATING) ? 1 : 0) | (enabled(board, EN_RADIATING) ? 4 : 0) |
                          (enabled(board, EN_BUZZER) ? 0x10 : 0) | (enabled(board, EN_LED) ? 0x40 : 0));
    if (documented)
        vb_add(a, 0, 1);
    vb_add(a, board->address, 1);
    vb_add(a, cells_of(board), 1);
    for (unsigned i = 0; i < cells_of(board); i++)
        vb_add(a,
               high && vb_cell_mv(board, i) > word(board, CLEVER_PARAMETER, AT_CELL_HIGH, 2) ? 2
               : low && vb_cell_mv(board, i) < word(board, CLEVER_PARAMETER, AT_CELL_LOW, 2) ? 1
                                                                                             : 0,
               1);
    vb_add(a, clever_sensors(board), 1);
    for (unsigned i = 0; i < clever_sensors(board); i++)
        vb_add(a, 0, 1);
    vb_add(a, 0, 4); /* current, voltage, short circuits */
    vb_add(a, documented ? 10 : STATES, 1);
    memcpy(a->info + a->n, states, STATES);
    a->n += STATES;
    vb_add(a, 0, documented ? 2 : 1);
    return CLEVER_OK;
}

static uint8_t zero(struct vboard *board, uint8_t *constants)
{
    int64_t raw = vb_current_raw_ma(board, false);
    if (raw > 2000 || raw < -2000)
        return CLEVER_FAILED;
    if (vb_defect(board, "no-zero"))
        return CLEVER_OK;
    vb_put(constants + AT_ZERO, (raw + (raw < 0 ? -5 : 5)) / 10, 2);
    constants[AT_ZERO_DONE] = 1;
    return CLEVER_OK;
}

static uint8_t temperature(struct vboard *board, uint8_t *constants, unsigned sensor, int truth_tenths)
{
    if (sensor >= clever_sensors(board))
        return CLEVER_BAD_DATA;
    int64_t offset = truth_tenths - vb_temperature_raw_mdeg(board, sensor) / 100;
    if (offset < -50 || offset > 50)
        return CLEVER_FAILED;
    constants[AT_HEAT + sensor] = (uint8_t)(int8_t)offset;
    return CLEVER_OK;
}

/* This version opens the zero alone: no gain, and voltages are of old boards. */
uint8_t clever_calibrate(struct vboard *board, const uint8_t *info, unsigned n)
{
    uint8_t *constants = clever_bytes(board, CLEVER_CALIBRATION);
    if (n == 1 && info[0] == 0x01)
        return zero(board, constants);
    if (n == 4 && info[0] == 0x03)
        return temperature(board, constants, info[1], (int16_t)vb_get(info + 2, 2));
    if (n == 1 && info[0] == 0x0f) {
        memset(constants, 0, AT_ZERO_DONE + 1);
        return CLEVER_OK;
    }
    return n ? CLEVER_BAD_DATA : CLEVER_BAD_FORMAT;
}

void clever_record(struct vboard *board, uint8_t *p, unsigned id, unsigned code, int64_t wall_us)
{
    const struct pack pack = measure(board);
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    vb_put(p, id, 4);
    const uint8_t time[] = {(uint8_t)(tm.tm_year - 100), (uint8_t)(tm.tm_mon + 1), (uint8_t)tm.tm_mday,
                            (uint8_t)tm.tm_hour,         (uint8_t)tm.tm_min,       (uint8_t)tm.tm_sec};
    memcpy(p + 4, time, sizeof time);
    vb_put(p + 10, code, 2);
    vb_put(p + 12, cells_of(board), 1);
    vb_put(p + 13, MIN(pack.sum / 10, 0xffff), 2);
    vb_put(p + 15, 0, 2);
    vb_put(p + 17, 50, 1);
    vb_put(p + 18, pack.high, 2);
    vb_put(p + 20, pack.low, 2);
    vb_put(p + 22, vb_temperature_mdeg(board, 0) / 100, 2);
}
