#include "station/cli.h"

#include "station/base/error.h"

#include <string.h>

#ifndef PACKLINE_VERSION
#define PACKLINE_VERSION "unknown"
#endif

#define EXIT_CODES                                                                                           \
    "0 pass, 1 unit failed, 2 usage, 3 invalid file, 4 device not found, 5 communication lost,\n"            \
    "6 verify mismatch, 7 refused by rule or permission, 8 instrument, 9 storage, 10 printer, 11 aborted,\n" \
    "12 busy, 13 on hold, 70 internal.\n"

static const struct cli_verb *verb_find(const char *const *words, int count, int *used)
{
    const struct cli_verb *best = NULL;
    for (unsigned t = 0; cli_tables[t]; t++)
        for (const struct cli_verb *verb = cli_tables[t]; verb->name; verb++) {
            g_auto(GStrv) name = g_strsplit(verb->name, " ", 4);
            int n = (int)g_strv_length(name);
            bool match = n <= count;
            for (int i = 0; match && i < n; i++)
                match = strcmp(name[i], words[i]) == 0;
            if (match && (!best || n > *used)) {
                best = verb;
                *used = n;
            }
        }
    return best;
}

static const struct cli_option *option_find(const struct cli_verb *verb, const char *name, char letter)
{
    for (const struct cli_option *option = verb->options; option && option->name; option++)
        if ((name && strcmp(option->name, name) == 0) || (letter && option->letter == letter))
            return option;
    return NULL;
}

static void print_usage(FILE *out, const struct cli_verb *verb)
{
    fprintf(out, "Usage: packline %s", verb->name);
    for (const struct cli_option *option = verb->options; option && option->name; option++) {
        if (option->value)
            fprintf(out, " [--%s %s]%s", option->name, option->value, option->repeat ? "…" : "");
        else
            fprintf(out, " [--%s]", option->name);
    }
    fprintf(out, "%s%s\n", verb->arguments[0] ? " " : "", verb->arguments);
}

static void print_help(const struct cli_verb *verb)
{
    print_usage(stdout, verb);
    printf("\n%s\n", verb->summary);
    if (verb->text)
        printf("\n%s\n", verb->text);
    if (verb->options && verb->options->name)
        printf("\nOptions:\n");
    for (const struct cli_option *option = verb->options; option && option->name; option++) {
        g_autofree char *left = option->value ? g_strdup_printf("--%s %s", option->name, option->value)
                                              : g_strdup_printf("--%s", option->name);
        if (option->letter)
            printf("  -%c, %-24s %s\n", option->letter, left, option->doc);
        else
            printf("      %-24s %s\n", left, option->doc);
    }
    printf("\nExit codes: " EXIT_CODES);
}

/* One line a verb: of all, or of those that begin with a word. How many there were. */
static unsigned list_verbs(FILE *out, const char *first_word)
{
    size_t length = first_word ? strlen(first_word) : 0;
    unsigned n = 0;
    for (unsigned t = 0; cli_tables[t]; t++)
        for (const struct cli_verb *verb = cli_tables[t]; verb->name; verb++) {
            if (first_word && (strncmp(verb->name, first_word, length) != 0 || verb->name[length] != ' '))
                continue;
            fprintf(out, "  %-18s %s\n", verb->name, verb->summary);
            n++;
        }
    return n;
}

static void print_overview(FILE *out)
{
    fprintf(out, "Usage: packline VERB …\n\nFlashes and provisions battery-management boards, and keeps the "
                 "record.\n\n");
    list_verbs(out, NULL);
    fprintf(out,
            "\n'packline VERB --help' explains a verb. 'packline --version' says which build this is.\n");
}

static bool wants(int argc, char **argv, const char *word)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], word) == 0)
            return true;
    return false;
}

/* `packline board` and `packline board --help` are half a verb: what it can become is shown. */
static int no_verb(int argc, char **argv, int first)
{
    bool alone = argc == first + 1, help = wants(argc, argv, "--help") || wants(argc, argv, "-h");
    if ((alone || help) && list_verbs(help ? stdout : stderr, argv[first]))
        return help ? 0 : 2;
    fprintf(stderr, "packline: error: no verb '%s%s%s'; these there are:\n", argv[first], alone ? "" : " ",
            alone ? "" : argv[first + 1]);
    if (!list_verbs(stderr, argv[first]))
        list_verbs(stderr, NULL);
    return 2;
}

static void roff_text(const char *text)
{
    for (const char *p = text; *p; p++) {
        if (*p == '-' || *p == '\\')
            putchar('\\');
        if ((*p == '.' || *p == '\'') && (p == text || p[-1] == '\n'))
            fputs("\\&", stdout);
        putchar(*p);
    }
}

/* The man page of one verb, from the same table as --help. */
static void print_man(const struct cli_verb *verb)
{
    g_auto(GStrv) words = g_strsplit(verb->name, " ", 4);
    g_autofree char *dashed = g_strjoinv("-", words);
    g_autofree char *upper = g_ascii_strup(dashed, -1);
    printf(".TH PACKLINE\\-%s 1 \"\" \"packline %s\"\n.SH NAME\npackline\\-%s \\- ", upper, PACKLINE_VERSION,
           dashed);
    roff_text(verb->summary);
    printf("\n.SH SYNOPSIS\n.B packline %s\n", verb->name);
    for (const struct cli_option *option = verb->options; option && option->name; option++)
        printf("[\\fB\\-\\-%s\\fR%s%s]\n", option->name, option->value ? " " : "",
               option->value ? option->value : "");
    printf("%s\n", verb->arguments);
    if (verb->text) {
        printf(".SH DESCRIPTION\n");
        roff_text(verb->text);
        putchar('\n');
    }
    if (verb->options && verb->options->name)
        printf(".SH OPTIONS\n");
    for (const struct cli_option *option = verb->options; option && option->name; option++) {
        printf(".TP\n");
        if (option->letter)
            printf("\\fB\\-%c\\fR, ", option->letter);
        printf("\\fB\\-\\-%s\\fR %s\n", option->name, option->value ? option->value : "");
        roff_text(option->doc);
        putchar('\n');
    }
    printf(".SH EXIT STATUS\n" EXIT_CODES);
}

const GPtrArray *cli_all(const struct cli_input *input, const char *name)
{
    return g_hash_table_lookup(input->options, name);
}

bool cli_has(const struct cli_input *input, const char *name)
{
    return cli_all(input, name) != NULL;
}

const char *cli_get(const struct cli_input *input, const char *name)
{
    const GPtrArray *all = cli_all(input, name);
    return all && all->len ? g_ptr_array_index(all, all->len - 1) : NULL;
}

void cli_print_json(json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_ENSURE_ASCII);
    if (text)
        puts(text);
    fflush(stdout);
    free(text);
    json_decref(json);
}

int cli_fail(const struct cli_input *input, GError *error)
{
    const struct error_rule *rule = error_rule(error);
    int code = rule->exit_code;
    if (input && input->json)
        cli_print_json(json_pack("{s:i,s:s,s:{s:s,s:s,s:s,s:i}}", "v", 1, "type", "log", "data", "level",
                                 "error", "kind", rule->name, "text", error->message, "exit_code", code));
    else
        fprintf(stderr, "packline: %s%s\n",
                strstr(error->message, "error:") ? "" : "error: ", error->message);
    g_error_free(error);
    return code;
}

int cli_usage(const struct cli_input *input, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    fprintf(stderr, "packline: error: %s\n", text);
    print_usage(stderr, input->verb);
    return 2;
}

static void add_option(struct cli_input *input, const char *name, const char *value)
{
    GPtrArray *all = g_hash_table_lookup(input->options, name);
    if (!all) {
        all = g_ptr_array_new_with_free_func(g_free);
        g_hash_table_insert(input->options, g_strdup(name), all);
    }
    g_ptr_array_add(all, g_strdup(value ? value : ""));
}

/* One word that begins with a dash; *i moves on when the value is the next word. */
static int parse_option(struct cli_input *input, int argc, char **argv, int *i)
{
    const char *word = argv[*i];
    const char *equals = word[1] == '-' ? strchr(word, '=') : NULL;
    g_autofree char *name =
        word[1] == '-' ? g_strndup(word + 2, equals ? (gsize)(equals - word - 2) : strlen(word + 2)) : NULL;
    if (name && strcmp(name, "json") == 0 && !equals) {
        input->json = true;
        return 0;
    }
    const struct cli_option *option = option_find(input->verb, name, name ? 0 : word[1]);
    if (!option || (!name && word[2]))
        return cli_usage(input, "unknown option '%s'", word);
    if (cli_has(input, option->name) && !option->repeat)
        return cli_usage(input, "--%s stands twice", option->name);
    if (!option->value) {
        if (equals)
            return cli_usage(input, "--%s takes no value", option->name);
        add_option(input, option->name, NULL);
        return 0;
    }
    if (!equals && *i + 1 >= argc)
        return cli_usage(input, "--%s needs a value: %s", option->name, option->value);
    add_option(input, option->name, equals ? equals + 1 : argv[++*i]);
    return 0;
}

static int parse(struct cli_input *input, int argc, char **argv, int from)
{
    bool options = true;
    for (int i = from; i < argc; i++) {
        if (options && strcmp(argv[i], "--") == 0) {
            options = false;
        } else if (options && argv[i][0] == '-' && argv[i][1] && !g_ascii_isdigit(argv[i][1])) {
            int code = parse_option(input, argc, argv, &i);
            if (code)
                return code;
        } else {
            g_ptr_array_add(input->arguments, g_strdup(argv[i]));
        }
    }
    if (input->arguments->len < input->verb->arguments_min)
        return cli_usage(input, "'%s' needs: %s", input->verb->name, input->verb->arguments);
    if (input->arguments->len > input->verb->arguments_max)
        return cli_usage(input, "too many words: '%s'",
                         (char *)g_ptr_array_index(input->arguments, input->verb->arguments_max));
    return 0;
}

static int run_verb(const struct cli_verb *verb, int argc, char **argv, int from)
{
    struct cli_input input = {.verb = verb};
    input.options = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
    input.arguments = g_ptr_array_new_with_free_func(g_free);
    int code = parse(&input, argc, argv, from);
    if (code == 0)
        code = verb->run(&input);
    g_hash_table_unref(input.options);
    g_ptr_array_unref(input.arguments);
    return code;
}

/* "board --link L read X" is "board read --link L X": the second word of a verb may stand behind options. */
static void gather_verb(int argc, char **argv, int first)
{
    for (int i = first + 1; i < argc; i++) {
        int used = 0;
        const char *const words[] = {argv[first], argv[i]};
        if (!verb_find(words, 2, &used) || used != 2)
            continue;
        char *word = argv[i];
        memmove(&argv[first + 2], &argv[first + 1], (size_t)(i - first - 1) * sizeof *argv);
        argv[first + 1] = word;
        return;
    }
}

int cli_main(int argc, char **argv)
{
    int used = 0;
    if (argc > CLI_ARGUMENTS_MAX) {
        fprintf(stderr, "packline: error: more than %d words\n", CLI_ARGUMENTS_MAX);
        return 2;
    }
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0 ||
        strcmp(argv[1], "-h") == 0) {
        print_overview(argc < 2 ? stderr : stdout);
        return argc < 2 ? 2 : 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("packline %s\n", PACKLINE_VERSION);
        return 0;
    }
    bool man = strcmp(argv[1], "man") == 0 && argc > 2;
    int first = man ? 2 : 1;
    const struct cli_verb *verb = verb_find((const char *const *)argv + first, argc - first, &used);
    if (!verb) {
        gather_verb(argc, argv, first);
        verb = verb_find((const char *const *)argv + first, argc - first, &used);
    }
    if (!verb)
        return no_verb(argc, argv, first);
    if (man) {
        print_man(verb);
        return 0;
    }
    if (wants(argc, argv, "--help") || wants(argc, argv, "-h")) {
        print_help(verb);
        return 0;
    }
    return run_verb(verb, argc, argv, 1 + used);
}

bool cli_count(const char *text, const char *name, uint32_t *value, GError **error)
{
    guint64 parsed;
    bool hex = g_str_has_prefix(text, "0x") || g_str_has_prefix(text, "0X");
    if (!g_ascii_string_to_unsigned(hex ? text + 2 : text, hex ? 16 : 10, 0, G_MAXUINT32, &parsed, NULL))
        return error_set(error, ERROR_USAGE, "%s: '%s' is not a number such as 0x08000000", name, text);
    *value = (uint32_t)parsed;
    return true;
}

bool cli_number(const struct cli_input *input, const char *name, uint32_t preset, uint32_t *value,
                GError **error)
{
    const char *text = cli_get(input, name);
    g_autofree char *option = g_strconcat("--", name, NULL);
    *value = preset;
    return !text || cli_count(text, option, value, error);
}
