/* The command line: one table of verbs, each with its options; from it come parsing, --help and the man
 * pages.
 *
 * stdout is data, stderr is talk. Exit codes are those of docs/exit-codes.md. --json prints one object a
 * line. */
#pragma once

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct cli_option {
    const char *name;  /* "station" for --station; NULL ends */
    char letter;       /* 0 = none */
    const char *value; /* "FILE"; NULL = a flag */
    bool repeat;       /* may stand more than once */
    const char *doc;
};

#define CLI_ARGUMENTS_MAX 256

/* What was typed, checked against the verb's table. */
struct cli_input {
    const struct cli_verb *verb;
    GHashTable *options;  /* name → GPtrArray of char* */
    GPtrArray *arguments; /* char* */
    bool json;
};

struct cli_verb {
    const char *name;      /* "firmware pack" is two words */
    const char *arguments; /* "IMAGE" …, "" when none */
    unsigned arguments_min, arguments_max;
    const char *summary;
    const char *text; /* paragraphs of the man page, may be NULL */
    const struct cli_option *options;
    int (*run)(const struct cli_input *input); /* the exit code */
};

extern const struct cli_verb
    *const cli_tables[]; /* tables of verbs, each ends with name NULL; ends with NULL */

/* NULL when absent. The last one when repeated. */
const char *cli_get(const struct cli_input *input, const char *name);
bool cli_has(const struct cli_input *input, const char *name);
const GPtrArray *cli_all(const struct cli_input *input, const char *name); /* NULL when absent */

int cli_main(int argc, char **argv);
/* Prints "packline: error: …" (or a JSON line) to stderr and gives its exit code; takes the error. */
int cli_fail(const struct cli_input *input, GError *error);
/* Usage error with the verb's own usage line; exit code 2. */
int cli_usage(const struct cli_input *input, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Prints one JSON line to stdout and frees it. */
void cli_print_json(json_t *json);

/* A number, decimal or 0x…; USAGE that names it. Of an option the preset when it is absent. */
bool cli_count(const char *text, const char *name, uint32_t *value, GError **error);
bool cli_number(const struct cli_input *input, const char *name, uint32_t preset, uint32_t *value,
                GError **error);
