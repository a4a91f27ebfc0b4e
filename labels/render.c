#include "labels/render.h"

#include "labels/symbol.h"
#include "station/base/error.h"

#include <cairo-pdf.h>
#include <cairo.h>
#include <pango/pangocairo.h>
#include <string.h>

#define UM_PER_INCH  25400
#define FONT         "DejaVu Sans"
#define SHRINK       0.95
#define POINTS       72.0
#define BAR_DOTS_MIN 2 /* narrowest module that burns reliably */

struct drawing {
    cairo_t *cairo;
    unsigned dpi;
    const struct label_values *values;
};

static double dots(const struct drawing *d, int64_t um)
{
    return (double)um * d->dpi / UM_PER_INCH;
}

static bool has_missing_glyph(PangoLayout *text)
{
    return pango_layout_get_unknown_glyphs_count(text) > 0;
}

static PangoLayout *make_text(const struct drawing *d, const char *words, bool bold, double size_dots)
{
    PangoLayout *text = pango_cairo_create_layout(d->cairo);
    PangoFontDescription *font = pango_font_description_from_string(FONT);
    pango_font_description_set_weight(font, bold ? PANGO_WEIGHT_BOLD : PANGO_WEIGHT_NORMAL);
    pango_font_description_set_absolute_size(font, size_dots * PANGO_SCALE);
    pango_layout_set_font_description(text, font);
    pango_layout_set_single_paragraph_mode(text, TRUE);
    pango_layout_set_text(text, words, -1);
    pango_font_description_free(font);
    return text;
}

static bool draw_text(const struct drawing *d, const struct layout_text *element, GError **error)
{
    g_autofree char *words = layout_fill(element->text, d->values, error);
    double width = dots(d, element->width), height = dots(d, element->height), size = dots(d, element->size);
    if (!words)
        return false;
    while (true) {
        g_autoptr(PangoLayout) text = make_text(d, words, element->bold, size);
        int w, h;
        if (has_missing_glyph(text))
            return error_set(error, ERROR_AUTHOR, "'%s' has a character that no installed font can draw",
                             words);
        pango_layout_get_pixel_size(text, &w, &h);
        if (w <= width && h <= height) {
            double free = width - w;
            double x = dots(d, element->x) + (element->align == ALIGN_LEFT     ? 0
                                              : element->align == ALIGN_CENTRE ? free / 2
                                                                               : free);
            cairo_move_to(d->cairo, x, dots(d, element->y) + (height - h) / 2);
            pango_cairo_show_layout(d->cairo, text);
            return true;
        }
        size *= SHRINK;
        if (size < dots(d, element->size_min))
            return error_set(error, ERROR_AUTHOR,
                             "'%s' does not fit its box, even at the smallest size allowed", words);
    }
}

static bool draw_symbol(const struct drawing *d, const struct layout_symbol *element, GError **error)
{
    g_autofree char *content = layout_fill(element->content, d->values, error);
    struct symbol symbol;
    if (!content || !symbol_make((enum layout_symbology)element->symbology, content, &symbol, error))
        return false;
    unsigned width = (unsigned)dots(d, element->width), height = (unsigned)dots(d, element->height);
    bool linear = symbol.height == 1;
    unsigned module = linear ? width / symbol.width : MIN(width / symbol.width, height / symbol.height);
    if (module < BAR_DOTS_MIN) {
        symbol_clear(&symbol);
        return error_set(
            error, ERROR_AUTHOR,
            "the symbol of '%s' needs %u modules, its box of %u dots has no room for %d dots each", content,
            symbol.width, width, BAR_DOTS_MIN);
    }
    unsigned tall = linear ? height : module;
    /* Whole dots from a whole dot on: a bar that is a fraction of a dot wide is printed wrong. */
    unsigned left = (unsigned)dots(d, element->x) + (width - module * symbol.width) / 2;
    unsigned top = (unsigned)dots(d, element->y) + (height - tall * symbol.height) / 2;
    for (unsigned y = 0; y < symbol.height; y++)
        for (unsigned x = 0; x < symbol.width; x++)
            if (symbol.dark[y * symbol.width + x])
                cairo_rectangle(d->cairo, left + x * module, top + y * tall, module, tall);
    cairo_fill(d->cairo);
    symbol_clear(&symbol);
    return true;
}

static void draw_line(const struct drawing *d, const struct layout_line *line)
{
    cairo_rectangle(d->cairo, (int)dots(d, line->x), (int)dots(d, line->y), MAX(1, (int)dots(d, line->width)),
                    MAX(1, (int)dots(d, line->height)));
    cairo_fill(d->cairo);
}

static bool draw(const struct drawing *d, const struct layout *layout, GError **error)
{
    for (guint i = 0; i < layout->elements->len; i++) {
        const struct bind_variant_value *element = g_ptr_array_index(layout->elements, i);
        const char *tag = element->variant->tag;
        bool ok = true;
        if (strcmp(tag, "text") == 0)
            ok = draw_text(d, element->value, error);
        else if (strcmp(tag, "symbol") == 0)
            ok = draw_symbol(d, element->value, error);
        else
            draw_line(d, element->value);
        if (!ok) {
            g_prefix_error(error, "%s:%u:%u: ", layout->path ? layout->path : layout->label,
                           element->place.line, element->place.column);
            return false;
        }
    }
    return true;
}

static struct label_bitmap *threshold(cairo_surface_t *surface, const struct layout *layout, unsigned dpi)
{
    struct label_bitmap *bitmap = g_new0(struct label_bitmap, 1);
    cairo_surface_flush(surface);
    bitmap->width = (unsigned)cairo_image_surface_get_width(surface);
    bitmap->height = (unsigned)cairo_image_surface_get_height(surface);
    bitmap->stride = (bitmap->width + 7) / 8;
    bitmap->dpi = dpi;
    bitmap->width_um = layout->width;
    bitmap->height_um = layout->height;
    bitmap->bits = g_malloc0((gsize)bitmap->stride * bitmap->height);
    const unsigned char *pixels = cairo_image_surface_get_data(surface);
    int stride = cairo_image_surface_get_stride(surface);
    for (unsigned y = 0; y < bitmap->height; y++)
        for (unsigned x = 0; x < bitmap->width; x++)
            if (pixels[y * (unsigned)stride + x] >= 128)
                bitmap->bits[y * bitmap->stride + x / 8] |= (uint8_t)(0x80 >> x % 8);
    return bitmap;
}

struct label_bitmap *label_render(const struct layout *layout, const struct label_values *values,
                                  unsigned dpi, GError **error)
{
    int width = (int)((double)layout->width * dpi / UM_PER_INCH + 0.5);
    int height = (int)((double)layout->height * dpi / UM_PER_INCH + 0.5);
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_A8, width, height);
    struct drawing d = {cairo_create(surface), dpi, values};
    struct label_bitmap *bitmap = NULL;
    cairo_set_source_rgba(d.cairo, 0, 0, 0, 1);
    if (draw(&d, layout, error))
        bitmap = threshold(surface, layout, dpi);
    cairo_destroy(d.cairo);
    cairo_surface_destroy(surface);
    return bitmap;
}

void label_bitmap_free(struct label_bitmap *bitmap)
{
    if (!bitmap)
        return;
    g_free(bitmap->bits);
    g_free(bitmap);
}

static bool is_black(const struct label_bitmap *bitmap, unsigned x, unsigned y)
{
    return bitmap->bits[y * bitmap->stride + x / 8] >> (7 - x % 8) & 1;
}

static cairo_surface_t *as_surface(const struct label_bitmap *bitmap)
{
    cairo_surface_t *surface =
        cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)bitmap->width, (int)bitmap->height);
    unsigned char *pixels = cairo_image_surface_get_data(surface);
    int stride = cairo_image_surface_get_stride(surface);
    cairo_surface_flush(surface);
    for (unsigned y = 0; y < bitmap->height; y++)
        for (unsigned x = 0; x < bitmap->width; x++)
            memset(pixels + y * (unsigned)stride + 4 * x, is_black(bitmap, x, y) ? 0 : 255, 4);
    cairo_surface_mark_dirty(surface);
    return surface;
}

static cairo_status_t collect(void *closure, const unsigned char *data, unsigned n)
{
    g_byte_array_append(closure, data, n);
    return CAIRO_STATUS_SUCCESS;
}

static GBytes *finished(GByteArray *bytes, cairo_status_t status, GError **error)
{
    if (status == CAIRO_STATUS_SUCCESS)
        return g_byte_array_free_to_bytes(bytes);
    g_byte_array_unref(bytes);
    error_set(error, ERROR_INTERNAL, "drawing the label: %s", cairo_status_to_string(status));
    return NULL;
}

GBytes *label_png(const struct label_bitmap *bitmap, GError **error)
{
    GByteArray *bytes = g_byte_array_new();
    cairo_surface_t *surface = as_surface(bitmap);
    cairo_status_t status = cairo_surface_write_to_png_stream(surface, collect, bytes);
    cairo_surface_destroy(surface);
    return finished(bytes, status, error);
}

GBytes *label_pdf(const struct label_bitmap *bitmap, GError **error)
{
    GByteArray *bytes = g_byte_array_new();
    double width = (double)bitmap->width_um / UM_PER_INCH * POINTS,
           height = (double)bitmap->height_um / UM_PER_INCH * POINTS;
    cairo_surface_t *page = cairo_pdf_surface_create_for_stream(collect, bytes, width, height);
    cairo_surface_t *image = as_surface(bitmap);
    cairo_t *cairo = cairo_create(page);
    cairo_scale(cairo, width / bitmap->width, height / bitmap->height);
    cairo_set_source_surface(cairo, image, 0, 0);
    cairo_pattern_set_filter(cairo_get_source(cairo), CAIRO_FILTER_NEAREST);
    cairo_paint(cairo);
    cairo_show_page(cairo);
    cairo_destroy(cairo);
    cairo_surface_finish(page);
    cairo_status_t status = cairo_surface_status(page);
    cairo_surface_destroy(image);
    cairo_surface_destroy(page);
    return finished(bytes, status, error);
}

GBytes *label_zpl(const struct label_bitmap *bitmap)
{
    g_autoptr(GString) text = g_string_new(NULL);
    unsigned total = bitmap->stride * bitmap->height;
    g_string_append_printf(text, "^XA\n^PW%u\n^LL%u\n^LH0,0\n^FO0,0^GFA,%u,%u,%u,\n", bitmap->width,
                           bitmap->height, total, total, bitmap->stride);
    for (unsigned y = 0; y < bitmap->height; y++) {
        for (unsigned i = 0; i < bitmap->stride; i++)
            g_string_append_printf(text, "%02X", bitmap->bits[y * bitmap->stride + i]);
        g_string_append_c(text, '\n');
    }
    g_string_append(text, "^FS\n^PQ1\n^XZ\n");
    return g_bytes_new(text->str, text->len);
}
