#include "station/base/cancel.h"

#include <poll.h>
#include <signal.h>

static int wait_on(int fd, int timeout_ms)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    return poll(&wait, 1, timeout_ms);
}

static void test_states(void)
{
    g_autoptr(cancel_auto) cancel = cancel_new();
    g_assert_false(cancel_requested(cancel));
    g_assert_cmpint(wait_on(cancel_fd(cancel), 0), ==, 0);
    for (int i = 0; i < 3; i++) { /* asked again, it stays requested */
        cancel_request(cancel);
        g_assert_true(cancel_requested(cancel));
        g_assert_cmpint(wait_on(cancel_fd(cancel), 0), ==, 1);
    }
}

static void test_null(void)
{
    g_assert_false(cancel_requested(NULL));
    g_assert_cmpint(cancel_fd(NULL), ==, -1);
    cancel_free(NULL);
}

static gpointer press(gpointer cancel)
{
    g_usleep(10000);
    cancel_request(cancel);
    return NULL;
}

/* A thread asleep on the descriptor is woken by another one. */
static void test_wakes(void)
{
    g_autoptr(cancel_auto) cancel = cancel_new();
    GThread *thread = g_thread_new("press", press, cancel);
    g_assert_cmpint(wait_on(cancel_fd(cancel), 10000), ==, 1);
    g_assert_true(cancel_requested(cancel));
    g_thread_join(thread);
}

static struct cancel *signalled;

static void on_signal(int number)
{
    (void)number;
    cancel_request(signalled);
}

static void test_signal(void)
{
    g_autoptr(cancel_auto) cancel = cancel_new();
    struct sigaction action = {.sa_handler = on_signal}, before;
    signalled = cancel;
    g_assert_cmpint(sigaction(SIGUSR1, &action, &before), ==, 0);
    g_assert_cmpint(raise(SIGUSR1), ==, 0);
    g_assert_true(cancel_requested(cancel));
    sigaction(SIGUSR1, &before, NULL);
    signalled = NULL;
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cancel/states", test_states);
    g_test_add_func("/cancel/null", test_null);
    g_test_add_func("/cancel/wakes", test_wakes);
    g_test_add_func("/cancel/signal", test_signal);
    return g_test_run();
}
