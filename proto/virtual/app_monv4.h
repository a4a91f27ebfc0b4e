/* Inside the monv4 application: its state, its registers, and what both of its files need. */
#pragma once

#include "proto/virtual/parts.h"

/* Blocks of non-volatile memory are numbered by their first register. */
enum {
    SYSTEM = 0x0100,
    PROTECT = 0x0118,
    CALIBRATION = 0x0150,
    ALARM = 0x016a,
    SLEEP = 0x018b,
    SERIAL = 0x0700
};
#define DONE 0xff00 /* not on the wire: zero and gain calibration were done */

/* Registers inside their blocks. */
enum {
    S_ADDRESS = 0,
    S_BAUD = 1,
    S_CELLS = 5,
    S_AFE_M = 6,
    S_AFE_S = 7,
    S_SHIELD = 14,
    S_CTRL_PLY = 21,
    S_NC = 23,
    S_FCC = 8
};
enum {
    P_TOV = 0,
    P_COV = 4,
    P_TUV = 8,
    P_CUV = 12,
    P_OTD = 16,
    P_OTC = 20,
    P_UTD = 24,
    P_UTC = 28,
    P_OCD = 32,
    P_OCC = 36,
    P_OCD2 = 40,
    P_SC = 44,
    P_VDF = 45,
    P_BALPER = 48
};
enum { C_GAIN = 0, C_OFFSET = 1, C_HEAT = 2, C_VOL = 5, C_FCC = 16, C_LOW_RSOC = 25 };
enum {
    VOLS = 11,
    CELLS_MAX = 24,
    SENSORS = 6,
    WIRED_SENSORS = 4,
    GAIN_ONE = 82,
    OFFSET_NONE = 16380,
    COUNT_MA = 25
};

enum exception { FINE = 0, BAD_FUNCTION = 1, BAD_ADDRESS = 2, BAD_VALUE = 3, NOT_POSSIBLE = 4, BUSY = 6 };

struct vb_app {
    uint8_t frame[260];
    unsigned n;
    int64_t heard_us; /* the last byte of a frame under way */
    int64_t started_us;
    int64_t restored_us; /* when RESTORE ends; INT64_MAX = none runs */
    int64_t low_since_us[3];
    int64_t sample_ma; /* the current, charge negative: one sample for all registers of a request */
    bool charge_off, discharge_off;
};

static inline unsigned get16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static inline void put16(uint8_t *p, int64_t value)
{
    p[0] = (uint8_t)((uint64_t)value >> 8);
    p[1] = (uint8_t)value;
}

/* A register of the live state. */
static inline unsigned monv4_word(const struct vboard *board, unsigned block, unsigned i)
{
    return get16(vb_block((struct vb_nvm *)&board->live, block)->bytes + 2 * i);
}

static inline int monv4_signed(const struct vboard *board, unsigned block, unsigned i)
{
    return (int16_t)monv4_word(board, block, i);
}

/* app_monv4_measure.c: input registers and what needs physics. */
void monv4_sample(struct vboard *board); /* before the first monv4_input of a request */
bool monv4_input(struct vboard *board, unsigned number, int64_t now_us, unsigned *value);
enum exception monv4_zero(struct vboard *board);
enum exception monv4_gain(struct vboard *board, int32_t truth_ma);
int64_t monv4_lowest_cell(const struct vboard *board);
