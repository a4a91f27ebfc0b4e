/* Inside the boards of family daly: what their three services share, the numbers of their memory, and what
 * they measure. */
#pragma once

#include "proto/virtual/parts.h"

#define CELLS    16
#define SENSORS  2
#define ZERO_RAW 30000 /* of a current in 0.1 A */
#define HEAT_RAW 40    /* of a temperature in °C */
#define REST_MA  500   /* a smaller current is rest */

/* Blocks of the memory: as the register map numbers them, and what it has no number for. */
enum {
    B_SETTINGS = 0x80, /* to A8 */
    B_CODE = 0xb9,
    B_PASSWORD = 0xc9,
    B_DATE = 0xcc,
    B_BATTERY_CODE = 0x57,
    B_ZERO = 1 /* of the current: i32 mA */
};
enum {
    S_RATED = 0x80 - B_SETTINGS,
    S_REFERENCE = 0x81 - B_SETTINGS,
    S_BOARDS = 0x82 - B_SETTINGS,
    S_CELLS = 0x83 - B_SETTINGS,
    S_CHEMISTRY = 0x89 - B_SETTINGS,
    S_CELL_HIGH = 0x8b - B_SETTINGS,
    S_CHARGE = 0xa5 - B_SETTINGS,
    S_DISCHARGE = 0xa6 - B_SETTINGS,
    S_SOC = 0xa7 - B_SETTINGS,
    SETTINGS = 41
};
#define BATTERY_CODE 35

struct vb_app {
    uint8_t frame[300];
    unsigned n;
    int64_t heard_us;
    uint8_t beat;
};

static inline unsigned daly_get16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static inline void daly_put16(uint8_t *p, int64_t value)
{
    p[0] = (uint8_t)((uint64_t)value >> 8);
    p[1] = (uint8_t)value;
}

static inline uint8_t *daly_setting(struct vboard *board, unsigned i)
{
    return vb_block(&board->live, B_SETTINGS)->bytes + 2 * i;
}

/* app_daly.c */
void daly_factory(struct vboard *board);
struct vb_app *daly_app_new(void);
void daly_app_free(struct vb_app *app);
void daly_app_start(struct vboard *board, int64_t now_us);
void daly_correction(const struct vboard *board, struct vb_correction *correction);
void daly_commit(struct vboard *board, int64_t now_us);
int64_t daly_cell_mv(const struct vboard *board, unsigned cell);
int64_t daly_pack_mv(const struct vboard *board);
/* 0.1 A as it goes on the wire, sign: of a charge; and what the board calls it: 0 rest, 1 charge, 2
 * discharge. */
unsigned daly_current(struct vboard *board, int sign, unsigned *direction);
/* Bytes 0 to 6 of the failure status. */
void daly_failures(struct vboard *board, uint8_t bytes[7]);
