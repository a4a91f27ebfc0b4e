/* A package folder: manifest, signature and image, one after the other with a line "----" between. */
#include "tests/fuzz/fuzz.h"

#include "firmware/package.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"manifest.yaml", "manifest.sig", "app.bin"};
    g_autoptr(GError) error = NULL;
    g_autofree char *keys = g_build_filename(fuzz_folder(), "trust", NULL);
    g_mkdir_with_parents(keys, 0700);
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        size_t n;
        const uint8_t *part = fuzz_part(&data, &size, &n);
        fuzz_write(names[i], part, n);
    }
    struct trust *trust = trust_load(keys, &error);
    g_assert_no_error(error);
    /* Nothing is signed by a key that is trusted here. */
    g_assert_null(package_load(fuzz_folder(), trust, &error));
    g_assert_nonnull(error);
    g_clear_error(&error);
    struct package *package = package_load(fuzz_folder(), NULL, &error);
    g_assert_true((package == NULL) == (error != NULL));
    package_free(package);
    trust_free(trust);
    return 0;
}
