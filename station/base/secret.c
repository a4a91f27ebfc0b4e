#include "station/base/secret.h"

#include "station/base/error.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define SECRET_MAX 256

struct secret {
    char text[SECRET_MAX + 1];
};

struct secret *secret_from_text(const char *text)
{
    struct secret *secret = g_new0(struct secret, 1);
    /* Locking may be forbidden by RLIMIT_MEMLOCK; the secret is still wiped when freed. */
    (void)!mlock(secret, sizeof *secret);
    g_strlcpy(secret->text, text, sizeof secret->text);
    return secret;
}

struct secret *secret_from_file(const char *path, GError **error)
{
    struct stat st;
    g_autofree char *text = NULL;
    gsize length = 0;
    g_autoptr(GError) inner = NULL;
    if (stat(path, &st) == 0 && (st.st_mode & 077)) {
        error_set(error, ERROR_AUTHOR, "%s: readable by others; a secret file needs mode 0600", path);
        return NULL;
    }
    if (!g_file_get_contents(path, &text, &length, &inner)) {
        error_set(error, ERROR_AUTHOR, "secret: %s", inner->message);
        return NULL;
    }
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
        text[--length] = '\0';
    struct secret *secret = NULL;
    if (length == 0 || length > SECRET_MAX)
        error_set(error, ERROR_AUTHOR, "%s: a secret has 1 to %d characters", path, SECRET_MAX);
    else
        secret = secret_from_text(text);
    explicit_bzero(text, length);
    return secret;
}

void secret_free(struct secret *secret)
{
    if (!secret)
        return;
    explicit_bzero(secret, sizeof *secret);
    munlock(secret, sizeof *secret);
    g_free(secret);
}

const char *secret_reveal(const struct secret *secret)
{
    return secret ? secret->text : NULL;
}
