/* serial: a UART through libserialport. */
#include "proto/wire_kinds.h"

#include "station/base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <libserialport.h>
#include <linux/serial.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct wire_serial {
    struct wire wire;
    struct sp_port *port;
    int fd;
};

static enum error_kind kind_of(enum sp_return code)
{
    return code == SP_ERR_ARG ? ERROR_ABSENT : ERROR_CABLE;
}

static bool failed(const struct wire *wire, const char *what, enum sp_return code, GError **error)
{
    g_autofree char *text =
        code == SP_ERR_FAIL ? g_strdup(g_strerror(sp_last_error_code())) : g_strdup("refused");
    return error_set(error, kind_of(code), "%s: %s: %s", wire->url, what, text);
}

static bool check_rate(struct wire_serial *s, const struct wire_line *line, GError **error)
{
    struct sp_port_config *config = NULL;
    int rate = 0;
    sp_new_config(&config);
    bool read = sp_get_config(s->port, config) == SP_OK && sp_get_config_baudrate(config, &rate) == SP_OK;
    sp_free_config(config);
    if (!read)
        return error_set(error, ERROR_CABLE, "%s: the rate cannot be read back", s->wire.url);
    /* Some UARTs clamp a rate in silence; every byte would be garbage. */
    if ((unsigned)rate != line->baud)
        return error_set(error, ERROR_CABLE,
                         "%s: the port runs at %d bit/s although %u were asked: this adapter cannot do it",
                         s->wire.url, rate, line->baud);
    return true;
}

static bool serial_set_line(struct wire *wire, const struct wire_line *line, GError **error)
{
    static const enum sp_parity parities[] = {SP_PARITY_NONE, SP_PARITY_EVEN, SP_PARITY_ODD};
    struct wire_serial *s = (struct wire_serial *)wire;
    enum sp_return code;
    /* What was sent must be out before the rate changes under it. */
    if ((code = sp_drain(s->port)) != SP_OK || (code = sp_set_baudrate(s->port, (int)line->baud)) != SP_OK ||
        (code = sp_set_bits(s->port, (int)line->data_bits)) != SP_OK ||
        (code = sp_set_parity(s->port, parities[line->parity])) != SP_OK ||
        (code = sp_set_stopbits(s->port, (int)line->stop_bits)) != SP_OK ||
        (code = sp_set_flowcontrol(s->port, SP_FLOWCONTROL_NONE)) != SP_OK)
        return failed(wire, "setting the line", code, error);
    return check_rate(s, line, error);
}

static bool serial_send(struct wire *wire, const uint8_t *bytes, size_t n, int64_t deadline_us,
                        GError **error)
{
    struct wire_serial *s = (struct wire_serial *)wire;
    while (n > 0) {
        enum sp_return sent = sp_nonblocking_write(s->port, bytes, n);
        if (sent < 0)
            return failed(wire, "write", sent, error);
        bytes += sent;
        n -= (size_t)sent;
        if (n > 0 && !wire_wait_fd(wire, s->fd, POLLOUT, deadline_us, error))
            return false;
    }
    return true;
}

static bool serial_receive(struct wire *wire, uint8_t *bytes, size_t max, size_t *got, int64_t deadline_us,
                           GError **error)
{
    struct wire_serial *s = (struct wire_serial *)wire;
    bool woken = false;
    while (true) {
        enum sp_return n = sp_nonblocking_read(s->port, bytes, max);
        if (n < 0)
            return failed(wire, "read", n, error);
        if (n > 0) {
            *got = (size_t)n;
            return true;
        }
        /* Readable without bytes is how a vanished adapter looks. */
        if (woken)
            return error_set(error, ERROR_CABLE, "%s: the adapter was unplugged", wire->url);
        if (!wire_wait_fd(wire, s->fd, POLLIN, deadline_us, error))
            return false;
        woken = true;
    }
}

static bool serial_set_signal(struct wire *wire, enum wire_signal signal, bool on, GError **error)
{
    struct wire_serial *s = (struct wire_serial *)wire;
    enum sp_return code = signal == WIRE_DTR   ? sp_set_dtr(s->port, on ? SP_DTR_ON : SP_DTR_OFF)
                          : signal == WIRE_RTS ? sp_set_rts(s->port, on ? SP_RTS_ON : SP_RTS_OFF)
                          : on                 ? sp_start_break(s->port)
                                               : sp_end_break(s->port);
    return code == SP_OK || failed(wire, "modem line", code, error);
}

static bool serial_discard(struct wire *wire, GError **error)
{
    enum sp_return code = sp_flush(((struct wire_serial *)wire)->port, SP_BUF_INPUT);
    return code == SP_OK || failed(wire, "flush", code, error);
}

static void serial_close(struct wire *wire)
{
    struct wire_serial *s = (struct wire_serial *)wire;
    sp_close(s->port);
    sp_free_port(s->port);
}

static const struct wire_kind serial_kind = {
    "serial:", serial_send, serial_receive, serial_set_line, serial_set_signal, serial_discard, serial_close};

/* FTDI-like adapters hold bytes back for 16 ms otherwise. Where the kernel has no such flag there is nothing
 * to set. */
static bool set_low_latency(struct wire_serial *s, GError **error)
{
    struct serial_struct settings;
    if (ioctl(s->fd, TIOCGSERIAL, &settings) != 0 || (settings.flags & ASYNC_LOW_LATENCY))
        return true;
    settings.flags |= ASYNC_LOW_LATENCY;
    if (ioctl(s->fd, TIOCSSERIAL, &settings) != 0)
        return errno == ENOTTY || errno == EINVAL || errno == EPERM ||
               error_set(error, ERROR_CABLE, "%s: low latency: %s", s->wire.url, g_strerror(errno));
    return ioctl(s->fd, TIOCGSERIAL, &settings) != 0 || (settings.flags & ASYNC_LOW_LATENCY) ||
           error_set(error, ERROR_CABLE, "%s: the driver ignores low latency", s->wire.url);
}

static bool take_port(struct wire_serial *s, GError **error)
{
    if (sp_get_port_handle(s->port, &s->fd) != SP_OK)
        return error_set(error, ERROR_CABLE, "%s: no descriptor", s->wire.url);
    if (flock(s->fd, LOCK_EX | LOCK_NB) != 0)
        return error_set(error, ERROR_BUSY, "%s: another program uses this port", s->wire.url);
    return ioctl(s->fd, TIOCEXCL) == 0 ||
           error_set(error, ERROR_CABLE, "%s: %s", s->wire.url, g_strerror(errno));
}

static bool open_port(struct wire_serial *s, const char *path, GError **error)
{
    g_autofree char *real = realpath(path, NULL);
    if (!real)
        return error_set(error, ERROR_ABSENT, "%s: %s", s->wire.url, g_strerror(errno));
    enum sp_return code = sp_get_port_by_name(real, &s->port);
    if (code != SP_OK)
        return error_set(error, ERROR_ABSENT, "%s: no serial port", s->wire.url);
    if ((code = sp_open(s->port, SP_MODE_READ_WRITE)) == SP_OK)
        return true;
    int why = code == SP_ERR_FAIL ? sp_last_error_code() : 0;
    sp_free_port(s->port);
    s->port = NULL;
    if (why == EACCES || why == EPERM)
        return error_set(error, ERROR_CABLE, "%s: no permission: add this user to the group dialout",
                         s->wire.url);
    return error_set(error, why == EBUSY ? ERROR_BUSY : ERROR_ABSENT, "%s: %s", s->wire.url, g_strerror(why));
}

struct wire *wire_serial_open(const char *path, const struct wire_options *options, GError **error)
{
    struct wire_serial *s = g_new0(struct wire_serial, 1);
    g_autofree char *url = g_strconcat("serial:", path, NULL);
    wire_init(&s->wire, &serial_kind, options, url);
    if (!open_port(s, path, error)) {
        g_free(s->wire.url);
        g_free(s);
        return NULL;
    }
    if (take_port(s, error) && set_low_latency(s, error) && serial_set_line(&s->wire, &options->line, error))
        return &s->wire;
    wire_close(&s->wire);
    return NULL;
}
