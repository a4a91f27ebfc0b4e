/* libyaml's events → the tree, under limits. Events, not libyaml's own tree loader: that one follows aliases
 * and takes quadratic time for deep nesting (100 kB of '[' cost it 24 s), while here reading stops at a
 * depth. */
#include "station/base/bind_node.h"

#include "station/base/words.h"

#include <string.h>
#include <yaml.h>

#define TABS_MAX 20 /* tab errors of one file; the rest says nothing new */

struct span {
    size_t start, end; /* characters from the start of the file */
};

struct tab {
    size_t index;
    struct bind_place place;
};

struct frame {
    struct bind_node *node;
    struct bind_node *key; /* of a map: waiting for its value */
};

struct reader {
    yaml_parser_t parser;
    struct bind_report *report;
    struct frame stack[BIND_DEPTH_MAX];
    unsigned depth, events, documents;
    struct bind_node *root;
    GArray *quoted;           /* struct span of each quoted scalar */
    struct bind_node *folded; /* the last scalar, when it runs over several lines, and its last line */
    unsigned folded_line;
    struct bind_place syntax; /* of libyaml's own error; line 0 = none */
    char *syntax_text;
    bool stopped;
};

static struct bind_place place_of(yaml_mark_t mark)
{
    return (struct bind_place){(unsigned)mark.line + 1, (unsigned)mark.column + 1};
}

void bind_node_free(struct bind_node *node)
{
    if (!node)
        return;
    g_free(node->text);
    g_clear_pointer(&node->index, g_hash_table_unref);
    g_clear_pointer(&node->keys, g_ptr_array_unref);
    g_clear_pointer(&node->items, g_ptr_array_unref);
    g_free(node);
}

static void free_node(gpointer node)
{
    bind_node_free(node);
}

static struct bind_node *node_new(enum bind_node_kind kind, struct bind_place place)
{
    struct bind_node *node = g_new0(struct bind_node, 1);
    node->kind = kind;
    node->place = place;
    if (kind != BIND_NODE_SCALAR)
        node->items = g_ptr_array_new_with_free_func(free_node);
    if (kind == BIND_NODE_MAP) {
        node->keys = g_ptr_array_new_with_free_func(free_node);
        node->index = g_hash_table_new(g_str_hash, g_str_equal);
    }
    return node;
}

const struct bind_node *bind_node_get(const struct bind_node *map, const char *key)
{
    guint position = GPOINTER_TO_UINT(g_hash_table_lookup(map->index, key));
    return position ? map->items->pdata[position - 1] : NULL;
}

/* A key that cannot be used is reported here, once. */
static void check_key(struct reader *reader, struct bind_node *map, struct bind_node *key)
{
    if (key->bad)
        return;
    g_autofree char *shown = key->text ? words_shown(key->text) : NULL;
    guint first = key->text ? GPOINTER_TO_UINT(g_hash_table_lookup(map->index, key->text)) : 0;
    key->bad = true;
    if (key->kind != BIND_NODE_SCALAR) {
        bind_report_error(reader->report, key->place, NULL, "a key must be a word, not a list or a map");
    } else if (strcmp(key->text, "<<") == 0) {
        bind_report_error(reader->report, key->place, "write the keys out", "merge keys are not accepted");
    } else if (key->text[0] == '\0') {
        bind_report_error(reader->report, key->place, NULL, "a key is empty");
    } else if (first) {
        const struct bind_node *other = map->keys->pdata[first - 1];
        bind_report_error(reader->report, key->place, NULL, "duplicate key %s, first given at %u:%u", shown,
                          other->place.line, other->place.column);
    } else {
        key->bad = false;
    }
}

static void add_pair(struct bind_node *map, struct bind_node *key, struct bind_node *value)
{
    g_ptr_array_add(map->keys, key);
    g_ptr_array_add(map->items, value);
    if (!key->bad)
        g_hash_table_insert(map->index, key->text, GUINT_TO_POINTER(map->items->len));
}

/* Puts a finished or opened node where the reader stands; owns it afterwards (a value without a usable key is
 * kept aside under its bad key, so that what is opened stays valid). */
static void place_node(struct reader *reader, struct bind_node *node)
{
    if (reader->depth == 0) {
        reader->root = node;
        return;
    }
    struct frame *frame = &reader->stack[reader->depth - 1];
    struct bind_node *parent = frame->node;
    if (parent->kind == BIND_NODE_LIST) {
        g_ptr_array_add(parent->items, node);
    } else if (!frame->key) {
        frame->key = node;
    } else {
        add_pair(parent, g_steal_pointer(&frame->key), node);
    }
}

/* The key waiting in the frame is checked when it is complete: a scalar at once, a collection when it closes.
 */
static void finish_key(struct reader *reader, struct bind_node *node)
{
    struct frame *frame = reader->depth > 0 ? &reader->stack[reader->depth - 1] : NULL;
    if (frame && frame->key == node)
        check_key(reader, frame->node, node);
}

static void refuse_properties(struct reader *reader, struct bind_place place, const yaml_char_t *anchor,
                              const yaml_char_t *tag)
{
    if (anchor) {
        g_autofree char *shown = words_shown((const char *)anchor);
        bind_report_error(reader->report, place, "write the value out where it is needed",
                          "anchors are not accepted: %s", shown);
    }
    if (tag) {
        g_autofree char *shown = words_shown((const char *)tag);
        bind_report_error(reader->report, place, "leave it out: the key decides what the value is",
                          "tags are not accepted: %s", shown);
    }
}

static bool text_is_clean(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < 0x20 && c != '\t' && c != '\n') || c == 0x7f)
            return false;
        if (c == 0xc2 && (unsigned char)text[i + 1] < 0xa0) /* C1 controls */
            return false;
    }
    return true;
}

static void read_scalar(struct reader *reader, const yaml_event_t *event)
{
    struct bind_place place = place_of(event->start_mark);
    struct bind_node *node = node_new(BIND_NODE_SCALAR, place);
    const char *text = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;
    yaml_scalar_style_t style = event->data.scalar.style;
    refuse_properties(reader, place, event->data.scalar.anchor, event->data.scalar.tag);
    node->quoted = style != YAML_PLAIN_SCALAR_STYLE;
    if (style == YAML_SINGLE_QUOTED_SCALAR_STYLE || style == YAML_DOUBLE_QUOTED_SCALAR_STYLE) {
        struct span span = {event->start_mark.index, event->end_mark.index};
        g_array_append_val(reader->quoted, span);
    }
    if (length > BIND_SCALAR_MAX) {
        bind_report_error(reader->report, place, NULL, "a value of %zu bytes, at most %d are accepted",
                          length, BIND_SCALAR_MAX);
        node->bad = true;
    } else if (!text_is_clean(text, length)) {
        bind_report_error(reader->report, place, NULL, "a control character in the value");
        node->bad = true;
    }
    node->text = node->bad ? g_strdup("") : g_strndup(text, length);
    reader->folded = event->end_mark.line > event->start_mark.line ? node : NULL;
    reader->folded_line = (unsigned)event->end_mark.line + 1;
    place_node(reader, node);
    finish_key(reader, node);
}

static void read_alias(struct reader *reader, const yaml_event_t *event)
{
    struct bind_place place = place_of(event->start_mark);
    struct bind_node *node = node_new(BIND_NODE_SCALAR, place);
    g_autofree char *shown = words_shown((const char *)event->data.alias.anchor);
    bind_report_error(reader->report, place, "write the value out where it is needed",
                      "aliases are not accepted: %s", shown);
    node->text = g_strdup("");
    node->bad = true;
    place_node(reader, node);
}

static void open_node(struct reader *reader, enum bind_node_kind kind, struct bind_place place)
{
    if (reader->depth == BIND_DEPTH_MAX) {
        bind_report_error(reader->report, place, NULL, "nested deeper than %d levels; reading stops here",
                          BIND_DEPTH_MAX);
        reader->stopped = true;
        return;
    }
    struct bind_node *node = node_new(kind, place);
    place_node(reader, node);
    reader->stack[reader->depth++] = (struct frame){.node = node};
}

static void close_node(struct reader *reader)
{
    struct bind_node *node = reader->stack[--reader->depth].node;
    finish_key(reader, node);
}

static void start_document(struct reader *reader, const yaml_event_t *event)
{
    struct bind_place place = place_of(event->start_mark);
    if (++reader->documents > 1) {
        bind_report_error(reader->report, place, "put it into a file of its own",
                          "a second document in one file; reading stops here");
        reader->stopped = true;
    } else if (event->data.document_start.version_directive ||
               event->data.document_start.tag_directives.start !=
                   event->data.document_start.tag_directives.end) {
        bind_report_error(reader->report, place, "leave the line out", "%% directives are not accepted");
    }
}

static void take_event(struct reader *reader, const yaml_event_t *event)
{
    struct bind_place place = place_of(event->start_mark);
    if (++reader->events > BIND_EVENTS_MAX) {
        bind_report_error(reader->report, place, NULL, "more than %d YAML events; reading stops here",
                          BIND_EVENTS_MAX);
        reader->stopped = true;
        return;
    }
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        start_document(reader, event);
        break;
    case YAML_SCALAR_EVENT:
        read_scalar(reader, event);
        break;
    case YAML_ALIAS_EVENT:
        read_alias(reader, event);
        break;
    case YAML_SEQUENCE_START_EVENT:
        refuse_properties(reader, place, event->data.sequence_start.anchor, event->data.sequence_start.tag);
        open_node(reader, BIND_NODE_LIST, place);
        break;
    case YAML_MAPPING_START_EVENT:
        refuse_properties(reader, place, event->data.mapping_start.anchor, event->data.mapping_start.tag);
        open_node(reader, BIND_NODE_MAP, place);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        close_node(reader);
        break;
    default:
        break;
    }
    reader->stopped = reader->stopped || event->type == YAML_STREAM_END_EVENT;
}

static void keep_syntax_error(struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    reader->syntax = place_of(parser->problem_mark);
    /* "3 V\n  name: ab": the wrong indentation made one scalar of a value and the next key; one complaint is
     * enough. */
    if (reader->folded && reader->folded_line == reader->syntax.line)
        reader->folded->bad = true;
    if (parser->context)
        reader->syntax_text =
            g_strdup_printf("%s (%s that starts at %zu:%zu)", parser->problem, parser->context,
                            parser->context_mark.line + 1, parser->context_mark.column + 1);
    else
        reader->syntax_text = g_strdup(parser->problem ? parser->problem : "not readable");
}

/* What was open when reading stopped is marked, so that nobody complains of keys that could still have come.
 */
static void mark_cut(struct reader *reader)
{
    for (unsigned i = 0; i < reader->depth; i++) {
        struct frame *frame = &reader->stack[i];
        frame->node->cut = true;
        if (!frame->key)
            continue;
        frame->key->bad = true; /* without its value; a collection as key may itself be open */
        add_pair(frame->node, frame->key, node_new(BIND_NODE_SCALAR, frame->key->place));
        frame->key = NULL;
    }
}

static void read_events(struct reader *reader)
{
    /* Every turn takes at least one character of a text of at most BIND_FILE_MAX bytes or ends it. */
    while (!reader->stopped) {
        yaml_event_t event;
        if (!yaml_parser_parse(&reader->parser, &event)) {
            keep_syntax_error(reader);
            break;
        }
        take_event(reader, &event);
        yaml_event_delete(&event);
    }
    mark_cut(reader);
}

static bool within_quotes(const struct reader *reader, size_t index, guint *from)
{
    const GArray *spans = reader->quoted;
    while (*from < spans->len && g_array_index(spans, struct span, *from).end <= index)
        *from += 1;
    return *from < spans->len && g_array_index(spans, struct span, *from).start < index;
}

/* Reports tabs outside quotes. After a syntax error nobody knows what is quoted, so there only the tabs up to
 * its line and those that indent count. A syntax error on a line with a tab is that tab's doing. */
static void refuse_tabs(struct reader *reader, GBytes *bytes)
{
    struct bind_cursor cursor = bind_cursor_start(bytes), before = cursor;
    gunichar c;
    unsigned last_line = 0, count = 0;
    guint span = 0;
    for (bool indent = true; bind_cursor_next(&cursor, &c); before = cursor) {
        struct bind_place place = before.place;
        bool known = reader->syntax.line == 0 || place.line <= reader->syntax.line || indent;
        if (c == '\t' && known && place.line != last_line && !within_quotes(reader, before.index, &span)) {
            if (count++ < TABS_MAX)
                bind_report_error(reader->report, place, "use spaces", "a tab outside quotes");
            last_line = place.line;
            if (place.line == reader->syntax.line)
                g_clear_pointer(&reader->syntax_text, g_free);
        }
        indent = c == '\n' || (indent && (c == ' ' || c == '\t'));
    }
}

/* Sizes and characters, before libyaml sees anything. False = stop. */
static bool check_bytes(GBytes *bytes, struct bind_report *report)
{
    gsize size = 0;
    const unsigned char *data = g_bytes_get_data(bytes, &size);
    struct bind_cursor cursor = bind_cursor_start(bytes), before = cursor;
    gunichar c;
    if (size > BIND_FILE_MAX) {
        bind_report_error(report, before.place, NULL, "a file of %zu bytes, at most %d are accepted", size,
                          BIND_FILE_MAX);
        return false;
    }
    if (size >= 2 && ((data[0] == 0xff && data[1] == 0xfe) || (data[0] == 0xfe && data[1] == 0xff))) {
        bind_report_error(report, before.place, "save it as UTF-8", "the file is UTF-16");
        return false;
    }
    for (; bind_cursor_next(&cursor, &c); before = cursor) {
        if (c == (gunichar)-1)
            bind_report_error(report, before.place, "save it as UTF-8", "byte 0x%02X is not UTF-8",
                              (unsigned)(unsigned char)*before.at);
        else if (c != '\t' && c != '\n' &&
                 (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xfeff || c == 0xfffe || c == 0xffff))
            bind_report_error(report, before.place, "remove it", "a control character U+%04X", c);
        else
            continue;
        return false;
    }
    return true;
}

struct bind_node *bind_node_read(GBytes *bytes, struct bind_report *report)
{
    struct reader reader = {.report = report};
    if (!check_bytes(bytes, report))
        return NULL;
    struct bind_cursor cursor = bind_cursor_start(bytes);
    if (!yaml_parser_initialize(&reader.parser)) {
        bind_report_error(report, cursor.place, NULL, "no memory to read the file");
        return NULL;
    }
    reader.quoted = g_array_new(FALSE, FALSE, sizeof(struct span));
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)cursor.at,
                                 (size_t)(cursor.end - cursor.at));
    read_events(&reader);
    refuse_tabs(&reader, bytes);
    if (reader.syntax_text)
        bind_report_error(report, reader.syntax, NULL, "YAML: %s", reader.syntax_text);
    if (!reader.root && !reader.syntax.line)
        bind_report_error(report, (struct bind_place){1, 1}, NULL, "the file is empty");
    yaml_parser_delete(&reader.parser);
    g_array_unref(reader.quoted);
    g_free(reader.syntax_text);
    return reader.root;
}
