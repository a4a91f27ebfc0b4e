/* References that a person reads, and dates after which nothing is a reference any more. */
#include "station/base/error.h"
#include "station/bench.h"

#include <string.h>

struct person {
    unsigned asked;
    char last[200];
    bool yes;
    int64_t number;
};

static bool answer(void *context, const struct desk_ask *ask, struct desk_answer *answer, GError **error)
{
    struct person *person = context;
    (void)error;
    person->asked++;
    g_strlcpy(person->last, ask->text, sizeof person->last);
    answer->yes = person->yes;
    answer->number = person->number;
    return true;
}

static struct bench *entered(struct desk *desk, int64_t due_us)
{
    const struct bench_options options = {
        .kind = "entered", .identity = "Clamp meter 7", .due_us = due_us, .desk = desk, .tick = tick_real()};
    GError *error = NULL;
    struct bench *bench = bench_open(&options, &error);
    g_assert_no_error(error);
    return bench;
}

static void test_entered(void)
{
    struct person person = {.yes = true, .number = 20100};
    struct desk desk = {.context = &person, .ask = answer};
    struct bench *bench = entered(&desk, TICK_S(86400) * 30000);
    g_autoptr(GError) error = NULL;
    int64_t ma;
    g_assert_true(bench_rest(bench, &error)); /* nobody is asked before anything is needed */
    g_assert_cmpuint(person.asked, ==, 0);
    g_assert_true(bench_set_current(bench, 20000, &error));
    g_assert_nonnull(strstr(person.last, "20 A flow into the pack"));
    g_assert_true(bench_read_current(bench, &ma, &error));
    g_assert_cmpint(ma, ==, 20100);
    bench_safe(bench);
    g_assert_nonnull(strstr(person.last, "off"));
    unsigned asked = person.asked;
    bench_close(bench); /* nothing flows, so nobody is asked again */
    g_assert_cmpuint(person.asked, ==, asked);
    person.yes = false;
    bench = entered(&desk, TICK_S(86400) * 30000);
    g_assert_false(bench_set_current(bench, -5000, &error));
    g_assert_error(error, PACK_ERROR, ERROR_INSTRUMENT);
    g_clear_error(&error);
    g_assert_false(bench_power_cycle(bench, 1, &error));
    g_assert_error(error, PACK_ERROR, ERROR_INSTRUMENT);
    bench_close(bench);
}

static void test_due(void)
{
    struct person person = {0};
    struct desk desk = {.context = &person, .ask = answer};
    const int64_t day = TICK_S(86400), due = day * 20000;
    struct bench *bench = entered(&desk, due);
    g_autoptr(GError) error = NULL;
    g_assert_true(bench_valid(bench, due + day - 1, &error)); /* the day itself is good */
    g_assert_false(bench_valid(bench, due + day, &error));
    g_assert_error(error, PACK_ERROR, ERROR_INSTRUMENT);
    g_assert_nonnull(strstr(error->message, "2024-10-04"));
    g_clear_error(&error);
    bench_close(bench);
    bench = entered(&desk, 0);
    g_assert_false(bench_valid(bench, due, &error));
    g_clear_error(&error);
    bench_close(bench);
    g_assert_false(bench_valid(NULL, due, &error));
    g_assert_error(error, PACK_ERROR, ERROR_INSTRUMENT);
}

static void test_unknown(void)
{
    const struct bench_options options = {.kind = "visa", .tick = tick_real()},
                               away = {.kind = "scpi", .link = "unix:/nonexistent", .tick = tick_real()};
    g_autoptr(GError) error = NULL;
    g_assert_null(bench_open(&options, &error));
    g_assert_error(error, PACK_ERROR, ERROR_AUTHOR);
    g_clear_error(&error);
    g_assert_null(bench_open(&away, &error));
    g_assert_error(error, PACK_ERROR, ERROR_INSTRUMENT);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/bench/entered", test_entered);
    g_test_add_func("/bench/due", test_due);
    g_test_add_func("/bench/unknown", test_unknown);
    return g_test_run();
}
