/* A virtual board behind a loop wire on a virtual clock. */
#pragma once

#include "proto/virtual/vboard.h"
#include "proto/wire.h"

#include <string.h>

struct far {
    struct tick_virtual clock;
    struct vboard *board;
    struct wire *wire;
    bool dtr, rts;
};

static inline void far_accept(void *context, const uint8_t *bytes, size_t n, int64_t now_us)
{
    vboard_accept(((struct far *)context)->board, bytes, n, now_us);
}

static inline size_t far_produce(void *context, uint8_t *bytes, size_t max, int64_t now_us)
{
    return vboard_produce(((struct far *)context)->board, bytes, max, now_us);
}

static inline int64_t far_next(void *context)
{
    return vboard_next_us(((struct far *)context)->board);
}

static inline void far_signal(void *context, enum wire_signal signal, bool on, int64_t now_us)
{
    struct far *far = context;
    *(signal == WIRE_DTR ? &far->dtr : &far->rts) = on;
    vboard_lines(far->board, far->dtr, far->rts, now_us);
}

static inline void far_open_at(struct far *far, const char *family, unsigned address, const char *line,
                               bool bootloader, const char *const *defects)
{
    const struct vboard_options options = {
        .family = family, .bootloader = bootloader, .address = address, .unit_seed = 7, .defects = defects};
    GError *error = NULL;
    struct wire_options wire = {.tick = &far->clock.tick};
    const struct wire_far_side side = {far, far_accept, far_produce, far_next, far_signal, NULL};
    memset(far, 0, sizeof *far);
    tick_virtual_init(&far->clock, 1795000000000000);
    wire.tick = &far->clock.tick;
    g_assert_true(wire_line_parse(line, &wire.line, &error));
    far->board = vboard_new(&options, tick_now(wire.tick), &error);
    g_assert_no_error(error);
    far->wire = wire_loop_open(&side, &wire);
}

static inline void far_open_family(struct far *far, const char *family, const char *line, bool bootloader,
                                   const char *const *defects)
{
    far_open_at(far, family, 1, line, bootloader, defects);
}

static inline void far_open(struct far *far, const char *line, bool bootloader, const char *const *defects)
{
    far_open_family(far, "basen", line, bootloader, defects);
}

static inline void far_close(struct far *far)
{
    wire_close(far->wire);
    vboard_free(far->board);
}
