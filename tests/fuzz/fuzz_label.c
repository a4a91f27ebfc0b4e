/* A layout and the values for it, with a line "----" between: drawn, or refused by name; never cut. */
#include "tests/fuzz/fuzz.h"

#include "labels/render.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t n;
    const uint8_t *part = fuzz_part(&data, &size, &n);
    g_autoptr(GBytes) bytes = g_bytes_new(part, n);
    g_autoptr(bind_report_auto) report = bind_report_new("fuzz", bytes);
    g_autofree char *text = size ? g_strndup((const char *)data, size) : g_strdup("BSN00000001");
    g_autoptr(GError) error = NULL;
    struct layout *layout = layout_load("fuzz", bytes, report);
    if (!layout)
        return 0;
    const struct label_values values = {text, text, text, text, text, text, text, text, text, text};
    struct label_bitmap *bitmap = NULL;
    if (layout->width <= 120000 && layout->height <= 120000) {
        bitmap = label_render(layout, &values, 203, &error);
        g_assert_true((bitmap == NULL) == (error != NULL));
    }
    if (bitmap) {
        g_autoptr(GBytes) zpl = label_zpl(bitmap);
        g_assert_cmpuint(g_bytes_get_size(zpl), >, 0);
    }
    label_bitmap_free(bitmap);
    layout_free(layout);
    return 0;
}
