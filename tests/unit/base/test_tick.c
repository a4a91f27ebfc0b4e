#include "station/base/tick.h"

static void test_virtual(void)
{
    struct tick_virtual clock;
    tick_virtual_init(&clock, TICK_S(1795132800));
    struct tick *tick = &clock.tick;
    g_assert_true(tick->is_virtual);
    g_assert_cmpint(tick_now(tick), ==, TICK_S(1));
    g_assert_cmpint(tick_wall(tick), ==, TICK_S(1795132800));
    tick_sleep_until(tick, TICK_S(3601)); /* an hour, at once */
    g_assert_cmpint(tick_now(tick), ==, TICK_S(3601));
    g_assert_cmpint(tick_wall(tick), ==, TICK_S(1795132800 + 3600));
    tick_sleep_until(tick, TICK_S(2)); /* a deadline that has passed moves nothing back */
    g_assert_cmpint(tick_now(tick), ==, TICK_S(3601));
    clock.wall_minus_now -= TICK_S(60); /* somebody sets the wall clock back: deadlines do not care */
    g_assert_cmpint(tick_now(tick), ==, TICK_S(3601));
    g_assert_cmpint(tick_wall(tick), ==, TICK_S(1795132800 + 3540));
}

static void test_deadline(void)
{
    struct tick_virtual clock;
    tick_virtual_init(&clock, 0);
    g_assert_cmpint(tick_deadline_ms(&clock.tick, 250), ==, TICK_S(1) + TICK_MS(250));
    g_assert_cmpint(tick_deadline_ms(&clock.tick, 0), ==, TICK_S(1));
    g_assert_cmpint(tick_deadline_ms(&clock.tick, INT64_MAX), ==, TICK_NEVER);
    g_assert_cmpint(tick_deadline_ms(&clock.tick, INT64_MAX / 1000), ==, TICK_NEVER);
}

static void test_real(void)
{
    struct tick *tick = tick_real();
    g_assert_false(tick->is_virtual);
    int64_t start = tick_now(tick), wall = tick_wall(tick);
    tick_sleep_until(tick, start + TICK_MS(20));
    g_assert_cmpint(tick_now(tick), >=, start + TICK_MS(20));
    g_assert_cmpint(ABS(wall - g_get_real_time()), <, TICK_S(60));
    int64_t before = tick_now(tick);
    tick_sleep_until(tick, start); /* long past */
    g_assert_cmpint(tick_now(tick) - before, <, TICK_S(5));
}

static void test_format(void)
{
    static const struct {
        int64_t wall_us;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000000Z"},
        {INT64_C(1795212789123456), "2026-11-20T22:13:09.123456Z"},
        {INT64_C(1835395199999999), "2028-02-28T23:59:59.999999Z"},
        {INT64_C(1835395200000000), "2028-02-29T00:00:00.000000Z"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = tick_format_utc(cases[i].wall_us);
        g_assert_cmpstr(text, ==, cases[i].text);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tick/virtual", test_virtual);
    g_test_add_func("/tick/deadline", test_deadline);
    g_test_add_func("/tick/real", test_real);
    g_test_add_func("/tick/format", test_format);
    return g_test_run();
}
