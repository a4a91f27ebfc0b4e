/* A recipe: what is done to a board model, in order, as data. Declarative: no expressions, no loops. A new
 * need becomes a step in C with a schema here (its parameters) and a file in station/steps/ (its deed). */
#pragma once

#include "proto/profile.h"
#include "station/base/bind.h"

#define RECIPE_STEPS_MAX 64

/* Every step's parameters begin with this. */
struct recipe_common {
    struct bind_place place;
    char *title;     /* for people; NULL = the verb's own */
    int64_t retries; /* further attempts, only for repeatable steps; 0..5 */
    int64_t timeout; /* µs for the whole step; 0 = the verb's own */
};

struct recipe_identify {
    struct recipe_common common;
    char *product;    /* NULL = the manifest's */
    char *hardware;   /* NULL = one of the manifest's, or any without one */
    bool same_serial; /* the board must carry the scanned serial number already */
    char *wake; /* what the operator is told when the board is silent; NULL = silence is an error at once */
    int64_t wake_within;  /* µs it may take to wake */
    int64_t wake_current; /* mA that the bench charges with meanwhile; 0 = the operator charges it */
};
struct recipe_login {
    struct recipe_common common;
    int level;    /* 0 operator, 1 administrator */
    char *secret; /* name in the station's secret store */
};
struct recipe_flash {
    struct recipe_common common;
    bool skip_if_identical; /* verify first; nothing is written when the bytes are already there */
};
enum recipe_restart_how { RESTART_COMMAND, RESTART_POWER, RESTART_PROMPT };
struct recipe_restart {
    struct recipe_common common;
    int how;     /* enum recipe_restart_how */
    char *login; /* secret to log in again afterwards at `level`; NULL = none */
    int level;
};
/* write_identity, parameters, switches: items and their values; texts may hold {sn} {scan} {date} {model}
 * {firmware}. */
struct recipe_items {
    struct recipe_common common;
    bool presets;      /* parameters: also write the profile's presets for every service item not named */
    char *set;         /* parameters: also write this set of the profile, where no value is named */
    GPtrArray *values; /* struct bind_pair* */
};
struct recipe_capacity {
    struct recipe_common common;
    int64_t nominal, full, remaining; /* mAh */
};
struct recipe_cells {
    struct recipe_common common;
    int64_t count;
};
/* Read every item written in this run again, raw, after a restart. */
struct recipe_verify {
    struct recipe_common common;
};
struct recipe_calibrate_zero {
    struct recipe_common common;
    int64_t samples, spread; /* count, mA: largest minus smallest */
    int64_t tolerance;       /* mA that may remain */
    int64_t correction_max;  /* mA: a larger error is a bad board */
};
struct recipe_calibrate_gain {
    struct recipe_common common;
    int64_t current;        /* mA, charge positive */
    int64_t verify_current; /* mA: the second point */
    int64_t samples, spread, tolerance;
    int64_t correction_max; /* thousandths of a percent */
    int64_t settle;         /* µs after the current is set */
};
/* As many cell sensors as a board may report, then MOS, then ambient. */
#define RECIPE_SENSOR_LAST 34
struct recipe_calibrate_temperature {
    struct recipe_common common;
    GArray *sensors;                                    /* int64_t, 0 to RECIPE_SENSOR_LAST, each once */
    int64_t samples, spread, tolerance, correction_max; /* mK */
    int64_t verify_step; /* mK: the bench moves by this for the second point; 0 with an entered reference */
};
struct recipe_calibrate_cells {
    struct recipe_common common;
    int64_t samples, spread, tolerance, correction_max; /* mV */
};
struct recipe_calibrate_voltage {
    struct recipe_common common;
    int64_t samples, spread, tolerance, correction_max; /* mV */
};
/* Sends the board to sleep and sees that it is silent. */
struct recipe_sleep {
    struct recipe_common common;
};
struct recipe_clock {
    struct recipe_common common;
    int64_t tolerance; /* µs */
};
struct recipe_antitheft_off {
    struct recipe_common common;
    char *secret;
};
enum recipe_beyond { BEYOND_FAIL, BEYOND_HOLD };
struct recipe_limit {
    struct bind_place place;
    char *read; /* closed list, see recipe_readings */
    char *min_text, *max_text;
    int beyond;   /* enum recipe_beyond */
    char *advice; /* of hold: what is done to the unit before it is tested again */
    /* resolved by recipe_load */
    int reading;
    int64_t min, max;
    bool has_min, has_max;
};
struct recipe_measure {
    struct recipe_common common;
    GPtrArray *limits; /* struct recipe_limit* */
};
/* What a measure step may read, one visible table: name, quantity, meaning. */
enum recipe_reading {
    READING_PACK_VOLTAGE,
    READING_CELL_MAX,
    READING_CELL_MIN,
    READING_CELL_DELTA,
    READING_CELL_COUNT,
    READING_CURRENT,
    READING_SOC,
    READING_TEMPERATURE_MAX,
    READING_TEMPERATURE_MIN,
    READING_AMBIENT,
    READING_MOS,
    READING_PROTECTIONS,
    READING_ALARMS,
    READING_CHARGE_FET,
    READING_DISCHARGE_FET,
    READING_ANTITHEFT_LOCKED,
    READINGS
};
struct recipe_reading_info {
    const char *name;
    enum quantity quantity;
    int64_t least, most; /* what a board can report at all: a limit outside tests nothing */
    enum profile_reading_name from;
    const char *doc;
};
const struct recipe_reading_info *recipe_readings(void); /* READINGS entries */

struct recipe_prompt {
    struct recipe_common common;
    char *text;
    int question; /* enum recipe_question */
    char *unit;   /* quantity name of a number; NULL = plain count */
    char *min_text, *max_text;
    int quantity;
    int64_t min, max;
};
enum recipe_question { QUESTION_CONFIRM, QUESTION_PASS_FAIL, QUESTION_NUMBER };
/* The board as a whole, before the first value is written. */
struct recipe_defaults {
    struct recipe_common common;
};
struct recipe_label {
    struct recipe_common common;
};

struct recipe_waiver {
    struct bind_place place;
    char *rule;   /* name of a waivable profile rule */
    char *reason; /* shown in every record */
};

struct recipe_scan {
    char *pattern; /* anchored regular expression; group `sn` is the serial number, or the whole scan */
    int64_t length_max;
};

struct recipe {
    struct bind_place place;
    char *schema; /* packline/recipe/1 */
    char *recipe; /* "basen-100ah-16s" */
    int64_t revision;
    char *title;
    char *model;   /* printed on the label */
    char *profile; /* path relative to the recipe */
    char *package; /* folder relative to the recipe; NULL = the recipe has no flash step */
    char *layout;  /* NULL = no label step */
    struct recipe_scan scan;
    GPtrArray *waivers; /* struct recipe_waiver* */
    GPtrArray *steps;   /* struct bind_variant_value* */

    char sha256[65];
    char *path;
};

extern const struct bind_schema recipe_schema;
extern const struct bind_variant recipe_steps[];

/* NULL with findings in report. Checks what the file alone can tell: scan pattern compiles, label last, flash
 * before identity, a restart and a verify after the last item written, limits' quantities. */
struct recipe *recipe_load(const char *path, GBytes *bytes, struct bind_report *report);
void recipe_free(struct recipe *recipe);
/* The serial number a scan means: RULE for what is too long, two scans run together, control characters, or
 * not of the pattern; the message says what was expected. */
bool recipe_scan_parse(const struct recipe *recipe, const char *scan, char **sn,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;
