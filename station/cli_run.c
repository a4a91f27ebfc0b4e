/* run: one unit on one slot of a configured station. */
#include "station/cli.h"

#include "station/base/error.h"
#include "station/unit.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

extern const struct cli_verb cli_run_verbs[];

struct stopper {
    sigset_t signals;
    struct cancel *cancel;
};

/* A person's Ctrl-C or a supervisor's SIGTERM stops the run at its next wait; the verdict is still recorded.
 */
static void *wait_for_stop(void *data)
{
    struct stopper *stopper = data;
    int number;
    sigwait(&stopper->signals, &number);
    cancel_request(stopper->cancel);
    return NULL;
}

static int run_with(const struct cli_input *input, const struct config *config, struct cancel *cancel)
{
    GError *error = NULL;
    g_autofree char *folder = config_path(config, config->store);
    g_autoptr(store_auto) store = store_open(folder, config->station, tick_real(), &error);
    if (!store)
        return cli_fail(input, error);
    const struct unit_request request = {.recipe = cli_get(input, "recipe"),
                                         .slot = cli_get(input, "slot"),
                                         .scan = cli_get(input, "scan"),
                                         .operator_name = cli_get(input, "operator"),
                                         .assume_yes = cli_has(input, "yes"),
                                         .cancel = cancel,
                                         .tick = tick_real()};
    struct screen *screen = screen_new(input->json);
    int code = unit_run(config, store, &request, screen, &error);
    screen_free(screen);
    return code < 0 ? cli_fail(input, error) : code;
}

static int run(const struct cli_input *input)
{
    static const char *const needed[] = {"station", "recipe", "scan"};
    GError *error = NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(needed); i++)
        if (!cli_has(input, needed[i]))
            return cli_usage(input, "--%s is missing", needed[i]);
    g_autoptr(config_auto) config = config_open(cli_get(input, "station"), &error);
    if (!config)
        return cli_fail(input, error);
    g_autoptr(cancel_auto) cancel = cancel_new();
    struct stopper stopper = {.cancel = cancel};
    sigemptyset(&stopper.signals);
    sigaddset(&stopper.signals, SIGINT);
    sigaddset(&stopper.signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &stopper.signals, NULL);
    pthread_t thread;
    bool watched = pthread_create(&thread, NULL, wait_for_stop, &stopper) == 0;
    int code = run_with(input, config, cancel);
    /* The thread ends by the same signal it waits for. */
    if (watched) {
        pthread_kill(thread, SIGTERM);
        pthread_join(thread, NULL);
    }
    return code;
}

static const struct cli_option run_options[] = {
    {"station", 's', "FILE", false, "the station file"},
    {"recipe", 'r', "FILE", false, "a release (production) or a recipe (trial)"},
    {"slot", 0, "NAME", false, "the slot; default is the station's first"},
    {"scan", 0, "TEXT", false, "what the scanner read"},
    {"operator", 0, "NAME", false, "who works here, for the record"},
    {"yes", 'y', NULL, false, "answer confirmations with yes, on record"},
    {NULL},
};

const struct cli_verb cli_run_verbs[] = {
    {.name = "run",
     .arguments = "",
     .summary = "provision one unit on one slot",
     .text =
         "Plans recipe, profile, firmware package and label against this station and this scan, refuses what "
         "can "
         "be refused before a board is touched, then runs every step with each fact on disk before it is "
         "shown. "
         "A release file makes it a production run; a recipe file runs as a trial, which never counts as a "
         "production PASS and prints no label.",
     .options = run_options,
     .run = run},
    {NULL},
};
