/* Keys and signatures: what OpenSSL's own command made, and everything that must be refused. */
#include "firmware/trust.h"
#include "station/base/error.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#define DOMAIN "packline/manifest/v1"

/* RFC 8032 section 7.1, test 1. */
static const char rfc_key[] = "-----BEGIN PRIVATE KEY-----\n"
                              "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
                              "-----END PRIVATE KEY-----\n";
#define RFC_PUBLIC "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
#define RFC_ID     "21fe31dfa154a261"
/* printf 'packline/manifest/v1\0hello' > m; openssl pkeyutl -sign -rawin -inkey KEY -in m | base64 */
#define RFC_SIGNATURE                                                                                        \
    "/ROjAK/JnOjSYnQQbRhrqKhWoZOE/hiUn2MX2xvqr/1hMF9RrJZ9xjLUip9UqYS5x9vEStXggzK5rrNM+4snAw=="
#define RFC_LINE "ed25519 " RFC_ID " " RFC_SIGNATURE "\n"

struct fixture {
    char *folder, *key;
    GBytes *hello;
};

static void put(const struct fixture *f, const char *file, const char *text, int mode)
{
    g_autofree char *path = g_build_filename(f->folder, file, NULL);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    g_assert_cmpint(g_chmod(path, mode), ==, 0);
}

static void set_up(struct fixture *f, gconstpointer data)
{
    (void)data;
    f->folder = g_dir_make_tmp("packline-trust-XXXXXX", NULL);
    f->key = g_build_filename(f->folder, "rfc.key", NULL);
    f->hello = g_bytes_new_static("hello", 5);
    put(f, "rfc.key", rfc_key, 0600);
    put(f, "rfc.pub", "ed25519 firmware rfc " RFC_PUBLIC "\n", 0644);
}

static void tear_down(struct fixture *f, gconstpointer data)
{
    (void)data;
    GDir *dir = g_dir_open(f->folder, 0, NULL);
    const char *file;
    while ((file = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(f->folder, file, NULL);
        g_unlink(path);
    }
    g_dir_close(dir);
    g_rmdir(f->folder);
    g_free(f->folder);
    g_free(f->key);
    g_bytes_unref(f->hello);
}

static void check_refused(const struct fixture *f, enum trust_role role, const char *domain, GBytes *bytes,
                          const char *signature, enum error_kind kind, const char *part)
{
    g_autoptr(GError) error = NULL;
    struct trust_signer signer = {.name = "untouched"};
    struct trust *trust = trust_load(f->folder, &error);
    g_assert_no_error(error);
    g_assert_false(trust_verify(trust, role, domain, bytes, signature, &signer, &error));
    g_assert_error(error, PACK_ERROR, (int)kind);
    if (!strstr(error->message, part))
        g_assert_cmpstr(error->message, ==, part);
    g_assert_cmpstr(signer.name, ==, "untouched");
    trust_free(trust);
}

static void test_golden(struct fixture *f, gconstpointer data)
{
    (void)data;
    struct trust_signer signer;
    g_autoptr(GError) error = NULL;
    g_autofree char *line = trust_sign(f->key, DOMAIN, f->hello, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(line, ==, RFC_LINE);
    struct trust *trust = trust_load(f->folder, &error);
    g_assert_no_error(error);
    g_assert_true(trust_verify(trust, TRUST_FIRMWARE, DOMAIN, f->hello, RFC_LINE, &signer, &error));
    g_assert_no_error(error);
    g_assert_cmpstr(signer.key_id, ==, RFC_ID);
    g_assert_cmpstr(signer.name, ==, "rfc");
    trust_free(trust);
}

static void test_every_bit(struct fixture *f, gconstpointer data)
{
    (void)data;
    gsize n;
    g_autofree guchar *raw = g_base64_decode(RFC_SIGNATURE, &n);
    struct trust *trust = trust_load(f->folder, NULL);
    g_assert_cmpuint(n, ==, 64);
    for (unsigned bit = 0; bit < 8 * n; bit++) {
        g_autoptr(GError) error = NULL;
        raw[bit / 8] ^= (guchar)(1 << bit % 8);
        g_autofree char *base64 = g_base64_encode(raw, n);
        g_autofree char *line = g_strdup_printf("ed25519 " RFC_ID " %s\n", base64);
        g_assert_false(trust_verify(trust, TRUST_FIRMWARE, DOMAIN, f->hello, line, NULL, &error));
        g_assert_error(error, PACK_ERROR, ERROR_TRUST);
        raw[bit / 8] ^= (guchar)(1 << bit % 8);
    }
    guchar message[] = "hello";
    for (unsigned bit = 0; bit < 40; bit++) {
        g_autoptr(GError) error = NULL;
        message[bit / 8] ^= (guchar)(1 << bit % 8);
        g_autoptr(GBytes) bytes = g_bytes_new(message, 5);
        g_assert_false(trust_verify(trust, TRUST_FIRMWARE, DOMAIN, bytes, RFC_LINE, NULL, &error));
        g_assert_error(error, PACK_ERROR, ERROR_TRUST);
        message[bit / 8] ^= (guchar)(1 << bit % 8);
    }
    trust_free(trust);
}

static void test_domain(struct fixture *f, gconstpointer data)
{
    (void)data;
    static const char *const domains[] = {"packline/release/v1", "packline/manifest/v", "",
                                          "packline/manifest/v1x"};
    for (unsigned i = 0; i < G_N_ELEMENTS(domains); i++)
        check_refused(f, TRUST_FIRMWARE, domains[i], f->hello, RFC_LINE, ERROR_TRUST,
                      "does not fit these bytes");
    /* Bytes moved from the message into the domain. */
    g_autoptr(GBytes) ello = g_bytes_new_static("ello", 4);
    check_refused(f, TRUST_FIRMWARE, DOMAIN "h", ello, RFC_LINE, ERROR_TRUST, "does not fit these bytes");
}

static void test_role(struct fixture *f, gconstpointer data)
{
    (void)data;
    check_refused(f, TRUST_RELEASE, DOMAIN, f->hello, RFC_LINE, ERROR_TRUST,
                  "trusted for firmware only; expected a key for release");
    put(f, "rfc.pub", "ed25519 release rfc " RFC_PUBLIC "\n", 0644);
    check_refused(f, TRUST_FIRMWARE, DOMAIN, f->hello, RFC_LINE, ERROR_TRUST, "trusted for release only");
    put(f, "rfc.pub", "ed25519 release,firmware rfc " RFC_PUBLIC "\n", 0644);
    struct trust *trust = trust_load(f->folder, NULL);
    g_assert_true(trust_verify(trust, TRUST_FIRMWARE, DOMAIN, f->hello, RFC_LINE, NULL, NULL));
    g_assert_true(trust_verify(trust, TRUST_RELEASE, DOMAIN, f->hello, RFC_LINE, NULL, NULL));
    trust_free(trust);
}

static void test_foreign(struct fixture *f, gconstpointer data)
{
    (void)data;
    g_autofree char *path = g_build_filename(f->folder, "other.key", NULL);
    g_autofree char *pub = g_build_filename(f->folder, "other.pub", NULL);
    g_assert_true(trust_generate(f->folder, "other", TRUST_FIRMWARE, NULL));
    g_autofree char *line = trust_sign(path, DOMAIN, f->hello, NULL);
    g_assert_nonnull(line);
    struct trust *trust = trust_load(f->folder, NULL);
    struct trust_signer signer;
    g_assert_true(trust_verify(trust, TRUST_FIRMWARE, DOMAIN, f->hello, line, &signer, NULL));
    g_assert_cmpstr(signer.name, ==, "other");
    trust_free(trust);
    g_unlink(pub);
    check_refused(f, TRUST_FIRMWARE, DOMAIN, f->hello, line, ERROR_TRUST, "unknown key");
    /* The foreign signature under the trusted key's id. */
    g_autofree char *posing = g_strconcat("ed25519 " RFC_ID, line + strlen("ed25519 " RFC_ID), NULL);
    check_refused(f, TRUST_FIRMWARE, DOMAIN, f->hello, posing, ERROR_TRUST, "does not fit these bytes");
    g_autofree char *rfc_pub = g_build_filename(f->folder, "rfc.pub", NULL);
    g_unlink(rfc_pub);
    check_refused(f, TRUST_FIRMWARE, DOMAIN, f->hello, RFC_LINE, ERROR_TRUST, "holds no trusted key");
}

static void test_malformed(struct fixture *f, gconstpointer data)
{
    (void)data;
    static const struct {
        const char *line, *part;
    } bad[] = {
        {"", "expected one line"},
        {"\n", "expected one line"},
        {"ed25519 " RFC_ID " " RFC_SIGNATURE, "expected one line"},
        {"ed25519 " RFC_ID " " RFC_SIGNATURE "\n\n", "expected one line"},
        {"ed25519 " RFC_ID " " RFC_SIGNATURE "\nmore", "expected one line"},
        {"ed25519 " RFC_ID " " RFC_SIGNATURE " x\n", "expected one line"},
        {"ed25519  " RFC_ID " " RFC_SIGNATURE "\n", "expected one line"},
        {" ed25519 " RFC_ID " " RFC_SIGNATURE "\n", "expected one line"},
        {"ed25519 " RFC_ID "\n", "expected one line"},
        {"ed25519 " RFC_ID " " RFC_SIGNATURE RFC_SIGNATURE RFC_SIGNATURE "\n", "expected one line"},
        {"ED25519 " RFC_ID " " RFC_SIGNATURE "\n", "algorithm \"ED25519\""},
        {"rsa " RFC_ID " " RFC_SIGNATURE "\n", "algorithm \"rsa\""},
        {"ed25519 21FE31DFA154A261 " RFC_SIGNATURE "\n", "key id"},
        {"ed25519 21fe31dfa154a26 " RFC_SIGNATURE "\n", "key id"},
        {"ed25519 " RFC_ID " " RFC_SIGNATURE "\r\n", "base64"},
        {"ed25519 " RFC_ID " " RFC_PUBLIC "\n", "base64"},
        {"ed25519 " RFC_ID " !" RFC_SIGNATURE "\n", "base64"},
        {"ed25519 " RFC_ID " =" RFC_SIGNATURE "\n", "base64"},
        /* The same 64 bytes, spelt with stray bits after them. */
        {"ed25519 " RFC_ID " /ROjAK/JnOjSYnQQbRhrqKhWoZOE/hiUn2MX2xvqr/1hMF9RrJZ9xjLUip9UqYS5x9vEStXggzK5rrNM"
         "+4snAx==\n",
         "base64"},
        {"ed25519 " RFC_ID " /ROjAK/JnOjSYnQQbRhrqKhWoZOE/hiUn2MX2xvqr/1hMF9RrJZ9xjLUip9UqYS5x9vEStXggzK5rrNM"
         "+4snAw\n",
         "base64"},
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
        check_refused(f, TRUST_FIRMWARE, DOMAIN, f->hello, bad[i].line, ERROR_AUTHOR, bad[i].part);
}

static void check_load_refused(const struct fixture *f, const char *part)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(trust_load(f->folder, &error));
    g_assert_error(error, PACK_ERROR, ERROR_AUTHOR);
    if (!strstr(error->message, part))
        g_assert_cmpstr(error->message, ==, part);
}

static void test_keys_malformed(struct fixture *f, gconstpointer data)
{
    (void)data;
    g_autofree char *huge = g_strnfill(1000, 'A');
    const struct {
        const char *line, *part;
    } bad[] = {
        {"", "rfc.pub:1: expected one line"},
        {"ed25519 firmware rfc " RFC_PUBLIC, "rfc.pub:1: expected one line"},
        {"ed25519 firmware my key " RFC_PUBLIC "\n", "rfc.pub:1: expected one line"},
        {"rsa firmware rfc " RFC_PUBLIC "\n", "rfc.pub:1: algorithm \"rsa\""},
        {"ed25519 boss rfc " RFC_PUBLIC "\n", "rfc.pub:1: roles \"boss\""},
        {"ed25519 firmware,boss rfc " RFC_PUBLIC "\n", "rfc.pub:1: roles"},
        {"ed25519 firmware, rfc " RFC_PUBLIC "\n", "rfc.pub:1: roles"},
        {"ed25519 firmware,firmware rfc " RFC_PUBLIC "\n", "rfc.pub:1: roles"},
        {"ed25519 firmware r/c " RFC_PUBLIC "\n", "rfc.pub:1: name \"r/c\""},
        {"ed25519 firmware rfc " RFC_SIGNATURE "\n", "rfc.pub:1: key"},
        {"ed25519 firmware rfc 11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURp=\n", "rfc.pub:1: key"},
        {huge, "rfc.pub: 1000 bytes; expected at most"},
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        put(f, "rfc.pub", bad[i].line, 0644);
        check_load_refused(f, bad[i].part);
    }
    put(f, "rfc.pub", "ed25519 firmware rfc " RFC_PUBLIC "\n", 0644);
    put(f, "twin.pub", "ed25519 release twin " RFC_PUBLIC "\n", 0644);
    check_load_refused(f, "twin.pub:1: the same key as in rfc.pub");
}

static void test_folder(struct fixture *f, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    g_autofree char *none = g_build_filename(f->folder, "none", NULL);
    g_assert_null(trust_load(none, &error));
    g_assert_error(error, PACK_ERROR, ERROR_AUTHOR);
    g_autofree char *pub = g_build_filename(f->folder, "sub.pub", NULL);
    g_assert_cmpint(g_mkdir(pub, 0700), ==, 0);
    check_load_refused(f, "sub.pub: expected a regular file");
    g_rmdir(pub);
    for (unsigned i = 0; i < 65; i++) {
        g_autofree char *file = g_strdup_printf("many-%u.pub", i);
        put(f, file, "x\n", 0644);
    }
    check_load_refused(f, "more than 64 keys");
}

static void check_sign_refused(const struct fixture *f, const char *part)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(trust_sign(f->key, DOMAIN, f->hello, &error));
    g_assert_error(error, PACK_ERROR, ERROR_AUTHOR);
    if (!strstr(error->message, part))
        g_assert_cmpstr(error->message, ==, part);
}

static void test_private_key(struct fixture *f, gconstpointer data)
{
    (void)data;
    /* openssl genpkey -algorithm ed25519 | openssl pkcs8 -topk8 -passout pass:secret: must not ask anybody */
    static const char locked[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                                 "MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhi8Ydq+lkX6wICCAAw\n"
                                 "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEJZzKP3hJ1ejZ6/Ots58LlUEQJvj\n"
                                 "dAP+Xe+rYPuUx8Gw2+Fci2cKarvgsQ2qWqTNU+kV6zF1IxcZ2k7ROKywzTIrITYP\n"
                                 "gfHS8KTeegOpeJNH0vE=\n"
                                 "-----END ENCRYPTED PRIVATE KEY-----\n";
    static const int modes[] = {0644, 0640, 0604, 0610, 0601};
    for (unsigned i = 0; i < G_N_ELEMENTS(modes); i++) {
        put(f, "rfc.key", rfc_key, modes[i]);
        check_sign_refused(f, "expected 0600: run chmod 600");
    }
    put(f, "rfc.key", "rubbish", 0600);
    check_sign_refused(f, "expected an Ed25519 private key");
    put(f, "rfc.key", locked, 0600);
    check_sign_refused(f, "expected an Ed25519 private key");
    g_autofree char *long_text = g_strnfill(5000, 'A');
    put(f, "rfc.key", long_text, 0600);
    check_sign_refused(f, "5000 bytes; expected at most 4096");
    g_unlink(f->key);
    check_sign_refused(f, "cannot open");
    put(f, "rfc.key", rfc_key, 0400);
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) huge = g_bytes_new_take(g_malloc0(TRUST_SIGNED_MAX + 1), TRUST_SIGNED_MAX + 1);
    g_autofree char *line = trust_sign(f->key, DOMAIN, f->hello, NULL);
    g_assert_cmpstr(line, ==, RFC_LINE);
    g_assert_null(trust_sign(f->key, DOMAIN, huge, &error));
    g_assert_error(error, PACK_ERROR, ERROR_AUTHOR);
}

static void test_generate(struct fixture *f, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    GStatBuf st;
    g_autofree char *key = g_build_filename(f->folder, "line-1.key", NULL);
    g_autofree char *text = NULL, *again = NULL, *pub = g_build_filename(f->folder, "line-1.pub", NULL);
    g_assert_true(trust_generate(f->folder, "line-1", TRUST_FIRMWARE | TRUST_RELEASE, &error));
    g_assert_cmpint(g_stat(key, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 07777, ==, 0600);
    g_assert_true(g_file_get_contents(pub, &text, NULL, NULL));
    g_assert_true(g_str_has_prefix(text, "ed25519 firmware,release line-1 "));
    g_assert_false(trust_generate(f->folder, "line-1", TRUST_RELEASE, &error));
    g_assert_error(error, PACK_ERROR, ERROR_AUTHOR);
    g_assert_nonnull(strstr(error->message, "never overwritten"));
    g_clear_error(&error);
    /* The public half alone is kept too, and no private half is left behind. */
    g_unlink(key);
    g_assert_false(trust_generate(f->folder, "line-1", TRUST_RELEASE, &error));
    g_clear_error(&error);
    g_assert_false(g_file_test(key, G_FILE_TEST_EXISTS));
    g_assert_true(g_file_get_contents(pub, &again, NULL, NULL));
    g_assert_cmpstr(text, ==, again);
    static const char *const names[] = {"", ".hidden", "a b", "../up", "a\nb"};
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        g_assert_false(trust_generate(f->folder, names[i], TRUST_RELEASE, &error));
        g_assert_error(error, PACK_ERROR, ERROR_USAGE);
        g_clear_error(&error);
    }
    g_assert_false(trust_generate(f->folder, "x", 0, &error));
    g_clear_error(&error);
    g_assert_false(trust_generate(f->folder, "x", 4, &error));
    g_assert_error(error, PACK_ERROR, ERROR_USAGE);
}

/* Random damage to the line of the signature: only the untouched line passes. */
static void test_mutants(struct fixture *f, gconstpointer data)
{
    (void)data;
    GRand *rand = g_rand_new_with_seed(8032);
    struct trust *trust = trust_load(f->folder, NULL);
    for (unsigned i = 0; i < 2000; i++) {
        g_autofree char *line = g_strdup(RFC_LINE);
        g_autoptr(GError) error = NULL;
        for (int n = g_rand_int_range(rand, 1, 4); n > 0; n--)
            line[g_rand_int_range(rand, 0, sizeof RFC_LINE - 1)] = (char)g_rand_int(rand);
        bool same = strcmp(line, RFC_LINE) == 0;
        g_assert_true(trust_verify(trust, TRUST_FIRMWARE, DOMAIN, f->hello, line, NULL, &error) == same);
        g_assert_true(same == (error == NULL));
    }
    trust_free(trust);
    g_rand_free(rand);
}

static void test_sha256(struct fixture *f, gconstpointer data)
{
    (void)f;
    (void)data;
    char hex[65];
    trust_sha256("abc", 3, hex); /* FIPS 180-4 example */
    g_assert_cmpstr(hex, ==, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    trust_sha256(NULL, 0, hex);
    g_assert_cmpstr(hex, ==, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

int main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*test)(struct fixture *, gconstpointer);
    } tests[] = {{"/trust/golden", test_golden},
                 {"/trust/every-bit", test_every_bit},
                 {"/trust/domain", test_domain},
                 {"/trust/role", test_role},
                 {"/trust/foreign", test_foreign},
                 {"/trust/malformed", test_malformed},
                 {"/trust/keys-malformed", test_keys_malformed},
                 {"/trust/folder", test_folder},
                 {"/trust/private-key", test_private_key},
                 {"/trust/generate", test_generate},
                 {"/trust/mutants", test_mutants},
                 {"/trust/sha256", test_sha256}};
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].path, struct fixture, NULL, set_up, tests[i].test, tear_down);
    return g_test_run();
}
