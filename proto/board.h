/* A board on its service line: the capability model over a dialect in C driven by a profile in YAML.
 *
 * A dialect moves blocks and performs the named procedures; everything about items, images, read-back and
 * limits is here once. Errors: REFUSED (the board said no, reason by name), SILENT, GARBLED, CABLE, MISMATCH,
 * RULE (packline refuses: reference dialect on a physical wire, no login), CANCELLED. */
#pragma once

#include "proto/profile.h"
#include "station/base/secret.h"

enum board_control {
    CONTROL_RESET,
    CONTROL_ENTER_BOOTLOADER,
    CONTROL_SLEEP,
    CONTROL_FACTORY_DEFAULTS,
    CONTROL_CHARGE_FET,
    CONTROL_DISCHARGE_FET,
    CONTROL_CLEAR_PCB_BARCODE,
    CONTROL_CHARGE_LIMITER
};

enum board_calibration {
    CALIBRATE_CURRENT_ZERO,
    CALIBRATE_CURRENT_GAIN,
    CALIBRATE_TEMPERATURE,
    CALIBRATE_RESET,
    CALIBRATE_CELL,
    CALIBRATE_VOLTAGE
};

#define BOARD_CELLS_MAX   176
#define BOARD_SENSORS_MAX 33

struct board_identity {
    char hardware[32], product[32], project[32];
    char firmware[32]; /* "1.0.4" */
    char bootloader[16];
    uint8_t unique_id[12];
    bool has_unique_id;
};

/* Charge is positive; an absent sensor is TELEMETRY_ABSENT. Of a reading that is untold the fields mean
 * nothing. */
#define TELEMETRY_ABSENT INT64_MIN
struct board_telemetry {
    unsigned cells, sensors;
    int64_t cell_mv[BOARD_CELLS_MAX];
    int64_t sensor_mdeg[BOARD_SENSORS_MAX];
    int64_t ambient_mdeg, mos_mdeg;
    int64_t pack_mv, current_ma, soc_ppc /* thousandths of a percent */, soh_ppc, full_mah, remaining_mah,
        cycles;
    int64_t soc_more_ppc; /* how much above soc_ppc it may truly be: of a board that truncates */
    bool charge_fet, discharge_fet, antitheft_locked, charging, discharging;
    uint32_t protections, alarms; /* nonzero = something is active */
    char active[256];             /* names of what is active, comma separated */
    uint32_t untold;              /* bits by enum profile_reading_name: the board does not tell it */
};
bool telemetry_tells(const struct board_telemetry *telemetry, enum profile_reading_name reading);

struct board_record {
    uint32_t id;
    int64_t wall_us;
    char what[120];
    bool event_only; /* the board keeps no measurements with it */
    unsigned cells;
    int64_t pack_mv, current_ma, soc_ppc, cell_max_mv, cell_min_mv, temperature_max_mdeg;
};

struct board;

#define BOARD_ADDRESSES 256

struct dialect_kind {
    const char *name;            /* "yd1363" */
    const char *const *commands; /* names a profile may give codes to; NULL-terminated */
    bool by_number;              /* moves whole values: each item needs its number */
    bool can;                    /* is spoken on a CAN bus */
    bool registers; /* a block's number counts registers of 16 bits, each with a number of its own */
    bool (*read_block)(struct board *board, const struct profile_block *block, unsigned offset,
                       uint8_t *bytes, unsigned n, GError **error);
    bool (*write_block)(struct board *board, const struct profile_block *block, unsigned offset,
                        const uint8_t *bytes, unsigned n, GError **error);
    bool (*identify)(struct board *board, struct board_identity *identity, GError **error);
    bool (*login)(struct board *board, int level, const struct secret *password, GError **error);
    bool (*change_password)(struct board *board, int level, const struct secret *old,
                            const struct secret *wanted, GError **error);
    bool (*clock_read)(struct board *board, int64_t *wall_us, GError **error);
    bool (*clock_write)(struct board *board, int64_t wall_us, GError **error);
    bool (*control)(struct board *board, enum board_control control, int argument, GError **error);
    bool (*calibrate)(struct board *board, enum board_calibration what, unsigned sensor, int64_t truth,
                      GError **error);
    bool (*antitheft_off)(struct board *board, const struct secret *code, GError **error);
    bool (*telemetry)(struct board *board, struct board_telemetry *telemetry, GError **error);
    bool (*history_open)(struct board *board, unsigned *count, GError **error);
    bool (*history_next)(struct board *board, struct board_record *record, bool *end, GError **error);
    bool (*history_close)(struct board *board, GError **error);
    bool (*history_erase)(struct board *board, GError **error);
    /* The first or the next record of a log that comes record by record, into the bytes of the block. */
    bool (*record)(struct board *board, const struct profile_block *block, bool first, uint8_t *bytes,
                   bool *end, GError **error);
    /* Which of the addresses answer at all, where they can be asked at once; without it each is asked and
     * waited for. RULE when two answer at one. */
    bool (*survey)(struct board *board, unsigned first, unsigned last, bool there[BOARD_ADDRESSES],
                   GError **error);
    /* Which bytes of a chunk on the wire are secret (login, anti-theft code), for traces. */
    wire_mask mask;
};
const struct dialect_kind *dialect_find(const char *name);

struct board {
    const struct dialect_kind *dialect;
    const struct profile *profile; /* borrowed */
    struct wire *wire;             /* borrowed */
    unsigned address;
    int level;       /* login level in force; forgotten at restart */
    bool in_session; /* between the procedures open and save or discard */
    bool alarm_log;  /* the history meant is the alarms', of boards that keep two */
    uint64_t frames, frames_lost;
    unsigned log_at, log_count; /* of a log that is being read as the profile describes it */
    uint32_t log_id;
    uint8_t *log_bytes; /* its records, of a ring; the record under way, of a stream; g_free */
    bool one_try;       /* the request under way may be the last one heard: it is not repeated */
    void *scratch;      /* of the dialect; g_free */
};

/* allow_reference: the station's written override for reference profiles on physical wires. */
struct board *board_open(const struct profile *profile, struct wire *wire, unsigned address,
                         bool allow_reference, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void board_close(struct board *board);

/* Each dialect operation under its own name; REFUSED "not supported" when the dialect lacks it. A retried
 * request is only ever a repeatable one (reads, idempotent writes). */
bool board_identify(struct board *board, struct board_identity *identity,
                    GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* As records show it: 24 hexadecimal digits, and a NUL. */
#define BOARD_UNIQUE_ID_TEXT 25
/* What a record knows a board by: its unique id, or where there is none "sn-" and its serial number. */
#define BOARD_UNIT_TEXT 40
void board_serial_text(const char *sn, char text[BOARD_UNIT_TEXT]);
void board_unique_id_text(const uint8_t id[12], char text[BOARD_UNIQUE_ID_TEXT]);
/* One attempt: a wrong password is REFUSED and never tried again by itself. */
bool board_login(struct board *board, int level, const struct secret *password,
                 GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Of a board that looks at passwords itself; the new one is proved by a login with it. *sent says whether the
 * board was asked at all: it is not where the station alone looks at the password (`auth: host`). */
bool board_change_password(struct board *board, int level, const struct secret *old,
                           const struct secret *wanted, bool *sent, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* RULE unless a login is in force where the station alone looks at the password. */
bool board_may_act(const struct board *board, GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool board_clock_read(struct board *board, int64_t *wall_us, GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool board_clock_write(struct board *board, int64_t wall_us, GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool board_control(struct board *board, enum board_control control, int argument,
                   GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Switches the charge FET off and on again and looks which of 0 and 1 did it; RULE unless both FETs are on
 * and no current flows. */
bool board_measure_polarity(struct board *board, enum profile_polarity *found,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* truth: mA for gain, m°C for temperature of sensor, mV for cell number sensor and for the pack voltage,
 * unused otherwise. */
bool board_calibrate(struct board *board, enum board_calibration what, unsigned sensor, int64_t truth,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool board_antitheft_off(struct board *board, const struct secret *code,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool board_telemetry(struct board *board, struct board_telemetry *telemetry,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Waits until the application answers identify, at most until the deadline. */
bool board_wait_alive(struct board *board, int64_t deadline_us, struct board_identity *identity,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

bool board_read_item(struct board *board, const struct profile_item *item, struct item_value *value,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Writes and reads back; MISMATCH (names item, written, found) when the board holds something else. *found
 * may be NULL. RULE when the item's access forbids it or no login of its level is in force. */
bool board_write_item(struct board *board, const struct item_value *value, struct item_value *found,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Writes many, block-wise where they are neighbours (gaps are filled with the bytes just read), without
 * read-back; callers compare with board_read_values. */
bool board_write_values(struct board *board, const struct item_value *values, unsigned n,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Reads the given items block-wise into values[i] (values[i].item is given). */
bool board_read_values(struct board *board, struct item_value *values, unsigned n,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The chemistry of the cells as the board reports it; NULL when it reports none. RULE for a word unknown to
 * the profile. */
bool board_chemistry(struct board *board, const char **chemistry, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* One register by its number, whatever the profile says of it; never one that it forbids. The write reads
 * back: MISMATCH. */
bool board_register_read(struct board *board, unsigned number, uint16_t *value,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool board_register_write(struct board *board, unsigned number, uint16_t value,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The whole parameter image: the bytes of every block with in_image, in profile order. */
struct board_image {
    const struct profile *profile;
    GPtrArray *blocks; /* GBytes*, by block order; NULL entry when not in_image */
};
struct board_image *board_image_read(struct board *board, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void board_image_free(struct board_image *image);
bool board_image_get(const struct board_image *image, const struct profile_item *item,
                     struct item_value *value);
/* {"profile":…,"sha256":…,"blocks":{"protect":"0E74…"},"items":{"protect.cell_ov_start":"3.7 V"}};
 * the bytes of secrets are "**". New reference. */
json_t *board_image_json(const struct board_image *image);

/* History: newest first until the board's own end marker; a stream cut short is an error, never a short list.
 */
typedef bool (*board_record_sink)(void *context, const struct board_record *record, GError **error);
bool board_history_read(struct board *board, board_record_sink sink, void *context,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* False and REFUSED where nobody knows how: for callers that keep the history first. */
bool board_history_can_erase(const struct board *board, GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool board_history_erase(struct board *board, GError **error) G_GNUC_WARN_UNUSED_RESULT;
