/* Inside the clever application: its state, its blocks, and what the measuring side answers. */
#pragma once

#include "proto/virtual/ascii.h"

enum clever_rtn {
    CLEVER_OK = 0x00,
    CLEVER_BAD_VERSION = 0x01,
    CLEVER_BAD_COMMAND = 0x04,
    CLEVER_BAD_FORMAT = 0x05,
    CLEVER_BAD_DATA = 0x06,
    CLEVER_NO_HISTORY = 0x07,
    CLEVER_BAD_EQUIPMENT = 0xe1,
    CLEVER_FAILED = 0xe2,
    CLEVER_NO_PERMISSION = 0xe4,
    CLEVER_NOT_WRITTEN = 0xa0
};

/* Numbers of the blocks; the product information has its own commands and no number on the wire. */
enum clever_block {
    CLEVER_PARAMETER = 0x01,
    CLEVER_PROTECT = 0x02,
    CLEVER_ENABLE = 0x03,
    CLEVER_OTHER = 0x04,
    CLEVER_SYSTEM = 0x05,
    CLEVER_CALIBRATION = 0x06,
    CLEVER_LOGS = 0x07,
    CLEVER_PASSWORD = 0x08, /* no number on the wire */
    CLEVER_BARCODE = 0x10,
    CLEVER_ABOUT = 0x20,
    CLEVER_PRODUCT = 0xf1
};
#define CLEVER_PASSWORD_BYTES 8
#define CLEVER_TEXT           30
#define CLEVER_PRODUCT_BYTES  (7 * CLEVER_TEXT)

/* Offsets in the blocks that the application itself looks at. */
enum {
    AT_CELLS = 1,
    AT_SHUNT = 2,
    AT_DESIGN = 4,
    AT_CELL_HIGH = 12,
    AT_CELL_LOW = 16,
    AT_CELL_OV = 0,
    AT_CELL_UV = 4,
    AT_PACK_OV = 8,
    AT_PACK_UV = 16,
    AT_CHARGE_OT = 24,
    AT_CHARGE_UT = 26,
    AT_DISCHARGE_OT = 28,
    AT_DISCHARGE_UT = 30,
    AT_CHARGE_OC = 40,
    AT_DISCHARGE_OC1 = 48,
    AT_LIMITER = 64,
    AT_BALANCE = 0,
    AT_RS485 = 1,
    AT_CAN = 2,
    AT_RESTORE = 3,
    AT_INTERVAL = 0,
    AT_FULL = 4,
    AT_REMAINING = 8,
    AT_CYCLES = 12,
    AT_ZERO = 0,
    AT_HEAT = 2,
    AT_ZERO_DONE = 35,
    AT_SERIAL_UPGRADE = 50
};
/* Switches of block 03, in the order of the manual's three groups. */
enum {
    EN_CFET,
    EN_DFET,
    EN_HEATING,
    EN_RADIATING,
    EN_LED,
    EN_BUZZER,
    EN_DORMANCY,
    EN_LIMITED,
    EN_ALARMS = 8,      /* Pack-UV, Pack-OV, Cell-UV, Cell-OV, Env-UT, … */
    EN_PROTECTIONS = 20 /* Pack-UVP, Pack-OVP, Cell-UVP, Cell-OVP, FET-UTP, … */
};

struct vb_app {
    struct vb_ascii line;
    struct vb_request request;
    struct vb_answer answer;
    bool unlocked;
    unsigned wrong_logins;
    bool charge_off, discharge_off, limiting;
    int64_t stored_us; /* of the last data record */
    int64_t limit_us;  /* limiting is not judged before */
    bool log_open[2];
    unsigned record[2];
    int64_t record_us;
};

extern const struct vb_family vb_family_clever, vb_family_topbms;

uint8_t *clever_bytes(struct vboard *board, enum clever_block number);
unsigned clever_sensors(const struct vboard *board); /* cells', then MOS, then ambient */

/* app_clever_measure.c. Each answers a return code and fills the answer. */
uint8_t clever_analog(struct vboard *board);
uint8_t clever_states(struct vboard *board);
uint8_t clever_calibrate(struct vboard *board, const uint8_t *info, unsigned n);
bool clever_may_limit(struct vboard *board);
void clever_record(struct vboard *board, uint8_t *p, unsigned id, unsigned code, int64_t wall_us);
