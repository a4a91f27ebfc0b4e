/* Files: check, schema, reference; keys, firmware packages, releases. */
#include "station/cli.h"

#include "labels/layout.h"
#include "proto/parameters.h"
#include "recipes/plan.h"
#include "station/base/error.h"
#include "station/config.h"

#include <string.h>

extern const struct cli_verb cli_files_verbs[];

struct file_kind {
    const char *name; /* as `schema` takes it */
    const struct bind_schema *schema;
    bool (*check)(const char *path, GBytes *bytes, struct bind_report *report);
};

static bool check_recipe(const char *path, GBytes *bytes, struct bind_report *report)
{
    struct recipe *recipe = recipe_load(path, bytes, report);
    bool ok = recipe && plan_check_recipe(recipe, NULL, report);
    recipe_free(recipe);
    return ok;
}

static bool check_profile(const char *path, GBytes *bytes, struct bind_report *report)
{
    struct profile *profile = profile_load(path, bytes, report);
    profile_free(profile);
    return profile != NULL;
}

static bool check_layout(const char *path, GBytes *bytes, struct bind_report *report)
{
    struct layout *layout = layout_load(path, bytes, report);
    layout_free(layout);
    return layout != NULL;
}

static bool check_config(const char *path, GBytes *bytes, struct bind_report *report)
{
    struct config *config = config_load(path, bytes, report);
    config_free(config);
    return config != NULL;
}

static bool check_plain(const struct bind_schema *schema, GBytes *bytes, struct bind_report *report)
{
    void *value = bind_load(schema, bytes, report);
    bind_free(schema, value);
    return value != NULL;
}

static bool check_manifest(const char *path, GBytes *bytes, struct bind_report *report)
{
    (void)path;
    return check_plain(&manifest_schema, bytes, report);
}

static bool check_parameters(const char *path, GBytes *bytes, struct bind_report *report)
{
    (void)path;
    return check_plain(&parameters_schema, bytes, report);
}

static bool check_release(const char *path, GBytes *bytes, struct bind_report *report)
{
    (void)path;
    return check_plain(&release_schema, bytes, report);
}

static const struct file_kind kinds[] = {
    {"recipe", &recipe_schema, check_recipe},
    {"profile", &profile_schema, check_profile},
    {"addresses", &profile_addresses_schema, check_profile},
    {"parameters", &parameters_schema, check_parameters},
    {"label", &layout_schema, check_layout},
    {"station", &config_schema, check_config},
    {"manifest", &manifest_schema, check_manifest},
    {"release", &release_schema, check_release},
};

static const struct file_kind *kind_by_schema(const char *schema)
{
    for (gsize i = 0; schema && i < G_N_ELEMENTS(kinds); i++)
        if (strcmp(kinds[i].schema->name, schema) == 0)
            return &kinds[i];
    return NULL;
}

static const struct file_kind *kind_by_name(const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

static char *schemas_known(void)
{
    GString *text = g_string_new(NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++)
        g_string_append_printf(text, "%s%s", i ? ", " : "", kinds[i].schema->name);
    return g_string_free(text, FALSE);
}

static bool check_bytes(const char *path, GBytes *bytes, struct bind_report *report)
{
    g_autofree char *schema = bind_peek_schema(bytes);
    const struct file_kind *kind = kind_by_schema(schema);
    if (kind)
        return kind->check(path, bytes, report) && bind_report_errors(report) == 0;
    g_autofree char *known = schemas_known();
    /* A file that cannot even be parsed says so better through any table than through a missing first line.
     */
    if (!schema)
        check_plain(&config_schema, bytes, report);
    if (schema || bind_report_errors(report) == 0)
        bind_report_error(report, (struct bind_place){1, 1}, NULL,
                          "the first key must be `schema:` with one of: %s", known);
    return false;
}

static bool check_file(const struct cli_input *input, const char *path, int *code)
{
    GError *error = NULL;
    g_autoptr(GBytes) bytes = bind_read_file(path, BIND_FILE_MAX, &error);
    if (!bytes) {
        *code = cli_fail(input, error);
        return false;
    }
    g_autoptr(bind_report_auto) report = bind_report_new(path, bytes);
    bool ok = check_bytes(path, bytes, report);
    g_autofree char *text = bind_report_text(report);
    if (input->json) {
        json_t *findings = bind_report_json(report);
        cli_print_json(json_pack("{s:i,s:s,s:{s:s,s:b,s:o}}", "v", 1, "type", "info", "data", "file", path,
                                 "ok", ok, "findings", findings));
    } else {
        fputs(text, stderr);
        if (ok)
            printf("%s: ok\n", path);
    }
    if (!ok)
        *code = 3;
    return ok;
}

static int check(const struct cli_input *input)
{
    int code = 0;
    for (guint i = 0; i < input->arguments->len; i++)
        check_file(input, g_ptr_array_index(input->arguments, i), &code);
    return code;
}

static int schema(const struct cli_input *input)
{
    const struct file_kind *kind = kind_by_name(g_ptr_array_index(input->arguments, 0));
    if (!kind)
        return cli_usage(
            input, "kinds are recipe, profile, addresses, parameters, label, station, manifest, release");
    json_t *json = bind_json_schema(kind->schema);
    char *text = json_dumps(json, JSON_INDENT(2));
    puts(text);
    free(text);
    json_decref(json);
    return 0;
}

static int reference(const struct cli_input *input)
{
    const struct file_kind *kind = kind_by_name(g_ptr_array_index(input->arguments, 0));
    if (!kind)
        return cli_usage(
            input, "kinds are recipe, profile, addresses, parameters, label, station, manifest, release");
    g_autofree char *title =
        g_strdup_printf("%c%s file reference", g_ascii_toupper(kind->name[0]), kind->name + 1);
    g_autofree char *text = bind_reference(kind->schema, title);
    fputs(text, stdout);
    return 0;
}

static int keys(const struct cli_input *input)
{
    static const struct {
        const char *word;
        unsigned roles;
    } roles[] = {{"firmware", TRUST_FIRMWARE}, {"release", TRUST_RELEASE}};
    GError *error = NULL;
    unsigned wanted = 0;
    const GPtrArray *all = cli_all(input, "role");
    for (guint i = 0; all && i < all->len; i++) {
        unsigned found = 0;
        for (gsize k = 0; k < G_N_ELEMENTS(roles); k++)
            if (strcmp(roles[k].word, g_ptr_array_index(all, i)) == 0)
                found = roles[k].roles;
        if (!found)
            return cli_usage(input, "--role is firmware or release");
        wanted |= found;
    }
    if (!wanted)
        return cli_usage(input, "--role firmware, --role release, or both");
    const char *folder = cli_has(input, "folder") ? cli_get(input, "folder") : ".";
    if (!trust_generate(folder, g_ptr_array_index(input->arguments, 0), wanted, &error))
        return cli_fail(input, error);
    printf("%s/%s.key  keep this secret\n%s/%s.pub  goes into the `trust` folder of every station\n", folder,
           (char *)g_ptr_array_index(input->arguments, 0), folder,
           (char *)g_ptr_array_index(input->arguments, 0));
    return 0;
}

static int release_make_verb(const struct cli_input *input)
{
    GError *error = NULL;
    if (!cli_has(input, "trust") || !cli_has(input, "key") || !cli_has(input, "out"))
        return cli_usage(input, "--trust, --key and --out are needed");
    struct trust *trust = trust_load(cli_get(input, "trust"), &error);
    bool ok = trust && release_make(g_ptr_array_index(input->arguments, 0), trust, cli_get(input, "key"),
                                    cli_get(input, "out"), &error);
    trust_free(trust);
    if (!ok)
        return cli_fail(input, error);
    printf("%s\n", cli_get(input, "out"));
    return 0;
}

static int release_verify_verb(const struct cli_input *input)
{
    GError *error = NULL;
    if (!cli_has(input, "trust"))
        return cli_usage(input, "--trust FOLDER is needed");
    struct trust *trust = trust_load(cli_get(input, "trust"), &error);
    const char *path = g_ptr_array_index(input->arguments, 0);
    struct release *release = trust ? release_load(path, trust, &error) : NULL;
    bool ok = release && release_check(path, release, trust, &error);
    trust_free(trust);
    if (ok)
        printf("good signature by %s (%s)\nrecipe %s revision %" G_GINT64_FORMAT "\n"
               "recipe, profile, label layout and package are the released ones\n",
               release->signer.name, release->signer.key_id, release->recipe, release->revision);
    release_free(release);
    return ok ? 0 : cli_fail(input, error);
}

static const struct cli_option keys_options[] = {
    {"folder", 0, "FOLDER", false, "where the two files go; default is here"},
    {"role", 0, "ROLE", true, "firmware or release; may stand twice"},
    {NULL},
};
static const struct cli_option release_make_options[] = {
    {"trust", 0, "FOLDER", false, "public keys that the package must be signed with"},
    {"key", 0, "FILE", false, "private key with the role release"},
    {"out", 'o', "FILE", false, "the release file to write; FILE.sig goes beside it"},
    {NULL},
};
static const struct cli_option release_verify_options[] = {
    {"trust", 0, "FOLDER", false, "public keys to believe"},
    {NULL},
};

const struct cli_verb cli_files_verbs[] = {
    {.name = "check",
     .arguments = "FILE…",
     .arguments_min = 1,
     .arguments_max = 200,
     .summary = "check recipes, profiles, station files, label layouts, manifests, releases",
     .text = "Reports all errors of a file in one pass, each with line and column. With --json one object a "
             "file.",
     .run = check},
    {.name = "schema",
     .arguments = "KIND",
     .arguments_min = 1,
     .arguments_max = 1,
     .summary = "print the JSON Schema of a file kind for editors",
     .run = schema},
    {.name = "reference",
     .arguments = "KIND",
     .arguments_min = 1,
     .arguments_max = 1,
     .summary = "print the reference page of a file kind",
     .run = reference},
    {.name = "keys",
     .arguments = "NAME",
     .arguments_min = 1,
     .arguments_max = 1,
     .summary = "make a signing key pair",
     .options = keys_options,
     .run = keys},
    {.name = "release make",
     .arguments = "RECIPE",
     .arguments_min = 1,
     .arguments_max = 1,
     .summary = "pin recipe, profile, layout and package by hash and sign them",
     .options = release_make_options,
     .run = release_make_verb},
    {.name = "release verify",
     .arguments = "RELEASE",
     .arguments_min = 1,
     .arguments_max = 1,
     .summary = "verify a release: its signature, and every file against its pinned hash",
     .text = "Believes the release only with a good signature of a release key, then reads recipe, profile, "
             "label layout and firmware package as a run reads them. A file that is not the released one is "
             "named with both hashes; exit code 7.",
     .options = release_verify_options,
     .run = release_verify_verb},
    {NULL},
};
