/* Attacks on a really signed package: every bit, every cut, foreign signatures, revoked keys, swapped images.
 */
#include "firmware/package.h"
#include "station/base/error.h"

#include <glib/gstdio.h>
#include <string.h>

#define DAY_US (G_GINT64_CONSTANT(86400) * G_USEC_PER_SEC)

static const char image_text[] = ":020000040800F2\n"
                                 ":0B0000002030303230346170702D3140\n"
                                 ":00000001FF\n";
static const char *const hardware[] = {"HY-PT003", NULL};
static const uint32_t mcu[] = {0x0413};

struct fixture {
    char *folder, *image, *out, *other, *key, *keys;
    struct trust *trust;
    char *manifest, *signature; /* as signed */
    gsize manifest_size, signature_size;
};

static void remove_all(const char *path)
{
    GDir *dir = g_dir_open(path, 0, NULL);
    const char *file;
    while (dir && (file = g_dir_read_name(dir))) {
        g_autofree char *inner = g_build_filename(path, file, NULL);
        remove_all(inner);
    }
    if (dir)
        g_dir_close(dir);
    g_remove(path);
}

static void make(const struct fixture *f, const char *out, int64_t sequence)
{
    const struct package_recipe recipe = {.product = "B200LT55",
                                          .version = "1.0.4",
                                          .hardware = hardware,
                                          .mcu_ids = mcu,
                                          .mcu_count = 1,
                                          .sequence = sequence,
                                          .not_before = 20454 * DAY_US,
                                          .not_after = 20818 * DAY_US};
    g_autoptr(GError) error = NULL;
    g_assert_true(package_pack(f->image, &recipe, out, &error));
    g_assert_no_error(error);
    g_assert_true(package_sign(out, f->key, &error));
    g_assert_no_error(error);
}

static void read_in(const char *folder, const char *file, char **text, gsize *size)
{
    g_autofree char *path = g_build_filename(folder, file, NULL);
    g_assert_true(g_file_get_contents(path, text, size, NULL));
}

/* Written in place: thousands of renames with a sync each would take minutes. */
static void put(const char *folder, const char *file, const char *text, gsize size)
{
    g_autofree char *path = g_build_filename(folder, file, NULL);
    FILE *stream = fopen(path, "wb");
    g_assert_nonnull(stream);
    g_assert_cmpuint(fwrite(text, 1, size, stream), ==, size);
    g_assert_cmpint(fclose(stream), ==, 0);
}

static void set_up(struct fixture *f, gconstpointer data)
{
    (void)data;
    f->folder = g_dir_make_tmp("packline-attacks-XXXXXX", NULL);
    f->image = g_build_filename(f->folder, "app.hex", NULL);
    f->out = g_build_filename(f->folder, "app", NULL);
    f->other = g_build_filename(f->folder, "other", NULL);
    f->keys = g_build_filename(f->folder, "keys", NULL);
    f->key = g_build_filename(f->keys, "maker.key", NULL);
    put(f->folder, "app.hex", image_text, strlen(image_text));
    g_assert_cmpint(g_mkdir(f->keys, 0755), ==, 0);
    g_assert_true(trust_generate(f->keys, "maker", TRUST_FIRMWARE, NULL));
    f->trust = trust_load(f->keys, NULL);
    g_assert_nonnull(f->trust);
    make(f, f->out, 10004);
    read_in(f->out, PACKAGE_MANIFEST, &f->manifest, &f->manifest_size);
    read_in(f->out, PACKAGE_SIGNATURE, &f->signature, &f->signature_size);
}

static void tear_down(struct fixture *f, gconstpointer data)
{
    (void)data;
    trust_free(f->trust);
    remove_all(f->folder);
    char *const texts[] = {f->folder, f->image, f->out, f->other, f->key, f->keys, f->manifest, f->signature};
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++)
        g_free(texts[i]);
}

static void check_accepted(const struct fixture *f)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(package_auto) package = package_load(f->out, f->trust, &error);
    g_assert_no_error(error);
    g_assert_nonnull(package);
}

/* Refused, and for a reason of the file's author or of trust: never by chance. */
static void check_refused(const struct fixture *f, const struct trust *trust)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(package_load(f->out, trust, &error));
    g_assert_nonnull(error);
    g_assert_true(g_error_matches(error, PACK_ERROR, ERROR_TRUST) ||
                  g_error_matches(error, PACK_ERROR, ERROR_AUTHOR));
}

static void flip_all(const struct fixture *f, const char *file, char *text, gsize size)
{
    for (gsize bit = 0; bit < 8 * size; bit++) {
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
        put(f->out, file, text, size);
        check_refused(f, f->trust);
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
    }
    put(f->out, file, text, size);
    check_accepted(f);
}

static void cut_all(const struct fixture *f, const char *file, const char *text, gsize size)
{
    for (gsize n = 0; n < size; n++) {
        put(f->out, file, text, n);
        check_refused(f, f->trust);
    }
    g_autofree char *longer = g_strconcat(text, "\n", NULL);
    put(f->out, file, longer, size + 1);
    check_refused(f, f->trust);
    put(f->out, file, text, size);
    check_accepted(f);
}

static void test_flips(struct fixture *f, gconstpointer data)
{
    (void)data;
    flip_all(f, PACKAGE_MANIFEST, f->manifest, f->manifest_size);
    flip_all(f, PACKAGE_SIGNATURE, f->signature, f->signature_size);
}

static void test_cuts(struct fixture *f, gconstpointer data)
{
    (void)data;
    cut_all(f, PACKAGE_MANIFEST, f->manifest, f->manifest_size);
    cut_all(f, PACKAGE_SIGNATURE, f->signature, f->signature_size);
}

/* Every bit of the image file, which the signature covers through its hash. */
static void test_image_flips(struct fixture *f, gconstpointer data)
{
    (void)data;
    g_autofree char *text = g_strdup(image_text);
    flip_all(f, "app.hex", text, strlen(text));
}

/* The same key, the same kind of file, another package. */
static void test_foreign_signature(struct fixture *f, gconstpointer data)
{
    (void)data;
    g_autofree char *signature = NULL, *manifest = NULL;
    gsize signature_size, manifest_size;
    make(f, f->other, 10005);
    read_in(f->other, PACKAGE_SIGNATURE, &signature, &signature_size);
    read_in(f->other, PACKAGE_MANIFEST, &manifest, &manifest_size);
    put(f->out, PACKAGE_SIGNATURE, signature, signature_size);
    check_refused(f, f->trust);
    put(f->out, PACKAGE_SIGNATURE, f->signature, f->signature_size);
    put(f->out, PACKAGE_MANIFEST, manifest, manifest_size);
    check_refused(f, f->trust);
    put(f->out, PACKAGE_SIGNATURE, signature, signature_size);
    check_accepted(f);
}

/* The newline-ended list of one id, without and with the key's file beside it. */
static void test_revoked(struct fixture *f, gconstpointer data)
{
    (void)data;
    g_auto(GStrv) words = g_strsplit(f->signature, " ", 3);
    g_autofree char *list = g_strdup_printf("0123456789abcdef\n%s\n", words[1]);
    put(f->keys, TRUST_REVOKED, list, strlen(list));
    for (int with_key = 1; with_key >= 0; with_key--) {
        g_autoptr(GError) error = NULL;
        struct trust *trust = trust_load(f->keys, &error);
        g_assert_no_error(error);
        g_assert_null(package_load(f->out, trust, &error));
        g_assert_error(error, PACK_ERROR, ERROR_TRUST);
        g_assert_nonnull(strstr(error->message, "revoked"));
        trust_free(trust);
        g_autofree char *pub = g_build_filename(f->keys, "maker.pub", NULL);
        g_remove(pub);
    }
}

/* A list that revokes other keys only changes nothing; one that cannot be understood lets nothing through. */
static void test_revoked_list(struct fixture *f, gconstpointer data)
{
    (void)data;
    static const struct {
        const char *text;
        bool good;
    } lists[] = {{"", true},
                 {"0123456789abcdef\n", true},
                 {"0123456789abcdef", false},
                 {"0123456789ABCDEF\n", false},
                 {"0123456789abcde\n", false},
                 {"0123456789abcdef \n", false},
                 {"\n0123456789abcdef\n", false},
                 {"0123456789abcdef\r\n", false},
                 {"# a remark\n", false}};
    for (gsize i = 0; i < G_N_ELEMENTS(lists); i++) {
        g_autoptr(GError) error = NULL;
        put(f->keys, TRUST_REVOKED, lists[i].text, strlen(lists[i].text));
        struct trust *trust = trust_load(f->keys, &error);
        g_assert_cmpint(trust != NULL, ==, lists[i].good);
        if (trust) {
            g_autoptr(package_auto) package = package_load(f->out, trust, &error);
            g_assert_no_error(error);
            g_assert_nonnull(package);
        } else {
            g_assert_error(error, PACK_ERROR, ERROR_AUTHOR);
        }
        trust_free(trust);
    }
    g_autofree char *path = g_build_filename(f->keys, TRUST_REVOKED, NULL);
    g_remove(path);
    g_assert_cmpint(g_mkdir(path, 0755), ==, 0);
    g_assert_null(trust_load(f->keys, NULL));
}

/* The bytes used are the bytes verified: what happens to the file after the load changes nothing. */
static void test_swapped(struct fixture *f, gconstpointer data)
{
    (void)data;
    static const char evil[] = ":020000040800F2\n:0400000045564C21F1\n:00000001FF\n";
    g_autoptr(GError) error = NULL;
    g_autoptr(package_auto) package = package_load(f->out, f->trust, &error);
    g_assert_no_error(error);
    put(f->out, "app.hex", evil, strlen(evil)); /* the same file, so a mapping would show it */
    g_assert_cmpuint(package->image->count, ==, 1);
    const struct manifest_region *stated = g_ptr_array_index(package->manifest->regions, 0);
    char sha256[65];
    trust_sha256(package->image->regions[0].bytes, package->image->regions[0].size, sha256);
    g_assert_cmpstr(sha256, ==, stated->sha256);
    g_assert_cmpmem(package->image->regions[0].bytes, package->image->regions[0].size, " 00204app-1", 11);
    check_refused(f, f->trust);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*test)(struct fixture *, gconstpointer);
    } tests[] = {{"/attacks/flips", test_flips},
                 {"/attacks/cuts", test_cuts},
                 {"/attacks/image-flips", test_image_flips},
                 {"/attacks/foreign-signature", test_foreign_signature},
                 {"/attacks/revoked", test_revoked},
                 {"/attacks/revoked-list", test_revoked_list},
                 {"/attacks/swapped", test_swapped}};
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].path, struct fixture, NULL, set_up, tests[i].test, tear_down);
    return g_test_run();
}
