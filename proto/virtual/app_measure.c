/* The basen application's measuring side: status, telemetry, calibration. */
#include "proto/virtual/app_basen.h"

static unsigned parameter(struct vboard *board, unsigned row)
{
    return get16(vb_block(&board->live, 0x01)->bytes + 2 * row);
}

static bool enabled(struct vboard *board, unsigned i)
{
    return vb_block(&board->live, 0x04)->bytes[i];
}

struct status {
    unsigned voltage, current, heat;
};

static struct status status_of(struct vboard *board, unsigned cells)
{
    struct status s = {0};
    int64_t low = INT64_MAX, high = 0, sum = 0, ma = vb_current_ma(board, false);
    for (unsigned i = 0; i < cells; i++) {
        int64_t mv = vb_cell_mv(board, i);
        low = MIN(low, mv);
        high = MAX(high, mv);
        sum += mv;
    }
    int64_t hot = vb_temperature_mdeg(board, 0) / 100;
    s.voltage |= enabled(board, 0) && high > parameter(board, 0) ? 1u : 0;
    s.voltage |= enabled(board, 1) && low < parameter(board, 3) ? 2u : 0;
    s.voltage |= enabled(board, 2) && sum / 10 > parameter(board, 6) ? 4u : 0;
    s.voltage |= enabled(board, 3) && sum / 10 < parameter(board, 9) ? 8u : 0;
    s.current |= enabled(board, 4) && ma / 100 > (int64_t)parameter(board, 14) ? 4u : 0;
    s.current |= enabled(board, 5) && -ma / 100 > (int64_t)parameter(board, 16) ? 16u : 0;
    s.heat |= enabled(board, 9) && hot > (int16_t)parameter(board, 22) && ma > 0 ? 1u : 0;
    s.heat |= enabled(board, 10) && hot > (int16_t)parameter(board, 25) ? 4u : 0;
    s.heat |= enabled(board, 11) && hot < (int16_t)parameter(board, 28) && ma > 0 ? 2u : 0;
    s.heat |= enabled(board, 12) && hot < (int16_t)parameter(board, 31) ? 8u : 0;
    return s;
}

uint8_t basen_telemetry(struct vboard *board)
{
    const uint8_t *config = vb_block(&board->live, 0x03)->bytes;
    const uint8_t *theft = vb_block(&board->live, 0x05)->bytes;
    unsigned cells = config[12];
    int64_t sum = 0, ma = vb_current_ma(board, true);
    struct status s = status_of(board, cells);
    bool locked = theft[6], blocked = s.voltage || s.current || s.heat;
    for (unsigned i = 0; i < cells; i++)
        sum += vb_cell_mv(board, i);
    uint32_t full = MAX(get32(config), 1), left = get32(config + 4);
    out8(board, 0);
    out16(board, (int64_t)left * 10000 / full);
    out16(board, sum / 10);
    out8(board, cells);
    for (unsigned i = 0; i < cells; i++)
        out16(board, vb_cell_mv(board, i));
    out16(board, vb_temperature_mdeg(board, 5) / 100);
    out16(board, vb_temperature_mdeg(board, 0) / 100);
    out16(board, vb_temperature_mdeg(board, 4) / 100);
    out8(board, 4);
    for (unsigned i = 0; i < 4; i++)
        out16(board, vb_temperature_mdeg(board, i) / 100);
    out16(board, ma / 10);
    out16(board, 12);
    out16(board, 100);
    out8(board, 13);
    out16(board, MIN(full / 10, 0xffff));
    out16(board, MIN(left / 10, 0xffff));
    out16(board, 0);
    out16(board, s.voltage);
    out16(board, s.current);
    out16(board, s.heat);
    out16(board, 0);
    out16(board, (board->app->discharge_off || locked || blocked ? 0 : 1) |
                     (board->app->charge_off || blocked ? 0 : 2));
    for (unsigned i = 0; i < 10; i++)
        out16(board, 0);
    out8(board, 0x04 | (ma > 500 ? 0x10 : 0) | (ma < -500 ? 0x08 : 0));
    out16(board, (ma > 500 ? 1 : 0) | (locked ? 0x20 : 0));
    return OK;
}

static uint8_t calibrate_zero(struct vboard *board, uint8_t *constants)
{
    int64_t raw = vb_current_raw_ma(board, false);
    if (raw > 2000 || raw < -2000)
        return FAILED;
    if (vb_defect(board, "no-zero"))
        return OK;
    put16(constants, (raw + (raw < 0 ? -5 : 5)) / 10);
    constants[10] = 1;
    return OK;
}

static uint8_t calibrate_gain(struct vboard *board, uint8_t *constants, int32_t truth_ma)
{
    int64_t net = vb_current_raw_ma(board, false) - (int16_t)get16(constants) * 10;
    if (vb_true_ma(board) < 10000 || vb_true_ma(board) > 50000 || !constants[10] || truth_ma < 10000 ||
        truth_ma > 50000 || net < 5000)
        return FAILED;
    int64_t gain = ((int64_t)truth_ma * GAIN_ONE + net / 2) / net;
    if (gain < GAIN_ONE * 8 / 10 || gain > GAIN_ONE * 12 / 10)
        return FAILED;
    put16(constants + 2, gain);
    constants[11] = 1;
    return OK;
}

static uint8_t calibrate_temperature(struct vboard *board, uint8_t *constants, unsigned sensor,
                                     int truth_tenths)
{
    if (sensor >= VB_SENSORS)
        return BAD_DATA;
    int64_t offset = truth_tenths - vb_temperature_raw_mdeg(board, sensor) / 100;
    if (offset < -50 || offset > 50)
        return FAILED;
    constants[4 + sensor] = (uint8_t)(int8_t)offset;
    return OK;
}

uint8_t basen_calibrate(struct vboard *board, const uint8_t *info, unsigned n, int64_t now_us)
{
    uint8_t *constants = vb_block(&board->live, 0x06)->bytes, rtn = BAD_FORMAT;
    if (board->app->level < 1)
        return NO_PERMISSION;
    if (n == 1 && info[0] == 0x01)
        rtn = calibrate_zero(board, constants);
    else if (n == 5 && info[0] == 0x02)
        rtn = calibrate_gain(board, constants, (int32_t)get32(info + 1));
    else if (n == 4 && info[0] == 0x03)
        rtn = calibrate_temperature(board, constants, info[1], (int16_t)get16(info + 2));
    else if (n == 1 && info[0] == 0x0f) {
        memset(constants, 0, 12);
        put16(constants + 2, GAIN_ONE);
        rtn = OK;
    }
    if (rtn == OK)
        board->commit_us = now_us + vb_ms(board, COMMIT_MS);
    return rtn;
}
