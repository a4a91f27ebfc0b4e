/* The YAML binder: one constant table per file kind is loader, diagnostics, JSON Schema and reference page.
 *
 * Strict by construction: UTF-8, at most BIND_FILE_MAX bytes, BIND_DEPTH_MAX levels, BIND_EVENTS_MAX events,
 * BIND_SCALAR_MAX bytes a scalar; no anchors, aliases, tags, merge keys, tabs, duplicate or unknown keys,
 * second documents; only true/false are flags; whole-token decimal integers without leading zeros (0x only in
 * BIND_HEX or BIND_ADDRESS). All errors of a file are collected in one pass. */
#pragma once

#include "station/base/quantity.h"

#include <jansson.h>
#include <stddef.h>

#define BIND_FILE_MAX   (256 * 1024)
#define BIND_DEPTH_MAX  16
#define BIND_EVENTS_MAX 20000
#define BIND_SCALAR_MAX 4096

/* Where something stands in a file; line and column count from 1; line 0 = not from a file. */
struct bind_place {
    unsigned line, column;
};

/* All that is wrong with one file. Collects, never prints. */
struct bind_report;
struct bind_report *bind_report_new(const char *path,
                                    GBytes *bytes); /* bytes may be NULL; a reference is taken */
void bind_report_free(struct bind_report *report);
/* hint may be NULL ("did you mean 'x'?" or what to write instead). At most 100 are kept, the rest counted. */
void bind_report_error(struct bind_report *report, struct bind_place place, const char *hint,
                       const char *format, ...) G_GNUC_PRINTF(4, 5);
void bind_report_warning(struct bind_report *report, struct bind_place place, const char *hint,
                         const char *format, ...) G_GNUC_PRINTF(4, 5);
unsigned bind_report_errors(const struct bind_report *report);
unsigned bind_report_warnings(const struct bind_report *report);
/* Compiler style: "path:line:column: error: text (hint)" + source line + caret, sorted by place. */
char *bind_report_text(const struct bind_report *report);
/* Array of {file,line,column,severity,message,hint}; hint may be null; a last one at line 0 says how many
 * more there were. New reference. */
json_t *bind_report_json(const struct bind_report *report);
/* Error of kind AUTHOR holding bind_report_text; returns true when there is no error in the report. */
bool bind_report_check(const struct bind_report *report, GError **error);
typedef struct bind_report bind_report_auto;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(bind_report_auto, bind_report_free)

enum bind_type {
    BIND_TEXT,     /* char*; min..max = bytes (0,0 = 1..BIND_SCALAR_MAX); pattern = anchored GRegex or NULL */
    BIND_INTEGER,  /* int64_t; min..max unless both 0 */
    BIND_ADDRESS,  /* int64_t; 0x… hexadecimal or decimal; min..max unless both 0 */
    BIND_FLAG,     /* bool; true | false */
    BIND_QUANTITY, /* int64_t in the base unit of .quantity; min..max unless both 0 */
    BIND_CHOICE,   /* int; one word of .choices */
    BIND_HEX,      /* GBytes*; pairs of hex digits, blanks between pairs allowed, 0x before the first allowed;
                      min..max = bytes */
    BIND_DATE,     /* int64_t µs UTC; YYYY-MM-DD */
    BIND_MAP, /* embedded struct of .child, by value at offset, which is not 0 (places are kept by address) */
    BIND_LIST,     /* GPtrArray* of structs of .child (each g_malloc'd, .child->size bytes) */
    BIND_TEXTS,    /* GPtrArray* of char*, each as BIND_TEXT with pattern; min..max = count */
    BIND_INTEGERS, /* GArray* of int64_t (BIND_ADDRESS spelling) */
    BIND_PAIRS,    /* GPtrArray* of struct bind_pair*: free keys, scalar values, resolved by the caller */
    BIND_VARIANTS, /* GPtrArray* of struct bind_variant_value*: list of maps, each chosen by its tag key */
};

struct bind_choice {
    const char *word;
    int value;
    const char *doc;
};

struct bind_pair {
    char *key, *value;
    struct bind_place key_place, value_place;
    bool quoted; /* the value stood in quotes */
};

struct bind_schema;

struct bind_variant {
    const char *tag; /* value of the tag key */
    const struct bind_schema *schema;
};

struct bind_variant_value {
    const struct bind_variant *variant;
    void *value; /* struct of variant->schema; owned */
    struct bind_place place;
};

struct bind_field {
    const char *key; /* NULL ends the table */
    enum bind_type type;
    size_t offset; /* offsetof in the struct */
    bool required;
    int64_t min, max; /* also the count of lists: 0,0 = 0..1000 */
    enum quantity quantity;
    const struct bind_choice *choices; /* ends with word NULL */
    const struct bind_schema *child;
    const struct bind_variant *variants; /* ends with tag NULL */
    const char *tag_key;                 /* of BIND_VARIANTS, e.g. "do" */
    const char *pattern;                 /* of BIND_TEXT, and of keys of BIND_PAIRS */
    const char *preset;                  /* text parsed when the key is absent; NULL = zero/NULL/empty list */
    const char *doc;                     /* one sentence for the reference page and JSON Schema */
};

struct bind_schema {
    const char *name; /* "packline/recipe/1" for a file kind: the required first key `schema:` must say it */
    const char *doc;
    size_t size;
    size_t place_offset; /* offsetof a struct bind_place filled with where the map starts; 0 = none, so it may
                            not be the first member */
    const struct bind_field *fields;
};

/* Loads bytes into a new struct of the schema, or NULL when anything is wrong, with all errors in the report
 * (only that one error for a file whose `schema:` line names another kind). The caller frees with bind_free.
 * Lists are never NULL. An absent map has the presets of its keys, and line 0 at its place_offset. Keys
 * absent without a preset are zero. A report made without bytes takes these for its excerpts. */
void *bind_load(const struct bind_schema *schema, GBytes *bytes, struct bind_report *report);
/* NULL is nothing to free; otherwise only what bind_load gave. */
void bind_free(const struct bind_schema *schema, void *value);
/* Place of a field's value inside a loaded struct: the place of key within the map `value`; the map's own
 * place when the key was absent. Only during the life of the loaded root. */
struct bind_place bind_place_of(const void *root, const void *map, const char *key);
/* Reads the `schema:` value without binding (for `check` to choose the table); NULL if not readable. */
char *bind_peek_schema(GBytes *bytes);
/* Reads a file once, at most max bytes, refusing symbolic links' surprises with a clear AUTHOR error. */
GBytes *bind_read_file(const char *path, size_t max, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Tells each difference between two loaded structs of one table. where = the maps that lead there ("" = the
 * root), lists' entries by the text of their first key; key NULL = the entry stands on one side alone, the
 * other is NULL. Places are not compared. */
typedef void (*bind_differs)(void *context, const char *where, const char *key, const char *a, const char *b);
void bind_difference(const struct bind_schema *schema, const void *a, const void *b, bind_differs differs,
                     void *context);

/* Checks a table itself, for the tests of whoever writes one: offsets inside the struct and used once,
 * presets that parse and lie in range, patterns that compile, unique keys, words and tags, a doc for each
 * key. An error of kind INTERNAL names the key by its path. */
bool bind_schema_check(const struct bind_schema *schema, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* JSON Schema draft-07 of a table; new reference. */
json_t *bind_json_schema(const struct bind_schema *schema);
/* Markdown reference page of a table. */
char *bind_reference(const struct bind_schema *schema, const char *title);
