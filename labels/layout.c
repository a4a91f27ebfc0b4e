#include "labels/layout.h"

#include "station/base/error.h"
#include "station/base/words.h"

#include <string.h>

static const struct label_field fields[] = {
    {"sn", "serial number"},
    {"model", "model, from the recipe"},
    {"capacity", "rated capacity, e.g. 100 Ah"},
    {"strings", "cells in series, e.g. 16S"},
    {"firmware", "version proved on the device"},
    {"date", "day of the PASS, YYYY-MM-DD"},
    {"product", "product the board reports"},
    {"hardware", "hardware revision the board reports"},
    {"run", "number of the run"},
    {"barcode", "what was scanned"},
    {"dialect", "says when the dialect was not the vendor's, else nothing"},
    {NULL, NULL},
};

const struct label_field *label_fields(void)
{
    return fields;
}

const char *label_value(const struct label_values *v, const char *name)
{
    const char *const values[] = {v->sn,      v->model,    v->capacity, v->strings, v->firmware, v->date,
                                  v->product, v->hardware, v->run,      v->barcode, v->dialect};
    for (gsize i = 0; i < G_N_ELEMENTS(values); i++)
        if (strcmp(fields[i].name, name) == 0)
            return values[i] ? values[i] : "";
    return NULL;
}

#define UM(of, name, sentence)                                                                               \
    {                                                                                                        \
        .key = #name, .type = BIND_QUANTITY, .offset = offsetof(struct of, name), .required = true,          \
        .quantity = QUANTITY_LENGTH, .min = 0, .max = 300000, .doc = sentence                                \
    }
#define BOX(of)                                                                                              \
    UM(of, x, "Left edge."), UM(of, y, "Top edge."), UM(of, width, "Width of the box."),                     \
        UM(of, height, "Height of the box.")

static const struct bind_choice aligns[] = {
    {"left", ALIGN_LEFT, ""}, {"centre", ALIGN_CENTRE, ""}, {"right", ALIGN_RIGHT, ""}, {NULL}};
static const struct bind_choice symbologies[] = {
    {"code128", SYMBOLOGY_CODE128, "Code 128 (ISO/IEC 15417)"},
    {"datamatrix", SYMBOLOGY_DATAMATRIX, "Data Matrix ECC 200 (ISO/IEC 16022)"},
    {"qr", SYMBOLOGY_QR, "QR Code (ISO/IEC 18004)"},
    {NULL}};

static const struct bind_field text_fields[] = {
    BOX(layout_text),
    {.key = "text",
     .type = BIND_TEXT,
     .offset = offsetof(struct layout_text, text),
     .required = true,
     .min = 1,
     .max = 200,
     .doc = "Template; fields stand in braces: {sn} {model} {capacity} {strings} {firmware} {date} {product} "
            "{hardware} "
            "{run} {barcode} {dialect}."},
    {.key = "size",
     .type = BIND_QUANTITY,
     .offset = offsetof(struct layout_text, size),
     .required = true,
     .quantity = QUANTITY_LENGTH,
     .min = 1000,
     .max = 50000,
     .doc = "Height of the font."},
    {.key = "size_min",
     .type = BIND_QUANTITY,
     .offset = offsetof(struct layout_text, size_min),
     .preset = "1.5 mm",
     .quantity = QUANTITY_LENGTH,
     .min = 1000,
     .max = 50000,
     .doc = "It shrinks to this before the label is refused."},
    {.key = "bold",
     .type = BIND_FLAG,
     .offset = offsetof(struct layout_text, bold),
     .preset = "false",
     .doc = "Bold type."},
    {.key = "align",
     .type = BIND_CHOICE,
     .offset = offsetof(struct layout_text, align),
     .preset = "left",
     .choices = aligns,
     .doc = "Where the text stands in its box."},
    {NULL}};
static const struct bind_schema text_schema = {
    .name = "text", .doc = "A line of text.", .size = sizeof(struct layout_text), .fields = text_fields};

static const struct bind_field symbol_fields[] = {BOX(layout_symbol),
                                                  {.key = "symbology",
                                                   .type = BIND_CHOICE,
                                                   .offset = offsetof(struct layout_symbol, symbology),
                                                   .required = true,
                                                   .choices = symbologies,
                                                   .doc = "Kind of symbol."},
                                                  {.key = "content",
                                                   .type = BIND_TEXT,
                                                   .offset = offsetof(struct layout_symbol, content),
                                                   .required = true,
                                                   .min = 1,
                                                   .max = 200,
                                                   .doc = "Template of what is encoded."},
                                                  {NULL}};
static const struct bind_schema symbol_schema = {
    .name = "symbol",
    .doc = "A bar code; its box holds the quiet zone too, and modules are whole dots.",
    .size = sizeof(struct layout_symbol),
    .fields = symbol_fields};

static const struct bind_field line_fields[] = {BOX(layout_line), {NULL}};
static const struct bind_schema line_schema = {
    .name = "line", .doc = "A filled bar.", .size = sizeof(struct layout_line), .fields = line_fields};

static const struct bind_variant elements[] = {
    {"text", &text_schema}, {"symbol", &symbol_schema}, {"line", &line_schema}, {NULL}};

static const struct bind_field layout_fields[] = {{.key = "schema",
                                                   .type = BIND_TEXT,
                                                   .offset = offsetof(struct layout, schema),
                                                   .required = true,
                                                   .doc = "`packline/label/1`."},
                                                  {.key = "label",
                                                   .type = BIND_TEXT,
                                                   .offset = offsetof(struct layout, label),
                                                   .required = true,
                                                   .doc = "Name of the label."},
                                                  {.key = "width",
                                                   .type = BIND_QUANTITY,
                                                   .offset = offsetof(struct layout, width),
                                                   .required = true,
                                                   .quantity = QUANTITY_LENGTH,
                                                   .min = 10000,
                                                   .max = 300000,
                                                   .doc = "Width of the label."},
                                                  {.key = "height",
                                                   .type = BIND_QUANTITY,
                                                   .offset = offsetof(struct layout, height),
                                                   .required = true,
                                                   .quantity = QUANTITY_LENGTH,
                                                   .min = 5000,
                                                   .max = 300000,
                                                   .doc = "Height of the label."},
                                                  {.key = "elements",
                                                   .type = BIND_VARIANTS,
                                                   .offset = offsetof(struct layout, elements),
                                                   .required = true,
                                                   .min = 1,
                                                   .max = 64,
                                                   .variants = elements,
                                                   .tag_key = "draw",
                                                   .doc = "What stands on it."},
                                                  {NULL}};
const struct bind_schema layout_schema = {.name = "packline/label/1",
                                          .doc = "A label layout.",
                                          .size = sizeof(struct layout),
                                          .fields = layout_fields};

static char *fill(const char *template, const struct label_values *values, char **unknown)
{
    GString *out = g_string_new(NULL);
    for (const char *p = template; *p; p++) {
        const char *end = *p == '{' ? strchr(p, '}') : NULL;
        if (!end) {
            g_string_append_c(out, *p);
            continue;
        }
        g_autofree char *name = g_strndup(p + 1, (gsize)(end - p - 1));
        const char *value = label_value(values, name);
        if (!value) {
            *unknown = g_steal_pointer(&name);
            break;
        }
        g_string_append(out, value);
        p = end;
    }
    return g_string_free(out, FALSE);
}

char *layout_fill(const char *template, const struct label_values *values, GError **error)
{
    g_autofree char *unknown = NULL;
    char *text = fill(template, values, &unknown);
    if (!unknown)
        return text;
    g_free(text);
    error_set(error, ERROR_AUTHOR, "a label has no field {%s}", unknown);
    return NULL;
}

struct check {
    const struct layout *layout;
    struct bind_report *report;
};

static void check_template(const struct check *c, const void *map, const char *key, const char *template)
{
    const struct label_values none = {0};
    g_autofree char *unknown = NULL;
    g_free(fill(template, &none, &unknown));
    const char *names[G_N_ELEMENTS(fields)] = {NULL};
    if (!unknown)
        return;
    for (gsize i = 0; fields[i].name; i++)
        names[i] = fields[i].name;
    const char *near = words_nearest(unknown, names);
    g_autofree char *hint = near ? g_strdup_printf("did you mean {%s}?", near) : NULL;
    bind_report_error(c->report, bind_place_of(c->layout, map, key), hint, "a label has no field {%s}",
                      unknown);
}

/* Every element begins with its box. */
static const struct layout_line *box_of(const struct bind_variant_value *element)
{
    return element->value;
}

static bool is_symbol(const struct bind_variant_value *element)
{
    return strcmp(element->variant->tag, "symbol") == 0;
}

static void check_box(const struct check *c, guint i)
{
    const struct bind_variant_value *element = g_ptr_array_index(c->layout->elements, i);
    const struct layout_line *box = box_of(element);
    if (box->x + box->width > c->layout->width || box->y + box->height > c->layout->height)
        bind_report_error(c->report, element->place, NULL, "this %s reaches over the edge of the label",
                          element->variant->tag);
    if (box->width == 0 || box->height == 0)
        bind_report_error(c->report, element->place, NULL, "this %s has no area", element->variant->tag);
    for (guint k = 0; k < i; k++) {
        const struct bind_variant_value *other = g_ptr_array_index(c->layout->elements, k);
        const struct layout_line *b = box_of(other);
        bool apart = box->x + box->width <= b->x || b->x + b->width <= box->x ||
                     box->y + box->height <= b->y || b->y + b->height <= box->y;
        if (!apart && (is_symbol(element) || is_symbol(other)))
            bind_report_error(c->report, element->place, "move one of them",
                              "this %s overlaps the %s of line %u: a symbol needs its quiet zone",
                              element->variant->tag, other->variant->tag, other->place.line);
    }
}

struct layout *layout_load(const char *path, GBytes *bytes, struct bind_report *report)
{
    struct layout *layout = bind_load(&layout_schema, bytes, report);
    if (!layout)
        return NULL;
    const struct check c = {layout, report};
    layout->path = g_strdup(path);
    for (guint i = 0; i < layout->elements->len; i++) {
        const struct bind_variant_value *element = g_ptr_array_index(layout->elements, i);
        check_box(&c, i);
        if (is_symbol(element))
            check_template(&c, element->value, "content",
                           ((const struct layout_symbol *)element->value)->content);
        else if (strcmp(element->variant->tag, "text") == 0)
            check_template(&c, element->value, "text", ((const struct layout_text *)element->value)->text);
    }
    if (bind_report_errors(report) == 0)
        return layout;
    layout_free(layout);
    return NULL;
}

void layout_free(struct layout *layout)
{
    if (!layout)
        return;
    g_clear_pointer(&layout->path, g_free);
    bind_free(&layout_schema, layout);
}
