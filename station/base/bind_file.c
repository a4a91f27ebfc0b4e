#include "station/base/bind.h"

#include "station/base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static GBytes *refuse(GError **error, const char *path, const char *what)
{
    error_set(error, ERROR_AUTHOR, "%s: %s", path, what);
    return NULL;
}

/* Reads until the end or one byte more than max, whatever fstat said: files grow while they are read. */
static GBytes *read_all(int fd, const char *path, size_t max, GError **error)
{
    g_autofree char *buffer = g_malloc(max + 1);
    size_t length = 0;
    ssize_t got = 1;
    while (got != 0 && length <= max) {
        got = read(fd, buffer + length, max + 1 - length);
        if (got < 0 && errno != EINTR)
            return refuse(error, path, g_strerror(errno));
        length += got > 0 ? (size_t)got : 0;
    }
    if (length > max) {
        error_set(error, ERROR_AUTHOR, "%s: more than %zu bytes, the most such a file may have", path, max);
        return NULL;
    }
    return g_bytes_new_take(g_realloc(g_steal_pointer(&buffer), MAX(length, 1)), length);
}

GBytes *bind_read_file(const char *path, size_t max, GError **error)
{
    struct stat st;
    /* O_NONBLOCK: opening a named pipe must not wait for its writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno == ELOOP && lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
        return refuse(
            error, path,
            "a symbolic link: what it points to may change unseen; name the file itself or copy it here");
    if (fd < 0)
        return refuse(error, path, errno == ENOENT ? "no such file" : g_strerror(errno));
    GBytes *bytes = NULL;
    if (fstat(fd, &st) != 0)
        refuse(error, path, g_strerror(errno));
    else if (S_ISDIR(st.st_mode))
        refuse(error, path, "a directory, expected a file");
    else if (!S_ISREG(st.st_mode))
        refuse(error, path, "a device, pipe or socket, expected a regular file");
    else
        bytes = read_all(fd, path, max, error);
    close(fd);
    return bytes;
}
