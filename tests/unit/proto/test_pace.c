/* Family pace: published frames through the profile, and the profile against the virtual board. */
#include "far.h"

#include "proto/board.h"
#include "proto/yd1363.h"
#include "station/base/error.h"

#define PROFILE SOURCE_DIR "/recipes/boards/pace-25.yaml"

struct fixture {
    struct far far;
    struct profile *profile;
    struct board *board;
};

static struct profile *load(const char *from, const char *to)
{
    g_autofree char *text = NULL;
    GError *error = NULL;
    g_assert_true(g_file_get_contents(PROFILE, &text, NULL, NULL));
    if (from) {
        g_auto(GStrv) parts = g_strsplit(text, from, 2);
        g_assert_nonnull(parts[1]);
        g_free(text);
        text = g_strjoinv(to, parts);
    }
    g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));
    g_autoptr(bind_report_auto) report = bind_report_new("p", bytes);
    struct profile *profile = profile_load("p", bytes, report);
    if (!profile)
        bind_report_check(report, &error);
    g_assert_no_error(error);
    return profile;
}

/* polarity NULL: as it is shipped. */
static void set_up(struct fixture *f, unsigned address, const char *polarity, const char *defect)
{
    const char *const defects[] = {defect, NULL};
    GError *error = NULL;
    f->profile = load(polarity ? "unmeasured\n" : NULL, polarity);
    far_open_at(&f->far, "pace", address, "9600-8N1", false, defect ? defects : NULL);
    tick_sleep_until(&f->far.clock.tick, tick_deadline_ms(&f->far.clock.tick, 500));
    f->board = board_open(f->profile, f->far.wire, address, false, &error);
    g_assert_no_error(error);
}

static void tear_down(struct fixture *f)
{
    board_close(f->board);
    far_close(&f->far);
    profile_free(f->profile);
}

/* A far side that answers each request of the published table with the published answer. */
struct captures {
    struct tick_virtual clock;
    GString *out;
    GString *written; /* the last request, without CR */
};

/* nkinnan/esphome-pace-bms @2ba4bc6, pace_bms_protocol_v25.cpp: requests and what real boards answered. Those
 * captured at address 0 stand here at address 1, with the checksums that follow. */
static const char *const captured[][2] = {
    {"~25014642E00201FD30", "~25014600F07A0001100CC70CC80CC70CC70CC70CC50CC60CC70CC70CC60CC70CC60CC60CC70CC60"
                            "CC7060B9B0B990B990B990BB30BB"
                            "CFF1FCCCD12D303286A008C2710E1E4"},
    {"~25014644E00201FD2E",
     "~25014600004C000110000000000000000000000000000000000600000000000000000000000E000000000000EF3A"},
    /* the document, chapter 5; its states are those of address 1 above */
    {"~25004642E00201FD31", "~25004600F07A0001100D420D140D130D130D130D130D130D130D110D120D130D110D110D120D100"
                            "D13060BB70BB70BB80BB60BB30BB"
                            "D0000D155128E03138800001388E3AC"},
    {"~25004644E00201FD2F",
     "~25004600004C000110000000000000000000000000000000000600000000000000000000000E000000000000EF3B"},
    {"~250146C10000FD9A", "~25014600602850313653313030412D313831322D312E30302000F58E"},
    {"~250146C20000FD99",
     "~25014600B05031383132313031333830333039442020202020202020202020202020202020202020202020"
     "202020EE0F"},
    {"~250146B10000FD9B", "~25014600400C180815051D1FFB0F"},
    {"~250146D10000FD99", "~25014600F010010E100E740D340AFA34"},
    {"~250146DB0000FD88", "~25014600400C01FF97FF920AFAD2"},
    {"~250146E30000FD96", "~25014600400C009604009604FB31"},
    {"~250146DF0000FD84", "~25014600501A010AAA0A780AAA0A1409E20A14F7E4"},
    {"~250146A60000FD97", "~25014600400C183C286A2710FB0D"},
    {"~250146EB0000FD87", "~25014600A006131400FC6E"},
};

static void answer(void *context, const uint8_t *bytes, size_t n, int64_t now_us)
{
    struct captures *c = context;
    g_autofree char *request = g_strndup((const char *)bytes, n - 1);
    (void)now_us;
    g_string_assign(c->written, request);
    for (gsize i = 0; i < G_N_ELEMENTS(captured); i++)
        if (strcmp(captured[i][0], request) == 0)
            g_string_append_printf(c->out, "%s\r", captured[i][1]);
    if (c->out->len == 0) /* done */
        g_string_append(c->out, "~250146000000FDAE\r");
}

static size_t give(void *context, uint8_t *bytes, size_t max, int64_t now_us)
{
    struct captures *c = context;
    size_t n = MIN(max, c->out->len);
    (void)now_us;
    memcpy(bytes, c->out->str, n);
    g_string_erase(c->out, 0, (gssize)n);
    return n;
}

static int64_t soon(void *context)
{
    return tick_now(&((struct captures *)context)->clock.tick) + 1000;
}

static int64_t value_of(struct board *board, const char *key)
{
    struct item_value value;
    GError *error = NULL;
    bool ok = board_read_item(board, profile_item_find(board->profile, key), &value, &error);
    g_assert_no_error(error);
    g_assert_true(ok);
    return value.value;
}

/* The published answers mean what the driver that published them says they mean. */
static void test_captures(void)
{
    struct captures c = {.out = g_string_new(NULL), .written = g_string_new(NULL)};
    struct wire_options options = {.tick = &c.clock.tick};
    const struct wire_far_side side = {&c, answer, give, soon, NULL, NULL};
    GError *error = NULL;
    struct board_telemetry t;
    struct board_identity identity;
    struct profile *profile = load(NULL, NULL);
    tick_virtual_init(&c.clock, 1795000000000000);
    g_assert_true(wire_line_parse("9600-8N1", &options.line, &error));
    struct wire *wire = wire_loop_open(&side, &options);
    struct board *board = board_open(profile, wire, 1, false, &error);
    bool ok = board_telemetry(board, &t, &error);
    g_assert_no_error(error);
    g_assert_true(ok);
    g_assert_cmpuint(t.cells, ==, 16);
    g_assert_cmpint(t.cell_mv[0], ==, 3271);
    g_assert_cmpint(t.cell_mv[5], ==, 3269);
    g_assert_cmpuint(t.sensors, ==, 4);
    g_assert_cmpint(t.sensor_mdeg[0], ==, 24100);
    g_assert_cmpint(t.mos_mdeg, ==, 26500);
    g_assert_cmpint(t.ambient_mdeg, ==, 27400);
    g_assert_cmpint(t.current_ma, ==, -2250);
    g_assert_cmpint(t.pack_mv, ==, 52429);
    g_assert_cmpint(t.remaining_mah, ==, 48190);
    g_assert_cmpint(t.full_mah, ==, 103460);
    g_assert_cmpint(t.cycles, ==, 140);
    g_assert_cmpint(t.soc_ppc, ==, 46578);
    g_assert_cmpint(t.soh_ppc, ==, 100000);
    g_assert_true(t.charge_fet && t.discharge_fet && t.discharging && !t.charging);
    g_assert_cmpuint(t.protections | t.alarms, ==, 0);
    g_assert_true(board_identify(board, &identity, &error));
    g_assert_cmpstr(identity.product, ==, "P16S100A-1812-1.00");
    struct item_value serial;
    g_assert_true(board_read_item(board, profile_item_find(profile, "about.serial"), &serial, &error));
    g_assert_cmpstr(serial.text, ==, "1812101380309D");
    int64_t wall;
    g_assert_true(board_clock_read(board, &wall, &error));
    g_assert_cmpint(wall / 1000000, ==, 1724218171); /* 2024-08-21 05:29:31 */
    static const struct {
        const char *key;
        int64_t value;
    } values[] = {{"alarm.cell_ov", 3600},
                  {"protect.cell_ov", 3700},
                  {"protect.cell_ov_release", 3380},
                  {"protect.cell_ov_delay", 1000000},
                  {"alarm.discharge_oc1", 105000},
                  {"protect.discharge_oc1", 110000},
                  {"protect.discharge_oc2", 150000},
                  {"protect.discharge_oc2_delay", 100000},
                  {"alarm.charge_ut", 0},
                  {"protect.charge_ut", -5000},
                  {"protect.discharge_ut", -20000},
                  {"capacity.remaining_capacity", 62040},
                  {"capacity.full_capacity", 103460},
                  {"capacity.nominal_capacity", 100000},
                  {"inverter.can", 19},
                  {"inverter.rs485", 20}};
    for (gsize k = 0; k < G_N_ELEMENTS(values); k++)
        g_assert_cmpint(value_of(board, values[k].key), ==, values[k].value);
    /* One value written: the other goes back with the sign the board takes, as the driver found. */
    struct item_value discharge = {.item = profile_item_find(profile, "protect.discharge_oc1"), .raw = 110};
    g_assert_true(board_write_values(board, &discharge, 1, &error));
    g_assert_cmpstr(c.written->str, ==, "~250146DA400C010069006E0AFAF6");
    board_close(board);
    /* A pack alone on its line has address 0 and is pack 1: the document's own example. */
    board = board_open(profile, wire, 0, false, &error);
    g_assert_true(board_telemetry(board, &t, &error));
    g_assert_cmpint(t.cell_mv[0], ==, 3394);
    g_assert_cmpint(t.pack_mv, ==, 53589);
    g_assert_cmpint(t.sensor_mdeg[0], ==, 26900);
    g_assert_cmpint(t.soc_ppc, ==, 95000);
    board_close(board);
    wire_close(wire);
    profile_free(profile);
    g_string_free(c.out, TRUE);
    g_string_free(c.written, TRUE);
}

static struct item_value parse(struct fixture *f, const char *key, const char *text)
{
    struct item_value value;
    GError *error = NULL;
    bool ok = profile_value_parse(profile_item_find(f->profile, key), text, &value, &error);
    g_assert_no_error(error);
    g_assert_true(ok);
    return value;
}

/* Every pair reads and writes back, and a new board keeps the profile's presets. */
static void test_every_item(void)
{
    for (unsigned address = 1; address <= 15; address += 14) {
        struct fixture f;
        GError *error = NULL;
        unsigned written = 0;
        set_up(&f, address, NULL, NULL);
        struct board_telemetry t;
        g_assert_true(board_telemetry(f.board, &t, &error));
        for (guint i = 0; i < f.profile->items->len; i++) {
            const struct profile_item *item = g_ptr_array_index(f.profile->items, i);
            struct item_value value = {.item = item};
            if (item->access != ACCESS_SERVICE || item->type == ITEM_BYTES)
                continue;
            if (item->has_preset)
                g_assert_cmpint(value_of(f.board, item->key), ==, item->preset);
            value.raw = item->valid->len ? 1 : (item->max - item->origin) / item->step;
            bool ok = board_write_item(f.board, &value, NULL, &error);
            g_assert_no_error(error);
            g_assert_true(ok);
            written++;
        }
        g_assert_cmpuint(written, >=, 48);
        tear_down(&f);
    }
}

/* A pack alone on its line has the address 0. A family that counts from 1 has no such board. */
static void test_address_zero(void)
{
    struct vboard_options options = {.family = "pace", .address_zero = true, .unit_seed = 7};
    struct far far = {.dtr = false};
    struct wire_options wire = {.tick = &far.clock.tick};
    const struct wire_far_side side = {&far, far_accept, far_produce, far_next, far_signal, NULL};
    g_autoptr(GError) error = NULL;
    struct board_telemetry t;
    struct profile *profile = load(NULL, NULL);
    tick_virtual_init(&far.clock, 1795000000000000);
    g_assert_true(wire_line_parse("9600-8N1", &wire.line, &error));
    far.board = vboard_new(&options, tick_now(wire.tick), &error);
    g_assert_no_error(error);
    far.wire = wire_loop_open(&side, &wire);
    struct board *board = board_open(profile, far.wire, 0, false, &error);
    tick_sleep_until(&far.clock.tick, tick_deadline_ms(&far.clock.tick, 500));
    g_assert_true(board_telemetry(board, &t, &error));
    g_assert_cmpuint(t.cells, ==, 16);
    board->address = 1;
    g_assert_false(board_telemetry(board, &t, &error));
    g_assert_error(error, PACK_ERROR, ERROR_SILENT);
    g_clear_error(&error);
    board_close(board);
    profile_free(profile);
    far_close(&far);
    options.family = "clever";
    g_assert_null(vboard_new(&options, 0, &error));
    g_assert_nonnull(strstr(error->message, "from 1"));
}

/* Without a measurement no FET is switched; the measurement finds which way round this board is. */
static void test_polarity(void)
{
    static const char *const kinds[] = {"plain\n", "inverted\n"};
    for (unsigned inverted = 0; inverted < 2; inverted++) {
        struct fixture f;
        struct board_telemetry t;
        g_autoptr(GError) error = NULL;
        enum profile_polarity found;
        const char *defect = inverted ? "fet-inverted" : NULL;
        set_up(&f, 1, NULL, defect);
        g_assert_false(board_control(f.board, CONTROL_CHARGE_FET, 0, &error));
        g_assert_error(error, PACK_ERROR, ERROR_RULE);
        g_clear_error(&error);
        vboard_bench_current(f.far.board, 5000);
        g_assert_false(board_measure_polarity(f.board, &found, &error));
        g_assert_error(error, PACK_ERROR, ERROR_RULE);
        g_clear_error(&error);
        vboard_bench_current(f.far.board, 0);
        g_assert_true(board_measure_polarity(f.board, &found, &error));
        g_assert_cmpint(found, ==, inverted ? POLARITY_INVERTED : POLARITY_PLAIN);
        g_assert_true(board_telemetry(f.board, &t, &error));
        g_assert_true(t.charge_fet && t.discharge_fet);
        tear_down(&f);

        set_up(&f, 1, kinds[inverted], defect);
        g_assert_true(board_control(f.board, CONTROL_DISCHARGE_FET, 0, &error));
        g_assert_true(board_telemetry(f.board, &t, &error));
        g_assert_true(t.charge_fet && !t.discharge_fet);
        g_assert_false(board_control(f.board, CONTROL_CHARGE_FET, 0, &error)); /* never both */
        g_assert_error(error, PACK_ERROR, ERROR_REFUSED);
        g_clear_error(&error);
        g_assert_true(board_control(f.board, CONTROL_DISCHARGE_FET, 1, &error));
        vboard_bench_current(f.far.board, -5000);
        g_assert_false(board_control(f.board, CONTROL_CHARGE_FET, 0, &error));
        g_assert_error(error, PACK_ERROR, ERROR_RULE);
        tear_down(&f);
    }
}

static void test_clock_and_shutdown(void)
{
    struct fixture f;
    g_autoptr(GError) error = NULL;
    int64_t wall;
    struct board_identity identity;
    set_up(&f, 1, NULL, NULL);
    g_assert_true(board_clock_write(f.board, tick_wall(&f.far.clock.tick), &error));
    g_assert_true(board_clock_read(f.board, &wall, &error));
    g_assert_cmpint(ABS(wall - tick_wall(&f.far.clock.tick)), <, TICK_S(2));
    vboard_bench_current(f.far.board, 5000); /* in use it only starts again */
    g_assert_true(board_control(f.board, CONTROL_SLEEP, 0, &error));
    tick_sleep_until(&f.far.clock.tick, tick_deadline_ms(&f.far.clock.tick, 1000));
    g_assert_true(board_identify(f.board, &identity, &error));
    vboard_bench_current(f.far.board, 0);
    g_assert_true(board_control(f.board, CONTROL_SLEEP, 0, &error));
    tick_sleep_until(&f.far.clock.tick, tick_deadline_ms(&f.far.clock.tick, 1000));
    g_assert_false(board_identify(f.board, &identity, &error));
    g_assert_error(error, PACK_ERROR, ERROR_SILENT);
    tear_down(&f);
}

static const struct item_value *look(void *context, const char *key)
{
    static struct item_value values[8];
    static unsigned next;
    struct fixture *f = context;
    struct item_value *value = &values[next++ % G_N_ELEMENTS(values)];
    return board_read_item(f->board, profile_item_find(f->profile, key), value, NULL) ? value : NULL;
}

static void tell(void *context, const struct profile_rule *rule, const char *sentence)
{
    (void)context;
    g_test_message("%s: %s", rule->name, sentence);
}

/* What boards leave the maker with keeps the rules; nothing of the profile is packline's own. */
static void test_rules(void)
{
    struct fixture f;
    GError *error = NULL;
    set_up(&f, 1, NULL, NULL);
    g_assert_false(f.profile->has_reference);
    g_assert_cmpuint(profile_check_rules(f.profile, NULL, look, tell, &f), ==, 0);
    const struct item_value value = parse(&f, "protect.cell_ov_release", "3.8 V");
    g_assert_true(board_write_item(f.board, &value, NULL, &error));
    g_assert_cmpuint(profile_check_rules(f.profile, NULL, look, tell, &f), ==, 1);
    tear_down(&f);
}

/* 20 characters instead of 40; a damaged or refused write is told. */
static void test_differences(void)
{
    struct fixture f;
    g_autoptr(GError) error = NULL;
    struct item_value value;
    set_up(&f, 1, NULL, "short-serial");
    g_assert_true(board_read_item(f.board, profile_item_find(f.profile, "about.serial"), &value, &error));
    g_assert_true(g_str_has_prefix(value.text, "18210000000007"));
    tear_down(&f);
    set_up(&f, 1, NULL, "busy");
    value = parse(&f, "protect.cell_ov", "3.65 V");
    g_assert_false(board_write_item(f.board, &value, NULL, &error));
    g_assert_nonnull(strstr(error->message, "operation failed"));
    tear_down(&f);
    set_up(&f, 1, NULL, "clamp-parameter");
    g_clear_error(&error);
    value = parse(&f, "protect.cell_ov", "3.65 V");
    g_assert_false(board_write_item(f.board, &value, NULL, &error));
    g_assert_error(error, PACK_ERROR, ERROR_MISMATCH);
    tear_down(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pace/captures", test_captures);
    g_test_add_func("/pace/every-item", test_every_item);
    g_test_add_func("/pace/address-zero", test_address_zero);
    g_test_add_func("/pace/polarity", test_polarity);
    g_test_add_func("/pace/clock-and-shutdown", test_clock_and_shutdown);
    g_test_add_func("/pace/rules", test_rules);
    g_test_add_func("/pace/differences", test_differences);
    return g_test_run();
}
