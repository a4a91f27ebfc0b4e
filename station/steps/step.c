/* What every step shares: facts and pulses, identity of the board, item writes with proof. */
#include "station/step.h"

#include "station/base/error.h"

#include <string.h>

extern const struct step_kind step_identify, step_login_kind, step_flash, step_restart, step_write_identity,
    step_capacity, step_cells, step_parameters, step_switches, step_verify, step_calibrate_zero,
    step_calibrate_gain, step_calibrate_temperature, step_calibrate_cells, step_calibrate_voltage, step_clock,
    step_antitheft_off, step_measure_kind, step_prompt, step_defaults, step_sleep, step_label;

const struct step_kind *const step_kinds[] = {
    &step_identify,
    &step_login_kind,
    &step_flash,
    &step_restart,
    &step_write_identity,
    &step_capacity,
    &step_cells,
    &step_parameters,
    &step_switches,
    &step_verify,
    &step_calibrate_zero,
    &step_calibrate_gain,
    &step_calibrate_temperature,
    &step_calibrate_cells,
    &step_calibrate_voltage,
    &step_clock,
    &step_antitheft_off,
    &step_measure_kind,
    &step_prompt,
    &step_defaults,
    &step_sleep,
    &step_label,
    NULL,
};

const struct step_kind *step_kind_find(const char *verb)
{
    for (unsigned i = 0; step_kinds[i]; i++)
        if (strcmp(step_kinds[i]->verb, verb) == 0)
            return step_kinds[i];
    return NULL;
}

static void stamp(const struct step_context *context, struct event *event)
{
    event->run = context->run;
    event->step = context->index;
    event->attempt = context->attempt;
    event->verb = context->step->verb;
    event->now_us = tick_now(context->slot->tick);
    event->wall_us = tick_wall(context->slot->tick);
}

bool step_post(struct step_context *context, struct event *event, GError **error)
{
    stamp(context, event);
    return context->desk->post(context->desk->context, event, error);
}

bool step_intent(struct step_context *context, const char *what, const char *text, GError **error)
{
    if (cancel_requested(context->slot->cancel))
        return error_set(error, ERROR_CANCELLED, "stopped by the operator before %s", what);
    struct event event = {.type = EVENT_INTENT, .key = what, .text = text};
    stamp(context, &event);
    return context->desk->gate(context->desk->context, &event, error);
}

bool step_result(struct step_context *context, const char *what, const char *text, GError **error)
{
    struct event event = {.type = EVENT_RESULT, .key = what, .text = text, .ok = true};
    return step_post(context, &event, error);
}

bool step_note(struct step_context *context, const char *text, GError **error)
{
    struct event event = {.type = EVENT_NOTE, .text = text};
    return step_post(context, &event, error);
}

bool step_document(struct step_context *context, const char *name, json_t *document, GError **error)
{
    char *text = json_dumps(document, JSON_SORT_KEYS | JSON_COMPACT);
    json_decref(document);
    if (!text)
        return error_set(error, ERROR_INTERNAL, "document '%s' cannot be written as JSON", name);
    struct event event = {.type = EVENT_IMAGE, .key = name, .detail = text};
    bool ok = step_post(context, &event, error);
    free(text);
    return ok;
}

void step_progress(struct step_context *context, const char *phase, uint64_t done, uint64_t total)
{
    struct event event = {.type = EVENT_PROGRESS, .phase = phase, .done = done, .total = total};
    g_autoptr(GError) ignored = NULL;
    (void)!step_post(context, &event, &ignored); /* a pulse may be dropped */
}

bool step_measure(struct step_context *context, const struct step_measurement *m, GError **error)
{
    bool low = m->has_min && m->value < m->min, high = m->has_max && m->value > m->max;
    struct event event = {.type = EVENT_MEASUREMENT,
                          .key = m->name,
                          .quantity = m->quantity,
                          .value = m->value,
                          .min = m->min,
                          .max = m->max,
                          .has_min = m->has_min,
                          .has_max = m->has_max,
                          .ok = !low && !high};
    if (m->by_bench && context->bench) {
        event.instrument = context->bench->identity;
        event.instrument_due = context->bench->due;
    }
    if (!step_post(context, &event, error))
        return false;
    if (event.ok)
        return true;
    g_autofree char *value = quantity_format(m->quantity, m->value);
    g_autofree char *limit = quantity_format(m->quantity, low ? m->min : m->max);
    return error_set(error, ERROR_LIMIT, "%s is %s, %s %s", m->name, value,
                     low ? "below the limit of" : "above the limit of", limit);
}

bool step_bind_unique_id(struct step_context *context, const uint8_t id[12], GError **error)
{
    char text[BOARD_UNIQUE_ID_TEXT];
    board_unique_id_text(id, text);
    if (context->unique_id[0] == '\0') {
        g_strlcpy(context->unique_id, text, sizeof context->unique_id);
        return true;
    }
    return strcmp(context->unique_id, text) == 0 ||
           error_set(error, ERROR_RULE,
                     "the board in the slot was swapped: this run began on %s, now it is %s",
                     context->unique_id, text);
}

bool step_writes_serial(const struct step_context *context)
{
    const char *key = context->plan->profile->serial_item;
    for (unsigned i = 0; key && i < context->plan->step_count; i++)
        for (unsigned k = 0; k < context->plan->steps[i].value_count; k++)
            if (strcmp(context->plan->steps[i].values[k].item->key, key) == 0)
                return true;
    return false;
}

#define SERIAL_READINGS 4

/* A plain sum over a frame lets some damage through, so a number that differs must be read twice alike. */
static bool read_serial(struct step_context *context, struct item_value *value, GError **error)
{
    const struct plan *plan = context->plan;
    const struct profile_item *item = profile_item_find(plan->profile, plan->profile->serial_item);
    struct item_value before = {0};
    for (unsigned i = 0; i < SERIAL_READINGS; i++) {
        if (!board_read_item(context->board, item, value, error))
            return false;
        if (strcmp(value->text, plan->sn) == 0 || (i > 0 && strcmp(value->text, before.text) == 0))
            return true;
        before = *value;
    }
    return error_set(error, ERROR_GARBLED, "%s reads otherwise each time, last as '%s'", item->key,
                     value->text);
}

/* Until its number is written such a board is one of many; from then on it must carry it. */
static bool bind_serial(struct step_context *context, const struct board_identity *identity, GError **error)
{
    const char *key = context->plan->profile->serial_item, *sn = context->plan->sn;
    const char *swapped = context->unique_id[0] ? "the board in the slot was swapped: " : "";
    struct item_value value;
    struct board_identity again = *identity;
    const char *began = context->identity.product;
    if (context->unique_id[0] && strcmp(again.product, began) != 0 &&
        !board_identify(context->board, &again, error))
        return false;
    if (context->unique_id[0] && strcmp(again.product, began) != 0)
        return error_set(error, ERROR_RULE, "%sthis run began on a '%s', now it is a '%s'", swapped, began,
                         again.product);
    if (!read_serial(context, &value, error))
        return false;
    if (!value.absent && strcmp(value.text, sn) != 0)
        return error_set(
            error, ERROR_RULE,
            "%sthe board already carries serial number '%s', the scan says '%s': scan the board's own label "
            "or take it to quality",
            swapped, value.text, sn);
    if (value.absent && g_hash_table_contains(context->written, key))
        return error_set(error, ERROR_RULE, "%sthis run wrote serial number '%s', this board carries none",
                         swapped, sn);
    if (value.absent && !step_writes_serial(context))
        return error_set(error, ERROR_RULE, "the board carries no serial number, the scan says '%s'", sn);
    if (context->unique_id[0] == '\0')
        context->blank = value.absent;
    board_serial_text(sn, context->unique_id);
    return true;
}

/* Nothing on such a board says which one it is. */
static bool bind_label(struct step_context *context, const struct board_identity *identity, GError **error)
{
    const bool first = context->unique_id[0] == '\0';
    if (!first && strcmp(identity->product, context->identity.product) != 0)
        return error_set(error, ERROR_RULE,
                         "the board in the slot was swapped: this run began on a '%s', now it is a '%s'",
                         context->identity.product, identity->product);
    board_serial_text(context->plan->sn, context->unique_id);
    return !first ||
           step_note(context, "nothing on this board says which one it is: the scanned label is believed",
                     error);
}

bool step_bind_board(struct step_context *context, const struct board_identity *identity, GError **error)
{
    if (identity->has_unique_id)
        return step_bind_unique_id(context, identity->unique_id, error);
    switch ((enum profile_unit)context->plan->profile->unit) {
    case UNIT_SERIAL_NUMBER:
        return bind_serial(context, identity, error);
    case UNIT_LABEL:
        return bind_label(context, identity, error);
    case UNIT_UNIQUE_ID:
        break;
    }
    return error_set(error, ERROR_RULE, "the board shows no unique id, so it cannot be told from others");
}

bool step_same_board(struct step_context *context, GError **error)
{
    struct board_identity identity;
    return board_identify(context->board, &identity, error) && step_bind_board(context, &identity, error);
}

static bool listed(const GPtrArray *words, const char *word)
{
    for (guint i = 0; i < words->len; i++)
        if (strcmp(g_ptr_array_index(words, i), word) == 0)
            return true;
    return false;
}

bool step_check_identity(struct step_context *context, const struct board_identity *identity, GError **error)
{
    const struct recipe_identify *wanted = NULL;
    for (unsigned i = 0; i < context->plan->step_count; i++)
        if (strcmp(context->plan->steps[i].verb, "identify") == 0)
            wanted = context->plan->steps[i].parameters;
    const struct manifest *manifest = context->plan->package ? context->plan->package->manifest : NULL;
    const char *product = wanted && wanted->product ? wanted->product
                          : manifest                ? manifest->product
                                                    : context->plan->profile->product;
    if (product && strcmp(identity->product, product) != 0)
        return error_set(error, ERROR_RULE, "wrong board in the slot: it is a '%s', the recipe is for '%s'",
                         identity->product, product);
    if (wanted && wanted->hardware && strcmp(identity->hardware, wanted->hardware) != 0)
        return error_set(error, ERROR_RULE,
                         "wrong board in the slot: its hardware revision is '%s', the recipe is for '%s'",
                         identity->hardware, wanted->hardware);
    if (manifest && !listed(manifest->hardware, identity->hardware))
        return error_set(error, ERROR_RULE,
                         "hardware revision '%s' is not one that firmware %s is signed for",
                         identity->hardware, manifest->version);
    return true;
}

bool step_need_bench(struct step_context *context, GError **error)
{
    return bench_valid(context->bench, tick_wall(context->slot->tick), error);
}

struct image_lookup {
    const struct board_image *image;
    const struct profile *profile;
    struct item_value values[16];
    unsigned next;
    struct step_context *context;
    GError **error;
    bool ok;
};

/* A rule compares few values at a time; the slots are used in turn. */
static const struct item_value *image_lookup(void *data, const char *key)
{
    struct image_lookup *lookup = data;
    const struct profile_item *item = profile_item_find(lookup->profile, key);
    struct item_value *value = &lookup->values[lookup->next++ % G_N_ELEMENTS(lookup->values)];
    if (!item || !board_image_get(lookup->image, item, value))
        return NULL;
    return value;
}

static void image_finding(void *data, const struct profile_rule *rule, const char *sentence)
{
    (void)rule;
    struct image_lookup *lookup = data;
    g_autofree char *text = g_strdup_printf("found on the board: %s", sentence);
    if (lookup->ok)
        lookup->ok = step_note(lookup->context, text, lookup->error);
}

static bool note_odd_values(struct step_context *context, GError **error)
{
    const GPtrArray *items = context->plan->profile->items;
    for (guint i = 0; i < items->len; i++) {
        struct item_value value;
        const struct profile_item *item = g_ptr_array_index(items, i);
        if (item->in->in_image && board_image_get(context->image, item, &value)) {
            g_autofree char *finding = profile_value_finding(&value);
            g_autofree char *text = finding ? g_strdup_printf("found on the board: %s", finding) : NULL;
            if (text && !step_note(context, text, error))
                return false;
        }
    }
    return true;
}

/* What a board brings with it may break the rules: that is a remark, what we write may not. */
static bool note_image_findings(struct step_context *context, GError **error)
{
    struct image_lookup lookup = {.image = context->image,
                                  .profile = context->plan->profile,
                                  .context = context,
                                  .error = error,
                                  .ok = true};
    profile_check_rules(context->plan->profile, context->plan->chemistry, image_lookup, image_finding,
                        &lookup);
    if (!lookup.ok || !note_odd_values(context, error))
        return false;
    const char *key = context->plan->profile->parameter_version_item;
    const struct profile_item *item = key ? profile_item_find(context->plan->profile, key) : NULL;
    struct item_value value;
    if (!item || !board_image_get(context->image, item, &value) ||
        value.raw == context->plan->profile->parameter_version)
        return true;
    g_autofree char *text = g_strdup_printf("the board's parameter version is %" G_GINT64_FORMAT
                                            ", the profile was written for %" G_GINT64_FORMAT,
                                            value.raw, context->plan->profile->parameter_version);
    return step_note(context, text, error);
}

bool step_check_chemistry(struct step_context *context, GError **error)
{
    const char *item = context->plan->profile->chemistry_item, *wanted = context->plan->chemistry, *reported;
    if (!item || !wanted)
        return true;
    if (!board_chemistry(context->board, &reported, error))
        return false;
    return strcmp(reported, wanted) == 0 ||
           error_set(
               error, ERROR_RULE,
               "the board reports %s cells (%s), the values of this recipe are for %s: limits of another "
               "chemistry do not protect them",
               reported, item, wanted);
}

bool step_need_image(struct step_context *context, GError **error)
{
    if (context->image)
        return true;
    if (!step_check_chemistry(context, error))
        return false;
    context->image = board_image_read(context->board, error);
    if (!context->image)
        return false;
    return step_document(context, "parameter-image", board_image_json(context->image), error) &&
           note_image_findings(context, error);
}

static bool post_value(struct step_context *context, const struct item_value *written,
                       const struct item_value *found, const struct item_value *before, const char *stage,
                       bool *same, GError **error)
{
    const struct profile_item *item = written->item;
    g_autofree char *written_text = profile_value_format(written);
    g_autofree char *found_text = profile_value_format(found);
    g_autofree char *before_text = before ? profile_value_format(before) : NULL;
    *same = profile_value_same(written, found);
    struct event event = {.type = EVENT_VALUE,
                          .key = item->key,
                          .title = item->name,
                          .before = before_text,
                          .written = written_text,
                          .found = found_text,
                          .raw_written = item->secret ? 0 : written->raw,
                          .raw_found = item->secret ? 0 : found->raw,
                          .stage = stage,
                          .ok = *same};
    return step_post(context, &event, error);
}

bool step_compare_values(struct step_context *context, const struct item_value *values, unsigned n,
                         const char *stage, GError **error)
{
    g_autofree struct item_value *found = g_new0(struct item_value, MAX(n, 1));
    g_autofree char *first = NULL;
    unsigned wrong = 0;
    for (unsigned i = 0; i < n; i++)
        found[i].item = values[i].item;
    if (!board_read_values(context->board, found, n, error))
        return false;
    for (unsigned i = 0; i < n; i++) {
        struct item_value before;
        bool same, known = context->image && board_image_get(context->image, values[i].item, &before);
        if (!post_value(context, &values[i], &found[i], known ? &before : NULL, stage, &same, error))
            return false;
        step_progress(context, "compare", i + 1, n);
        if (same)
            continue;
        if (wrong++ == 0) {
            g_autofree char *is = profile_value_format(&found[i]);
            g_autofree char *must = profile_value_format(&values[i]);
            first = g_strdup_printf("%s was written as %s but reads %s", values[i].item->key, must, is);
        }
    }
    if (wrong > 1)
        return error_set(error, ERROR_MISMATCH, "%s (and %u more items differ)", first, wrong - 1);
    return wrong == 0 || error_set(error, ERROR_MISMATCH, "%s", first);
}

bool step_write_values(struct step_context *context, const struct item_value *values, unsigned n,
                       GError **error)
{
    if (!step_need_image(context, error))
        return false;
    g_autofree char *text = g_strdup_printf("write %u items", n);
    if (!step_same_board(context, error) || !step_intent(context, "write", text, error))
        return false;
    context->restarts = 0;
    /* A number that may be lost with the supply must not count as written: the board is known by it alone. */
    if (!board_write_values(context->board, values, n, error) ||
        (context->plan->profile->unit == UNIT_SERIAL_NUMBER && step_writes_serial(context) &&
         !wire_pause_ms(context->wire, STEP_STORED_MS, error)) ||
        !step_compare_values(context, values, n, "write", error) || !step_same_board(context, error))
        return false;
    for (unsigned i = 0; i < n; i++)
        g_hash_table_replace(context->written, g_strdup(values[i].item->key),
                             g_memdup2(&values[i], sizeof values[i]));
    return step_result(context, "write", text, error);
}

bool step_login(struct step_context *context, int level, const char *secret, GError **error)
{
    const struct secret *password =
        context->slot->secret ? context->slot->secret(context->slot->context, secret) : NULL;
    if (!password)
        return error_set(error, ERROR_AUTHOR, "the station has no secret named '%s'; add it under `secrets:`",
                         secret);
    return board_login(context->board, level, password, error);
}
