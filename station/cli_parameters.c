/* board write: single values. board export, board import: the parameters of a pack from one board to another.
 */
#include "station/cli_session.h"

#include "proto/parameters.h"
#include "station/base/error.h"

#include <string.h>

extern const struct cli_verb cli_parameters_verbs[];

static bool write_new(const char *path, const char *text, GError **error)
{
    g_autoptr(GError) failure = NULL;
    if (g_file_test(path, G_FILE_TEST_EXISTS))
        return error_set(error, ERROR_USAGE, "%s is there already: nothing is written over it", path);
    return g_file_set_contents_full(path, text, -1,
                                    G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0644,
                                    &failure) ||
           error_set(error, ERROR_STORAGE, "%s", failure->message);
}

static char *export_text(struct session *session, const struct board_image *image,
                         struct board_identity *identity, GError **error)
{
    return board_identify(session->board, identity, error)
               ? parameters_text(image, identity, tick_wall(session->wire->tick))
               : NULL;
}

static bool export_board(const struct cli_input *input, struct session *session, GError **error)
{
    struct board_identity identity = {0};
    struct board_image *image = board_image_read(session->board, error);
    g_autofree char *text = image ? export_text(session, image, &identity, error) : NULL;
    board_image_free(image);
    if (!text)
        return false;
    if (!cli_has(input, "out")) {
        fputs(text, stdout);
        return true;
    }
    if (!write_new(cli_get(input, "out"), text, error))
        return false;
    printf("%s\n", cli_get(input, "out"));
    return true;
}

/* import */
struct import {
    const struct cli_input *input;
    struct session *session;
    struct board_image *image;     /* as found */
    GArray *values;                /* struct item_value: all that the file says */
    GArray *changes;               /* those that the board does not hold yet */
    const struct profile_set *set; /* named by --set, or NULL */
    struct item_value shown[16];
    unsigned next;
    GString *broken;
};

static const struct item_value *find_value(const GArray *values, const char *key)
{
    for (guint i = 0; i < values->len; i++) {
        const struct item_value *value = &g_array_index(values, struct item_value, i);
        if (strcmp(value->item->key, key) == 0)
            return value;
    }
    return NULL;
}

/* As it will be: what is written, else what was found. A rule compares few values at a time. */
static const struct item_value *as_it_will_be(void *context, const char *key)
{
    struct import *import = context;
    const struct item_value *written = find_value(import->values, key);
    const struct profile_item *item = profile_item_find(import->session->profile, key);
    struct item_value *found = &import->shown[import->next++ % G_N_ELEMENTS(import->shown)];
    if (written)
        return written;
    return item && board_image_get(import->image, item, found) ? found : NULL;
}

static bool touches(const struct import *import, const struct profile_rule *rule)
{
    if (find_value(import->changes, rule->left) ||
        (rule->right && find_value(import->changes, rule->right)) ||
        (rule->cells && find_value(import->changes, rule->cells)))
        return true;
    for (guint i = 0; i < rule->parts->len; i++)
        if (find_value(import->changes, g_ptr_array_index(rule->parts, i)))
            return true;
    return false;
}

static bool waived(const struct import *import, const struct profile_rule *rule)
{
    const GPtrArray *all = cli_all(import->input, "waive");
    for (guint i = 0; all && rule->waivable && i < all->len; i++)
        if (strcmp(g_ptr_array_index(all, i), rule->name) == 0)
            return true;
    return false;
}

/* What the board brings with it is a remark; what is about to be written is refused. An engineer may go
 * around it. */
static void rule_broken(void *context, const struct profile_rule *rule, const char *sentence)
{
    struct import *import = context;
    if (!touches(import, rule) || waived(import, rule) || cli_has(import->input, "override-rules"))
        fprintf(stderr, "packline: warning: %s\n", sentence);
    else
        g_string_append_printf(import->broken, "%s%s (%s%s)", import->broken->len ? "; " : "", sentence,
                               rule->waivable ? "--waive " : "rule ", rule->name);
}

static void find_changes(struct import *import)
{
    for (guint i = 0; i < import->values->len; i++) {
        const struct item_value *value = &g_array_index(import->values, struct item_value, i);
        struct item_value found = {0};
        if (!board_image_get(import->image, value->item, &found) || !profile_value_same(value, &found))
            g_array_append_val(import->changes, *value);
    }
}

static bool compare(struct import *import, GError **error)
{
    struct item_value *wanted = (struct item_value *)(void *)import->values->data;
    g_autofree struct item_value *found = g_memdup2(wanted, import->values->len * sizeof *wanted);
    if (!board_read_values(import->session->board, found, import->values->len, error))
        return false;
    for (guint i = 0; i < import->values->len; i++) {
        if (profile_value_same(&wanted[i], &found[i]))
            continue;
        g_autofree char *written = profile_value_format(&wanted[i]);
        g_autofree char *held = profile_value_format(&found[i]);
        return error_set(error, ERROR_MISMATCH, "%s was written as %s but reads %s", wanted[i].item->key,
                         written, held);
    }
    return true;
}

/* What tells boards apart that have no unique id. */
static bool same_serial(struct import *import, GError **error)
{
    const struct profile *profile = import->session->profile;
    const struct profile_item *item = profile_item_find(profile, profile->serial_item);
    struct item_value was = {0}, is = {0};
    if (!item || !board_image_get(import->image, item, &was))
        return true;
    if (!board_read_item(import->session->board, item, &is, error))
        return false;
    return was.absent == is.absent && strcmp(was.text, is.text) == 0
               ? true
               : error_set(error, ERROR_RULE, "the board was swapped while it was written");
}

/* The same board as before, or the values went to a stranger. */
static bool still_same(struct import *import, const struct board_identity *before, GError **error)
{
    struct board_identity now = {0};
    if (!board_identify(import->session->board, &now, error))
        return false;
    if (!before->has_unique_id && !now.has_unique_id)
        return same_serial(import, error);
    return now.has_unique_id == before->has_unique_id &&
                   memcmp(now.unique_id, before->unique_id, sizeof now.unique_id) == 0
               ? true
               : error_set(error, ERROR_RULE, "the board was swapped while it was written");
}

/* The cells are what the board reports; where it reports nothing, what a named set is for. */
static bool find_chemistry(const struct import *import, const char **chemistry, GError **error)
{
    const char *wanted = import->set ? import->set->chemistry : NULL;
    if (!board_chemistry(import->session->board, chemistry, error))
        return false;
    if (*chemistry && wanted && strcmp(*chemistry, wanted) != 0)
        return error_set(
            error, ERROR_RULE,
            "the board reports %s cells, set '%s' is for %s: limits of another chemistry do not protect "
            "them",
            *chemistry, import->set->name, wanted);
    *chemistry = *chemistry ? *chemistry : wanted;
    return true;
}

static bool check_rules(struct import *import, GError **error)
{
    const char *chemistry;
    import->image = board_image_read(import->session->board, error);
    if (!import->image || !find_chemistry(import, &chemistry, error))
        return false;
    find_changes(import);
    profile_check_rules(import->session->profile, chemistry, as_it_will_be, rule_broken, import);
    return import->broken->len == 0 || error_set(error, ERROR_RULE, "%s", import->broken->str);
}

static void add_tied(struct import *import, const char *key)
{
    const struct profile_item *item = profile_item_find(import->session->profile, key);
    struct item_value held;
    if (item->access != ACCESS_READ_ONLY && item->access != ACCESS_NEVER &&
        !find_value(import->changes, key) && board_image_get(import->image, item, &held))
        g_array_append_val(import->changes, held);
}

/* Boards look at a sum and its parts after each request: what is tied goes in one, changed or not. */
static void add_all_tied(struct import *import)
{
    const GPtrArray *rules = import->session->profile->rules;
    for (guint i = 0; import->image && i < rules->len; i++) {
        const struct profile_rule *rule = g_ptr_array_index(rules, i);
        if (rule->check != CHECK_SUM || !touches(import, rule))
            continue;
        add_tied(import, rule->left);
        for (guint k = 0; k < rule->parts->len; k++)
            add_tied(import, g_ptr_array_index(rule->parts, k));
    }
}

static bool write_values(struct import *import, GError **error)
{
    add_all_tied(import);
    if (!board_write_values(import->session->board,
                            (const struct item_value *)(const void *)import->changes->data,
                            import->changes->len, error))
        return false;
    GError *unread = NULL;
    if (compare(import, &unread))
        return true;
    if (error_kind(unread) == ERROR_SILENT)
        g_prefix_error(&unread, "the board took it, but was silent when it was read back; one that was given "
                                "another address answers there (--address): ");
    g_propagate_error(error, unread);
    return false;
}

static bool write_changes(struct import *import, GError **error)
{
    const guint changed = import->changes->len;
    struct board_identity identity = {0};
    g_autofree char *before = export_text(import->session, import->image, &identity, error);
    if (!before || !write_new(cli_get(import->input, "keep"), before, error))
        return false;
    if (import->changes->len == 0) {
        printf("nothing to write: the board holds all %u values\n", import->values->len);
        return true;
    }
    if (!write_values(import, error) || !still_same(import, &identity, error)) {
        g_prefix_error(error, "the board may hold a part of the values now; %s is what it held before: ",
                       cli_get(import->input, "keep"));
        return false;
    }
    printf("%u %s written, %u held already; all read back. Before: %s\n", changed,
           changed == 1 ? "value" : "values", import->values->len - changed, cli_get(import->input, "keep"));
    return true;
}

static bool import_values(struct import *import, GError **error)
{
    return check_rules(import, error) && write_changes(import, error);
}

static GArray *load_values(const char *path, const struct profile *profile, GError **error)
{
    g_autoptr(GBytes) bytes = bind_read_file(path, BIND_FILE_MAX, error);
    if (!bytes)
        return NULL;
    g_autoptr(bind_report_auto) report = bind_report_new(path, bytes);
    struct parameters *parameters = parameters_load(path, bytes, report);
    GArray *values = parameters ? parameters_resolve(parameters, profile, report) : NULL;
    parameters_free(parameters);
    if (!values && bind_report_check(report, error))
        error_set(error, ERROR_AUTHOR, "%s: no parameters", path);
    if (!values || values->len > 0)
        return values;
    g_array_unref(values);
    error_set(error, ERROR_AUTHOR,
              profile->pack->len > 0
                  ? "%s: `pack:` is empty, so there is nothing to write to a board of profile '%s'"
                  : "%s: nothing moves to another board of profile '%s': its list `pack` is empty",
              path, profile->profile);
    return NULL;
}

static bool import_board(const struct cli_input *input, struct session *session, GError **error)
{
    struct import import = {.input = input, .session = session};
    if (!cli_has(input, "keep"))
        return error_set(error, ERROR_USAGE, "--keep FILE is needed: what the board holds now is kept there");
    if (session->profile->pack->len == 0)
        return error_set(
            error, ERROR_RULE,
            "profile '%s' lists nothing under `pack:`: no value of such a board moves to another",
            session->profile->profile);
    import.values = load_values(g_ptr_array_index(input->arguments, 0), session->profile, error);
    if (!import.values)
        return false;
    import.changes = g_array_new(FALSE, FALSE, sizeof(struct item_value));
    import.broken = g_string_new(NULL);
    bool ok = import_values(&import, error);
    board_image_free(import.image);
    g_array_unref(import.values);
    g_array_unref(import.changes);
    g_string_free(import.broken, TRUE);
    return ok;
}

/* The values of the named set, which those on the command line replace. */
static bool take_set(struct import *import, GError **error)
{
    const struct profile *profile = import->session->profile;
    const char *name = cli_get(import->input, "set");
    g_autoptr(GString) names = g_string_new(NULL);
    for (guint i = 0; i < profile->sets->len; i++)
        g_string_append_printf(names, " %s", ((const struct profile_set *)profile->sets->pdata[i])->name);
    if (!name)
        return true;
    import->set = profile_set_find(profile, name);
    if (!import->set)
        return error_set(error, ERROR_USAGE, "no set '%s'; profile '%s' has:%s", name, profile->profile,
                         names->len ? names->str : " none");
    for (guint i = 0; i < import->set->values->len; i++) {
        const struct bind_pair *pair = g_ptr_array_index(import->set->values, i);
        const struct profile_item *item = session_item(import->session, pair->key, error);
        struct item_value value;
        if (!item || !profile_value_parse(item, pair->value, &value, error))
            return false;
        if (!find_value(import->values, item->key))
            g_array_append_val(import->values, value);
    }
    return true;
}

/* What stands on a command line stands in the shell's history and in the list of processes. */
static bool parse_word(const struct profile_item *item, const char *word, struct item_value *value,
                       GError **error)
{
    if (!item->secret)
        return profile_value_parse(item, word, value, error);
    if (word[0] != '@')
        return error_set(error, ERROR_USAGE,
                         "%s is secret: put it into a file that only you can read, and give @FILE",
                         item->key);
    struct secret *secret = secret_from_file(word + 1, error);
    bool ok = secret && profile_value_parse(item, secret_reveal(secret), value, error);
    secret_free(secret);
    return ok;
}

/* What an operation writes goes around its checks when it is written alone: interlocks, polarity, the reading
 * after restored defaults. */
static bool check_operation(const struct session *session, const struct profile_item *item, GError **error)
{
    static const struct {
        enum profile_procedure_name procedure;
        const char *operation;
    } operations[] = {{PROCEDURE_FACTORY_DEFAULTS, "factory-defaults"},
                      {PROCEDURE_SLEEP, "sleep"},
                      {PROCEDURE_CHARGE_FET, "charge-fet-on` or `charge-fet-off"},
                      {PROCEDURE_DISCHARGE_FET, "discharge-fet-on` or `discharge-fet-off"}};
    for (gsize i = 0; item->access == ACCESS_ENGINEERING && i < G_N_ELEMENTS(operations); i++) {
        const struct profile_procedure *found =
            profile_procedure_find(session->profile, operations[i].procedure);
        for (guint k = 0; found && k < found->acts->len; k++) {
            const struct bind_variant_value *act = g_ptr_array_index(found->acts, k);
            if (strcmp(act->variant->tag, "write") == 0 &&
                ((const struct profile_act_write *)act->value)->in == item)
                return error_set(error, ERROR_RULE,
                                 "'%s' is written by an operation alone: `packline board control %s`",
                                 item->key, operations[i].operation);
        }
    }
    return true;
}

static bool may_write(const struct cli_input *input, const struct session *session,
                      const struct profile_item *item, GError **error)
{
    if (!check_operation(session, item, error))
        return false;
    return item->access != ACCESS_ENGINEERING || cli_has(input, "engineer") ||
           error_set(error, ERROR_RULE, "'%s' is for engineers: --engineer confirms it", item->key);
}

static bool parse_pairs(const struct cli_input *input, const struct session *session, GArray *values,
                        GError **error)
{
    const GPtrArray *words = input->arguments;
    for (guint i = 0; i + 1 < words->len; i += 2) {
        struct item_value value;
        const struct profile_item *item = session_item(session, g_ptr_array_index(words, i), error);
        if (!item || !may_write(input, session, item, error) ||
            !parse_word(item, g_ptr_array_index(words, i + 1), &value, error))
            return false;
        if (find_value(values, item->key))
            return error_set(error, ERROR_USAGE, "'%s' is given twice", item->key);
        g_array_append_val(values, value);
    }
    return words->len % 2 == 0 ||
           error_set(error, ERROR_USAGE, "'%s' has no value: items and values come in pairs",
                     (const char *)g_ptr_array_index(words, words->len - 1));
}

static bool has_rule(const struct import *import)
{
    for (guint i = 0; i < import->session->profile->rules->len; i++)
        if (touches(import, g_ptr_array_index(import->session->profile->rules, i)))
            return true;
    return false;
}

static bool write_pairs(struct import *import, GError **error)
{
    if (!parse_pairs(import->input, import->session, import->values, error) || !take_set(import, error))
        return false;
    if (import->values->len == 0)
        return error_set(error, ERROR_USAGE, "nothing to write: ITEM VALUE, or --set NAME");
    g_array_append_vals(import->changes, import->values->data, import->values->len);
    const bool ruled = has_rule(import);
    g_array_set_size(import->changes, 0);
    if (ruled && !check_rules(import, error)) {
        g_prefix_error(error, "nothing was written: ");
        return false;
    }
    g_array_set_size(import->changes, 0);
    g_array_append_vals(import->changes, import->values->data, import->values->len);
    if (!write_values(import, error))
        return false;
    const struct item_value *values = (const struct item_value *)(const void *)import->values->data;
    for (guint i = 0; i < import->values->len; i++) {
        g_autofree char *text = profile_value_format(&values[i]);
        printf("%s %s (read back)\n", values[i].item->key, text);
    }
    return true;
}

static bool write_board(const struct cli_input *input, struct session *session, GError **error)
{
    struct import import = {.input = input,
                            .session = session,
                            .values = g_array_new(FALSE, FALSE, sizeof(struct item_value)),
                            .changes = g_array_new(FALSE, FALSE, sizeof(struct item_value)),
                            .broken = g_string_new(NULL)};
    bool ok = write_pairs(&import, error);
    board_image_free(import.image);
    g_array_unref(import.values);
    g_array_unref(import.changes);
    g_string_free(import.broken, TRUE);
    return ok;
}

static int write_verb(const struct cli_input *input)
{
    return session_run(input, write_board);
}

static int export_verb(const struct cli_input *input)
{
    return session_run(input, export_board);
}

static int import_verb(const struct cli_input *input)
{
    return session_run(input, import_board);
}

#define WAIVE_OPTION                                                                                         \
    {                                                                                                        \
        "waive", 0, "RULE", true,                                                                            \
            "write although this rule of the profile is broken; may stand more than once"                    \
    }

static const struct cli_option write_options[] = {
    BOARD_OPTIONS,
    WAIVE_OPTION,
    {"set", 0, "NAME", false, "write this named set of values of the profile; values given beside it count"},
    {"engineer", 0, NULL, false, "write items that are for engineers"},
    {"override-rules", 0, NULL, false, "write although rules of the profile are broken: each is a warning"},
    {NULL}};
static const struct cli_option export_options[] = {
    BOARD_OPTIONS, {"out", 'o', "FILE", false, "file to write; default is the terminal"}, {NULL}};
static const struct cli_option import_options[] = {
    BOARD_OPTIONS,
    {"keep", 0, "FILE", false, "file to write first: what the board holds before"},
    WAIVE_OPTION,
    {NULL}};

const struct cli_verb cli_parameters_verbs[] = {
    {.name = "board write",
     .arguments = "[ITEM VALUE…]",
     .arguments_min = 0,
     .arguments_max = 200,
     .summary = "write items and read them back",
     .text =
         "The values are held against ranges and, together with what the board holds already, against the "
         "profile's rules; values that change together are given together. Nothing is written when a rule "
         "would be broken.",
     .options = write_options,
     .run = write_verb},
    {.name = "board export",
     .arguments = "",
     .summary = "the parameters of a board as a file",
     .text = "YAML of kind packline/parameters/1 (docs/reference-parameters.md): what belongs to the pack "
             "and what "
             "belongs to the board, apart. Secrets are left out.",
     .options = export_options,
     .run = export_verb},
    {.name = "board import",
     .arguments = "FILE",
     .arguments_min = 1,
     .arguments_max = 1,
     .summary = "write the pack's parameters of an export onto a board",
     .text =
         "For a pack that gets another board. Reads the whole image and keeps it in the file of --keep, "
         "holds the "
         "values against ranges and rules, writes what differs, reads everything back, and sees that it is "
         "still the same board. What belongs to the board is left alone: calibration, address, numbers.",
     .options = import_options,
     .run = import_verb},
    {NULL},
};
