/* Packages: what pack and sign write is loaded and trusted; every later change is refused. */
#include "firmware/package.h"
#include "station/base/error.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY_US (G_GINT64_CONSTANT(86400) * G_USEC_PER_SEC)

/* Eleven bytes at 0x08000000 and two at 0x08000010. */
static const char hex_file[] = ":020000040800F2\n"
                               ":0B0000002030303230346170702D3140\n"
                               ":02001000AABB89\n"
                               ":00000001FF\n";
static const char *const hardware[] = {"HY-PT003", "HY-PT004", NULL};
static const uint32_t mcu[] = {0x0413}, boot[] = {0x31, 0x22};
static const struct package_recipe recipe = {.product = "B200LT55",
                                             .version = "1.0.4",
                                             .hardware = hardware,
                                             .mcu_ids = mcu,
                                             .mcu_count = 1,
                                             .bootloaders = boot,
                                             .bootloader_count = 2,
                                             .sequence = 10004,
                                             .not_before = 20454 * DAY_US,
                                             .not_after = 20818 * DAY_US};

struct fixture {
    char *folder, *image, *out, *key, *keys;
    struct trust *trust;
};

static char *in(const char *folder, const char *file)
{
    return g_build_filename(folder, file, NULL);
}

static void remove_all(const char *path)
{
    GDir *dir = g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open(path, 0, NULL);
    const char *file;
    while (dir && (file = g_dir_read_name(dir))) {
        g_autofree char *inner = in(path, file);
        remove_all(inner);
    }
    if (dir)
        g_dir_close(dir);
    g_remove(path);
}

static void set_up(struct fixture *f, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    f->folder = g_dir_make_tmp("packline-package-XXXXXX", NULL);
    f->image = in(f->folder, "app.hex");
    f->out = in(f->folder, "app-1.0.4");
    f->keys = in(f->folder, "keys");
    f->key = in(f->keys, "maker.key");
    g_assert_true(g_file_set_contents(f->image, hex_file, -1, NULL));
    g_assert_cmpint(g_mkdir(f->keys, 0755), ==, 0);
    g_assert_true(trust_generate(f->keys, "maker", TRUST_FIRMWARE, NULL));
    f->trust = trust_load(f->keys, NULL);
    g_assert_true(package_pack(f->image, &recipe, f->out, &error));
    g_assert_no_error(error);
    g_assert_true(package_sign(f->out, f->key, &error));
    g_assert_no_error(error);
}

static void tear_down(struct fixture *f, gconstpointer data)
{
    (void)data;
    trust_free(f->trust);
    remove_all(f->folder);
    g_free(f->folder);
    g_free(f->image);
    g_free(f->out);
    g_free(f->key);
    g_free(f->keys);
}

static char *get(const struct fixture *f, const char *file)
{
    g_autofree char *path = in(f->out, file);
    char *text = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    return text;
}

static void put(const struct fixture *f, const char *file, const char *text)
{
    g_autofree char *path = in(f->out, file);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void check_refused(const struct fixture *f, const struct trust *trust, enum error_kind kind,
                          const char *part)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(package_load(f->out, trust, &error));
    g_assert_error(error, PACK_ERROR, (int)kind);
    if (!strstr(error->message, part))
        g_assert_cmpstr(error->message, ==, part);
}

/* Replaces a part of the manifest and signs it again, as a careless maker would. */
static void edit(const struct fixture *f, const char *from, const char *to)
{
    g_autofree char *text = get(f, PACKAGE_MANIFEST);
    g_assert_nonnull(strstr(text, from));
    g_auto(GStrv) parts = g_strsplit(text, from, 2);
    g_autofree char *edited = g_strjoinv(to, parts);
    put(f, PACKAGE_MANIFEST, edited);
    g_autoptr(GBytes) bytes = g_bytes_new(edited, strlen(edited));
    g_autofree char *line = trust_sign(f->key, PACKAGE_DOMAIN, bytes, NULL);
    put(f, PACKAGE_SIGNATURE, line);
}

static void test_table(struct fixture *f, gconstpointer data)
{
    (void)f;
    (void)data;
    g_autoptr(GError) error = NULL;
    g_assert_true(bind_schema_check(&manifest_schema, &error));
    g_assert_no_error(error);
}

static void test_good(struct fixture *f, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    g_autoptr(package_auto) package = package_load(f->out, f->trust, &error);
    g_assert_no_error(error);
    const struct manifest *m = package->manifest;
    g_assert_cmpstr(m->schema, ==, "packline/manifest/1");
    g_assert_cmpstr(m->product, ==, "B200LT55");
    g_assert_cmpuint(m->hardware->len, ==, 2);
    g_assert_cmpstr(g_ptr_array_index(m->hardware, 1), ==, "HY-PT004");
    g_assert_cmpuint(m->mcu_ids->len, ==, 1);
    g_assert_cmphex(g_array_index(m->mcu_ids, int64_t, 0), ==, 0x0413);
    g_assert_cmpuint(m->bootloaders->len, ==, 2);
    g_assert_cmphex(g_array_index(m->bootloaders, int64_t, 1), ==, 0x22);
    g_assert_cmpstr(m->version, ==, "1.0.4");
    g_assert_cmpint(m->sequence, ==, 10004);
    g_assert_cmpstr(m->image_file, ==, "app.hex");
    g_assert_cmphex(m->load_address, ==, 0x08000000);
    g_assert_cmpuint(m->regions->len, ==, 2);
    g_assert_cmpint(m->not_before, ==, recipe.not_before);
    g_assert_cmpint(m->not_after, ==, recipe.not_after);
    g_assert_true(package->is_signed);
    g_assert_cmpstr(package->signer.name, ==, "maker");
    g_assert_cmpuint(image_size(package->image), ==, 13);
    g_assert_cmpmem(package->image->regions[0].bytes, 11, " 00204app-1", 11);
    g_autofree char *text = get(f, PACKAGE_MANIFEST);
    char sha256[65];
    trust_sha256(text, strlen(text), sha256);
    g_assert_cmpstr(package->manifest_sha256, ==, sha256);
}

/* The manifest is a promise of bytes: the same words give the same file. */
static void test_text(struct fixture *f, gconstpointer data)
{
    (void)data;
    static const char expected[] =
        "# Signed as it is: any change breaks manifest.sig.\n"
        "schema: packline/manifest/1\n"
        "product: \"B200LT55\"\n"
        "hardware:\n"
        "  - \"HY-PT003\"\n"
        "  - \"HY-PT004\"\n"
        "mcu_ids:\n"
        "  - 0x0413\n"
        "bootloaders:\n"
        "  - 0x31\n"
        "  - 0x22\n"
        "version: \"1.0.4\"\n"
        "sequence: 10004\n"
        "image_file: \"app.hex\"\n"
        "image_sha256: \"6c12272703f6cd118c07931905a86b3ee9cf9e5dbb737a8a715c5efb2aa0e25c\"\n"
        "load_address: 0x08000000\n"
        "regions:\n"
        "  - address: 0x08000000\n"
        "    size: 11\n"
        "    sha256: \"f686331ff60fbac6b7fd626741b2dfafb853e1dea40761121b926d8594ef8b40\"\n"
        "  - address: 0x08000010\n"
        "    size: 2\n"
        "    sha256: \"d798d1fac6bd4bb1c11f50312760351013379a0ab6f0a8c0af8a506b96b2525a\"\n"
        "not_before: 2026-01-01\n"
        "not_after: 2026-12-31\n";
    g_autofree char *text = get(f, PACKAGE_MANIFEST);
    g_assert_cmpstr(text, ==, expected);
}

static void test_pack_refuses(struct fixture *f, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    g_assert_false(package_pack(f->image, &recipe, f->out, &error));
    g_assert_error(error, PACK_ERROR, ERROR_AUTHOR);
    g_assert_nonnull(strstr(error->message, "exists already"));
    g_clear_error(&error);
    static const char *const many[PACKAGE_IDS_MAX + 2] = {"a", "a", "a", "a", "a", "a", "a", "a", "a",
                                                          "a", "a", "a", "a", "a", "a", "a", "a", NULL};
    static const char *const none[] = {NULL}, *const quote[] = {"a\"b", NULL};
    static const uint32_t wide[] = {0x10000};
    struct package_recipe bad[13];
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
        bad[i] = recipe;
    bad[0].product = "B\"\nsequence: 1";
    bad[1].product = NULL;
    bad[2].version = "1.0.4-and-much-too-long";
    bad[3].version = "";
    bad[4].hardware = none;
    bad[5].hardware = quote;
    bad[6].hardware = many;
    bad[7].mcu_count = 0;
    bad[8].mcu_ids = wide;
    bad[9].bootloaders = wide, bad[9].bootloader_count = 1;
    bad[10].sequence = 0;
    bad[11].not_before += 1;
    bad[12].not_after = bad[12].not_before - DAY_US;
    g_autofree char *out = in(f->folder, "new");
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_assert_false(package_pack(f->image, &bad[i], out, &error));
        g_test_message("%s", error->message);
        g_assert_error(error, PACK_ERROR, ERROR_USAGE);
        g_assert_false(g_file_test(out, G_FILE_TEST_EXISTS));
        g_clear_error(&error);
    }
}

static unsigned count_files(const char *folder)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    unsigned n = 0;
    while (g_dir_read_name(dir))
        n++;
    g_dir_close(dir);
    return n;
}

/* What fails leaves nothing behind. */
static void test_pack_leaves_nothing(struct fixture *f, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    g_autofree char *out = in(f->folder, "new"), *spaced = in(f->folder, "a b.hex");
    g_autofree char *posing = in(f->folder, PACKAGE_MANIFEST), *none = in(f->folder, "none.hex");
    struct package_recipe wrong = recipe;
    wrong.has_base = true;
    wrong.base = 0x0800000C; /* in the gap of the image */
    g_assert_true(g_file_set_contents(spaced, hex_file, -1, NULL));
    g_assert_true(g_file_set_contents(posing, hex_file, -1, NULL));
    unsigned before = count_files(f->folder);
    g_assert_false(package_pack(f->image, &wrong, out, &error));
    g_assert_error(error, PACK_ERROR, ERROR_AUTHOR);
    g_assert_nonnull(strstr(error->message, "load_address 0x0800000C"));
    g_clear_error(&error);
    g_assert_false(package_pack(spaced, &recipe, out, &error));
    g_assert_error(error, PACK_ERROR, ERROR_USAGE);
    g_clear_error(&error);
    g_assert_false(package_pack(posing, &recipe, out, &error));
    g_assert_error(error, PACK_ERROR, ERROR_USAGE);
    g_clear_error(&error);
    g_assert_false(package_pack(none, &recipe, out, &error));
    g_assert_error(error, PACK_ERROR, ERROR_AUTHOR);
    g_clear_error(&error);
    g_autofree char *nowhere = in(none, "out");
    g_assert_false(package_pack(f->image, &recipe, nowhere, &error));
    g_assert_error(error, PACK_ERROR, ERROR_STORAGE);
    g_assert_cmpuint(count_files(f->folder), ==, before);
}

static void test_binary(struct fixture *f, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    g_autofree char *image = in(f->folder, "app.bin"), *out = in(f->folder, "bin/");
    struct package_recipe words = recipe;
    g_assert_true(g_file_set_contents(image, "\x04\x03\x02\x01", 4, NULL));
    g_assert_false(package_pack(image, &words, out, &error));
    g_assert_nonnull(strstr(error->message, "raw binary needs its load address"));
    g_clear_error(&error);
    words.has_base = true;
    words.base = 0x08004000;
    words.bootloader_count = 0;
    g_assert_true(package_pack(image, &words, out, &error));
    g_assert_no_error(error);
    g_autoptr(package_auto) package = package_load(out, NULL, &error);
    g_assert_no_error(error);
    g_assert_false(package->is_signed);
    g_assert_cmpstr(package->signer.name, ==, "");
    g_assert_cmphex(image_first(package->image), ==, 0x08004000);
    g_assert_cmpuint(package->manifest->bootloaders->len, ==, 0);
}

static void test_unsigned(struct fixture *f, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    g_autofree char *sig = in(f->out, PACKAGE_SIGNATURE);
    g_assert_false(package_sign(f->out, f->key, &error));
    g_assert_error(error, PACK_ERROR, ERROR_AUTHOR);
    g_assert_nonnull(strstr(error->message, "remove the old signature"));
    g_clear_error(&error);
    g_unlink(sig);
    check_refused(f, f->trust, ERROR_TRUST, "not signed");
    g_autoptr(package_auto) package = package_load(f->out, NULL, &error);
    g_assert_no_error(error);
    g_assert_false(package->is_signed);
    g_assert_false(package_sign(f->out, f->image, &error)); /* mode of a plain file, and no key */
    g_assert_error(error, PACK_ERROR, ERROR_AUTHOR);
    g_assert_false(g_file_test(sig, G_FILE_TEST_EXISTS));
    g_assert_cmpuint(count_files(f->out), ==, 2);
}

static void test_signature_malformed(struct fixture *f, gconstpointer data)
{
    (void)data;
    g_autofree char *path = in(f->out, PACKAGE_SIGNATURE), *line = get(f, PACKAGE_SIGNATURE);
    g_autofree char *hidden = g_strconcat(line, "?rest", NULL);
    size_t n = strlen(hidden);
    hidden[strlen(line)] = '\0';
    g_assert_true(g_file_set_contents(path, hidden, (gssize)n, NULL));
    check_refused(f, f->trust, ERROR_AUTHOR, "manifest.sig: a zero byte");
    put(f, PACKAGE_SIGNATURE, "ed25519\n");
    check_refused(f, f->trust, ERROR_AUTHOR, "manifest.sig: signature: expected one line");
    put(f, PACKAGE_SIGNATURE, "");
    check_refused(f, f->trust, ERROR_AUTHOR, "manifest.sig: signature: expected one line");
    g_autofree char *huge = g_strnfill(5000, 'A');
    put(f, PACKAGE_SIGNATURE, huge);
    check_refused(f, f->trust, ERROR_AUTHOR, "manifest.sig");
}

static void test_foreign_key(struct fixture *f, gconstpointer data)
{
    (void)data;
    g_autofree char *keys = in(f->folder, "others");
    g_assert_cmpint(g_mkdir(keys, 0755), ==, 0);
    g_assert_true(trust_generate(keys, "other", TRUST_FIRMWARE, NULL));
    struct trust *trust = trust_load(keys, NULL);
    check_refused(f, trust, ERROR_TRUST, "manifest.sig: signed with the unknown key");
    trust_free(trust);
}

static void test_release_key(struct fixture *f, gconstpointer data)
{
    (void)data;
    g_autofree char *keys = in(f->folder, "others"), *key = in(keys, "boss.key"),
                    *sig = in(f->out, PACKAGE_SIGNATURE);
    g_assert_cmpint(g_mkdir(keys, 0755), ==, 0);
    g_assert_true(trust_generate(keys, "boss", TRUST_RELEASE, NULL));
    g_unlink(sig);
    g_assert_true(package_sign(f->out, key, NULL));
    struct trust *trust = trust_load(keys, NULL);
    check_refused(f, trust, ERROR_TRUST, "trusted for release only; expected a key for firmware");
    trust_free(trust);
}

/* A release signature over the very same bytes is no package signature. */
static void test_domain(struct fixture *f, gconstpointer data)
{
    (void)data;
    g_autofree char *text = get(f, PACKAGE_MANIFEST);
    g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));
    g_autofree char *line = trust_sign(f->key, "packline/release/v1", bytes, NULL);
    put(f, PACKAGE_SIGNATURE, line);
    check_refused(f, f->trust, ERROR_TRUST, "does not fit these bytes");
}

/* Every bit of the manifest is under the signature, comments and blanks too. */
static void test_every_bit(struct fixture *f, gconstpointer data)
{
    (void)data;
    g_autofree char *text = get(f, PACKAGE_MANIFEST);
    size_t n = strlen(text);
    for (size_t bit = 0; bit < 8 * n; bit += bit % 8 == 7 ? 1 : 7) { /* first and last of each byte */
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
        g_autofree char *path = in(f->out, PACKAGE_MANIFEST);
        FILE *file = fopen(path, "wb");
        g_assert_cmpuint(fwrite(text, 1, n, file), ==, n);
        fclose(file);
        check_refused(f, f->trust, ERROR_TRUST, "does not fit these bytes");
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
    }
}

static void test_image_tampered(struct fixture *f, gconstpointer data)
{
    (void)data;
    g_autofree char *path = in(f->out, "app.hex");
    g_autofree char *lower = g_ascii_strdown(hex_file, -1);
    put(f, "app.hex", lower); /* not even a spelling of the same bytes */
    check_refused(f, f->trust, ERROR_TRUST, "app.hex: sha256");
    check_refused(f, NULL, ERROR_TRUST, "app.hex: sha256");
    g_unlink(path);
    check_refused(f, f->trust, ERROR_AUTHOR, "app.hex: no such file");
    g_assert_cmpint(symlink(f->image, path), ==, 0);
    check_refused(f, f->trust, ERROR_AUTHOR, "symbolic link");
}

static void test_names(struct fixture *f, gconstpointer data)
{
    (void)data;
    static const char *const names[] = {"../app.hex", "/etc/passwd", "a/b.hex", ".hidden", "", "..", "a b"};
    g_autofree char *text = get(f, PACKAGE_MANIFEST);
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        put(f, PACKAGE_MANIFEST, text);
        g_autofree char *line = g_strdup_printf("image_file: \"%s\"\n", names[i]);
        edit(f, "image_file: \"app.hex\"\n", line);
        check_refused(f, f->trust, ERROR_AUTHOR, "manifest.yaml:14:");
    }
    put(f, PACKAGE_MANIFEST, text);
    edit(f, "image_file: \"app.hex\"", "image_file: \"manifest.yaml\"");
    check_refused(f, f->trust, ERROR_AUTHOR, "is a file of the package itself");
}

/* A manifest that does not tell the truth about its own image, signed all the same. */
static void test_regions(struct fixture *f, gconstpointer data)
{
    (void)data;
    static const struct {
        const char *from, *to, *part;
        enum error_kind kind;
    } edits[] = {
        {"address: 0x08000010", "address: 0x08000011", "manifest.yaml:21:5: region 0x08000011", ERROR_TRUST},
        {"size: 11", "size: 12", "manifest.yaml:18:5: region 0x08000000 of 12 bytes", ERROR_TRUST},
        {"    sha256: \"f", "    sha256: \"0", "sha256 0686331f", ERROR_TRUST},
        {"  - address: 0x08000010\n    size: 2\n    sha256: "
         "\"d798d1fac6bd4bb1c11f50312760351013379a0ab6f0a8c0af8a506b96b2525a\"\n",
         "", "1 regions; expected the 2", ERROR_TRUST},
        {"load_address: 0x08000000", "load_address: 0x0800000B", "inside a region", ERROR_AUTHOR},
        {"size: 11", "size: 0", "manifest.yaml:19:", ERROR_AUTHOR},
        {"mcu_ids:\n  - 0x0413", "mcu_ids:\n  - 0x10413", "0x10413 is out of range", ERROR_AUTHOR},
        {"bootloaders:\n  - 0x31", "bootloaders:\n  - 0x131", "0x131 is out of range", ERROR_AUTHOR},
        {"not_after: 2026-12-31", "not_after: 2025-12-31", "before not_before", ERROR_AUTHOR},
        {"schema: packline/manifest/1", "schema: packline/recipe/1", "packline/manifest/1", ERROR_AUTHOR},
        {"sequence: 10004\n", "", "missing key 'sequence'", ERROR_AUTHOR},
        {"sequence: 10004\n", "sequence: 10004\nextra: 1\n", "unknown key", ERROR_AUTHOR},
        {"version: \"1.0.4\"", "version: \"\"", "manifest.yaml:12:", ERROR_AUTHOR},
    };
    g_autofree char *text = get(f, PACKAGE_MANIFEST);
    for (unsigned i = 0; i < G_N_ELEMENTS(edits); i++) {
        put(f, PACKAGE_MANIFEST, text);
        edit(f, edits[i].from, edits[i].to);
        check_refused(f, f->trust, edits[i].kind, edits[i].part);
    }
}

static void test_missing(struct fixture *f, gconstpointer data)
{
    (void)data;
    g_autofree char *path = in(f->out, PACKAGE_MANIFEST), *huge = g_strnfill(PACKAGE_MANIFEST_MAX + 1, '#');
    put(f, PACKAGE_MANIFEST, huge);
    check_refused(f, f->trust, ERROR_AUTHOR, "manifest.yaml: more than 65536 bytes");
    g_unlink(path);
    check_refused(f, f->trust, ERROR_AUTHOR, "manifest.yaml: no such file");
}

/* Random damage to a manifest that nobody signed: refused or loaded, never worse. */
static void test_mutants(struct fixture *f, gconstpointer data)
{
    (void)data;
    GRand *rand = g_rand_new_with_seed(20261120);
    g_autofree char *text = get(f, PACKAGE_MANIFEST), *path = in(f->out, PACKAGE_MANIFEST);
    size_t n = strlen(text);
    for (unsigned i = 0; i < 2000; i++) {
        g_autofree char *copy = g_strdup(text);
        g_autoptr(GError) error = NULL;
        for (int changes = g_rand_int_range(rand, 0, 4); changes > 0; changes--)
            copy[g_rand_int_range(rand, 0, (gint32)n)] =
                g_rand_boolean(rand) ? (char)g_rand_int(rand) : text[g_rand_int_range(rand, 0, (gint32)n)];
        FILE *file = fopen(path, "wb");
        g_assert_cmpuint(fwrite(copy, 1, n, file), ==, n);
        fclose(file);
        g_autoptr(package_auto) package = package_load(f->out, NULL, &error);
        g_assert_true((package == NULL) == (error != NULL));
    }
    g_rand_free(rand);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*test)(struct fixture *, gconstpointer);
    } tests[] = {{"/package/table", test_table},
                 {"/package/good", test_good},
                 {"/package/text", test_text},
                 {"/package/pack-refuses", test_pack_refuses},
                 {"/package/pack-leaves-nothing", test_pack_leaves_nothing},
                 {"/package/binary", test_binary},
                 {"/package/unsigned", test_unsigned},
                 {"/package/signature-malformed", test_signature_malformed},
                 {"/package/foreign-key", test_foreign_key},
                 {"/package/release-key", test_release_key},
                 {"/package/domain", test_domain},
                 {"/package/every-bit", test_every_bit},
                 {"/package/image-tampered", test_image_tampered},
                 {"/package/names", test_names},
                 {"/package/regions", test_regions},
                 {"/package/missing", test_missing},
                 {"/package/mutants", test_mutants}};
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].path, struct fixture, NULL, set_up, tests[i].test, tear_down);
    return g_test_run();
}
