#include "station/base/tick.h"

#include <errno.h>
#include <time.h>

static int64_t clock_us(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int64_t real_now(struct tick *tick)
{
    (void)tick;
    return clock_us(CLOCK_MONOTONIC);
}

static int64_t real_wall(struct tick *tick)
{
    (void)tick;
    return clock_us(CLOCK_REALTIME);
}

static void real_sleep_until(struct tick *tick, int64_t deadline_us)
{
    (void)tick;
    struct timespec ts = {.tv_sec = deadline_us / 1000000, .tv_nsec = (deadline_us % 1000000) * 1000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
        continue;
}

static struct tick real = {real_now, real_wall, real_sleep_until, false};

struct tick *tick_real(void)
{
    return &real;
}

static int64_t virtual_now(struct tick *tick)
{
    return ((struct tick_virtual *)tick)->now;
}

static int64_t virtual_wall(struct tick *tick)
{
    struct tick_virtual *clock = (struct tick_virtual *)tick;
    return clock->now + clock->wall_minus_now;
}

static void virtual_sleep_until(struct tick *tick, int64_t deadline_us)
{
    struct tick_virtual *clock = (struct tick_virtual *)tick;
    /* Sleeping for ever on a clock that nobody else moves is a deadlock of the caller. */
    g_assert(deadline_us != TICK_NEVER);
    clock->now = MAX(clock->now, deadline_us);
}

void tick_virtual_init(struct tick_virtual *clock, int64_t wall_us)
{
    *clock = (struct tick_virtual){
        .tick = {virtual_now, virtual_wall, virtual_sleep_until, true},
        .now = TICK_S(1),
        .wall_minus_now = wall_us - TICK_S(1),
    };
}

int64_t tick_deadline_ms(struct tick *tick, int64_t ms)
{
    int64_t now = tick_now(tick);
    return ms > (TICK_NEVER - now) / 1000 ? TICK_NEVER : now + ms * 1000;
}

char *tick_format_utc(int64_t wall_us)
{
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    return g_strdup_printf("%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", tm.tm_year + 1900, tm.tm_mon + 1,
                           tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(wall_us % 1000000));
}
