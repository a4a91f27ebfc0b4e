/* Layouts are refused at their place; a label is whole or an error; three outputs, one bitmap. */
#include "labels/printer.h"
#include "labels/render.h"
#include "labels/symbol.h"
#include "station/base/error.h"

#include <string.h>

static const char head[] = "schema: packline/label/1\nlabel: t\nwidth: 60 mm\nheight: 40 mm\nelements:\n";
static const struct label_values sample = {.sn = "BSN00000001",
                                           .model = "BG-51.2V-100Ah",
                                           .capacity = "100 Ah",
                                           .strings = "16S",
                                           .firmware = "1.0.4",
                                           .date = "2026-11-20"};

static struct layout *load(const char *text, char **report_text)
{
    g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));
    g_autoptr(bind_report_auto) report = bind_report_new("l.yaml", bytes);
    struct layout *layout = layout_load("l.yaml", bytes, report);
    *report_text = bind_report_text(report);
    return layout;
}

static struct layout *shipped(void)
{
    g_autofree char *text = NULL, *report = NULL;
    g_assert_true(g_file_get_contents(SOURCE_DIR "/labels/board-60x40.yaml", &text, NULL, NULL));
    struct layout *layout = load(text, &report);
    g_assert_cmpstr(report, ==, "");
    return layout;
}

static void test_tables(void)
{
    GError *error = NULL;
    g_assert_true(bind_schema_check(&layout_schema, &error));
    for (const struct label_field *field = label_fields(); field->name; field++)
        g_assert_nonnull(label_value(&sample, field->name));
    g_assert_null(label_value(&sample, "serial"));
}

static void test_refused(void)
{
    static const struct {
        const char *element, *says;
    } cases[] = {
        {"{draw: text, x: 0 mm, y: 0 mm, width: 70 mm, height: 5 mm, text: a, size: 3 mm}",
         "edge of the label"},
        {"{draw: text, x: 0 mm, y: 38 mm, width: 7 mm, height: 5 mm, text: a, size: 3 mm}",
         "edge of the label"},
        {"{draw: text, x: 0 mm, y: 0 mm, width: 0 mm, height: 5 mm, text: a, size: 3 mm}", "no area"},
        {"{draw: text, x: 0 mm, y: 0 mm, width: 9 mm, height: 5 mm, text: \"{sm}\", size: 3 mm}",
         "did you mean {sn}"},
        {"{draw: symbol, x: 0 mm, y: 0 mm, width: 9 mm, height: 5 mm, symbology: code39, content: a}",
         "code39"},
        {"{draw: symbol, x: 0 mm, y: 0 mm, width: 20 mm, height: 20 mm, symbology: qr, content: a}\n"
         "  - {draw: line, x: 19 mm, y: 19 mm, width: 5 mm, height: 5 mm}",
         "quiet zone"},
        {"{draw: circle, x: 0 mm, y: 0 mm}", "circle"},
        {"{draw: line, x: 0 cm, y: 0 mm, width: 5 mm, height: 5 mm}", "mm"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = g_strdup_printf("%s  - %s\n", head, cases[i].element), *report = NULL;
        g_assert_null(load(text, &report));
        if (!strstr(report, cases[i].says) || (!strstr(report, "l.yaml:6:") && !strstr(report, "l.yaml:7:")))
            g_error("%s gives:\n%s", cases[i].element, report);
    }
}

static void test_render(void)
{
    struct layout *layout = shipped();
    static const unsigned dpis[] = {203, 300, 600};
    for (gsize i = 0; i < G_N_ELEMENTS(dpis); i++) {
        GError *error = NULL;
        struct label_bitmap *one = label_render(layout, &sample, dpis[i], &error),
                            *two = label_render(layout, &sample, dpis[i], &error);
        g_assert_no_error(error);
        g_assert_cmpuint(one->width, ==, (unsigned)(60.0 / 25.4 * dpis[i] + 0.5));
        g_assert_cmpmem(one->bits, (gsize)one->stride * one->height, two->bits,
                        (gsize)two->stride * two->height);
        label_bitmap_free(one);
        label_bitmap_free(two);
    }
    layout_free(layout);
}

/* What does not fit, or cannot be drawn, is no label. */
static void test_never_cut(void)
{
    struct layout *layout = shipped();
    const struct label_values long_sn = {.sn = "BSN000000000000000000000000000000000000000000000000000000001",
                                         .model = "m"};
    const struct label_values long_model = {
        .sn = "BSN1", .model = "A model name that is much longer than anybody would print on a label"};
    const struct label_values no_glyph = {.sn = "BSN1", .model = "\xf4\x80\x80\x80"};
    const struct label_values *cases[] = {&long_sn, &long_model, &no_glyph};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(label_render(layout, cases[i], 300, &error));
        g_assert_error(error, PACK_ERROR, ERROR_AUTHOR);
        g_assert_true(g_str_has_prefix(error->message, "l.yaml:"));
    }
    layout_free(layout);
}

static void test_zpl(void)
{
    struct layout *layout = shipped();
    const struct label_values hostile = {
        .sn = "BSN1", .model = "^XA^FD~JR~", .capacity = "\"<&", .strings = "{sn}"};
    GError *error = NULL;
    struct label_bitmap *bitmap = label_render(layout, &hostile, 203, &error);
    g_assert_no_error(error);
    g_autoptr(GBytes) zpl = label_zpl(bitmap);
    gsize n, at = 0;
    const char *text = g_bytes_get_data(zpl, &n);
    const char *data = strstr(text, "^GFA,");
    unsigned carets = 0;
    for (gsize i = 0; i < n; i++)
        carets += text[i] == '^' || text[i] == '~';
    g_assert_cmpuint(carets, ==, 9); /* commands only: texts are dots */
    for (int comma = 0; comma < 4; data++)
        comma += *data == ',';
    for (; at < (gsize)bitmap->stride * bitmap->height; data++) {
        if (!g_ascii_isxdigit(*data))
            continue;
        g_assert_cmpuint(g_ascii_xdigit_value(data[0]) << 4 | g_ascii_xdigit_value(data[1]), ==,
                         bitmap->bits[at]);
        at++;
        data++;
    }
    label_bitmap_free(bitmap);
    layout_free(layout);
}

static void test_symbol(void)
{
    struct symbol symbol;
    GError *error = NULL;
    g_assert_true(symbol_make(SYMBOLOGY_CODE128, "BSN00000001", &symbol, &error));
    for (unsigned i = 0; i < 10; i++) {
        g_assert_false(symbol.dark[i]);
        g_assert_false(symbol.dark[symbol.width - 1 - i]);
    }
    symbol_clear(&symbol);
    g_assert_false(symbol_make(SYMBOLOGY_CODE128, "\xe4\xb8\xad", &symbol, &error));
    g_assert_error(error, PACK_ERROR, ERROR_AUTHOR);
    g_clear_error(&error);
}

static void test_printer(void)
{
    g_autoptr(GBytes) none = g_bytes_new_static("x", 1);
    static const struct {
        const char *url, *name;
    } bad[] = {{"tcp:127.0.0.1:1", "a"},
               {"tcp:nowhere", "a"},
               {"lp:0", "a"},
               {"file:/proc/none", "a"},
               {"file:/tmp", "../a"}};
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        const struct printer_job job = {bad[i].name, none, none, none, tick_real()};
        g_assert_cmpint(printer_send(bad[i].url, &job, &error), ==, PRINTER_NOT_SENT);
        g_assert_error(error, PACK_ERROR, ERROR_PRINTER);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/label/tables", test_tables);
    g_test_add_func("/label/refused", test_refused);
    g_test_add_func("/label/render", test_render);
    g_test_add_func("/label/never-cut", test_never_cut);
    g_test_add_func("/label/zpl", test_zpl);
    g_test_add_func("/label/symbol", test_symbol);
    g_test_add_func("/label/printer", test_printer);
    return g_test_run();
}
