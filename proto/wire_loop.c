/* loop: the far side lives in this process and on this wire's clock. */
#include "proto/wire_kinds.h"

#include "station/base/error.h"

struct wire_loop {
    struct wire wire;
    struct wire_far_side far;
};

static bool loop_send(struct wire *wire, const uint8_t *bytes, size_t n, int64_t deadline_us, GError **error)
{
    struct wire_loop *loop = (struct wire_loop *)wire;
    (void)deadline_us, (void)error;
    loop->far.accept(loop->far.context, bytes, n, tick_now(wire->tick));
    return true;
}

static bool loop_receive(struct wire *wire, uint8_t *bytes, size_t max, size_t *got, int64_t deadline_us,
                         GError **error)
{
    struct wire_loop *loop = (struct wire_loop *)wire;
    while (true) {
        int64_t now = tick_now(wire->tick);
        *got = loop->far.produce(loop->far.context, bytes, max, now);
        if (*got > 0)
            return true;
        if (now >= deadline_us)
            return error_set(error, ERROR_SILENT, "no answer in time");
        if (cancel_requested(wire->cancel))
            return error_set(error, ERROR_CANCELLED, "stopped by the operator");
        int64_t next = loop->far.next_us(loop->far.context);
        /* A far side that promises something for now but gives nothing must not stop the clock. */
        next = MAX(next, now + 1);
        tick_sleep_until(wire->tick, MIN(next, deadline_us));
    }
}

static bool loop_set_line(struct wire *wire, const struct wire_line *line, GError **error)
{
    struct wire_loop *loop = (struct wire_loop *)wire;
    (void)error;
    if (loop->far.line)
        loop->far.line(loop->far.context, line);
    return true;
}

static bool loop_set_signal(struct wire *wire, enum wire_signal signal, bool on, GError **error)
{
    struct wire_loop *loop = (struct wire_loop *)wire;
    if (!loop->far.signal)
        return error_set(error, ERROR_REFUSED, "this far side has no modem lines");
    loop->far.signal(loop->far.context, signal, on, tick_now(wire->tick));
    return true;
}

static bool loop_discard(struct wire *wire, GError **error)
{
    struct wire_loop *loop = (struct wire_loop *)wire;
    uint8_t waste[256];
    (void)error;
    for (int i = 0;
         i < 1000 && loop->far.produce(loop->far.context, waste, sizeof waste, tick_now(wire->tick)) > 0; i++)
        continue;
    return true;
}

static void loop_close(struct wire *wire)
{
    (void)wire;
}

static const struct wire_kind loop_kind = {"loop:",         loop_send,    loop_receive, loop_set_line,
                                           loop_set_signal, loop_discard, loop_close};

struct wire *wire_loop_open(const struct wire_far_side *far, const struct wire_options *options)
{
    struct wire_loop *loop = g_new0(struct wire_loop, 1);
    wire_init(&loop->wire, &loop_kind, options, "loop:");
    loop->far = *far;
    return &loop->wire;
}
