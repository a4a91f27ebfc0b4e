/* The story of a run: each step in order, with its attempts, until the first that fails; then the bench is
 * made safe and the verdict is recorded. PASS exists only when the desk has stored it. */
#include "station/step.h"

#include "station/base/error.h"

#include <string.h>

struct engine_failure {
    int step;
    const struct error_rule *rule;
    char *text;
};

void engine_describe(const struct plan *plan, struct event_run *run)
{
    const struct recipe *recipe = plan->recipe;
    const struct package *package = plan->package;
    run->scan = plan->scan;
    run->sn = plan->sn;
    run->model = recipe->model;
    run->recipe = recipe->recipe;
    run->recipe_sha256 = recipe->sha256;
    run->profile = plan->profile->profile;
    run->profile_sha256 = plan->profile->sha256;
    run->evidence = plan->profile->evidence;
    run->layout_sha256 = plan->layout_sha256;
    run->release_sha256 = plan->release ? plan->release->sha256 : "";
    run->plan_sha256 = plan->sha256;
    run->package_version = package ? package->manifest->version : "";
    run->package_sha256 = package ? package->manifest_sha256 : "";
    run->package_signer = package ? package->signer.key_id : "";
    run->production = plan->production;
    run->reference = plan->profile->has_reference;
    run->steps = plan->step_count;
}

static void stamp(const struct step_context *context, struct event *event)
{
    event->run = context->run;
    event->now_us = tick_now(context->slot->tick);
    event->wall_us = tick_wall(context->slot->tick);
}

static bool post(struct step_context *context, struct event *event, GError **error)
{
    stamp(context, event);
    return context->desk->post(context->desk->context, event, error);
}

static bool begin_step(struct step_context *context, const struct step_kind *kind, GError **error)
{
    struct event event = {.type = EVENT_STEP_BEGIN,
                          .step = context->index,
                          .attempt = context->attempt,
                          .verb = kind->verb,
                          .title = context->step->title ? context->step->title : kind->title};
    return post(context, &event, error);
}

static bool end_step(struct step_context *context, const struct step_kind *kind, int64_t started,
                     const GError *failure, GError **error)
{
    struct event event = {.type = EVENT_STEP_END,
                          .step = context->index,
                          .attempt = context->attempt,
                          .verb = kind->verb,
                          .title = context->step->title ? context->step->title : kind->title,
                          .ok = failure == NULL,
                          .duration_us = tick_now(context->slot->tick) - started};
    if (failure) {
        event.error_kind = error_rule(failure)->name;
        event.text = failure->message;
        event.detail = error_rule(failure)->advice;
    }
    return post(context, &event, error);
}

static bool run_attempt(struct step_context *context, const struct step_kind *kind, GError **error)
{
    const struct recipe_common *common = context->step->parameters;
    int64_t started = tick_now(context->slot->tick);
    int64_t limit = common->timeout ? common->timeout : TICK_S(kind->timeout_s);
    g_autoptr(GError) failure = NULL;
    g_autoptr(GError) storage = NULL;

    if (!begin_step(context, kind, error))
        return false;
    if (context->wire)
        context->wire->limit_us = started + limit;
    bool ok = kind->run(context, &failure);
    if (context->wire)
        context->wire->limit_us = TICK_NEVER;
    if (cancel_requested(context->slot->cancel) && ok) {
        ok = false;
        error_set(&failure, ERROR_CANCELLED, "stopped by the operator");
    }
    if (!ok && !failure)
        error_set(&failure, ERROR_INTERNAL, "step '%s' failed without a reason", kind->verb);
    if (!end_step(context, kind, started, failure, &storage)) {
        g_propagate_error(error, g_steal_pointer(&storage));
        return false;
    }
    if (failure) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    return true;
}

static bool run_step(struct step_context *context, GError **error)
{
    const struct step_kind *kind = step_kind_find(context->step->verb);
    if (!kind)
        return error_set(error, ERROR_INTERNAL, "no step '%s'", context->step->verb);
    const struct recipe_common *common = context->step->parameters;
    unsigned attempts = 1 + (kind->repeatable ? (unsigned)common->retries : 0);
    for (context->attempt = 1; context->attempt <= attempts; context->attempt++) {
        g_autoptr(GError) failure = NULL;
        if (run_attempt(context, kind, &failure))
            return true;
        if (context->attempt == attempts || !error_rule(failure)->retry) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
    }
    return error_set(error, ERROR_INTERNAL, "step '%s' has no attempts", context->step->verb);
}

/* A station that was killed may have left current flowing or the board without supply. */
static bool rest_bench(struct step_context *context, GError **error)
{
    if (!context->slot->open_bench)
        return true;
    context->bench = context->slot->open_bench(context->slot->context, error);
    return context->bench && bench_rest(context->bench, error);
}

static bool connect_wire(struct step_context *context, GError **error)
{
    context->wire = context->slot->connect(context->slot->context, &context->plan->profile->line, error);
    if (!context->wire)
        return false;
    context->board = board_open(context->plan->profile, context->wire, context->slot->address,
                                context->slot->allow_reference, error);
    return context->board && rest_bench(context, error);
}

/* The wire is opened as part of the first step, so that a missing board is a step that failed, on record. */
static bool run_steps(struct step_context *context, struct engine_failure *failure)
{
    for (unsigned i = 0; i < context->plan->step_count; i++) {
        g_autoptr(GError) error = NULL;
        context->index = (int)i;
        context->step = &context->plan->steps[i];
        bool ok = (context->wire || connect_wire(context, &error)) && run_step(context, &error);
        if (!ok) {
            failure->step = (int)i;
            failure->rule = error_rule(error);
            failure->text = g_strdup(error->message);
            return false;
        }
    }
    return true;
}

static enum event_verdict verdict_of(const struct error_rule *rule)
{
    switch (rule->verdict) {
    case ERROR_VERDICT_FAIL:
        return VERDICT_FAIL;
    case ERROR_VERDICT_ABORTED:
        return VERDICT_ABORTED;
    default:
        return VERDICT_INTERRUPTED;
    }
}

static bool post_end(struct step_context *context, int64_t started, const struct engine_result *result,
                     GError **error)
{
    struct event event = {.type = EVENT_RUN_END,
                          .step = result->failed_step,
                          .verdict = result->verdict,
                          .exit_code = result->exit_code,
                          .error_kind = result->error_kind[0] ? result->error_kind : NULL,
                          .text = result->text,
                          .detail = result->advice,
                          .sn = context->plan->sn,
                          .unique_id = context->unique_id,
                          .firmware = context->identity.firmware,
                          .duration_us = tick_now(context->slot->tick) - started};
    return post(context, &event, error);
}

static void not_recorded(struct engine_result *result, const GError *error)
{
    const struct error_rule *rule = error_rule(error);
    g_autofree char *before = result->text;
    result->verdict = VERDICT_INTERRUPTED;
    result->exit_code = rule->exit_code;
    g_strlcpy(result->error_kind, rule->name, sizeof result->error_kind);
    result->text = g_strdup_printf("NOT RECORDED: %s%s%s", error->message, before ? "; before that: " : "",
                                   before ? before : "");
    g_free(result->advice);
    result->advice = g_strdup(rule->advice);
}

/* A desk that is whole and refuses a PASS must still get an end: an open run would hide what happened. */
static void record_end(struct step_context *context, int64_t started, struct engine_result *result)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) again = NULL;
    result->recorded = post_end(context, started, result, &error);
    if (result->recorded)
        return;
    not_recorded(result, error);
    if (error_kind(error) != ERROR_STORAGE)
        result->recorded = post_end(context, started, result, &again);
}

void engine_run(const struct plan *plan, const struct engine_slot *slot, const struct desk *desk, int64_t run,
                struct engine_result *result)
{
    struct step_context context = {.plan = plan, .slot = slot, .desk = desk, .run = run, .index = -1};
    struct engine_failure failure = {.step = -1};
    int64_t started = tick_now(slot->tick);
    context.wall_offset_us = tick_wall(slot->tick) - started;
    context.written = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

    *result = (struct engine_result){.failed_step = -1};
    if (run_steps(&context, &failure)) {
        result->verdict = VERDICT_PASS;
    } else {
        result->verdict = verdict_of(failure.rule);
        result->exit_code = failure.rule->exit_code;
        result->failed_step = failure.step;
        g_strlcpy(result->error_kind, failure.rule->name, sizeof result->error_kind);
        result->text = failure.text;
        result->advice = g_strdup(failure.rule->advice);
    }
    bench_close(context.bench);
    record_end(&context, started, result);
    board_close(context.board);
    wire_close(context.wire);
    board_image_free(context.image);
    g_hash_table_unref(context.written);
}

void engine_result_clear(struct engine_result *result)
{
    g_clear_pointer(&result->text, g_free);
    g_clear_pointer(&result->advice, g_free);
}
