/* The monv4 application's measuring side: input registers, flags, calibration. */
#include "proto/virtual/app_monv4.h"

#include <string.h>

#define FLOWING_MA 500

static unsigned cells_of(const struct vboard *board)
{
    return monv4_word(board, SYSTEM, S_CELLS);
}

struct pack {
    int64_t sum, high, low, hot, cold; /* mV, 0.1 °C */
    int64_t ma;                        /* as measured, charge positive */
};

static struct pack measure(struct vboard *board)
{
    struct pack p = {.low = INT64_MAX, .hot = INT64_MIN, .cold = INT64_MAX};
    for (unsigned i = 0; i < cells_of(board); i++) {
        int64_t mv = vb_cell_mv(board, i);
        p.sum += mv;
        p.high = MAX(p.high, mv);
        p.low = MIN(p.low, mv);
    }
    for (unsigned i = 0; i < WIRED_SENSORS; i++) {
        int64_t tenths = vb_temperature_mdeg(board, i) / 100;
        p.hot = MAX(p.hot, tenths);
        p.cold = MIN(p.cold, tenths);
    }
    p.ma = vb_current_ma(board, false);
    return p;
}

int64_t monv4_lowest_cell(const struct vboard *board)
{
    int64_t low = INT64_MAX;
    for (unsigned i = 0; i < cells_of(board); i++)
        low = MIN(low, vb_cell_mv(board, i));
    return low;
}

static unsigned protections(struct vboard *board)
{
    const struct pack p = measure(board);
    int64_t out = -p.ma / 100, in = p.ma / 100;
    const bool active[] = {
        out > (int64_t)monv4_word(board, PROTECT, P_SC),
        p.high - p.low > (int64_t)monv4_word(board, PROTECT, P_VDF),
        out > (int64_t)monv4_word(board, PROTECT, P_OCD2),
        in > (int64_t)monv4_word(board, PROTECT, P_OCC),
        out > (int64_t)monv4_word(board, PROTECT, P_OCD),
        p.sum / 10 > (int64_t)monv4_word(board, PROTECT, P_TOV),
        p.sum / 10 < (int64_t)monv4_word(board, PROTECT, P_TUV),
        p.high > (int64_t)monv4_word(board, PROTECT, P_COV),
        p.low<(int64_t)monv4_word(board, PROTECT, P_CUV), p.ma> FLOWING_MA &&
            p.hot > monv4_signed(board, PROTECT, P_OTC),
        p.ma > FLOWING_MA &&
            p.cold<monv4_signed(board, PROTECT, P_UTC), p.hot> monv4_signed(board, PROTECT, P_OTD),
        p.cold < monv4_signed(board, PROTECT, P_UTD)};
    unsigned flags = 0;
    for (unsigned i = 0; i < G_N_ELEMENTS(active); i++)
        flags |= active[i] ? 1u << i : 0;
    return flags;
}

/* TOV, COV, TUV, CUV, OTD, OTC, UTD, UTC, OCD, OCC, VDIFF; a level of 0 is off. */
static unsigned alarms(struct vboard *board, unsigned level)
{
    const struct pack p = measure(board);
    const int64_t seen[] = {p.sum / 10, p.high, p.sum / 10,  p.low,      p.hot,         p.hot,
                            p.cold,     p.cold, -p.ma / 100, p.ma / 100, p.high - p.low};
    const bool below[] = {false, false, true, true, false, false, true, true, false, false, false};
    unsigned flags = 0;
    for (unsigned i = 0; i < G_N_ELEMENTS(seen); i++) {
        int64_t limit = monv4_signed(board, ALARM, 3 * i + level);
        bool active = limit != 0 && (below[i] ? seen[i] < limit : seen[i] > limit);
        flags |= active ? 1u << i : 0;
    }
    return flags;
}

static unsigned status(struct vboard *board)
{
    enum { STOPS_CHARGE = 1 << 3 | 1 << 5 | 1 << 7 | 1 << 9 | 1 << 10 };
    unsigned active = protections(board);
    int64_t ma = vb_current_ma(board, false);
    return (board->app->discharge_off || active & ~(unsigned)STOPS_CHARGE ? 0u : 1u << 0) |
           (board->app->charge_off || active & STOPS_CHARGE ? 0u : 1u << 1) |
           (ma < -FLOWING_MA ? 1u << 6 : 0) | (ma > FLOWING_MA ? 1u << 7 : 0);
}

static unsigned character(const char *text, unsigned i)
{
    return (unsigned)(unsigned char)text[2 * i] << 8 | (unsigned char)text[2 * i + 1];
}

static bool about(struct vboard *board, unsigned number, unsigned *value)
{
    char version[17] = "", product[17] = "", text[34] = "";
    if (number >= 0x98) {
        *value = get16(board->nvm.unique_id + 2 * (number - 0x98));
        return true;
    }
    vb_flash_intact(board, version, product);
    if (number < 0x88)
        memcpy(text, version, 16);
    else if (number < 0x90)
        g_strlcpy(text, vb_defect(board, "wrong-product") ? "MONV4-16S" : "MONV4-24S", 17);
    else
        g_strlcpy(text, vb_defect(board, "wrong-hardware") ? "MV4-Z" : "MV4-A", 17);
    *value = character(text, number % 8);
    return true;
}

/* The main page's current: nothing inside the dead band. */
static unsigned shown_current(const struct vboard *board)
{
    int64_t tenths = board->app->sample_ma / 100;
    return ABS(tenths) < (int64_t)monv4_word(board, SYSTEM, S_SHIELD) ? 0 : (unsigned)tenths & 0xffff;
}

static unsigned low_registers(struct vboard *board, unsigned number, int64_t now_us)
{
    const struct pack p = measure(board);
    int64_t wire_ma = board->app->sample_ma;
    uint64_t seconds = (uint64_t)(now_us - board->app->started_us) / 1000000;
    switch (number) {
    case 0x00:
        return 50;
    case 0x01:
        return (unsigned)(p.sum / 10);
    case 0x02:
        return shown_current(board);
    case 0x03:
        return (unsigned)((uint64_t)wire_ma >> 16) & 0xffff;
    case 0x04:
        return (unsigned)wire_ma & 0xffff;
    case 0x05:
        return monv4_word(board, CALIBRATION, C_FCC);
    case 0x06:
        return monv4_word(board, CALIBRATION, C_FCC) / 2;
    case 0x08:
        return (unsigned)(seconds >> 16) & 0xffff;
    case 0x09:
        return (unsigned)seconds & 0xffff;
    case 0x0a:
        return vb_defect(board, "nmc-cells");
    case 0x0b:
        return cells_of(board);
    case 0x0c:
        return (unsigned)p.high;
    case 0x0d:
        return (unsigned)p.low;
    case 0x0e:
        return (unsigned)p.hot & 0xffff;
    case 0x0f:
        return (unsigned)p.cold & 0xffff;
    case 0x10:
        return protections(board);
    case 0x11:
    case 0x12:
    case 0x13:
        return alarms(board, number - 0x11);
    case 0x14:
        return status(board);
    default:
        return 0;
    }
}

void monv4_sample(struct vboard *board)
{
    board->app->sample_ma = -vb_current_ma(board, true);
}

bool monv4_input(struct vboard *board, unsigned number, int64_t now_us, unsigned *value)
{
    if (number < 0x20) {
        *value = low_registers(board, number, now_us);
        return true;
    }
    if (number < 0x38) {
        *value = number - 0x20 < cells_of(board) ? (unsigned)vb_cell_mv(board, number - 0x20) : 0;
        return true;
    }
    if (number < 0x3e) {
        unsigned sensor = number - 0x38;
        int64_t tenths = sensor < WIRED_SENSORS ? vb_temperature_mdeg(board, sensor) / 100 : -400;
        *value = (unsigned)tenths & 0xffff;
        return true;
    }
    return number >= 0x80 && number < 0x9e && about(board, number, value);
}

enum exception monv4_zero(struct vboard *board)
{
    int64_t raw = vb_current_raw_ma(board, false);
    if (raw > 2000 || raw < -2000)
        return NOT_POSSIBLE;
    if (vb_defect(board, "no-zero"))
        return FINE;
    int64_t counts = (raw + (raw < 0 ? -COUNT_MA : COUNT_MA) / 2) / COUNT_MA;
    put16(vb_block(&board->live, CALIBRATION)->bytes + 2 * C_OFFSET, OFFSET_NONE + counts);
    vb_block(&board->live, DONE)->bytes[0] = 1;
    return FINE;
}

enum exception monv4_gain(struct vboard *board, int32_t truth_ma)
{
    uint8_t *calibration = vb_block(&board->live, CALIBRATION)->bytes;
    int64_t truth = -(int64_t)truth_ma, flowing = vb_true_ma(board);
    int64_t zero = ((int64_t)get16(calibration + 2 * C_OFFSET) - OFFSET_NONE) * COUNT_MA;
    int64_t net = vb_current_raw_ma(board, false) - zero;
    if (truth < 10000 || truth > 50000)
        return BAD_VALUE;
    if (flowing < 10000 || flowing > 50000 || !vb_block(&board->live, DONE)->bytes[0] || net < 5000)
        return NOT_POSSIBLE;
    int64_t gain = (truth * GAIN_ONE + net / 2) / net;
    if (gain < GAIN_ONE * 8 / 10 || gain > GAIN_ONE * 12 / 10)
        return NOT_POSSIBLE;
    put16(calibration + 2 * C_GAIN, gain);
    vb_block(&board->live, DONE)->bytes[1] = 1;
    return FINE;
}
