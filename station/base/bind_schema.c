/* JSON Schema draft-07 of a table, for editors. Where YAML gives an unquoted text another type (1.10, true),
 * the schema admits that type too, as the loader does: it takes the text as it stands. What the schema cannot
 * say (ranges of quantities, that `schema` comes first) stands in the descriptions; the loader is the judge.
 */
#include "station/base/bind_node.h"

#include <string.h>

#define KIND_KEY "schema"

static json_t *object_schema(const struct bind_schema *schema, const char *constant_key,
                             const char *constant);

static json_t *any_scalar(void)
{
    return json_pack("{s:[sss]}", "type", "string", "number", "boolean");
}

static void set_text_form(json_t *into, const struct bind_field *field)
{
    int64_t least, most;
    bind_bytes(field, &least, &most);
    /* The table counts bytes, JSON Schema characters of up to four bytes. */
    json_object_set_new(into, "minLength", json_integer((least + 3) / 4));
    json_object_set_new(into, "maxLength", json_integer(most));
    if (field->pattern) {
        g_autofree char *anchored = bind_anchored(field->pattern);
        json_object_set_new(into, "pattern", json_string(anchored));
    }
}

static json_t *integer_schema(const struct bind_field *field)
{
    json_t *into = json_pack("{s:s}", "type", "integer");
    if (field->min == 0 && field->max == 0)
        return into;
    if (field->min != INT64_MIN)
        json_object_set_new(into, "minimum", json_integer(field->min));
    if (field->max != INT64_MAX)
        json_object_set_new(into, "maximum", json_integer(field->max));
    return into;
}

static json_t *quantity_schema(const struct bind_field *field)
{
    const char *const *units = quantity_units(field->quantity);
    if (!units[0])
        return integer_schema(field);
    g_autofree char *choice = g_strjoinv("|", (char **)units);
    g_autofree char *pattern = g_strdup_printf("^-?(0|[1-9][0-9]*)(\\.[0-9]+)? (%s)$", choice);
    return json_pack("{s:s, s:s}", "type", "string", "pattern", pattern);
}

static json_t *choice_schema(const struct bind_field *field)
{
    json_t *words = json_array();
    for (const struct bind_choice *choice = field->choices; choice->word; choice++) {
        int64_t number;
        char *what = NULL, *hint = NULL;
        json_array_append_new(words, json_string(choice->word));
        /* An unquoted 8 reaches the editor as a number. */
        if (quantity_read(choice->word, QUANTITY_NONE, &number, &what, &hint))
            json_array_append_new(words, json_integer(number));
        g_free(what);
        g_free(hint);
    }
    return json_pack("{s:o}", "enum", words);
}

static json_t *hex_schema(const struct bind_field *field)
{
    int64_t least, most;
    bind_bytes(field, &least, &most);
    g_autofree char *pattern =
        g_strdup_printf("^(0x)?[0-9A-Fa-f]{2}( *[0-9A-Fa-f]{2}){%" G_GINT64_FORMAT ",%" G_GINT64_FORMAT "}$",
                        MAX(least, 1) - 1, MAX(most, 1) - 1);
    /* 01 and 1234 reach the editor as numbers. */
    return json_pack("{s:[ss], s:s}", "type", "string", "number", "pattern", pattern);
}

static json_t *list_schema(const struct bind_field *field, json_t *items)
{
    int64_t least, most;
    bind_count(field, &least, &most);
    return json_pack("{s:s, s:o, s:I, s:I}", "type", "array", "items", items, "minItems", (json_int_t)least,
                     "maxItems", (json_int_t)most);
}

static json_t *variants_schema(const struct bind_field *field)
{
    json_t *kinds = json_array();
    for (const struct bind_variant *variant = field->variants; variant->tag; variant++)
        json_array_append_new(kinds, object_schema(variant->schema, field->tag_key, variant->tag));
    return list_schema(field, json_pack("{s:o}", "oneOf", kinds));
}

static json_t *pairs_schema(const struct bind_field *field)
{
    int64_t least, most;
    bind_count(field, &least, &most);
    json_t *into = json_pack("{s:s, s:o, s:I, s:I}", "type", "object", "additionalProperties", any_scalar(),
                             "minProperties", (json_int_t)least, "maxProperties", (json_int_t)most);
    if (field->pattern) {
        g_autofree char *anchored = bind_anchored(field->pattern);
        json_object_set_new(into, "propertyNames", json_pack("{s:s}", "pattern", anchored));
    }
    return into;
}

static json_t *type_schema(const struct bind_field *field)
{
    json_t *into = NULL;
    switch (field->type) {
    case BIND_TEXT:
    case BIND_TEXTS:
        into = any_scalar();
        set_text_form(into, field);
        return field->type == BIND_TEXT ? into : list_schema(field, into);
    case BIND_INTEGER:
    case BIND_ADDRESS:
        return integer_schema(field);
    case BIND_INTEGERS:
        return list_schema(field, json_pack("{s:s}", "type", "integer"));
    case BIND_FLAG:
        return json_pack("{s:s}", "type", "boolean");
    case BIND_QUANTITY:
        return quantity_schema(field);
    case BIND_CHOICE:
        return choice_schema(field);
    case BIND_HEX:
        return hex_schema(field);
    case BIND_DATE:
        return json_pack("{s:s, s:s}", "type", "string", "pattern", "^[0-9]{4}-[0-9]{2}-[0-9]{2}$");
    case BIND_MAP:
        return object_schema(field->child, NULL, NULL);
    case BIND_LIST:
        return list_schema(field, object_schema(field->child, NULL, NULL));
    case BIND_PAIRS:
        return pairs_schema(field);
    case BIND_VARIANTS:
        return variants_schema(field);
    }
    return json_object();
}

/* The preset as the value an author would write. */
static json_t *preset_value(const struct bind_field *field)
{
    int64_t number;
    char *what = NULL, *hint = NULL;
    bool plain = field->type == BIND_INTEGER || field->type == BIND_ADDRESS ||
                 (field->type == BIND_QUANTITY && field->quantity == QUANTITY_NONE);
    if (field->type == BIND_FLAG)
        return json_boolean(strcmp(field->preset, "true") == 0);
    bool read = plain && quantity_read(field->preset, QUANTITY_NONE, &number, &what, &hint);
    g_free(what);
    g_free(hint);
    return read ? json_integer(number) : json_string(field->preset);
}

static json_t *field_schema(const struct bind_field *field)
{
    json_t *into = type_schema(field);
    GString *doc = g_string_new(field->doc ? field->doc : "");
    g_autofree char *range = bind_range(field);
    if (field->type == BIND_QUANTITY && range)
        g_string_append_printf(doc, "%s(%s)", doc->len ? " " : "", range);
    for (const struct bind_choice *choice = field->type == BIND_CHOICE ? field->choices : NULL;
         choice && choice->word; choice++)
        if (choice->doc && choice->doc[0])
            g_string_append_printf(doc, "%s%s: %s", doc->len ? "\n" : "", choice->word, choice->doc);
    if (doc->len)
        json_object_set_new(into, "description", json_string(doc->str));
    if (field->preset)
        json_object_set_new(into, "default", preset_value(field));
    g_string_free(doc, TRUE);
    return into;
}

/* A map; constant_key (may be NULL) is required to be the constant: the tag of a variant, `schema` of a file.
 */
static json_t *object_schema(const struct bind_schema *schema, const char *constant_key, const char *constant)
{
    json_t *properties = json_object(), *required = json_array();
    if (constant_key) {
        json_object_set_new(properties, constant_key, json_pack("{s:s}", "const", constant));
        json_array_append_new(required, json_string(constant_key));
    }
    for (const struct bind_field *field = schema->fields; field->key; field++) {
        if (constant_key && strcmp(field->key, constant_key) == 0)
            continue;
        json_object_set_new(properties, field->key, field_schema(field));
        if (field->required)
            json_array_append_new(required, json_string(field->key));
    }
    json_t *into = json_pack("{s:s, s:b, s:o, s:o}", "type", "object", "additionalProperties", 0,
                             "properties", properties, "required", required);
    if (schema->doc && schema->doc[0])
        json_object_set_new(into, "description", json_string(schema->doc));
    return into;
}

json_t *bind_json_schema(const struct bind_schema *schema)
{
    bool file = bind_is_file_kind(schema);
    json_t *into =
        json_pack("{s:s, s:s}", "$schema", "http://json-schema.org/draft-07/schema#", "title", schema->name);
    json_t *object = object_schema(schema, file ? KIND_KEY : NULL, schema->name);
    json_object_update(into, object);
    json_decref(object);
    return into;
}
