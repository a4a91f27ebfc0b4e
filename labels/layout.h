/* A label layout: what stands where, in millimetres. Texts are templates over a closed list of fields. */
#pragma once

#include "station/base/bind.h"

/* The words a template may use, one visible table. */
struct label_field {
    const char *name, *doc;
};
const struct label_field *label_fields(void); /* ends with name NULL */

/* Values for the templates, by the names above. */
struct label_values {
    const char *sn, *model, *capacity, *strings, *firmware, *date, *product, *hardware, *run, *barcode,
        *dialect;
};
/* NULL for a name there is not. */
const char *label_value(const struct label_values *values, const char *name);

enum layout_align { ALIGN_LEFT, ALIGN_CENTRE, ALIGN_RIGHT };
enum layout_symbology { SYMBOLOGY_CODE128, SYMBOLOGY_DATAMATRIX, SYMBOLOGY_QR };

/* All lengths in µm from the label's top left corner. */
struct layout_text {
    int64_t x, y, width, height;
    char *text;
    int64_t size;     /* of the font */
    int64_t size_min; /* it may shrink to this */
    bool bold;
    int align;
};
struct layout_symbol {
    int64_t x, y, width, height; /* the box, quiet zone included */
    int symbology;
    char *content;
};
struct layout_line {
    int64_t x, y, width, height;
};

struct layout {
    char *schema; /* packline/label/1 */
    char *label;  /* name */
    int64_t width, height;
    GPtrArray *elements; /* struct bind_variant_value*: text, symbol, line */
    char *path;
};
extern const struct bind_schema layout_schema;

/* NULL with findings: elements outside the label, boxes that overlap a symbol, unknown fields. */
struct layout *layout_load(const char *path, GBytes *bytes, struct bind_report *report);
void layout_free(struct layout *layout);
/* The template with its fields filled in; AUTHOR when a field is unknown. Newly allocated. */
char *layout_fill(const char *template, const struct label_values *values, GError **error);
