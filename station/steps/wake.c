/* A board that sleeps: the operator is told what to do, and the station notices by itself when it answers.
 * Adapter and board are two states, shown and recorded apart: the one may be there without the other. */
#include "station/step.h"

#include "station/base/error.h"

extern const struct step_kind step_sleep;
bool identify_wake(struct step_context *context, const struct recipe_identify *p, GError **error);

#define LOOK_MS      500
#define SILENCE_MS   1000 /* how long a board may take to fall asleep */
#define SLEEP_TRIES  3
#define FALL_POLL_MS 100

/* false with *silence set: it does not answer; any other error ends the waiting. */
static bool answers(struct step_context *context, GError **silence)
{
    struct board_identity identity;
    return board_identify(context->board, &identity, silence);
}

static bool post_connected(struct step_context *context, int64_t began, GError **error)
{
    int64_t took_ms = (tick_now(context->slot->tick) - began) / 1000;
    g_autofree char *text = g_strdup_printf("board connected: it answers after %d.%d s",
                                            (int)(took_ms / 1000), (int)(took_ms % 1000 / 100));
    return step_note(context, text, error);
}

static bool wait_awake(struct step_context *context, const struct recipe_identify *p, GError **error)
{
    const int64_t began = tick_now(context->slot->tick), deadline = began + p->wake_within;
    while (true) {
        g_autoptr(GError) silence = NULL;
        if (answers(context, &silence))
            return post_connected(context, began, error);
        if (error_kind(silence) != ERROR_SILENT) {
            g_propagate_error(error, g_steal_pointer(&silence));
            return false;
        }
        int64_t now = tick_now(context->slot->tick);
        if (now >= deadline)
            return error_set(error, ERROR_ABSENT, "adapter open, but no board answers after %d s (%s). %s",
                             (int)((now - began) / 1000000), silence->message, p->wake);
        step_progress(context, "wake", (uint64_t)(now - began) / 1000000, (uint64_t)p->wake_within / 1000000);
        if (!wire_pause_ms(context->wire, LOOK_MS, error))
            return false;
    }
}

bool identify_wake(struct step_context *context, const struct recipe_identify *p, GError **error)
{
    g_autoptr(GError) silence = NULL;
    g_autofree char *line = wire_line_format(&context->wire->line);
    g_autofree char *open = g_strdup_printf("adapter open: %s at %s", context->wire->url, line);
    g_autofree char *text = g_strdup_printf("board silent: %s", p->wake);
    const int64_t began = tick_now(context->slot->tick);
    if (!step_note(context, open, error))
        return false;
    if (answers(context, &silence))
        return post_connected(context, began, error);
    if (error_kind(silence) != ERROR_SILENT) {
        g_propagate_error(error, g_steal_pointer(&silence));
        return false;
    }
    const bool charge = p->wake_current && context->bench;
    if (!step_note(context, text, error) ||
        (charge && !bench_set_current(context->bench, p->wake_current, error)))
        return false;
    bool ok = wait_awake(context, p, error);
    if (charge)
        bench_safe(context->bench);
    return ok;
}

/* Tells it to sleep and looks; *asleep stays false when it answers until the time is over. */
static bool send_to_sleep(struct step_context *context, bool *asleep, GError **error)
{
    if (!board_control(context->board, CONTROL_SLEEP, 0, error))
        return false;
    const int64_t deadline = tick_deadline_ms(context->slot->tick, SILENCE_MS);
    while (tick_now(context->slot->tick) < deadline) {
        g_autoptr(GError) silence = NULL;
        if (!wire_pause_ms(context->wire, FALL_POLL_MS, error))
            return false;
        if (answers(context, &silence))
            continue;
        *asleep = error_kind(silence) == ERROR_SILENT;
        if (!*asleep)
            g_propagate_error(error, g_steal_pointer(&silence));
        return *asleep;
    }
    return true;
}

/* The command may be lost on the way, as any request; a board that heard it does nothing else at the second.
 */
static bool run_sleep(struct step_context *context, GError **error)
{
    bool asleep = false;
    if (!step_same_board(context, error) || !step_intent(context, "sleep", NULL, error))
        return false;
    for (int i = 0; i < SLEEP_TRIES && !asleep; i++)
        if (!send_to_sleep(context, &asleep, error))
            return false;
    return asleep ? step_result(context, "sleep", "the board is silent", error)
                  : error_set(error, ERROR_REFUSED, "the board was sent to sleep %d times and still answers",
                              SLEEP_TRIES);
}

const struct step_kind step_sleep = {
    .verb = "sleep",
    .title = "Send the board to sleep",
    .repeatable = false, /* nobody answers a second time */
    .timeout_s = 30,
    .run = run_sleep,
};
