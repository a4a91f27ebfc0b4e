/* The CANopen dialect and the profile of family rockets against the virtual board. */
#include "tests/unit/proto/far.h"

#include "proto/board.h"
#include "proto/wire_frames.h"
#include "station/base/error.h"

#define WALL INT64_C(1795000000000000) /* of far.h */

struct setup {
    struct far far;
    struct profile *profile;
    struct board *board;
};

static struct profile *load(const char *from, const char *to)
{
    g_autofree char *path = g_build_filename(SOURCE_DIR, "recipes/boards/rockets-smart.yaml", NULL);
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    if (from) {
        g_auto(GStrv) parts = g_strsplit(text, from, -1);
        g_assert_cmpuint(g_strv_length(parts), ==, 2);
        g_free(text);
        text = g_strjoinv(to, parts);
    }
    g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));
    g_autoptr(bind_report_auto) report = bind_report_new(path, bytes);
    struct profile *profile = profile_load(path, bytes, report);
    if (!profile && !from)
        g_error("%s", bind_report_text(report));
    return profile;
}

static void set_up_with(struct setup *s, const char *const *defects)
{
    GError *error = NULL;
    far_open_family(&s->far, "rockets", "250000-can", false, defects);
    s->profile = load(NULL, NULL);
    s->board = board_open(s->profile, s->far.wire, 1, false, &error);
    g_assert_no_error(error);
    g_assert_true(wire_pause_ms(s->far.wire, 500, NULL));
}

static void set_up(struct setup *s, const char *defect)
{
    const char *const defects[] = {"awake", defect, NULL};
    set_up_with(s, defects);
}

static void tear_down(struct setup *s)
{
    board_close(s->board);
    far_close(&s->far);
    profile_free(s->profile);
}

static const struct profile_item *item(const struct setup *s, const char *key)
{
    const struct profile_item *found = profile_item_find(s->profile, key);
    g_assert_nonnull(found);
    return found;
}

static struct item_value read_item(struct setup *s, const char *key)
{
    struct item_value value;
    GError *error = NULL;
    g_assert_true(board_read_item(s->board, item(s, key), &value, &error));
    g_assert_no_error(error);
    return value;
}

static void test_identify(void)
{
    struct setup s;
    struct board_identity identity;
    GError *error = NULL;
    set_up(&s, NULL);
    g_assert_true(board_identify(s.board, &identity, &error));
    g_assert_cmpstr(identity.product, ==, "ROCKETS-SMART");
    g_assert_cmpstr(identity.hardware, ==, "HW-1.0");
    g_assert_cmpstr(identity.firmware, ==, "2.1.0");
    g_assert_true(identity.has_unique_id);
    g_assert_cmpmem(identity.unique_id, 12, "RS0000000007", 12);
    g_assert_cmpstr(read_item(&s, "battery.number").text, ==, "RS0000000007");
    tear_down(&s);
}

static void test_telemetry(void)
{
    struct setup s;
    struct board_telemetry t;
    GError *error = NULL;
    set_up(&s, NULL);
    g_assert_true(board_telemetry(s.board, &t, &error));
    g_assert_cmpuint(t.cells, ==, 10);
    int64_t sum = 0;
    for (unsigned i = 0; i < t.cells; i++) {
        g_assert_cmpint(ABS(t.cell_mv[i] - 3642), <=, 8);
        sum += t.cell_mv[i];
    }
    g_assert_cmpint(t.pack_mv, ==, sum);
    g_assert_cmpuint(t.sensors, ==, 2);
    g_assert_cmpint(ABS(t.sensor_mdeg[1] - 25000), <=, 100);
    g_assert_cmpint(ABS(t.mos_mdeg - 25000), <=, 100);
    g_assert_cmpint(t.ambient_mdeg, ==, TELEMETRY_ABSENT);
    g_assert_cmpint(ABS(t.current_ma), <=, 25);
    g_assert_cmpint(t.soc_ppc, ==, 40000);
    g_assert_cmpint(t.soc_more_ppc, ==, 999);
    g_assert_cmpint(t.remaining_mah, ==, 4732);
    g_assert_cmpint(t.full_mah, ==, 11600);
    g_assert_true(t.charge_fet && t.discharge_fet);
    g_assert_cmpuint(t.protections, ==, 0);
    g_assert_cmpstr(t.active, ==, "");
    g_assert_true(read_item(&s, "shell.to_plus").absent);
    g_assert_cmpint(read_item(&s, "cycle.uncharged").value, ==, TICK_S(95 * 3600));
    vboard_bench_current(s.far.board, 5000);
    g_assert_true(board_telemetry(s.board, &t, &error));
    g_assert_cmpint(ABS(t.current_ma - 5000), <=, 25);
    g_assert_true(t.charging);
    tear_down(&s);
}

/* Each of the 27: what is not as it should be is active, whatever its polarity. */
static void test_flags(void)
{
    static const char *const names[] = {
        "D-MOS off", "UV",   "DOC",   "DOL",   "SC",     "PF",     "C-MOS off", "OV",      "COC",
        "TOV",       "TUV",  "ODV",   "DOT",   "DUT",    "COT",    "CUT",       "MOS-OT",  "LR",
        "P-MOS",     "E2-E", "AFE-E", "RTC-E", "2nd-OT", "2nd-OV", "D-MOS-E",   "C-MOS-E", "P-MOS-E"};
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        struct setup s;
        struct board_telemetry t;
        g_autofree char *defect = g_strdup_printf("flag:%u", i);
        set_up(&s, defect);
        g_assert_true(board_telemetry(s.board, &t, NULL));
        g_assert_cmpstr(t.active, ==, names[i]);
        g_assert_cmphex(t.protections, ==, 1u << i);
        g_assert_cmpint(t.discharge_fet, ==, i != 0);
        g_assert_cmpint(t.charge_fet, ==, i != 6);
        tear_down(&s);
    }
}

static void test_sleep(void)
{
    static const char *const none[] = {NULL};
    struct setup s;
    struct board_identity identity;
    g_autoptr(GError) asleep = NULL;
    g_autoptr(GError) again = NULL;
    set_up_with(&s, none);
    g_assert_false(board_identify(s.board, &identity, &asleep));
    g_assert_error(asleep, PACK_ERROR, ERROR_SILENT);
    vboard_bench_current(s.far.board, 1000);
    int64_t began = tick_now(&s.far.clock.tick);
    g_assert_true(board_wait_alive(s.board, began + TICK_S(10), &identity, NULL));
    g_assert_cmpint(tick_now(&s.far.clock.tick) - began, >=, TICK_MS(1500));
    vboard_bench_current(s.far.board, 0);
    g_assert_true(board_control(s.board, CONTROL_SLEEP, 0, NULL));
    g_assert_true(wire_pause_ms(s.far.wire, 50, NULL));
    g_assert_false(board_identify(s.board, &identity, &again));
    g_assert_error(again, PACK_ERROR, ERROR_SILENT);
    tear_down(&s);
}

static void test_sleeps_by_itself(void)
{
    struct setup s;
    struct board_identity identity;
    g_autoptr(GError) asleep = NULL;
    set_up(&s, NULL);
    g_assert_true(wire_pause_ms(s.far.wire, INT64_C(13) * 86400000, NULL));
    g_assert_true(board_identify(s.board, &identity, NULL));
    g_assert_true(wire_pause_ms(s.far.wire, INT64_C(14) * 86400000 + 1000, NULL));
    g_assert_false(board_identify(s.board, &identity, &asleep));
    g_assert_error(asleep, PACK_ERROR, ERROR_SILENT);
    tear_down(&s);
}

/* The clock shows local time: in a zone two hours ahead it is written two hours later than UTC. */
static void test_clock(void)
{
    struct setup s;
    int64_t wall;
    GError *error = NULL;
    g_setenv("TZ", "Etc/GMT-2", TRUE);
    set_up(&s, NULL);
    g_assert_true(board_clock_read(s.board, &wall, &error));
    g_assert_cmpint(ABS(wall - (INT64_C(1602953320) - 7200) * 1000000), <, TICK_S(2));
    g_assert_true(board_clock_write(s.board, WALL, &error));
    g_assert_true(board_clock_read(s.board, &wall, &error));
    g_assert_no_error(error);
    g_assert_cmpint(ABS(wall - WALL), <, TICK_S(1));
    /* 2026-11-18 11:06:40 UTC is 13:06:40: 47200000 ms after midnight, day 15662. */
    g_assert_cmpint(WALL / 1000000, ==, 1795000000);
    g_autofree char *bytes = g_strdup(read_item(&s, "time.bms").text);
    g_assert_cmpstr(bytes + 8, ==, "2e3d");
    g_unsetenv("TZ");
    tear_down(&s);
}

struct counted {
    unsigned n;
    uint32_t last;
    char first[32], second[32];
};

static bool count_record(void *context, const struct board_record *record, GError **error)
{
    struct counted *c = context;
    (void)error;
    if (c->n < 2)
        g_strlcpy(c->n == 0 ? c->first : c->second, record->what, sizeof c->first);
    g_assert_cmpint(record->soc_ppc, ==, 40000);
    g_assert_cmpint(record->cell_max_mv, >=, record->cell_min_mv);
    c->last = record->id;
    c->n++;
    return true;
}

static void test_log(void)
{
    struct setup s;
    struct counted c = {0};
    g_autoptr(GError) erase = NULL;
    GError *error = NULL;
    set_up(&s, NULL);
    g_assert_true(board_history_read(s.board, count_record, &c, &error));
    g_assert_cmpuint(c.n, ==, 12);
    g_assert_cmpuint(c.last, ==, 1);
    g_assert_cmpstr(c.first, ==, "OV cleared");
    g_assert_cmpstr(c.second, ==, "OV occurred");
    g_assert_false(board_history_erase(s.board, &erase));
    g_assert_error(erase, PACK_ERROR, ERROR_REFUSED);
    tear_down(&s);
}

/* What a board must not be told, and what it says then. */
static void test_refused(void)
{
    struct setup s;
    struct item_value value;
    g_autoptr(GError) rule = NULL;
    g_autoptr(GError) refused = NULL;
    set_up(&s, NULL);
    value = read_item(&s, "capacity.full");
    g_assert_false(board_write_item(s.board, &value, NULL, &rule));
    g_assert_error(rule, PACK_ERROR, ERROR_RULE);
    const uint8_t bytes[] = {0, 0, 0, 1};
    g_assert_false(s.board->dialect->write_block(s.board, value.item->in, (unsigned)value.item->offset, bytes,
                                                 4, &refused));
    g_assert_error(refused, PACK_ERROR, ERROR_REFUSED);
    g_assert_cmpstr(
        refused->message, ==,
        "node 1: object 2010H:03 (capacity.full): the board answered 'attempt to write a read-only "
        "object' (abort 06010002H)");
    tear_down(&s);
}

static void test_cannot_read(void)
{
    struct setup s;
    struct item_value value;
    g_autoptr(GError) error = NULL;
    set_up(&s, NULL);
    g_assert_false(board_read_item(s.board, item(&s, "command.sleep"), &value, &error));
    g_assert_error(error, PACK_ERROR, ERROR_REFUSED);
    g_assert_nonnull(strstr(error->message, "attempt to read a write-only object"));
    tear_down(&s);
}

/* Frames of other nodes, before and between answers, are not the board's. */
static void test_others(void)
{
    struct setup s;
    struct board_identity identity;
    set_up(&s, "chatter");
    g_assert_true(board_identify(s.board, &identity, NULL));
    g_assert_cmpstr(identity.product, ==, "ROCKETS-SMART");
    s.board->address = 2;
    g_autoptr(GError) error = NULL;
    g_assert_false(board_identify(s.board, &identity, &error));
    g_assert_error(error, PACK_ERROR, ERROR_SILENT);
    g_assert_nonnull(strstr(error->message, "frames came that are no answer, the last"));
    tear_down(&s);
}

static void test_late(void)
{
    struct setup s;
    struct board_identity identity;
    g_autoptr(GError) error = NULL;
    set_up(&s, "late:700");
    g_assert_false(board_identify(s.board, &identity, &error));
    g_assert_error(error, PACK_ERROR, ERROR_SILENT);
    tear_down(&s);
}

/* One frame in fifty lost, each way, and one in fifty twice: everything is read, and right. */
static void test_lossy(void)
{
    struct setup s;
    const struct wire_fault_plan plan = {.seed = 5, .drop_ppm = 1250, .duplicate_ppm = 1250};
    unsigned failed = 0;
    set_up(&s, NULL);
    s.far.wire = wire_fault(s.far.wire, &plan);
    s.board->wire = s.far.wire;
    for (int i = 0; i < 100; i++) {
        struct board_identity identity;
        g_autoptr(GError) error = NULL;
        if (!board_identify(s.board, &identity, &error)) {
            failed++;
            continue;
        }
        g_assert_cmpstr(identity.product, ==, "ROCKETS-SMART");
        g_assert_cmpmem(identity.unique_id, 12, "RS0000000007", 12);
    }
    g_assert_cmpuint(failed, ==, 0);
    g_assert_cmpuint(s.board->frames_lost, >, 0);
    tear_down(&s);
}

/* A server with a wrong toggle bit, and one that answers more or less than it said. */
struct server {
    const char *answers[8];
    unsigned at, asked;
    char sent[8][CAN_TEXT_MAX];
    bool due;
};

static void server_accept(void *context, const uint8_t *bytes, size_t n, int64_t now_us)
{
    struct server *server = context;
    struct can_message m;
    (void)now_us;
    g_assert_cmpuint(n, ==, CAN_RECORD);
    g_assert_true(can_from_record(bytes, &m));
    can_format(&m, server->sent[server->asked++ % 8]);
    server->due = server->asked <= 8 && server->answers[server->at];
}

static size_t server_produce(void *context, uint8_t *bytes, size_t max, int64_t now_us)
{
    struct server *server = context;
    struct can_message m;
    (void)now_us;
    if (!server->due || max < CAN_RECORD)
        return 0;
    server->due = false;
    g_assert_true(can_parse(server->answers[server->at++], &m, NULL));
    can_to_record(&m, bytes);
    return CAN_RECORD;
}

static int64_t server_next(void *context)
{
    (void)context;
    return TICK_NEVER;
}

static void ask_server(struct server *server, enum error_kind expected, const char *text)
{
    struct tick_virtual clock;
    struct wire_options options = {.tick = &clock.tick};
    const struct wire_far_side side = {server, server_accept, server_produce, server_next, NULL, NULL};
    struct profile *profile = load("retries: 3", "retries: 0");
    struct item_value value;
    g_autoptr(GError) error = NULL;
    tick_virtual_init(&clock, WALL);
    g_assert_true(wire_line_parse("250000-can", &options.line, NULL));
    struct wire *wire = wire_loop_open(&side, &options);
    struct board *board = board_open(profile, wire, 1, false, &error);
    g_assert_no_error(error);
    bool ok = board_read_item(board, profile_item_find(profile, "battery.number"), &value, &error);
    if (text && ok) {
        g_assert_cmpstr(value.text, ==, text);
    } else {
        g_assert_false(ok);
        g_assert_error(error, PACK_ERROR, (int)expected);
    }
    board_close(board);
    wire_close(wire);
    profile_free(profile);
}

static void test_servers(void)
{
    struct server good = {
        .answers = {"581#410020010C000000", "581#0052533030303030", "581#1530303030370000"}};
    struct server plain = {.answers = {"581#4300200141424344"}};
    struct server toggle = {.answers = {"581#410020010C000000", "581#1052533030303030"}};
    struct server shorter = {.answers = {"581#410020010C000000", "581#0152533030303030"}};
    struct server longer = {
        .answers = {"581#410020010D000000", "581#0052533030303030", "581#1330303030373800"}};
    struct server other = {.answers = {"582#4300200141424344"}};
    struct server extended = {.answers = {"00000581#4300200141424344"}};
    struct server brief = {.answers = {"581#43002001414243"}};
    struct server aborted = {.answers = {"581#8000200111000906"}};
    ask_server(&good, ERROR_INTERNAL, "RS0000000007");
    g_assert_cmpstr(good.sent[0], ==, "601#4000200100000000");
    g_assert_cmpstr(good.sent[1], ==, "601#6000000000000000");
    g_assert_cmpstr(good.sent[2], ==, "601#7000000000000000");
    ask_server(&plain, ERROR_INTERNAL, "ABCD");
    ask_server(&toggle, ERROR_GARBLED, NULL);
    g_assert_cmpstr(toggle.sent[2], ==, "601#8000200100000305");
    ask_server(&shorter, ERROR_GARBLED, NULL);
    g_assert_cmpstr(shorter.sent[2], ==, "601#8000200113000706");
    ask_server(&longer, ERROR_GARBLED, NULL);
    ask_server(&other, ERROR_SILENT, NULL);
    ask_server(&extended, ERROR_SILENT, NULL);
    ask_server(&brief, ERROR_SILENT, NULL);
    ask_server(&aborted, ERROR_REFUSED, NULL);
}

/* The middle of a transfer is lost: the server is told before it is asked again. */
static void test_abandoned(void)
{
    struct server half = {.answers = {"581#410020010C000000", NULL}};
    ask_server(&half, ERROR_SILENT, NULL);
    g_assert_cmpuint(half.asked, ==, 3);
    g_assert_cmpstr(half.sent[2], ==, "601#8000200100000405");
}

static void test_profile(void)
{
    g_assert_null(load("line: 250000-can", "line: 9600-8N1"));
    g_assert_null(load("dialect: canopen-sdo", "dialect: yd1363"));
    g_assert_null(load("name: BMS Time, title: clock, block: time, offset: 0, type: bytes, number: 1",
                       "name: BMS Time, title: clock, block: time, offset: 0, type: bytes"));
    g_assert_null(load("  count: log.count\n", ""));
    g_assert_null(load("  unique_id: battery.number", "  unique_id: capacity.rsoc"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/rockets/identify", test_identify);
    g_test_add_func("/rockets/telemetry", test_telemetry);
    g_test_add_func("/rockets/flags", test_flags);
    g_test_add_func("/rockets/sleep", test_sleep);
    g_test_add_func("/rockets/sleeps-by-itself", test_sleeps_by_itself);
    g_test_add_func("/rockets/clock", test_clock);
    g_test_add_func("/rockets/log", test_log);
    g_test_add_func("/rockets/refused", test_refused);
    g_test_add_func("/rockets/cannot-read", test_cannot_read);
    g_test_add_func("/rockets/others", test_others);
    g_test_add_func("/rockets/late", test_late);
    g_test_add_func("/rockets/lossy", test_lossy);
    g_test_add_func("/rockets/servers", test_servers);
    g_test_add_func("/rockets/abandoned", test_abandoned);
    g_test_add_func("/rockets/profile", test_profile);
    return g_test_run();
}
