/* The part of a profile that tells a plain register machine what it is: identity, readings, procedures,
 * clock; and what its frames carry. */
#include "proto/profile_parts.h"

#include "station/base/error.h"

#include <string.h>

#define F(type_, key_, kind, ...)                                                                            \
    {                                                                                                        \
        .key = #key_, .type = kind, .offset = offsetof(struct type_, key_), __VA_ARGS__                      \
    }

static const struct bind_field identity_fields[] = {
    F(profile_identity, hardware, BIND_TEXT, .doc = "Item that holds the hardware revision."),
    F(profile_identity, product, BIND_TEXT, .doc = "Item that holds the product."),
    F(profile_identity, project, BIND_TEXT, .doc = "Item that holds the project."),
    F(profile_identity, firmware, BIND_TEXT, .doc = "Item that holds the firmware version."),
    F(profile_identity, bootloader, BIND_TEXT, .doc = "Item that holds the bootloader version."),
    F(profile_identity, unique_id, BIND_TEXT,
      .doc = "Item that no other board has: 12 bytes, or a text; of one longer than 12 characters the first "
             "12 bytes "
             "of its SHA-256 count."),
    {NULL}};
const struct bind_schema profile_identity_schema = {.name = "identity",
                                                    .doc = "Items that say what the board is.",
                                                    .size = sizeof(struct profile_identity),
                                                    .place_offset = 0,
                                                    .fields = identity_fields};

static const struct bind_choice readings[] = {
    {"cells", TELEMETRY_CELLS, "cell voltages, one element a cell"},
    {"sensors", TELEMETRY_SENSORS, "cell temperatures, one element a sensor"},
    {"ambient", TELEMETRY_AMBIENT, "ambient temperature"},
    {"mos", TELEMETRY_MOS, "MOSFET temperature"},
    {"pack_voltage", TELEMETRY_PACK_VOLTAGE, "pack voltage"},
    {"current", TELEMETRY_CURRENT, "pack current, with the sign of the wire"},
    {"soc", TELEMETRY_SOC, "state of charge"},
    {"soh", TELEMETRY_SOH, "state of health"},
    {"full", TELEMETRY_FULL, "full capacity"},
    {"remaining", TELEMETRY_REMAINING, "remaining capacity"},
    {"cycles", TELEMETRY_CYCLES, "charge cycles"},
    {"charge_fet", TELEMETRY_CHARGE_FET, "the charge MOSFET or relay is on"},
    {"discharge_fet", TELEMETRY_DISCHARGE_FET, "the discharge MOSFET or relay is on"},
    {"protections", TELEMETRY_PROTECTIONS, "protections that are active, by bit"},
    {"alarms", TELEMETRY_ALARMS, "alarms that are active, by bit"},
    {"direction", TELEMETRY_DIRECTION,
     "0 rest, 1 charge, 2 discharge, in the board's own words: the sign of its current must agree"},
    {NULL}};
static const struct bind_field reading_fields[] = {
    F(profile_reading, reading, BIND_CHOICE, .required = true, .choices = readings, .doc = "Which reading."),
    F(profile_reading, item, BIND_TEXT, .required = true, .doc = "Item key."),
    F(profile_reading, bit, BIND_INTEGER, .preset = "-1", .min = -1, .max = 31,
      .doc = "Bit of a FET in its item; -1: the item is the flag."),
    F(profile_reading, normal, BIND_ADDRESS, .preset = "0", .max = 0xffffffff,
      .doc = "Bits of protections or alarms that are on when all is well: these count when they are off."),
    F(profile_reading, truncated, BIND_FLAG, .preset = "false",
      .doc =
          "Of soc: the board cuts off what is below one step, so the truth may be almost one step higher."),
    F(profile_reading, flags, BIND_TEXTS, .max = 32,
      .doc = "Names of the bits of protections or alarms, lowest first; - is a bit without a meaning."),
    {NULL}};
const struct bind_schema profile_reading_schema = {.name = "reading",
                                                   .doc = "An item that is a reading.",
                                                   .size = sizeof(struct profile_reading),
                                                   .fields = reading_fields};

static const struct bind_choice procedures[] = {
    {"reset", PROCEDURE_RESET, "the board restarts"},
    {"enter_bootloader", PROCEDURE_ENTER_BOOTLOADER, "the board waits for its firmware"},
    {"sleep", PROCEDURE_SLEEP, "the board sleeps and is silent"},
    {"factory_defaults", PROCEDURE_FACTORY_DEFAULTS, "all parameters fall back"},
    {"charge_fet", PROCEDURE_CHARGE_FET, "the charge MOSFET goes on (argument 1) or off (0)"},
    {"discharge_fet", PROCEDURE_DISCHARGE_FET, "the discharge MOSFET goes on (argument 1) or off (0)"},
    {"clear_pcb_barcode", PROCEDURE_CLEAR_PCB_BARCODE, "the board's own bar code is cleared"},
    {"charge_limiter", PROCEDURE_CHARGE_LIMITER,
     "the limiting of the charge current goes on (argument 1) or off (0)"},
    {"calibrate_current_zero", PROCEDURE_CALIBRATE_CURRENT_ZERO,
     "no current flows, and reads so from now on"},
    {"calibrate_current_gain", PROCEDURE_CALIBRATE_CURRENT_GAIN, "the truth flows, and reads so from now on"},
    {"calibrate_temperature", PROCEDURE_CALIBRATE_TEMPERATURE, "sensor `argument` has the truth"},
    {"calibrate_reset", PROCEDURE_CALIBRATE_RESET, "calibration is undone"},
    {"calibrate_cell", PROCEDURE_CALIBRATE_CELL, "cell `argument` (from 0) has the truth"},
    {"calibrate_voltage", PROCEDURE_CALIBRATE_VOLTAGE,
     "the truth lies at the pack, and reads so from now on"},
    {"open", PROCEDURE_OPEN, "before values are read or written"},
    {"save", PROCEDURE_SAVE, "after values were written: they stay"},
    {"discard", PROCEDURE_DISCARD, "after values were read, or writing failed"},
    {NULL}};

static const struct bind_field write_fields[] = {
    F(profile_act_write, item, BIND_TEXT, .required = true, .doc = "Item key."),
    F(profile_act_write, value, BIND_TEXT, .required = true,
      .doc =
          "Raw whole number (0x for hexadecimal), `truth` in the item's own units, `charge` or `discharge` "
          "(the truth of one, left out for the other), or `argument`."),
    F(profile_act_write, when, BIND_INTEGER, .preset = "-1", .min = -1, .max = 255,
      .doc = "Only for this argument, e.g. 0 to switch off; -1: for each. An argument that no write is for "
             "is not "
             "supported."),
    {NULL}};
static const struct bind_schema write_schema = {.name = "write",
                                                .doc = "Writes one item.",
                                                .size = sizeof(struct profile_act_write),
                                                .fields = write_fields};
static const struct bind_field wait_fields[] = {F(profile_act_wait, time, BIND_QUANTITY,
                                                  .quantity = QUANTITY_TIME, .required = true, .min = 1,
                                                  .max = 60000000, .doc = "How long."),
                                                {NULL}};
static const struct bind_schema wait_schema = {
    .name = "wait", .doc = "Waits.", .size = sizeof(struct profile_act_wait), .fields = wait_fields};
static const struct bind_field expect_fields[] = {
    F(profile_act_expect, item, BIND_TEXT, .required = true, .doc = "Item key."),
    F(profile_act_expect, value, BIND_ADDRESS, .required = true, .max = 0xffffffff, .doc = "Raw value."),
    F(profile_act_expect, within, BIND_QUANTITY, .quantity = QUANTITY_TIME, .preset = "1 s", .min = 1,
      .max = 60000000, .doc = "How long it may take."),
    {NULL}};
static const struct bind_schema expect_schema = {.name = "expect",
                                                 .doc = "Reads one item until it has the value.",
                                                 .size = sizeof(struct profile_act_expect),
                                                 .fields = expect_fields};
static const struct bind_variant acts[] = {
    {"write", &write_schema}, {"wait", &wait_schema}, {"expect", &expect_schema}, {NULL, NULL}};

static const struct bind_field procedure_fields[] = {
    F(profile_procedure, procedure, BIND_CHOICE, .required = true, .choices = procedures, .doc = "Which."),
    F(profile_procedure, acts, BIND_VARIANTS, .required = true, .min = 1, .max = 16, .variants = acts,
      .tag_key = "do", .doc = "What is done, in order."),
    F(profile_procedure, answers_last, BIND_FLAG, .preset = "true",
      .doc = "false: the last write ends the conversation, so its answer may be missing."),
    {NULL}};
const struct bind_schema profile_procedure_schema = {.name = "procedure",
                                                     .doc = "What the board does when items are written.",
                                                     .size = sizeof(struct profile_procedure),
                                                     .fields = procedure_fields};

static const struct bind_choice clock_forms[] = {
    {"ymdhms", CLOCK_YMDHMS, "six bytes: year since 2000, month, day, hour, minute, second"},
    {"ymdhms-le", CLOCK_YMDHMS_LE, "eight bytes: year low, high, month, day, hour, minute, second, 0"},
    {"canopen", CLOCK_CANOPEN,
     "six bytes, TIME_OF_DAY of CiA 301: milliseconds after midnight, then days since 1984, each low byte "
     "first"},
    {NULL}};
static const struct bind_field clock_fields[] = {
    F(profile_clock, item, BIND_TEXT, .required = true, .doc = "Item of bytes that is the clock."),
    F(profile_clock, local, BIND_FLAG, .preset = "false",
      .doc = "It shows the station's local time; without it UTC."),
    F(profile_clock, form, BIND_CHOICE, .choices = clock_forms, .preset = "ymdhms",
      .doc = "What the bytes mean."),
    {NULL}};
const struct bind_schema profile_clock_schema = {.name = "clock",
                                                 .doc = "The board's clock.",
                                                 .size = sizeof(struct profile_clock),
                                                 .fields = clock_fields};

const struct bind_choice profile_auths[] = {
    {"board", AUTH_BOARD, "the board does"},
    {"host", AUTH_HOST, "the vendor's tool does: the board hears nothing of it, and it is never sent"},
    {"none", AUTH_NONE, "nobody, there is no login"},
    {NULL}};

const struct bind_choice profile_polarities[] = {
    {"plain", POLARITY_PLAIN, "1 switches on, 0 off"},
    {"inverted", POLARITY_INVERTED, "0 switches on, 1 off"},
    {"unmeasured", POLARITY_UNMEASURED,
     "nobody knows: no FET is switched until `packline board polarity` has shown it on a board"},
    {NULL}};

static const struct bind_choice info_flags[] = {
    {"absent", INFO_FLAG_ABSENT, "the first byte is the pack"},
    {"present", INFO_FLAG_PRESENT, "a flag byte stands in front of it"},
    {"either", INFO_FLAG_EITHER, "whichever fits the whole answer; refused when both do"},
    {NULL}};
static const struct bind_choice last_sensors[] = {
    {"cells", LAST_SENSORS_CELLS, "cell sensors as all others"},
    {"ambient-mos", LAST_SENSORS_AMBIENT_MOS, "ambient and MOSFET"},
    {"mos-ambient", LAST_SENSORS_MOS_AMBIENT, "MOSFET and ambient"},
    {NULL}};
static const struct bind_choice pack_layouts[] = {
    {"celsius", PACK_LAYOUT_CELSIUS, "whole degrees from -40 °C, 10 mV, SOC and SOH, numbered states"},
    {"kelvin", PACK_LAYOUT_KELVIN, "tenths of a kelvin, 1 mV, design capacity, nine state bytes"},
    {NULL}};
static const struct bind_field frame_fields[] = {
    F(profile_frame, version, BIND_ADDRESS, .preset = "0x22", .max = 0xff, .doc = "VER of a request."),
    F(profile_frame, equipment, BIND_ADDRESS, .preset = "0x4A", .max = 0xff,
      .doc = "CID1, the kind of equipment."),
    F(profile_frame, answers, BIND_HEX, .max = 16,
      .doc = "Versions that an answer may have, a byte each; absent = any."),
    F(profile_frame, info_flag, BIND_CHOICE, .preset = "absent", .choices = info_flags,
      .doc = "What the readings of a pack begin with."),
    F(profile_frame, last_sensors, BIND_CHOICE, .preset = "cells", .choices = last_sensors,
      .doc = "What the last two temperatures of a pack are."),
    F(profile_frame, pack_layout, BIND_CHOICE, .preset = "celsius", .choices = pack_layouts,
      .doc = "How the readings of a pack are laid out."),
    {NULL}};
const struct bind_schema profile_frame_schema = {.name = "frame",
                                                 .doc = "What every frame carries.",
                                                 .size = sizeof(struct profile_frame),
                                                 .fields = frame_fields};
struct check {
    struct profile *profile;
    struct bind_report *report;
};

static const struct profile_item *find(const struct check *c, const void *map, const char *field,
                                       const char *key)
{
    const struct profile_item *item = profile_item_find(c->profile, key);
    if (!key || item)
        return item;
    const char *near = profile_item_suggest(c->profile, key);
    g_autofree char *hint = near ? g_strdup_printf("did you mean '%s'?", near) : NULL;
    bind_report_error(c->report, bind_place_of(c->profile, map, field), hint, "no item '%s'", key);
    return NULL;
}

static bool is_text(const struct profile_item *item)
{
    return item->type == ITEM_TEXT || item->type == ITEM_BYTES || item->type == ITEM_VERSION;
}

static void check_identity(const struct check *c)
{
    const struct profile_identity *i = &c->profile->identity;
    find(c, i, "hardware", i->hardware);
    find(c, i, "product", i->product);
    find(c, i, "project", i->project);
    find(c, i, "firmware", i->firmware);
    find(c, i, "bootloader", i->bootloader);
    const struct profile_item *id = find(c, i, "unique_id", i->unique_id);
    if (id && !(id->type == ITEM_BYTES && id->width == 12) && id->type != ITEM_TEXT)
        bind_report_error(c->report, bind_place_of(c->profile, i, "unique_id"), NULL,
                          "a unique id is an item of 12 bytes, or a text");
}

static void check_reading(const struct check *c, struct profile_reading *reading)
{
    reading->in = find(c, reading, "item", reading->item);
    if (!reading->in || !is_text(reading->in))
        return;
    bind_report_error(c->report, bind_place_of(c->profile, reading, "item"), NULL, "'%s' is no number",
                      reading->item);
}

static const struct {
    const char *word;
    int what;
} act_values[] = {
    {"truth", ACT_TRUTH}, {"charge", ACT_CHARGE}, {"discharge", ACT_DISCHARGE}, {"argument", ACT_ARGUMENT}};

static void check_write(const struct check *c, struct profile_act_write *write)
{
    char *end = NULL;
    write->in = find(c, write, "item", write->item);
    write->what = ACT_NUMBER;
    for (unsigned i = 0; i < G_N_ELEMENTS(act_values); i++)
        if (strcmp(write->value, act_values[i].word) == 0)
            write->what = act_values[i].what;
    if (write->in &&
        (is_text(write->in) || write->in->access == ACCESS_READ_ONLY || write->in->access == ACCESS_NEVER))
        bind_report_error(c->report, bind_place_of(c->profile, write, "item"), NULL,
                          "'%s' is no number that may be written", write->item);
    if (write->what != ACT_NUMBER)
        return;
    write->raw = g_ascii_strtoll(write->value, &end, 0);
    if (end == write->value || *end != '\0')
        bind_report_error(c->report, bind_place_of(c->profile, write, "value"), NULL,
                          "'%s' is no whole number, and not `truth`, `charge`, `discharge` or `argument`",
                          write->value);
}

static void check_procedure(const struct check *c, struct profile_procedure *procedure)
{
    if (profile_procedure_find(c->profile, (enum profile_procedure_name)procedure->procedure) != procedure)
        bind_report_error(c->report, bind_place_of(c->profile, procedure, "procedure"), NULL,
                          "procedure '%s' is described twice",
                          profile_procedure_word((enum profile_procedure_name)procedure->procedure));
    for (guint i = 0; i < procedure->acts->len; i++) {
        struct bind_variant_value *act = g_ptr_array_index(procedure->acts, i);
        if (act->variant->schema == &write_schema)
            check_write(c, act->value);
        if (act->variant->schema == &expect_schema) {
            struct profile_act_expect *expect = act->value;
            expect->in = find(c, expect, "item", expect->item);
        }
    }
}

static void check_clock(const struct check *c)
{
    struct profile_clock *clock = &c->profile->clock;
    unsigned bytes = clock->form == CLOCK_YMDHMS_LE ? 8 : 6;
    if (!clock->item)
        return;
    clock->in = find(c, clock, "item", clock->item);
    if (clock->in && (clock->in->type != ITEM_BYTES || clock->in->width != bytes))
        bind_report_error(c->report, bind_place_of(c->profile, clock, "item"), NULL,
                          "a clock of this form is an item of %u bytes", bytes);
}

/* What shows a value must be of its kind, or the comparison would mean nothing. */
static void check_shown(const struct check *c, struct profile_item *item)
{
    item->shown = find(c, item, "shown_by", item->shown_by);
    if (item->shown && (is_text(item) != is_text(item->shown) || item->quantity != item->shown->quantity ||
                        item->shown->shown_by))
        bind_report_error(c->report, bind_place_of(c->profile, item, "shown_by"), NULL,
                          "'%s' cannot show what is written to '%s'", item->shown_by, item->key);
}

static void check_sessions(const struct check *c)
{
    for (guint i = 0; i < c->profile->blocks->len; i++) {
        const struct profile_block *block = g_ptr_array_index(c->profile->blocks, i);
        if (block->session && !profile_procedure_find(c->profile, PROCEDURE_OPEN))
            bind_report_error(c->report, bind_place_of(c->profile, block, "session"),
                              "describe the procedure `open`", "block '%s' needs a session", block->name);
    }
}

void profile_check_procedures(struct profile *profile, struct bind_report *report)
{
    const struct check c = {profile, report};
    check_identity(&c);
    for (guint i = 0; i < profile->telemetry->len; i++)
        check_reading(&c, g_ptr_array_index(profile->telemetry, i));
    for (guint i = 0; i < profile->procedures->len; i++)
        check_procedure(&c, g_ptr_array_index(profile->procedures, i));
    for (guint i = 0; i < profile->items->len; i++)
        check_shown(&c, g_ptr_array_index(profile->items, i));
    check_sessions(&c);
    check_clock(&c);
}

const struct profile_procedure *profile_procedure_find(const struct profile *profile,
                                                       enum profile_procedure_name name)
{
    for (guint i = 0; i < profile->procedures->len; i++) {
        const struct profile_procedure *procedure = g_ptr_array_index(profile->procedures, i);
        if (procedure->procedure == (int)name)
            return procedure;
    }
    return NULL;
}

bool profile_has_discharge_gain(const struct profile *profile)
{
    const struct profile_procedure *gain = profile_procedure_find(profile, PROCEDURE_CALIBRATE_CURRENT_GAIN);
    for (guint i = 0; gain && i < gain->acts->len; i++) {
        const struct bind_variant_value *act = g_ptr_array_index(gain->acts, i);
        if (act->variant->schema == &write_schema &&
            ((const struct profile_act_write *)act->value)->what == ACT_DISCHARGE)
            return true;
    }
    return false;
}

const char *profile_procedure_word(enum profile_procedure_name name)
{
    for (unsigned i = 0; procedures[i].word; i++)
        if (procedures[i].value == (int)name)
            return procedures[i].word;
    return "?";
}
