/* Key files, the list of revoked keys and signature lines, one after the other with a line "----" between. */
#include "tests/fuzz/fuzz.h"

#include "firmware/trust.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) bytes = g_bytes_new_static("signed", 6);
    struct trust_signer signer;
    size_t n;
    const uint8_t *key = fuzz_part(&data, &size, &n);
    fuzz_write("a.pub", key, n);
    const uint8_t *revoked = fuzz_part(&data, &size, &n);
    fuzz_write("revoked", revoked, n);
    g_autofree char *signature = g_strndup((const char *)data, size);
    struct trust *trust = trust_load(fuzz_folder(), &error);
    g_assert_true((trust == NULL) == (error != NULL));
    g_clear_error(&error);
    /* Nobody can have signed these bytes. */
    if (trust) {
        g_assert_false(trust_verify(trust, TRUST_FIRMWARE, "fuzz", bytes, signature, &signer, &error));
        g_assert_nonnull(error);
    }
    trust_free(trust);
    return 0;
}
