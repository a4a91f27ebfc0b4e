#include "station/base/secret.h"

#include "station/base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_MAX 256

struct secret {
    char text[SECRET_MAX + 1];
};

struct secret *secret_from_text(const char *text)
{
    struct secret *secret = g_new0(struct secret, 1);
    /* A cut password would be a wrong one, which a board counts. */
    g_assert(strlen(text) <= SECRET_MAX);
    /* Locking may be forbidden by RLIMIT_MEMLOCK; the secret is still wiped when freed. */
    (void)!mlock(secret, sizeof *secret);
    g_strlcpy(secret->text, text, sizeof secret->text);
    return secret;
}

/* Reads what fd gives into text, at most one byte more than a secret may have; -1 on an error. */
static ssize_t read_all(int fd, char text[SECRET_MAX + 3])
{
    ssize_t n = 0, got;
    while (n < SECRET_MAX + 2 && (got = read(fd, text + n, (size_t)(SECRET_MAX + 2 - n))) != 0) {
        if (got < 0)
            return -1;
        n += got;
    }
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
        n--;
    text[n] = '\0';
    return n;
}

/* The mode is that of the file that is read, not of a name that may change in between. */
struct secret *secret_from_file(const char *path, GError **error)
{
    struct stat st;
    char text[SECRET_MAX + 3];
    struct secret *secret = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = -1;
    if (fd < 0 || fstat(fd, &st) != 0)
        error_set(error, ERROR_AUTHOR, "secret %s: %s", path, g_strerror(errno));
    else if (st.st_mode & 077)
        error_set(error, ERROR_AUTHOR, "%s: readable by others; a secret file needs mode 0600", path);
    else if ((n = read_all(fd, text)) < 0)
        error_set(error, ERROR_AUTHOR, "secret %s: %s", path, g_strerror(errno));
    else if (n == 0 || n > SECRET_MAX || strlen(text) != (size_t)n)
        error_set(error, ERROR_AUTHOR, "%s: a secret is one line of 1 to %d characters", path, SECRET_MAX);
    else
        secret = secret_from_text(text);
    explicit_bzero(text, sizeof text);
    if (fd >= 0)
        close(fd);
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
