/* One drawing, three outputs: the 1-bit bitmap that a printer burns is what PNG, PDF and ZPL show. Pure: no
 * files. */
#pragma once

#include "labels/layout.h"

struct label_bitmap {
    unsigned width, height, stride; /* pixels; bytes a row */
    unsigned dpi;
    int64_t width_um, height_um;
    uint8_t *bits; /* most significant bit first, 1 = black */
};

/* AUTHOR naming element and content when something does not fit: a label is never cut. */
struct label_bitmap *label_render(const struct layout *layout, const struct label_values *values,
                                  unsigned dpi, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void label_bitmap_free(struct label_bitmap *bitmap);
GBytes *label_png(const struct label_bitmap *bitmap, GError **error);
GBytes *label_pdf(const struct label_bitmap *bitmap, GError **error);
/* ZPL II: the whole label as one graphic field (^GFA), so that no printer font decides what is read. */
GBytes *label_zpl(const struct label_bitmap *bitmap);
