/* The tables: maps, lists and variants of a tree into structs. */
#include "station/base/bind_node.h"

#include "station/base/words.h"

#include <string.h>

#define KIND_KEY  "schema"
#define WORDS_MAX 256 /* keys or tags offered as "did you mean" */
#define LISTED    12  /* keys named in a hint when none is near */

/* Stands before the root struct in the same allocation, so that the root pointer alone finds the places. */
union prefix {
    GHashTable *places; /* set of struct placed */
    max_align_t align;
};

struct placed {
    const void *map;
    const char *key; /* of the table, or NULL for the map itself */
    struct bind_place place;
};

struct binder {
    struct bind_report *report;
    GHashTable *places;
};

static void bind_map(struct binder *binder, const struct bind_schema *schema, const struct bind_node *node,
                     void *base, const char *known);
static void bind_absent(struct binder *binder, const struct bind_schema *schema, struct bind_place place,
                        void *base);

static guint placed_hash(gconstpointer data)
{
    const struct placed *placed = data;
    return g_direct_hash(placed->map) * 31 + (placed->key ? g_str_hash(placed->key) : 0);
}

static gboolean placed_equal(gconstpointer a, gconstpointer b)
{
    const struct placed *x = a, *y = b;
    return x->map == y->map && g_strcmp0(x->key, y->key) == 0;
}

/* The first wins: an embedded map at offset 0 shares its address with the map around it. */
static void remember(struct binder *binder, const void *map, const char *key, struct bind_place place)
{
    struct placed *placed = g_new(struct placed, 1);
    *placed = (struct placed){map, key, place};
    if (g_hash_table_contains(binder->places, placed))
        g_free(placed);
    else
        g_hash_table_add(binder->places, placed);
}

const struct bind_field *bind_field_of(const struct bind_schema *schema, const char *key)
{
    for (const struct bind_field *field = schema->fields; field->key; field++)
        if (strcmp(field->key, key) == 0)
            return field;
    return NULL;
}

bool bind_is_file_kind(const struct bind_schema *schema)
{
    return strchr(schema->name, '/') != NULL;
}

/* Lists are never NULL, so that callers walk them without asking. */
static void prepare(const struct bind_schema *schema, char *base)
{
    for (const struct bind_field *field = schema->fields; field->key; field++) {
        void *target = base + field->offset;
        switch (field->type) {
        case BIND_MAP:
            prepare(field->child, target);
            break;
        case BIND_LIST:
        case BIND_PAIRS:
        case BIND_VARIANTS:
            *(GPtrArray **)target = g_ptr_array_new();
            break;
        case BIND_TEXTS:
            *(GPtrArray **)target = g_ptr_array_new_with_free_func(g_free);
            break;
        case BIND_INTEGERS:
            *(GArray **)target = g_array_new(FALSE, TRUE, sizeof(int64_t));
            break;
        default:
            break;
        }
    }
}

static void clear(const struct bind_schema *schema, char *base);

static void clear_list(const struct bind_field *field, GPtrArray *list)
{
    for (guint i = 0; list && i < list->len; i++) {
        struct bind_pair *pair = list->pdata[i];
        struct bind_variant_value *variant = list->pdata[i];
        if (field->type == BIND_LIST) {
            clear(field->child, list->pdata[i]);
        } else if (field->type == BIND_PAIRS) {
            g_free(pair->key);
            g_free(pair->value);
        } else {
            clear(variant->variant->schema, variant->value);
            g_free(variant->value);
        }
        g_free(list->pdata[i]);
    }
    g_clear_pointer(&list, g_ptr_array_unref);
}

static void clear(const struct bind_schema *schema, char *base)
{
    for (const struct bind_field *field = schema->fields; field->key; field++) {
        void *target = base + field->offset;
        switch (field->type) {
        case BIND_TEXT:
            g_clear_pointer((char **)target, g_free);
            break;
        case BIND_HEX:
            g_clear_pointer((GBytes **)target, g_bytes_unref);
            break;
        case BIND_MAP:
            clear(field->child, target);
            break;
        case BIND_LIST:
        case BIND_PAIRS:
        case BIND_VARIANTS:
            clear_list(field, *(GPtrArray **)target);
            break;
        case BIND_TEXTS:
            g_clear_pointer((GPtrArray **)target, g_ptr_array_unref);
            break;
        case BIND_INTEGERS:
            g_clear_pointer((GArray **)target, g_array_unref);
            break;
        default:
            break;
        }
    }
}

void bind_free(const struct bind_schema *schema, void *value)
{
    if (!value)
        return;
    union prefix *prefix = (union prefix *)value - 1;
    clear(schema, value);
    g_hash_table_unref(prefix->places);
    g_free(prefix);
}

struct bind_place bind_place_of(const void *root, const void *map, const char *key)
{
    const union prefix *prefix = (const union prefix *)root - 1;
    const struct placed *placed =
        g_hash_table_lookup(prefix->places, &(struct placed){.map = map, .key = key});
    if (!placed)
        placed = g_hash_table_lookup(prefix->places, &(struct placed){.map = map});
    return placed ? placed->place : (struct bind_place){0, 0};
}

static void check_count(struct binder *binder, const struct bind_field *field, const struct bind_node *node)
{
    int64_t least, most;
    bind_count(field, &least, &most);
    bool few = node->items->len < least && !node->cut;
    if (few || node->items->len > most)
        bind_report_error(binder->report, node->place, NULL,
                          "%s: %u entries, expected %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, field->key,
                          node->items->len, least, most);
}

static void bind_list(struct binder *binder, const struct bind_field *field, const struct bind_node *node,
                      GPtrArray *list)
{
    static const struct bind_field element = {.type = BIND_MAP};
    for (guint i = 0; i < node->items->len; i++) {
        const struct bind_node *item = node->items->pdata[i];
        void *value = g_malloc0(field->child->size);
        prepare(field->child, value);
        g_ptr_array_add(list, value);
        if (item->kind == BIND_NODE_MAP) {
            bind_map(binder, field->child, item, value, NULL);
        } else {
            struct bind_field entry = element;
            entry.key = field->key;
            bind_refuse_kind(&entry, item, binder->report);
        }
    }
}

static void bind_elements(struct binder *binder, const struct bind_field *field, const struct bind_node *node,
                          void *target)
{
    for (guint i = 0; i < node->items->len; i++) {
        char *text = NULL;
        int64_t number = 0;
        void *element = field->type == BIND_TEXTS ? (void *)&text : (void *)&number;
        struct bind_field entry = *field;
        const struct bind_node *item = node->items->pdata[i];
        if (item->kind != BIND_NODE_SCALAR || bind_node_is_null(item)) {
            entry.type = field->type == BIND_TEXTS ? BIND_TEXT : BIND_ADDRESS;
            bind_refuse_kind(&entry, item, binder->report);
        } else if (bind_scalar(field, item, binder->report, element)) {
            if (text)
                g_ptr_array_add(*(GPtrArray **)target, text);
            else
                g_array_append_val(*(GArray **)target, number);
        }
    }
}

static void bind_pairs(struct binder *binder, const struct bind_field *field, const struct bind_node *node,
                       GPtrArray *list)
{
    static const struct bind_field any = {.type = BIND_TEXT};
    for (guint i = 0; i < node->items->len; i++) {
        const struct bind_node *key = node->keys->pdata[i], *value = node->items->pdata[i];
        if (key->bad || !bind_matches(field->pattern, field->key, key, binder->report))
            continue;
        if (value->kind != BIND_NODE_SCALAR || bind_node_is_null(value)) {
            struct bind_field entry = any;
            entry.key = key->text;
            bind_refuse_kind(&entry, value, binder->report);
            continue;
        }
        struct bind_pair *pair = g_new0(struct bind_pair, 1);
        *pair = (struct bind_pair){g_strdup(key->text), g_strdup(value->text), key->place, value->place,
                                   value->quoted};
        g_ptr_array_add(list, pair);
    }
}

/* The variant whose tag the map carries; NULL when reported. */
static const struct bind_variant *variant_of(struct binder *binder, const struct bind_field *field,
                                             const struct bind_node *item)
{
    const char *tags[WORDS_MAX + 1] = {NULL};
    const struct bind_node *tag = bind_node_get(item, field->tag_key);
    for (size_t i = 0; i < WORDS_MAX && field->variants[i].tag; i++) {
        tags[i] = field->variants[i].tag;
        if (tag && tag->kind == BIND_NODE_SCALAR && !tag->bad && strcmp(tags[i], tag->text) == 0)
            return &field->variants[i];
    }
    g_autofree char *known = g_strjoinv(", ", (char **)tags);
    if (!tag) {
        if (!item->cut)
            bind_report_error(binder->report, item->place, NULL, "missing key '%s', expected one of %s",
                              field->tag_key, known);
    } else if (tag->kind != BIND_NODE_SCALAR) {
        bind_report_error(binder->report, tag->place, NULL, "%s: expected one of %s", field->tag_key, known);
    } else if (!tag->bad) {
        const char *near = words_nearest(tag->text, tags);
        g_autofree char *shown = words_shown(tag->text);
        g_autofree char *hint = near ? g_strdup_printf("did you mean '%s'?", near) : NULL;
        bind_report_error(binder->report, tag->place, hint, "%s: unknown word %s, expected one of %s",
                          field->tag_key, shown, known);
    }
    return NULL;
}

static void bind_variants(struct binder *binder, const struct bind_field *field, const struct bind_node *node,
                          GPtrArray *list)
{
    for (guint i = 0; i < node->items->len; i++) {
        const struct bind_node *item = node->items->pdata[i];
        struct bind_field entry = {.key = field->key, .type = BIND_MAP};
        if (item->kind != BIND_NODE_MAP) {
            bind_refuse_kind(&entry, item, binder->report);
            continue;
        }
        const struct bind_variant *variant = variant_of(binder, field, item);
        if (!variant)
            continue;
        struct bind_variant_value *value = g_new0(struct bind_variant_value, 1);
        *value = (struct bind_variant_value){variant, g_malloc0(variant->schema->size), item->place};
        prepare(variant->schema, value->value);
        g_ptr_array_add(list, value);
        bind_map(binder, variant->schema, item, value->value, field->tag_key);
    }
}

static bool is_list(enum bind_type type)
{
    return type == BIND_LIST || type == BIND_TEXTS || type == BIND_INTEGERS || type == BIND_VARIANTS;
}

static void bind_value(struct binder *binder, const struct bind_field *field, const struct bind_node *node,
                       void *target)
{
    bool list = is_list(field->type), map = field->type == BIND_MAP || field->type == BIND_PAIRS;
    if (!list && !map) {
        bind_scalar(field, node, binder->report, target);
        return;
    }
    if (node->kind != (list ? BIND_NODE_LIST : BIND_NODE_MAP)) {
        bind_refuse_kind(field, node, binder->report);
        return;
    }
    if (field->type == BIND_MAP) {
        bind_map(binder, field->child, node, target, NULL);
        return;
    }
    check_count(binder, field, node);
    if (field->type == BIND_LIST)
        bind_list(binder, field, node, *(GPtrArray **)target);
    else if (field->type == BIND_PAIRS)
        bind_pairs(binder, field, node, *(GPtrArray **)target);
    else if (field->type == BIND_VARIANTS)
        bind_variants(binder, field, node, *(GPtrArray **)target);
    else
        bind_elements(binder, field, node, target);
}

/* The preset of an absent key, and of all keys of an absent map. */
static void bind_preset(struct binder *binder, const struct bind_field *field, struct bind_place place,
                        void *target)
{
    if (field->type == BIND_MAP)
        bind_absent(binder, field->child, place, target);
    if (!field->preset)
        return;
    const struct bind_node node = {.kind = BIND_NODE_SCALAR, .place = place, .text = (char *)field->preset};
    bind_scalar(field, &node, binder->report, target);
}

static void bind_absent(struct binder *binder, const struct bind_schema *schema, struct bind_place place,
                        void *base)
{
    remember(binder, base, NULL, place);
    for (const struct bind_field *field = schema->fields; field->key; field++)
        bind_preset(binder, field, place, (char *)base + field->offset);
}

/* Reports a key that the table does not have; returns the key that was probably meant, or NULL. */
static const char *refuse_key(struct binder *binder, const struct bind_schema *schema,
                              const struct bind_node *key, const char *known)
{
    const char *words[WORDS_MAX + 2] = {NULL};
    size_t count = 0;
    if (known)
        words[count++] = known;
    for (const struct bind_field *field = schema->fields; field->key && count < WORDS_MAX; field++)
        if (!known || strcmp(field->key, known) != 0)
            words[count++] = field->key;
    const char *near = words_nearest(key->text, words);
    g_autofree char *shown = words_shown(key->text), *hint = NULL;
    if (count > LISTED)
        words[LISTED] = "…", words[LISTED + 1] = NULL;
    g_autofree char *all = g_strjoinv(", ", (char **)words);
    hint = near ? g_strdup_printf("did you mean '%s'?", near) : g_strdup_printf("keys here are %s", all);
    bind_report_error(binder->report, key->place, hint, "unknown key %s", shown);
    return near;
}

/* Binds a map node to a prepared struct; known is a key that is accepted without a field (the tag of a
 * variant, `schema` of a file). */
static void bind_map(struct binder *binder, const struct bind_schema *schema, const struct bind_node *node,
                     void *base, const char *known)
{
    g_autoptr(GHashTable) meant = g_hash_table_new(g_str_hash, g_str_equal);
    remember(binder, base, NULL, node->place);
    if (schema->place_offset)
        *(struct bind_place *)((char *)base + schema->place_offset) = node->place;
    for (guint i = 0; i < node->keys->len; i++) {
        const struct bind_node *key = node->keys->pdata[i];
        const struct bind_node *value = node->items->pdata[i];
        if (key->bad)
            continue;
        if (known && strcmp(key->text, known) == 0) {
            remember(binder, base, known, value->place);
        } else if (!bind_field_of(schema, key->text)) {
            const char *near = refuse_key(binder, schema, key, known);
            if (near)
                g_hash_table_insert(meant, (gpointer)near, (gpointer)value);
        }
    }
    for (const struct bind_field *field = schema->fields; field->key; field++) {
        const struct bind_node *value = bind_node_get(node, field->key);
        void *target = (char *)base + field->offset;
        /* A misspelt key is one mistake, not a missing key too; its value is still looked at. */
        if (!value)
            value = g_hash_table_lookup(meant, field->key);
        if (value) {
            remember(binder, base, field->key, value->place);
            bind_value(binder, field, value, target);
            continue;
        }
        /* A map cut short may have had the key; the known key was asked for by who knows it. */
        if (field->required && !node->cut && g_strcmp0(field->key, known) != 0) {
            g_autofree char *expected = bind_expected(field);
            bind_report_error(binder->report, node->place, NULL, "missing key '%s', expected %s", field->key,
                              expected);
        }
        bind_preset(binder, field, node->place, target);
    }
}

/* The first key of a file says of which kind it is. False: it is another kind, so its keys mean nothing here.
 */
static bool check_kind(const struct bind_schema *schema, const struct bind_node *root,
                       struct bind_report *report)
{
    const struct bind_node *kind = bind_node_get(root, KIND_KEY);
    g_autofree char *hint = g_strdup_printf("write %s: %s", KIND_KEY, schema->name);
    if (!kind) {
        bind_report_error(report, root->place, hint, "missing first key '%s'", KIND_KEY);
        return true;
    }
    if (kind->bad)
        return true;
    if (kind->kind != BIND_NODE_SCALAR || strcmp(kind->text, schema->name) != 0) {
        g_autofree char *shown = words_shown(kind->kind == BIND_NODE_SCALAR ? kind->text : "");
        bind_report_error(report, kind->place, hint, "%s: this file is of the kind %s, expected '%s'",
                          KIND_KEY, shown, schema->name);
        return false;
    }
    const struct bind_node *first = root->keys->pdata[0];
    if (!first->text || strcmp(first->text, KIND_KEY) != 0)
        bind_report_error(report, first->place, NULL, "the first key must be '%s'", KIND_KEY);
    return true;
}

void *bind_load(const struct bind_schema *schema, GBytes *bytes, struct bind_report *report)
{
    static const struct bind_field whole = {.key = "file", .type = BIND_MAP};
    unsigned before = bind_report_errors(report);
    bool file = bind_is_file_kind(schema);
    bind_report_source(report, bytes);
    g_autoptr(bind_node_auto) root = bind_node_read(bytes, report);
    if (!root)
        return NULL;
    if (root->kind != BIND_NODE_MAP) {
        bind_refuse_kind(&whole, root, report);
        return NULL;
    }
    if (file && !check_kind(schema, root, report))
        return NULL;
    union prefix *prefix = g_malloc0(sizeof *prefix + schema->size);
    prefix->places = g_hash_table_new_full(placed_hash, placed_equal, g_free, NULL);
    void *value = prefix + 1;
    struct binder binder = {report, prefix->places};
    prepare(schema, value);
    bind_map(&binder, schema, root, value, file ? KIND_KEY : NULL);
    if (bind_report_errors(report) == before)
        return value;
    bind_free(schema, value);
    return NULL;
}

char *bind_peek_schema(GBytes *bytes)
{
    struct bind_report *report = bind_report_new("", NULL);
    g_autoptr(bind_node_auto) root = bind_node_read(bytes, report);
    const struct bind_node *kind = root && root->kind == BIND_NODE_MAP ? bind_node_get(root, KIND_KEY) : NULL;
    bool readable = kind && kind->kind == BIND_NODE_SCALAR && !kind->bad && kind->text[0];
    bind_report_free(report);
    return readable ? g_strdup(kind->text) : NULL;
}
