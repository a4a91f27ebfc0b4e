/* A secret's file: what is taken from it is a text, never more than the file holds. */
#include "tests/fuzz/fuzz.h"

#include "station/base/secret.h"

#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *path = g_build_filename(fuzz_folder(), "secret", NULL);
    g_autoptr(GError) error = NULL;
    fuzz_write("secret", data, size);
    g_assert_cmpint(chmod(path, 0600), ==, 0);
    struct secret *secret = secret_from_file(path, &error);
    g_assert_true((secret == NULL) == (error != NULL));
    if (secret) {
        const char *text = secret_reveal(secret);
        g_assert_cmpuint(strlen(text), <=, size);
        g_assert_true(memcmp(text, data, strlen(text)) == 0);
    }
    secret_free(secret);
    return 0;
}
