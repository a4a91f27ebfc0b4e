/* Quantities: a number with its unit in a file ("3.65 V", "200 Ah", "1000 ms", "-5 °C"), an integer of the
 * base unit in memory. Parsing is exact decimal arithmetic: a value that is not a whole number of base units
 * is an error, never rounded. The unit is required, separated by exactly one space; "30s" or "30" is refused
 * with the spelling that would be accepted. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum quantity {
    QUANTITY_NONE,                   /* plain count: no unit is written */
    QUANTITY_VOLTAGE,                /* mV; V mV kV */
    QUANTITY_CURRENT,                /* mA; A mA */
    QUANTITY_CHARGE,                 /* mAh; Ah mAh */
    QUANTITY_TEMPERATURE,            /* m°C; °C (also spelled degC) */
    QUANTITY_TEMPERATURE_DIFFERENCE, /* mK; K */
    QUANTITY_TIME,                   /* µs; us ms s min h d */
    QUANTITY_LENGTH,                 /* µm; um mm */
    QUANTITY_PERCENT,                /* thousandths of a percent; % */
    QUANTITY_RATE,                   /* bit/s; bit/s kbit/s Mbit/s */
    QUANTITY_SIZE,                   /* bytes; B KiB MiB */
    QUANTITY_RESISTANCE,             /* mOhm; mOhm Ohm kOhm */
    QUANTITIES
};

/* Whole text must match. Error kind AUTHOR with expected spelling; *value untouched on error. */
bool quantity_parse(const char *text, enum quantity quantity, int64_t *value,
                    GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* quantity_parse with its refusal in two parts, for callers that show a hint apart: *what says what is wrong
 * and what was expected, *hint what to write instead. Both newly allocated, only when false is returned. */
bool quantity_read(const char *text, enum quantity quantity, int64_t *value, char **what,
                   char **hint) G_GNUC_WARN_UNUSED_RESULT;
/* The shortest exact spelling among the accepted units, never below 1 of a unit when a smaller one exists:
 * 3650 mV → "3.65 V", 250000 µs → "250 ms". Newly allocated; quantity_parse reads it back to the same value.
 */
char *quantity_format(enum quantity quantity, int64_t value);
/* "voltage", and for schemas the units accepted, first is customary; NULL-terminated. */
const char *quantity_name(enum quantity quantity);
/* An accepted spelling for messages: "3.65 V". */
const char *quantity_example(enum quantity quantity);
const char *const *quantity_units(enum quantity quantity);
