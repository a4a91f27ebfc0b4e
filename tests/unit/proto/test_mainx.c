/* The mainx profile, RTU and TCP, against the virtual board; its journal in every state a ring can be in. */
#include "far.h"

#include "proto/board.h"
#include "proto/virtual/parts.h"
#include "station/base/error.h"

#define JOURNAL 0x7000
#define RECORDS 32
#define RECORD  12

struct fixture {
    struct far far;
    struct profile *profile;
    struct board *board;
};

static struct profile *load_profile(const char *name)
{
    g_autofree char *path = g_strdup_printf("%s/recipes/boards/%s.yaml", SOURCE_DIR, name);
    g_autofree char *text = NULL;
    gsize n;
    g_assert_true(g_file_get_contents(path, &text, &n, NULL));
    g_autoptr(GBytes) bytes = g_bytes_new(text, n);
    g_autoptr(bind_report_auto) report = bind_report_new("p", bytes);
    struct profile *profile = profile_load("p", bytes, report);
    g_assert_nonnull(profile);
    return profile;
}

static void set_up_as(struct fixture *f, const char *family, const char *profile, const char *defect)
{
    const char *const defects[] = {defect, NULL};
    GError *error = NULL;
    f->profile = load_profile(profile);
    far_open_family(&f->far, family, "9600-8N1", false, defect ? defects : NULL);
    tick_sleep_until(&f->far.clock.tick, tick_deadline_ms(&f->far.clock.tick, 500));
    f->board = board_open(f->profile, f->far.wire, 1, false, &error);
    g_assert_no_error(error);
}

static void set_up(struct fixture *f)
{
    set_up_as(f, "mainx", "mainx-reference", NULL);
}

static void tear_down(struct fixture *f)
{
    board_close(f->board);
    far_close(&f->far);
    profile_free(f->profile);
}

static struct item_value value_of(struct fixture *f, const char *key, const char *text)
{
    struct item_value value;
    GError *error = NULL;
    if (!profile_value_parse(profile_item_find(f->profile, key), text, &value, &error))
        g_error("%s: %s", key, error->message);
    return value;
}

static char *shown(struct fixture *f, const char *key)
{
    struct item_value value;
    GError *error = NULL;
    if (!board_read_item(f->board, profile_item_find(f->profile, key), &value, &error))
        g_error("%s: %s", key, error->message);
    return profile_value_format(&value);
}

static void check_live(const char *family, const char *profile)
{
    struct fixture f;
    struct board_identity identity;
    struct board_telemetry t;
    GError *error = NULL;
    set_up_as(&f, family, profile, NULL);
    g_assert_true(board_identify(f.board, &identity, &error));
    g_assert_cmpstr(identity.product, ==, "BMS-MAIN-X");
    g_assert_cmpstr(identity.hardware, ==, "1.3");
    g_assert_cmpstr(identity.firmware, ==, "1.4.2");
    g_assert_cmpstr(identity.bootloader, ==, "1.0.0");
    vboard_bench_current(f.far.board, -12500);
    vboard_bench_temperature(f.far.board, 21700);
    g_assert_true(board_telemetry(f.board, &t, &error));
    g_assert_cmpint(t.soc_ppc, ==, 50000);
    g_assert_cmpint(t.soh_ppc, ==, 100000);
    g_assert_cmpint(ABS(t.current_ma + 12500), <=, 10);
    g_assert_cmpint(ABS(t.ambient_mdeg - 21700), <=, 100);
    g_assert_cmpuint(t.protections, ==, 0);
    g_assert_true(telemetry_tells(&t, TELEMETRY_SOC));
    g_assert_false(telemetry_tells(&t, TELEMETRY_FULL));
    g_assert_false(telemetry_tells(&t, TELEMETRY_ANTITHEFT));
    g_autofree char *humidity = shown(&f, "live.humidity");
    g_assert_cmpstr(humidity, ==, "45.5 %");
    struct item_value sn = value_of(&f, "user.serial_number", "BSN00000001");
    g_assert_true(board_write_item(f.board, &sn, NULL, &error));
    tear_down(&f);
}

static void test_live(void)
{
    check_live("mainx", "mainx-reference");
    check_live("mainx-tcp", "mainx-reference-tcp");
}

/* The two profiles are one but for the dialect. */
static void test_twins(void)
{
    g_autofree char *rtu = NULL, *tcp = NULL;
    g_assert_true(g_file_get_contents(SOURCE_DIR "/recipes/boards/mainx-reference.yaml", &rtu, NULL, NULL));
    g_assert_true(
        g_file_get_contents(SOURCE_DIR "/recipes/boards/mainx-reference-tcp.yaml", &tcp, NULL, NULL));
    g_auto(GStrv) a = g_strsplit(rtu, "\n", -1);
    g_auto(GStrv) b = g_strsplit(tcp, "\n", -1);
    unsigned different = 0;
    g_assert_cmpuint(g_strv_length(a), ==, g_strv_length(b));
    for (unsigned i = 0; a[i]; i++)
        different += strcmp(a[i], b[i]) != 0;
    g_assert_cmpuint(different, ==, 4); /* name, dialect, title, the remark that names the other */
}

static void test_settings(void)
{
    static const char *const wanted[][2] = {{"user.serial_number", "BSN00000001"},
                                            {"user.address", "Hall 3, rack 12"},
                                            {"sd.enable", "true"},
                                            {"sd.period", "30 s"},
                                            {"sd.log_modules", "true"},
                                            {"ftp.enable", "true"},
                                            {"ftp.host", "logs.example.com"},
                                            {"ftp.port", "2121"},
                                            {"ftp.user", "battery"},
                                            {"ftp.password", "Pa55word"},
                                            {"ftp.period", "15"},
                                            {"ftp.send_modules", "true"}};
    struct fixture f;
    struct item_value values[G_N_ELEMENTS(wanted)], found[G_N_ELEMENTS(wanted)];
    GError *error = NULL;
    set_up(&f);
    for (gsize i = 0; i < G_N_ELEMENTS(wanted); i++) {
        values[i] = value_of(&f, wanted[i][0], wanted[i][1]);
        found[i].item = values[i].item;
    }
    g_assert_true(board_write_values(f.board, values, G_N_ELEMENTS(wanted), &error));
    g_assert_true(board_read_values(f.board, found, G_N_ELEMENTS(wanted), &error));
    for (gsize i = 0; i < G_N_ELEMENTS(wanted); i++) {
        g_assert_cmpstr(found[i].text, ==, values[i].text);
        g_assert_cmpint(found[i].raw, ==, values[i].raw);
    }
    tear_down(&f);
}

/* Neither the trace nor the image nor an error nor a print holds the password, nor can it be read by its
 * number. */
static void test_secret(void)
{
    struct fixture f;
    struct item_value found;
    uint16_t word;
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = g_dir_make_tmp("packline-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "trace", NULL);
    g_autofree char *trace = NULL;
    set_up(&f);
    board_close(f.board);
    f.far.wire = wire_trace(f.far.wire, path, NULL, NULL, &error);
    f.board = board_open(f.profile, f.far.wire, 1, false, &error);
    g_assert_no_error(error);
    struct item_value password = value_of(&f, "ftp.password", "Pa55word"),
                      user = value_of(&f, "ftp.user", "Username");
    g_assert_true(board_write_item(f.board, &user, NULL, &error));
    g_assert_true(board_write_item(f.board, &password, &found, &error));
    g_assert_cmpstr(found.text, ==, "Pa55word");
    g_autofree char *text = profile_value_format(&found);
    g_assert_cmpstr(text, ==, "***");
    struct board_image *image = board_image_read(f.board, &error);
    json_t *json = board_image_json(image);
    char *dump = json_dumps(json, 0);
    g_assert_null(strstr(dump, "50613535776F7264"));
    g_assert_nonnull(strstr(dump, "557365726E616D65"));
    g_assert_null(strstr(dump, "Pa55word"));
    free(dump);
    json_decref(json);
    board_image_free(image);
    g_assert_false(board_register_read(f.board, 0x6200 + 40, &word, &error));
    g_assert_error(error, PACK_ERROR, ERROR_RULE);
    g_clear_error(&error);
    g_assert_false(
        profile_value_parse(password.item, "much too long a password for this board", &found, &error));
    g_assert_null(strstr(error->message, "much"));
    tear_down(&f);

    g_assert_true(g_file_get_contents(path, &trace, NULL, NULL));
    g_assert_null(strstr(trace, "50 61 35 35"));
    g_assert_nonnull(strstr(trace, "55 73 65 72 6E 61 6D 65")); /* what is no secret is there */
    g_assert_nonnull(strstr(trace, "** **"));
    g_assert_cmpint(remove(path), ==, 0);
    g_assert_cmpint(remove(folder), ==, 0);
}

struct journal {
    unsigned n;
    uint32_t ids[RECORDS];
    char what[RECORDS][120];
    int64_t last_us;
};

static bool listen(void *context, const struct board_record *record, GError **error)
{
    struct journal *journal = context;
    (void)error;
    g_assert_true(record->event_only);
    g_assert_true(journal->n == 0 || record->wall_us < journal->last_us);
    journal->ids[journal->n] = record->id;
    g_strlcpy(journal->what[journal->n++], record->what, sizeof journal->what[0]);
    journal->last_us = record->wall_us;
    return true;
}

static uint8_t *journal_of(struct fixture *f)
{
    return vb_block(&f->far.board->live, JOURNAL)->bytes;
}

/* n records in order, the k-th at position (k mod 32) + 1; bit 8 comes and goes. */
static void fill(struct fixture *f, unsigned n, uint8_t empty)
{
    uint8_t *bytes = journal_of(f);
    memset(bytes, empty, 2 + RECORDS * RECORD);
    for (unsigned k = 0; k < n; k++) {
        const uint8_t record[RECORD] = {
            0xea, 0x07, 1, (uint8_t)(k / 24 + 1), (uint8_t)(k % 24), 0, 0, 0, 0, 0, k % 2 == 0, 0};
        memcpy(bytes + 2 + k % RECORDS * RECORD, record, RECORD);
    }
    bytes[0] = 0;
    bytes[1] = n ? (uint8_t)((n - 1) % RECORDS + 1) : 0;
}

/* Newest first, whatever the position at which the ring stands. */
static void test_journal(void)
{
    static const unsigned lengths[] = {0, 1, 5, 31, 32, 33, 39, 64, 65};
    for (gsize i = 0; i < G_N_ELEMENTS(lengths); i++)
        for (unsigned empty = 0; empty < 2; empty++) {
            struct fixture f;
            struct journal journal = {0};
            GError *error = NULL;
            set_up(&f);
            fill(&f, lengths[i], empty ? 0xff : 0);
            if (!board_history_read(f.board, listen, &journal, &error))
                g_error("%u records: %s", lengths[i], error->message);
            g_assert_cmpuint(journal.n, ==, MIN(lengths[i], RECORDS));
            for (unsigned k = 0; k < journal.n; k++)
                g_assert_cmpuint(journal.ids[k], ==, (lengths[i] - 1 - k) % RECORDS + 1);
            if (lengths[i] == 5) {
                g_assert_cmpstr(journal.what[0], ==, "logic high temperature occurred");
                g_assert_cmpstr(journal.what[1], ==, "logic high temperature cleared");
                g_assert_cmpstr(journal.what[4], ==, "logic high temperature active");
            }
            tear_down(&f);
        }
}

static void refuse_journal(struct fixture *f, const char *why)
{
    struct journal journal = {0};
    g_autoptr(GError) error = NULL;
    g_assert_false(board_history_read(f->board, listen, &journal, &error));
    g_assert_error(error, PACK_ERROR, ERROR_GARBLED);
    if (!strstr(error->message, why))
        g_error("'%s' does not say '%s'", error->message, why);
}

static void test_bad_journals(void)
{
    struct fixture f;
    set_up(&f);
    fill(&f, 5, 0);
    journal_of(&f)[1] = 33;
    refuse_journal(&f, "number 33 of 32");
    fill(&f, 5, 0);
    memset(journal_of(&f) + 2 + 2 * RECORD, 0, RECORD); /* a hole */
    refuse_journal(&f, "record 3 is empty, though the newest one is number 5");
    fill(&f, 5, 0);
    journal_of(&f)[1] = 4;
    refuse_journal(&f, "record 5 is written, though the newest one is number 4");
    fill(&f, 5, 0);
    journal_of(&f)[1] = 0; /* virgin, and yet not empty */
    refuse_journal(&f, "is written");
    fill(&f, 5, 0);
    journal_of(&f)[2 + 4 * RECORD + 2] = 13; /* a month */
    refuse_journal(&f, "record 5: the clock says");
    tear_down(&f);
}

/* An error that comes while the board runs is the newest record; the clock set before dates it. */
static void test_journal_grows(void)
{
    struct fixture f;
    struct journal before = {0}, after = {0};
    GError *error = NULL;
    set_up(&f);
    g_assert_true(board_clock_write(f.board, tick_wall(&f.far.clock.tick), &error));
    g_assert_true(board_history_read(f.board, listen, &before, &error));
    vboard_bench_temperature(f.far.board, 80000);
    g_assert_true(board_history_read(f.board, listen, &after, &error));
    g_assert_cmpuint(after.n, ==, before.n + 1);
    g_assert_cmpuint(after.ids[0], ==, before.ids[0] % RECORDS + 1);
    g_assert_nonnull(strstr(after.what[0], "logic high temperature"));
    tear_down(&f);
}

/* Rules between settings. */
struct settings {
    const struct profile *profile;
    GPtrArray *values; /* struct item_value* */
    GString *broken;
};

static const struct item_value *look(void *context, const char *key)
{
    const struct settings *s = context;
    for (guint i = 0; i < s->values->len; i++) {
        const struct item_value *value = g_ptr_array_index(s->values, i);
        if (strcmp(value->item->key, key) == 0)
            return value;
    }
    return NULL;
}

static void note(void *context, const struct profile_rule *rule, const char *sentence)
{
    struct settings *s = context;
    g_assert_cmpuint(strlen(sentence), >, 20);
    g_string_append_printf(s->broken, "%s ", rule->name);
}

/* "key=value …" → the rules that are broken */
static char *broken_by(struct fixture *f, const char *text)
{
    struct settings s = {f->profile, g_ptr_array_new_with_free_func(g_free), g_string_new(NULL)};
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    for (unsigned i = 0; words[i] && *words[i]; i++) {
        char *equals = strchr(words[i], '=');
        *equals = '\0';
        g_strdelimit(equals + 1, "_", ' ');
        struct item_value value = value_of(f, words[i], equals + 1);
        g_ptr_array_add(s.values, g_memdup2(&value, sizeof value));
    }
    profile_check_rules(f->profile, NULL, look, note, &s);
    g_ptr_array_unref(s.values);
    return g_string_free(s.broken, FALSE);
}

static void test_rules(void)
{
    static const char *const cases[][2] = {
        {"", ""},
        {"ftp.enable=false sd.enable=false", ""},
        {"sd.enable=true sd.period=10_s", ""},
        {"sd.enable=true", "sd-period "},
        {"sd.enable=false sd.log_modules=true", "sd-before-modules "},
        {"ftp.enable=true sd.enable=true sd.period=10_s ftp.host=h ftp.port=21 ftp.user=u ftp.period=9", ""},
        {"ftp.enable=true sd.enable=false ftp.host=h ftp.port=21 ftp.user=u ftp.period=9", "ftp-needs-sd "},
        {"ftp.enable=true sd.enable=true sd.period=10_s ftp.port=21 ftp.period=9", "ftp-host ftp-user "},
        {"ftp.enable=true sd.enable=true sd.period=10_s ftp.host=h ftp.port=21 ftp.user=u ftp.period=9 "
         "ftp.send_modules=true sd.log_modules=false",
         "send-needs-log "},
        {"ftp.send_modules=true sd.log_modules=true sd.enable=true sd.period=10_s ftp.enable=false",
         "send-needs-ftp "}};
    struct fixture f;
    set_up(&f);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *broken = broken_by(&f, cases[i][0]);
        if (strcmp(broken, cases[i][1]) != 0)
            g_error("'%s' breaks '%s', not '%s'", cases[i][0], broken, cases[i][1]);
    }
    tear_down(&f);
}

static void test_refusals(void)
{
    struct fixture f;
    g_autoptr(GError) error = NULL;
    set_up(&f);
    struct item_value port = value_of(&f, "ftp.port", "21");
    port.raw = 0;
    g_assert_false(board_write_item(f.board, &port, NULL, &error));
    g_assert_error(error, PACK_ERROR, ERROR_REFUSED);
    g_clear_error(&error);
    struct item_value version = {.item = profile_item_find(f.profile, "live.firmware")};
    g_assert_false(board_write_item(f.board, &version, NULL, &error));
    g_assert_error(error, PACK_ERROR, ERROR_RULE);
    g_clear_error(&error);
    g_assert_false(profile_value_parse(version.item, "1.2.3", &version, &error));
    g_assert_error(error, PACK_ERROR, ERROR_AUTHOR);
    g_clear_error(&error);
    g_assert_false(board_calibrate(f.board, CALIBRATE_CURRENT_ZERO, 0, 0, &error));
    g_assert_error(error, PACK_ERROR, ERROR_REFUSED);
    g_clear_error(&error);
    g_assert_false(board_history_erase(f.board, &error));
    tear_down(&f);
}

/* Bytes of an item of a 32-bit type, as the words stand on the wire. */
static char *format(enum profile_type type, unsigned length, enum profile_words words, const uint8_t *bytes)
{
    const struct profile_item item = {.key = (char *)"a.b",
                                      .type = type,
                                      .width = length,
                                      .length = length,
                                      .words = words,
                                      .step = type == ITEM_REAL32 ? 1000 : 1,
                                      .quantity = type == ITEM_REAL32 ? QUANTITY_CURRENT : QUANTITY_NONE,
                                      .access = ACCESS_READ_ONLY};
    struct item_value value;
    profile_value_decode(&item, bytes, &value);
    return profile_value_format(&value);
}

static void test_types(void)
{
    static const struct {
        enum profile_type type;
        unsigned length;
        enum profile_words words;
        uint8_t bytes[4];
        const char *shown;
    } cases[] = {{ITEM_REAL32, 4, WORDS_HIGH_FIRST, {0x3f, 0xc0, 0, 0}, "1.5 A"},
                 {ITEM_REAL32, 4, WORDS_LOW_FIRST, {0, 0, 0x3f, 0xc0}, "1.5 A"},
                 {ITEM_REAL32, 4, WORDS_LOW_FIRST, {0, 0, 0xc2, 0x48}, "-50 A"},
                 {ITEM_REAL32, 4, WORDS_HIGH_FIRST, {0x7f, 0xc0, 0, 0}, "(not set)"},
                 {ITEM_REAL32, 4, WORDS_HIGH_FIRST, {0xff, 0x80, 0, 0}, "(not set)"},
                 {ITEM_REAL32, 4, WORDS_HIGH_FIRST, {0x7f, 0x7f, 0xff, 0xff}, "1000000000000 A"},
                 {ITEM_U32, 4, WORDS_HIGH_FIRST, {0, 1, 0, 2}, "65538"},
                 {ITEM_U32, 4, WORDS_LOW_FIRST, {0, 2, 0, 1}, "65538"},
                 {ITEM_I32, 4, WORDS_LOW_FIRST, {0xff, 0xfe, 0xff, 0xff}, "-2"},
                 {ITEM_VERSION, 2, WORDS_HIGH_FIRST, {1, 3}, "1.3"},
                 {ITEM_VERSION, 4, WORDS_LOW_FIRST, {4, 2, 0, 1}, "1.4.2"},
                 {ITEM_VERSION, 4, WORDS_HIGH_FIRST, {1, 2, 3, 4}, "1.2.3.4"},
                 {ITEM_VERSION, 4, WORDS_HIGH_FIRST, {0xff, 0xff, 0xff, 0xff}, "(not set)"}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = format(cases[i].type, cases[i].length, cases[i].words, cases[i].bytes);
        g_assert_cmpstr(text, ==, cases[i].shown);
    }
    const struct profile_item item = {.type = ITEM_U32, .width = 4, .words = WORDS_LOW_FIRST, .step = 1};
    const struct item_value value = {.item = &item, .raw = 0x00010002};
    uint8_t bytes[4];
    profile_value_encode(&value, bytes);
    g_assert_cmpmem(bytes, 4, ((const uint8_t[]){0, 2, 0, 1}), 4);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/mainx/live", test_live);
    g_test_add_func("/mainx/twins", test_twins);
    g_test_add_func("/mainx/settings", test_settings);
    g_test_add_func("/mainx/secret", test_secret);
    g_test_add_func("/mainx/journal", test_journal);
    g_test_add_func("/mainx/journal/bad", test_bad_journals);
    g_test_add_func("/mainx/journal/grows", test_journal_grows);
    g_test_add_func("/mainx/rules", test_rules);
    g_test_add_func("/mainx/refusals", test_refusals);
    g_test_add_func("/mainx/types", test_types);
    return g_test_run();
}
