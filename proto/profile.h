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
    ITEM_BYTES
};

enum profile_pad { PAD_NUL, PAD_SPACE };

struct profile_block {
    struct bind_place place;
    char *name;          /* "protect" */
    int64_t number;      /* as the dialect addresses it */
    int64_t size;        /* bytes */
    char *read_command;  /* name in commands; NULL = the dialect's plain block read */
    int64_t read_number; /* what read_command takes, e.g. a module */
    bool in_image;       /* part of the parameter image that is read and kept before the first write */
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
    char *preset_text; /* printed default; NULL = none printed */
    char *min_text, *max_text;
    GArray *valid;  /* int64_t: the only valid values (raw), empty = all in range */
    int64_t length; /* of text and bytes */
    int pad;        /* enum profile_pad */
    int access;     /* enum profile_access */
    int level;      /* login level needed to write: 0 operator, 1 administrator */
    bool secret;    /* never shown */
    int evidence;
    char *source;
    char *note; /* quirk worth knowing */

    /* Resolved by profile_load. */
    const struct profile_block *in;
    int64_t step; /* base units per raw unit */
    bool has_preset, has_range;
    int64_t preset, min, max; /* base units */
    unsigned width;           /* bytes */
};

/* Rules between values; `left`, `right`, … are item keys. */
enum profile_check {
    CHECK_GREATER,    /* left > right */
    CHECK_NOT_LESS,   /* left >= right */
    CHECK_EQUAL,      /* left == right after unit conversion */
    CHECK_SUM,        /* sum of parts == total (AFE split = string count) */
    CHECK_PACK_UPPER, /* pack <= cells × cell, and within tolerance of it */
    CHECK_PACK_LOWER, /* pack >= cells × cell, and within tolerance of it */
};
struct profile_rule {
    struct bind_place place;
    char *name; /* "capacity", what a waiver in a recipe names */
    int check;  /* enum profile_check */
    char *left, *right;
    GPtrArray *parts;  /* char* */
    char *cells;       /* key of the cell count, for the pack checks */
    int64_t tolerance; /* thousandths of a percent; 0 = any distance on the safe side */
    bool waivable;
    char *because; /* one sentence why */
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
    char *product;              /* what identify must find */
    char *chemistry;            /* "LFP" */
    char *line_text;            /* "9600-8N1" */
    int64_t address;            /* bus address */
    int64_t reply_max, gap_min; /* µs */
    int64_t retries;
    int64_t parameter_version; /* expected raw value of the item parameter_version_item; mismatch = warning
                                  (R16) */
    char *parameter_version_item;
    char *cells_item;  /* key of the cell count */
    char *serial_item; /* key of the serial number */
    int charge_sign;   /* +1: charge is positive on the wire */
    GPtrArray *blocks, *commands, *items, *rules;
    struct profile_firmware firmware;

    struct wire_line line;
    char sha256[65];    /* of the file */
    bool has_reference; /* some entry is EVIDENCE_REFERENCE */
    char *path;
};

extern const struct bind_schema profile_schema; /* packline/profile/1 */

/* NULL with the findings in report. Checks keys unique, items inside blocks, overlaps, presets inside ranges,
 * steps that divide, rule keys known, command names known to the dialect. */
struct profile *profile_load(const char *path, GBytes *bytes, struct bind_report *report);
void profile_free(struct profile *profile);
const struct profile_item *profile_item_find(const struct profile *profile, const char *key);
const struct profile_block *profile_block_find(const struct profile *profile, const char *name);
const struct profile_command *profile_command_find(const struct profile *profile, const char *name);
/* The nearest key within two edits, or NULL. */
const char *profile_item_suggest(const struct profile *profile, const char *key);

#define PROFILE_LENGTH_MAX 64 /* bytes of a text or of bytes */

/* A value of one item: integer in base units, or text. */
struct item_value {
    const struct profile_item *item;
    int64_t raw;                           /* as on the wire */
    int64_t value;                         /* base units */
    char text[2 * PROFILE_LENGTH_MAX + 1]; /* of text and bytes items (bytes as hex) */
    bool absent;                           /* a sentinel: unset text (all FF or blank), sensor code -40 °C */
};

/* From file or command-line text ("3.65 V", "true", "BASEN-1"): exact in raw steps, inside range and valid
 * set, text length in bytes and printable ASCII. kind AUTHOR. */
bool profile_value_parse(const struct profile_item *item, const char *text, struct item_value *value,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* "3.65 V", "on", text; secrets as "***". Newly allocated. */
char *profile_value_format(const struct item_value *value);
/* Bytes of the block at the item's offset. */
void profile_value_decode(const struct profile_item *item, const uint8_t *bytes, struct item_value *value);
void profile_value_encode(const struct item_value *value, uint8_t *bytes);

/* Checks the profile's rules over a set of values given by a look-up (NULL = not known: the rule is skipped).
 * Called for a set to be written (findings are errors of the plan) and for an image read (findings are
 * warnings). The finder is asked for each key; the sink gets one sentence per violated rule. Returns the
 * number violated. */
typedef const struct item_value *(*profile_lookup)(void *context, const char *key);
typedef void (*profile_sink)(void *context, const struct profile_rule *rule, const char *sentence);
unsigned profile_check_rules(const struct profile *profile, profile_lookup lookup, profile_sink sink,
                             void *context);
