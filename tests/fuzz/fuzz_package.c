/* A package folder: manifest, signature and image, one after the other with a line "----" between. */
#include "tests/fuzz/fuzz.h"

#include "firmware/package.h"

#include <unistd.h>

static const char mark[] = "\n----\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"manifest.yaml", "manifest.sig", "app.bin"};
    g_autoptr(GError) error = NULL;
    g_autofree char *keys = g_build_filename(fuzz_folder(), "trust", NULL);
    g_mkdir_with_parents(keys, 0700);
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        const uint8_t *end = i < 2 ? memmem(data, size, mark, sizeof mark - 1) : NULL;
        size_t n = end ? (size_t)(end - data) : size;
        fuzz_write(names[i], data, n);
        n += end ? sizeof mark - 1 : 0;
        data += n;
        size -= n;
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
