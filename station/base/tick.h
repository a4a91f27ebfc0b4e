/* Time, handed in. Nothing else in the house reads a clock or sleeps.
 *
 * Instants are int64 microseconds. now_us is monotonic and never steps; wall_us is UTC since 1970 and may
 * step. Deadlines are absolute monotonic instants; TICK_NEVER waits for ever. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define TICK_NEVER  INT64_MAX
#define TICK_MS(ms) ((int64_t)(ms)*1000)
#define TICK_S(s)   ((int64_t)(s)*1000000)

struct tick {
    int64_t (*now_us)(struct tick *tick);
    int64_t (*wall_us)(struct tick *tick);
    /* Returns at the deadline; a virtual clock gets there at once. */
    void (*sleep_until)(struct tick *tick, int64_t deadline_us);
    bool is_virtual;
};

/* A clock that only moves when somebody sleeps or a test moves it. */
struct tick_virtual {
    struct tick tick;
    int64_t now;
    int64_t wall_minus_now;
};

/* The machine's clock (CLOCK_MONOTONIC, CLOCK_REALTIME). Static, never freed. */
struct tick *tick_real(void);
/* Starts a virtual clock at monotonic 1 s and the given UTC instant. */
void tick_virtual_init(struct tick_virtual *clock, int64_t wall_us);

static inline int64_t tick_now(struct tick *tick)
{
    return tick->now_us(tick);
}
static inline int64_t tick_wall(struct tick *tick)
{
    return tick->wall_us(tick);
}
static inline void tick_sleep_until(struct tick *tick, int64_t deadline_us)
{
    tick->sleep_until(tick, deadline_us);
}
/* now + ms, saturating. */
int64_t tick_deadline_ms(struct tick *tick, int64_t ms);
/* "2026-11-20T22:13:09.123456Z"; newly allocated. */
char *tick_format_utc(int64_t wall_us);
