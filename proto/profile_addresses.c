/* A site completes a profile: a second file gives addresses and how they are known, nothing else. Names,
 * units, ranges and rules stay those of the profile, whose hash the file holds. */
#include "proto/profile_parts.h"

#include "firmware/trust.h"
#include "station/base/error.h"

#include <string.h>

#define F(type_, key_, kind, ...)                                                                            \
    {                                                                                                        \
        .key = #key_, .type = kind, .offset = offsetof(struct type_, key_), __VA_ARGS__                      \
    }

struct item_address {
    struct bind_place place;
    char *key, *block;
    int64_t offset, number; /* -1 = as in the profile */
    int evidence;
    char *source;
};

struct addresses {
    struct bind_place place;
    char *schema, *profile, *completes, *completes_sha256;
    GPtrArray *blocks, *commands, *items;
};

static const struct bind_field item_fields[] = {
    F(item_address, key, BIND_TEXT, .required = true, .doc = "Key of the item in the profile."),
    F(item_address, block, BIND_TEXT, .doc = "Block it lies in; absent = as in the profile."),
    F(item_address, offset, BIND_INTEGER, .preset = "-1", .min = -1, .max = 1023,
      .doc = "Byte offset inside the block; absent = as in the profile."),
    F(item_address, number, BIND_INTEGER, .preset = "-1", .min = -1, .max = 0xffff,
      .doc = "Its own number, for dialects that move whole values; absent = as in the profile."),
    F(item_address, evidence, BIND_CHOICE, .choices = profile_evidences, .required = true,
      .doc = "How it is known."),
    F(item_address, source, BIND_TEXT, .doc = "Where it is written, or who measured it and when."),
    {NULL}};
static const struct bind_schema item_schema = {.name = "item address",
                                               .doc = "Where an item of the profile lies.",
                                               .size = sizeof(struct item_address),
                                               .fields = item_fields};

static const struct bind_field addresses_fields[] = {
    F(addresses, schema, BIND_TEXT, .required = true, .doc = "`packline/addresses/1`."),
    F(addresses, profile, BIND_TEXT, .required = true, .pattern = "[a-z0-9-]+",
      .doc = "Name of the completed profile."),
    F(addresses, completes, BIND_TEXT, .required = true,
      .doc = "File of the profile that is completed, beside this one."),
    F(addresses, completes_sha256, BIND_TEXT, .required = true, .pattern = "[0-9a-f]{64}",
      .doc = "SHA-256 of that file, as `packline profile lock` writes it."),
    F(addresses, blocks, BIND_LIST, .max = 64, .child = &profile_block_schema,
      .doc = "Blocks, each in place of the one of that name or new."),
    F(addresses, commands, BIND_LIST, .max = 64, .child = &profile_command_schema,
      .doc = "Commands, each in place of the one of that name or new."),
    F(addresses, items, BIND_LIST, .max = 500, .child = &item_schema, .doc = "Where items lie."),
    {NULL}};
const struct bind_schema profile_addresses_schema = {
    .name = "packline/addresses/1",
    .doc = "Addresses that complete a board profile, and nothing else.",
    .size = sizeof(struct addresses),
    .fields = addresses_fields};

struct completion {
    struct addresses *site;
    struct profile *profile;
    struct bind_report *report;
    profile_base base; /* NULL = the file beside */
    void *context;
};

/* An address that claims to be known says from where. */
static void check_source(const struct completion *c, const void *map, int evidence, const char *source,
                         const char *name)
{
    if (evidence != EVIDENCE_REFERENCE && !source)
        bind_report_error(c->report, bind_place_of(c->site, map, "evidence"), "add `source:`",
                          "'%s' is said to be %s, without a source", name,
                          profile_evidence_name((enum profile_evidence)evidence));
}

/* What stays packline's own stays written where the profile says. */
static void keep_source(int evidence, char **source, char **shipped)
{
    if (evidence == EVIDENCE_REFERENCE && !*source)
        *source = g_steal_pointer(shipped);
}

/* The places of moved entries stay known to the site's file only while both live; checks name them. */
static void put_block(const struct completion *c, struct profile_block *block)
{
    GPtrArray *blocks = c->profile->blocks;
    check_source(c, block, block->evidence, block->source, block->name);
    for (guint i = 0; i < blocks->len; i++) {
        struct profile_block *old = g_ptr_array_index(blocks, i);
        if (strcmp(old->name, block->name) != 0)
            continue;
        keep_source(block->evidence, &block->source, &old->source);
        const struct profile_block spare = *old;
        *old = *block;
        *block = spare;
        return;
    }
    struct profile_block *added = g_memdup2(block, sizeof *block);
    *block = (struct profile_block){0};
    g_ptr_array_add(blocks, added);
}

static void put_command(const struct completion *c, struct profile_command *command)
{
    GPtrArray *commands = c->profile->commands;
    check_source(c, command, command->evidence, command->source, command->name);
    for (guint i = 0; i < commands->len; i++) {
        struct profile_command *old = g_ptr_array_index(commands, i);
        if (strcmp(old->name, command->name) != 0)
            continue;
        keep_source(command->evidence, &command->source, &old->source);
        const struct profile_command spare = *old;
        *old = *command;
        *command = spare;
        return;
    }
    struct profile_command *added = g_memdup2(command, sizeof *command);
    *command = (struct profile_command){0};
    g_ptr_array_add(commands, added);
}

static bool in_image(const struct profile *profile, const char *block)
{
    const struct profile_block *found = profile_block_find(profile, block);
    return found && found->in_image;
}

static void put_item(const struct completion *c, struct item_address *address, bool was_in_image)
{
    struct profile_item *item = (struct profile_item *)profile_item_find(c->profile, address->key);
    check_source(c, address, address->evidence, address->source, address->key);
    if (!item) {
        const char *near = profile_item_suggest(c->profile, address->key);
        g_autofree char *hint = near ? g_strdup_printf("did you mean '%s'?", near) : NULL;
        bind_report_error(c->report, bind_place_of(c->site, address, "key"), hint,
                          "profile '%s' has no item '%s'", c->profile->profile, address->key);
        return;
    }
    if (address->block) {
        g_free(item->block);
        item->block = g_steal_pointer(&address->block);
    }
    if (address->offset >= 0)
        item->offset = address->offset;
    if (address->number >= 0)
        item->number = address->number;
    item->evidence = address->evidence;
    if (address->source) {
        g_free(item->source);
        item->source = g_steal_pointer(&address->source);
    }
    /* What is not in the image cannot be rolled back. */
    if (was_in_image && !in_image(c->profile, item->block))
        bind_report_error(c->report, bind_place_of(c->site, address, "block"),
                          "`in_image: true` on the block",
                          "'%s' belongs to the parameter image, block '%s' does not", item->key, item->block);
}

static void check_once(const struct completion *c, GHashTable *seen, const void *map, const char *key,
                       const char *name)
{
    if (!g_hash_table_add(seen, (char *)name))
        bind_report_error(c->report, bind_place_of(c->site, map, key), NULL, "'%s' stands twice", name);
}

static void check_twice(const struct completion *c)
{
    g_autoptr(GHashTable) blocks = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GHashTable) commands = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GHashTable) items = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < c->site->blocks->len; i++) {
        const struct profile_block *block = g_ptr_array_index(c->site->blocks, i);
        check_once(c, blocks, block, "name", block->name);
    }
    for (guint i = 0; i < c->site->commands->len; i++) {
        const struct profile_command *command = g_ptr_array_index(c->site->commands, i);
        check_once(c, commands, command, "name", command->name);
    }
    for (guint i = 0; i < c->site->items->len; i++) {
        const struct item_address *address = g_ptr_array_index(c->site->items, i);
        check_once(c, items, address, "key", address->key);
    }
}

/* Which items the image held before anything moved. */
static void put_all(const struct completion *c)
{
    g_autofree bool *kept = g_new0(bool, c->site->items->len + 1);
    for (guint i = 0; i < c->site->items->len; i++) {
        const struct item_address *address = g_ptr_array_index(c->site->items, i);
        const struct profile_item *item = profile_item_find(c->profile, address->key);
        kept[i] = item && in_image(c->profile, item->block);
    }
    for (guint i = 0; i < c->site->blocks->len; i++)
        put_block(c, g_ptr_array_index(c->site->blocks, i));
    for (guint i = 0; i < c->site->commands->len; i++)
        put_command(c, g_ptr_array_index(c->site->commands, i));
    for (guint i = 0; i < c->site->items->len; i++)
        put_item(c, g_ptr_array_index(c->site->items, i), kept[i]);
}

static void hash(GBytes *bytes, char hex[65])
{
    gsize n;
    const void *data = g_bytes_get_data(bytes, &n);
    trust_sha256(data, n, hex);
}

static char *base_path_of(const struct addresses *site, const char *path)
{
    g_autofree char *folder = g_path_get_dirname(path);
    return g_path_is_absolute(site->completes) ? g_strdup(site->completes)
                                               : g_build_filename(folder, site->completes, NULL);
}

static GBytes *read_base(const struct completion *c, const char *path)
{
    const struct addresses *site = c->site;
    g_autoptr(GError) wrong = NULL;
    char found[65];
    GBytes *bytes = c->base ? c->base(c->context, site->completes_sha256, &wrong)
                            : bind_read_file(path, BIND_FILE_MAX, &wrong);
    if (!bytes) {
        bind_report_error(c->report, bind_place_of(site, site, "completes"), NULL, "%s", wrong->message);
        return NULL;
    }
    hash(bytes, found);
    if (strcmp(found, site->completes_sha256) == 0)
        return bytes;
    bind_report_error(c->report, bind_place_of(site, site, "completes_sha256"),
                      "look at what changed, then `packline profile lock` this file",
                      "%s is not the locked profile: its SHA-256 is %s", path, found);
    g_bytes_unref(bytes);
    return NULL;
}

/* What the completed profile breaks is said in the words and places of the profile. */
static void blame(const struct completion *c, const struct bind_report *base)
{
    json_t *findings = bind_report_json(base), *finding;
    size_t i;
    json_array_foreach(findings, i, finding)
    {
        if (g_strcmp0(json_string_value(json_object_get(finding, "severity")), "error") == 0)
            bind_report_error(c->report, bind_place_of(c->site, c->site, "completes"), NULL,
                              "with these addresses: %s",
                              json_string_value(json_object_get(finding, "message")));
    }
    json_decref(findings);
}

static struct profile *complete(struct completion *c, const char *path)
{
    g_autofree char *base_path = base_path_of(c->site, path);
    GBytes *bytes = read_base(c, base_path);
    if (!bytes)
        return NULL;
    g_autoptr(bind_report_auto) base = bind_report_new(base_path, bytes);
    c->profile = profile_bind(base_path, bytes, base);
    if (c->profile) {
        c->profile->base_bytes = bytes;
        check_twice(c);
        put_all(c);
        if (bind_report_errors(c->report) == 0)
            (void)profile_check(c->profile, base);
    } else {
        g_bytes_unref(bytes);
    }
    blame(c, base);
    return c->profile;
}

static void take_name(struct profile *profile, const struct addresses *site, const char *path, GBytes *bytes)
{
    hash(bytes, profile->sha256);
    g_free(profile->path);
    profile->path = g_strdup(path);
    g_free(profile->profile);
    profile->profile = g_strdup(site->profile);
}

struct profile *profile_load_completed(const char *path, GBytes *bytes, profile_base base, void *context,
                                       struct bind_report *report)
{
    struct addresses *site = bind_load(&profile_addresses_schema, bytes, report);
    struct completion c = {.site = site, .report = report, .base = base, .context = context};
    struct profile *profile = site ? complete(&c, path) : NULL;
    if (profile && bind_report_errors(report) == 0)
        take_name(profile, site, path, bytes);
    else
        g_clear_pointer(&profile, profile_free);
    bind_free(&profile_addresses_schema, site);
    return profile;
}

char *profile_addresses_lock(const char *path, GBytes *bytes, struct bind_report *report, GError **error)
{
    struct addresses *site = bind_load(&profile_addresses_schema, bytes, report);
    if (!site) {
        if (bind_report_check(report, error))
            error_set(error, ERROR_AUTHOR, "%s: no file of addresses", path);
        return NULL;
    }
    g_autofree char *base_path = base_path_of(site, path);
    g_autoptr(GBytes) base = bind_read_file(base_path, BIND_FILE_MAX, error);
    char *text = NULL;
    if (base) {
        char found[65];
        gsize n;
        const char *data = g_bytes_get_data(bytes, &n);
        g_autofree char *was = g_strndup(data, n);
        hash(base, found);
        g_auto(GStrv) parts = g_strsplit(was, site->completes_sha256, -1);
        text = g_strjoinv(found, parts);
    }
    bind_free(&profile_addresses_schema, site);
    return text;
}

char *profile_evidence_text(const struct profile *profile)
{
    unsigned counts[EVIDENCE_REFERENCE + 1] = {0};
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < profile->blocks->len; i++)
        counts[((const struct profile_block *)g_ptr_array_index(profile->blocks, i))->evidence]++;
    for (guint i = 0; i < profile->commands->len; i++)
        counts[((const struct profile_command *)g_ptr_array_index(profile->commands, i))->evidence]++;
    for (guint i = 0; i < profile->items->len; i++)
        counts[((const struct profile_item *)g_ptr_array_index(profile->items, i))->evidence]++;
    for (unsigned e = 0; e < G_N_ELEMENTS(counts); e++)
        if (counts[e])
            g_string_append_printf(text, "%s%s %u", text->len ? ", " : "",
                                   profile_evidence_name((enum profile_evidence)e), counts[e]);
    return g_string_free(text, FALSE);
}

static void write_block(GString *text, const struct profile_block *block)
{
    g_string_append_printf(text, "  - {name: %s, number: 0x%04X, size: %" G_GINT64_FORMAT, block->name,
                           (unsigned)block->number, block->size);
    if (block->read_command)
        g_string_append_printf(text, ", read_command: %s, read_number: %" G_GINT64_FORMAT,
                               block->read_command, block->read_number);
    g_string_append_printf(text, "%s, evidence: reference}\n", block->in_image ? ", in_image: true" : "");
}

static void write_command(GString *text, const struct profile_command *command)
{
    gsize n = 0;
    const uint8_t *info = command->info ? g_bytes_get_data(command->info, &n) : NULL;
    g_string_append_printf(text, "  - {name: %s, code: 0x%02X", command->name, (unsigned)command->code);
    if (n)
        g_string_append(text, ", info: \"");
    for (gsize i = 0; i < n; i++)
        g_string_append_printf(text, "%02X", info[i]);
    g_string_append_printf(text, "%s, evidence: reference}\n", n ? "\"" : "");
}

static void write_item(GString *text, const struct profile_item *item)
{
    g_string_append_printf(text, "  - {key: %s, block: %s, offset: %" G_GINT64_FORMAT, item->key, item->block,
                           item->offset);
    if (item->number >= 0)
        g_string_append_printf(text, ", number: %" G_GINT64_FORMAT, item->number);
    g_string_append(text, ", evidence: reference}\n");
}

char *profile_addresses_text(const struct profile *profile, const char *name, const char *file)
{
    GString *text = g_string_new(NULL);
    g_string_printf(
        text,
        "# Addresses for profile %s: replace number, code or offset by the board's own, `evidence:`\n"
        "# by how it is known, and add `source:`. Lines that are left out stay as in the profile.\n"
        "schema: %s\nprofile: %s\ncompletes: %s\ncompletes_sha256: %s\n",
        profile->profile, profile_addresses_schema.name, name, file, profile->sha256);
    const char *head = "blocks:\n";
    for (guint i = 0; i < profile->blocks->len; i++) {
        const struct profile_block *block = g_ptr_array_index(profile->blocks, i);
        if (block->evidence != EVIDENCE_REFERENCE)
            continue;
        g_string_append(text, head);
        write_block(text, block);
        head = "";
    }
    head = "commands:\n";
    for (guint i = 0; i < profile->commands->len; i++) {
        const struct profile_command *command = g_ptr_array_index(profile->commands, i);
        if (command->evidence != EVIDENCE_REFERENCE)
            continue;
        g_string_append(text, head);
        write_command(text, command);
        head = "";
    }
    head = "items:\n";
    for (guint i = 0; i < profile->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(profile->items, i);
        if (item->evidence != EVIDENCE_REFERENCE)
            continue;
        g_string_append(text, head);
        write_item(text, item);
        head = "";
    }
    return g_string_free(text, FALSE);
}
