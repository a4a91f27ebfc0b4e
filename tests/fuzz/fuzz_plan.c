/* A recipe, a scan and a profile with a line "----" between become a plan, or an error that says where.
 * Without a third part the profile is the small one of the corpus. */
#include "tests/fuzz/fuzz.h"

#include "recipes/plan.h"

#define SIZE_LIMIT 65536

static struct trust *trust;
static char *recipe_path;

static void prepare(void)
{
    g_autofree char *keys = g_build_filename(fuzz_folder(), "trust", NULL);
    g_autoptr(GBytes) layout = fuzz_source("tests/fuzz/corpus/yaml/layout.yaml");
    g_assert_cmpint(g_mkdir_with_parents(keys, 0700), ==, 0);
    trust = trust_load(keys, NULL);
    g_assert_nonnull(trust);
    fuzz_write("layout.yaml", g_bytes_get_data(layout, NULL), g_bytes_get_size(layout));
    recipe_path = g_build_filename(fuzz_folder(), "recipe.yaml", NULL);
}

static void write_profile(const uint8_t *data, size_t size)
{
    static GBytes *small;
    if (!small)
        small = fuzz_source("tests/fuzz/corpus/yaml/profile.yaml");
    if (size == 0)
        data = g_bytes_get_data(small, &size);
    fuzz_write("profile.yaml", data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t recipe_n, scan_n;
    if (!trust)
        prepare();
    if (size > SIZE_LIMIT)
        return 0;
    const uint8_t *recipe = fuzz_part(&data, &size, &recipe_n), *part = fuzz_part(&data, &size, &scan_n);
    g_autofree char *scan = g_strndup((const char *)part, scan_n);
    g_autoptr(GError) error = NULL;
    fuzz_write("recipe.yaml", recipe, recipe_n);
    write_profile(data, size);
    const struct plan_request request = {
        .recipe_path = recipe_path, .scan = scan, .trust = trust, .wall_us = INT64_C(1795000000000000)};
    struct plan *plan = plan_make(&request, &error);
    g_assert_true((plan == NULL) == (error != NULL));
    if (plan) {
        g_assert_true(plan->step_count == plan->recipe->steps->len && !plan->production && plan->sn[0]);
        for (unsigned i = 0; i < plan->step_count; i++)
            for (unsigned k = 0; k < plan->steps[i].value_count; k++) {
                uint8_t bytes[PROFILE_LENGTH_MAX];
                profile_value_encode(&plan->steps[i].values[k], bytes);
            }
    }
    plan_free(plan);
    return 0;
}
