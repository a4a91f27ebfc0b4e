/* Inside the basen application: its state, and bytes in and out. */
#pragma once

#include "proto/virtual/ascii.h"

#define INFO_MAX   600
#define REPLY_MS   2
#define COMMIT_MS  20
#define TRIES_MAX  3
#define HISTORY_MS 400
#define CELLS_MIN  8
#define CELLS_MAX  16
#define GAIN_ONE   32768
#define DRIFT_PPM  20
#define SILENCE_H  48    /* when the communication time is 0 */
#define PASSWORD   0x100 /* block that no request reaches: the administrator's; blank = those of the manual */

enum rtn {
    OK = 0x00,
    BAD_COMMAND = 0x04,
    BAD_FORMAT = 0x05,
    BAD_DATA = 0x06,
    NO_HISTORY = 0x07,
    BAD_CID1 = 0xe1,
    FAILED = 0xe2,
    NO_PERMISSION = 0xe4
};

extern const struct vb_family vb_family_basen;

struct vb_app {
    struct vb_ascii line;
    int level;
    unsigned wrong_logins, wrong_codes;
    int64_t heard_us, record_us;
    bool history_open;
    unsigned record;
    uint8_t reply[INFO_MAX];
    unsigned reply_n;
    bool charge_off, discharge_off;
};

static inline void put16(uint8_t *p, int64_t value)
{
    p[0] = (uint8_t)((uint64_t)value >> 8);
    p[1] = (uint8_t)value;
}

static inline void put32(uint8_t *p, uint64_t value)
{
    put16(p, (int64_t)(value >> 16));
    put16(p + 2, (int64_t)(value & 0xffff));
}

static inline uint32_t get16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static inline uint32_t get32(const uint8_t *p)
{
    return get16(p) << 16 | get16(p + 2);
}

/* The reply under construction. */
static inline void out8(struct vboard *board, unsigned value)
{
    board->app->reply[board->app->reply_n++] = (uint8_t)value;
}

static inline void out16(struct vboard *board, int64_t value)
{
    put16(board->app->reply + board->app->reply_n, value);
    board->app->reply_n += 2;
}

/* app_measure.c: what needs physics. Each answers a return code and fills the reply. */
uint8_t basen_telemetry(struct vboard *board);
uint8_t basen_calibrate(struct vboard *board, const uint8_t *info, unsigned n, int64_t now_us);
