/* The part of a profile that says how the board's own log is read: record by record on request, as a stream,
 * or as a ring of positions. */
#include "proto/profile_parts.h"

#define RECORD_TIME_MAX 8

#define F(type_, key_, kind, ...)                                                                            \
    {                                                                                                        \
        .key = #key_, .type = kind, .offset = offsetof(struct type_, key_), __VA_ARGS__                      \
    }

static const struct bind_choice empties[] = {{"zeros", EMPTY_ZEROS, "all bytes 00H"},
                                             {"ones", EMPTY_ONES, "all bytes FFH"},
                                             {"either", EMPTY_EITHER, "all bytes 00H, or all FFH"},
                                             {NULL}};
static const struct bind_field ring_fields[] = {
    F(profile_log_ring, last, BIND_TEXT, .required = true,
      .doc = "Item: position of the newest record, counted from 1."),
    F(profile_log_ring, records, BIND_TEXT, .required = true,
      .doc = "Item of bytes with a count: all positions, from 1 on."),
    F(profile_log_ring, time, BIND_INTEGER, .preset = "0", .max = 63,
      .doc = "Where in a record its time stands, in the form of the clock."),
    F(profile_log_ring, flags, BIND_INTEGER, .required = true, .max = 60,
      .doc = "Where in a record its 4 bytes of flags stand; bit 0 is the first of `events:`."),
    F(profile_log_ring, empty, BIND_CHOICE, .choices = empties, .preset = "either",
      .doc = "What a position holds that was never written."),
    F(profile_log_ring, none, BIND_INTEGERS, .max = 4, .doc = "What `last` is while nothing was written."),
    {NULL}};
static const struct bind_schema ring_schema = {.name = "ring",
                                               .doc = "A log that is a ring of positions.",
                                               .size = sizeof(struct profile_log_ring),
                                               .fields = ring_fields};
static const struct bind_field mark_fields[] = {
    F(profile_log_mark, item, BIND_TEXT, .required = true, .doc = "Item key."),
    F(profile_log_mark, flags, BIND_TEXTS, .min = 1, .max = 32,
      .doc = "Names of its bits, lowest first; - is a bit that is not told."),
    {NULL}};
static const struct bind_schema mark_schema = {.name = "mark",
                                               .doc = "Flags of a record.",
                                               .size = sizeof(struct profile_log_mark),
                                               .fields = mark_fields};

#define LOG(index, key_, sentence)                                                                           \
    {                                                                                                        \
        .key = key_, .type = BIND_TEXT, .offset = offsetof(struct profile_log, items[index]),                \
        .doc = "Item: " sentence                                                                             \
    }
static const struct bind_field log_fields[] = {
    LOG(LOG_COUNT, "count", "how many records there are."),
    LOG(LOG_SELECT, "select", "takes the place of the record that is read next, 0 is the newest."),
    LOG(LOG_ID, "id", "running number of the record."),
    LOG(LOG_TIME, "time", "when, in the form of the clock."),
    LOG(LOG_EVENT, "event", "number of the event."),
    LOG(LOG_ACTIVE, "active", "1 the event occurred, 0 it is over."),
    LOG(LOG_PACK_VOLTAGE, "pack_voltage", "pack voltage then."),
    LOG(LOG_CURRENT, "current", "current then."),
    LOG(LOG_SOC, "soc", "state of charge then."),
    LOG(LOG_CELL_MAX, "cell_max", "highest cell voltage then."),
    LOG(LOG_CELL_MIN, "cell_min", "lowest cell voltage then."),
    LOG(LOG_TEMPERATURE, "temperature", "highest temperature then."),
    LOG(LOG_REMAINING, "remaining",
        "how many records follow this one, of a log that comes record by record."),
    F(profile_log, events, BIND_TEXTS, .max = 64, .doc = "Names of the events, from number 0."),
    F(profile_log, marks, BIND_LIST, .max = 16, .child = &mark_schema, .doc = "Flags of a record."),
    F(profile_log, record, BIND_TEXT,
      .doc = "Block that the dialect fills with one record after the other; the items of the log lie in it."),
    F(profile_log, ring, BIND_MAP, .child = &ring_schema, .doc = "A log that is a ring of positions."),
    {NULL}};
const struct bind_schema profile_log_schema = {.name = "log",
                                               .doc = "Items through which the board's own log is read.",
                                               .size = sizeof(struct profile_log),
                                               .fields = log_fields};

struct check {
    struct profile *profile;
    struct bind_report *report;
};

static void wrong(const struct check *c, const void *map, const char *field, const char *hint,
                  const char *text)
{
    bind_report_error(c->report, bind_place_of(c->profile, map, field), hint, "%s", text);
}

static const struct profile_item *find(const struct check *c, const void *map, const char *field,
                                       const char *key)
{
    const struct profile_item *item = profile_item_find(c->profile, key);
    if (!key || item)
        return item;
    const char *near = profile_item_suggest(c->profile, key);
    g_autofree char *hint = near ? g_strdup_printf("did you mean '%s'?", near) : NULL;
    g_autofree char *text = g_strdup_printf("no item '%s'", key);
    wrong(c, map, field, hint, text);
    return NULL;
}

static bool is_text(const struct profile_item *item)
{
    return item->type == ITEM_TEXT || item->type == ITEM_BYTES || item->type == ITEM_VERSION;
}

static bool is_time(const struct check *c, unsigned width)
{
    return c->profile->clock.in && c->profile->clock.in->width == width;
}

static void check_items(const struct check *c, struct profile_log *log)
{
    for (unsigned i = 0; i < LOG_FIELDS; i++) {
        const bool time = i == LOG_TIME;
        log->in[i] = find(c, log, log_fields[i].key, log->items[i]);
        if (!log->in[i])
            continue;
        if (is_text(log->in[i]) != time)
            wrong(c, log, log_fields[i].key, NULL,
                  time ? "this item is not in the form of the clock" : "this item is no number");
        if (log->record_in && log->in[i]->in != log->record_in)
            wrong(c, log, log_fields[i].key, NULL, "this item does not lie in the block of the record");
    }
    if (log->in[LOG_TIME] && !is_time(c, log->in[LOG_TIME]->width))
        wrong(c, log, "time", NULL,
              "the times of a log are in the form of the clock, which is not of this size");
    for (guint i = 0; i < log->marks->len; i++) {
        struct profile_log_mark *mark = g_ptr_array_index(log->marks, i);
        mark->in = find(c, mark, "item", mark->item);
        if (mark->in && (is_text(mark->in) || (log->record_in && mark->in->in != log->record_in)))
            wrong(c, mark, "item", NULL, "this is no number of the record");
    }
}

static void check_ring(const struct check *c, struct profile_log_ring *ring)
{
    ring->last_in = find(c, ring, "last", ring->last);
    ring->records_in = find(c, ring, "records", ring->records);
    const struct profile_item *r = ring->records_in;
    if (ring->last_in && is_text(ring->last_in))
        wrong(c, ring, "last", NULL, "this item is no number");
    if (r && (r->type != ITEM_BYTES || r->count < 2))
        wrong(c, ring, "records", NULL, "the positions are an item of bytes with a count");
    if (!c->profile->clock.in)
        wrong(c, ring, "time", NULL,
              "the times of a log are in the form of the clock, and there is no `clock:`");
    else if (r && (ring->time + c->profile->clock.in->width > r->width || ring->flags + 4 > r->width))
        wrong(c, ring, "records", NULL, "a record is too short for its time and flags");
}

void profile_check_log(struct profile *profile, struct bind_report *report)
{
    const struct check c = {profile, report};
    struct profile_log *log = &profile->log;
    bool any = false, asked;
    for (unsigned i = 0; i < LOG_FIELDS; i++)
        any |= log->items[i] != NULL;
    if (log->ring.last) {
        check_ring(&c, &log->ring);
        if (any || log->record)
            wrong(&c, profile, "log", NULL, "a log is one of: a ring, records of a block, records by number");
        return;
    }
    if (log->record && !(log->record_in = profile_block_find(profile, log->record)))
        wrong(&c, log, "record", NULL, "there is no such block");
    check_items(&c, log);
    asked = log->items[LOG_COUNT] && log->items[LOG_SELECT] && log->items[LOG_ID];
    if (any && !asked && !log->record)
        wrong(&c, profile, "log", NULL, "a log needs `count:`, `select:` and `id:`");
}
