#include "station/base/bind_node.h"

#include "station/base/error.h"
#include "station/base/words.h"

#include <string.h>

#define KEPT_MAX    100
#define EXCERPT_MAX 160 /* characters of a source line shown; a longer line is shown around the place */

struct entry {
    struct bind_place place;
    unsigned order;
    bool warning;
    char *message, *hint;
};

struct bind_report {
    char *path;
    GBytes *bytes;
    GPtrArray *entries;
    unsigned errors, warnings;
};

static void entry_free(gpointer data)
{
    struct entry *entry = data;
    g_free(entry->message);
    g_free(entry->hint);
    g_free(entry);
}

struct bind_report *bind_report_new(const char *path, GBytes *bytes)
{
    struct bind_report *report = g_new0(struct bind_report, 1);
    report->path = g_strdup(path);
    report->bytes = bytes ? g_bytes_ref(bytes) : NULL;
    report->entries = g_ptr_array_new_with_free_func(entry_free);
    return report;
}

void bind_report_free(struct bind_report *report)
{
    if (!report)
        return;
    g_free(report->path);
    g_clear_pointer(&report->bytes, g_bytes_unref);
    g_ptr_array_unref(report->entries);
    g_free(report);
}

void bind_report_source(struct bind_report *report, GBytes *bytes)
{
    if (!report->bytes)
        report->bytes = g_bytes_ref(bytes);
}

static void add(struct bind_report *report, struct bind_place place, const char *hint, bool warning,
                const char *format, va_list args)
{
    *(warning ? &report->warnings : &report->errors) += 1;
    if (report->entries->len >= KEPT_MAX)
        return;
    g_autofree char *message = g_strdup_vprintf(format, args);
    struct entry *entry = g_new0(struct entry, 1);
    *entry = (struct entry){
        .place = place,
        .order = report->entries->len,
        .warning = warning,
        .message = words_printable(message),
        .hint = hint ? words_printable(hint) : NULL,
    };
    g_ptr_array_add(report->entries, entry);
}

void bind_report_error(struct bind_report *report, struct bind_place place, const char *hint,
                       const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(report, place, hint, false, format, args);
    va_end(args);
}

void bind_report_warning(struct bind_report *report, struct bind_place place, const char *hint,
                         const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(report, place, hint, true, format, args);
    va_end(args);
}

unsigned bind_report_errors(const struct bind_report *report)
{
    return report->errors;
}

unsigned bind_report_warnings(const struct bind_report *report)
{
    return report->warnings;
}

static int by_place(gconstpointer a, gconstpointer b)
{
    const struct entry *x = *(struct entry *const *)a, *y = *(struct entry *const *)b;
    if (x->place.line != y->place.line)
        return x->place.line < y->place.line ? -1 : 1;
    if (x->place.column != y->place.column)
        return x->place.column < y->place.column ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

/* Borrowed entries in the order of the file. */
static GPtrArray *sorted(const struct bind_report *report)
{
    GPtrArray *list = g_ptr_array_sized_new(report->entries->len);
    for (guint i = 0; i < report->entries->len; i++)
        g_ptr_array_add(list, report->entries->pdata[i]);
    g_ptr_array_sort(list, by_place);
    return list;
}

static const char *severity(const struct entry *entry)
{
    return entry->warning ? "warning" : "error";
}

/* One character of the source line into the excerpt, and as much blank into the caret line: a tab stays a
 * tab, so that both lines move alike whatever the terminal's tab width. */
static void excerpt_character(GString *line, GString *caret, gunichar c, bool before)
{
    if (c != '\t' && !g_unichar_isprint(c))
        c = g_unichar_iszerowidth(c) ? 0 : 0xfffd;
    if (!c)
        return;
    g_string_append_unichar(line, c);
    if (before && c == '\t')
        g_string_append_c(caret, '\t');
    else if (before && !g_unichar_iszerowidth(c))
        g_string_append(caret, g_unichar_iswide(c) ? "  " : " ");
}

/* Appends the source line and a caret under the place; nothing when the place is beyond the text. */
static void append_excerpt(const struct bind_report *report, struct bind_place place, GString *out)
{
    if (!report->bytes || place.line == 0)
        return;
    struct bind_cursor cursor = bind_cursor_start(report->bytes);
    gunichar c = 0;
    while (cursor.place.line < place.line)
        if (!bind_cursor_next(&cursor, &c))
            return;
    g_autoptr(GString) line = g_string_new("  "), caret = g_string_new("  ");
    unsigned first = place.column > EXCERPT_MAX / 2 ? place.column - EXCERPT_MAX / 2 : 1;
    if (first > 1)
        excerpt_character(line, caret, 0x2026, true);
    bool more = true;
    while ((more = bind_cursor_next(&cursor, &c)) && c != '\n') {
        unsigned column = cursor.place.column - 1;
        if (column >= first + EXCERPT_MAX)
            break;
        if (column >= first)
            excerpt_character(line, caret, c, column < place.column);
    }
    if (more && c != '\n')
        excerpt_character(line, caret, 0x2026, false);
    if (line->len > 2) /* a caret under an empty line points at nothing */
        g_string_append_printf(out, "%s\n%s^\n", line->str, caret->str);
}

char *bind_report_text(const struct bind_report *report)
{
    g_autoptr(GPtrArray) list = sorted(report);
    g_autofree char *path = words_printable(report->path);
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < list->len; i++) {
        const struct entry *entry = list->pdata[i];
        g_string_append_printf(out, "%s:", path);
        if (entry->place.line > 0)
            g_string_append_printf(out, "%u:%u:", entry->place.line, entry->place.column);
        g_string_append_printf(out, " %s: %s", severity(entry), entry->message);
        if (entry->hint)
            g_string_append_printf(out, " (%s)", entry->hint);
        g_string_append_c(out, '\n');
        append_excerpt(report, entry->place, out);
    }
    unsigned all = report->errors + report->warnings;
    if (all > list->len)
        g_string_append_printf(out, "%s: %u more, not shown\n", path, all - list->len);
    return g_string_free(out, FALSE);
}

json_t *bind_report_json(const struct bind_report *report)
{
    g_autoptr(GPtrArray) list = sorted(report);
    g_autofree char *path = words_printable(report->path);
    json_t *array = json_array();
    for (guint i = 0; i < list->len; i++) {
        const struct entry *entry = list->pdata[i];
        json_array_append_new(array, json_pack("{s:s, s:i, s:i, s:s, s:s, s:s?}", "file", path, "line",
                                               (int)entry->place.line, "column", (int)entry->place.column,
                                               "severity", severity(entry), "message", entry->message, "hint",
                                               entry->hint));
    }
    unsigned all = report->errors + report->warnings;
    if (all > list->len) {
        g_autofree char *more = g_strdup_printf("%u more, not shown", all - list->len);
        json_array_append_new(array, json_pack("{s:s, s:i, s:i, s:s, s:s, s:n}", "file", path, "line", 0,
                                               "column", 0, "severity", report->errors ? "error" : "warning",
                                               "message", more, "hint"));
    }
    return array;
}

bool bind_report_check(const struct bind_report *report, GError **error)
{
    if (report->errors == 0)
        return true;
    g_autofree char *text = g_strchomp(bind_report_text(report));
    return error_set(error, ERROR_AUTHOR, "%s", text);
}
