/* What differs between two loaded structs of one table, walked by the table, so that no key is forgotten. */
#include "station/base/bind.h"

#include <string.h>

struct walk {
    bind_differs differs;
    void *context;
};

static const char *word_of(const struct bind_field *field, int value)
{
    for (const struct bind_choice *choice = field->choices; choice->word; choice++)
        if (choice->value == value)
            return choice->word;
    return "?";
}

static char *list_text(const struct bind_field *field, const GPtrArray *list)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < list->len; i++) {
        const struct bind_pair *pair = list->pdata[i];
        if (i > 0)
            g_string_append(text, ", ");
        if (field->type == BIND_PAIRS)
            g_string_append_printf(text, "%s: %s", pair->key, pair->value);
        else
            g_string_append(text, list->pdata[i]);
    }
    return g_string_free(text, FALSE);
}

static char *numbers_text(const GArray *numbers)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < numbers->len; i++)
        g_string_append_printf(text, "%s%" G_GINT64_FORMAT, i > 0 ? ", " : "",
                               g_array_index(numbers, int64_t, i));
    return g_string_free(text, FALSE);
}

static char *bytes_text(GBytes *bytes)
{
    GString *text = g_string_new(NULL);
    gsize size = 0;
    const uint8_t *at = bytes ? g_bytes_get_data(bytes, &size) : NULL;
    for (gsize i = 0; i < size; i++)
        g_string_append_printf(text, "%02X", at[i]);
    return g_string_free(text, FALSE);
}

/* The value of a field that holds no further maps; NULL = none. */
static char *value_text(const struct bind_field *field, const void *map)
{
    const void *member = (const char *)map + field->offset;
    switch (field->type) {
    case BIND_TEXT:
        return g_strdup(*(char *const *)member);
    case BIND_ADDRESS:
        return g_strdup_printf("0x%" G_GINT64_MODIFIER "X", *(const int64_t *)member);
    case BIND_QUANTITY:
        return quantity_format(field->quantity, *(const int64_t *)member);
    case BIND_FLAG:
        return g_strdup(*(const bool *)member ? "true" : "false");
    case BIND_CHOICE:
        return g_strdup(word_of(field, *(const int *)member));
    case BIND_HEX:
        return bytes_text(*(GBytes *const *)member);
    case BIND_TEXTS:
    case BIND_PAIRS:
        return list_text(field, *(GPtrArray *const *)member);
    case BIND_INTEGERS:
        return numbers_text(*(GArray *const *)member);
    default:
        return g_strdup_printf("%" G_GINT64_FORMAT, *(const int64_t *)member);
    }
}

static void walk_maps(const struct walk *walk, const char *where, const struct bind_schema *schema,
                      const void *a, const void *b);

/* One entry of a list: the table of its keys, and what it is called. */
struct entry {
    const struct bind_schema *schema;
    const void *value;
    const char *name; /* its first key's text, or the tag; may be NULL */
    guint nth;        /* of that name */
};

static struct entry entry_at(const struct bind_field *field, const GPtrArray *list, guint at)
{
    if (field->type == BIND_VARIANTS) {
        const struct bind_variant_value *value = list->pdata[at];
        return (struct entry){value->variant->schema, value->value, value->variant->tag, 0};
    }
    const struct bind_field *first = field->child->fields;
    const void *value = list->pdata[at];
    return (struct entry){
        field->child, value,
        first->type == BIND_TEXT ? *(char *const *)((const char *)value + first->offset) : NULL, 0};
}

/* The nth entry of a name; false when there are not so many. */
static bool entry_find(const struct bind_field *field, const GPtrArray *list, const struct entry *like,
                       struct entry *found)
{
    guint seen = 0;
    for (guint i = 0; i < list->len; i++) {
        *found = entry_at(field, list, i);
        if (found->schema == like->schema && g_strcmp0(found->name, like->name) == 0 && seen++ == like->nth)
            return true;
    }
    return false;
}

static guint entry_nth(const struct bind_field *field, const GPtrArray *list, guint at)
{
    const struct entry entry = entry_at(field, list, at);
    guint nth = 0;
    for (guint i = 0; i < at; i++) {
        const struct entry other = entry_at(field, list, i);
        nth += other.schema == entry.schema && g_strcmp0(other.name, entry.name) == 0;
    }
    return nth;
}

static char *name_under(const char *where, const char *name)
{
    return g_strdup_printf("%s%s%s", where, where[0] ? " " : "", name);
}

/* What stands in both lists is compared when `both`, what stands in `mine` alone is told otherwise. */
static void walk_side(const struct walk *walk, const char *where, const struct bind_field *field,
                      const GPtrArray *mine, const GPtrArray *other, bool both)
{
    for (guint i = 0; i < mine->len; i++) {
        struct entry entry = entry_at(field, mine, i), twin;
        entry.nth = entry_nth(field, mine, i);
        g_autofree char *name = name_under(where, entry.name ? entry.name : field->key);
        bool found = entry_find(field, other, &entry, &twin);
        if (found && both)
            walk_maps(walk, name, entry.schema, entry.value, twin.value);
        else if (!found)
            walk->differs(walk->context, name, NULL, both ? "there" : NULL, both ? NULL : "there");
    }
}

static void walk_field(const struct walk *walk, const char *where, const struct bind_field *field,
                       const void *a, const void *b)
{
    const void *left = (const char *)a + field->offset, *right = (const char *)b + field->offset;
    if (field->type == BIND_MAP) {
        g_autofree char *name = name_under(where, field->key);
        walk_maps(walk, name, field->child, left, right);
    } else if (field->type == BIND_LIST || field->type == BIND_VARIANTS) {
        walk_side(walk, where, field, *(GPtrArray *const *)left, *(GPtrArray *const *)right, true);
        walk_side(walk, where, field, *(GPtrArray *const *)right, *(GPtrArray *const *)left, false);
    } else {
        g_autofree char *old = value_text(field, a), *new = value_text(field, b);
        if (g_strcmp0(old, new) != 0)
            walk->differs(walk->context, where, field->key, old, new);
    }
}

static void walk_maps(const struct walk *walk, const char *where, const struct bind_schema *schema,
                      const void *a, const void *b)
{
    for (const struct bind_field *field = schema->fields; field->key; field++)
        walk_field(walk, where, field, a, b);
}

void bind_difference(const struct bind_schema *schema, const void *a, const void *b, bind_differs differs,
                     void *context)
{
    const struct walk walk = {differs, context};
    walk_maps(&walk, "", schema, a, b);
}
