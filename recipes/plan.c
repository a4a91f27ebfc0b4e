#include "recipes/plan.h"

#include "recipes/plan_files.h"
#include "station/base/error.h"
#include "station/base/tick.h"

#include <string.h>

static bool check_package_time(const struct plan_request *request, const struct package *package,
                               GError **error)
{
    const struct manifest *m = package->manifest;
    int64_t newest = 0;
    g_autofree char *from = tick_format_utc(m->not_before);
    g_autofree char *to = tick_format_utc(m->not_after);
    if (request->wall_us < m->not_before || request->wall_us >= m->not_after + TICK_S(86400))
        return error_set(error, ERROR_TRUST, "firmware %s is valid from %.10s to %.10s, not today",
                         m->version, from, to);
    if (request->newest && !request->newest(request->context, m->product, &newest, error))
        return false;
    return m->sequence >= newest ||
           error_set(error, ERROR_TRUST,
                     "firmware %s has sequence %" G_GINT64_FORMAT
                     ", this station already accepted %" G_GINT64_FORMAT " for %s: an older one is refused",
                     m->version, m->sequence, newest, m->product);
}

static bool check_station(const struct plan_request *request, const struct plan_files *files, GError **error)
{
    if (files->profile->has_reference && request->physical_wire && !request->allow_reference)
        return error_set(
            error, ERROR_RULE,
            "profile '%s' is a reference dialect, not the vendor's protocol: it may not go onto a physical "
            "wire unless the station file says `allow_reference: true` for the slot",
            files->profile->profile);
    for (guint i = 0; request->has_secret && i < files->recipe->steps->len; i++) {
        const struct bind_variant_value *step = g_ptr_array_index(files->recipe->steps, i);
        const char *verb = step->variant->tag, *name = NULL;
        if (strcmp(verb, "login") == 0)
            name = ((const struct recipe_login *)step->value)->secret;
        else if (strcmp(verb, "identify") == 0)
            name = ((const struct recipe_identify *)step->value)->login;
        else if (strcmp(verb, "restart") == 0)
            name = ((const struct recipe_restart *)step->value)->login;
        else if (strcmp(verb, "antitheft_off") == 0)
            name = ((const struct recipe_antitheft_off *)step->value)->secret;
        if (name && !request->has_secret(request->context, name))
            return error_set(error, ERROR_AUTHOR,
                             "%s:%u:%u: the station has no secret named '%s'; add it under `secrets:`",
                             files->recipe->path, step->place.line, step->place.column, name);
    }
    return true;
}

static void digest(struct plan *plan)
{
    g_autoptr(GString) text = g_string_new("packline/plan/1\n");
    g_string_append_printf(text, "recipe %s\nprofile %s\npackage %s\nlayout %s\nrelease %s\nsn %s\n",
                           plan->recipe->sha256, plan->profile->sha256,
                           plan->package ? plan->package->manifest_sha256 : "-", plan->layout_sha256,
                           plan->release ? plan->release->sha256 : "-", plan->sn);
    for (unsigned i = 0; i < plan->step_count; i++) {
        g_string_append_printf(text, "step %u %s\n", i, plan->steps[i].verb);
        for (unsigned k = 0; k < plan->steps[i].value_count; k++) {
            const struct item_value *value = &plan->steps[i].values[k];
            g_string_append_printf(text, "value %s %" G_GINT64_FORMAT " %s\n", value->item->key, value->raw,
                                   value->item->secret ? "***" : value->text);
        }
    }
    trust_sha256(text->str, text->len, plan->sha256);
}

static bool fill(struct plan *plan, const struct plan_request *request, struct plan_files *files,
                 GError **error)
{
    g_autofree char *utc = tick_format_utc(request->wall_us);
    g_autofree char *date = g_strndup(utc, 10);
    if (!recipe_scan_parse(files->recipe, request->scan, &plan->sn, error))
        return false;
    const struct plan_words words = {plan->sn, request->scan, date, request->secret, request->context};
    plan->scan = g_strdup(request->scan);
    plan->step_count = files->recipe->steps->len;
    plan->steps = g_new0(struct plan_step, plan->step_count);
    plan->warnings = g_ptr_array_new_with_free_func(g_free);
    if (plan_values_resolve(files->recipe, files->profile, files->package, &words, plan->steps,
                            files->report))
        plan_rules_check(files->recipe, files->profile, plan->steps, plan->warnings, files->report);
    if (files->package)
        plan_package_check(files->recipe, files->profile, files->package, files->report);
    return bind_report_check(files->report, error);
}

static void take(struct plan *plan, struct plan_files *files)
{
    plan->recipe = g_steal_pointer(&files->recipe);
    plan->profile = g_steal_pointer(&files->profile);
    plan->chemistry = plan_chemistry(plan->recipe, plan->profile);
    plan->package = g_steal_pointer(&files->package);
    plan->layout = g_steal_pointer(&files->layout);
    plan->files = g_steal_pointer(&files->kept);
    memcpy(plan->layout_sha256, files->layout_sha256, sizeof plan->layout_sha256);
    plan->production = plan->release != NULL;
    digest(plan);
}

/* That a file is not the released one says more than that it does not parse. */
static bool load_files(struct plan *plan, const char *recipe_path, const struct trust *trust,
                       struct plan_files *files, GError **error)
{
    g_autoptr(GError) wrong = NULL;
    bool loaded = plan_files_load(files, recipe_path, trust, &wrong);
    if (plan->release && !plan_files_released(files, plan->release, recipe_path, error))
        return false;
    if (!loaded)
        g_propagate_error(error, g_steal_pointer(&wrong));
    return loaded;
}

static bool load(struct plan *plan, const struct plan_request *request, struct plan_files *files,
                 GError **error)
{
    g_autofree char *recipe_path = g_strdup(request->recipe_path);
    if (request->release_path) {
        plan->release = release_load(request->release_path, request->trust, error);
        if (!plan->release)
            return false;
        g_free(recipe_path);
        recipe_path = plan_files_beside(request->release_path, plan->release->recipe);
    }
    return load_files(plan, recipe_path, request->trust, files, error) &&
           (!files->package || check_package_time(request, files->package, error)) &&
           check_station(request, files, error) && fill(plan, request, files, error);
}

/* A released set that cannot be read any more was changed: that is a matter of trust, not of authorship. */
static void blame_change(const struct plan_request *request, GError *error)
{
    if (request->release_path && error_kind(error) == ERROR_AUTHOR)
        error->code = ERROR_TRUST;
}

struct plan *plan_make(const struct plan_request *request, GError **error)
{
    struct plan *plan = g_new0(struct plan, 1);
    struct plan_files files = {0};
    g_autoptr(GError) wrong = NULL;
    if (load(plan, request, &files, &wrong)) {
        take(plan, &files);
        plan_files_clear(&files);
        return plan;
    }
    if (!files.recipe || !files.profile)
        blame_change(request, wrong);
    g_propagate_error(error, g_steal_pointer(&wrong));
    plan_free(plan);
    plan_files_clear(&files);
    return NULL;
}

void plan_free(struct plan *plan)
{
    if (!plan)
        return;
    for (unsigned i = 0; i < plan->step_count; i++) {
        if (plan->steps[i].values)
            explicit_bzero(plan->steps[i].values, plan->steps[i].value_count * sizeof *plan->steps[i].values);
        g_free(plan->steps[i].values);
    }
    g_free(plan->steps);
    recipe_free(plan->recipe);
    profile_free(plan->profile);
    package_free(plan->package);
    layout_free(plan->layout);
    release_free(plan->release);
    g_clear_pointer(&plan->warnings, g_ptr_array_unref);
    g_clear_pointer(&plan->files, g_ptr_array_unref);
    g_free(plan->sn);
    g_free(plan->scan);
    g_free(plan);
}
