/* Inside the seplos3 application: its state, its registers, and what both of its files need. */
#pragma once

#include "proto/virtual/modbus_server.h"

/* Blocks of non-volatile memory are numbered by their first register or coil. */
enum {
    PIA = 0x1000,
    PIB = 0x1100,
    PIC = 0x1200,
    SPA = 0x1300,
    SFA = 0x1400,
    SCA = 0x1500,
    EIA = 0x2000,
    EIB = 0x2100,
    EIC = 0x2200,
    HISTORY = 0x7000,
    VIA = 0x1700,
    PCT = 0x1800,
    CORRECTION = 0xff00 /* not on the wire */
};

enum { CELLS_MAX = 16, PIC_COILS = 144, SFA_COILS = 80, RECORD_SIZE = 80, PARAMETERS = 104, DATE_SIZE = 8 };

/* Coils of PIC. */
enum {
    C_STATE = 0x40,
    C_VOLTAGE = 0x48,
    C_CELL_HEAT = 0x50,
    C_CURRENT = 0x60,
    C_CAPACITY = 0x70,
    C_FET = 0x78
};

/* What calibration made of the sensors; behind CORRECTION. */
struct seplos3_correction {
    int64_t zero_ma, gain_ppm, voltage_ppm;
    bool zero_done;
};

struct vb_app {
    struct vb_modbus modbus;
    bool charge_off, discharge_off, limiter_off, heater_on;
    unsigned history_at; /* the record that `next` gives */
};

static inline int seplos3_parameter(const struct vboard *board, unsigned number)
{
    return (int16_t)vb_get16(vb_block((struct vb_nvm *)&board->live, SPA)->bytes + 2 * (number - SPA));
}

struct seplos3_correction *seplos3_corrections(struct vb_nvm *nvm);

/* app_seplos3_measure.c */
bool seplos3_input(struct vboard *board, unsigned number, unsigned *value);
void seplos3_coils(struct vboard *board, bool coils[PIC_COILS]);
void seplos3_record(struct vboard *board, unsigned place, uint8_t record[RECORD_SIZE], int64_t now_us);
void seplos3_date(uint8_t p[DATE_SIZE], int64_t wall_us);
enum vb_exception seplos3_zero(struct vboard *board);
enum vb_exception seplos3_gain(struct vboard *board, int64_t truth_ma);
enum vb_exception seplos3_voltage(struct vboard *board, int64_t truth_mv);
