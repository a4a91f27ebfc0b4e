/* A wire: bytes to and from one board, opened by URL.
 *
 *   serial:/dev/serial/by-path/…   a UART, through libserialport
 *   tcp:HOST:PORT                  a raw serial server
 *   unix:PATH                      a local stream socket (virtual boards)
 *   loop:                          a far side in this process (wire_loop_open)
 *   can:IFACE                      a CAN bus of the kernel (SocketCAN)
 *   slcan:PORT                     a CAN adapter that speaks Lawicel ASCII, on serial:PORT or the URL PORT
 *   can-socket:PATH                a local stream socket that carries struct can_frame (virtual boards)
 *
 * Blocking calls with absolute deadlines; every wait also polls the cancel. Decorators (trace, pace, fault)
 * are wires over a wire. Errors: ABSENT (no such port), CABLE (link broke), SILENT (deadline), CANCELLED,
 * BUSY, AUTHOR (bad URL). */
#pragma once

#include "station/base/cancel.h"
#include "station/base/tick.h"

#include <stddef.h>

enum wire_parity { WIRE_PARITY_NONE, WIRE_PARITY_EVEN, WIRE_PARITY_ODD };

/* The line's settings; bits on the wire per byte = 1 + data + parity + stop. On a CAN bus only the rate
 * counts, and what is sent and received are whole records of proto/can.h. */
struct wire_line {
    unsigned baud;      /* bit/s */
    unsigned data_bits; /* 0 = a CAN bus */
    enum wire_parity parity;
    unsigned stop_bits;
};

/* "9600-8N1" or "250000-can", both ways. */
bool wire_line_parse(const char *text, struct wire_line *line, GError **error) G_GNUC_WARN_UNUSED_RESULT;
char *wire_line_format(const struct wire_line *line);
/* Bits one byte takes on this line: 10 for 8N1, 11 for 8E1. */
unsigned wire_line_bits(const struct wire_line *line);
bool wire_line_is_can(const struct wire_line *line);

enum wire_signal { WIRE_DTR, WIRE_RTS, WIRE_BREAK };

struct wire;

/* What every kind of wire provides; shared waiting, accounting and checks live in wire.c. */
struct wire_kind {
    const char *scheme;
    bool (*send)(struct wire *wire, const uint8_t *bytes, size_t n, int64_t deadline_us, GError **error);
    /* At least one byte, at most max, or an error (SILENT at the deadline). */
    bool (*receive)(struct wire *wire, uint8_t *bytes, size_t max, size_t *got, int64_t deadline_us,
                    GError **error);
    bool (*set_line)(struct wire *wire, const struct wire_line *line, GError **error);
    bool (*set_signal)(struct wire *wire, enum wire_signal signal, bool on,
                       GError **error);                 /* NULL: no such lines */
    bool (*discard)(struct wire *wire, GError **error); /* throw away what has arrived */
    void (*close)(struct wire *wire);
};

struct wire {
    const struct wire_kind *kind;
    struct tick *tick;
    struct cancel *cancel; /* borrowed, may be NULL */
    struct wire *under;    /* of a decorator; owned */
    struct wire_line line; /* as last set and read back */
    int64_t limit_us;      /* no wait goes past this instant; TICK_NEVER unless a caller sets it */
    uint64_t bytes_sent, bytes_received;
    char *url;
};

struct wire_options {
    struct wire_line line;
    struct tick *tick;
    struct cancel *cancel;
};

struct wire *wire_open(const char *url, const struct wire_options *options,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;
void wire_close(struct wire *wire); /* closes what is under it too; NULL is fine */
bool wire_send(struct wire *wire, const void *bytes, size_t n, int64_t deadline_us,
               GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* One to max bytes. */
bool wire_receive(struct wire *wire, void *bytes, size_t max, size_t *got, int64_t deadline_us,
                  GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Exactly n bytes or an error; on SILENT the message says how many came. */
bool wire_receive_all(struct wire *wire, void *bytes, size_t n, int64_t deadline_us,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool wire_set_line(struct wire *wire, const struct wire_line *line, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* REFUSED when this wire has no modem lines. */
bool wire_set_signal(struct wire *wire, enum wire_signal signal, bool on,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool wire_discard(struct wire *wire, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Sleeps on the wire's tick, cancellable, and no longer than the step's time. */
bool wire_pause_until(struct wire *wire, int64_t instant_us, GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool wire_pause_ms(struct wire *wire, int64_t ms, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* True for a wire that may lead to real hardware: every kind but unix:, can-socket: and loop:. */
bool wire_is_physical(const char *url);

/* The far side of loop: — a virtual board in this process. Functions get the instant of the wire's tick. */
struct wire_far_side {
    void *context;
    void (*accept)(void *context, const uint8_t *bytes, size_t n, int64_t now_us);
    size_t (*produce)(void *context, uint8_t *bytes, size_t max,
                      int64_t now_us); /* what has left the board by now */
    int64_t (*next_us)(void *context); /* next instant at which produce may have more; TICK_NEVER */
    void (*signal)(void *context, enum wire_signal signal, bool on, int64_t now_us);
    void (*line)(void *context, const struct wire_line *line); /* may be NULL */
};
struct wire *wire_loop_open(const struct wire_far_side *far, const struct wire_options *options);

/* Decorators take ownership of `under` and give a wire that closes it. */

/* Models a line of the wire's own settings: a byte takes its bit times, in each direction. */
struct wire *wire_pace(struct wire *under);

/* Timestamped hex, one line a chunk: "000012.345678 > 7E 32 …"; of a CAN bus the lines of candump -L, which
 * know no direction. The mask is called with every chunk before it is written and may blank secret bytes
 * (shown as **); the dialect owns what is secret. */
typedef void (*wire_mask)(void *context, bool sent, const uint8_t *bytes, size_t n, bool *secret);
struct wire *wire_trace(struct wire *under, const char *path, wire_mask mask, void *context, GError **error);
/* Sets or replaces the mask on the trace in this stack; no trace is fine. */
void wire_set_mask(struct wire *wire, wire_mask mask, void *context);

/* Seeded faults; probabilities in parts per million per byte, cut_after in bytes of traffic (0 = never). */
struct wire_fault_plan {
    uint64_t seed;
    uint32_t drop_ppm, corrupt_ppm, duplicate_ppm;
    uint64_t cut_after_bytes; /* then every call is CABLE */
};
struct wire *wire_fault(struct wire *under, const struct wire_fault_plan *plan);

/* Decorators in a URL: "unix:/x?pace&trace=/tmp/t.hex&fault=seed:7,drop:100,corrupt:50,cut:9000" is
 * understood by wire_open, applied in that order from the wire upwards: fault, pace, trace. */
