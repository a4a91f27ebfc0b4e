#include "recipes/release.h"

#include "recipes/plan.h"
#include "recipes/plan_files.h"
#include "station/base/error.h"

#include <string.h>

#define HASH_PATTERN  "[0-9a-f]{64}"
#define SIGNATURE_MAX 512

static const struct bind_field release_fields[] = {
    {.key = "schema",
     .type = BIND_TEXT,
     .offset = offsetof(struct release, schema),
     .required = true,
     .doc = "`packline/release/1`."},
    {.key = "recipe",
     .type = BIND_TEXT,
     .offset = offsetof(struct release, recipe),
     .required = true,
     .doc = "The recipe, relative to this file."},
    {.key = "revision",
     .type = BIND_INTEGER,
     .offset = offsetof(struct release, revision),
     .required = true,
     .min = 1,
     .max = 1000000,
     .doc = "The recipe's revision."},
    {.key = "recipe_sha256",
     .type = BIND_TEXT,
     .offset = offsetof(struct release, recipe_sha256),
     .required = true,
     .pattern = HASH_PATTERN,
     .doc = "SHA-256 of the recipe file."},
    {.key = "profile_sha256",
     .type = BIND_TEXT,
     .offset = offsetof(struct release, profile_sha256),
     .required = true,
     .pattern = HASH_PATTERN,
     .doc = "SHA-256 of the profile file."},
    {.key = "layout_sha256",
     .type = BIND_TEXT,
     .offset = offsetof(struct release, layout_sha256),
     .pattern = HASH_PATTERN,
     .doc = "SHA-256 of the label layout."},
    {.key = "package_sha256",
     .type = BIND_TEXT,
     .offset = offsetof(struct release, package_sha256),
     .pattern = HASH_PATTERN,
     .doc = "SHA-256 of the package's manifest, which pins the image."},
    {NULL}};
const struct bind_schema release_schema = {
    .name = "packline/release/1",
    .doc = "A release: recipe, profile, layout and package, pinned by hash.",
    .size = sizeof(struct release),
    .place_offset = offsetof(struct release, place),
    .fields = release_fields};

static struct release *load_signed(const char *path, const struct trust *trust, GBytes *bytes, GError **error)
{
    g_autofree char *signature_path = g_strconcat(path, ".sig", NULL);
    g_autoptr(GBytes) signature = bind_read_file(signature_path, SIGNATURE_MAX, error);
    struct trust_signer signer;
    if (!signature) {
        if (error && *error)
            (*error)->code = ERROR_TRUST;
        g_prefix_error(error, "%s is not signed: ", path);
        return NULL;
    }
    gsize n;
    const char *data = g_bytes_get_data(signature, &n);
    g_autofree char *line = g_strndup(data, n);
    if (!trust_verify(trust, TRUST_RELEASE, RELEASE_DOMAIN, bytes, line, &signer, error)) {
        g_prefix_error(error, "%s: ", path);
        return NULL;
    }
    g_autoptr(bind_report_auto) report = bind_report_new(path, bytes);
    struct release *release = bind_load(&release_schema, bytes, report);
    if (!release) {
        if (bind_report_check(report, error))
            error_set(error, ERROR_AUTHOR, "%s: not a release", path);
        return NULL;
    }
    release->signer = signer;
    return release;
}

struct release *release_load(const char *path, const struct trust *trust, GError **error)
{
    g_autoptr(GBytes) bytes = bind_read_file(path, BIND_FILE_MAX, error);
    struct release *release = bytes ? load_signed(path, trust, bytes, error) : NULL;
    if (!release)
        return NULL;
    gsize n;
    const void *data = g_bytes_get_data(bytes, &n);
    trust_sha256(data, n, release->sha256);
    return release;
}

bool release_check(const char *path, const struct release *release, const struct trust *trust, GError **error)
{
    struct plan_files files = {0};
    g_autoptr(GError) wrong = NULL;
    g_autofree char *recipe_path = plan_files_beside(path, release->recipe);
    bool loaded = plan_files_load(&files, recipe_path, trust, &wrong);
    bool released = plan_files_released(&files, release, recipe_path, error);
    plan_files_clear(&files);
    if (released && !loaded) {
        if (error_kind(wrong) == ERROR_AUTHOR)
            wrong->code = ERROR_TRUST;
        g_propagate_error(error, g_steal_pointer(&wrong));
    }
    return released && loaded;
}

void release_free(struct release *release)
{
    bind_free(&release_schema, release);
}

static char *release_text(const struct plan_files *files, const char *recipe_path)
{
    g_autofree char *base = g_path_get_basename(recipe_path);
    GString *text = g_string_new("schema: packline/release/1\n");
    g_string_append_printf(
        text, "recipe: %s\nrevision: %" G_GINT64_FORMAT "\nrecipe_sha256: %s\nprofile_sha256: %s\n", base,
        files->recipe->revision, files->recipe->sha256, files->profile->sha256);
    if (files->layout)
        g_string_append_printf(text, "layout_sha256: %s\n", files->layout_sha256);
    if (files->package)
        g_string_append_printf(text, "package_sha256: %s\n", files->package->manifest_sha256);
    return g_string_free(text, FALSE);
}

static bool write_release(const char *text, const char *private_key_path, const char *out, GError **error)
{
    g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));
    g_autofree char *signature = trust_sign(private_key_path, RELEASE_DOMAIN, bytes, error);
    g_autofree char *signature_path = g_strconcat(out, ".sig", NULL);
    g_autoptr(GError) inner = NULL;
    const GFileSetContentsFlags flags = G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE;
    if (!signature)
        return false;
    if (!g_file_set_contents_full(out, text, -1, flags, 0644, &inner) ||
        !g_file_set_contents_full(signature_path, signature, -1, flags, 0644, &inner))
        return error_set(error, ERROR_STORAGE, "%s", inner->message);
    return true;
}

bool release_make(const char *recipe_path, const struct trust *trust, const char *private_key_path,
                  const char *out, GError **error)
{
    g_autofree char *recipe_folder = g_path_get_dirname(recipe_path);
    g_autofree char *out_folder = g_path_get_dirname(out);
    g_autofree char *here = g_canonicalize_filename(recipe_folder, NULL);
    g_autofree char *there = g_canonicalize_filename(out_folder, NULL);
    if (strcmp(here, there) != 0)
        return error_set(error, ERROR_USAGE, "a release stands beside its recipe: write it into %s",
                         recipe_folder);
    struct plan_files files = {0};
    bool ok = plan_files_load(&files, recipe_path, trust, error) && plan_files_check(&files, error);
    g_autofree char *text = ok ? release_text(&files, recipe_path) : NULL;
    ok = ok && write_release(text, private_key_path, out, error);
    plan_files_clear(&files);
    return ok;
}
