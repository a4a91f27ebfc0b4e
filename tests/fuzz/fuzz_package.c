/* A package folder: manifest, signature and image, one after the other with a line "----" between.
 *
 * So that more than the first check is reached, IMAGE-SHA256 in the manifest stands for the hash of the
 * image, and a signature that reads SIGN for a good one. */
#include "tests/fuzz/fuzz.h"

#include "firmware/package.h"

#define SIZE_MAX_HERE 65536

static char *keys;

static void make_keys(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *private_keys = g_build_filename(fuzz_folder(), "keys", NULL);
    g_autofree char *from = g_build_filename(private_keys, "fuzz.pub", NULL);
    keys = g_build_filename(fuzz_folder(), "trust", NULL);
    g_autofree char *to = g_build_filename(keys, "fuzz.pub", NULL);
    g_assert_cmpint(g_mkdir_with_parents(private_keys, 0700), ==, 0);
    g_assert_cmpint(g_mkdir_with_parents(keys, 0700), ==, 0);
    g_assert_true(trust_generate(private_keys, "fuzz", TRUST_FIRMWARE, &error));
    g_assert_cmpint(rename(from, to), ==, 0);
}

static GBytes *manifest_of(const uint8_t *part, size_t n, const uint8_t *image, size_t image_n)
{
    g_autofree char *text = g_strndup((const char *)part, n);
    char sha256[65];
    if (strlen(text) < n) /* a zero byte stays where it is */
        return g_bytes_new(part, n);
    trust_sha256(image, image_n, sha256);
    g_auto(GStrv) pieces = g_strsplit(text, "IMAGE-SHA256", 4);
    char *whole = g_strjoinv(sha256, pieces);
    return g_bytes_new_take(whole, strlen(whole));
}

static bool sign(GBytes *manifest)
{
    g_autofree char *path = g_build_filename(fuzz_folder(), "keys", "fuzz.key", NULL);
    g_autofree char *line = trust_sign(path, PACKAGE_DOMAIN, manifest, NULL);
    g_assert_nonnull(line);
    fuzz_write(PACKAGE_SIGNATURE, line, strlen(line));
    return true;
}

static void load(const struct trust *trust, bool may)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(package_auto) package = package_load(fuzz_folder(), trust, &error);
    g_assert_true((package == NULL) == (error != NULL));
    g_assert_true(may || !package);
    if (package)
        g_assert_cmpuint(package->image->count, ==, package->manifest->regions->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t manifest_n, signature_n;
    if (!keys)
        make_keys();
    if (size > SIZE_MAX_HERE)
        return 0;
    const uint8_t *part = fuzz_part(&data, &size, &manifest_n);
    const uint8_t *signature = fuzz_part(&data, &size, &signature_n);
    g_autoptr(GBytes) manifest = manifest_of(part, manifest_n, data, size);
    fuzz_write(PACKAGE_MANIFEST, g_bytes_get_data(manifest, NULL), g_bytes_get_size(manifest));
    fuzz_write("app.bin", data, size);
    bool is_signed = signature_n == 4 && memcmp(signature, "SIGN", 4) == 0 && sign(manifest);
    if (!is_signed)
        fuzz_write(PACKAGE_SIGNATURE, signature, signature_n);
    struct trust *trust = trust_load(keys, NULL);
    g_assert_nonnull(trust);
    load(trust, is_signed);
    load(NULL, true);
    trust_free(trust);
    return 0;
}
