/* Tables test themselves: what a compiler cannot see in a table is checked here, once, by the tests. */
#include "station/base/bind_node.h"

#include "station/base/error.h"

#include <string.h>

static bool check_schema(const struct bind_schema *schema, const char *path, unsigned depth, GError **error);

static bool refuse(const char *path, const char *key, const char *what, GError **error)
{
    return error_set(error, ERROR_INTERNAL, "table %s: %s%s%s", path, key ? key : "", key ? ": " : "", what);
}

static size_t member_size(const struct bind_field *field)
{
    switch (field->type) {
    case BIND_INTEGER:
    case BIND_ADDRESS:
    case BIND_QUANTITY:
    case BIND_DATE:
        return sizeof(int64_t);
    case BIND_FLAG:
        return sizeof(bool);
    case BIND_CHOICE:
        return sizeof(int);
    case BIND_MAP:
        return field->child ? field->child->size : 0;
    default:
        return sizeof(void *);
    }
}

static const char *check_preset(const struct bind_field *field)
{
    union {
        int64_t number;
        bool flag;
        int word;
        char *text;
        GBytes *bytes;
    } value = {0};
    bool scalar = field->type <= BIND_DATE;
    if (!field->preset)
        return NULL;
    if (field->required || !scalar)
        return field->required ? "required keys have no preset" : "only scalars have a preset";
    struct bind_report *report = bind_report_new("preset", NULL);
    const struct bind_node node = {.kind = BIND_NODE_SCALAR, .text = (char *)field->preset};
    bool good = bind_scalar(field, &node, report, &value);
    bind_report_free(report);
    if (good && field->type == BIND_TEXT)
        g_free(value.text);
    if (good && field->type == BIND_HEX)
        g_bytes_unref(value.bytes);
    return good ? NULL : "the preset is refused by the key itself";
}

static const char *check_choices(const struct bind_field *field)
{
    if (field->type != BIND_CHOICE)
        return NULL;
    if (!field->choices || !field->choices[0].word)
        return "no choices";
    for (const struct bind_choice *a = field->choices; a->word; a++)
        for (const struct bind_choice *b = a + 1; b->word; b++)
            if (strcmp(a->word, b->word) == 0)
                return "a word twice among the choices";
    return NULL;
}

static const char *check_pattern(const struct bind_field *field)
{
    if (!field->pattern)
        return NULL;
    if (field->type != BIND_TEXT && field->type != BIND_TEXTS && field->type != BIND_PAIRS)
        return "a pattern on a type that has none";
    g_autofree char *anchored = bind_anchored(field->pattern);
    g_autoptr(GRegex) regex = g_regex_new(anchored, G_REGEX_DOLLAR_ENDONLY, 0, NULL);
    return regex ? NULL : "the pattern does not compile";
}

static const char *check_links(const struct bind_field *field)
{
    if ((field->type == BIND_MAP || field->type == BIND_LIST) && !field->child)
        return "no child table";
    if (field->type == BIND_VARIANTS && (!field->variants || !field->variants[0].tag || !field->tag_key))
        return "no variants or no tag key";
    for (const struct bind_variant *a = field->type == BIND_VARIANTS ? field->variants : NULL; a && a->tag;
         a++)
        for (const struct bind_variant *b = a + 1; b->tag; b++)
            if (strcmp(a->tag, b->tag) == 0)
                return "a tag twice among the variants";
    return NULL;
}

static const char *check_member(const struct bind_schema *schema, const struct bind_field *field)
{
    size_t size = member_size(field), place_end = schema->place_offset + sizeof(struct bind_place);
    if (field->offset + size > schema->size)
        return "the member lies outside the struct";
    if (field->type == BIND_MAP && field->offset == 0)
        return "an embedded map may not be the first member";
    if (schema->place_offset && field->offset < place_end && schema->place_offset < field->offset + size)
        return "the member overlaps the place";
    for (const struct bind_field *other = schema->fields; other != field; other++) {
        if (strcmp(other->key, field->key) == 0)
            return "the key stands twice in the table";
        if (other->offset < field->offset + size && field->offset < other->offset + member_size(other))
            return "the member overlaps another key's";
    }
    return NULL;
}

static const char *check_field(const struct bind_schema *schema, const struct bind_field *field)
{
    const char *what = check_links(field);
    what = what ? what : check_member(schema, field);
    what = what ? what : check_choices(field);
    what = what ? what : check_pattern(field);
    what = what ? what : check_preset(field);
    if (!what && field->min > field->max)
        what = "min is above max";
    if (!what && !(field->doc && field->doc[0]))
        what = "no doc";
    return what;
}

static bool check_children(const struct bind_field *field, const char *path, unsigned depth, GError **error)
{
    g_autofree char *inner = g_strdup_printf("%s.%s", path, field->key);
    if (field->type == BIND_MAP || field->type == BIND_LIST)
        return check_schema(field->child, inner, depth + 1, error);
    for (const struct bind_variant *variant = field->type == BIND_VARIANTS ? field->variants : NULL;
         variant && variant->tag; variant++) {
        g_autofree char *tagged = g_strdup_printf("%s.%s", inner, variant->tag);
        if (!check_schema(variant->schema, tagged, depth + 1, error))
            return false;
    }
    return true;
}

static bool check_schema(const struct bind_schema *schema, const char *path, unsigned depth, GError **error)
{
    if (depth > BIND_DEPTH_MAX)
        return refuse(path, NULL, "deeper than any file may be; does the table contain itself?", error);
    if (!schema->name || !schema->fields)
        return refuse(path, NULL, "no name or no fields", error);
    if (schema->place_offset && schema->place_offset + sizeof(struct bind_place) > schema->size)
        return refuse(path, NULL, "the place lies outside the struct", error);
    for (const struct bind_field *field = schema->fields; field->key; field++) {
        const char *what = check_field(schema, field);
        if (what)
            return refuse(path, field->key, what, error);
        if (!check_children(field, path, depth, error))
            return false;
    }
    return true;
}

bool bind_schema_check(const struct bind_schema *schema, GError **error)
{
    return check_schema(schema, schema->name ? schema->name : "without a name", 1, error);
}
