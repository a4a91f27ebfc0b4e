/* What a barcode gun types. */
#include "tests/fuzz/fuzz.h"

#include "recipes/recipe.h"

static struct recipe *recipe;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *scan = g_strndup((const char *)data, size);
    g_autofree char *sn = NULL;
    if (!recipe) {
        g_autoptr(GBytes) bytes = fuzz_source("recipes/basen-100ah-16s.yaml");
        g_autoptr(bind_report_auto) report = bind_report_new("recipe", bytes);
        recipe = recipe_load("recipe", bytes, report);
        g_assert_nonnull(recipe);
    }
    bool ok = recipe_scan_parse(recipe, scan, &sn, &error);
    g_assert_true(ok == (error == NULL) && ok == (sn != NULL));
    for (const char *p = sn; ok && *p; p++)
        g_assert_true(g_ascii_isgraph(*p));
    return 0;
}
