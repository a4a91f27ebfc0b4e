#include "labels/printer.h"

#include "station/base/error.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT_MS 3000
#define WRITE_MS   10000

static bool write_file(const char *folder, const char *name, const char *ending, GBytes *bytes,
                       GError **error)
{
    g_autofree char *path = g_strdup_printf("%s/%s.%s", folder, name, ending);
    g_autoptr(GError) inner = NULL;
    gsize n;
    const char *data = g_bytes_get_data(bytes, &n);
    return g_file_set_contents_full(path, data, (gssize)n,
                                    G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0644,
                                    &inner) ||
           error_set(error, ERROR_PRINTER, "%s", inner->message);
}

/* The name becomes a file name: nothing in it may lead elsewhere. */
static bool is_plain_name(const char *name)
{
    return name[0] && name[0] != '.' && !strchr(name, '/');
}

static enum printer_outcome send_file(const char *folder, const struct printer_job *job, GError **error)
{
    if (!is_plain_name(job->name)) {
        error_set(error, ERROR_PRINTER, "'%s' cannot be a file name", job->name);
        return PRINTER_NOT_SENT;
    }
    if (g_mkdir_with_parents(folder, 0755) != 0) {
        error_set(error, ERROR_PRINTER, "%s: %s", folder, g_strerror(errno));
        return PRINTER_NOT_SENT;
    }
    return write_file(folder, job->name, "png", job->png, error) &&
                   write_file(folder, job->name, "pdf", job->pdf, error) &&
                   write_file(folder, job->name, "zpl", job->zpl, error)
               ? PRINTER_DONE
               : PRINTER_NOT_SENT;
}

static bool wait_writable(int fd, struct tick *tick, int64_t deadline_us)
{
    int64_t left = (deadline_us - tick_now(tick)) / 1000;
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    return left > 0 && poll(&ready, 1, (int)left) > 0 && !(ready.revents & (POLLERR | POLLHUP));
}

static int connect_printer(const char *where, struct tick *tick, GError **error)
{
    const char *colon = strrchr(where, ':');
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    g_autofree char *host = colon ? g_strndup(where, (gsize)(colon - where)) : NULL;
    int failed = colon ? getaddrinfo(host, colon + 1, &hints, &found) : EAI_NONAME, failure = 0;
    if (failed) {
        error_set(error, ERROR_PRINTER, "printer %s: %s", where, gai_strerror(failed));
        return -1;
    }
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (connect(fd, found->ai_addr, found->ai_addrlen) != 0)
        failure = errno;
    if (failure == EINPROGRESS) {
        socklen_t size = sizeof failure;
        failure = wait_writable(fd, tick, tick_deadline_ms(tick, CONNECT_MS)) ? 0 : ETIMEDOUT;
        int pending = 0;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &pending, &size) == 0 && pending)
            failure = pending;
    }
    freeaddrinfo(found);
    if (failure == 0)
        return fd;
    close(fd);
    error_set(error, ERROR_PRINTER, "printer %s: %s; nothing was sent", where, g_strerror(failure));
    return -1;
}

static enum printer_outcome send_tcp(const char *where, const struct printer_job *job, GError **error)
{
    gsize n, done = 0;
    const char *data = g_bytes_get_data(job->zpl, &n);
    int fd = connect_printer(where, job->tick, error);
    int64_t deadline = tick_deadline_ms(job->tick, WRITE_MS);
    if (fd < 0)
        return PRINTER_NOT_SENT;
    while (done < n) {
        ssize_t sent = send(fd, data + done, n - done, MSG_NOSIGNAL);
        if (sent > 0)
            done += (gsize)sent;
        else if ((errno != EAGAIN && errno != EINTR) || !wait_writable(fd, job->tick, deadline))
            break;
    }
    close(fd);
    if (done == n)
        return PRINTER_DONE;
    error_set(error, ERROR_PRINTER, "printer %s: the connection broke after %zu of %zu bytes; %s", where,
              done, n, done ? "nobody knows whether a label came out" : "nothing was sent");
    return done ? PRINTER_UNCONFIRMED : PRINTER_NOT_SENT;
}

static const struct printer_kind kinds[] = {{"file:", send_file}, {"tcp:", send_tcp}};

enum printer_outcome printer_send(const char *url, const struct printer_job *job, GError **error)
{
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (g_str_has_prefix(url, kinds[i].scheme))
            return kinds[i].send(url + strlen(kinds[i].scheme), job, error);
    error_set(error, ERROR_PRINTER, "printer '%s': expected file:FOLDER or tcp:HOST:PORT", url);
    return PRINTER_NOT_SENT;
}
