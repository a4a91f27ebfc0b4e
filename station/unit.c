#include "station/unit.h"

#include "proto/board.h"

#include "station/base/error.h"
#include "station/confirm.h"
#include "station/press.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRACE_FOLDER "traces"

/* What stands behind the desk of one run. */
struct unit {
    const struct config *config;
    const struct config_slot *slot;
    struct store *store;
    struct screen *screen;
    const struct unit_request *request;
    struct plan *plan;
    const struct dialect_kind *dialect;
    struct desk desk;
    int64_t run;
    char *trace_path;
    GHashTable *secrets; /* name → struct secret* */
};

static bool desk_gate(void *context, const struct event *intent, GError **error)
{
    struct unit *unit = context;
    if (!store_gate(unit->store, intent, error))
        return false;
    screen_event(unit->screen, intent);
    return true;
}

static bool desk_post(void *context, const struct event *event, GError **error)
{
    struct unit *unit = context;
    if (event->type != EVENT_PROGRESS && !store_post(unit->store, event, error))
        return false;
    screen_event(unit->screen, event);
    return true;
}

static bool desk_claim(void *context, int64_t run, enum desk_claim claim, const char *unique_id,
                       const char *sn, GError **error)
{
    struct unit *unit = context;
    return store_claim(unit->store, run, claim, unique_id, sn, error);
}

static bool desk_ask(void *context, const struct desk_ask *ask, struct desk_answer *answer, GError **error)
{
    struct unit *unit = context;
    return screen_ask(unit->screen, ask, unit->request->assume_yes, answer, error);
}

static struct wire *slot_connect(void *context, const struct wire_line *line, GError **error)
{
    struct unit *unit = context;
    const struct wire_options options = {*line, unit->request->tick, unit->request->cancel};
    const struct unit_world *world = unit->request->world;
    g_autofree char *link = config_link(unit->config, unit->slot->link);
    struct wire *wire =
        world ? world->connect(world->context, &options, error) : wire_open(link, &options, error);
    if (!wire)
        return NULL;
    struct wire *traced = wire_trace(wire, unit->trace_path, unit->dialect->mask, NULL, error);
    if (!traced)
        wire_close(wire);
    return traced;
}

static struct bench *slot_bench(void *context, GError **error)
{
    struct unit *unit = context;
    if (unit->request->world)
        return unit->request->world->open_bench(unit->request->world->context, error);
    const struct config_bench *bench = g_ptr_array_index(unit->slot->benches, 0);
    g_autofree char *link = bench->link ? config_link(unit->config, bench->link) : NULL;
    const struct bench_options options = {.kind = bench->kind == 0 ? "scpi" : "entered",
                                          .link = link,
                                          .identity = bench->identity,
                                          .due_us = bench->due,
                                          .desk = &unit->desk,
                                          .tick = unit->request->tick};
    return bench_open(&options, error);
}

static const struct secret *slot_secret(void *context, const char *name)
{
    struct unit *unit = context;
    g_autoptr(GError) ignored = NULL;
    struct secret *secret = g_hash_table_lookup(unit->secrets, name);
    if (!secret && (secret = config_secret(unit->config, name, &ignored)))
        g_hash_table_insert(unit->secrets, g_strdup(name), secret);
    return secret;
}

static bool has_secret(void *context, const char *name)
{
    const struct unit *unit = context;
    return config_has_secret(unit->config, name);
}

static bool newest_sequence(void *context, const char *product, int64_t *sequence, GError **error)
{
    const struct unit *unit = context;
    return store_sequence_newest(unit->store, product, sequence, error);
}

static bool is_release(const char *path, GError **error, bool *release)
{
    g_autoptr(GBytes) bytes = bind_read_file(path, BIND_FILE_MAX, error);
    if (!bytes)
        return false;
    g_autofree char *schema = bind_peek_schema(bytes);
    *release = schema && g_str_has_prefix(schema, "packline/release/");
    return true;
}

static bool make_plan(struct unit *unit, GError **error)
{
    const struct unit_request *request = unit->request;
    bool release;
    g_autofree char *trust_path = config_path(unit->config, unit->config->trust);
    if (!is_release(request->recipe, error, &release))
        return false;
    struct trust *trust = trust_load(trust_path, error);
    if (!trust)
        return false;
    g_autofree char *link = config_link(unit->config, unit->slot->link);
    const struct plan_request plan = {.recipe_path = release ? NULL : request->recipe,
                                      .release_path = release ? request->recipe : NULL,
                                      .scan = request->scan,
                                      .trust = trust,
                                      .wall_us = tick_wall(request->tick),
                                      .physical_wire = wire_is_physical(link),
                                      .allow_reference = unit->slot->allow_reference,
                                      .newest = newest_sequence,
                                      .has_secret = has_secret,
                                      .context = unit};
    unit->plan = plan_make(&plan, error);
    trust_free(trust);
    if (!unit->plan)
        return false;
    unit->dialect = dialect_find(unit->plan->profile->dialect);
    return unit->dialect || error_set(error, ERROR_INTERNAL, "no dialect '%s'", unit->plan->profile->dialect);
}

/* Everything a record must be able to show in ten years is kept before the first byte goes out. */
static bool keep_files(struct unit *unit, GError **error)
{
    for (guint i = 0; i < unit->plan->files->len; i++) {
        const struct plan_file *file = g_ptr_array_index(unit->plan->files, i);
        char sha256[65];
        if (!store_keep_file(unit->store, file->kind, file->bytes, sha256, error))
            return false;
    }
    const struct package *package = unit->plan->package;
    return !package || store_sequence_accept(unit->store, package->manifest->product,
                                             package->manifest->sequence, package->manifest_sha256, error);
}

static bool begin(struct unit *unit, GError **error)
{
    const struct unit_request *request = unit->request;
    g_autofree char *revision = g_strdup_printf("%" G_GINT64_FORMAT, unit->plan->recipe->revision);
    char image[65] = "";
    struct event event = {.type = EVENT_RUN_BEGIN, .step = -1};
    engine_describe(unit->plan, &event.begin);
    if (unit->plan->package)
        image_sha256(unit->plan->package->image, image);
    event.begin.image_sha256 = image;
    event.begin.recipe_revision = revision;
    event.begin.station = unit->config->station;
    event.begin.slot = unit->slot->slot;
    event.begin.operator_name = request->operator_name ? request->operator_name : "";
    event.now_us = tick_now(request->tick);
    event.wall_us = tick_wall(request->tick);
    if (!store_run_begin(unit->store, &event, &unit->run, error))
        return false;
    event.run = unit->run;
    screen_event(unit->screen, &event);
    return true;
}

static bool open_trace(struct unit *unit, GError **error)
{
    g_autofree char *store = config_path(unit->config, unit->config->store);
    g_autofree char *folder = g_build_filename(store, TRACE_FOLDER, NULL);
    if (g_mkdir_with_parents(folder, 0700) != 0)
        return error_set(error, ERROR_STORAGE, "%s: %s", folder, g_strerror(errno));
    unit->trace_path = g_strdup_printf("%s/run-%06" G_GINT64_FORMAT ".hex", folder, unit->run);
    return true;
}

static bool warn_waivers(struct unit *unit, GError **error)
{
    for (guint i = 0; unit->plan->warnings && i < unit->plan->warnings->len; i++) {
        struct event note = {.type = EVENT_NOTE,
                             .run = unit->run,
                             .step = -1,
                             .text = g_ptr_array_index(unit->plan->warnings, i),
                             .now_us = tick_now(unit->request->tick),
                             .wall_us = tick_wall(unit->request->tick)};
        if (!desk_post(unit, &note, error))
            return false;
    }
    return true;
}

/* A label that is not on its board yet holds the slot. */
static bool confirm(struct unit *unit, GError **error)
{
    g_autoptr(GError) wrong = NULL;
    if (!unit->config->confirm_labels ||
        confirm_at_desk(unit->config, unit->store, unit->request, unit->screen, &wrong))
        return true;
    if (error_kind(wrong) != ERROR_STORAGE)
        return error_set(error, ERROR_PRINTER, "%s; the slot waits for `packline label confirm`",
                         wrong->message);
    g_propagate_error(error, g_steal_pointer(&wrong));
    return false;
}

static bool check_label(struct unit *unit, GError **error)
{
    int64_t run;
    g_autofree char *sn = NULL;
    if (!unit->config->confirm_labels)
        return true;
    return store_label_waiting(unit->store, unit->slot->slot, &run, &sn, error) &&
           (!sn || error_set(error, ERROR_RULE,
                             "slot %s waits for the label of %s: stick it onto that board and scan it with "
                             "`packline label confirm`",
                             unit->slot->slot, sn));
}

static int finish(struct unit *unit, const struct engine_result *result)
{
    g_autoptr(GError) error = NULL;
    const struct unit_world *world = unit->request->world;
    const struct press press = {.config = unit->config,
                                .store = unit->store,
                                .tick = unit->request->tick,
                                .screen = unit->screen,
                                .print = world ? world->print : NULL,
                                .context = world ? world->context : NULL};
    int code = result->exit_code;
    if (result->verdict == VERDICT_PASS && unit->plan->production && unit->plan->layout) {
        bool printed = press_unit(&press, unit->plan->layout, unit->plan->profile, unit->run, &error);
        if (!printed || !confirm(unit, &error)) {
            code = error_rule(error)->exit_code;
            screen_line(unit->screen, "  LABEL NOT %s: %s", printed ? "CONFIRMED" : "PRINTED",
                        error->message);
            screen_line(unit->screen, "       %s", error_rule(error)->advice);
        }
    }
    screen_verdict(unit->screen, result, unit->plan->sn, unit->plan->production);
    /* A trace is evidence of a failure; a unit that passed has its proof in the journal. */
    if (result->verdict == VERDICT_PASS)
        unlink(unit->trace_path);
    else
        screen_line(unit->screen, "trace  %s", unit->trace_path);
    screen_line(unit->screen, "record packline records show %s --station %s", unit->plan->sn,
                unit->config->path);
    return code;
}

static int execute(struct unit *unit, GError **error)
{
    struct engine_result result;
    const struct engine_slot slot = {.name = unit->slot->slot,
                                     .address = (unsigned)unit->slot->address,
                                     .allow_reference = unit->slot->allow_reference,
                                     .tick = unit->request->tick,
                                     .cancel = unit->request->cancel,
                                     .context = unit,
                                     .connect = slot_connect,
                                     .open_bench = unit->slot->benches->len ? slot_bench : NULL,
                                     .secret = slot_secret};
    if (!make_plan(unit, error) || !check_label(unit, error) ||
        !store_serial_check(unit->store, unit->plan->sn, error) || !keep_files(unit, error) ||
        !begin(unit, error) || !open_trace(unit, error) || !warn_waivers(unit, error))
        return -1;
    engine_run(unit->plan, &slot, &unit->desk, unit->run, &result);
    int code = finish(unit, &result);
    engine_result_clear(&result);
    return code;
}

int unit_run(const struct config *config, struct store *store, const struct unit_request *request,
             struct screen *screen, GError **error)
{
    struct unit unit = {.config = config, .store = store, .screen = screen, .request = request};
    unit.slot = config_slot_find(config, request->slot, error);
    if (!unit.slot)
        return -1;
    unit.desk = (struct desk){&unit, desk_gate, desk_post, desk_claim, desk_ask};
    unit.secrets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)secret_free);
    int code = execute(&unit, error);
    plan_free(unit.plan);
    g_free(unit.trace_path);
    g_hash_table_unref(unit.secrets);
    return code;
}
