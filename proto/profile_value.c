/* Values of items: text ↔ base units ↔ raw units ↔ bytes. */
#include "proto/profile.h"

#include "station/base/error.h"
#include "station/base/words.h"

#include <math.h>
#include <string.h>

/* A sensor that is not there reads -40 °C (families of YD/T 1363 boards). */
#define SENSOR_ABSENT_MDEG -40000
#define REAL_MAX           1e15 /* what no board measures, and a double still counts exactly */

static bool is_text(const struct profile_item *item)
{
    return item->type == ITEM_TEXT || item->type == ITEM_BYTES || item->type == ITEM_VERSION;
}

static void limits(const struct profile_item *item, int64_t *min, int64_t *max)
{
    static const int64_t lows[] = {
        [ITEM_I8] = INT8_MIN, [ITEM_I16] = INT16_MIN, [ITEM_I32] = INT32_MIN, [ITEM_DATE] = 0};
    static const int64_t highs[] = {
        [ITEM_U8] = UINT8_MAX,  [ITEM_U16] = UINT16_MAX, [ITEM_I16] = INT16_MAX, [ITEM_U32] = UINT32_MAX,
        [ITEM_I32] = INT32_MAX, [ITEM_I8] = INT8_MAX,    [ITEM_FLAG] = 1,        [ITEM_TEXT] = 0,
        [ITEM_BYTES] = 0,       [ITEM_DATE] = UINT16_MAX};
    *min = lows[item->type];
    *max = highs[item->type];
}

static bool parse_text(const struct profile_item *item, const char *text, struct item_value *value,
                       GError **error)
{
    size_t n = strlen(text);
    if (n > (size_t)item->length)
        return error_set(error, ERROR_AUTHOR, "'%s' is %zu bytes long, %s takes %" G_GINT64_FORMAT,
                         item->secret ? "***" : text, n, item->key, item->length);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < 0x20 || (unsigned char)text[i] > 0x7e)
            return error_set(error, ERROR_AUTHOR, "%s takes printable ASCII only; character %zu is not",
                             item->key, i + 1);
    if (n == 0 || text[0] == ' ' || text[n - 1] == ' ')
        return error_set(error, ERROR_AUTHOR, "%s: a text is not empty and has no blanks at its ends",
                         item->key);
    g_strlcpy(value->text, text, sizeof value->text);
    return true;
}

static bool parse_bytes(const struct profile_item *item, const char *text, struct item_value *value,
                        GError **error)
{
    size_t n = strlen(text);
    bool hex = n == (size_t)item->length * 2;
    for (size_t i = 0; i < n; i++)
        hex = hex && g_ascii_isxdigit(text[i]);
    if (!hex)
        return error_set(error, ERROR_AUTHOR, "%s takes %" G_GINT64_FORMAT " hexadecimal digits", item->key,
                         item->length * 2);
    g_autofree char *lower = g_ascii_strdown(text, -1);
    g_strlcpy(value->text, lower, sizeof value->text);
    return true;
}

#define DATE_YEAR(raw)  (2000 + (unsigned)((raw) >> 9 & 0x7f))
#define DATE_MONTH(raw) ((unsigned)((raw) >> 5 & 0x0f))
#define DATE_DAY(raw)   ((unsigned)((raw)&0x1f))

static bool parse_date(const struct profile_item *item, const char *text, struct item_value *value,
                       GError **error)
{
    static const char form[] = "dddd-dd-dd";
    int year = 0, month = 0, day = 0;
    bool ok = strlen(text) == sizeof form - 1;
    for (size_t i = 0; ok && form[i]; i++)
        ok = form[i] == 'd' ? g_ascii_isdigit(text[i]) : text[i] == form[i];
    if (ok) {
        year = (int)g_ascii_strtoll(text, NULL, 10);
        month = (int)g_ascii_strtoll(text + 5, NULL, 10);
        day = (int)g_ascii_strtoll(text + 8, NULL, 10);
    }
    if (!ok || year < 2000 || year > 2127 ||
        !g_date_valid_dmy((GDateDay)day, (GDateMonth)month, (GDateYear)year))
        return error_set(error, ERROR_AUTHOR, "%s is a date such as 2026-11-21, from 2000 to 2127, not '%s'",
                         item->key, text);
    value->raw = value->value = (year - 2000) << 9 | month << 5 | day;
    return true;
}

static bool check_valid(const struct profile_item *item, int64_t raw, GError **error)
{
    g_autoptr(GString) list = g_string_new(NULL);
    for (guint i = 0; item->valid && i < item->valid->len; i++) {
        int64_t candidate = g_array_index(item->valid, int64_t, i);
        if (candidate == raw)
            return true;
        g_string_append_printf(list, "%s%" G_GINT64_FORMAT, i ? ", " : "", candidate);
    }
    return list->len == 0 || error_set(error, ERROR_AUTHOR, "%s takes only %s, not %" G_GINT64_FORMAT,
                                       item->key, list->str, raw);
}

static bool check_number(const struct profile_item *item, struct item_value *value, GError **error)
{
    int64_t low, high;
    limits(item, &low, &high);
    g_autofree char *shown = quantity_format((enum quantity)item->quantity, value->value);
    if ((value->value - item->origin) % item->step) {
        g_autofree char *step = quantity_format((enum quantity)item->quantity, item->step);
        return error_set(error, ERROR_AUTHOR, "%s goes in steps of %s, %s is none", item->key, step, shown);
    }
    value->raw = (value->value - item->origin) / item->step;
    if (item->has_range && (value->value < item->min || value->value > item->max)) {
        g_autofree char *min = quantity_format((enum quantity)item->quantity, item->min);
        g_autofree char *max = quantity_format((enum quantity)item->quantity, item->max);
        return error_set(error, ERROR_AUTHOR, "%s is outside the range of %s: %s to %s", shown, item->key,
                         min, max);
    }
    if (value->raw < low || value->raw > high)
        return error_set(error, ERROR_AUTHOR, "%s does not fit on the wire as %s", shown, item->key);
    return check_valid(item, value->raw, error);
}

bool profile_value_parse(const struct profile_item *item, const char *text, struct item_value *value,
                         GError **error)
{
    *value = (struct item_value){.item = item};
    if (item->type == ITEM_REAL32 || item->type == ITEM_VERSION)
        return error_set(error, ERROR_AUTHOR, "%s is a value that the board alone writes", item->key);
    if (item->type == ITEM_TEXT)
        return parse_text(item, text, value, error);
    if (item->type == ITEM_BYTES)
        return parse_bytes(item, text, value, error);
    if (item->type == ITEM_DATE)
        return parse_date(item, text, value, error);
    if (item->type == ITEM_FLAG) {
        bool on = strcmp(text, "true") == 0;
        if (!on && strcmp(text, "false") != 0)
            return error_set(error, ERROR_AUTHOR, "%s is true or false, not '%s'", item->key, text);
        value->raw = value->value = on;
        return true;
    }
    return quantity_parse(text, (enum quantity)item->quantity, &value->value, error) &&
           check_number(item, value, error);
}

char *profile_value_format(const struct item_value *value)
{
    if (value->item->secret)
        return g_strdup("***");
    if (value->absent)
        return g_strdup("(not set)");
    if (is_text(value->item))
        return g_strdup(value->text);
    if (value->item->type == ITEM_DATE)
        return g_strdup_printf("%04u-%02u-%02u", DATE_YEAR(value->raw), DATE_MONTH(value->raw),
                               DATE_DAY(value->raw));
    if (value->item->type == ITEM_FLAG && (value->raw == 0 || value->raw == 1))
        return g_strdup(value->raw ? "true" : "false");
    return quantity_format((enum quantity)value->item->quantity, value->value);
}

bool profile_value_same(const struct item_value *a, const struct item_value *b)
{
    return is_text(a->item) ? a->raw == b->raw && strcmp(a->text, b->text) == 0 : a->raw == b->raw;
}

char *profile_value_finding(const struct item_value *value)
{
    const struct profile_item *item = value->item;
    g_autoptr(GError) wrong = NULL;
    struct item_value again = *value;
    if (item->access == ACCESS_READ_ONLY || value->absent || item->secret || is_text(item) ||
        item->type == ITEM_DATE || item->type == ITEM_REAL32)
        return NULL;
    if (item->type == ITEM_FLAG && value->raw != 0 && value->raw != 1)
        return g_strdup_printf("%s is true or false, and the board holds %" G_GINT64_FORMAT, item->key,
                               value->raw);
    if (item->type == ITEM_FLAG || check_number(item, &again, &wrong))
        return NULL;
    return g_strdup_printf("%s (raw %" G_GINT64_FORMAT ")", wrong->message, value->raw);
}

static uint64_t get_be(const uint8_t *bytes, unsigned width)
{
    uint64_t raw = 0;
    for (unsigned i = 0; i < width; i++)
        raw = raw << 8 | bytes[i];
    return raw;
}

static int64_t sign_extend(uint64_t raw, unsigned width)
{
    uint64_t sign = 1ull << (8 * width - 1);
    return (int64_t)((raw ^ sign) - sign);
}

static bool all_equal(const uint8_t *bytes, unsigned n, uint8_t value)
{
    for (unsigned i = 0; i < n; i++)
        if (bytes[i] != value)
            return false;
    return true;
}

static bool is_unset(const uint8_t *bytes, unsigned n)
{
    return all_equal(bytes, n, 0xff) || all_equal(bytes, n, 0) || all_equal(bytes, n, ' ');
}

static void decode_text(const struct profile_item *item, const uint8_t *bytes, struct item_value *value)
{
    unsigned n = item->width, out = 0;
    value->absent = is_unset(bytes, n);
    while (n > 0 && (bytes[n - 1] == ' ' || bytes[n - 1] == 0 || bytes[n - 1] == 0xff))
        n--;
    /* What a board holds is foreign: anything unprintable shows as a question mark, and is counted so that it
     * never equals what was written. */
    for (unsigned i = 0; i < n && out < sizeof value->text - 1; i++) {
        const bool printable = bytes[i] >= 0x20 && bytes[i] <= 0x7e;
        value->raw += !printable;
        value->text[out++] = printable ? (char)bytes[i] : '?';
    }
    value->text[out] = '\0';
}

/* Numbers of a byte each, the highest first; of four the first is not used by anybody who has three. */
static void decode_version(const struct profile_item *item, const uint8_t *bytes, struct item_value *value)
{
    const unsigned first = item->width == 4 && bytes[0] == 0 ? 1 : 0;
    value->raw = (int64_t)get_be(bytes, item->width);
    value->absent = all_equal(bytes, item->width, 0xff);
    for (unsigned i = first; i < item->width; i++) {
        const size_t n = strlen(value->text);
        g_snprintf(value->text + n, sizeof value->text - n, "%s%u", i > first ? "." : "", bytes[i]);
    }
}

static void decode_real(const struct profile_item *item, const uint8_t *bytes, struct item_value *value)
{
    const uint32_t bits = (uint32_t)get_be(bytes, 4);
    float real;
    memcpy(&real, &bits, sizeof real);
    value->raw = bits;
    value->absent = !isfinite(real);
    const double scaled = value->absent ? 0 : (double)real * (double)item->step + (double)item->origin;
    value->value = (int64_t)llround(CLAMP(scaled, -REAL_MAX, REAL_MAX));
    for (guint i = 0; item->absent && i < item->absent->len; i++)
        value->absent |= g_array_index(item->absent, int64_t, i) == value->raw;
}

/* The two registers of a value change places. */
static const uint8_t *in_order(const struct profile_item *item, const uint8_t *bytes, uint8_t swapped[4])
{
    if (item->words != WORDS_LOW_FIRST || item->width != 4)
        return bytes;
    memcpy(swapped, bytes + 2, 2);
    memcpy(swapped + 2, bytes, 2);
    return swapped;
}

void profile_value_decode(const struct profile_item *item, const uint8_t *wire, struct item_value *value)
{
    uint8_t swapped[4];
    const uint8_t *bytes = in_order(item, wire, swapped);
    *value = (struct item_value){.item = item};
    if (item->type == ITEM_VERSION) {
        decode_version(item, bytes, value);
        return;
    }
    if (item->type == ITEM_REAL32) {
        decode_real(item, bytes, value);
        return;
    }
    if (item->type == ITEM_TEXT) {
        decode_text(item, bytes, value);
        return;
    }
    if (item->type == ITEM_BYTES) {
        value->absent = is_unset(bytes, item->width);
        for (unsigned i = 0; i < item->width; i++)
            g_snprintf(value->text + 2 * i, 3, "%02x", bytes[i]);
        return;
    }
    uint64_t raw = get_be(bytes, item->width);
    if (item->mask)
        raw &= (uint64_t)item->mask;
    bool is_signed = item->type == ITEM_I8 || item->type == ITEM_I16 || item->type == ITEM_I32;
    value->raw = is_signed ? sign_extend(raw, item->width) : (int64_t)raw;
    if (item->reads_negative)
        value->raw = -value->raw;
    value->value = value->raw * item->step + item->origin;
    if (item->type == ITEM_DATE) {
        value->absent = DATE_MONTH(raw) == 0 || DATE_DAY(raw) == 0;
        return;
    }
    value->absent = item->access == ACCESS_READ_ONLY && item->quantity == QUANTITY_TEMPERATURE &&
                    value->value == SENSOR_ABSENT_MDEG;
    for (guint i = 0; item->absent && i < item->absent->len; i++)
        value->absent |= g_array_index(item->absent, int64_t, i) == value->raw;
}

void profile_value_encode(const struct item_value *value, uint8_t *bytes)
{
    const struct profile_item *item = value->item;
    if (item->type == ITEM_TEXT) {
        size_t n = strlen(value->text);
        memset(bytes, item->pad == PAD_SPACE ? ' ' : 0, item->width);
        memcpy(bytes, value->text, MIN(n, (size_t)item->width));
        return;
    }
    for (unsigned i = 0; i < item->width; i++) {
        if (item->type == ITEM_BYTES)
            bytes[i] = (uint8_t)(g_ascii_xdigit_value(value->text[2 * i]) << 4 |
                                 g_ascii_xdigit_value(value->text[2 * i + 1]));
        else
            bytes[i] = (uint8_t)((uint64_t)value->raw >> (8 * (item->width - 1 - i)));
    }
    uint8_t swapped[4];
    if (in_order(item, bytes, swapped) == swapped)
        memcpy(bytes, swapped, sizeof swapped);
}

const char *profile_item_suggest(const struct profile *profile, const char *key)
{
    g_autofree const char **words = g_new0(const char *, profile->items->len + 1);
    for (guint i = 0; i < profile->items->len; i++)
        words[i] = ((const struct profile_item *)g_ptr_array_index(profile->items, i))->key;
    return words_nearest(key, words);
}
