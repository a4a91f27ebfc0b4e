/* Login, restart, and the second reading of everything written. */
#include "station/step.h"

#include "station/base/error.h"

extern const struct step_kind step_login_kind, step_restart, step_verify;

#define POWER_OFF_MS 500
#define START_MAX    TICK_S(10)

static bool run_login(struct step_context *context, GError **error)
{
    const struct recipe_login *p = context->step->parameters;
    /* A board that sits in its bootloader has nobody to log in to; the step after flashing does. */
    if (context->in_bootloader)
        return step_note(context, "no application runs yet; login is done after the restart", error);
    return step_login(context, p->level, p->secret, error);
}

static bool restart_by(struct step_context *context, int how, GError **error)
{
    struct desk_answer answer = {0};
    switch ((enum recipe_restart_how)how) {
    case RESTART_COMMAND:
        return board_control(context->board, CONTROL_RESET, 0, error);
    case RESTART_POWER:
        return wire_pause_ms(context->wire, STEP_STORED_MS, error) &&
               bench_power_cycle(context->bench, POWER_OFF_MS, error);
    case RESTART_PROMPT:
        if (!context->desk->ask(
                context->desk->context,
                &(struct desk_ask){.question = ASK_CONFIRM,
                                   .text = "Switch the board off, wait three seconds, switch it on, "
                                           "then confirm."},
                &answer, error))
            return false;
        return answer.yes || error_set(error, ERROR_CANCELLED, "the operator did not restart the board");
    }
    return error_set(error, ERROR_INTERNAL, "no such restart");
}

static bool run_restart(struct step_context *context, GError **error)
{
    const struct recipe_restart *p = context->step->parameters;
    if (!step_same_board(context, error) || !step_intent(context, "restart", NULL, error) ||
        !restart_by(context, p->how, error))
        return false;
    context->board->level = 0;
    /* The answer must come from the restarted application, not from the one about to reset. */
    if (!wire_pause_ms(context->wire, 400, error) || !wire_discard(context->wire, error))
        return false;
    const struct profile_firmware *firmware = &context->plan->profile->firmware;
    int64_t start_max = firmware->loader ? firmware->start_max : START_MAX; /* nobody said */
    int64_t deadline = tick_now(context->slot->tick) + start_max;
    /* What is known by its serial number alone may not show that before the login. */
    const bool login_first = p->login && context->plan->profile->unit == UNIT_SERIAL_NUMBER;
    if (!board_wait_alive(context->board, deadline, &context->identity, error) ||
        (login_first && !step_login(context, p->level, p->login, error)) || !step_same_board(context, error))
        return false;
    context->restarts++;
    return (!p->login || login_first || step_login(context, p->level, p->login, error)) &&
           step_result(context, "restart", context->identity.firmware, error);
}

static bool run_verify(struct step_context *context, GError **error)
{
    guint n = g_hash_table_size(context->written), i = 0;
    g_autofree struct item_value *values = g_new0(struct item_value, MAX(n, 1));
    if (context->restarts == 0)
        return error_set(error, ERROR_RULE,
                         "the board was not restarted since the last write, so this proves nothing");
    /* In profile order, so that neighbours are read as one block. */
    for (guint k = 0; k < context->plan->profile->items->len; k++) {
        const struct profile_item *item = g_ptr_array_index(context->plan->profile->items, k);
        const struct item_value *written = g_hash_table_lookup(context->written, item->key);
        if (written)
            values[i++] = *written;
    }
    g_assert(i == n);
    if (!step_same_board(context, error) || !step_compare_values(context, values, i, "after-restart", error))
        return false;
    g_autofree char *text = g_strdup_printf("%u items read back equal after a restart", i);
    return step_same_board(context, error) && step_result(context, "verify-values", text, error);
}

const struct step_kind step_login_kind = {
    .verb = "login",
    .title = "Log in",
    .repeatable = false, /* a wrong password is never tried again */
    .timeout_s = 10,
    .run = run_login,
};

const struct step_kind step_restart = {
    .verb = "restart",
    .title = "Restart the board",
    .repeatable = true,
    .timeout_s = 60,
    .run = run_restart,
};

const struct step_kind step_verify = {
    .verb = "verify",
    .title = "Read every value again",
    .repeatable = true,
    .timeout_s = 120,
    .run = run_verify,
};
