#include "firmware/trust.h"

#include "station/base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_RAW       32 /* bytes of an Ed25519 public key, RFC 8032 5.1.5 */
#define SIGNATURE_RAW 64 /* bytes of an Ed25519 signature, RFC 8032 5.1.6 */
#define KEY_ID_DIGITS 16
#define NAME_MAX_SIZE (sizeof((struct trust_signer *)NULL)->name - 1)
#define KEYS_MAX      64
#define LINE_MAX_SIZE 256
#define PEM_MAX       4096
#define ALGORITHM     "ed25519"
#define KEY_SUFFIX    ".key"
#define PUB_SUFFIX    ".pub"
#define REVOKED_LINES 1024
#define REVOKED_MAX   (REVOKED_LINES * (KEY_ID_DIGITS + 1)) /* bytes of the list */

struct trust_key {
    struct trust_signer signer;
    unsigned roles;
    uint8_t raw[KEY_RAW];
    char *file;
};

struct trust {
    char *folder;
    GPtrArray *keys; /* struct trust_key* */
    GStrv revoked;   /* key ids; NULL without a list */
};

static const struct {
    enum trust_role role;
    const char *word;
} roles[] = {{TRUST_FIRMWARE, "firmware"}, {TRUST_RELEASE, "release"}};
#define ROLES_ALL (TRUST_FIRMWARE | TRUST_RELEASE)

typedef EVP_PKEY key_auto;
typedef EVP_MD_CTX digest_auto;
typedef BIO bio_auto;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(key_auto, EVP_PKEY_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(digest_auto, EVP_MD_CTX_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(bio_auto, BIO_free_all)

void trust_sha256(const void *bytes, gsize n, char hex[65])
{
    g_autofree char *text = g_compute_checksum_for_data(G_CHECKSUM_SHA256, bytes, n);
    g_strlcpy(hex, text, 65);
}

static char *role_words(unsigned mask)
{
    GString *words = g_string_new(NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(roles); i++)
        if (mask & roles[i].role)
            g_string_append_printf(words, "%s%s", words->len ? "," : "", roles[i].word);
    return g_string_free(words, FALSE);
}

/* 0 when the word is no role. */
static unsigned role_find(const char *word)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(roles); i++)
        if (strcmp(word, roles[i].word) == 0)
            return roles[i].role;
    return 0;
}

static bool name_is_plain(const char *name)
{
    size_t n = strlen(name);
    return n >= 1 && n <= NAME_MAX_SIZE && name[0] != '.' &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == n;
}

static void key_id_of(const uint8_t raw[KEY_RAW], char key_id[KEY_ID_DIGITS + 1])
{
    char hex[65];
    trust_sha256(raw, KEY_RAW, hex);
    g_strlcpy(key_id, hex, KEY_ID_DIGITS + 1);
}

/* Strict: exactly n bytes in the one canonical spelling; GLib's decoder alone would skip foreign characters.
 */
static bool base64_read(const char *text, uint8_t *bytes, size_t n)
{
    gsize size;
    g_autofree guchar *decoded = g_base64_decode(text, &size);
    if (size != n)
        return false;
    g_autofree char *again = g_base64_encode(decoded, size);
    if (strcmp(again, text) != 0)
        return false;
    memcpy(bytes, decoded, n);
    return true;
}

/* Opens and reads a small regular file into a zero-terminated buffer; refuses modes with a bit of `forbidden`
 * on the open file itself, so that nothing is swapped between check and read. */
static bool file_read(const char *path, size_t max, mode_t forbidden, char *text, size_t *size,
                      GError **error)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return error_set(error, ERROR_AUTHOR, "%s: cannot open: %s", path, g_strerror(errno));
    bool ok = false;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        error_set(error, ERROR_AUTHOR, "%s: expected a regular file", path);
    else if (st.st_mode & forbidden)
        error_set(error, ERROR_AUTHOR,
                  "%s: mode %04o lets others read this private key; expected 0600: run chmod 600 on it, and "
                  "replace the key if others may have seen it",
                  path, st.st_mode & 07777);
    else if (st.st_size > (off_t)max)
        error_set(error, ERROR_AUTHOR, "%s: %lld bytes; expected at most %zu", path, (long long)st.st_size,
                  max);
    else {
        ssize_t n = read(fd, text, max + 1);
        ok = n >= 0 && n == st.st_size;
        if (!ok)
            error_set(error, ERROR_AUTHOR, "%s: cannot read: %s", path,
                      n < 0 ? g_strerror(errno) : "the file changes while it is read");
        *size = ok ? (size_t)n : 0;
        text[*size] = '\0';
    }
    close(fd);
    return ok;
}

/* Splits one line, ended by one newline, into exactly n words at single blanks; NULL when it is anything
 * else. */
static char **line_split(const char *text, size_t size, unsigned n)
{
    if (size < 2 || size > LINE_MAX_SIZE || strlen(text) != size || strchr(text, '\n') != text + size - 1)
        return NULL;
    g_autofree char *line = g_strndup(text, size - 1);
    char **words = g_strsplit(line, " ", (int)n + 1);
    if (g_strv_length(words) == n)
        return words;
    g_strfreev(words);
    return NULL;
}

static bool roles_read(const char *text, unsigned *mask)
{
    g_auto(GStrv) words = g_strsplit(text, ",", G_N_ELEMENTS(roles) + 1);
    *mask = 0;
    for (char **word = words; *word; word++) {
        unsigned role = role_find(*word);
        if (!role || (*mask & role))
            return false;
        *mask |= role;
    }
    return *mask != 0;
}

static void key_free(void *data)
{
    struct trust_key *key = data;
    g_free(key->file);
    g_free(key);
}

static bool key_read(const char *path, struct trust_key *key, GError **error)
{
    char text[LINE_MAX_SIZE + 2];
    size_t size;
    if (!file_read(path, LINE_MAX_SIZE, 0, text, &size, error))
        return false;
    g_auto(GStrv) words = line_split(text, size, 4);
    if (!words)
        return error_set(error, ERROR_AUTHOR,
                         "%s:1: expected one line \"" ALGORITHM " ROLE[,ROLE] NAME BASE64\" with single "
                         "blanks and a newline at its end",
                         path);
    if (strcmp(words[0], ALGORITHM) != 0)
        return error_set(error, ERROR_AUTHOR, "%s:1: algorithm \"%s\"; expected " ALGORITHM, path, words[0]);
    if (!roles_read(words[1], &key->roles))
        return error_set(error, ERROR_AUTHOR,
                         "%s:1: roles \"%s\"; expected firmware, release or firmware,release", path,
                         words[1]);
    if (!name_is_plain(words[2]))
        return error_set(error, ERROR_AUTHOR,
                         "%s:1: name \"%s\"; expected 1 to %zu letters, digits, '.', '_' or '-'", path,
                         words[2], NAME_MAX_SIZE);
    if (!base64_read(words[3], key->raw, KEY_RAW))
        return error_set(error, ERROR_AUTHOR,
                         "%s:1: key \"%s\"; expected %d bytes as 44 characters of base64: copy the file "
                         "again from where the key was made",
                         path, words[3], KEY_RAW);
    g_strlcpy(key->signer.name, words[2], sizeof key->signer.name);
    key_id_of(key->raw, key->signer.key_id);
    return true;
}

static const struct trust_key *key_find(const struct trust *trust, const char *key_id)
{
    for (unsigned i = 0; i < trust->keys->len; i++) {
        const struct trust_key *key = g_ptr_array_index(trust->keys, i);
        if (strcmp(key->signer.key_id, key_id) == 0)
            return key;
    }
    return NULL;
}

static bool key_load(struct trust *trust, const char *file, GError **error)
{
    g_autofree char *path = g_build_filename(trust->folder, file, NULL);
    struct trust_key *key = g_new0(struct trust_key, 1);
    if (!key_read(path, key, error)) {
        key_free(key);
        return false;
    }
    const struct trust_key *same = key_find(trust, key->signer.key_id);
    if (same)
        error_set(error, ERROR_AUTHOR, "%s:1: the same key as in %s; expected one file for each key", path,
                  same->file);
    key->file = g_strdup(file);
    g_ptr_array_add(trust->keys, key);
    return !same;
}

static int name_compare(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static GPtrArray *folder_list(const char *folder, GError **error)
{
    g_autoptr(GError) inner = NULL;
    GDir *dir = g_dir_open(folder, 0, &inner);
    if (!dir) {
        error_set(error, ERROR_AUTHOR, "trusted keys: %s; expected a folder with *" PUB_SUFFIX " files",
                  inner->message);
        return NULL;
    }
    GPtrArray *files = g_ptr_array_new_with_free_func(g_free);
    const char *file;
    while (files->len <= KEYS_MAX && (file = g_dir_read_name(dir)))
        if (g_str_has_suffix(file, PUB_SUFFIX))
            g_ptr_array_add(files, g_strdup(file));
    g_dir_close(dir);
    g_ptr_array_sort(files, name_compare);
    return files;
}

static bool key_id_is_plain(const char *key_id)
{
    return strlen(key_id) == KEY_ID_DIGITS && strspn(key_id, "0123456789abcdef") == KEY_ID_DIGITS;
}

/* Only a list that is not there at all revokes nothing: one that cannot be read must not let a key through.
 */
static bool revoked_load(struct trust *trust, GError **error)
{
    g_autofree char *path = g_build_filename(trust->folder, TRUST_REVOKED, NULL);
    struct stat st;
    if (lstat(path, &st) != 0 && errno == ENOENT)
        return true;
    g_autofree char *text = g_malloc(REVOKED_MAX + 2);
    size_t size;
    if (!file_read(path, REVOKED_MAX, 0, text, &size, error))
        return false;
    if (strlen(text) != size || (size > 0 && text[size - 1] != '\n'))
        return error_set(error, ERROR_AUTHOR,
                         "%s: expected lines of text with a newline at the last one's end", path);
    if (size > 0)
        text[size - 1] = '\0';
    trust->revoked = g_strsplit(text, "\n", -1);
    for (unsigned i = 0; trust->revoked[i]; i++)
        if (!key_id_is_plain(trust->revoked[i]))
            return error_set(
                error, ERROR_AUTHOR,
                "%s:%u: \"%s\"; expected a key id of %d lower-case hexadecimal digits and nothing "
                "else on the line",
                path, i + 1, trust->revoked[i], KEY_ID_DIGITS);
    return true;
}

struct trust *trust_load(const char *folder, GError **error)
{
    g_autoptr(GPtrArray) files = folder_list(folder, error);
    if (!files)
        return NULL;
    if (files->len > KEYS_MAX) {
        error_set(error, ERROR_AUTHOR, "%s: more than %d keys; expected at most that many", folder, KEYS_MAX);
        return NULL;
    }
    struct trust *trust = g_new0(struct trust, 1);
    trust->folder = g_strdup(folder);
    trust->keys = g_ptr_array_new_with_free_func(key_free);
    bool ok = revoked_load(trust, error);
    for (unsigned i = 0; ok && i < files->len; i++)
        ok = key_load(trust, g_ptr_array_index(files, i), error);
    if (ok)
        return trust;
    trust_free(trust);
    return NULL;
}

void trust_free(struct trust *trust)
{
    if (!trust)
        return;
    g_ptr_array_unref(trust->keys);
    g_strfreev(trust->revoked);
    g_free(trust->folder);
    g_free(trust);
}

/* domain || 0x00 || bytes: the zero keeps a domain from being another domain's beginning. */
static GByteArray *message_make(const char *domain, GBytes *bytes, GError **error)
{
    gsize n;
    const void *data = g_bytes_get_data(bytes, &n);
    if (n > TRUST_SIGNED_MAX) {
        error_set(error, ERROR_AUTHOR, "%zu bytes to sign; expected at most %d", (size_t)n, TRUST_SIGNED_MAX);
        return NULL;
    }
    GByteArray *message = g_byte_array_sized_new((guint)(strlen(domain) + 1 + n));
    g_byte_array_append(message, (const guint8 *)domain, (guint)strlen(domain) + 1);
    if (n > 0)
        g_byte_array_append(message, data, (guint)n);
    return message;
}

struct signature {
    char key_id[KEY_ID_DIGITS + 1];
    uint8_t raw[SIGNATURE_RAW];
};

static bool signature_read(const char *text, struct signature *signature, GError **error)
{
    g_auto(GStrv) words = line_split(text, strnlen(text, LINE_MAX_SIZE + 1), 3);
    if (!words)
        return error_set(error, ERROR_AUTHOR,
                         "signature: expected one line \"" ALGORITHM " KEYID BASE64\" with single blanks and "
                         "a newline at its end: sign the file again");
    if (strcmp(words[0], ALGORITHM) != 0)
        return error_set(error, ERROR_AUTHOR, "signature: algorithm \"%s\"; expected " ALGORITHM, words[0]);
    if (!key_id_is_plain(words[1]))
        return error_set(error, ERROR_AUTHOR,
                         "signature: key id \"%s\"; expected %d lower-case hexadecimal digits", words[1],
                         KEY_ID_DIGITS);
    if (!base64_read(words[2], signature->raw, SIGNATURE_RAW))
        return error_set(error, ERROR_AUTHOR,
                         "signature: expected %d bytes as 88 characters of base64: sign the file again",
                         SIGNATURE_RAW);
    g_strlcpy(signature->key_id, words[1], sizeof signature->key_id);
    return true;
}

static bool signature_matches(const uint8_t key[KEY_RAW], const uint8_t signature[SIGNATURE_RAW],
                              const GByteArray *message)
{
    g_autoptr(key_auto) pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, KEY_RAW);
    g_autoptr(digest_auto) context = EVP_MD_CTX_new();
    /* 0 means wrong and negative means broken: only 1 is a match. */
    bool ok = pkey && context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, pkey) == 1 &&
              EVP_DigestVerify(context, signature, SIGNATURE_RAW, message->data, message->len) == 1;
    ERR_clear_error();
    return ok;
}

bool trust_verify(const struct trust *trust, enum trust_role role, const char *domain, GBytes *bytes,
                  const char *signature, struct trust_signer *signer, GError **error)
{
    struct signature read;
    if (!signature_read(signature, &read, error))
        return false;
    if (trust->revoked && g_strv_contains((const char *const *)trust->revoked, read.key_id))
        return error_set(error, ERROR_TRUST,
                         "signed with key %s, which %s/" TRUST_REVOKED
                         " lists as revoked: have it signed again by a key that is still trusted",
                         read.key_id, trust->folder);
    if (trust->keys->len == 0)
        return error_set(error, ERROR_TRUST,
                         "%s holds no trusted key; expected the *" PUB_SUFFIX " file of key %s there",
                         trust->folder, read.key_id);
    const struct trust_key *key = key_find(trust, read.key_id);
    if (!key)
        return error_set(error, ERROR_TRUST,
                         "signed with the unknown key %s; expected one of the %u keys in %s: have it signed "
                         "by a trusted key, or let quality add this key",
                         read.key_id, trust->keys->len, trust->folder);
    g_autofree char *has = role_words(key->roles), *needs = role_words(role);
    if (role == 0 || (key->roles & role) != (unsigned)role)
        return error_set(error, ERROR_TRUST,
                         "signed with key %s (%s), which is trusted for %s only; expected a key for %s",
                         read.key_id, key->signer.name, has, needs);
    g_autoptr(GByteArray) message = message_make(domain, bytes, error);
    if (!message)
        return false;
    if (!signature_matches(key->raw, read.raw, message))
        return error_set(error, ERROR_TRUST,
                         "the signature of key %s (%s) does not fit these bytes: the file was changed after "
                         "signing, or it is the signature of another file; fetch both again",
                         read.key_id, key->signer.name);
    if (signer)
        *signer = key->signer;
    return true;
}

/* A key with a pass phrase would make OpenSSL ask on the terminal of whoever runs the station. */
static int no_pass_phrase(char *buffer, int size, int writing, void *context)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

static EVP_PKEY *private_key_load(const char *path, GError **error)
{
    char pem[PEM_MAX + 2];
    size_t size;
    if (!file_read(path, PEM_MAX, 0077, pem, &size, error))
        return NULL;
    g_autoptr(bio_auto) bio = BIO_new_mem_buf(pem, (int)size);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, NULL) : NULL;
    explicit_bzero(pem, sizeof pem);
    ERR_clear_error();
    if (key && EVP_PKEY_get_id(key) == EVP_PKEY_ED25519)
        return key;
    EVP_PKEY_free(key);
    error_set(error, ERROR_AUTHOR,
              "%s: expected an Ed25519 private key as PEM (PKCS#8) without pass phrase: make one with "
              "openssl genpkey -algorithm ed25519",
              path);
    return NULL;
}

static bool public_raw(const EVP_PKEY *key, uint8_t raw[KEY_RAW])
{
    size_t n = KEY_RAW;
    return EVP_PKEY_get_raw_public_key(key, raw, &n) == 1 && n == KEY_RAW;
}

char *trust_sign(const char *private_key_path, const char *domain, GBytes *bytes, GError **error)
{
    g_autoptr(key_auto) key = private_key_load(private_key_path, error);
    g_autoptr(GByteArray) message = key ? message_make(domain, bytes, error) : NULL;
    if (!message)
        return NULL;
    uint8_t raw[KEY_RAW], signature[SIGNATURE_RAW];
    size_t n = sizeof signature;
    g_autoptr(digest_auto) context = EVP_MD_CTX_new();
    bool ok = context && public_raw(key, raw) && EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1 &&
              EVP_DigestSign(context, signature, &n, message->data, message->len) == 1 &&
              n == sizeof signature && signature_matches(raw, signature, message);
    ERR_clear_error();
    if (!ok) {
        error_set(error, ERROR_INTERNAL, "%s: OpenSSL could not sign with this key", private_key_path);
        return NULL;
    }
    char key_id[KEY_ID_DIGITS + 1];
    key_id_of(raw, key_id);
    g_autofree char *base64 = g_base64_encode(signature, sizeof signature);
    return g_strdup_printf(ALGORITHM " %s %s\n", key_id, base64);
}

static bool file_create(const char *path, mode_t mode, const char *text, size_t size, GError **error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return error_set(error, ERROR_AUTHOR, "%s: cannot make: %s%s", path, g_strerror(errno),
                         errno == EEXIST ? "; keys are never overwritten: choose another name" : "");
    bool ok = fchmod(fd, mode) == 0 && write(fd, text, size) == (ssize_t)size && fsync(fd) == 0;
    if (!ok)
        error_set(error, ERROR_STORAGE, "%s: cannot write: %s", path, g_strerror(errno));
    ok = close(fd) == 0 && ok;
    if (!ok)
        unlink(path);
    return ok;
}

static bool private_key_write(const EVP_PKEY *key, const char *path, GError **error)
{
    g_autoptr(bio_auto) bio = BIO_new(BIO_s_secmem());
    char *pem;
    long size = 0;
    if (bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1)
        size = BIO_get_mem_data(bio, &pem);
    ERR_clear_error();
    if (size <= 0)
        return error_set(error, ERROR_INTERNAL, "%s: OpenSSL could not write the key", path);
    return file_create(path, 0600, pem, (size_t)size, error);
}

bool trust_generate(const char *folder, const char *name, unsigned mask, GError **error)
{
    if (!name_is_plain(name))
        return error_set(error, ERROR_USAGE,
                         "key name \"%s\"; expected 1 to %zu letters, digits, '.', '_' or '-'", name,
                         NAME_MAX_SIZE);
    if (mask == 0 || (mask & ~(unsigned)ROLES_ALL))
        return error_set(error, ERROR_USAGE, "key %s: expected a role: firmware, release or both", name);
    g_autoptr(key_auto) key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    uint8_t raw[KEY_RAW];
    if (!key || !public_raw(key, raw))
        return error_set(error, ERROR_INTERNAL, "key %s: OpenSSL could not make a key", name);
    g_autofree char *words = role_words(mask), *base64 = g_base64_encode(raw, KEY_RAW);
    g_autofree char *line = g_strdup_printf(ALGORITHM " %s %s %s\n", words, name, base64);
    g_autofree char *stem = g_build_filename(folder, name, NULL);
    g_autofree char *private_path = g_strconcat(stem, KEY_SUFFIX, NULL);
    g_autofree char *public_path = g_strconcat(stem, PUB_SUFFIX, NULL);
    if (!private_key_write(key, private_path, error))
        return false;
    if (file_create(public_path, 0644, line, strlen(line), error))
        return true;
    unlink(private_path); /* made a moment ago, and useless without its public half */
    return false;
}
