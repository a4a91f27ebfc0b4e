/* Inside the binder only: the tree between libyaml's events and the tables, and what the .c files share. */
#pragma once

#include "station/base/bind.h"

enum bind_node_kind { BIND_NODE_SCALAR, BIND_NODE_LIST, BIND_NODE_MAP };

struct bind_node {
    enum bind_node_kind kind;
    struct bind_place place;
    char *text;        /* of a scalar; no NUL and no control characters but tab and newline inside */
    bool quoted;       /* a scalar in quotes or a block scalar: never null, a number or a flag */
    bool bad;          /* already reported; what it holds is not looked at */
    bool cut;          /* reading stopped inside: more may have been meant */
    GPtrArray *items;  /* nodes of a list, values of a map */
    GPtrArray *keys;   /* of a map: the key nodes, same order as items */
    GHashTable *index; /* of a map: key text → position + 1 */
};

/* Reads the bytes within the limits of bind.h, reporting all that is no strict YAML. The root, or NULL when
 * there is nothing to bind; what stood before a syntax error is kept, with its open nodes marked cut. */
struct bind_node *bind_node_read(GBytes *bytes, struct bind_report *report);
void bind_node_free(struct bind_node *node);
/* Value of a key of a map; NULL when absent. */
const struct bind_node *bind_node_get(const struct bind_node *map, const char *key);
typedef struct bind_node bind_node_auto;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(bind_node_auto, bind_node_free)

/* A cursor over valid UTF-8 that counts lines and columns as libyaml does. */
struct bind_cursor {
    const char *at, *end;
    struct bind_place place;
    size_t index; /* characters from the start; CR LF counts two */
};
struct bind_cursor bind_cursor_start(GBytes *bytes);
/* Takes one character (CR LF is one, given as '\n'; so is every other line break); false at the end. */
bool bind_cursor_next(struct bind_cursor *cursor, gunichar *c);

/* Remembers the bytes for the excerpts when the report was made without. */
void bind_report_source(struct bind_report *report, GBytes *bytes);

/* Parses one scalar into the member at target, whose type is field->type (a list type means one element,
 * stored through *target as GBytes* / char* / int64_t). False when reported. */
bool bind_scalar(const struct bind_field *field, const struct bind_node *node, struct bind_report *report,
                 void *target);
/* "2 V to 4 V", "at least 1", "1 to 16 bytes"; NULL when the field has no range. Newly allocated. */
char *bind_range(const struct bind_field *field);
/* Least and most elements of a list-like field. */
void bind_count(const struct bind_field *field, int64_t *least, int64_t *most);
/* Least and most bytes of a text or hex field. */
void bind_bytes(const struct bind_field *field, int64_t *least, int64_t *most);
/* The pattern as matched: anchored at both ends. */
char *bind_anchored(const char *pattern);
/* True when `schema` is the first key of this kind of file. */
bool bind_is_file_kind(const struct bind_schema *schema);
/* "a voltage such as 3.65 V", "a list", "one of a, b, c": what a field's value must be. Newly allocated. */
char *bind_expected(const struct bind_field *field);
/* Says that a node is of the wrong kind or has no value. */
void bind_refuse_kind(const struct bind_field *field, const struct bind_node *node,
                      struct bind_report *report);
/* True for a plain scalar that YAML takes for "no value". */
bool bind_node_is_null(const struct bind_node *node);
/* False when reported: the text does not match; pattern NULL matches all. */
bool bind_matches(const char *pattern, const char *what, const struct bind_node *node,
                  struct bind_report *report);
/* The field of a key, or NULL. */
const struct bind_field *bind_field_of(const struct bind_schema *schema, const char *key);
