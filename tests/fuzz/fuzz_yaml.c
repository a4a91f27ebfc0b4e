/* Every kind of file that people write: recipe, profile, station, label layout, manifest, release. The file's
 * own `schema:` line says which. */
#include "tests/fuzz/fuzz.h"

#include "firmware/package.h"
#include "labels/layout.h"
#include "proto/profile.h"
#include "recipes/recipe.h"
#include "recipes/release.h"
#include "station/config.h"

static void load(const char *schema, GBytes *bytes, struct bind_report *report)
{
    if (g_str_has_prefix(schema, "packline/recipe/"))
        recipe_free(recipe_load("fuzz", bytes, report));
    else if (g_str_has_prefix(schema, "packline/profile/"))
        profile_free(profile_load("fuzz", bytes, report));
    else if (g_str_has_prefix(schema, "packline/station/"))
        config_free(config_load("fuzz", bytes, report));
    else if (g_str_has_prefix(schema, "packline/label/"))
        layout_free(layout_load("fuzz", bytes, report));
    else if (g_str_has_prefix(schema, "packline/release/"))
        bind_free(&release_schema, bind_load(&release_schema, bytes, report));
    else
        bind_free(&manifest_schema, bind_load(&manifest_schema, bytes, report));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GBytes) bytes = g_bytes_new(data, size);
    g_autoptr(bind_report_auto) report = bind_report_new("fuzz", bytes);
    g_autofree char *schema = bind_peek_schema(bytes);
    load(schema ? schema : "", bytes, report);
    g_autofree char *text = bind_report_text(report);
    json_decref(bind_report_json(report));
    return 0;
}
