/* A Modbus server for virtual boards, RTU and TCP, written from the standard alone: frames in and out. What
 * the registers mean is the application's. */
#pragma once

#include "proto/virtual/parts.h"

enum vb_exception {
    VB_FINE = 0,
    VB_BAD_FUNCTION = 1,
    VB_BAD_ADDRESS = 2,
    VB_BAD_VALUE = 3,
    VB_NOT_POSSIBLE = 4,
    VB_BUSY = 6,
    VB_NO_RECORD = 0x81
};

struct vb_request {
    unsigned function, first, count;
    const uint8_t *data; /* of a write */
};

struct vb_answer { /* of a read */
    unsigned n;
    uint8_t data[250];
};

struct vb_modbus {
    uint8_t frame[270];
    unsigned n;
    int64_t heard_us; /* the last byte of a frame under way */
};

struct vb_modbus_kind {
    bool tcp;
    const uint8_t *functions; /* the board knows; ends with 0 */
    enum vb_exception (*serve)(struct vboard *board, const struct vb_request *request,
                               struct vb_answer *answer, int64_t now_us);
};

void vb_modbus_byte(struct vboard *board, struct vb_modbus *modbus, const struct vb_modbus_kind *kind,
                    uint8_t byte, int64_t now_us);
/* The silence behind a frame that cannot be told from its bytes. */
void vb_modbus_tick(struct vboard *board, struct vb_modbus *modbus, const struct vb_modbus_kind *kind,
                    int64_t now_us);
int64_t vb_modbus_next_us(const struct vb_modbus *modbus);

static inline unsigned vb_get16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static inline void vb_put16(uint8_t *p, int64_t value)
{
    p[0] = (uint8_t)((uint64_t)value >> 8);
    p[1] = (uint8_t)value;
}

static inline void vb_put32(uint8_t *p, int64_t value)
{
    vb_put16(p, value >> 16);
    vb_put16(p + 2, value);
}
