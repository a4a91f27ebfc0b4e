/* Every kind of file that people write: recipe, profile, addresses, parameters, station, label layout,
 * manifest, release. The file's own `schema:` line says which. */
#include "tests/fuzz/fuzz.h"

#include "firmware/package.h"
#include "labels/layout.h"
#include "proto/parameters.h"
#include "recipes/recipe.h"
#include "recipes/release.h"
#include "station/config.h"

struct values {
    const struct profile *profile;
    struct item_value *at;
};

static const struct item_value *look_up(void *context, const char *key)
{
    const struct values *values = context;
    for (guint i = 0; i < values->profile->items->len; i++)
        if (strcmp(values->at[i].item->key, key) == 0)
            return &values->at[i];
    return NULL;
}

static void hear(void *context, const struct profile_rule *rule, const char *sentence)
{
    (void)context;
    g_assert_true(rule && g_utf8_validate(sentence, -1, NULL));
}

/* The extremes a board may answer, through every item and every rule. */
static void use_profile(struct profile *profile)
{
    static const uint8_t firsts[] = {0x00, 0x7f, 0x80, 0xff}, rests[] = {0x00, 0xff, 0x00, 0xff};
    guint n = profile ? profile->items->len : 0;
    g_autofree struct item_value *values = g_new0(struct item_value, n + 1);
    struct values context = {profile, values};
    for (unsigned k = 0; k < G_N_ELEMENTS(firsts) && profile; k++) {
        for (guint i = 0; i < n; i++) {
            const struct profile_item *item = g_ptr_array_index(profile->items, i);
            g_autofree uint8_t *bytes = g_malloc(item->width), *again = g_malloc(item->width);
            memset(bytes, rests[k], item->width);
            bytes[0] = firsts[k];
            profile_value_decode(item, bytes, &values[i]);
            g_free(profile_value_format(&values[i]));
            profile_value_encode(&values[i], again);
            g_assert_true(item->type == ITEM_TEXT || item->reads_negative || item->mask ||
                          memcmp(bytes, again, item->width) == 0);
            g_assert_true(item->type != ITEM_BYTES || values[i].absent == (firsts[k] == rests[k]));
        }
        profile_check_rules(profile, NULL, look_up, hear, &context);
    }
    profile_free(profile);
}

#define BOARDS SOURCE_DIR "/recipes/boards/"

/* The hash of the profile that is completed is made right, or nothing behind it would be reached. */
static void use_addresses(GBytes *bytes, struct bind_report *report)
{
    g_autoptr(bind_report_auto) unlocked = bind_report_new("fuzz", bytes);
    g_autofree char *text = profile_addresses_lock(BOARDS "fuzz", bytes, unlocked, NULL);
    g_autoptr(GBytes) locked = text ? g_bytes_new(text, strlen(text)) : g_bytes_ref(bytes);
    use_profile(profile_load(BOARDS "fuzz", locked, report));
}

static void use_parameters(GBytes *bytes, struct bind_report *report)
{
    g_autoptr(GBytes) base = bind_read_file(BOARDS "basen-lt55.yaml", BIND_FILE_MAX, NULL);
    g_autoptr(bind_report_auto) base_report = bind_report_new("base", base);
    struct profile *profile = profile_load("base", base, base_report);
    struct parameters *parameters = parameters_load("fuzz", bytes, report);
    GArray *values = parameters ? parameters_resolve(parameters, profile, report) : NULL;
    g_assert_true((values != NULL) == (bind_report_errors(report) == 0));
    g_clear_pointer(&values, g_array_unref);
    parameters_free(parameters);
    profile_free(profile);
}

static void load(const char *schema, GBytes *bytes, struct bind_report *report)
{
    if (g_str_has_prefix(schema, "packline/recipe/"))
        recipe_free(recipe_load("fuzz", bytes, report));
    else if (g_str_has_prefix(schema, "packline/profile/"))
        use_profile(profile_load("fuzz", bytes, report));
    else if (g_str_has_prefix(schema, "packline/addresses/"))
        use_addresses(bytes, report);
    else if (g_str_has_prefix(schema, "packline/parameters/"))
        use_parameters(bytes, report);
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
    g_free(bind_report_text(report));
    json_decref(bind_report_json(report));
    return 0;
}
