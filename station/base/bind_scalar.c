/* Scalars: one parser per type, each with its refusal and what to write instead. */
#include "station/base/bind_node.h"

#include "station/base/words.h"

#include <string.h>

#define COUNT_PRESET_MAX 1000 /* elements of a list whose table gives no range */
#define CHOICES_MAX      256
#define DAY_US           INT64_C(86400000000)
#define YEAR_FIRST       1970

bool bind_node_is_null(const struct bind_node *node)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL", NULL};
    return node->kind == BIND_NODE_SCALAR && !node->quoted &&
           g_strv_contains(words, node->text ? node->text : "");
}

void bind_count(const struct bind_field *field, int64_t *least, int64_t *most)
{
    bool open = field->min == 0 && field->max == 0;
    *least = open ? 0 : field->min;
    *most = open ? COUNT_PRESET_MAX : field->max;
}

void bind_bytes(const struct bind_field *field, int64_t *least, int64_t *most)
{
    bool open = (field->min == 0 && field->max == 0) || field->type == BIND_TEXTS;
    *least = open ? 1 : field->min;
    *most = open ? BIND_SCALAR_MAX : field->max;
}

static char *choice_words(const struct bind_field *field)
{
    GString *out = g_string_new(NULL);
    for (const struct bind_choice *choice = field->choices; choice->word; choice++)
        g_string_append_printf(out, "%s%s", out->len ? ", " : "", choice->word);
    return g_string_free(out, FALSE);
}

char *bind_expected(const struct bind_field *field)
{
    g_autofree char *words = NULL;
    switch (field->type) {
    case BIND_TEXT:
        return g_strdup("a text");
    case BIND_INTEGER:
        return g_strdup("a whole number");
    case BIND_ADDRESS:
    case BIND_INTEGERS:
        return g_strdup(field->type == BIND_ADDRESS ? "a number, decimal or 0x…" : "a list of numbers");
    case BIND_FLAG:
        return g_strdup("true or false");
    case BIND_QUANTITY:
        return g_strdup_printf("a %s such as %s", quantity_name(field->quantity),
                               quantity_example(field->quantity));
    case BIND_CHOICE:
        words = choice_words(field);
        return g_strdup_printf("one of %s", words);
    case BIND_HEX:
        return g_strdup("pairs of hex digits such as 01 A4");
    case BIND_DATE:
        return g_strdup("a date such as 2026-11-20");
    case BIND_MAP:
    case BIND_PAIRS:
        return g_strdup("a map of keys");
    case BIND_LIST:
    case BIND_VARIANTS:
        return g_strdup("a list of maps");
    case BIND_TEXTS:
        return g_strdup("a list of texts");
    }
    return g_strdup("nothing");
}

void bind_refuse_kind(const struct bind_field *field, const struct bind_node *node,
                      struct bind_report *report)
{
    static const char *const kinds[] = {"a single value", "a list", "a map"};
    g_autofree char *expected = bind_expected(field);
    if (node->bad)
        return;
    if (bind_node_is_null(node))
        bind_report_error(report, node->place, NULL, "%s: no value, expected %s", field->key, expected);
    else
        bind_report_error(report, node->place, NULL, "%s: found %s, expected %s", field->key,
                          kinds[node->kind], expected);
}

/* A bound or value in the field's own spelling. */
static char *format_value(const struct bind_field *field, int64_t value)
{
    if (field->type == BIND_QUANTITY)
        return quantity_format(field->quantity, value);
    if (field->type == BIND_ADDRESS && value >= 0)
        return g_strdup_printf("0x%" G_GINT64_MODIFIER "X", value);
    return g_strdup_printf("%" G_GINT64_FORMAT, value);
}

static const char *range_noun(const struct bind_field *field)
{
    switch (field->type) {
    case BIND_TEXT:
    case BIND_HEX:
        return " bytes";
    case BIND_LIST:
    case BIND_TEXTS:
    case BIND_INTEGERS:
    case BIND_PAIRS:
    case BIND_VARIANTS:
        return " entries";
    default:
        return "";
    }
}

char *bind_range(const struct bind_field *field)
{
    if (field->min == 0 && field->max == 0)
        return NULL;
    const char *noun = range_noun(field);
    g_autofree char *least = format_value(field, field->min), *most = format_value(field, field->max);
    if (field->min == INT64_MIN)
        return g_strdup_printf("at most %s%s", most, noun);
    if (field->max == INT64_MAX)
        return g_strdup_printf("at least %s%s", least, noun);
    if (field->min == field->max)
        return g_strdup_printf("exactly %s%s", least, noun);
    return g_strdup_printf("%s to %s%s", least, most, noun);
}

static bool check_range(const struct bind_field *field, const struct bind_node *node, int64_t value,
                        struct bind_report *report)
{
    if ((field->min == 0 && field->max == 0) || (value >= field->min && value <= field->max))
        return true;
    g_autofree char *range = bind_range(field), *shown = format_value(field, value);
    bool low = value < field->min;
    g_autofree char *bound = format_value(field, low ? field->min : field->max);
    g_autofree char *hint = g_strdup_printf("write %s or %s", bound, low ? "more" : "less");
    bind_report_error(report, node->place, hint, "%s: %s is out of range, expected %s", field->key, shown,
                      range);
    return false;
}

static bool check_bytes(const struct bind_field *field, const struct bind_node *node, size_t length,
                        struct bind_report *report)
{
    int64_t least, most;
    bind_bytes(field, &least, &most);
    if ((int64_t)length >= least && (int64_t)length <= most)
        return true;
    bind_report_error(report, node->place, NULL,
                      "%s: %zu bytes, expected %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, field->key, length,
                      least, most);
    return false;
}

char *bind_anchored(const char *pattern)
{
    bool whole = g_str_has_prefix(pattern, "^") && g_str_has_suffix(pattern, "$") &&
                 !g_str_has_suffix(pattern, "\\$") && !strchr(pattern, '|');
    return whole ? g_strdup(pattern) : g_strdup_printf("^(?:%s)$", pattern);
}

bool bind_matches(const char *pattern, const char *what, const struct bind_node *node,
                  struct bind_report *report)
{
    if (!pattern)
        return true;
    g_autoptr(GError) error = NULL;
    g_autofree char *anchored = bind_anchored(pattern), *shown = words_shown(node->text);
    /* Without DOLLAR_ENDONLY a value with a newline at its end would match. */
    g_autoptr(GRegex) regex = g_regex_new(anchored, G_REGEX_DOLLAR_ENDONLY, 0, &error);
    if (!regex)
        bind_report_error(report, node->place, NULL, "%s: packline's own pattern is wrong: %s", what,
                          error->message);
    else if (!g_regex_match(regex, node->text, 0, NULL))
        bind_report_error(report, node->place, NULL, "%s: %s does not have the form %s", what, shown,
                          pattern);
    else
        return true;
    return false;
}

static bool read_text(const struct bind_field *field, const struct bind_node *node,
                      struct bind_report *report, char **target)
{
    if (!check_bytes(field, node, strlen(node->text), report) ||
        !bind_matches(field->pattern, field->key, node, report))
        return false;
    *target = g_strdup(node->text);
    return true;
}

/* 0x and digits, at most INT64_MAX. */
static bool parse_hexadecimal(const char *text, int64_t *value)
{
    const char *digits = text + 2;
    while (*digits == '0' && digits[1])
        digits++;
    if (!g_str_has_prefix(text, "0x") || !*digits || strlen(digits) > 16 ||
        digits[strspn(digits, "0123456789abcdefABCDEF")])
        return false;
    uint64_t read = g_ascii_strtoull(digits, NULL, 16);
    if (read > INT64_MAX)
        return false;
    *value = (int64_t)read;
    return true;
}

static bool read_number(const struct bind_field *field, const struct bind_node *node,
                        struct bind_report *report, int64_t *target)
{
    g_autofree char *what = NULL, *hint = NULL;
    bool hexadecimal = field->type == BIND_ADDRESS || field->type == BIND_INTEGERS;
    enum quantity quantity = field->type == BIND_QUANTITY ? field->quantity : QUANTITY_NONE;
    int64_t value = 0;
    if (node->quoted && quantity == QUANTITY_NONE) {
        bind_report_error(report, node->place, "leave the quotes out",
                          "%s: a text in quotes, expected a number", field->key);
        return false;
    }
    bool hex_form = hexadecimal && (g_str_has_prefix(node->text, "0x") || g_str_has_prefix(node->text, "0X"));
    if (hex_form && !parse_hexadecimal(node->text, &value)) {
        g_autofree char *shown = words_shown(node->text);
        bind_report_error(report, node->place, "write it like 0x08000000",
                          "%s: %s is not a hexadecimal number", field->key, shown);
        return false;
    }
    if (!hex_form && !quantity_read(node->text, quantity, &value, &what, &hint)) {
        bind_report_error(report, node->place, hint, "%s: %s", field->key, what);
        return false;
    }
    if (field->type != BIND_INTEGERS && !check_range(field, node, value, report))
        return false;
    *target = value;
    return true;
}

static bool read_flag(const struct bind_field *field, const struct bind_node *node,
                      struct bind_report *report, bool *target)
{
    bool yes = strcmp(node->text, "true") == 0, no = strcmp(node->text, "false") == 0;
    if (!node->quoted && (yes || no)) {
        *target = yes;
        return true;
    }
    g_autofree char *shown = words_shown(node->text);
    if (yes || no)
        bind_report_error(report, node->place, "leave the quotes out",
                          "%s: a text in quotes, expected true or false", field->key);
    else
        bind_report_error(report, node->place, "write true or false", "%s: %s is not a flag", field->key,
                          shown);
    return false;
}

static bool read_choice(const struct bind_field *field, const struct bind_node *node,
                        struct bind_report *report, int *target)
{
    const char *words[CHOICES_MAX + 1] = {NULL};
    for (size_t i = 0; i < CHOICES_MAX && field->choices[i].word; i++) {
        words[i] = field->choices[i].word;
        if (strcmp(words[i], node->text) == 0) {
            *target = field->choices[i].value;
            return true;
        }
    }
    const char *near = words_nearest(node->text, words);
    g_autofree char *shown = words_shown(node->text), *expected = bind_expected(field);
    g_autofree char *hint = near ? g_strdup_printf("did you mean '%s'?", near) : NULL;
    bind_report_error(report, node->place, hint, "%s: unknown word %s, expected %s", field->key, shown,
                      expected);
    return false;
}

static bool read_hex(const struct bind_field *field, const struct bind_node *node, struct bind_report *report,
                     GBytes **target)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    const char *at = node->text + (g_str_has_prefix(node->text, "0x") ? 2 : 0);
    while (g_ascii_isxdigit(at[0]) && g_ascii_isxdigit(at[1])) {
        guint8 byte = (guint8)(g_ascii_xdigit_value(at[0]) << 4 | g_ascii_xdigit_value(at[1]));
        g_byte_array_append(bytes, &byte, 1);
        at += 2;
        size_t blanks = strspn(at, " ");
        at += at[blanks] ? blanks : 0; /* a blank at the end stands between no pairs */
    }
    if (*at) {
        g_autofree char *shown = words_shown(node->text);
        bind_report_error(report, node->place, "write pairs of hex digits such as 01 A4",
                          "%s: %s is not made of pairs of hex digits", field->key, shown);
        return false;
    }
    if (!check_bytes(field, node, bytes->len, report))
        return false;
    *target = g_byte_array_free_to_bytes(g_steal_pointer(&bytes));
    return true;
}

static bool read_date(const struct bind_field *field, const struct bind_node *node,
                      struct bind_report *report, int64_t *target)
{
    const char *text = node->text;
    bool form = strlen(text) == 10 && text[4] == '-' && text[7] == '-';
    for (size_t i = 0; form && i < 10; i++)
        form = i == 4 || i == 7 || g_ascii_isdigit(text[i]);
    unsigned year = form ? (unsigned)g_ascii_strtoull(text, NULL, 10) : 0;
    unsigned month = form ? (unsigned)g_ascii_strtoull(text + 5, NULL, 10) : 0;
    unsigned day = form ? (unsigned)g_ascii_strtoull(text + 8, NULL, 10) : 0;
    if (year < YEAR_FIRST || !g_date_valid_dmy((GDateDay)day, (GDateMonth)month, (GDateYear)year)) {
        g_autofree char *shown = words_shown(text);
        bind_report_error(report, node->place, "write year, month and day: 2026-11-20",
                          "%s: %s is not a date", field->key, shown);
        return false;
    }
    GDate date, epoch;
    g_date_clear(&date, 1);
    g_date_clear(&epoch, 1);
    g_date_set_dmy(&date, (GDateDay)day, (GDateMonth)month, (GDateYear)year);
    g_date_set_dmy(&epoch, 1, G_DATE_JANUARY, YEAR_FIRST);
    *target = g_date_days_between(&epoch, &date) * DAY_US;
    return true;
}

bool bind_scalar(const struct bind_field *field, const struct bind_node *node, struct bind_report *report,
                 void *target)
{
    if (node->bad)
        return false;
    if (node->kind != BIND_NODE_SCALAR || bind_node_is_null(node)) {
        bind_refuse_kind(field, node, report);
        return false;
    }
    switch (field->type) {
    case BIND_TEXT:
    case BIND_TEXTS:
        return read_text(field, node, report, target);
    case BIND_INTEGER:
    case BIND_ADDRESS:
    case BIND_INTEGERS:
    case BIND_QUANTITY:
        return read_number(field, node, report, target);
    case BIND_FLAG:
        return read_flag(field, node, report, target);
    case BIND_CHOICE:
        return read_choice(field, node, report, target);
    case BIND_HEX:
        return read_hex(field, node, report, target);
    case BIND_DATE:
        return read_date(field, node, report, target);
    default:
        bind_refuse_kind(field, node, report);
        return false;
    }
}
