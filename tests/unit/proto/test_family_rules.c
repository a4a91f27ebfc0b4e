/* The rules of docs/rules.md, family by family: what a profile must state is held against every shipped
 * profile, what a board must do is tried on every virtual board. `--table` prints which rule applies to which
 * family, as docs/rules.md shows it; a profile without a virtual board here fails. */
#include "bad_wire.h"

#include "proto/board.h"
#include "station/base/error.h"

#include <stdio.h>

#define RULES 20

struct subject {
    const struct bad_family *family;
    struct profile *profile;
    const struct dialect_kind *dialect;
};

static bool is_setting(const struct profile_item *item)
{
    return item->access == ACCESS_SERVICE;
}

static bool says(const struct profile_item *item, const char *pattern)
{
    return g_regex_match_simple(pattern, item->key, G_REGEX_CASELESS, 0) ||
           g_regex_match_simple(pattern, item->title ? item->title : "", G_REGEX_CASELESS, 0);
}

typedef bool (*item_test)(const struct profile_item *item);

static unsigned count(const struct subject *s, item_test test)
{
    unsigned n = 0;
    for (guint i = 0; i < s->profile->items->len; i++)
        n += test(g_ptr_array_index(s->profile->items, i));
    return n;
}

static bool in_rules(const struct profile *profile, const char *key)
{
    for (guint i = 0; i < profile->rules->len; i++) {
        const struct profile_rule *rule = g_ptr_array_index(profile->rules, i);
        bool there = g_strcmp0(rule->left, key) == 0 || g_strcmp0(rule->right, key) == 0;
        for (guint k = 0; rule->parts && k < rule->parts->len; k++)
            there |= strcmp(g_ptr_array_index(rule->parts, k), key) == 0;
        if (there)
            return true;
    }
    return false;
}

static bool has_check(const struct profile *profile, int check)
{
    for (guint i = 0; i < profile->rules->len; i++)
        if (((const struct profile_rule *)g_ptr_array_index(profile->rules, i))->check == check)
            return true;
    return false;
}

static bool commands(const struct subject *s, const char *name)
{
    return profile_command_find(s->profile, name) != NULL;
}

static bool does(const struct subject *s, enum profile_procedure_name name)
{
    return profile_procedure_find(s->profile, name) || (s->dialect->control && commands(s, "control"));
}

static bool writes(const struct subject *s)
{
    return count(s, is_setting) > 0;
}

/* R5 */
static bool is_line(const struct profile_item *item)
{
    return says(item, "baud|bit rate|serial rate|485_BOUND|RS-?485 (address|rate)|bus address");
}

static bool line_settings(const struct subject *s)
{
    for (guint i = 0; i < s->profile->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(s->profile->items, i);
        if (is_line(item) && is_setting(item))
            g_error("%s: a recipe may write %s", s->family->name, item->key);
        if (says(item, "baud|rate of the line|serial rate") && item->access != ACCESS_NEVER &&
            item->access != ACCESS_READ_ONLY)
            g_error("%s: the rate %s may be written", s->family->name, item->key);
    }
    return count(s, is_line) > 0;
}

/* R6 */
static bool is_capacity(const struct profile_item *item)
{
    return is_setting(item) && item->quantity == QUANTITY_CHARGE && says(item, "full|nominal|rated") &&
           !says(item, "remaining|cycle");
}

static bool capacities(const struct subject *s)
{
    if (count(s, is_capacity) < 2)
        return false;
    for (guint i = 0; i < s->profile->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(s->profile->items, i);
        if (is_capacity(item) && !in_rules(s->profile, item->key))
            g_error("%s: no rule says what %s must equal", s->family->name, item->key);
    }
    g_assert_true(has_check(s->profile, CHECK_EQUAL));
    return true;
}

/* R7 */
static bool cell_count(const struct subject *s)
{
    const struct profile_item *cells = profile_item_find(s->profile, s->profile->cells_item);
    if (!cells || !is_setting(cells))
        return false;
    if (!has_check(s->profile, CHECK_PACK_UPPER) || !has_check(s->profile, CHECK_PACK_LOWER))
        g_error("%s: no rule holds pack limits against the cell count", s->family->name);
    return true;
}

/* R8 */
static bool is_release(const struct profile_item *item)
{
    const bool level = item->quantity == QUANTITY_VOLTAGE || item->quantity == QUANTITY_TEMPERATURE ||
                       item->quantity == QUANTITY_CURRENT;
    return is_setting(item) && level && says(item, "release|recover");
}

static bool releases(const struct subject *s)
{
    for (guint i = 0; i < s->profile->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(s->profile->items, i);
        if (is_release(item) && !in_rules(s->profile, item->key))
            g_error("%s: no rule holds %s against its trigger", s->family->name, item->key);
    }
    return count(s, is_release) > 0;
}

/* R9 */
static bool is_listed(const struct profile_item *item)
{
    return is_setting(item) && item->valid->len > 0;
}

static bool lists(const struct subject *s)
{
    for (guint i = 0; i < s->profile->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(s->profile->items, i);
        const bool choice = is_setting(item) && item->quantity == QUANTITY_NONE &&
                            (item->type == ITEM_U8 || item->type == ITEM_U16) &&
                            says(item, "protocol|mode|style|type of|choice");
        if (choice && item->valid->len == 0 && !item->has_range && !item->note)
            g_error("%s: nothing says what %s may be", s->family->name, item->key);
    }
    return count(s, is_listed) > 0;
}

/* R10: the sign stands in the file, where a reader finds it. */
static bool calibrates(const struct subject *s)
{
    g_autofree char *path = g_strdup_printf(SOURCE_DIR "/recipes/boards/%s.yaml", s->family->profile);
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    if (!g_regex_match_simple("^charge_sign: -?1$", text, G_REGEX_MULTILINE, 0))
        g_error("%s: charge_sign is not stated", s->family->name);
    return profile_procedure_find(s->profile, PROCEDURE_CALIBRATE_CURRENT_ZERO) || commands(s, "calibrate");
}

/* R11: published readings have it in the dialect, described ones in the item. */
static bool sensors(const struct subject *s)
{
    bool any = s->profile->telemetry->len == 0 && s->dialect->telemetry;
    for (guint i = 0; i < s->profile->telemetry->len; i++) {
        const struct profile_reading *reading = g_ptr_array_index(s->profile->telemetry, i);
        const struct profile_item *item = reading->in;
        const int64_t raw = (-40000 - item->origin) / item->step;
        uint8_t bytes[8] = {0};
        struct item_value value;
        if (item->quantity != QUANTITY_TEMPERATURE)
            continue;
        any = true;
        for (unsigned k = 0; k < item->width; k++)
            bytes[k] = (uint8_t)((uint64_t)raw >> (8 * (item->width - 1 - k)));
        profile_value_decode(item, bytes, &value);
        if (!value.absent && item->absent->len == 0)
            g_error("%s: nothing says how %s tells a sensor that is not there", s->family->name, item->key);
    }
    return any;
}

/* R17, R18 */
static bool is_written_text(const struct profile_item *item)
{
    return is_setting(item) && item->type == ITEM_TEXT;
}

static bool is_secret(const struct profile_item *item)
{
    return item->secret;
}

static bool secrets(const struct subject *s)
{
    for (guint i = 0; i < s->profile->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(s->profile->items, i);
        if (item->type == ITEM_TEXT && says(item, "password") && !item->secret)
            g_error("%s: %s is not marked secret", s->family->name, item->key);
    }
    return count(s, is_secret) > 0 || s->profile->auth == AUTH_HOST || commands(s, "login");
}

static bool defaults(const struct subject *s)
{
    return does(s, PROCEDURE_FACTORY_DEFAULTS);
}

static bool told_apart(const struct subject *s)
{
    return s->profile->unit != UNIT_LABEL;
}

static bool sleeps(const struct subject *s)
{
    return does(s, PROCEDURE_SLEEP);
}

static bool firmware(const struct subject *s)
{
    return s->profile->firmware.loader != NULL;
}

static bool clock_there(const struct subject *s)
{
    return s->profile->clock.in || commands(s, "clock_write");
}

static bool log_there(const struct subject *s)
{
    return commands(s, "history") || s->profile->log.in[LOG_COUNT] || s->profile->log.record ||
           s->profile->log.ring.records;
}

static bool versioned(const struct subject *s)
{
    return s->profile->parameter_version_item != NULL;
}

static bool written_texts(const struct subject *s)
{
    return count(s, is_written_text) > 0;
}

static bool antitheft(const struct subject *s)
{
    return commands(s, "antitheft");
}

static bool truncates(const struct subject *s)
{
    for (guint i = 0; i < s->profile->telemetry->len; i++)
        if (((const struct profile_reading *)g_ptr_array_index(s->profile->telemetry, i))->truncated)
            return true;
    return false;
}

/* Whether a rule applies; what the profile must state for it is checked on the way. */
static const struct {
    bool (*applies)(const struct subject *s);
    const char *not_because;
} rules[RULES] = {
    {writes, "nothing is written"},
    {writes, "nothing is written"},
    {defaults, "no command restores defaults"},
    {told_apart, "nothing on the board tells it from another: the label is believed"},
    {line_settings, "neither rate nor address can be written"},
    {capacities, "at most one capacity is written"},
    {cell_count, "the cell count is not written"},
    {releases, "no trigger with a release is written"},
    {lists, "no list of values is written"},
    {calibrates, "no current is calibrated (the sign is stated)"},
    {sensors, "no temperature is read"},
    {sleeps, "no command to sleep"},
    {firmware, "its firmware is the maker's"},
    {clock_there, "no clock is written"},
    {log_there, "no log is published"},
    {versioned, "no parameter version"},
    {written_texts, "no text is written"},
    {secrets, "no secret"},
    {antitheft, "no anti-theft"},
    {truncates, "no percentage is known to be cut off"},
};

static struct subject subject_of(const struct bad_family *family)
{
    struct profile *profile = bad_profile(family);
    return (struct subject){family, profile, dialect_find(profile->dialect)};
}

static void print_table(void)
{
    printf("| profile |");
    for (int r = 1; r <= RULES; r++)
        printf(" R%d |", r);
    printf("\n|---|");
    for (int r = 1; r <= RULES; r++)
        printf("---|");
    printf("\n");
    for (const struct bad_family *f = bad_families; f->name; f++) {
        struct subject s = subject_of(f);
        printf("| `%s` |", f->profile);
        for (int r = 0; r < RULES; r++)
            printf(" %s |", rules[r].applies(&s) ? "yes" : "–");
        printf("\n");
        profile_free(s.profile);
    }
    printf("\n");
    for (int r = 0; r < RULES; r++)
        printf("- R%d, –: %s.\n", r + 1, rules[r].not_because);
}

static void test_stated(gconstpointer data)
{
    struct subject s = subject_of(data);
    for (int r = 0; r < RULES; r++)
        (void)rules[r].applies(&s);
    profile_free(s.profile);
}

/* Every shipped profile is among the families. */
static void test_all(void)
{
    g_autoptr(GDir) folder = g_dir_open(SOURCE_DIR "/recipes/boards", 0, NULL);
    const char *name;
    g_assert_nonnull(folder);
    while ((name = g_dir_read_name(folder))) {
        bool known = false;
        for (const struct bad_family *f = bad_families; f->name; f++) {
            g_autofree char *file = g_strdup_printf("%s.yaml", f->profile);
            known |= strcmp(file, name) == 0;
        }
        if (!known && g_str_has_suffix(name, ".yaml"))
            g_error("recipes/boards/%s has no virtual board in tests/unit/proto/bad_wire.h", name);
    }
}

struct bench {
    struct subject subject;
    struct far far;
    struct board *board;
};

static void bench_open(struct bench *b, const struct bad_family *family)
{
    GError *error = NULL;
    b->subject = subject_of(family);
    g_autofree char *line = wire_line_format(&b->subject.profile->line);
    far_open_at(&b->far, family->virtual, (unsigned)b->subject.profile->address, line, false,
                family->defects);
    b->board =
        board_open(b->subject.profile, b->far.wire, (unsigned)b->subject.profile->address, true, &error);
    g_assert_no_error(error);
    /* It starts up. */
    g_assert_true(wire_pause_ms(b->far.wire, 2000, NULL));
    if (b->subject.profile->auth == AUTH_BOARD && b->board->dialect->login) {
        struct secret *password = secret_from_text("888888");
        g_assert_true(board_login(b->board, 1, password, NULL));
        secret_free(password);
    }
    b->board->level = 1;
}

static void bench_close(struct bench *b)
{
    board_close(b->board);
    far_close(&b->far);
    profile_free(b->subject.profile);
}

/* Not part of the image, and why. */
static bool is_outside(const struct bad_family *family, const struct profile_item *item)
{
    static const struct {
        const char *profile, *block;
    } outside[] = {
        {"daly-modbus-16s", "charge"}, /* what is written is the state of charge, no setting */
        {"daly-uart-16s", "time_soc"},
        {"jbd-sp04s020", "remaining"},
        {"jbd-sp04s020", "curve"}, /* registers that only firmware 2.0 and later has */
    };
    for (gsize i = 0; i < G_N_ELEMENTS(outside); i++)
        if (strcmp(outside[i].profile, family->profile) == 0 && strcmp(outside[i].block, item->in->name) == 0)
            return true;
    return false;
}

/* R1: what a recipe may write is in the image. */
static void test_image(gconstpointer data)
{
    struct bench b;
    g_autoptr(GError) error = NULL;
    bench_open(&b, data);
    struct board_image *image = board_image_read(b.board, &error);
    g_assert_no_error(error);
    for (guint i = 0; i < b.subject.profile->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(b.subject.profile->items, i);
        struct item_value value;
        const struct profile_item *where = item->shown ? item->shown : item;
        if (is_setting(item) && item != b.subject.profile->clock.in && !is_outside(b.subject.family, item) &&
            !board_image_get(image, where, &value))
            g_error("%s: %s is written, and not kept before", b.subject.family->name, item->key);
    }
    board_image_free(image);
    bench_close(&b);
}

/* One step beside what a factory-new board holds. */
static bool step_aside(struct bench *b, const struct board_image *fresh, const struct profile_item *item)
{
    struct item_value value;
    if (!is_setting(item) || item->width > 4 || item->quantity == QUANTITY_NONE || item->shown ||
        !board_image_get(fresh, item, &value) || (item->has_range && value.value + item->step > item->max))
        return false;
    value.raw++;
    value.value += item->step;
    return board_write_item(b->board, &value, NULL, NULL);
}

/* R3: a full image follows, and it is that of a factory-new board again. */
static void test_defaults(gconstpointer data)
{
    struct bench b;
    g_autoptr(GError) error = NULL;
    unsigned changed = 0;
    bench_open(&b, data);
    struct board_image *fresh = board_image_read(b.board, &error);
    g_assert_no_error(error);
    for (guint i = 0; i < b.subject.profile->items->len && changed < 8; i++)
        changed += step_aside(&b, fresh, g_ptr_array_index(b.subject.profile->items, i));
    g_assert_cmpuint(changed, ==, 8);
    g_assert_true(board_control(b.board, CONTROL_FACTORY_DEFAULTS, 0, &error));
    g_assert_true(wire_pause_ms(b.far.wire, 3000, NULL));
    struct board_image *image = board_image_read(b.board, &error);
    g_assert_no_error(error);
    for (guint i = 0; i < b.subject.profile->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(b.subject.profile->items, i);
        struct item_value was, is;
        if (!is_setting(item) || item->quantity == QUANTITY_NONE || !board_image_get(fresh, item, &was) ||
            !board_image_get(image, item, &is))
            continue;
        if (!profile_value_same(&was, &is))
            g_error("%s: %s is not what it was", b.subject.family->name, item->key);
    }
    board_image_free(fresh);
    board_image_free(image);
    bench_close(&b);
}

/* R14 */
static void test_clock(gconstpointer data)
{
    const int64_t wall = INT64_C(1795500000000000);
    int64_t shown = 0;
    struct bench b;
    g_autoptr(GError) error = NULL;
    bench_open(&b, data);
    if (!board_clock_write(b.board, wall, &error))
        g_error("%s: %s", b.subject.family->name, error->message);
    const int64_t written_us = tick_now(b.far.wire->tick);
    if (!board_clock_read(b.board, &shown, &error))
        g_error("%s: %s", b.subject.family->name, error->message);
    const int64_t since = tick_now(b.far.wire->tick) - written_us;
    g_assert_cmpint(ABS(shown - wall - since), <=, 2000000);

    bench_close(&b);
}

static bool take_record(void *context, const struct board_record *record, GError **error)
{
    (void)record, (void)error;
    ++*(unsigned *)context;
    return true;
}

/* R15: to the board's own end; one that breaks off is an error, wherever it does. */
static void test_log(gconstpointer data)
{
    unsigned whole = 0;
    uint64_t before, behind;
    struct bench b;
    g_autoptr(GError) error = NULL;
    bench_open(&b, data);
    before = b.far.wire->bytes_received + b.far.wire->bytes_sent;
    g_assert_true(board_history_read(b.board, take_record, &whole, &error));
    behind = b.far.wire->bytes_received + b.far.wire->bytes_sent;
    /* A new board may have nothing to tell, which its end marker says. */
    g_assert_cmpuint(behind, >, before);
    for (unsigned quarter = 1; quarter < (whole ? 4 : 2); quarter++) {
        const struct wire_fault_plan plan = {.cut_after_bytes = (behind - before) * quarter / 4};
        g_autoptr(GError) cut = NULL;
        unsigned part = 0;
        struct bench c;
        bench_open(&c, data);
        c.board->wire = c.far.wire = wire_fault(c.far.wire, &plan);
        g_assert_false(board_history_read(c.board, take_record, &part, &cut));
        g_assert_cmpuint(part, <=, whole);
        bench_close(&c);
    }
    bench_close(&b);
}

static void add(const struct bad_family *f, const char *name, GTestDataFunc test)
{
    g_autofree char *path = g_strdup_printf("/rules/%s/%s", f->profile, name);
    g_test_add_data_func(path, f, test);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--table") == 0) {
        print_table();
        return 0;
    }
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/rules/all", test_all);
    for (const struct bad_family *f = bad_families; f->name; f++) {
        struct subject s = subject_of(f);
        add(f, "stated", test_stated);
        add(f, "image", test_image);
        if (defaults(&s))
            add(f, "defaults", test_defaults);
        if (clock_there(&s))
            add(f, "clock", test_clock);
        if (log_there(&s))
            add(f, "log", test_log);
        profile_free(s.profile);
    }
    return g_test_run();
}
