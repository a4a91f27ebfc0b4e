/* A board profile: what a board model is, as data. Blocks of bytes on the board, items at offsets inside
 * them, the commands of its dialect, its line, its flash, and the rules its values must keep.
 *
 * Every block, command and item says how it is known (evidence). A profile that holds `reference` entries
 * speaks a dialect of packline's own making: it refuses a physical wire unless the station overrides it. */
#pragma once

#include "proto/loader.h"
#include "station/base/bind.h"

enum profile_evidence {
    EVIDENCE_VENDOR_PUBLIC,
    EVIDENCE_VENDOR_CONFIDENTIAL,
    EVIDENCE_MEASURED,
    EVIDENCE_RELATIVE_PUBLIC, /* published for a close relative of this board */
    EVIDENCE_REFERENCE        /* packline's own */
};
const char *profile_evidence_name(enum profile_evidence evidence);

/* Who may write: never; nobody but the board (read-only); a recipe; an engineer. */
enum profile_access { ACCESS_READ_ONLY, ACCESS_SERVICE, ACCESS_ENGINEERING, ACCESS_NEVER };

enum profile_type {
    ITEM_U8,
    ITEM_U16,
    ITEM_I16,
    ITEM_U32,
    ITEM_I32,
    ITEM_I8,
    ITEM_FLAG,
    ITEM_TEXT,
    ITEM_BYTES,
    ITEM_DATE,   /* a number in memory, a date for people */
    ITEM_REAL32, /* read-only; raw is the bit pattern */
    ITEM_VERSION /* read-only; numbers of a byte each, shown with dots between */
};
/* Which of the two registers of a 32-bit value comes first. */
enum profile_words { WORDS_HIGH_FIRST, WORDS_LOW_FIRST };

enum profile_pad { PAD_NUL, PAD_SPACE };

struct profile_block {
    struct bind_place place;
    char *name;                    /* "protect" */
    int64_t number;                /* as the dialect addresses it */
    int64_t size;                  /* bytes */
    char *read_command;            /* name in commands; NULL = the dialect's plain block read */
    int64_t read_number;           /* what read_command takes, e.g. a module */
    int64_t read_code, write_code; /* of a block with codes of its own, moved whole; 0 = none */
    bool leads_address;            /* the board's address stands in front of such a block */
    int64_t size_min;              /* shortest such block; what is missing counts as unset; 0 = size */
    int64_t write_size;            /* bytes of such a block that are written; 0 = size */
    bool in_image; /* part of the parameter image that is read and kept before the first write */
    bool session;  /* reached only between the procedures open and save or discard */
    int evidence;
    char *source;
};

struct profile_command {
    struct bind_place place;
    char *name; /* "login", closed list per dialect */
    int64_t code;
    GBytes *info; /* fixed INFO bytes in front of the arguments; may be NULL */
    int evidence;
    char *source;
};

struct profile_item {
    struct bind_place place;
    char *key;   /* "protect.cell_ov_start" */
    char *name;  /* as printed in the manual: "CELL_OV_Start" */
    char *title; /* standard term: "cell overvoltage protection" */
    char *block;
    int64_t offset;
    int type;          /* enum profile_type */
    int quantity;      /* enum quantity */
    char *step_text;   /* quantity of one raw unit, "10 mV"; NULL = 1 base unit */
    char *origin_text; /* quantity of raw 0, "-273.1 °C"; NULL = 0 */
    char *preset_text; /* printed default; NULL = none printed */
    char *min_text, *max_text;
    GArray *valid;  /* int64_t: the only valid values (raw), empty = all in range */
    GArray *absent; /* int64_t: raw values that mean "not there" */
    int64_t mask;   /* bits of the raw value that count; 0 = all */
    int64_t number; /* as dialects that move whole values address it inside its block; -1 = none */
    int64_t length; /* of text and bytes */
    int64_t count; /* elements one behind the other, for readings such as cell voltages; 1 = a single value */
    int pad;       /* enum profile_pad */
    int words;     /* enum profile_words */
    int access;    /* enum profile_access */
    int level;     /* login level needed to write: 0 operator, 1 administrator */
    bool secret;   /* never shown */
    bool reads_negative; /* the board shows it with its sign turned, and takes it plain */
    char *shown_by;      /* key of the item that shows what was written here; NULL = it is read itself */
    int evidence;
    char *source;
    char *note; /* quirk worth knowing */

    /* Resolved by profile_load. */
    const struct profile_block *in;
    const struct profile_item *shown; /* NULL = itself */
    int64_t step, origin;             /* base units per raw unit, and of raw 0 */
    bool has_preset, has_range;
    int64_t preset, min, max; /* base units */
    unsigned width;           /* bytes of one element */
};

/* Which items say what a board is; for dialects that have no request of their own for it. */
struct profile_identity {
    struct bind_place place;
    char *hardware, *product, *project, *firmware, *bootloader, *unique_id; /* item keys; NULL = not told */
    /* unique_id: 12 bytes, or a text that no other board has; of one of more than 12 characters the first 12
     * bytes of its SHA-256 count */
};

/* Which item is which reading. */
enum profile_reading_name {
    TELEMETRY_CELLS,
    TELEMETRY_SENSORS,
    TELEMETRY_AMBIENT,
    TELEMETRY_MOS,
    TELEMETRY_PACK_VOLTAGE,
    TELEMETRY_CURRENT,
    TELEMETRY_SOC,
    TELEMETRY_SOH,
    TELEMETRY_FULL,
    TELEMETRY_REMAINING,
    TELEMETRY_CYCLES,
    TELEMETRY_CHARGE_FET,
    TELEMETRY_DISCHARGE_FET,
    TELEMETRY_PROTECTIONS,
    TELEMETRY_ALARMS,
    TELEMETRY_DIRECTION, /* 0 rest, 1 charge, 2 discharge: what the board says of itself */
    TELEMETRY_ANTITHEFT  /* locked; only dialects with a request of their own for it tell it */
};
struct profile_reading {
    struct bind_place place;
    int reading; /* enum profile_reading_name */
    char *item;
    int64_t bit;      /* of a FET; -1 = the item is the flag */
    int64_t normal;   /* bits of protections and alarms that are on when all is well: off is what counts */
    bool truncated;   /* of a percentage: the board cuts off what is below its step */
    GPtrArray *flags; /* char*: names of the bits of protections and alarms, lowest first; "-" = none */
    const struct profile_item *in;
};

/* What a board is told to do by writes of its own items; for dialects that have no request of their own for
 * it. */
enum profile_procedure_name {
    PROCEDURE_RESET, /* to CHARGE_LIMITER in the order of enum board_control */
    PROCEDURE_ENTER_BOOTLOADER,
    PROCEDURE_SLEEP,
    PROCEDURE_FACTORY_DEFAULTS,
    PROCEDURE_CHARGE_FET,
    PROCEDURE_DISCHARGE_FET,
    PROCEDURE_CLEAR_PCB_BARCODE,
    PROCEDURE_CHARGE_LIMITER,
    PROCEDURE_CALIBRATE_CURRENT_ZERO, /* to VOLTAGE in the order of enum board_calibration */
    PROCEDURE_CALIBRATE_CURRENT_GAIN,
    PROCEDURE_CALIBRATE_TEMPERATURE,
    PROCEDURE_CALIBRATE_RESET,
    PROCEDURE_CALIBRATE_CELL,
    PROCEDURE_CALIBRATE_VOLTAGE,
    PROCEDURE_OPEN, /* before the first write of values, and ... */
    PROCEDURE_SAVE, /* ... after the last */
    PROCEDURE_DISCARD,
    PROCEDURES
};
enum profile_act_value {
    ACT_NUMBER,
    ACT_TRUTH,
    ACT_CHARGE,    /* the truth of a charge; left out for a discharge */
    ACT_DISCHARGE, /* the other way round, without its sign */
    ACT_ARGUMENT
};
struct profile_act_write {
    struct bind_place place;
    char *item, *value; /* a whole number or the word of an enum profile_act_value */
    const struct profile_item *in;
    int what; /* enum profile_act_value */
    int64_t raw;
    int64_t when; /* only for this argument; -1 = for each */
};
struct profile_act_wait {
    struct bind_place place;
    int64_t time; /* µs */
};
struct profile_act_expect {
    struct bind_place place;
    char *item;
    int64_t value, within; /* raw; µs */
    const struct profile_item *in;
};
struct profile_procedure {
    struct bind_place place;
    int procedure;     /* enum profile_procedure_name */
    GPtrArray *acts;   /* struct bind_variant_value* */
    bool answers_last; /* false: the last write ends the conversation, so its answer may be missing */
};

struct profile_clock {
    struct bind_place place;
    char *item; /* bytes */
    int form;   /* enum profile_clock_form */
    bool local; /* it shows the station's local time, not UTC */
    const struct profile_item *in;
};
enum profile_clock_form { CLOCK_YMDHMS, CLOCK_YMDHMS_LE, CLOCK_CANOPEN };

/* The board's own log as items: a record is chosen by its place and read. */
enum profile_log_field {
    LOG_COUNT,  /* how many records there are */
    LOG_SELECT, /* written: place of the record to be read, 0 = the newest */
    LOG_ID,
    LOG_TIME, /* in the form of the clock */
    LOG_EVENT,
    LOG_ACTIVE, /* 1: the event occurred, 0: it is over */
    LOG_PACK_VOLTAGE,
    LOG_CURRENT,
    LOG_SOC,
    LOG_CELL_MAX,
    LOG_CELL_MIN,
    LOG_TEMPERATURE,
    LOG_REMAINING, /* records behind this one */
    LOG_FIELDS
};

/* A log that is a ring of positions from 1 on, of which the board says which one is the newest. */
enum profile_ring_empty { EMPTY_ZEROS, EMPTY_ONES, EMPTY_EITHER };
struct profile_log_ring {
    struct bind_place place;
    char *last, *records; /* items */
    int64_t time, flags;  /* offsets in a record; the flags are 4 bytes, bit 0 is the first event */
    int empty;            /* what a position holds that was never written: enum profile_ring_empty */
    GArray *none;         /* int64_t: what `last` is while nothing was written */
    const struct profile_item *last_in, *records_in;
};
struct profile_log_mark { /* flags of a record */
    struct bind_place place;
    char *item;
    GPtrArray *flags; /* char*: names of the bits, lowest first; "-" = none */
    const struct profile_item *in;
};
struct profile_log {
    struct bind_place place;
    char *items[LOG_FIELDS]; /* keys; NULL = the board does not keep it */
    GPtrArray *events;       /* char*: names of the events from 0 */
    GPtrArray *marks;        /* struct profile_log_mark* */
    char *record;            /* block that the dialect fills record by record; NULL = none */
    struct profile_log_ring ring;
    const struct profile_block *record_in;
    const struct profile_item *in[LOG_FIELDS];
};

/* What every frame of a dialect carries, where the dialect leaves it open. */
enum profile_info_flag { INFO_FLAG_ABSENT, INFO_FLAG_PRESENT, INFO_FLAG_EITHER };
enum profile_last_sensors { LAST_SENSORS_CELLS, LAST_SENSORS_AMBIENT_MOS, LAST_SENSORS_MOS_AMBIENT };
enum profile_pack_layout { PACK_LAYOUT_CELSIUS, PACK_LAYOUT_KELVIN };
struct profile_frame {
    struct bind_place place;
    int64_t version, equipment; /* of a request: VER and CID1 */
    GBytes *answers;            /* one byte a version that an answer may have; NULL = any */
    int info_flag;              /* enum profile_info_flag: a byte in front of the packs of a reading */
    int last_sensors;           /* enum profile_last_sensors: what the last two temperatures are */
    int pack_layout;            /* enum profile_pack_layout */
};

/* Who looks at the password of a login. */
enum profile_auth { AUTH_BOARD, AUTH_HOST, AUTH_NONE };

/* Which way round a FET command of 1 and 0 switches. */
enum profile_polarity { POLARITY_PLAIN, POLARITY_INVERTED, POLARITY_UNMEASURED };

/* What tells one board from another. */
enum profile_unit {
    UNIT_UNIQUE_ID,     /* what no other board has, from its maker */
    UNIT_SERIAL_NUMBER, /* the serial item: the station writes it, or its maker did */
    UNIT_LABEL          /* nothing on it: the label that was scanned is believed */
};

/* Rules between values; `left`, `right`, … are item keys. */
enum profile_check {
    CHECK_GREATER,    /* left > right */
    CHECK_NOT_LESS,   /* left >= right */
    CHECK_EQUAL,      /* left == right after unit conversion */
    CHECK_SUM,        /* sum of parts == total (AFE split = string count) */
    CHECK_PACK_UPPER, /* pack <= cells × cell, and within tolerance of it */
    CHECK_PACK_LOWER, /* pack >= cells × cell, and within tolerance of it */
    CHECK_SHUNT, /* left, a voltage across a shunt of rated current `cells` at 75 mV, > right as current */
    CHECK_INCREASING, /* left < first part < second part … */
    CHECK_FULL_CELL,  /* left is a voltage at which a cell of the chemistry is full */
    CHECK_EMPTY_CELL, /* … is empty */
    CHECK_NEEDS,      /* while left is on, right is set and not 0 */
};
struct profile_rule {
    struct bind_place place;
    char *name; /* "capacity", what a waiver in a recipe names */
    int check;  /* enum profile_check */
    char *left, *right;
    GPtrArray *parts;  /* char* */
    char *cells;       /* key of the cell count, for the pack checks */
    int64_t tolerance; /* thousandths of a percent; 0 = any distance on the safe side */
    bool zero_is_off;  /* the rule does not count while one of its values is 0 */
    bool waivable;
    char *because; /* one sentence why */
};

/* Values that belong together, e.g. for one chemistry and cell count; recipes name them. */
struct profile_set {
    struct bind_place place;
    char *name, *title;
    char *chemistry; /* NULL = the profile's */
    char *source;
    GPtrArray *values; /* struct bind_pair* */
};

struct profile_entry { /* ways into the bootloader */
    int way;           /* enum below */
    char *prompt;
    int64_t settle; /* µs until the bootloader listens */
};
enum profile_entry_way { ENTRY_COMMAND, ENTRY_MODEM_LINES, ENTRY_PROMPT };

struct profile_firmware {
    struct bind_place place;
    char *loader;       /* "an3155" */
    char *line_text;    /* "115200-8E1" */
    GPtrArray *entries; /* struct profile_entry*, tried in order */
    char *build_item;   /* 0 in a build that takes no firmware over this line; NULL = every one does */
    int64_t flash_address, flash_size, page_size, protect_size, unique_id_address;
    int64_t erase_page_max, program_block_max, mass_erase_max; /* µs */
    int64_t start_max; /* µs from GO or reset until the application answers */
    struct wire_line line;
};

struct profile {
    struct bind_place place;
    char *schema;
    char *profile; /* "basen-lt55" */
    char *family;  /* "basen" */
    char *dialect; /* "yd1363" */
    char *title;
    char *product;        /* what identify must find */
    char *chemistry;      /* "LFP" */
    char *wake;           /* how an operator wakes a board that sleeps; NULL = it never does */
    int64_t wake_current; /* mA with which a bench does it; 0 = it cannot */
    char *no_firmware;    /* why there is no firmware part, in one sentence; NULL = nothing to say */
    char *line_text;      /* "9600-8N1" */
    int64_t address;      /* bus address */
    int64_t address_min, address_max;
    int auth;                   /* enum profile_auth */
    int fet_polarity;           /* enum profile_polarity */
    int64_t interlock_current;  /* mA: a FET stays on while this flows the other way; 0 = no interlock */
    int64_t reply_max, gap_min; /* µs */
    int64_t retries;
    int64_t parameter_version; /* expected raw value of the item parameter_version_item; mismatch = warning
                                  (R16) */
    char *parameter_version_item;
    char *chemistry_item;       /* key of the chemistry that the board reports */
    GPtrArray *chemistry_words; /* char*: what its raw values 0, 1, … mean */
    char *cells_item;           /* key of the cell count */
    char *capacity_item;        /* key of the rated capacity */
    char *serial_item;          /* key of the serial number */
    int unit;                   /* enum profile_unit */
    int64_t charge_sign;        /* +1: charge is positive on the wire */
    char *barcode_item;         /* key of the circuit board's barcode */
    GPtrArray *pack;            /* char*: keys, "group.*", or either behind "-": what belongs to the pack */
    int64_t address_first, address_last; /* where boards of this family may be on a bus */
    GPtrArray *blocks, *commands, *items, *rules;
    GPtrArray *sets;                   /* struct profile_set* */
    GPtrArray *telemetry, *procedures; /* struct profile_reading*, struct profile_procedure* */
    struct profile_identity identity;
    struct profile_clock clock;
    struct profile_frame frame;
    struct profile_log log;
    struct profile_firmware firmware;

    struct wire_line line;
    char sha256[65];    /* of the file; one that completes another says the other's hash in itself */
    char *evidence;     /* how blocks, commands and items are known: "vendor-public 4, reference 210" */
    GBytes *base_bytes; /* of the profile that this one completes with addresses; NULL = none */
    bool has_reference; /* some entry is EVIDENCE_REFERENCE */
    char *path;
};

extern const struct bind_schema profile_schema; /* packline/profile/1 */

/* The file kind that completes a profile: the addresses a site knows, and nothing else. */
extern const struct bind_schema profile_addresses_schema; /* packline/addresses/1 */

/* The addresses of this profile that are packline's own, as a file that completes it; evidence and numbers
 * are as they are now, for a site to replace. */
char *profile_addresses_text(const struct profile *profile, const char *name, const char *file);

/* The text of a file of addresses with the present hash of the profile that it completes, or NULL. */
char *profile_addresses_lock(const char *path, GBytes *bytes, struct bind_report *report,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Either file kind. NULL with the findings in report. Checks keys unique, items inside blocks, overlaps,
 * presets inside ranges, steps that divide, rule keys known, command names known to the dialect. */
struct profile *profile_load(const char *path, GBytes *bytes, struct bind_report *report);
/* The same where the profile that a file completes is not beside it: it is asked for by its hash. */
typedef GBytes *(*profile_base)(void *context, const char *sha256, GError **error);
struct profile *profile_load_from(const char *path, GBytes *bytes, profile_base base, void *context,
                                  struct bind_report *report);
void profile_free(struct profile *profile);
const struct profile_item *profile_item_find(const struct profile *profile, const char *key);
const struct profile_block *profile_block_find(const struct profile *profile, const char *name);
/* NULL when the profile describes none of this name. */
const struct profile_procedure *profile_procedure_find(const struct profile *profile,
                                                       enum profile_procedure_name name);
/* A discharge is calibrated apart from a charge. */
bool profile_has_discharge_gain(const struct profile *profile);
const char *profile_procedure_word(enum profile_procedure_name name);
const struct profile_command *profile_command_find(const struct profile *profile, const char *name);
/* Moves with the pack to another board; the last pattern of `pack:` that fits says so. */
bool profile_belongs_to_pack(const struct profile *profile, const struct profile_item *item);
/* The nearest key within two edits, or NULL. */
const char *profile_item_suggest(const struct profile *profile, const char *key);

#define PROFILE_LENGTH_MAX 64 /* bytes of a text or of bytes */

/* A value of one item: integer in base units, or text. */
struct item_value {
    const struct profile_item *item;
    int64_t raw;                           /* as on the wire; of a text how many bytes are no characters */
    int64_t value;                         /* base units */
    char text[2 * PROFILE_LENGTH_MAX + 1]; /* of text and bytes items (bytes as hex) */
    bool absent; /* a sentinel: unset text (all FF or blank), sensor code -40 °C, a raw value of `absent:` */
};

/* From file or command-line text ("3.65 V", "true", "BASEN-1"): exact in raw steps, inside range and valid
 * set, text length in bytes and printable ASCII. kind AUTHOR. */
bool profile_value_parse(const struct profile_item *item, const char *text, struct item_value *value,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* "3.65 V", "on", text; secrets as "***". Newly allocated. */
char *profile_value_format(const struct item_value *value);
/* The same on the board: in raw steps, in characters. */
bool profile_value_same(const struct item_value *a, const struct item_value *b);
/* What is wrong with a setting that a board holds: none of its valid values, outside its range. NULL when
 * nothing is. Newly allocated. */
char *profile_value_finding(const struct item_value *value);
/* Bytes of the block at the item's offset. */
void profile_value_decode(const struct profile_item *item, const uint8_t *bytes, struct item_value *value);
void profile_value_encode(const struct item_value *value, uint8_t *bytes);

/* Checks the profile's rules over a set of values given by a look-up (NULL = not known: the rule is skipped).
 * chemistry: of the cells; NULL = the profile's. Called for a set to be written (findings are errors of the
 * plan) and for an image read (findings are warnings). The finder is asked for each key; the sink gets one
 * sentence per violated rule. Returns the number violated. */
typedef const struct item_value *(*profile_lookup)(void *context, const char *key);
typedef void (*profile_sink)(void *context, const struct profile_rule *rule, const char *sentence);
unsigned profile_check_rules(const struct profile *profile, const char *chemistry, profile_lookup lookup,
                             profile_sink sink, void *context);
/* The key of the rated current of the shunt across which the voltage in this item is measured; NULL for any
 * other item. What that voltage is as a current: shunts are named by the current that makes 75 mV. */
const char *profile_shunt_of(const struct profile *profile, const struct profile_item *item);
int64_t profile_shunt_current(int64_t mv, int64_t rated_ma);

const struct profile_set *profile_set_find(const struct profile *profile, const char *name);
bool profile_chemistry_known(const char *name);
/* NULL when this cell voltage is one at which such a cell is full (or empty), or the chemistry is not known.
 */
char *profile_chemistry_finding(const char *name, bool full, const struct item_value *cell);
