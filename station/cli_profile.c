/* profile: complete a profile with addresses, look at what is known of it, hold it against a board or another
 * one. */
#include "station/cli_session.h"

#include "proto/probe.h"
#include "station/base/error.h"

#include <string.h>

extern const struct cli_verb cli_profile_verbs[];

static struct profile *load(const char *path, GError **error)
{
    g_autoptr(GBytes) bytes = bind_read_file(path, BIND_FILE_MAX, error);
    if (!bytes)
        return NULL;
    g_autoptr(bind_report_auto) report = bind_report_new(path, bytes);
    struct profile *profile = profile_load(path, bytes, report);
    if (!profile && bind_report_check(report, error))
        error_set(error, ERROR_AUTHOR, "%s: not a profile", path);
    return profile;
}

/* new */
static int new_verb(const struct cli_input *input)
{
    GError *error = NULL;
    const char *from = cli_get(input, "from"), *out = cli_get(input, "out");
    if (!from || !out)
        return cli_usage(input, "--from PROFILE and --out FILE are needed");
    struct profile *profile = load(from, &error);
    if (!profile)
        return cli_fail(input, error);
    g_autofree char *name = cli_has(input, "name") ? g_strdup(cli_get(input, "name"))
                                                   : g_strconcat(profile->profile, "-site", NULL);
    g_autofree char *here = g_path_get_dirname(out), *there = g_path_get_dirname(from);
    g_autofree char *base = g_path_get_basename(from);
    g_autofree char *whole = g_canonicalize_filename(from, NULL);
    g_autofree char *text = profile_addresses_text(profile, name, strcmp(here, there) == 0 ? base : whole);
    bool chained = profile->base_bytes != NULL, whole_already = !profile->has_reference;
    profile_free(profile);
    if (chained)
        return cli_usage(input, "%s completes another profile already: change that file", from);
    if (whole_already)
        return cli_usage(input, "%s has no reference entries: there is nothing to complete", from);
    if (g_file_test(out, G_FILE_TEST_EXISTS))
        return cli_usage(input, "%s is there already", out);
    GError *failure = NULL;
    if (!g_file_set_contents(out, text, -1, &failure)) {
        error_set(&error, ERROR_USAGE, "%s", failure->message);
        g_error_free(failure);
        return cli_fail(input, error);
    }
    printf("%s\n", out);
    return 0;
}

/* check */
static void show_reference(const struct profile *profile)
{
    for (guint i = 0; i < profile->blocks->len; i++) {
        const struct profile_block *block = g_ptr_array_index(profile->blocks, i);
        if (block->evidence == EVIDENCE_REFERENCE)
            printf("  reference block   %s\n", block->name);
    }
    for (guint i = 0; i < profile->commands->len; i++) {
        const struct profile_command *command = g_ptr_array_index(profile->commands, i);
        if (command->evidence == EVIDENCE_REFERENCE)
            printf("  reference command %s\n", command->name);
    }
    for (guint i = 0; i < profile->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(profile->items, i);
        if (item->evidence == EVIDENCE_REFERENCE)
            printf("  reference item    %s\n", item->key);
    }
}

static int check_verb(const struct cli_input *input)
{
    int code = 0;
    for (guint i = 0; i < input->arguments->len; i++) {
        GError *error = NULL;
        const char *path = g_ptr_array_index(input->arguments, i);
        struct profile *profile = load(path, &error);
        if (!profile) {
            code = cli_fail(input, error);
            continue;
        }
        const char *leave = profile->has_reference
                                ? "reference dialect, not the vendor's protocol: no physical wire without "
                                  "`allow_reference: true` in the station file"
                                : "may go onto a physical wire";
        if (input->json) {
            cli_print_json(json_pack("{s:i,s:s,s:{s:s,s:s,s:s,s:s,s:b}}", "v", 1, "type", "info", "data",
                                     "file", path, "profile", profile->profile, "sha256", profile->sha256,
                                     "evidence", profile->evidence, "reference", profile->has_reference));
        } else {
            printf("%s: ok\n  profile  %s\n  sha256   %s\n  evidence %s\n  %s\n", path, profile->profile,
                   profile->sha256, profile->evidence, leave);
            if (cli_has(input, "list"))
                show_reference(profile);
        }
        profile_free(profile);
    }
    return code;
}

/* lock */
static int lock_verb(const struct cli_input *input)
{
    GError *error = NULL;
    const char *path = g_ptr_array_index(input->arguments, 0);
    g_autoptr(GBytes) bytes = bind_read_file(path, BIND_FILE_MAX, &error);
    g_autofree char *schema = bytes ? bind_peek_schema(bytes) : NULL;
    if (bytes && g_strcmp0(schema, profile_addresses_schema.name) == 0) {
        g_autoptr(bind_report_auto) report = bind_report_new(path, bytes);
        g_autofree char *text = profile_addresses_lock(path, bytes, report, &error);
        GError *failure = NULL;
        if (text && !g_file_set_contents(path, text, -1, &failure)) {
            error_set(&error, ERROR_USAGE, "%s", failure->message);
            g_error_free(failure);
        }
    }
    struct profile *profile = error ? NULL : load(path, &error);
    if (!profile)
        return cli_fail(input, error);
    if (input->json)
        cli_print_json(json_pack("{s:i,s:s,s:{s:s,s:s,s:s}}", "v", 1, "type", "info", "data", "file", path,
                                 "profile", profile->profile, "sha256", profile->sha256));
    else
        printf("%s  %s\n", profile->sha256, path);
    profile_free(profile);
    return 0;
}

/* diff */
struct differences {
    const struct cli_input *input;
    unsigned count;
};

/* Name and title say what a file is called, not what it does to a board. */
static void show_difference(void *context, const char *where, const char *key, const char *a, const char *b)
{
    struct differences *differences = context;
    if (!where[0] && (strcmp(key, "profile") == 0 || strcmp(key, "title") == 0))
        return;
    differences->count++;
    if (differences->input->json)
        cli_print_json(json_pack("{s:i,s:s,s:{s:s,s:s?,s:s?,s:s?}}", "v", 1, "type", "info", "data", "where",
                                 where, "key", key, "a", a, "b", b));
    else if (!key)
        printf("%c %s\n", a ? '-' : '+', where);
    else
        printf("~ %-32s %s %s -> %s\n", where[0] ? where : "profile", key, a ? a : "(none)",
               b ? b : "(none)");
}

static int diff_verb(const struct cli_input *input)
{
    GError *error = NULL;
    struct differences differences = {input, 0};
    struct profile *a = load(g_ptr_array_index(input->arguments, 0), &error);
    struct profile *b = a ? load(g_ptr_array_index(input->arguments, 1), &error) : NULL;
    if (b)
        bind_difference(&profile_schema, a, b, show_difference, &differences);
    if (b && !input->json && differences.count == 0 && strcmp(a->sha256, b->sha256) != 0)
        printf("the files differ in name, title or spelling alone\n");
    profile_free(a);
    profile_free(b);
    return error ? cli_fail(input, error) : differences.count ? 1 : 0;
}

/* probe */
static void show_finding(void *context, const struct probe_finding *finding)
{
    static const char *const words[] = {
        [PROBE_GOOD] = "ok", [PROBE_BAD] = "BAD", [PROBE_OPEN] = "open", [PROBE_NOTE] = "note"};
    const struct cli_input *input = context;
    if (input->json)
        cli_print_json(json_pack("{s:i,s:s,s:{s:s,s:s,s:s}}", "v", 1, "type", "info", "data", "result",
                                 words[finding->result], "what", finding->what, "text", finding->text));
    else
        printf("%-4s %-16s %s\n", words[finding->result], finding->what, finding->text);
}

static int probe_verb(const struct cli_input *input)
{
    static const char *const flows[] = {
        [PROBE_FLOW_CHARGE] = "charge", [PROBE_FLOW_DISCHARGE] = "discharge", [PROBE_FLOW_IDLE] = "idle"};
    GError *error = NULL;
    struct session session = {0};
    enum probe_flow flow = PROBE_FLOW_UNKNOWN;
    const char *word = cli_get(input, "flow");
    for (unsigned i = PROBE_FLOW_CHARGE; word && i < G_N_ELEMENTS(flows); i++)
        if (strcmp(word, flows[i]) == 0)
            flow = (enum probe_flow)i;
    if (word && flow == PROBE_FLOW_UNKNOWN)
        return cli_usage(input, "--flow is charge, discharge or idle");
    int bad = session_open(input, &session, &error)
                  ? board_probe(session.board, flow, show_finding, (void *)input, &error)
                  : -1;
    if (bad > 0)
        error_set(&error, ERROR_MISMATCH, "%d of the readings do not fit this profile", bad);
    session_explain(&session, error);
    session_close(&session);
    return error ? cli_fail(input, error) : 0;
}

static const struct cli_option new_options[] = {
    {"from", 0, "PROFILE", false, "profile with reference entries"},
    {"name", 0, "NAME", false, "name of the completed profile; default is the profile's with -site"},
    {"out", 'o', "FILE", false, "the file to write, best beside the profile"},
    {NULL}};
static const struct cli_option check_options[] = {
    {"list", 0, NULL, false, "name each entry that is still reference"}, {NULL}};
static const struct cli_option probe_options[] = {
    BOARD_OPTIONS, {"flow", 0, "FLOW", false, "what flows now: charge, discharge or idle"}, {NULL}};

const struct cli_verb cli_profile_verbs[] = {
    {.name = "profile new",
     .arguments = "",
     .summary = "begin a file of addresses that completes a profile",
     .text =
         "The file lists every block, command and item whose address is packline's own. Put in the board's "
         "own, how each is known, and from where. Recipes name the file as their `profile:`.",
     .options = new_options,
     .run = new_verb},
    {.name = "profile check",
     .arguments = "FILE…",
     .arguments_min = 1,
     .arguments_max = 200,
     .summary = "check profiles, and say how much of them is known and from where",
     .options = check_options,
     .run = check_verb},
    {.name = "profile probe",
     .arguments = "",
     .summary = "hold a profile against a live board; reads only",
     .text =
         "Product, cell count, cell voltages, the sum of the cells against the pack voltage, the sign of the "
         "current, temperatures, capacities, and how many parameters lie in their range. Exit code 6 when "
         "something does not fit.",
     .options = probe_options,
     .run = probe_verb},
    {.name = "profile diff",
     .arguments = "A B",
     .arguments_min = 2,
     .arguments_max = 2,
     .summary = "what differs between two profiles; exit code 1 when something does",
     .run = diff_verb},
    {.name = "profile lock",
     .arguments = "FILE",
     .arguments_min = 1,
     .arguments_max = 1,
     .summary = "the hash of a profile, which records carry",
     .text =
         "In a file of addresses it also puts the present hash of the profile that is completed: until then "
         "a changed profile is refused.",
     .run = lock_verb},
    {NULL},
};
