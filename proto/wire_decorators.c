/* Decorators over any wire: pace, trace, fault. */
#include "proto/can.h"
#include "proto/wire_kinds.h"

#include "station/base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SPIN_US 80 /* a sleep wakes up late by about this much; the rest is watched */

static bool under_set_line(struct wire *wire, const struct wire_line *line, GError **error)
{
    return wire_set_line(wire->under, line, error);
}

static bool under_set_signal(struct wire *wire, enum wire_signal signal, bool on, GError **error)
{
    return wire_set_signal(wire->under, signal, on, error);
}

static bool under_discard(struct wire *wire, GError **error)
{
    return wire_discard(wire->under, error);
}

static bool under_send(struct wire *wire, const uint8_t *bytes, size_t n, int64_t deadline_us, GError **error)
{
    return wire_send(wire->under, bytes, n, deadline_us, error);
}

static bool under_receive(struct wire *wire, uint8_t *bytes, size_t max, size_t *got, int64_t deadline_us,
                          GError **error)
{
    return wire_receive(wire->under, bytes, max, got, deadline_us, error);
}

/* pace: a byte takes its bit times. The instant at which each direction is free again is kept in nanoseconds,
 * so that no rounding adds up. */
struct wire_pace {
    struct wire wire;
    int64_t send_free_ns, receive_free_ns;
};

static int64_t bytes_ns(const struct wire *wire, const uint8_t *bytes, size_t n)
{
    int64_t bits = (int64_t)n * wire_line_bits(&wire->line);
    if (wire_line_is_can(&wire->line)) {
        struct can_message message;
        bits = 0;
        for (size_t at = 0; at + CAN_RECORD <= n; at += CAN_RECORD)
            bits += can_from_record(bytes + at, &message) ? can_bits(&message) : 0;
    }
    return bits * 1000000000 / wire->line.baud;
}

static void sleep_until_ns(struct wire *wire, int64_t instant_ns)
{
    int64_t instant_us = (instant_ns + 999) / 1000;
    if (wire->tick->is_virtual) {
        tick_sleep_until(wire->tick, instant_us);
        return;
    }
    if (tick_now(wire->tick) < instant_us - SPIN_US)
        tick_sleep_until(wire->tick, instant_us - SPIN_US);
    while (tick_now(wire->tick) < instant_us)
        continue;
}

static bool pace_send(struct wire *wire, const uint8_t *bytes, size_t n, int64_t deadline_us, GError **error)
{
    struct wire_pace *pace = (struct wire_pace *)wire;
    pace->send_free_ns = MAX(pace->send_free_ns, tick_now(wire->tick) * 1000) + bytes_ns(wire, bytes, n);
    sleep_until_ns(wire, pace->send_free_ns);
    return wire_send(wire->under, bytes, n, MAX(deadline_us, tick_now(wire->tick) + 1000), error);
}

static bool pace_receive(struct wire *wire, uint8_t *bytes, size_t max, size_t *got, int64_t deadline_us,
                         GError **error)
{
    struct wire_pace *pace = (struct wire_pace *)wire;
    if (!wire_receive(wire->under, bytes, max, got, deadline_us, error))
        return false;
    pace->receive_free_ns =
        MAX(pace->receive_free_ns, tick_now(wire->tick) * 1000) + bytes_ns(wire, bytes, *got);
    sleep_until_ns(wire, pace->receive_free_ns);
    return true;
}

static void nothing_to_close(struct wire *wire)
{
    (void)wire;
}

static const struct wire_kind pace_kind = {"pace",           pace_send,     pace_receive,    under_set_line,
                                           under_set_signal, under_discard, nothing_to_close};

struct wire *wire_pace(struct wire *under)
{
    struct wire_pace *pace = g_new0(struct wire_pace, 1);
    wire_over(&pace->wire, &pace_kind, under);
    return &pace->wire;
}

/* trace */
struct wire_traced {
    struct wire wire;
    FILE *file;
    int64_t start_us;
    wire_mask mask;
    void *context;
};

/* What stands where candump names the interface. */
static const char *bus_name(const struct wire *wire)
{
    const char *name = strrchr(wire->url, ':') + 1, *slash = strrchr(name, '/');
    name = slash ? slash + 1 : name;
    return *name ? name : "loop";
}

/* A frame with secret bytes is a comment, so that readers of the log take it for none. */
static void put_frame(struct wire_traced *traced, const uint8_t *record, const bool *secret)
{
    struct can_message message;
    char text[CAN_TEXT_MAX] = "?";
    int64_t at = tick_wall(traced->wire.tick);
    bool hidden = false;
    for (unsigned i = 0; i < CAN_RECORD; i++)
        hidden |= secret[i];
    const bool whole = can_from_record(record, &message);
    if (whole)
        can_format(&message, text);
    if (hidden && strchr(text, '#'))
        g_strlcpy(strchr(text, '#'), "#**", sizeof "#**");
    fprintf(traced->file, "%s(%010" G_GINT64_FORMAT ".%06d) %.15s %s\n", hidden || !whole ? "# " : "",
            at / 1000000, (int)(at % 1000000), bus_name(&traced->wire), text);
}

static void put_frames(struct wire_traced *traced, bool sent, const uint8_t *bytes, size_t n)
{
    g_autofree bool *secret = g_new0(bool, MAX(n, 1));
    if (traced->mask)
        traced->mask(traced->context, sent, bytes, n, secret);
    for (size_t at = 0; at + CAN_RECORD <= n; at += CAN_RECORD)
        put_frame(traced, bytes + at, secret + at);
}

static void put_chunk(struct wire_traced *traced, bool sent, const uint8_t *bytes, size_t n)
{
    if (wire_line_is_can(&traced->wire.line)) {
        put_frames(traced, sent, bytes, n);
        return;
    }
    g_autofree bool *secret = g_new0(bool, MAX(n, 1));
    int64_t at = tick_now(traced->wire.tick) - traced->start_us;
    if (traced->mask)
        traced->mask(traced->context, sent, bytes, n, secret);
    fprintf(traced->file, "%06d.%06d %c", (int)(at / 1000000), (int)(at % 1000000), sent ? '>' : '<');
    for (size_t i = 0; i < n; i++) {
        if (secret[i])
            fputs(" **", traced->file);
        else
            fprintf(traced->file, " %02X", bytes[i]);
    }
    fputc('\n', traced->file);
}

static bool trace_send(struct wire *wire, const uint8_t *bytes, size_t n, int64_t deadline_us, GError **error)
{
    put_chunk((struct wire_traced *)wire, true, bytes, n);
    return under_send(wire, bytes, n, deadline_us, error);
}

static bool trace_receive(struct wire *wire, uint8_t *bytes, size_t max, size_t *got, int64_t deadline_us,
                          GError **error)
{
    if (!under_receive(wire, bytes, max, got, deadline_us, error))
        return false;
    put_chunk((struct wire_traced *)wire, false, bytes, *got);
    return true;
}

static bool trace_set_line(struct wire *wire, const struct wire_line *line, GError **error)
{
    struct wire_traced *traced = (struct wire_traced *)wire;
    g_autofree char *text = wire_line_format(line);
    if (!wire_line_is_can(line))
        fprintf(traced->file, "# line %s\n", text);
    return under_set_line(wire, line, error);
}

static void trace_close(struct wire *wire)
{
    fclose(((struct wire_traced *)wire)->file);
}

static const struct wire_kind trace_kind = {"trace",          trace_send,    trace_receive, trace_set_line,
                                            under_set_signal, under_discard, trace_close};

struct wire *wire_trace(struct wire *under, const char *path, wire_mask mask, void *context, GError **error)
{
    FILE *file = fopen(path, "wxe");
    if (!file) {
        error_set(error, ERROR_STORAGE, "trace %s: %s", path, g_strerror(errno));
        return NULL;
    }
    struct wire_traced *traced = g_new0(struct wire_traced, 1);
    wire_over(&traced->wire, &trace_kind, under);
    traced->file = file;
    traced->start_us = tick_now(under->tick);
    traced->mask = mask;
    traced->context = context;
    g_autofree char *text = wire_line_format(&under->line);
    /* Readers of candump's logs know no comments. */
    if (!wire_line_is_can(&under->line))
        fprintf(file, "# %s\n# line %s\n", under->url, text);
    return &traced->wire;
}

void wire_set_mask(struct wire *wire, wire_mask mask, void *context)
{
    for (; wire; wire = wire->under) {
        if (wire->kind != &trace_kind)
            continue;
        ((struct wire_traced *)wire)->mask = mask;
        ((struct wire_traced *)wire)->context = context;
    }
}

/* fault: the same seed gives the same faults for the same traffic. */
struct wire_faulty {
    struct wire wire;
    struct wire_fault_plan plan;
    uint64_t state, seen;
    GByteArray *again; /* duplicated bytes still to be delivered */
};

/* xorshift64*, Vigna 2016. */
static uint32_t next_random(struct wire_faulty *faulty)
{
    faulty->state ^= faulty->state >> 12;
    faulty->state ^= faulty->state << 25;
    faulty->state ^= faulty->state >> 27;
    return (uint32_t)(faulty->state * 2685821657736338717ull >> 32);
}

static bool hits(struct wire_faulty *faulty, uint32_t ppm)
{
    return ppm && next_random(faulty) % 1000000 < ppm;
}

static bool is_cut(struct wire_faulty *faulty, GError **error)
{
    return faulty->plan.cut_after_bytes && faulty->seen >= faulty->plan.cut_after_bytes &&
           !error_set(error, ERROR_CABLE, "%s: the cable was cut", faulty->wire.url);
}

static void spoil(struct wire_faulty *faulty, const uint8_t *bytes, size_t n, GByteArray *out)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t byte = bytes[i];
        faulty->seen++;
        if (faulty->plan.cut_after_bytes && faulty->seen > faulty->plan.cut_after_bytes)
            return;
        if (hits(faulty, faulty->plan.drop_ppm))
            continue;
        if (hits(faulty, faulty->plan.corrupt_ppm))
            byte ^= (uint8_t)(1u << next_random(faulty) % 8);
        g_byte_array_append(out, &byte, 1);
        if (hits(faulty, faulty->plan.duplicate_ppm))
            g_byte_array_append(out, &byte, 1);
    }
}

/* The controllers find a damaged frame by its CRC, so that it counts as lost. */
static void spoil_frames(struct wire_faulty *faulty, const uint8_t *bytes, size_t n, GByteArray *out)
{
    for (size_t at = 0; at + CAN_RECORD <= n; at += CAN_RECORD) {
        bool lost = false, twice = false;
        for (unsigned i = 0; i < CAN_RECORD; i++, faulty->seen++) {
            lost |= hits(faulty, faulty->plan.drop_ppm) || hits(faulty, faulty->plan.corrupt_ppm);
            twice |= hits(faulty, faulty->plan.duplicate_ppm);
        }
        if (faulty->plan.cut_after_bytes && faulty->seen > faulty->plan.cut_after_bytes)
            return;
        for (int i = 0; !lost && i < 1 + twice; i++)
            g_byte_array_append(out, bytes + at, CAN_RECORD);
    }
}

static void spoil_any(struct wire_faulty *faulty, const uint8_t *bytes, size_t n, GByteArray *out)
{
    if (wire_line_is_can(&faulty->wire.line))
        spoil_frames(faulty, bytes, n, out);
    else
        spoil(faulty, bytes, n, out);
}

static bool fault_send(struct wire *wire, const uint8_t *bytes, size_t n, int64_t deadline_us, GError **error)
{
    struct wire_faulty *faulty = (struct wire_faulty *)wire;
    g_autoptr(GByteArray) out = g_byte_array_new();
    if (is_cut(faulty, error))
        return false;
    spoil_any(faulty, bytes, n, out);
    return out->len == 0 || under_send(wire, out->data, out->len, deadline_us, error);
}

static bool fault_receive(struct wire *wire, uint8_t *bytes, size_t max, size_t *got, int64_t deadline_us,
                          GError **error)
{
    struct wire_faulty *faulty = (struct wire_faulty *)wire;
    while (faulty->again->len == 0) {
        g_autofree uint8_t *fresh = g_malloc(max);
        size_t n;
        if (is_cut(faulty, error) || !under_receive(wire, fresh, max, &n, deadline_us, error))
            return false;
        spoil_any(faulty, fresh, n, faulty->again);
    }
    *got = MIN(max, faulty->again->len);
    if (wire_line_is_can(&wire->line))
        *got -= *got % CAN_RECORD;
    memcpy(bytes, faulty->again->data, *got);
    g_byte_array_remove_range(faulty->again, 0, (guint)*got);
    return true;
}

static bool fault_discard(struct wire *wire, GError **error)
{
    struct wire_faulty *faulty = (struct wire_faulty *)wire;
    g_byte_array_set_size(faulty->again, 0);
    return !is_cut(faulty, error) && under_discard(wire, error);
}

static void fault_close(struct wire *wire)
{
    g_byte_array_unref(((struct wire_faulty *)wire)->again);
}

static const struct wire_kind fault_kind = {"fault",          fault_send,    fault_receive, under_set_line,
                                            under_set_signal, fault_discard, fault_close};

struct wire *wire_fault(struct wire *under, const struct wire_fault_plan *plan)
{
    struct wire_faulty *faulty = g_new0(struct wire_faulty, 1);
    wire_over(&faulty->wire, &fault_kind, under);
    faulty->plan = *plan;
    faulty->state = plan->seed * 0x9e3779b97f4a7c15ull + 0x2545f4914f6cdd1dull;
    faulty->again = g_byte_array_new();
    return &faulty->wire;
}
