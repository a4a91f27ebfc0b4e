#include "station/base/quantity.h"

#include "station/base/error.h"
#include "station/base/words.h"

#include <string.h>

#define UNITS_MAX    6
#define DECIMALS_MAX 18 /* 10^18 fits in 64 bits; more decimals are not needed by any unit here */

struct scale {
    const char *name, *example;
    const char *units[UNITS_MAX + 1];
    uint64_t factors[UNITS_MAX]; /* base units in one of the unit */
};

static const struct scale scales[QUANTITIES] = {
    [QUANTITY_NONE] = {"whole number", "30", {NULL}, {1}},
    [QUANTITY_VOLTAGE] = {"voltage", "3.65 V", {"V", "mV", "kV"}, {1000, 1, 1000000}},
    [QUANTITY_CURRENT] = {"current", "100 A", {"A", "mA"}, {1000, 1}},
    [QUANTITY_CHARGE] = {"charge", "200 Ah", {"Ah", "mAh"}, {1000, 1}},
    [QUANTITY_TEMPERATURE] = {"temperature", "25 °C", {"°C", "degC"}, {1000, 1000}},
    [QUANTITY_TEMPERATURE_DIFFERENCE] = {"temperature difference", "5 K", {"K"}, {1000}},
    [QUANTITY_TIME] = {"time",
                       "30 s",
                       {"s", "ms", "us", "min", "h", "d"},
                       {1000000, 1000, 1, 60000000, 3600000000, 86400000000}},
    [QUANTITY_LENGTH] = {"length", "60 mm", {"mm", "um"}, {1000, 1}},
    [QUANTITY_PERCENT] = {"percentage", "80 %", {"%"}, {1000}},
    [QUANTITY_RATE] = {"data rate", "115200 bit/s", {"bit/s", "kbit/s", "Mbit/s"}, {1, 1000, 1000000}},
    [QUANTITY_SIZE] = {"size", "256 KiB", {"B", "KiB", "MiB"}, {1, 1024, 1048576}},
    [QUANTITY_RESISTANCE] = {"resistance", "5 mOhm", {"mOhm", "Ohm", "kOhm"}, {1, 1000, 1000000}},
};

/* What people write for a unit; only ever used to say what to write instead. */
static const struct {
    const char *written, *unit;
} habits[] = {
    {"µs", "us"},       {"μs", "us"},     {"usec", "us"},    {"msec", "ms"},     {"sec", "s"},
    {"secs", "s"},      {"second", "s"},  {"seconds", "s"},  {"mins", "min"},    {"minute", "min"},
    {"minutes", "min"}, {"hr", "h"},      {"hour", "h"},     {"hours", "h"},     {"day", "d"},
    {"days", "d"},      {"µm", "um"},     {"μm", "um"},      {"C", "°C"},        {"℃", "°C"},
    {"ºC", "°C"},       {"deg", "°C"},    {"volt", "V"},     {"volts", "V"},     {"amp", "A"},
    {"amps", "A"},      {"bps", "bit/s"}, {"bps.", "bit/s"}, {"kbps", "kbit/s"}, {"Mbps", "Mbit/s"},
    {"baud", "bit/s"},  {"bytes", "B"},   {"byte", "B"},     {"mΩ", "mOhm"},     {"Ω", "Ohm"},
    {"kΩ", "kOhm"},     {"ohm", "Ohm"},   {"percent", "%"},  {"kelvin", "K"},
};

struct number {
    bool negative;
    uint64_t whole, fraction; /* fraction without trailing zeros, in units of 10^-decimals */
    unsigned decimals;
};

enum outcome { OUTCOME_EXACT, OUTCOME_FORM, OUTCOME_LARGE, OUTCOME_FINE };

static const struct scale *scale_of(enum quantity quantity)
{
    return &scales[(unsigned)quantity < QUANTITIES ? quantity : QUANTITY_NONE];
}

const char *quantity_name(enum quantity quantity)
{
    return scale_of(quantity)->name;
}

const char *quantity_example(enum quantity quantity)
{
    return scale_of(quantity)->example;
}

const char *const *quantity_units(enum quantity quantity)
{
    return scale_of(quantity)->units;
}

static uint64_t power_of_ten(unsigned exponent)
{
    uint64_t power = 1;
    while (exponent-- > 0)
        power *= 10;
    return power;
}

static uint64_t greatest_divisor(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Digits without leading zeros into *value; returns how many were read, 0 = none or not in this form. */
static size_t scan_whole(const char *at, uint64_t *value, enum outcome *outcome)
{
    size_t length = strspn(at, "0123456789");
    if (length == 0 || (length > 1 && at[0] == '0')) {
        *outcome = OUTCOME_FORM;
        return 0;
    }
    *value = 0;
    for (size_t i = 0; i < length; i++)
        if (__builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, (uint64_t)(at[i] - '0'), value))
            *outcome = OUTCOME_LARGE;
    return length;
}

/* The number of a quantity; returns where it ends, NULL when it is in no accepted form. */
static const char *scan_number(const char *at, struct number *number, enum outcome *outcome)
{
    *number = (struct number){.negative = *at == '-'};
    *outcome = OUTCOME_EXACT;
    at += number->negative;
    at += scan_whole(at, &number->whole, outcome);
    if (*outcome == OUTCOME_FORM)
        return NULL;
    if (*at != '.')
        return at;
    size_t length = strspn(++at, "0123456789"), used = length;
    if (length == 0)
        return NULL;
    while (used > 0 && at[used - 1] == '0')
        used--;
    if (used > DECIMALS_MAX) {
        *outcome = *outcome == OUTCOME_LARGE ? OUTCOME_LARGE : OUTCOME_FINE;
        return at + length;
    }
    for (size_t i = 0; i < used; i++)
        number->fraction = number->fraction * 10 + (uint64_t)(at[i] - '0');
    number->decimals = (unsigned)used;
    return at + length;
}

/* number × factor as int64, exactly or not at all. */
static enum outcome scale_number(const struct number *number, uint64_t factor, int64_t *value)
{
    uint64_t part = power_of_ten(number->decimals);
    uint64_t common = greatest_divisor(factor, part);
    uint64_t magnitude;
    uint64_t limit = (uint64_t)INT64_MAX + (number->negative ? 1 : 0);
    bool fine = number->fraction % (part / common) != 0;
    uint64_t rest = number->fraction / (part / common) * (factor / common);
    if (__builtin_mul_overflow(number->whole, factor, &magnitude) ||
        __builtin_add_overflow(magnitude, rest, &magnitude) || magnitude > limit)
        return OUTCOME_LARGE;
    if (fine)
        return OUTCOME_FINE;
    *value = number->negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return OUTCOME_EXACT;
}

static int unit_index(const struct scale *scale, const char *unit)
{
    for (int i = 0; scale->units[i]; i++)
        if (strcmp(scale->units[i], unit) == 0)
            return i;
    return -1;
}

static enum outcome parse_exact(const char *text, const struct scale *scale, int64_t *value)
{
    struct number number;
    enum outcome outcome;
    const char *rest = scan_number(text, &number, &outcome);
    if (!rest)
        return OUTCOME_FORM;
    int unit = 0;
    if (scale->units[0]) {
        unit = *rest == ' ' ? unit_index(scale, rest + 1) : -1;
        if (unit < 0)
            return OUTCOME_FORM;
    } else if (*rest || strchr(text, '.')) {
        return OUTCOME_FORM;
    }
    return outcome == OUTCOME_EXACT ? scale_number(&number, scale->factors[unit], value) : outcome;
}

/* The unit that was meant, or NULL. Case alone never turns mega into milli. */
static const char *meant_unit(const struct scale *scale, const char *written)
{
    if (!*written)
        return scale->units[0];
    int exact = unit_index(scale, written);
    if (exact >= 0)
        return scale->units[exact];
    for (size_t i = 0; i < G_N_ELEMENTS(habits); i++)
        if (strcmp(habits[i].written, written) == 0 && unit_index(scale, habits[i].unit) >= 0)
            return habits[i].unit;
    for (int i = 0; scale->units[i]; i++)
        if (g_ascii_strcasecmp(scale->units[i], written) == 0 &&
            !(written[0] == 'M' && scale->units[i][0] == 'm'))
            return scale->units[i];
    return NULL;
}

/* A number in the habits of other languages (blanks, +, leading zeros, decimal comma, 0x, e3), respelled into
 * out; *reason says what the habit was. Returns where it ends, or NULL. */
static const char *respell_number(const char *at, GString *out, const char **reason)
{
    if (*at == '+')
        *reason = "has a plus sign";
    if (*at == '-')
        g_string_append_c(out, '-');
    if (*at == '-' || *at == '+')
        at++;
    if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X')) {
        char *end = NULL;
        *reason = "is written in hexadecimal";
        uint64_t value = g_ascii_isxdigit(at[2]) ? g_ascii_strtoull(at + 2, &end, 16) : 0;
        g_string_append_printf(out, "%" G_GUINT64_FORMAT, value);
        return end;
    }
    size_t digits = strspn(at, "0123456789");
    size_t zeros = strspn(at, "0");
    if (digits > 1 && zeros > 0)
        *reason = "has a leading zero";
    zeros = zeros == digits && digits > 0 ? zeros - 1 : zeros;
    g_string_append_len(out, digits ? at + zeros : "0", digits ? (gssize)(digits - zeros) : 1);
    at += digits;
    size_t decimals = *at == '.' || *at == ',' ? strspn(at + 1, "0123456789") : 0;
    if (digits + decimals == 0)
        return NULL;
    if (*at == ',')
        *reason = "has a decimal comma";
    else if (*at == '.' && (digits == 0 || decimals == 0))
        *reason = "needs digits on both sides of the point";
    if (decimals > 0)
        g_string_append_printf(out, ".%.*s", (int)decimals, at + 1);
    at += *at == '.' || *at == ',' ? decimals + 1 : 0;
    if ((*at == 'e' || *at == 'E') && g_ascii_isdigit(at[1]) && !g_ascii_isdigit(at[2]) && decimals == 0) {
        *reason = "has an exponent";
        for (int i = at[1] - '0'; i > 0; i--)
            g_string_append_c(out, '0');
        at += 2;
    } else if (*at == 'e' || *at == 'E') {
        *reason = "has an exponent";
        return NULL;
    }
    return at;
}

/* Which other quantity has this unit; NULL = none. */
static const struct scale *owner_of(const char *unit)
{
    for (int i = 1; i < QUANTITIES; i++)
        if (unit_index(&scales[i], unit) >= 0)
            return &scales[i];
    return NULL;
}

static const char *unit_reason(const struct scale *scale, const char *rest, const char *unit)
{
    if (!scale->units[0])
        return *unit ? "is more than a whole number" : "is not a whole number";
    if (!*unit)
        return "has no unit";
    if (unit_index(scale, unit) < 0)
        return "has an unknown unit";
    return *rest == ' ' ? "has more than one space before the unit" : "has no space before the unit";
}

/* Says why a text in no accepted form was refused; the answer is static. *meant becomes the accepted
 * spelling, when there is one beyond doubt. */
static const char *diagnose(const char *text, const struct scale *scale, char **meant,
                            const struct scale **other)
{
    const char *reason = NULL;
    g_autofree char *trimmed = g_strstrip(g_strdup(text));
    g_autoptr(GString) spelling = g_string_new(NULL);
    int64_t value;
    if (strcmp(trimmed, text) != 0)
        reason = "has blanks around it";
    const char *rest = respell_number(trimmed, spelling, &reason);
    if (!rest)
        return reason ? reason : "is not a number with its unit";
    const char *unit = rest + strspn(rest, " \t");
    if (g_str_has_prefix(unit, "\xc2\xa0"))
        unit += 2; /* no-break space, as word processors put it */
    *other = owner_of(unit);
    *other = *other == scale ? NULL : *other;
    const char *intended = scale->units[0] ? meant_unit(scale, unit) : *unit ? NULL : "";
    if (intended && *intended)
        g_string_append_printf(spelling, " %s", intended);
    if (intended && parse_exact(spelling->str, scale, &value) == OUTCOME_EXACT)
        *meant = g_strdup(spelling->str);
    return reason ? reason : unit_reason(scale, rest, unit);
}

static char *accepted_units(const struct scale *scale)
{
    g_autofree char *units = g_strjoinv(", ", (char **)scale->units);
    return scale->units[0] ? g_strdup_printf("units are %s", units) : g_strdup("write a whole number");
}

/* The customary-unit neighbours would need rounding, so say the grain instead. */
static char *grain(enum quantity quantity)
{
    g_autofree char *one = quantity_format(quantity, 1);
    return g_strdup_printf("the finest step is %s", one);
}

bool quantity_read(const char *text, enum quantity quantity, int64_t *value, char **what, char **hint)
{
    const struct scale *scale = scale_of(quantity), *other = NULL;
    int64_t result = 0;
    g_autofree char *meant = NULL;
    enum outcome outcome = parse_exact(text, scale, &result);
    if (outcome == OUTCOME_EXACT) {
        *value = result;
        return true;
    }
    g_autofree char *shown = words_shown(text);
    if (outcome == OUTCOME_LARGE) {
        *what = g_strdup_printf("%s is too large for a %s", shown, scale->name);
        *hint = g_strdup_printf("write for example \"%s\"", scale->example);
        return false;
    }
    if (outcome == OUTCOME_FINE) {
        *what = g_strdup_printf("%s is finer than this %s can be kept", shown, scale->name);
        *hint = grain(quantity);
        return false;
    }
    const char *reason = diagnose(text, scale, &meant, &other);
    if (other)
        *what = g_strdup_printf("%s is a %s, expected a %s such as %s", shown, other->name, scale->name,
                                scale->example);
    else
        *what =
            g_strdup_printf("%s %s, expected a %s such as %s", shown, reason, scale->name, scale->example);
    if (!meant)
        *hint = accepted_units(scale);
    else /* quotes would make a text of a plain number */
        *hint = g_strdup_printf(scale->units[0] ? "write \"%s\"" : "write %s", meant);
    return false;
}

bool quantity_parse(const char *text, enum quantity quantity, int64_t *value, GError **error)
{
    g_autofree char *what = NULL, *hint = NULL;
    if (quantity_read(text, quantity, value, &what, &hint))
        return true;
    return error_set(error, ERROR_AUTHOR, "%s (%s)", what, hint);
}

/* magnitude/factor as an exact decimal, or NULL when it has none or it is below 1 of a unit. */
static char *spell(bool negative, uint64_t magnitude, uint64_t factor)
{
    GString *out = g_string_new(negative ? "-" : "");
    uint64_t rest = magnitude % factor;
    g_string_append_printf(out, "%" G_GUINT64_FORMAT, magnitude / factor);
    if (rest)
        g_string_append_c(out, '.');
    for (unsigned i = 0; rest && i < DECIMALS_MAX; i++) {
        g_string_append_c(out, (char)('0' + rest * 10 / factor));
        rest = rest * 10 % factor;
    }
    return g_string_free(out, rest != 0);
}

char *quantity_format(enum quantity quantity, int64_t value)
{
    const struct scale *scale = scale_of(quantity);
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    uint64_t smallest = UINT64_MAX;
    char *best = NULL;
    if (!scale->units[0])
        return g_strdup_printf("%" G_GINT64_FORMAT, value);
    for (int i = 0; scale->units[i]; i++)
        smallest = MIN(smallest, scale->factors[i]);
    for (int i = 0; scale->units[i]; i++) {
        if (magnitude < scale->factors[i] && scale->factors[i] != smallest && magnitude > 0)
            continue;
        g_autofree char *number = spell(value < 0, magnitude, scale->factors[i]);
        g_autofree char *text = number ? g_strconcat(number, " ", scale->units[i], NULL) : NULL;
        if (!text || (best && g_utf8_strlen(text, -1) >= g_utf8_strlen(best, -1)))
            continue;
        g_free(best);
        best = g_steal_pointer(&text);
    }
    return best;
}
