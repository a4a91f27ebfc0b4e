/* tcp: a raw serial server. unix: a local stream socket. Neither carries line settings or modem lines. */
#include "proto/wire_kinds.h"

#include "station/base/error.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_MS 5000

struct wire_socket {
    struct wire wire;
    int fd;
};

static bool socket_send(struct wire *wire, const uint8_t *bytes, size_t n, int64_t deadline_us,
                        GError **error)
{
    struct wire_socket *s = (struct wire_socket *)wire;
    while (n > 0) {
        ssize_t sent = send(s->fd, bytes, n, MSG_NOSIGNAL);
        if (sent > 0) {
            bytes += sent;
            n -= (size_t)sent;
        } else if (errno == EAGAIN || errno == EINTR) {
            if (!wire_wait_fd(wire, s->fd, POLLOUT, deadline_us, error))
                return false;
        } else {
            return error_set(error, ERROR_CABLE, "%s: %s", wire->url, g_strerror(errno));
        }
    }
    return true;
}

static bool socket_receive(struct wire *wire, uint8_t *bytes, size_t max, size_t *got, int64_t deadline_us,
                           GError **error)
{
    struct wire_socket *s = (struct wire_socket *)wire;
    while (true) {
        ssize_t n = recv(s->fd, bytes, max, 0);
        if (n > 0) {
            *got = (size_t)n;
            return true;
        }
        if (n == 0)
            return error_set(error, ERROR_CABLE, "%s: the far side closed the connection", wire->url);
        if (errno != EAGAIN && errno != EINTR)
            return error_set(error, ERROR_CABLE, "%s: %s", wire->url, g_strerror(errno));
        if (!wire_wait_fd(wire, s->fd, POLLIN, deadline_us, error))
            return false;
    }
}

static bool socket_set_line(struct wire *wire, const struct wire_line *line, GError **error)
{
    (void)wire, (void)line, (void)error;
    return true;
}

static bool socket_discard(struct wire *wire, GError **error)
{
    struct wire_socket *s = (struct wire_socket *)wire;
    uint8_t waste[256];
    ssize_t n;
    /* A ceiling, so that a far side that never stops talking cannot hold us here. */
    for (int i = 0; i < 1000 && (n = recv(s->fd, waste, sizeof waste, 0)) > 0; i++)
        continue;
    return n != 0 || error_set(error, ERROR_CABLE, "%s: the far side closed the connection", wire->url);
}

static void socket_close(struct wire *wire)
{
    close(((struct wire_socket *)wire)->fd);
}

static const struct wire_kind tcp_kind = {"tcp:", socket_send,    socket_receive, socket_set_line,
                                          NULL,   socket_discard, socket_close};
static const struct wire_kind unix_kind = {"unix:", socket_send,    socket_receive, socket_set_line,
                                           NULL,    socket_discard, socket_close};

static struct wire *wrap(const struct wire_kind *kind, int fd, const struct wire_options *options,
                         const char *url)
{
    struct wire_socket *s = g_new0(struct wire_socket, 1);
    wire_init(&s->wire, kind, options, url);
    s->fd = fd;
    return &s->wire;
}

static struct wire *finish_connect(struct wire *wire, int started, GError **error)
{
    struct wire_socket *s = (struct wire_socket *)wire;
    int failure = started < 0 ? errno : 0;
    socklen_t size = sizeof failure;
    if (failure == EINPROGRESS || failure == EAGAIN) {
        g_autoptr(GError) late = NULL;
        int64_t deadline = tick_deadline_ms(wire->tick, CONNECT_TIMEOUT_MS);
        failure = wire_wait_fd(wire, s->fd, POLLOUT, deadline, &late) ? 0 : ETIMEDOUT;
        if (failure == 0)
            getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &failure, &size);
    }
    if (failure == 0)
        return wire;
    error_set(error, failure == EACCES ? ERROR_CABLE : ERROR_ABSENT, "%s: %s", wire->url,
              g_strerror(failure));
    wire_close(wire);
    return NULL;
}

struct wire *wire_unix_open(const char *path, const struct wire_options *options, GError **error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    g_autofree char *url = g_strconcat("unix:", path, NULL);
    if (strlen(path) == 0 || strlen(path) >= sizeof address.sun_path) {
        error_set(error, ERROR_AUTHOR, "%s: a socket path has 1 to %zu characters", url,
                  sizeof address.sun_path - 1);
        return NULL;
    }
    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        error_set(error, ERROR_STORAGE, "%s: %s", url, g_strerror(errno));
        return NULL;
    }
    struct wire *wire = wrap(&unix_kind, fd, options, url);
    return finish_connect(wire, connect(fd, (struct sockaddr *)&address, sizeof address), error);
}

struct wire *wire_tcp_open(const char *where, const struct wire_options *options, GError **error)
{
    g_autofree char *url = g_strconcat("tcp:", where, NULL);
    const char *colon = strrchr(where, ':');
    guint64 port;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    if (!colon || colon == where || !g_ascii_string_to_unsigned(colon + 1, 10, 1, 65535, &port, NULL)) {
        error_set(error, ERROR_AUTHOR, "%s: expected tcp:HOST:PORT", url);
        return NULL;
    }
    g_autofree char *host = g_strndup(where, (gsize)(colon - where));
    int failed = getaddrinfo(host, colon + 1, &hints, &found);
    if (failed) {
        error_set(error, ERROR_ABSENT, "%s: %s", url, gai_strerror(failed));
        return NULL;
    }
    int on = 1, fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct wire *wire = NULL;
    if (fd < 0) {
        error_set(error, ERROR_STORAGE, "%s: %s", url, g_strerror(errno));
    } else {
        /* Every exchange is a small packet that waits for its answer: Nagle would add its delay to each. */
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        wire = wrap(&tcp_kind, fd, options, url);
        wire = finish_connect(wire, connect(fd, found->ai_addr, found->ai_addrlen), error);
    }
    freeaddrinfo(found);
    return wire;
}
