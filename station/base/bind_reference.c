/* The Markdown page of a table: a section per map, each right after the one that uses it first. */
#include "station/base/bind_node.h"

#include <string.h>

#define KIND_KEY     "schema"
#define SECTIONS_MAX 1000

struct section {
    char *path; /* "steps[].flash"; "" for the file */
    const struct bind_schema *schema;
    const char *tag_key, *tag; /* of a variant */
    unsigned level;
};

struct page {
    GString *out;
    GPtrArray *sections; /* struct section*, in the order of the page; grows while it is written */
    gint next;           /* where a section found now belongs */
};

static void section_free(gpointer data)
{
    struct section *section = data;
    g_free(section->path);
    g_free(section);
}

/* The section of a schema: the one it already has, so that a map used twice is described once. */
static const struct section *section_of(struct page *page, const struct section *wanted)
{
    for (guint i = 0; i < page->sections->len; i++) {
        const struct section *known = page->sections->pdata[i];
        if (known->schema == wanted->schema && g_strcmp0(known->tag, wanted->tag) == 0)
            return known;
    }
    if (page->sections->len >= SECTIONS_MAX)
        return NULL;
    struct section *section = g_new(struct section, 1);
    *section = *wanted;
    section->path = g_strdup(wanted->path);
    g_ptr_array_insert(page->sections, page->next++, section);
    return section;
}

/* Text inside a table cell: a bar would end the cell, a newline the row. */
static void append_cell(GString *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            g_string_append(out, "\\|");
        else
            g_string_append_c(out, *text == '\n' ? ' ' : *text);
    }
}

static char *child_path(const struct section *in, const struct bind_field *field)
{
    bool list = field->type == BIND_LIST || field->type == BIND_VARIANTS;
    return g_strdup_printf("%s%s%s%s", in->path, in->path[0] ? "." : "", field->key, list ? "[]" : "");
}

/* GitHub's anchor of "## `steps[].flash`". */
static char *anchor_of(const char *path)
{
    GString *out = g_string_new("#");
    for (; *path; path++)
        if (g_ascii_isalnum(*path) || *path == '_' || *path == '-')
            g_string_append_c(out, g_ascii_tolower(*path));
    return g_string_free(out, FALSE);
}

static void append_link(struct page *page, GString *out, const char *words, const char *path,
                        const struct bind_schema *schema, const char *tag_key, const char *tag,
                        unsigned level)
{
    const struct section wanted = {(char *)path, schema, tag_key, tag, level};
    const struct section *section = section_of(page, &wanted);
    if (!section)
        return;
    g_autofree char *anchor = anchor_of(section->path);
    g_string_append_printf(out, "%s[`%s`](%s)", words, tag ? tag : section->path, anchor);
}

static void append_units(GString *out, enum quantity quantity)
{
    g_string_append_printf(out, "%s", quantity_name(quantity));
    for (const char *const *unit = quantity_units(quantity); *unit; unit++)
        g_string_append_printf(out, "%s%s", unit == quantity_units(quantity) ? " in " : ", ", *unit);
}

/* The type column; maps found on the way become sections. */
static void append_type(struct page *page, const struct section *in, const struct bind_field *field,
                        GString *out)
{
    g_autofree char *path = child_path(in, field);
    switch (field->type) {
    case BIND_QUANTITY:
        append_units(out, field->quantity);
        return;
    case BIND_CHOICE:
        for (const struct bind_choice *choice = field->choices; choice->word; choice++)
            g_string_append_printf(out, "%s`%s`", choice == field->choices ? "" : ", ", choice->word);
        return;
    case BIND_MAP:
        append_link(page, out, "map ", path, field->child, NULL, NULL, in->level + 1);
        return;
    case BIND_LIST:
        append_link(page, out, "list of ", path, field->child, NULL, NULL, in->level + 1);
        return;
    case BIND_VARIANTS:
        g_string_append_printf(out, "list of maps, each by its `%s`: ", field->tag_key);
        for (const struct bind_variant *variant = field->variants; variant->tag; variant++) {
            g_autofree char *variant_path = g_strdup_printf("%s.%s", path, variant->tag);
            append_link(page, out, variant == field->variants ? "" : ", ", variant_path, variant->schema,
                        field->tag_key, variant->tag, in->level + 1);
        }
        return;
    default:
        break;
    }
    static const char *const names[] = {
        [BIND_TEXT] = "text",
        [BIND_INTEGER] = "whole number",
        [BIND_ADDRESS] = "number, decimal or `0x…`",
        [BIND_FLAG] = "`true` or `false`",
        [BIND_HEX] = "hex digits in pairs",
        [BIND_DATE] = "date `YYYY-MM-DD`",
        [BIND_TEXTS] = "list of texts",
        [BIND_INTEGERS] = "list of numbers, decimal or `0x…`",
        [BIND_PAIRS] = "map of free keys",
    };
    g_string_append(out, names[field->type]);
}

static void append_range(const struct bind_field *field, GString *out)
{
    g_autofree char *range = bind_range(field);
    const char *apart = "";
    if (range) {
        g_string_append(out, range);
        apart = "; ";
    }
    if (field->pattern) {
        g_string_append_printf(out, "%s%sform `", apart, field->type == BIND_PAIRS ? "keys of the " : "");
        append_cell(out, field->pattern);
        g_string_append_c(out, '`');
    }
}

static void append_row(struct page *page, const struct section *section, const struct bind_field *field)
{
    g_autoptr(GString) type = g_string_new(NULL), range = g_string_new(NULL);
    append_type(page, section, field, type);
    append_range(field, range);
    g_string_append_printf(page->out, "| `%s` | %s | ", field->key, type->str);
    if (field->required) {
        g_string_append(page->out, "required");
    } else if (field->preset) {
        g_string_append(page->out, "`");
        append_cell(page->out, field->preset);
        g_string_append(page->out, "`");
    } else {
        g_string_append(page->out, "optional");
    }
    g_string_append_printf(page->out, " | %s | ", range->str);
    append_cell(page->out, field->doc ? field->doc : "");
    g_string_append(page->out, " |\n");
}

/* What each word means, below the table, where there is room. */
static void append_choices(struct page *page, const struct bind_schema *schema)
{
    for (const struct bind_field *field = schema->fields; field->key; field++) {
        if (field->type != BIND_CHOICE || !field->choices[0].doc || !field->choices[0].doc[0])
            continue;
        g_string_append_printf(page->out, "\n`%s` is one of\n\n", field->key);
        for (const struct bind_choice *choice = field->choices; choice->word; choice++)
            g_string_append_printf(page->out, "- `%s`%s%s\n", choice->word, choice->doc ? ": " : "",
                                   choice->doc ? choice->doc : "");
    }
}

static void append_section(struct page *page, const struct section *section)
{
    const struct bind_schema *schema = section->schema;
    if (section->level > 1)
        g_string_append_printf(page->out, "\n%.*s `%s`\n", (int)MIN(section->level, 6), "######",
                               section->path);
    if (schema->doc && schema->doc[0])
        g_string_append_printf(page->out, "\n%s\n", schema->doc);
    if (section->level == 1 && bind_is_file_kind(schema))
        g_string_append_printf(page->out, "\nThe first line of the file is `%s: %s`.\n", KIND_KEY,
                               schema->name);
    const char *fixed = section->tag_key;
    bool rows = false;
    for (const struct bind_field *field = schema->fields; field->key; field++)
        rows = rows || g_strcmp0(field->key, fixed) != 0;
    if (!rows && !fixed)
        return;
    g_string_append(page->out,
                    "\n| key | type | required or default | range | meaning |\n|---|---|---|---|---|\n");
    if (fixed)
        g_string_append_printf(page->out, "| `%s` | `%s` | required |  |  |\n", fixed, section->tag);
    for (const struct bind_field *field = schema->fields; field->key; field++)
        if (g_strcmp0(field->key, fixed) != 0)
            append_row(page, section, field);
    append_choices(page, schema);
}

char *bind_reference(const struct bind_schema *schema, const char *title)
{
    struct page page = {g_string_new(NULL), g_ptr_array_new_with_free_func(section_free), 0};
    const struct section root = {(char *)"", schema, NULL, NULL, 1};
    g_string_append_printf(page.out, "# %s\n", title);
    section_of(&page, &root);
    for (guint i = 0; i < page.sections->len; i++) {
        page.next = (gint)i + 1;
        append_section(&page, page.sections->pdata[i]);
    }
    g_ptr_array_unref(page.sections);
    return g_string_free(page.out, FALSE);
}
