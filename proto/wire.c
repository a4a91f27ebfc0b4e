#include "proto/wire.h"

#include "proto/wire_kinds.h"
#include "station/base/error.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define PAUSE_SLICE_US TICK_MS(50) /* how late a cancel may be noticed in a pause */
#define RATE_MAX       12000000
#define CAN_RATE_MAX   1000000

/* The visible table of schemes that wire_open knows. */
static const struct {
    const char *scheme;
    struct wire *(*open)(const char *rest, const struct wire_options *options, GError **error);
    bool physical;
    bool can;
} schemes[] = {
    {"serial:", wire_serial_open, true, false}, {"tcp:", wire_tcp_open, true, false},
    {"unix:", wire_unix_open, false, false},    {"can:", wire_can_open, true, true},
    {"slcan:", wire_slcan_open, true, true},    {"can-socket:", wire_can_socket_open, false, true},
};

bool wire_line_parse(const char *text, struct wire_line *line, GError **error)
{
    static const char parities[] = "NEO";
    char *end = NULL;
    const char *p = text ? text : "";
    guint64 baud = g_ascii_strtoull(p, &end, 10);
    if (g_ascii_isdigit(*p) && strcmp(end, "-can") == 0 && baud >= 10000 && baud <= CAN_RATE_MAX) {
        *line = (struct wire_line){.baud = (unsigned)baud};
        return true;
    }
    const char *parity = end && end[0] == '-' && end[1] ? strchr(parities, end[2] ? end[2] : '?') : NULL;
    if (!g_ascii_isdigit(*p) || baud == 0 || baud > RATE_MAX || !parity || !*parity ||
        (end[1] != '7' && end[1] != '8') || (end[3] != '1' && end[3] != '2') || end[4])
        return error_set(error, ERROR_AUTHOR,
                         "line '%s': expected rate, data bits, parity and stop bits such as 9600-8N1 or "
                         "115200-8E1, or 250000-can",
                         text ? text : "");
    *line = (struct wire_line){(unsigned)baud, (unsigned)(end[1] - '0'),
                               (enum wire_parity)(parity - parities), (unsigned)(end[3] - '0')};
    return true;
}

char *wire_line_format(const struct wire_line *line)
{
    if (wire_line_is_can(line))
        return g_strdup_printf("%u-can", line->baud);
    return g_strdup_printf("%u-%u%c%u", line->baud, line->data_bits, "NEO"[line->parity], line -> stop_bits);
}

unsigned wire_line_bits(const struct wire_line *line)
{
    return 1 + line->data_bits + (line->parity != WIRE_PARITY_NONE) + line->stop_bits;
}

bool wire_line_is_can(const struct wire_line *line)
{
    return line->data_bits == 0;
}

static bool parse_fault(const char *text, struct wire_fault_plan *plan, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text, ",", 8);
    for (int i = 0; parts[i]; i++) {
        char *colon = strchr(parts[i], ':');
        guint64 number;
        if (!colon || !g_ascii_string_to_unsigned(colon + 1, 10, 0, G_MAXINT64, &number, NULL))
            return error_set(error, ERROR_AUTHOR, "fault '%s': expected name:number", parts[i]);
        *colon = '\0';
        if (strcmp(parts[i], "seed") == 0)
            plan->seed = number;
        else if (strcmp(parts[i], "cut") == 0)
            plan->cut_after_bytes = number;
        else if (number > 1000000)
            return error_set(error, ERROR_AUTHOR, "fault '%s': at most 1000000 parts per million", parts[i]);
        else if (strcmp(parts[i], "drop") == 0)
            plan->drop_ppm = (uint32_t)number;
        else if (strcmp(parts[i], "corrupt") == 0)
            plan->corrupt_ppm = (uint32_t)number;
        else if (strcmp(parts[i], "duplicate") == 0)
            plan->duplicate_ppm = (uint32_t)number;
        else
            return error_set(error, ERROR_AUTHOR, "fault '%s': there are seed, drop, corrupt, duplicate, cut",
                             parts[i]);
    }
    return true;
}

/* What stands behind the '?' of a URL. */
struct decoration {
    bool pace;
    char *trace;
    bool fault;
    struct wire_fault_plan plan;
};

static bool parse_decoration(const char *query, struct decoration *d, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(query, "&", 8);
    for (int i = 0; parts[i]; i++) {
        if (strcmp(parts[i], "pace") == 0) {
            d->pace = true;
        } else if (g_str_has_prefix(parts[i], "trace=") && parts[i][6]) {
            g_free(d->trace);
            d->trace = g_strdup(parts[i] + 6);
        } else if (g_str_has_prefix(parts[i], "fault=")) {
            d->fault = true;
            if (!parse_fault(parts[i] + 6, &d->plan, error))
                return false;
        } else {
            return error_set(error, ERROR_AUTHOR, "link option '%s': there are pace, trace=FILE, fault=…",
                             parts[i]);
        }
    }
    return true;
}

static struct wire *open_scheme(const char *url, const struct wire_options *options, GError **error)
{
    const bool can = wire_line_is_can(&options->line);
    for (gsize i = 0; i < G_N_ELEMENTS(schemes); i++) {
        if (!g_str_has_prefix(url, schemes[i].scheme))
            continue;
        if (schemes[i].can == can)
            return schemes[i].open(url + strlen(schemes[i].scheme), options, error);
        error_set(error, ERROR_AUTHOR,
                  can ? "link '%s' carries no CAN frames, which this board speaks: expected can:IFACE, "
                        "slcan:PORT or can-socket:PATH"
                      : "link '%s' carries CAN frames, and this board speaks none",
                  url);
        return NULL;
    }
    error_set(error, ERROR_AUTHOR,
              can ? "link '%s': expected can:IFACE, slcan:PORT or can-socket:PATH"
                  : "link '%s': expected serial:PATH, tcp:HOST:PORT or unix:PATH",
              url);
    return NULL;
}

static struct wire *decorate(struct wire *wire, const struct decoration *d, GError **error)
{
    if (d->fault)
        wire = wire_fault(wire, &d->plan);
    if (d->pace)
        wire = wire_pace(wire);
    if (!d->trace)
        return wire;
    struct wire *traced = wire_trace(wire, d->trace, NULL, NULL, error);
    if (!traced)
        wire_close(wire);
    return traced;
}

struct wire *wire_open(const char *url, const struct wire_options *options, GError **error)
{
    const char *question = strchr(url, '?');
    g_autofree char *plain = question ? g_strndup(url, (gsize)(question - url)) : g_strdup(url);
    struct decoration d = {0};
    struct wire *wire = NULL;
    if (!question || parse_decoration(question + 1, &d, error))
        wire = open_scheme(plain, options, error);
    if (wire)
        wire = decorate(wire, &d, error);
    g_free(d.trace);
    return wire;
}

void wire_init(struct wire *wire, const struct wire_kind *kind, const struct wire_options *options,
               const char *url)
{
    wire->kind = kind;
    wire->tick = options->tick;
    wire->cancel = options->cancel;
    wire->line = options->line;
    wire->limit_us = TICK_NEVER;
    wire->url = g_strdup(url);
}

void wire_over(struct wire *wire, const struct wire_kind *kind, struct wire *under)
{
    const struct wire_options options = {under->line, under->tick, under->cancel};
    wire_init(wire, kind, &options, under->url);
    wire->under = under;
}

void wire_close(struct wire *wire)
{
    if (!wire)
        return;
    struct wire *under = wire->under;
    wire->kind->close(wire);
    g_free(wire->url);
    g_free(wire);
    wire_close(under);
}

static bool cancelled(const struct wire *wire, GError **error)
{
    return cancel_requested(wire->cancel) && !error_set(error, ERROR_CANCELLED, "stopped by the operator");
}

bool wire_send(struct wire *wire, const void *bytes, size_t n, int64_t deadline_us, GError **error)
{
    if (cancelled(wire, error) || !wire->kind->send(wire, bytes, n, MIN(deadline_us, wire->limit_us), error))
        return false;
    wire->bytes_sent += n;
    return true;
}

bool wire_receive(struct wire *wire, void *bytes, size_t max, size_t *got, int64_t deadline_us,
                  GError **error)
{
    *got = 0;
    if (cancelled(wire, error) ||
        !wire->kind->receive(wire, bytes, max, got, MIN(deadline_us, wire->limit_us), error))
        return false;
    wire->bytes_received += *got;
    return true;
}

bool wire_receive_all(struct wire *wire, void *bytes, size_t n, int64_t deadline_us, GError **error)
{
    uint8_t *to = bytes;
    for (size_t done = 0, got; done < n; done += got)
        if (!wire_receive(wire, to + done, n - done, &got, deadline_us, error)) {
            g_prefix_error(error, "%zu of %zu bytes came: ", done, n);
            return false;
        }
    return true;
}

bool wire_set_line(struct wire *wire, const struct wire_line *line, GError **error)
{
    if (wire_line_is_can(line) != wire_line_is_can(&wire->line))
        return error_set(error, ERROR_RULE, "%s: a CAN bus stays one, and no other line becomes one",
                         wire->url);
    if (!wire->kind->set_line(wire, line, error))
        return false;
    wire->line = *line;
    return true;
}

bool wire_set_signal(struct wire *wire, enum wire_signal signal, bool on, GError **error)
{
    static const char *const names[] = {"DTR", "RTS", "break"};
    if (!wire->kind->set_signal)
        return error_set(error, ERROR_REFUSED, "%s has no %s line", wire->url, names[signal]);
    return wire->kind->set_signal(wire, signal, on, error);
}

bool wire_discard(struct wire *wire, GError **error)
{
    return wire->kind->discard(wire, error);
}

bool wire_pause_until(struct wire *wire, int64_t instant_us, GError **error)
{
    int64_t deadline = MIN(instant_us, wire->limit_us), now;
    while ((now = tick_now(wire->tick)) < deadline) {
        if (cancelled(wire, error))
            return false;
        tick_sleep_until(wire->tick, MIN(deadline, now + PAUSE_SLICE_US));
    }
    return !cancelled(wire, error);
}

bool wire_pause_ms(struct wire *wire, int64_t ms, GError **error)
{
    return wire_pause_until(wire, tick_deadline_ms(wire->tick, ms), error);
}

bool wire_is_physical(const char *url)
{
    for (gsize i = 0; i < G_N_ELEMENTS(schemes); i++)
        if (g_str_has_prefix(url, schemes[i].scheme))
            return schemes[i].physical;
    return !g_str_has_prefix(url, "loop:");
}

/* Waits on a descriptor and the cancel together. */
bool wire_wait_fd(struct wire *wire, int fd, short events, int64_t deadline_us, GError **error)
{
    struct pollfd fds[2] = {{.fd = fd, .events = events}, {.fd = cancel_fd(wire->cancel), .events = POLLIN}};
    while (true) {
        int64_t left = deadline_us == TICK_NEVER ? TICK_S(3600) : deadline_us - tick_now(wire->tick);
        left = MAX(left, 0);
        struct timespec wait = {.tv_sec = left / 1000000, .tv_nsec = left % 1000000 * 1000};
        int ready = ppoll(fds, 2, &wait, NULL);
        if (cancelled(wire, error))
            return false;
        if (ready > 0 && fds[0].revents)
            return true;
        if (ready < 0 && errno != EINTR)
            return error_set(error, ERROR_CABLE, "%s: %s", wire->url, g_strerror(errno));
        if (tick_now(wire->tick) >= deadline_us)
            return error_set(error, ERROR_SILENT, "no answer in time");
    }
}
