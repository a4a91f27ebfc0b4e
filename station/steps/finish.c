/* Clock, anti-theft, self-test with limits, questions to the operator, and the label's place in the order. */
#include "station/step.h"

#include "station/base/error.h"

#include <stdlib.h>
#include <string.h>

extern const struct step_kind step_clock, step_antitheft_off, step_measure_kind, step_prompt, step_label;

#define CLOCK_STEP_MAX_US TICK_S(2)

static bool check_stepped(const struct step_context *context, GError **error)
{
    struct tick *tick = context->slot->tick;
    int64_t stepped = tick_wall(tick) - tick_now(tick) - context->wall_offset_us;
    return llabs(stepped) <= CLOCK_STEP_MAX_US ||
           error_set(error, ERROR_RULE,
                     "the station's clock was moved by %" G_GINT64_FORMAT
                     " s during this run: it cannot set a board",
                     stepped / 1000000);
}

static bool run_clock(struct step_context *context, GError **error)
{
    const struct recipe_clock *p = context->step->parameters;
    struct tick *tick = context->slot->tick;
    int64_t board_us;
    /* Once more behind the reading: a clock that moved in between would be compared with itself. */
    if (!check_stepped(context, error) || !step_same_board(context, error) ||
        !step_intent(context, "clock", NULL, error) ||
        !board_clock_write(context->board, tick_wall(tick), error) ||
        !wire_pause_ms(context->wire, 1100, error) || !board_clock_read(context->board, &board_us, error) ||
        !check_stepped(context, error))
        return false;
    /* The board shows whole seconds. */
    int64_t off = board_us - tick_wall(tick);
    g_autofree char *text = tick_format_utc(board_us);
    return step_measure(context,
                        &(struct step_measurement){.name = "clock error",
                                                   .quantity = QUANTITY_TIME,
                                                   .value = off,
                                                   .min = -p->tolerance,
                                                   .max = p->tolerance,
                                                   .has_min = true,
                                                   .has_max = true},
                        error) &&
           step_result(context, "clock", text, error);
}

static bool run_antitheft(struct step_context *context, GError **error)
{
    const struct recipe_antitheft_off *p = context->step->parameters;
    const struct secret *code =
        context->slot->secret ? context->slot->secret(context->slot->context, p->secret) : NULL;
    if (!code)
        return error_set(error, ERROR_AUTHOR, "the station has no secret named '%s'; add it under `secrets:`",
                         p->secret);
    if (!step_same_board(context, error) || !step_intent(context, "antitheft-off", NULL, error) ||
        !board_antitheft_off(context->board, code, error))
        return false;
    /* The tool's own success text says the opposite of what it means, so only the read-back counts. */
    for (guint i = 0; i < context->plan->profile->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(context->plan->profile->items, i);
        struct item_value value;
        if (!g_str_has_prefix(item->key, "antitheft.") || item->type != ITEM_FLAG)
            continue;
        if (!board_read_item(context->board, item, &value, error))
            return false;
        if (value.raw != 0)
            return error_set(error, ERROR_MISMATCH, "%s is still on after it was switched off", item->key);
        value.raw = value.value = 0;
        g_hash_table_replace(context->written, g_strdup(item->key), g_memdup2(&value, sizeof value));
    }
    context->restarts = 0;
    return step_result(context, "antitheft-off", "all anti-theft modes read back as off", error);
}

static bool reading_of(const struct board_telemetry *t, int reading, int64_t *value)
{
    if (!telemetry_tells(t, recipe_readings()[reading].from))
        return false;
    int64_t low = INT64_MAX, high = INT64_MIN, cold = INT64_MAX, hot = INT64_MIN;
    for (unsigned i = 0; i < t->cells; i++) {
        low = MIN(low, t->cell_mv[i]);
        high = MAX(high, t->cell_mv[i]);
    }
    for (unsigned i = 0; i < t->sensors; i++) {
        if (t->sensor_mdeg[i] == TELEMETRY_ABSENT)
            continue;
        cold = MIN(cold, t->sensor_mdeg[i]);
        hot = MAX(hot, t->sensor_mdeg[i]);
    }
    const int64_t values[READINGS] = {
        [READING_PACK_VOLTAGE] = t->pack_mv,
        [READING_CELL_MAX] = high,
        [READING_CELL_MIN] = low,
        [READING_CELL_DELTA] = t->cells ? high - low : INT64_MIN,
        [READING_CELL_COUNT] = t->cells,
        [READING_CURRENT] = t->current_ma,
        [READING_SOC] = t->soc_ppc,
        [READING_TEMPERATURE_MAX] = hot,
        [READING_TEMPERATURE_MIN] = cold,
        [READING_AMBIENT] = t->ambient_mdeg,
        [READING_MOS] = t->mos_mdeg,
        [READING_PROTECTIONS] = t->protections,
        [READING_ALARMS] = t->alarms,
        [READING_CHARGE_FET] = t->charge_fet,
        [READING_DISCHARGE_FET] = t->discharge_fet,
        [READING_ANTITHEFT_LOCKED] = t->antitheft_locked,
    };
    *value = values[reading];
    return *value != INT64_MIN && *value != INT64_MAX;
}

static bool run_measure(struct step_context *context, GError **error)
{
    const struct recipe_measure *p = context->step->parameters;
    struct board_telemetry telemetry;
    GError *first = NULL;
    g_autoptr(GError) hold = NULL; /* a unit that is bad for another reason is bad */
    if (!step_same_board(context, error) || !board_telemetry(context->board, &telemetry, error))
        return false;
    /* All limits are measured and recorded even when one fails: the record should show the whole picture. */
    for (guint i = 0; i < p->limits->len; i++) {
        const struct recipe_limit *limit = g_ptr_array_index(p->limits, i);
        const struct recipe_reading_info *info = &recipe_readings()[limit->reading];
        struct step_measurement m = {.name = info->name,
                                     .quantity = info->quantity,
                                     .min = limit->min,
                                     .max = limit->max,
                                     .has_min = limit->has_min,
                                     .has_max = limit->has_max};
        g_autoptr(GError) failure = NULL;
        /* A board that cuts its percentage off may truly stand almost one step higher. */
        if (limit->reading == READING_SOC)
            m.max -= telemetry.soc_more_ppc;
        if (!reading_of(&telemetry, limit->reading, &m.value))
            error_set(&failure, ERROR_LIMIT, "%s: the board does not report it", info->name);
        else if (step_measure(context, &m, &failure))
            continue;
        if (error_kind(failure) == ERROR_LIMIT && limit->beyond == BEYOND_HOLD) {
            if (!hold)
                error_set(&hold, ERROR_HOLD, "%s: %s", failure->message, limit->advice);
            continue;
        }
        if (!first)
            first = g_steal_pointer(&failure);
        if (error_kind(first) != ERROR_LIMIT)
            break;
    }
    if (first && telemetry.active[0] && error_kind(first) == ERROR_LIMIT)
        g_prefix_error(&first, "(active: %s) ", telemetry.active);
    if (!first)
        first = g_steal_pointer(&hold);
    if (first) {
        g_propagate_error(error, first);
        return false;
    }
    return true;
}

static bool run_prompt(struct step_context *context, GError **error)
{
    const struct recipe_prompt *p = context->step->parameters;
    static const enum desk_question questions[] = {[QUESTION_CONFIRM] = ASK_CONFIRM,
                                                   [QUESTION_PASS_FAIL] = ASK_PASS_FAIL,
                                                   [QUESTION_NUMBER] = ASK_NUMBER};
    struct desk_ask ask = {.question = questions[p->question],
                           .text = p->text,
                           .quantity = (enum quantity)p->quantity,
                           .min = p->min,
                           .max = p->max};
    struct desk_answer answer = {0};
    if (!context->desk->ask(context->desk->context, &ask, &answer, error))
        return false;
    if (p->question == QUESTION_NUMBER)
        return step_measure(context,
                            &(struct step_measurement){.name = p->text,
                                                       .quantity = ask.quantity,
                                                       .value = answer.number,
                                                       .min = p->min,
                                                       .max = p->max,
                                                       .has_min = p->min_text != NULL,
                                                       .has_max = p->max_text != NULL},
                            error);
    g_autofree char *note =
        g_strdup_printf("the operator answered %s to: %s", answer.yes ? "yes" : "no", p->text);
    if (!step_note(context, note, error))
        return false;
    return answer.yes || error_set(error, ERROR_LIMIT, "the operator answered no to: %s", p->text);
}

/* Labels are printed from the committed PASS row, never from a running engine; here the plan's layout is only
 * named so that the record of the run says that a label belongs to it. */
static bool run_label(struct step_context *context, GError **error)
{
    const char *text =
        context->plan->production ? "the label is printed from the PASS row" : "a trial prints no label";
    return step_result(context, "label", text, error);
}

const struct step_kind step_clock = {
    .verb = "clock",
    .title = "Set the clock",
    .repeatable = true,
    .timeout_s = 30,
    .run = run_clock,
};

const struct step_kind step_antitheft_off = {
    .verb = "antitheft_off",
    .title = "Switch anti-theft off",
    .repeatable = false, /* a wrong code is never tried again */
    .timeout_s = 30,
    .run = run_antitheft,
};

const struct step_kind step_measure_kind = {
    .verb = "measure",
    .title = "Self-test",
    .repeatable = true,
    .timeout_s = 60,
    .run = run_measure,
};

const struct step_kind step_prompt = {
    .verb = "prompt",
    .title = "Ask the operator",
    .repeatable = false,
    .timeout_s = 3600,
    .run = run_prompt,
};

const struct step_kind step_label = {
    .verb = "label",
    .title = "Label",
    .repeatable = true,
    .timeout_s = 10,
    .run = run_label,
};
