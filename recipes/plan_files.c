#include "recipes/plan_files.h"

#include "station/base/error.h"

#include <string.h>

static void file_free(gpointer data)
{
    struct plan_file *file = data;
    g_bytes_unref(file->bytes);
    g_free(file);
}

static void keep(struct plan_files *files, const char *kind, GBytes *bytes)
{
    struct plan_file *file = g_new0(struct plan_file, 1);
    file->kind = kind;
    file->bytes = g_bytes_ref(bytes);
    g_ptr_array_add(files->kept, file);
}

char *plan_files_beside(const char *path, const char *name)
{
    g_autofree char *folder = g_path_get_dirname(path);
    return g_path_is_absolute(name) ? g_strdup(name) : g_build_filename(folder, name, NULL);
}

static bool load_profile(struct plan_files *files, const char *recipe_path, GError **error)
{
    g_autofree char *path = plan_files_beside(recipe_path, files->recipe->profile);
    g_autoptr(GBytes) bytes = bind_read_file(path, BIND_FILE_MAX, error);
    if (!bytes)
        return false;
    g_autoptr(bind_report_auto) report = bind_report_new(path, bytes);
    files->profile = profile_load(path, bytes, report);
    keep(files, "profile", bytes);
    if (files->profile && files->profile->base_bytes)
        keep(files, "base-profile", files->profile->base_bytes);
    if (!files->profile && bind_report_check(report, error))
        error_set(error, ERROR_AUTHOR, "%s: not a profile", path);
    return files->profile != NULL;
}

static bool load_layout(struct plan_files *files, const char *recipe_path, GError **error)
{
    if (!files->recipe->layout)
        return true;
    g_autofree char *path = plan_files_beside(recipe_path, files->recipe->layout);
    g_autoptr(GBytes) bytes = bind_read_file(path, BIND_FILE_MAX, error);
    if (!bytes)
        return false;
    g_autoptr(bind_report_auto) report = bind_report_new(path, bytes);
    files->layout = layout_load(path, bytes, report);
    keep(files, "layout", bytes);
    gsize n;
    const void *data = g_bytes_get_data(bytes, &n);
    trust_sha256(data, n, files->layout_sha256);
    if (!files->layout && bind_report_check(report, error))
        error_set(error, ERROR_AUTHOR, "%s: not a label layout", path);
    return files->layout != NULL;
}

static bool load_package(struct plan_files *files, const char *recipe_path, const struct trust *trust,
                         GError **error)
{
    if (!files->recipe->package)
        return true;
    g_autofree char *path = plan_files_beside(recipe_path, files->recipe->package);
    files->package = package_load(path, trust, error);
    if (files->package)
        keep(files, "manifest", files->package->manifest_bytes);
    return files->package != NULL;
}

bool plan_files_load(struct plan_files *files, const char *recipe_path, const struct trust *trust,
                     GError **error)
{
    files->kept = g_ptr_array_new_with_free_func(file_free);
    g_autoptr(GBytes) bytes = bind_read_file(recipe_path, BIND_FILE_MAX, error);
    if (!bytes)
        return false;
    files->report = bind_report_new(recipe_path, bytes);
    files->recipe = recipe_load(recipe_path, bytes, files->report);
    keep(files, "recipe", bytes);
    if (!files->recipe) {
        if (bind_report_check(files->report, error))
            error_set(error, ERROR_AUTHOR, "%s: not a recipe", recipe_path);
        return false;
    }
    return load_profile(files, recipe_path, error) && load_layout(files, recipe_path, error) &&
           load_package(files, recipe_path, trust, error);
}

static bool same_hash(const char *what, const char *path, const char *pinned, const char *found,
                      GError **error)
{
    return g_strcmp0(pinned, found) == 0 ||
           error_set(error, ERROR_TRUST,
                     "%s: not the released %s: SHA-256 expected %s, found %s; put the released file back, or "
                     "release the changed set with `packline release make`",
                     path, what, pinned ? pinned : "none", found ? found : "none");
}

/* NULL when this kind was not read. */
static char *kept_hash(const struct plan_files *files, const char *kind)
{
    for (guint i = 0; i < files->kept->len; i++) {
        const struct plan_file *file = g_ptr_array_index(files->kept, i);
        if (strcmp(file->kind, kind) != 0)
            continue;
        char *hash = g_malloc0(65);
        gsize n;
        const void *data = g_bytes_get_data(file->bytes, &n);
        trust_sha256(data, n, hash);
        return hash;
    }
    return NULL;
}

/* A manifest with a signature that does not fit is not kept, but its hash says the same in plainer words. */
static char *manifest_hash(const struct plan_files *files, const char *package)
{
    char *hash = kept_hash(files, "manifest");
    g_autofree char *path = g_build_filename(package, PACKAGE_MANIFEST, NULL);
    g_autoptr(GBytes) bytes = hash ? NULL : bind_read_file(path, PACKAGE_MANIFEST_MAX, NULL);
    if (!bytes)
        return hash;
    gsize n;
    const void *data = g_bytes_get_data(bytes, &n);
    hash = g_malloc0(65);
    trust_sha256(data, n, hash);
    return hash;
}

bool plan_files_released(const struct plan_files *files, const struct release *release,
                         const char *recipe_path, GError **error)
{
    g_autofree char *recipe = kept_hash(files, "recipe");
    if (recipe && !same_hash("recipe", recipe_path, release->recipe_sha256, recipe, error))
        return false;
    if (!files->recipe)
        return true;
    const struct recipe *r = files->recipe;
    g_autofree char *profile_path = plan_files_beside(recipe_path, r->profile);
    g_autofree char *layout_path = plan_files_beside(recipe_path, r->layout ? r->layout : "");
    g_autofree char *package_path = plan_files_beside(recipe_path, r->package ? r->package : "");
    g_autofree char *manifest_path = g_build_filename(package_path, PACKAGE_MANIFEST, NULL);
    g_autofree char *profile = kept_hash(files, "profile"), *layout = kept_hash(files, "layout");
    g_autofree char *manifest = r->package ? manifest_hash(files, package_path) : NULL;
    /* What could not be read has no hash; the load has said so. */
    return (!profile || same_hash("profile", profile_path, release->profile_sha256, profile, error)) &&
           ((r->layout && !layout) ||
            same_hash("label layout", layout_path, release->layout_sha256, layout, error)) &&
           ((r->package && !manifest) ||
            same_hash("package manifest", manifest_path, release->package_sha256, manifest, error));
}

/* Stand-ins of the right shape, for checks without a unit. */
static const struct plan_words example_words = {"00000000", "00000000", "2026-01-01"};

static void steps_clear(struct plan_step *steps, guint n)
{
    for (guint i = 0; i < n; i++)
        g_free(steps[i].values);
    g_free(steps);
}

bool plan_files_check(struct plan_files *files, GError **error)
{
    struct plan_step *steps = g_new0(struct plan_step, files->recipe->steps->len);
    g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
    bool resolved = plan_values_resolve(files->recipe, files->profile, files->package, &example_words, steps,
                                        files->report);
    if (resolved)
        plan_rules_check(files->recipe, files->profile, steps, warnings, files->report);
    if (files->package)
        plan_package_check(files->recipe, files->profile, files->package, files->report);
    steps_clear(steps, files->recipe->steps->len);
    return bind_report_check(files->report, error);
}

void plan_files_clear(struct plan_files *files)
{
    bind_report_free(files->report);
    recipe_free(files->recipe);
    profile_free(files->profile);
    package_free(files->package);
    layout_free(files->layout);
    if (files->kept)
        g_ptr_array_unref(files->kept);
    *files = (struct plan_files){0};
}

/* A file named by a recipe that is itself wrong: its own check lists everything, here the first line is
 * enough. */
static void blame_file(struct bind_report *report, struct bind_place place, const GError *wrong)
{
    g_auto(GStrv) lines = g_strsplit(wrong->message, "\n", 2);
    bind_report_error(report, place, "check that file alone", "%s", lines[0]);
}

/* A package that is not built yet is a warning here: `check` looks at files, a plan needs everything. */
bool plan_check_recipe(const struct recipe *recipe, const struct trust *trust, struct bind_report *report)
{
    struct plan_files files = {.recipe = (struct recipe *)recipe, .report = report};
    g_autoptr(GError) wrong = NULL, missing = NULL;
    files.kept = g_ptr_array_new_with_free_func(file_free);
    if (!load_profile(&files, recipe->path, &wrong))
        blame_file(report, bind_place_of(recipe, recipe, "profile"), wrong);
    g_clear_error(&wrong);
    if (!load_layout(&files, recipe->path, &wrong))
        blame_file(report, bind_place_of(recipe, recipe, "layout"), wrong);
    if (!load_package(&files, recipe->path, trust, &missing))
        bind_report_warning(report, bind_place_of(recipe, recipe, "package"), NULL, "%s", missing->message);
    if (files.profile) {
        g_autoptr(GError) ignored = NULL; /* the findings are in the report */
        (void)!plan_files_check(&files, &ignored);
    }
    files.recipe = NULL;
    files.report = NULL;
    plan_files_clear(&files);
    return bind_report_errors(report) == 0;
}
