/* CAN wires over streams: slcan: (an adapter that speaks Lawicel ASCII) and can-socket: (records of struct
 * can_frame on a local socket). */
#include "proto/wire_frames.h"

#include "proto/wire_kinds.h"
#include "station/base/error.h"

#include <string.h>

#define ADAPTER_LINE   "115200-8N1" /* USB adapters ignore it */
#define ADAPTER_WAIT_S 1
#define ADAPTER_GAP_MS 20

struct wire_frames {
    struct wire wire;
    uint8_t bytes[256]; /* arrived and not looked at yet */
    size_t from, end;
    struct slcan_decoder decoder;
    unsigned refused; /* frames the adapter has not taken since the last discard */
    uint8_t record[CAN_RECORD];
    size_t part; /* of the record */
};

bool wire_send_frame(struct wire *wire, const struct can_message *message, int64_t deadline_us,
                     GError **error)
{
    uint8_t record[CAN_RECORD];
    can_to_record(message, record);
    return wire_send(wire, record, sizeof record, deadline_us, error);
}

bool wire_receive_frame(struct wire *wire, struct can_message *message, int64_t deadline_us, GError **error)
{
    uint8_t record[CAN_RECORD];
    size_t got = 0;
    if (!wire_receive(wire, record, sizeof record, &got, deadline_us, error))
        return false;
    return (got == sizeof record && can_from_record(record, message)) ||
           error_set(error, ERROR_GARBLED, "%s: what came is no CAN frame of 8 bytes at most", wire->url);
}

static bool fill(struct wire_frames *f, int64_t deadline_us, GError **error)
{
    if (f->from < f->end)
        return true;
    f->from = f->end = 0;
    return wire_receive(f->wire.under, f->bytes, sizeof f->bytes, &f->end, deadline_us, error);
}

static bool frames_set_line(struct wire *wire, const struct wire_line *line, GError **error)
{
    return line->baud == wire->line.baud ||
           error_set(error, ERROR_RULE, "%s: the bit rate of an open bus stays", wire->url);
}

static bool frames_discard(struct wire *wire, GError **error)
{
    struct wire_frames *f = (struct wire_frames *)wire;
    f->from = f->end = f->part = 0;
    f->refused = 0;
    f->decoder = (struct slcan_decoder){0};
    return wire_discard(wire->under, error);
}

static struct wire_frames *frames_new(const struct wire_kind *kind, struct wire *under,
                                      const struct wire_options *options)
{
    struct wire_frames *f = g_new0(struct wire_frames, 1);
    g_autofree char *url = g_strdup_printf("%s%s", kind->scheme, under->url);
    wire_init(&f->wire, kind, options, url);
    f->wire.under = under;
    return f;
}

/* slcan */
static bool slcan_send(struct wire *wire, const uint8_t *bytes, size_t n, int64_t deadline_us, GError **error)
{
    char text[SLCAN_MAX];
    for (size_t at = 0; at + CAN_RECORD <= n; at += CAN_RECORD) {
        struct can_message message;
        if (!can_from_record(bytes + at, &message))
            return error_set(error, ERROR_INTERNAL, "%s: no CAN frame", wire->url);
        if (!wire_send(wire->under, text, slcan_encode(&message, text), deadline_us, error))
            return false;
    }
    return true;
}

/* The next thing the adapter says. */
static bool next_word(struct wire_frames *f, enum slcan_state *state, struct can_message *message,
                      int64_t deadline_us, GError **error)
{
    *state = SLCAN_MORE;
    while (*state == SLCAN_MORE) {
        if (!fill(f, deadline_us, error))
            return false;
        *state = slcan_decode(&f->decoder, f->bytes[f->from++], message);
    }
    return true;
}

/* What an adapter says beside frames (taken, refused, damaged lines) is no answer of a board: a frame that
 * was lost in it is missed by the dialect. */
static bool slcan_receive(struct wire *wire, uint8_t *bytes, size_t max, size_t *got, int64_t deadline_us,
                          GError **error)
{
    struct wire_frames *f = (struct wire_frames *)wire;
    g_return_val_if_fail(max >= CAN_RECORD, false);
    while (true) {
        struct can_message message;
        enum slcan_state state;
        if (!next_word(f, &state, &message, deadline_us, error)) {
            if (f->refused)
                g_prefix_error(
                    error, "the adapter refused %u frames, so nobody acknowledges on the bus: ", f->refused);
            return false;
        }
        f->refused += state == SLCAN_REFUSED;
        if (state != SLCAN_FRAME)
            continue;
        can_to_record(&message, bytes);
        *got = CAN_RECORD;
        return true;
    }
}

static bool command(struct wire_frames *f, const char *text, enum slcan_state *answer, GError **error)
{
    struct can_message ignored;
    struct tick *tick = f->wire.tick;
    g_autofree char *line = g_strconcat(text, "\r", NULL);
    const int64_t deadline = tick_now(tick) + TICK_S(ADAPTER_WAIT_S);
    if (!wire_send(f->wire.under, line, strlen(line), deadline, error))
        return false;
    do {
        g_autoptr(GError) silent = NULL;
        if (!next_word(f, answer, &ignored, deadline, &silent)) {
            *answer = SLCAN_MORE;
            if (error_kind(silent) == ERROR_SILENT)
                return true;
            g_propagate_error(error, g_steal_pointer(&silent));
            return false;
        }
        /* Frames of a channel that was left open by somebody else. */
    } while (*answer == SLCAN_FRAME || *answer == SLCAN_BAD);
    return true;
}

/* Closing first: a channel that is open refuses its bit rate. Some firmwares answer commands not at all, and
 * only say their version. */
static bool open_channel(struct wire_frames *f, const char *rate, GError **error)
{
    enum slcan_state closed, version, set, opened;
    if (!wire_send(f->wire.under, "\r\r\rC\r", 5, tick_now(f->wire.tick) + TICK_S(ADAPTER_WAIT_S), error) ||
        !wire_pause_ms(f->wire.under, ADAPTER_GAP_MS, error) || !frames_discard(&f->wire, error) ||
        !command(f, "C", &closed, error) || !command(f, "V", &version, error))
        return false;
    if (closed == SLCAN_MORE && version == SLCAN_MORE)
        return error_set(error, ERROR_ABSENT, "%s: no adapter answers", f->wire.url);
    if (!command(f, rate, &set, error) || !command(f, "O", &opened, error))
        return false;
    if (set == SLCAN_REFUSED)
        return error_set(error, ERROR_ABSENT, "%s: the adapter refuses %u bit/s (%s)", f->wire.url,
                         f->wire.line.baud, rate);
    return opened != SLCAN_REFUSED ||
           error_set(error, ERROR_ABSENT, "%s: the adapter refuses to open its channel", f->wire.url);
}

static void slcan_close(struct wire *wire)
{
    g_autoptr(GError) ignored = NULL;
    wire->under->cancel = NULL; /* also after a stop the channel is closed */
    (void)!wire_send(wire->under, "C\r", 2, tick_now(wire->tick) + TICK_S(ADAPTER_WAIT_S), &ignored);
}

static const struct wire_kind slcan_kind = {"slcan:", slcan_send,     slcan_receive, frames_set_line,
                                            NULL,     frames_discard, slcan_close};

struct wire *wire_slcan(struct wire *stream, const struct wire_options *options, GError **error)
{
    struct wire_frames *f = frames_new(&slcan_kind, stream, options);
    const char *rate = slcan_rate(options->line.baud);
    if (rate && open_channel(f, rate, error))
        return &f->wire;
    if (!rate)
        error_set(error, ERROR_AUTHOR,
                  "%s: adapters of this kind know 10, 20, 50, 100, 125, 250, 500, 800 and 1000 kbit/s",
                  f->wire.url);
    wire_close(&f->wire);
    return NULL;
}

static bool stream_options(const struct wire_options *options, struct wire_options *stream, GError **error)
{
    *stream = *options;
    return wire_line_parse(ADAPTER_LINE, &stream->line, error);
}

struct wire *wire_slcan_open(const char *rest, const struct wire_options *options, GError **error)
{
    struct wire_options stream;
    const bool plain = rest[0] == '/' || !strchr(rest, ':');
    g_autofree char *url = plain ? g_strconcat("serial:", rest, NULL) : g_strdup(rest);
    struct wire *under = stream_options(options, &stream, error) ? wire_open(url, &stream, error) : NULL;
    return under ? wire_slcan(under, options, error) : NULL;
}

/* can-socket */
static bool records_send(struct wire *wire, const uint8_t *bytes, size_t n, int64_t deadline_us,
                         GError **error)
{
    return wire_send(wire->under, bytes, n, deadline_us, error);
}

static bool records_receive(struct wire *wire, uint8_t *bytes, size_t max, size_t *got, int64_t deadline_us,
                            GError **error)
{
    struct wire_frames *f = (struct wire_frames *)wire;
    g_return_val_if_fail(max >= CAN_RECORD, false);
    while (f->part < CAN_RECORD) {
        if (!fill(f, deadline_us, error))
            return false;
        size_t n = MIN(CAN_RECORD - f->part, f->end - f->from);
        memcpy(f->record + f->part, f->bytes + f->from, n);
        f->part += n;
        f->from += n;
    }
    memcpy(bytes, f->record, CAN_RECORD);
    f->part = 0;
    *got = CAN_RECORD;
    return true;
}

/* The rest of a record that has begun must still be taken, or all that follow would be read askew. */
static bool records_discard(struct wire *wire, GError **error)
{
    struct wire_frames *f = (struct wire_frames *)wire;
    while (true) {
        uint8_t record[CAN_RECORD];
        size_t got;
        g_autoptr(GError) end = NULL;
        const int64_t now = tick_now(wire->tick);
        if (records_receive(wire, record, sizeof record, &got, f->part ? now + TICK_MS(20) : now, &end))
            continue;
        if (error_kind(end) == ERROR_SILENT)
            return true;
        g_propagate_error(error, g_steal_pointer(&end));
        return false;
    }
}

static void records_close(struct wire *wire)
{
    (void)wire;
}

static const struct wire_kind records_kind = {
    "can-socket:", records_send, records_receive, frames_set_line, NULL, records_discard, records_close};

struct wire *wire_can_socket_open(const char *rest, const struct wire_options *options, GError **error)
{
    struct wire_options stream;
    struct wire *under =
        stream_options(options, &stream, error) ? wire_unix_open(rest, &stream, error) : NULL;
    if (!under)
        return NULL;
    struct wire_frames *f = frames_new(&records_kind, under, options);
    g_free(f->wire.url);
    f->wire.url = g_strconcat("can-socket:", rest, NULL);
    return &f->wire;
}
