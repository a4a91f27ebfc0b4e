/* Each dialect against its virtual board on a wire that does one bad thing to one answer, wherever in a
 * conversation it falls: a value that is read is the right one, or there is an error that says which board,
 * what was asked and what came. */
#include "bad_wire.h"

#include "proto/board.h"
#include "station/base/error.h"
#include "station/base/quantity.h"

enum fault {
    NONE,
    FLIP,        /* one bit, the check as it was */
    CUT_LAST,    /* the last byte is lost */
    CUT_HALF,    /* what came stops in the middle */
    TAIL,        /* rubbish behind the frame */
    LEAD,        /* rubbish in front of it */
    SHORT,       /* one value less, the check and the lengths right */
    LONG,        /* one more */
    OTHER,       /* of another board, with other values */
    OTHER_FIRST, /* … and then the right one */
    ECHO,        /* the request in front */
    LATE,        /* in front of the answer to the next other request */
    REFUSED,     /* with a code of the protocol */
    STALE,       /* to a question that was asked before: what was answered then */
    FAULTS
};
static const char *const names[FAULTS] = {"none", "flip",  "cut-last", "cut-half", "tail",
                                          "lead", "short", "long",     "other",    "other-first",
                                          "echo", "late",  "refused",  "stale"};

#define ROOM 16384

struct bad {
    struct far far;
    const struct bad_family *family;
    struct profile *profile;
    struct board *board;
    enum fault fault;
    uint8_t code;         /* of a refusal */
    bool twin;            /* the refusal is the request word for word: nobody can tell it from an echo */
    unsigned at, answers; /* 0 = every answer */
    uint8_t request[ROOM], held[ROOM], out[ROOM];
    GHashTable *said; /* GBytes* asked to GBytes* answered before the fault, for STALE */
    size_t request_n, held_n, out_n;
    int64_t asked_us, held_until_us;
};

static void put(struct bad *b, const uint8_t *bytes, size_t n)
{
    g_assert_cmpuint(b->out_n + n, <=, ROOM);
    memcpy(b->out + b->out_n, bytes, n);
    b->out_n += n;
}

/* How long an answer may still come after its time: as long again as it was waited for. */
static int64_t lateness_us(const struct bad *b)
{
    return 2 * b->profile->reply_max;
}

static void accept(void *context, const uint8_t *bytes, size_t n, int64_t now_us)
{
    struct bad *b = context;
    const bool same = b->request_n == n && memcmp(bytes, b->request, n) == 0;
    if (b->held_n && !same) {
        if (now_us < b->held_until_us)
            put(b, b->held, b->held_n);
        b->held_n = 0;
    }
    g_assert_cmpuint(n, <=, ROOM);
    memcpy(b->request, bytes, n);
    b->request_n = n;
    b->asked_us = now_us;
    far_accept(&b->far, bytes, n, now_us);
}

static void spoil_frame(struct bad *b, uint8_t *frame, size_t n)
{
    const struct bad_protocol *p = b->family->protocol;
    uint8_t copy[ROOM];
    /* On a bus a frame of somebody else. */
    static const uint8_t rubbish[16] = {0x13, 0x7f, 0x00, 0x00, 0x02};
    const size_t junk = p->frame ? p->frame : 3;
    switch (b->fault) {
    case FLIP:
        frame[p->data + (n - p->data) / 3] ^= (uint8_t)(1 << b->answers % 8);
        break;
    case CUT_LAST:
        n = p->cut(frame, n, 1);
        break;
    case CUT_HALF:
        n = p->cut(frame, n, n / 2);
        break;
    case LEAD:
        put(b, rubbish, junk);
        break;
    case SHORT:
    case LONG:
        n = p->resize(frame, n, b->fault == LONG);
        break;
    case OTHER:
        p->foreign(frame, n);
        break;
    case OTHER_FIRST:
        memcpy(copy, frame, n);
        p->foreign(copy, n);
        put(b, copy, n);
        break;
    case REFUSED:
        n = p->refuse(frame, n, b->code);
        b->twin = n == b->request_n && memcmp(frame, b->request, n) == 0;
        break;
    case ECHO:
        put(b, b->request, b->request_n);
        break;
    default:
        break;
    }
    put(b, frame, n);
    if (b->fault == TAIL)
        put(b, rubbish, junk);
}

/* The first answer is held until another request comes, and so is the answer to its repetition. */
static bool hold(struct bad *b, const uint8_t *bytes, size_t n)
{
    if (b->fault != LATE || b->held_n)
        return false;
    memcpy(b->held, bytes, n);
    b->held_n = n;
    b->held_until_us = b->asked_us + lateness_us(b);
    return true;
}

/* Without a fault what is asked and said is kept, then it is said again. */
static void put_stale(struct bad *b, const uint8_t *chunk, size_t n)
{
    /* The transaction of a TCP frame is another each time. */
    const size_t from = b->family->protocol == &bad_tcp ? 2 : 0;
    g_autoptr(GBytes) asked = g_bytes_new(b->request + from, b->request_n - from);
    GBytes *said = b->fault == STALE ? g_hash_table_lookup(b->said, asked) : NULL;
    if (said) {
        put(b, b->request, from);
        put(b, (const uint8_t *)g_bytes_get_data(said, NULL) + from, g_bytes_get_size(said) - from);
        return;
    }
    if (b->fault == NONE)
        g_hash_table_insert(b->said, g_steal_pointer(&asked), g_bytes_new(chunk, n));
    put(b, chunk, n);
}

static size_t produce(void *context, uint8_t *bytes, size_t max, int64_t now_us)
{
    struct bad *b = context;
    uint8_t chunk[ROOM];
    size_t n = far_produce(&b->far, chunk, ROOM / 2, now_us);
    if (n > 0) {
        const bool struck = ++b->answers == b->at || b->at == 0;
        const size_t first = b->family->protocol->length(chunk, n);
        if (!struck || b->fault == NONE || b->fault == STALE)
            put_stale(b, chunk, n);
        else if (!hold(b, chunk, n)) {
            uint8_t rest[ROOM];
            memcpy(rest, chunk + first, n - first);
            spoil_frame(b, chunk, first);
            put(b, rest, n - first);
        }
    }
    n = MIN(max, b->out_n);
    memcpy(bytes, b->out, n);
    b->out_n -= n;
    memmove(b->out, b->out + n, b->out_n);
    return n;
}

static int64_t next(void *context)
{
    return far_next(&((struct bad *)context)->far);
}

/* Each is loaded once. */
static struct profile *loaded[G_N_ELEMENTS(bad_families)];

static struct profile *profile_of(const struct bad_family *family)
{
    struct profile **place = &loaded[family - bad_families];
    if (!*place)
        *place = bad_profile(family);
    return *place;
}

static void bad_open(struct bad *b, const struct bad_family *family, enum fault fault, unsigned at)
{
    GError *error = NULL;
    memset(b, 0, sizeof *b);
    b->family = family;
    b->fault = NONE;
    b->said = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref,
                                    (GDestroyNotify)g_bytes_unref);
    b->profile = profile_of(family);
    g_autofree char *line = wire_line_format(&b->profile->line);
    far_open_at(&b->far, family->virtual, (unsigned)b->profile->address, line, false, family->defects);
    const struct wire_far_side side = {b, accept, produce, next, far_signal, NULL};
    const struct wire_options options = {.tick = &b->far.clock.tick, .line = b->far.wire->line};
    wire_close(b->far.wire);
    b->far.wire = wire_loop_open(&side, &options);
    b->board = board_open(b->profile, b->far.wire, (unsigned)b->profile->address, true, &error);
    g_assert_no_error(error);
    b->fault = fault;
    b->at = at;
}

static void bad_close(struct bad *b)
{
    board_close(b->board);
    g_hash_table_unref(b->said);
    far_close(&b->far);
}

/* What a conversation brought: each reading as text, or the error in its place. */
struct seen {
    GPtrArray *lines;  /* char* */
    GPtrArray *errors; /* GError*, NULL where there is none */
};

static void note(struct seen *seen, char *line, GError *error)
{
    g_ptr_array_add(seen->lines, line);
    g_ptr_array_add(seen->errors, error);
}

/* Every block of parameters. */
static void read_parameters(struct bad *b, struct seen *seen)
{
    for (guint i = 0; i < b->profile->blocks->len; i++) {
        const struct profile_block *block = g_ptr_array_index(b->profile->blocks, i);
        g_autoptr(GArray) values = g_array_new(FALSE, TRUE, sizeof(struct item_value));
        g_autoptr(GString) line = g_string_new(block->name);
        GError *error = NULL;
        for (guint k = 0; block->in_image && k < b->profile->items->len; k++) {
            const struct item_value value = {.item = g_ptr_array_index(b->profile->items, k)};
            if (value.item->in == block && !value.item->shown)
                g_array_append_val(values, value);
        }
        if (values->len == 0)
            continue;
        struct item_value *all = (struct item_value *)(void *)values->data;
        const bool ok = board_read_values(b->board, all, values->len, &error);
        for (guint k = 0; ok && k < values->len; k++) {
            g_autofree char *text = profile_value_format(&all[k]);
            g_string_append_printf(line, " %s=%s", all[k].item->key, text);
        }
        note(seen, g_string_free(g_steal_pointer(&line), FALSE), error);
    }
}

static char *telemetry_text(const struct board_telemetry *t)
{
    GString *s = g_string_new(NULL);
    g_string_printf(s, "%u cells, %u sensors,", t->cells, t->sensors);
    for (unsigned i = 0; i < t->cells; i++)
        g_string_append_printf(s, " %" G_GINT64_FORMAT, t->cell_mv[i] / 20);
    g_string_append_printf(s, " pack %" G_GINT64_FORMAT " soc %" G_GINT64_FORMAT " fets %d %d active %s",
                           t->pack_mv / 200, t->soc_ppc, t->charge_fet, t->discharge_fet, t->active);
    return g_string_free(s, FALSE);
}

static void converse(struct bad *b, struct seen *seen)
{
    struct board_identity identity;
    struct board_telemetry live;
    GError *error = NULL;
    memset(&identity, 0, sizeof identity);
    (void)!board_identify(b->board, &identity, &error);
    note(seen,
         g_strdup_printf("%s/%s/%s/%s/%02x%02x", identity.hardware, identity.product, identity.project,
                         identity.firmware, identity.unique_id[0], identity.unique_id[11]),
         error);
    error = NULL;
    memset(&live, 0, sizeof live);
    (void)!board_telemetry(b->board, &live, &error);
    note(seen, telemetry_text(&live), error);
    read_parameters(b, seen);
}

static struct seen converse_with(const struct bad_family *family, enum fault fault, unsigned at,
                                 unsigned *answers)
{
    g_autofree struct bad *b = g_new(struct bad, 1);
    struct seen seen = {g_ptr_array_new_with_free_func(g_free), g_ptr_array_new()};
    bad_open(b, family, fault, at);
    converse(b, &seen);
    *answers = b->answers;
    bad_close(b);
    return seen;
}

static void seen_free(struct seen *seen)
{
    for (guint i = 0; i < seen->errors->len; i++)
        g_clear_error((GError **)&seen->errors->pdata[i]);
    g_ptr_array_unref(seen->lines);
    g_ptr_array_unref(seen->errors);
}

/* Which board, and what came; of the block that holds a password only how much. */
static void check_message(const struct bad_family *family, const GError *error)
{
    g_autoptr(GRegex) board = g_regex_new("of board [0-9]+|node [0-9]+|register [0-9A-F]{2}H", 0, 0, NULL);
    g_autoptr(GRegex) raw = g_regex_new(
        "~[0-9A-F]+|[0-9A-F]{2} [0-9A-F]{2}|: [0-9A-F]{2}$|#[0-9A-F]*|abort [0-9A-F]{8}H", 0, 0, NULL);
    const enum error_kind kind = error_kind(error);
    if (kind != ERROR_SILENT && kind != ERROR_GARBLED && kind != ERROR_REFUSED)
        g_error("%s: an error of kind '%s': %s", family->name, error_rule(error)->name, error->message);
    const bool hidden = g_str_has_suffix(error->message, " bytes came") && strstr(error->message, "'ftp'");
    if (!g_regex_match(board, error->message, 0, NULL) ||
        (kind == ERROR_GARBLED && !hidden && !g_regex_match(raw, error->message, 0, NULL)))
        g_error("%s: the message does not say which board and what came: %s", family->name, error->message);
}

/* What one repetition heals. */
static bool must_heal(enum fault fault)
{
    return fault == FLIP || fault == CUT_LAST || fault == CUT_HALF || fault == TAIL || fault == LEAD ||
           fault == OTHER || fault == OTHER_FIRST || fault == ECHO;
}

static void compare(const struct bad_family *family, const struct seen *truth, enum fault fault, unsigned at)
{
    unsigned answers;
    struct seen seen = converse_with(family, fault, at, &answers);
    g_assert_cmpuint(seen.lines->len, ==, truth->lines->len);
    for (guint i = 0; i < seen.lines->len; i++) {
        const GError *error = g_ptr_array_index(seen.errors, i);
        const char *line = g_ptr_array_index(seen.lines, i), *right = g_ptr_array_index(truth->lines, i);
        if (error) {
            check_message(family, error);
            if (at > 0 && must_heal(fault))
                g_error("%s: %s of answer %u: %s", family->name, names[fault], at, error->message);
        } else if (strcmp(line, right) != 0)
            g_error("%s: %s of answer %u: '%s' instead of '%s'", family->name, names[fault], at, line, right);
    }
    seen_free(&seen);
}

static void test_reading(gconstpointer data)
{
    const struct bad_family *family = data;
    unsigned quiet;
    struct seen truth = converse_with(family, NONE, 0, &quiet);
    for (guint i = 0; i < truth.errors->len; i++)
        g_assert_no_error((GError *)g_ptr_array_index(truth.errors, i));
    for (enum fault fault = FLIP; fault < REFUSED; fault++)
        for (unsigned at = 0; at <= quiet && bad_applies(family->protocol, names[fault]); at++)
            compare(family, &truth, fault, at);
    seen_free(&truth);
}

/* Each code with which a board may refuse is an error that shows it. */
static void test_refusals(gconstpointer data)
{
    const struct bad_family *family = data;
    for (unsigned code = 1; code <= UINT8_MAX; code++) {
        g_autofree struct bad *b = g_new(struct bad, 1);
        g_autoptr(GError) error = NULL;
        struct item_value value;
        bad_open(b, family, REFUSED, 0);
        b->code = (uint8_t)code;
        const struct profile_item *item = g_ptr_array_index(b->profile->items, 0);
        g_autofree char *shown = g_strdup_printf("%02X", code);
        g_autofree char *block = g_strdup_printf("block '%s'", item->in->name);
        g_assert_false(board_read_item(b->board, item, &value, &error));
        check_message(family, error);
        if (!b->twin && (error_kind(error) == ERROR_GARBLED || !strstr(error->message, shown) ||
                         !strstr(error->message, block)))
            g_error("%s: code %s: %s", family->name, shown, error->message);
        bad_close(b);
    }
}

static bool number_beside(const struct item_value *now, struct item_value *other)
{
    const struct profile_item *item = now->item;
    for (int sign = -1; sign <= 1; sign += 2) {
        const int64_t wanted = now->value + sign * item->step;
        g_autofree char *text = item->type == ITEM_FLAG
                                    ? g_strdup(now->raw ? "false" : "true")
                                    : quantity_format((enum quantity)item->quantity, wanted);
        if (profile_value_parse(item, text, other, NULL))
            return true;
    }
    return false;
}

/* The first number that a recipe may write, and another value for it. */
static bool choose(struct bad *b, struct item_value *other)
{
    for (guint i = 0; i < b->profile->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(b->profile->items, i);
        struct item_value now;
        const bool number = item->type != ITEM_TEXT && item->type != ITEM_BYTES && item->type != ITEM_DATE;
        if (item->access == ACCESS_SERVICE && number && item->count == 1 && !item->secret &&
            board_read_item(b->board, item, &now, NULL) && number_beside(&now, other))
            return true;
    }
    return false;
}

static GBytes *held(const struct bad *b)
{
    GByteArray *all = g_byte_array_new();
    const uint8_t *bytes;
    unsigned block;
    size_t n;
    for (unsigned i = 0; vboard_truth_nth_block(b->far.board, i, &block, &bytes, &n); i++)
        g_byte_array_append(all, bytes, (guint)n);
    return g_byte_array_free_to_bytes(all);
}

struct writing {
    GBytes *before, *after;
    unsigned answers;
    bool ok;
    GError *error;
};

static struct writing write_with(const struct bad_family *family, enum fault fault, unsigned at)
{
    g_autofree struct bad *b = g_new(struct bad, 1);
    struct item_value other;
    struct writing w = {.ok = false};
    bad_open(b, family, NONE, 0);
    if (b->profile->auth == AUTH_BOARD && b->board->dialect->login) {
        struct secret *password = secret_from_text("888888");
        g_assert_true(board_login(b->board, 1, password, NULL));
        secret_free(password);
    }
    b->board->level = 1;
    if (choose(b, &other)) {
        w.before = held(b);
        b->answers = 0;
        b->fault = fault;
        b->at = at;
        b->code = 0x04;
        w.ok = board_write_item(b->board, &other, NULL, &w.error);
        b->fault = NONE;
        w.answers = b->answers;
        if (w.error && error_kind(w.error) != ERROR_MISMATCH)
            check_message(family, w.error);
        /* What is held in memory goes into flash a while later. */
        (void)!wire_pause_ms(b->far.wire, 5000, NULL);
        (void)!wire_discard(b->far.wire, NULL);
        w.after = held(b);
    }
    bad_close(b);
    return w;
}

static void writing_clear(struct writing *w)
{
    g_clear_pointer(&w->before, g_bytes_unref);
    g_clear_pointer(&w->after, g_bytes_unref);
    g_clear_error(&w->error);
}

/* What was written is read back: a board that shows the old value has not taken the new one. */
static void test_read_back(gconstpointer data)
{
    struct writing w = write_with(data, STALE, 0);
    g_assert_false(w.ok);
    g_assert_error(w.error, PACK_ERROR, ERROR_MISMATCH);
    g_assert_nonnull(strstr(w.error->message, "was written as"));
    writing_clear(&w);
}

/* Of boards that take no number: a FET of those that can switch one, else the clock. */
static bool deed_done(struct bad *b, bool *done)
{
    const int64_t wall = INT64_C(1795500000000000), off = 3000000;
    struct board_telemetry live;
    g_autoptr(GError) error = NULL;
    const bool fet = profile_procedure_find(b->profile, PROCEDURE_DISCHARGE_FET);
    const bool ok = fet ? board_control(b->board, CONTROL_DISCHARGE_FET, 0, &error)
                        : board_clock_write(b->board, wall, &error);
    b->fault = NONE;
    if (error)
        check_message(b->family, error);
    if (!fet) {
        const int64_t shown = vboard_truth_clock_us(b->far.board, tick_now(b->far.wire->tick));
        *done = ABS(shown - wall) < off;
        return ok;
    }
    g_assert_true(wire_pause_ms(b->far.wire, 1000, NULL));
    g_assert_true(board_telemetry(b->board, &live, NULL));
    *done = !live.discharge_fet;
    return ok;
}

static void test_deed(gconstpointer data)
{
    const struct bad_family *family = data;
    unsigned quiet = 0, struck = 0;
    for (enum fault fault = NONE; fault < REFUSED; fault++)
        for (unsigned at = 0; at <= quiet && bad_applies(family->protocol, names[fault]); at++, struck++) {
            g_autofree struct bad *b = g_new(struct bad, 1);
            bool done;
            bad_open(b, family, fault, at);
            const bool ok = deed_done(b, &done);
            if (fault == NONE) {
                quiet = b->answers;
                g_assert_true(ok);
            }
            if (ok && !done)
                g_error("%s: %s of answer %u: told as done, and it is not", family->name, names[fault], at);
            bad_close(b);
            if (fault == NONE)
                break;
        }
    g_assert_cmpuint(struck, >, 8);
}

/* A write that is told as done has been done, and nothing else is ever written. */
static void test_writing(gconstpointer data)
{
    const struct bad_family *family = data;
    struct writing quiet = write_with(family, NONE, 0);
    g_assert_nonnull(quiet.before);
    g_assert_no_error(quiet.error);
    g_assert_true(quiet.ok);
    g_assert_false(g_bytes_equal(quiet.before, quiet.after));
    for (enum fault fault = FLIP; fault < STALE; fault++)
        for (unsigned at = 0; at <= quiet.answers && bad_applies(family->protocol, names[fault]); at++) {
            struct writing w = write_with(family, fault, at);
            const bool done = g_bytes_equal(w.after, quiet.after);
            if (w.ok ? !done : !done && !g_bytes_equal(w.after, quiet.before))
                g_error("%s: %s of answer %u: %s, and the board holds something else", family->name,
                        names[fault], at, w.ok ? "written" : "not written");
            writing_clear(&w);
        }
    writing_clear(&quiet);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (const struct bad_family *f = bad_families; f->name; f++) {
        g_autofree char *reading = g_strdup_printf("/bad-wire/%s/reading", f->name);
        g_autofree char *writing = g_strdup_printf("/bad-wire/%s/writing", f->name);
        g_autofree char *refusals = g_strdup_printf("/bad-wire/%s/refusals", f->name);
        g_test_add_data_func(reading, f, test_reading);
        if (f->takes != BAD_NOTHING)
            g_test_add_data_func(writing, f, f->takes == BAD_NUMBERS ? test_writing : test_deed);
        if (f->takes == BAD_NUMBERS) {
            g_autofree char *back = g_strdup_printf("/bad-wire/%s/read-back", f->name);
            g_test_add_data_func(back, f, test_read_back);
        }
        if (f->protocol->refuse)
            g_test_add_data_func(refusals, f, test_refusals);
    }
    const int result = g_test_run();
    for (gsize i = 0; i < G_N_ELEMENTS(loaded); i++)
        profile_free(loaded[i]);
    return result;
}
