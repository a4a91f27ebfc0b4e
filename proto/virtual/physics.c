/* What the board's sensors see, with errors that come from the unit seed and corrections that calibration
 * made. */
#include "proto/virtual/parts.h"

#define ZERO_ERROR_MA   1500
#define GAIN_ERROR_PPM  30000
#define NOISE_MA        20
#define WILD_NOISE_MA   2000
#define BEND_MA         30000
#define HEAT_ERROR_MDEG 2000
#define CELL_MV         3300
#define CELL_NMC_MV     3700
#define CELL_SPREAD_MV  8

/* The n-th fixed error of this unit, within ±span. */
static int64_t unit_error(const struct vboard *board, unsigned n, int64_t span)
{
    uint64_t state = board->nvm.unit_seed * 1000003u + n;
    return (int64_t)(vb_random(&state) % (uint64_t)(2 * span + 1)) - span;
}

void vb_true_correction(const struct vboard *board, struct vb_correction *c)
{
    c->zero_ma = unit_error(board, 2, ZERO_ERROR_MA);
    c->gain_num = 1000000;
    c->gain_den = 1000000 + unit_error(board, 1, GAIN_ERROR_PPM);
    for (unsigned i = 0; i < VB_SENSORS; i++)
        c->heat_mdeg[i] = -(unit_error(board, 10 + i, HEAT_ERROR_MDEG) / 100 * 100);
}

static struct vb_correction correction(const struct vboard *board)
{
    struct vb_correction correction = {.gain_num = 1, .gain_den = 1};
    board->family->correction(board, &correction);
    return correction;
}

int64_t vb_true_ma(const struct vboard *board)
{
    return board->bench_output ? board->bench_ma : 0;
}

/* What an amplifier makes of it that is near its end. */
static int64_t bent(const struct vboard *board, int64_t ma)
{
    int64_t more = ABS(ma) - BEND_MA;
    return more > 0 && vb_defect(board, "bent-current") ? ma + (ma < 0 ? more : -more) / 10 : ma;
}

int64_t vb_current_raw_ma(struct vboard *board, bool noisy)
{
    int64_t true_ma = bent(board, vb_true_ma(board));
    int64_t noise = vb_defect(board, "noisy-current") ? WILD_NOISE_MA : NOISE_MA;
    int64_t raw = true_ma + true_ma * unit_error(board, 1, GAIN_ERROR_PPM) / 1000000 +
                  unit_error(board, 2, ZERO_ERROR_MA);
    if (noisy)
        raw += (int64_t)(vb_random(&board->noise) % (uint64_t)(2 * noise + 1)) - noise;
    return raw;
}

int64_t vb_current_ma(struct vboard *board, bool noisy)
{
    const struct vb_correction c = correction(board);
    return (vb_current_raw_ma(board, noisy) - c.zero_ma) * c.gain_num / c.gain_den;
}

int64_t vb_cell_mv(const struct vboard *board, unsigned cell)
{
    return (vb_defect(board, "nmc-cells") ? CELL_NMC_MV : CELL_MV) +
           unit_error(board, 100 + cell, CELL_SPREAD_MV);
}

int64_t vboard_bench_cells_mv(struct vboard *board)
{
    int64_t sum = 0;
    for (unsigned i = 0; i < board->family->cells; i++)
        sum += vb_cell_mv(board, i);
    return sum / board->family->cells;
}

int64_t vb_temperature_raw_mdeg(struct vboard *board, unsigned sensor)
{
    return board->bench_mdeg + unit_error(board, 10 + sensor, HEAT_ERROR_MDEG) / 100 * 100;
}

int64_t vb_temperature_mdeg(struct vboard *board, unsigned sensor)
{
    return vb_temperature_raw_mdeg(board, sensor) + correction(board).heat_mdeg[sensor];
}
