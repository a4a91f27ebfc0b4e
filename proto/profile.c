#include "proto/profile.h"

#include "firmware/trust.h"
#include "proto/board.h"
#include "proto/profile_parts.h"
#include "station/base/error.h"

#include <string.h>

#define PACK_PATTERN "-?[a-z0-9_]+((\\.[a-z0-9_]+)+|\\.\\*)"
#define VALUE_MAX    (INT64_C(1) << 58) /* so that values of a board can be added up */

const struct bind_choice profile_evidences[] = {
    {"vendor-public", EVIDENCE_VENDOR_PUBLIC, "published by the vendor"},
    {"vendor-confidential", EVIDENCE_VENDOR_CONFIDENTIAL, "given by the vendor under contract"},
    {"measured", EVIDENCE_MEASURED, "seen on a real board"},
    {"relative-public", EVIDENCE_RELATIVE_PUBLIC, "published for a close relative of this board"},
    {"reference", EVIDENCE_REFERENCE, "packline's own, no vendor's protocol"},
    {NULL}};

const char *profile_evidence_name(enum profile_evidence evidence)
{
    return profile_evidences[evidence].word;
}

static const struct bind_choice accesses[] = {
    {"read-only", ACCESS_READ_ONLY, "the board alone changes it"},
    {"service", ACCESS_SERVICE, "a recipe may write it"},
    {"engineering", ACCESS_ENGINEERING, "only an engineer may write it"},
    {"never", ACCESS_NEVER, "must not be written"},
    {NULL}};
static const struct bind_choice pads[] = {
    {"nul", PAD_NUL, "filled with 00H"}, {"space", PAD_SPACE, "filled with blanks"}, {NULL}};
static const struct bind_choice quantities[] = {
    {"count", QUANTITY_NONE, "plain number"},
    {"voltage", QUANTITY_VOLTAGE, "mV"},
    {"current", QUANTITY_CURRENT, "mA"},
    {"charge", QUANTITY_CHARGE, "mAh"},
    {"temperature", QUANTITY_TEMPERATURE, "m°C"},
    {"temperature-difference", QUANTITY_TEMPERATURE_DIFFERENCE, "mK"},
    {"time", QUANTITY_TIME, "µs"},
    {"percent", QUANTITY_PERCENT, "thousandths of a percent"},
    {NULL}};
static const struct bind_choice level_words[] = {
    {"operator", 0, "no login"}, {"administrator", 1, "after a login"}, {NULL}};
static const struct bind_choice checks[] = {
    {"greater", CHECK_GREATER, "left is greater than right"},
    {"not-less", CHECK_NOT_LESS, "left is not less than right"},
    {"equal", CHECK_EQUAL, "left equals right after unit conversion"},
    {"sum", CHECK_SUM, "the parts add up to left"},
    {"pack-upper", CHECK_PACK_UPPER, "left (pack) is at most cells × right (cell)"},
    {"pack-lower", CHECK_PACK_LOWER, "left (pack) is at least cells × right (cell)"},
    {"shunt", CHECK_SHUNT,
     "left (voltage across a shunt, rated `cells` at 75 mV) is more current than right"},
    {"increasing", CHECK_INCREASING,
     "each of the parts is greater than the one before it, the first than left"},
    {"full-cell", CHECK_FULL_CELL, "left is a voltage at which a cell of the chemistry is full"},
    {"empty-cell", CHECK_EMPTY_CELL, "left is a voltage at which a cell of the chemistry is empty"},
    {"needs", CHECK_NEEDS, "while left is on, right is set and not 0"},
    {NULL}};
static const struct bind_choice units[] = {
    {"unique-id", UNIT_UNIQUE_ID, "what its maker put there, and no other board has"},
    {"serial-number", UNIT_SERIAL_NUMBER,
     "the item `serial_item`: the station writes it, or its maker wrote it and nobody can change it"},
    {"label", UNIT_LABEL,
     "nothing: the label that was scanned is believed, and no recipe may change the board"},
    {NULL}};

#define F(type_, key_, kind, ...)                                                                            \
    {                                                                                                        \
        .key = #key_, .type = kind, .offset = offsetof(struct type_, key_), __VA_ARGS__                      \
    }
#define EVIDENCE(type_)                                                                                      \
    F(type_, evidence, BIND_CHOICE, .choices = profile_evidences, .required = true, .doc = "How it is known.")
#define SOURCE(type_)                                                                                        \
    F(type_, source, BIND_TEXT, .doc = "Where it is written: manual and section, or document.")

static const struct bind_field block_fields[] = {
    F(profile_block, name, BIND_TEXT, .required = true, .pattern = "[a-z0-9_]+", .doc = "Name of the block."),
    F(profile_block, number, BIND_ADDRESS, .required = true, .max = 0xffff,
      .doc = "As the dialect addresses it."),
    F(profile_block, size, BIND_INTEGER, .required = true, .min = 1, .max = 1024, .doc = "Bytes."),
    F(profile_block, read_command, BIND_TEXT,
      .doc = "Command that reads it whole; without it the plain block read."),
    F(profile_block, read_number, BIND_ADDRESS, .preset = "0", .max = 0xffff,
      .doc = "Number that read_command takes, e.g. a module."),
    F(profile_block, read_code, BIND_ADDRESS, .preset = "0", .max = 0xffff,
      .doc = "Code of its own that reads it whole; 0 = none."),
    F(profile_block, write_code, BIND_ADDRESS, .preset = "0", .max = 0xffff,
      .doc = "Code of its own that writes it whole; 0 = none."),
    F(profile_block, leads_address, BIND_FLAG, .preset = "false",
      .doc = "With a code of its own: the board's address stands in front of the bytes."),
    F(profile_block, size_min, BIND_INTEGER, .preset = "0", .max = 1024,
      .doc = "With a code of its own: shortest answer, the rest counts as unset; 0 = size."),
    F(profile_block, write_size, BIND_INTEGER, .preset = "0", .max = 1024,
      .doc = "With a code of its own: bytes that are written, from the first; 0 = size."),
    F(profile_block, in_image, BIND_FLAG, .preset = "false",
      .doc = "Part of the parameter image that is read and kept before the first write."),
    F(profile_block, session, BIND_FLAG, .preset = "false",
      .doc = "Reached only between the procedures `open` and `save` or `discard`."),
    EVIDENCE(profile_block),
    SOURCE(profile_block),
    {NULL}};
const struct bind_schema profile_block_schema = {.name = "block",
                                                 .doc = "A run of bytes on the board.",
                                                 .size = sizeof(struct profile_block),
                                                 .fields = block_fields};

static const struct bind_field command_fields[] = {
    F(profile_command, name, BIND_TEXT, .required = true, .doc = "One of the dialect's names."),
    F(profile_command, code, BIND_ADDRESS, .required = true, .max = 0xffff, .doc = "Command code."),
    F(profile_command, info, BIND_HEX, .max = 64, .doc = "Fixed bytes in front of the arguments."),
    EVIDENCE(profile_command),
    SOURCE(profile_command),
    {NULL}};
const struct bind_schema profile_command_schema = {.name = "command",
                                                   .doc = "A command of the dialect and its code.",
                                                   .size = sizeof(struct profile_command),
                                                   .fields = command_fields};

static const struct bind_field item_fields[] = {
    F(profile_item, key, BIND_TEXT, .required = true, .pattern = "[a-z0-9_]+(\\.[a-z0-9_]+)+",
      .doc = "Namespaced key."),
    F(profile_item, name, BIND_TEXT, .required = true, .doc = "As the manual prints it."),
    F(profile_item, title, BIND_TEXT, .doc = "The standard term."),
    F(profile_item, block, BIND_TEXT, .required = true, .doc = "Block it lies in."),
    F(profile_item, offset, BIND_INTEGER, .required = true, .max = 1023, .doc = "Byte offset in the block."),
    F(profile_item, type, BIND_CHOICE, .required = true, .choices = profile_types,
      .doc = "Type on the wire, big-endian."),
    F(profile_item, quantity, BIND_CHOICE, .choices = quantities, .preset = "count",
      .doc = "What it measures."),
    {.key = "step",
     .type = BIND_TEXT,
     .offset = offsetof(struct profile_item, step_text),
     .doc = "Value of one raw unit, e.g. 10 mV."},
    {.key = "origin",
     .type = BIND_TEXT,
     .offset = offsetof(struct profile_item, origin_text),
     .doc = "Value of raw 0, e.g. -273.1 °C; absent = 0."},
    {.key = "preset",
     .type = BIND_TEXT,
     .offset = offsetof(struct profile_item, preset_text),
     .doc = "Printed default."},
    {.key = "min",
     .type = BIND_TEXT,
     .offset = offsetof(struct profile_item, min_text),
     .doc = "Smallest value."},
    {.key = "max",
     .type = BIND_TEXT,
     .offset = offsetof(struct profile_item, max_text),
     .doc = "Largest value."},
    F(profile_item, valid, BIND_INTEGERS, .max = 64, .doc = "The only valid raw values."),
    F(profile_item, absent, BIND_INTEGERS, .max = 4, .doc = "Raw values that mean that nothing is there."),
    F(profile_item, mask, BIND_ADDRESS, .preset = "0", .max = 0xffffffff,
      .doc = "Bits of the raw value that count, of a number that is only read; 0 = all."),
    F(profile_item, number, BIND_INTEGER, .preset = "-1", .min = -1, .max = 0xffff,
      .doc = "As dialects that move whole values address it inside its block, e.g. the sub-index of an "
             "object; elements follow one by one."),
    F(profile_item, length, BIND_INTEGER, .min = 1, .max = PROFILE_LENGTH_MAX,
      .doc = "Bytes of a text or of bytes."),
    F(profile_item, count, BIND_INTEGER, .preset = "1", .min = 1, .max = 256,
      .doc = "Elements one behind the other, for telemetry; 1 is a single value."),
    F(profile_item, pad, BIND_CHOICE, .choices = pads, .preset = "nul", .doc = "What fills a short text."),
    F(profile_item, words, BIND_CHOICE, .choices = profile_words_order, .preset = "high-first",
      .doc = "Order of the two registers of a value of 32 bits."),
    F(profile_item, access, BIND_CHOICE, .choices = accesses, .preset = "service",
      .doc = "Who may write it."),
    F(profile_item, level, BIND_CHOICE, .choices = level_words, .preset = "administrator",
      .doc = "Login it needs to be written."),
    F(profile_item, secret, BIND_FLAG, .preset = "false", .doc = "Never shown."),
    F(profile_item, reads_negative, BIND_FLAG, .preset = "false",
      .doc = "The board shows it with its sign turned, and takes it plain."),
    F(profile_item, shown_by, BIND_TEXT,
      .doc = "Item that shows what was written here, where the board lets nobody read it."),
    F(profile_item, evidence, BIND_CHOICE, .choices = profile_evidences, .preset = "reference",
      .doc = "How it is known."),
    SOURCE(profile_item),
    F(profile_item, note, BIND_TEXT, .doc = "A quirk worth knowing."),
    {NULL}};
static const struct bind_schema item_schema = {.name = "item",
                                               .doc = "One value on the board.",
                                               .size = sizeof(struct profile_item),
                                               .fields = item_fields};

static const struct bind_field rule_fields[] = {
    F(profile_rule, name, BIND_TEXT, .required = true, .pattern = "[a-z0-9_-]+",
      .doc = "What a waiver names."),
    F(profile_rule, check, BIND_CHOICE, .required = true, .choices = checks, .doc = "What must hold."),
    F(profile_rule, left, BIND_TEXT, .required = true, .doc = "Item key."),
    F(profile_rule, right, BIND_TEXT, .doc = "Item key."),
    F(profile_rule, parts, BIND_TEXTS, .max = 16, .doc = "Item keys that add up to left, or follow it."),
    F(profile_rule, cells, BIND_TEXT,
      .doc =
          "Key of the cell count, for the pack checks; of the shunt's rated current, for the shunt check."),
    F(profile_rule, tolerance, BIND_QUANTITY, .quantity = QUANTITY_PERCENT, .max = 100000,
      .doc = "How far the pack limit may lie on the safe side; absent = any distance."),
    F(profile_rule, zero_is_off, BIND_FLAG, .preset = "false",
      .doc = "The rule does not count while one of its values is 0 on the wire."),
    F(profile_rule, waivable, BIND_FLAG, .preset = "false", .doc = "A recipe may waive it with a reason."),
    F(profile_rule, because, BIND_TEXT, .doc = "One sentence why."),
    {NULL}};
static const struct bind_schema rule_schema = {.name = "rule",
                                               .doc = "What must hold between values.",
                                               .size = sizeof(struct profile_rule),
                                               .fields = rule_fields};

#define US(type_, key_, preset_, sentence)                                                                   \
    F(type_, key_, BIND_QUANTITY, .quantity = QUANTITY_TIME, .min = 1, .max = 600000000, .preset = preset_,  \
      .doc = sentence)
static const struct bind_field profile_fields[] = {
    F(profile, schema, BIND_TEXT, .required = true, .doc = "`packline/profile/1`."),
    F(profile, profile, BIND_TEXT, .required = true, .pattern = "[a-z0-9-]+", .doc = "Name of the profile."),
    F(profile, family, BIND_TEXT, .required = true, .doc = "Family it belongs to."),
    F(profile, dialect, BIND_TEXT, .required = true, .doc = "Dialect it speaks."),
    F(profile, title, BIND_TEXT, .required = true, .doc = "What people see."),
    F(profile, product, BIND_TEXT, .required = true, .doc = "Product the board reports."),
    F(profile, chemistry, BIND_TEXT, .doc = "Cell chemistry: LFP, NMC or LTO."),
    F(profile, wake, BIND_TEXT, .doc = "What an operator does to wake a board that sleeps, in one sentence."),
    F(profile, wake_current, BIND_QUANTITY, .quantity = QUANTITY_CURRENT, .min = 1, .max = 50000,
      .doc = "Charging current with which a bench wakes it, when its label is scanned back."),
    F(profile, no_firmware, BIND_TEXT,
      .doc =
          "Why no firmware is loaded into this board, in one sentence: what a recipe that wants to is told."),
    {.key = "line",
     .type = BIND_TEXT,
     .offset = offsetof(struct profile, line_text),
     .required = true,
     .doc = "Service line, e.g. 9600-8N1."},
    F(profile, address, BIND_INTEGER, .preset = "1", .max = 255,
      .doc = "Bus address when the station names none."),
    F(profile, address_min, BIND_INTEGER, .preset = "0", .max = 255, .doc = "Lowest address there is."),
    F(profile, address_max, BIND_INTEGER, .preset = "255", .max = 255, .doc = "Highest address there is."),
    F(profile, auth, BIND_CHOICE, .preset = "board", .choices = profile_auths,
      .doc = "Who looks at the password of a login."),
    F(profile, fet_polarity, BIND_CHOICE, .preset = "plain", .choices = profile_polarities,
      .doc = "Which way round the FET commands switch."),
    F(profile, interlock_current, BIND_QUANTITY, .quantity = QUANTITY_CURRENT, .max = 1000000,
      .doc = "A FET is not switched off while this much flows through it the other way; absent = no such "
             "rule."),
    US(profile, reply_max, "500 ms", "Longest wait for an answer."),
    US(profile, gap_min, "1 ms", "Pause between exchanges."),
    F(profile, retries, BIND_INTEGER, .preset = "2", .max = 5,
      .doc = "Further tries of a repeatable request."),
    F(profile, parameter_version, BIND_ADDRESS, .preset = "0", .max = 0xffff,
      .doc = "Parameter version it was written for."),
    F(profile, parameter_version_item, BIND_TEXT, .doc = "Item that holds it; a difference is a warning."),
    F(profile, chemistry_item, BIND_TEXT, .doc = "Item in which the board reports its chemistry."),
    F(profile, chemistry_words, BIND_TEXTS, .max = 16, .doc = "What its raw values 0, 1, … mean."),
    F(profile, cells_item, BIND_TEXT, .doc = "Item that holds the cell count."),
    F(profile, capacity_item, BIND_TEXT, .doc = "Item that holds the rated capacity: labels print it."),
    F(profile, serial_item, BIND_TEXT, .doc = "Item that holds the serial number."),
    F(profile, barcode_item, BIND_TEXT, .doc = "Item that holds the barcode of the circuit board."),
    F(profile, pack, BIND_TEXTS, .max = 64, .pattern = PACK_PATTERN,
      .doc = "What belongs to the pack and moves to another board: keys, `group.*`, or either behind `-` to "
             "leave it out; the last that fits counts. All else belongs to the board."),
    F(profile, address_first, BIND_INTEGER, .preset = "1", .max = 255,
      .doc = "First bus address a board of this family may have."),
    F(profile, address_last, BIND_INTEGER, .preset = "16", .max = 255,
      .doc = "Last bus address a board of this family may have."),
    F(profile, unit, BIND_CHOICE, .choices = units, .preset = "unique-id",
      .doc = "What tells one board from another."),
    F(profile, charge_sign, BIND_INTEGER, .preset = "1", .min = -1, .max = 1,
      .doc = "1: charge is positive on the wire; -1: negative."),
    F(profile, blocks, BIND_LIST, .required = true, .min = 1, .max = 64, .child = &profile_block_schema,
      .doc = "Runs of bytes."),
    F(profile, commands, BIND_LIST, .max = 64, .child = &profile_command_schema,
      .doc = "Commands and their codes."),
    F(profile, items, BIND_LIST, .required = true, .min = 1, .max = 500, .child = &item_schema,
      .doc = "Values."),
    F(profile, rules, BIND_LIST, .max = 200, .child = &rule_schema, .doc = "Rules between values."),
    F(profile, sets, BIND_LIST, .max = 16, .child = &profile_set_schema,
      .doc = "Values that belong together; the parameters step of a recipe names them."),
    F(profile, identity, BIND_MAP, .child = &profile_identity_schema,
      .doc = "Items that say what the board is, where the dialect has no request for it."),
    F(profile, telemetry, BIND_LIST, .max = 64, .child = &profile_reading_schema,
      .doc = "Items that are readings, where the dialect has no request for them."),
    F(profile, procedures, BIND_LIST, .max = 32, .child = &profile_procedure_schema,
      .doc = "What the board does when its items are written, where the dialect has no request for it."),
    F(profile, clock, BIND_MAP, .child = &profile_clock_schema, .doc = "The item that is the clock."),
    F(profile, frame, BIND_MAP, .child = &profile_frame_schema,
      .doc = "What every frame carries, where the dialect leaves it open."),
    F(profile, log, BIND_MAP, .child = &profile_log_schema,
      .doc = "The board's own log, where the dialect has no request for it."),
    F(profile, firmware, BIND_MAP, .child = &profile_firmware_schema, .doc = "Flash and bootloader."),
    {NULL}};
const struct bind_schema profile_schema = {
    .name = "packline/profile/1",
    .doc = "A board profile: blocks, items, commands, flash and rules of a board model.",
    .size = sizeof(struct profile),
    .fields = profile_fields};

struct check {
    struct profile *profile;
    struct bind_report *report;
};

static void wrong(const struct check *c, const void *map, const char *key, const char *hint,
                  const char *format, ...) G_GNUC_PRINTF(5, 6);

static void wrong(const struct check *c, const void *map, const char *key, const char *hint,
                  const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    bind_report_error(c->report, bind_place_of(c->profile, map, key), hint, "%s", text);
}

static bool is_text(const struct profile_item *item)
{
    return item->type == ITEM_TEXT || item->type == ITEM_BYTES || item->type == ITEM_VERSION;
}

static void read_text(const struct check *c, const struct profile_item *item, const char *key,
                      const char *text, int64_t *value)
{
    g_autofree char *what = NULL, *hint = NULL;
    if (!quantity_read(text, (enum quantity)item->quantity, value, &what, &hint))
        wrong(c, item, key, hint, "%s", what);
}

static void resolve_numbers(const struct check *c, struct profile_item *item)
{
    item->step = 1;
    if (item->step_text)
        read_text(c, item, "step", item->step_text, &item->step);
    if (item->step <= 0) {
        wrong(c, item, "step", NULL, "a step is greater than zero");
        item->step = 1;
    }
    if (item->origin_text)
        read_text(c, item, "origin", item->origin_text, &item->origin);
    if (ABS(item->origin) > VALUE_MAX) {
        wrong(c, item, "origin", NULL, "an origin this large makes values that are too large to reckon with");
        item->origin = 0;
    }
    if (item->step > VALUE_MAX >> (8 * item->width)) {
        wrong(c, item, "step", NULL, "a step this large makes values that are too large to reckon with");
        item->step = 1;
    }
    item->has_range = item->min_text && item->max_text;
    if (!item->min_text != !item->max_text)
        wrong(c, item, item->min_text ? "min" : "max", NULL, "'%s' needs both min and max", item->key);
    if (item->min_text)
        read_text(c, item, "min", item->min_text, &item->min);
    if (item->max_text)
        read_text(c, item, "max", item->max_text, &item->max);
    if (item->has_range && item->min > item->max)
        wrong(c, item, "min", NULL, "min is above max");
}

static void check_preset(const struct check *c, struct profile_item *item)
{
    struct item_value value;
    g_autoptr(GError) error = NULL;
    if (!item->preset_text)
        return;
    if (!profile_value_parse(item, item->preset_text, &value, &error))
        wrong(c, item, "preset", NULL, "%s", error->message);
    item->has_preset = true;
    item->preset = value.value;
}

static void resolve_item(const struct check *c, struct profile_item *item)
{
    item->in = profile_block_find(c->profile, item->block);
    if (is_text(item) && item->length == 0)
        wrong(c, item, "type", "add `length:`", "'%s' is a text without a length", item->key);
    if (!is_text(item) && item->length)
        wrong(c, item, "length", NULL, "only text and bytes have a length");
    item->width = profile_item_width(item);
    profile_check_type(c->profile, item, c->report);
    if (item->reads_negative && item->type != ITEM_I16 && item->type != ITEM_I32 && item->type != ITEM_I8)
        wrong(c, item, "reads_negative", NULL, "only signed numbers have another sign");
    if (!item->in)
        wrong(c, item, "block", NULL, "no block '%s'", item->block);
    else if (item->offset + item->width * item->count > item->in->size)
        wrong(c, item, "offset", NULL, "'%s' ends behind its block of %" G_GINT64_FORMAT " bytes", item->key,
              item->in->size);
    if (!is_text(item))
        resolve_numbers(c, item);
    check_preset(c, item);
    if (item->mask && (item->access != ACCESS_READ_ONLY || is_text(item)))
        wrong(c, item, "mask", NULL, "only a number that is never written has a mask");
    const struct dialect_kind *dialect = dialect_find(c->profile->dialect);
    if (dialect && dialect->by_number && item->number < 0)
        wrong(c, item, "key", "add `number:`", "dialect '%s' needs to know the number of '%s'", dialect->name,
              item->key);
}

static void check_overlap(const struct check *c, const struct profile_item *a, const struct profile_item *b)
{
    if (strcmp(a->key, b->key) == 0)
        wrong(c, b, "key", NULL, "item '%s' is described twice", b->key);
    else if (a->in && a->in == b->in && a->offset < b->offset + b->width * b->count &&
             b->offset < a->offset + a->width * a->count)
        wrong(c, b, "offset", NULL, "'%s' overlaps '%s'", b->key, a->key);
}

static void check_key(const struct check *c, const void *map, const char *field, const char *key)
{
    if (!key || profile_item_find(c->profile, key))
        return;
    const char *near = profile_item_suggest(c->profile, key);
    g_autofree char *hint = near ? g_strdup_printf("did you mean '%s'?", near) : NULL;
    wrong(c, map, field, hint, "no item '%s'", key);
}

static void check_rule(const struct check *c, const struct profile_rule *rule)
{
    bool pack = rule->check == CHECK_PACK_UPPER || rule->check == CHECK_PACK_LOWER;
    check_key(c, rule, "left", rule->left);
    check_key(c, rule, "right", rule->right);
    check_key(c, rule, "cells", rule->cells);
    for (guint i = 0; i < rule->parts->len; i++)
        check_key(c, rule, "parts", g_ptr_array_index(rule->parts, i));
    bool parts = rule->check == CHECK_SUM || rule->check == CHECK_INCREASING;
    bool alone = rule->check == CHECK_FULL_CELL || rule->check == CHECK_EMPTY_CELL;
    if (parts && rule->parts->len == 0)
        wrong(c, rule, "check", NULL, "this check needs `parts:`");
    if (!parts && !alone && !rule->right)
        wrong(c, rule, "check", NULL, "this check needs `right:`");
    if ((pack || rule->check == CHECK_SHUNT) && !rule->cells)
        wrong(c, rule, "check", NULL, "this check needs `cells:`");
}

static void check_commands(const struct check *c, const struct dialect_kind *dialect)
{
    for (guint i = 0; i < c->profile->commands->len; i++) {
        const struct profile_command *command = g_ptr_array_index(c->profile->commands, i);
        bool known = false;
        for (unsigned k = 0; dialect->commands[k]; k++)
            known |= strcmp(dialect->commands[k], command->name) == 0;
        if (!known)
            wrong(c, command, "name", NULL, "dialect '%s' has no command '%s'", dialect->name, command->name);
        if (profile_command_find(c->profile, command->name) != command)
            wrong(c, command, "name", NULL, "command '%s' is named twice", command->name);
        c->profile->has_reference |= command->evidence == EVIDENCE_REFERENCE;
    }
}

static void check_blocks(const struct check *c)
{
    for (guint i = 0; i < c->profile->blocks->len; i++) {
        const struct profile_block *block = g_ptr_array_index(c->profile->blocks, i);
        if (profile_block_find(c->profile, block->name) != block)
            wrong(c, block, "name", NULL, "block '%s' is named twice", block->name);
        if (block->read_command && !profile_command_find(c->profile, block->read_command))
            wrong(c, block, "read_command", NULL, "no command '%s'", block->read_command);
        if (block->size_min > block->size || block->write_size > block->size)
            wrong(c, block, block->size_min > block->size ? "size_min" : "write_size", NULL,
                  "it is above size");
        c->profile->has_reference |= block->evidence == EVIDENCE_REFERENCE;
    }
}

static void check_all(const struct check *c)
{
    struct profile *p = c->profile;
    const struct dialect_kind *dialect = dialect_find(p->dialect);
    g_autoptr(GError) error = NULL;
    if (!dialect)
        wrong(c, p, "dialect", NULL, "there is no dialect '%s'", p->dialect);
    if (p->address_min > p->address_max || p->address < p->address_min || p->address > p->address_max)
        wrong(c, p, "address", NULL, "the address is outside address_min and address_max");
    p->address_first = MAX(p->address_first, p->address_min);
    p->address_last = MIN(p->address_last, p->address_max);
    if (p->charge_sign == 0)
        wrong(c, p, "charge_sign", NULL, "charge_sign is 1 or -1");
    if (!wire_line_parse(p->line_text, &p->line, &error))
        wrong(c, p, "line", NULL, "%s", error->message);
    else if (dialect && dialect->can != wire_line_is_can(&p->line))
        wrong(c, p, "line", dialect->can ? "such as 250000-can" : "such as 9600-8N1",
              dialect->can ? "dialect '%s' needs a CAN bus" : "dialect '%s' is not spoken on a CAN bus",
              dialect->name);
    check_blocks(c);
    if (dialect)
        check_commands(c, dialect);
    for (guint i = 0; i < p->items->len; i++) {
        struct profile_item *item = g_ptr_array_index(p->items, i);
        resolve_item(c, item);
        p->has_reference |= item->evidence == EVIDENCE_REFERENCE;
        for (guint k = 0; k < i; k++)
            check_overlap(c, g_ptr_array_index(p->items, k), item);
    }
    for (guint i = 0; i < p->rules->len; i++)
        check_rule(c, g_ptr_array_index(p->rules, i));
    check_key(c, p, "chemistry_item", p->chemistry_item);
    check_key(c, p, "cells_item", p->cells_item);
    const struct profile_item *cells = profile_item_find(p, p->cells_item);
    if (cells && (cells->quantity != QUANTITY_NONE || cells->count != 1))
        wrong(c, p, "cells_item", NULL, "'%s' is no count of cells but %s", cells->key,
              cells->count != 1 ? "a list" : "a quantity");
    check_key(c, p, "capacity_item", p->capacity_item);
    const struct profile_item *capacity = profile_item_find(p, p->capacity_item);
    if (capacity && capacity->quantity != QUANTITY_CHARGE)
        wrong(c, p, "capacity_item", NULL, "'%s' is no charge: give it `quantity: charge`", capacity->key);
    check_key(c, p, "serial_item", p->serial_item);
    check_key(c, p, "barcode_item", p->barcode_item);
    if (p->address_first > p->address_last)
        wrong(c, p, "address_first", NULL, "the first address lies above the last");
    const struct profile_item *serial = profile_item_find(p, p->serial_item);
    if (p->unit == UNIT_SERIAL_NUMBER && (!serial || serial->type != ITEM_TEXT))
        wrong(c, p, "unit", "name it under `serial_item`", "a serial number needs an item of text");
    check_key(c, p, "parameter_version_item", p->parameter_version_item);
    profile_check_firmware(p, c->report);
    profile_check_sets(p, c->report);
    profile_check_procedures(p, c->report);
    profile_check_log(p, c->report);
}

struct profile *profile_bind(const char *path, GBytes *bytes, struct bind_report *report)
{
    struct profile *profile = bind_load(&profile_schema, bytes, report);
    if (!profile)
        return NULL;
    gsize n;
    const void *data = g_bytes_get_data(bytes, &n);
    trust_sha256(data, n, profile->sha256);
    profile->path = g_strdup(path);
    return profile;
}

bool profile_check(struct profile *profile, struct bind_report *report)
{
    check_all(&(struct check){profile, report});
    profile->evidence = profile_evidence_text(profile);
    return bind_report_errors(report) == 0;
}

struct profile *profile_load(const char *path, GBytes *bytes, struct bind_report *report)
{
    return profile_load_from(path, bytes, NULL, NULL, report);
}

struct profile *profile_load_from(const char *path, GBytes *bytes, profile_base base, void *context,
                                  struct bind_report *report)
{
    g_autofree char *schema = bind_peek_schema(bytes);
    if (g_strcmp0(schema, profile_addresses_schema.name) == 0)
        return profile_load_completed(path, bytes, base, context, report);
    struct profile *profile = profile_bind(path, bytes, report);
    if (!profile || profile_check(profile, report))
        return profile;
    profile_free(profile);
    return NULL;
}

void profile_free(struct profile *profile)
{
    if (!profile)
        return;
    g_clear_pointer(&profile->path, g_free);
    g_clear_pointer(&profile->evidence, g_free);
    g_clear_pointer(&profile->base_bytes, g_bytes_unref);
    bind_free(&profile_schema, profile);
}

const struct profile_item *profile_item_find(const struct profile *profile, const char *key)
{
    for (guint i = 0; key && i < profile->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(profile->items, i);
        if (strcmp(item->key, key) == 0)
            return item;
    }
    return NULL;
}

const struct profile_block *profile_block_find(const struct profile *profile, const char *name)
{
    for (guint i = 0; i < profile->blocks->len; i++) {
        const struct profile_block *block = g_ptr_array_index(profile->blocks, i);
        if (strcmp(block->name, name) == 0)
            return block;
    }
    return NULL;
}

const struct profile_command *profile_command_find(const struct profile *profile, const char *name)
{
    for (guint i = 0; i < profile->commands->len; i++) {
        const struct profile_command *command = g_ptr_array_index(profile->commands, i);
        if (strcmp(command->name, name) == 0)
            return command;
    }
    return NULL;
}
