/* Several virtual boards on one line: who is there, and that two with one identity are refused. And a probe
 * of a board with a profile that fits, and with one that does not. */
#include "far.h"

#include "proto/probe.h"
#include "proto/scan_bus.h"
#include "station/base/error.h"

#define BOARDS 3

struct bus {
    struct tick_virtual clock;
    struct vboard *boards[BOARDS];
    unsigned n;
    struct wire *wire;
    struct profile *profile;
    bool frames; /* a CAN bus: whole frames, one after the other */
};

static void bus_accept(void *context, const uint8_t *bytes, size_t n, int64_t now_us)
{
    struct bus *bus = context;
    for (unsigned i = 0; i < bus->n; i++)
        vboard_accept(bus->boards[i], bytes, n, now_us);
}

/* Who speaks at the same moment speaks over the other. */
static size_t bus_produce(void *context, uint8_t *bytes, size_t max, int64_t now_us)
{
    struct bus *bus = context;
    size_t n = 0;
    for (unsigned i = 0; bus->frames && i < bus->n; i++)
        n += vboard_produce(bus->boards[i], bytes + n, (max - n) / 16 * 16, now_us);
    for (unsigned i = 0; !bus->frames && i < bus->n; i++) {
        uint8_t said[256];
        size_t more = vboard_produce(bus->boards[i], said, MIN(max, sizeof said), now_us);
        for (size_t k = 0; k < more; k++)
            bytes[k] = k < n ? bytes[k] & said[k] : said[k];
        n = MAX(n, more);
    }
    return n;
}

static int64_t bus_next(void *context)
{
    struct bus *bus = context;
    int64_t next = INT64_MAX;
    for (unsigned i = 0; i < bus->n; i++)
        next = MIN(next, vboard_next_us(bus->boards[i]));
    return next;
}

static void bus_signal(void *context, enum wire_signal signal, bool on, int64_t now_us)
{
    (void)context;
    (void)signal;
    (void)on;
    (void)now_us;
}

static struct profile *load_profile(const char *name)
{
    g_autofree char *path = g_build_filename(SOURCE_DIR "/recipes/boards", name, NULL);
    GError *error = NULL;
    g_autoptr(GBytes) bytes = bind_read_file(path, BIND_FILE_MAX, &error);
    g_assert_no_error(error);
    g_autoptr(bind_report_auto) report = bind_report_new(path, bytes);
    struct profile *profile = profile_load(path, bytes, report);
    g_assert_nonnull(profile);
    return profile;
}

static void bus_open_of(struct bus *bus, const char *family, const char *profile,
                        const unsigned addresses[BOARDS], const unsigned seeds[BOARDS],
                        const char *const *defects)
{
    GError *error = NULL;
    struct wire_options wire = {.tick = &bus->clock.tick};
    const struct wire_far_side side = {bus, bus_accept, bus_produce, bus_next, bus_signal, NULL};
    memset(bus, 0, sizeof *bus);
    tick_virtual_init(&bus->clock, 1795000000000000);
    bus->profile = load_profile(profile);
    bus->frames = strcmp(family, "rockets") == 0;
    wire.line = bus->profile->line;
    for (; bus->n < BOARDS && addresses[bus->n]; bus->n++) {
        const struct vboard_options options = {
            .family = family, .address = addresses[bus->n], .unit_seed = seeds[bus->n], .defects = defects};
        bus->boards[bus->n] = vboard_new(&options, tick_now(wire.tick), &error);
        g_assert_no_error(error);
    }
    bus->wire = wire_loop_open(&side, &wire);
    tick_sleep_until(&bus->clock.tick, tick_deadline_ms(&bus->clock.tick, 500));
}

static void bus_open(struct bus *bus, const unsigned addresses[BOARDS], const unsigned seeds[BOARDS])
{
    bus_open_of(bus, "basen", "basen-lt55.yaml", addresses, seeds, NULL);
}

static void bus_close(struct bus *bus)
{
    wire_close(bus->wire);
    for (unsigned i = 0; i < bus->n; i++)
        vboard_free(bus->boards[i]);
    profile_free(bus->profile);
}

static void write_text(struct bus *bus, unsigned address, const char *key, const char *text)
{
    GError *error = NULL;
    struct item_value value;
    struct secret *password = secret_from_text("888888");
    struct board *board = board_open(bus->profile, bus->wire, address, false, &error);
    g_assert_true(profile_value_parse(profile_item_find(bus->profile, key), text, &value, &error));
    g_assert_true(board_login(board, 1, password, &error));
    g_assert_true(board_write_item(board, &value, NULL, &error));
    secret_free(password);
    board_close(board);
}

static void count_address(void *context, unsigned address)
{
    unsigned *asked = context;
    g_assert_cmpuint(address, ==, ++*asked);
}

static void test_apart(void)
{
    struct bus bus;
    g_autoptr(GError) error = NULL;
    bus_open(&bus, (const unsigned[]){1, 4, 15}, (const unsigned[]){7, 8, 9});
    write_text(&bus, 4, "identity.serial_number", "BSN00000004");
    unsigned asked = 0;
    g_autoptr(GArray) found = bus_scan(bus.profile, bus.wire, 1, 15, false, count_address, &asked, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(asked, ==, 15);
    g_assert_cmpuint(found->len, ==, 3);
    const struct bus_board *boards = (const struct bus_board *)(const void *)found->data;
    g_assert_cmpuint(boards[0].address, ==, 1);
    g_assert_cmpuint(boards[1].address, ==, 4);
    g_assert_cmpuint(boards[2].address, ==, 15);
    g_assert_cmpstr(boards[0].serial, ==, "");
    g_assert_cmpstr(boards[1].serial, ==, "BSN00000004");
    bus_close(&bus);
}

static void refused(struct bus *bus, const char *says)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(bus_scan(bus->profile, bus->wire, 1, 5, false, NULL, NULL, &error));
    g_assert_error(error, PACK_ERROR, ERROR_RULE);
    if (!strstr(error->message, says))
        g_error("'%s' does not say '%s'", error->message, says);
}

static void test_same_identity(void)
{
    static const struct {
        const char *key, *says;
    } cases[] = {{"identity.serial_number", "addresses 2 and 5 report the same serial number"},
                 {"identity.pcb_barcode", "addresses 2 and 5 report the same barcode"}};
    struct bus bus;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        bus_open(&bus, (const unsigned[]){2, 5, 0}, (const unsigned[]){7, 8, 0});
        write_text(&bus, 2, cases[i].key, "BSN00000001");
        write_text(&bus, 5, cases[i].key, "BSN00000001");
        refused(&bus, cases[i].says);
        bus_close(&bus);
    }
    bus_open(&bus, (const unsigned[]){2, 5, 0}, (const unsigned[]){7, 7, 0});
    refused(&bus, "addresses 2 and 5 report the same unique id");
    bus_close(&bus);
}

static void test_same_address(void)
{
    struct bus bus;
    bus_open(&bus, (const unsigned[]){3, 3, 0}, (const unsigned[]){7, 8, 0});
    refused(&bus, "address 3 answers in pieces");
    bus_close(&bus);
}

static void nodes_open(struct bus *bus, const unsigned nodes[BOARDS], const char *number)
{
    const char *const defects[] = {"awake", number, NULL};
    bus_open_of(bus, "rockets", "rockets-smart.yaml", nodes, (const unsigned[]){7, 8, 9}, defects);
}

/* Nodes of a CAN bus are asked all at once: those that sleep or are not there cost no time of their own. */
static void test_nodes(void)
{
    struct bus bus;
    g_autoptr(GError) error = NULL;
    nodes_open(&bus, (const unsigned[]){1, 64, 127}, NULL);
    const int64_t began = tick_now(&bus.clock.tick);
    g_autoptr(GArray) found = bus_scan(bus.profile, bus.wire, 1, 127, false, NULL, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(found->len, ==, 3);
    const struct bus_board *boards = (const struct bus_board *)(const void *)found->data;
    g_assert_cmpuint(boards[1].address, ==, 64);
    g_assert_cmpstr(boards[1].serial, ==, "RS0000000008");
    g_assert_cmpuint(boards[2].address, ==, 127);
    /* of the virtual clock */
    g_assert_cmpint(tick_now(&bus.clock.tick) - began, <, TICK_S(5));
    g_assert_null(bus_scan(bus.profile, bus.wire, 1, 200, false, NULL, NULL, &error));
    g_assert_nonnull(strstr(error->message, "1 to 127"));
    bus_close(&bus);
}

static void test_same_node(void)
{
    struct bus bus;
    nodes_open(&bus, (const unsigned[]){3, 3, 0}, NULL);
    refused(&bus, "node 3 answers one question 2 times");
    bus_close(&bus);
    nodes_open(&bus, (const unsigned[]){2, 5, 0}, "same-sn:17");
    refused(&bus, "addresses 2 and 5 report the same serial number");
    bus_close(&bus);
}

/* One board answers the questions of a probe. */
struct seen {
    char bad[512];
    unsigned good, open;
};

static void see(void *context, const struct probe_finding *finding)
{
    struct seen *seen = context;
    seen->good += finding->result == PROBE_GOOD;
    seen->open += finding->result == PROBE_OPEN;
    if (finding->result == PROBE_BAD) {
        g_test_message("%s: %s", finding->what, finding->text);
        g_strlcat(seen->bad, finding->what, sizeof seen->bad);
        g_strlcat(seen->bad, ";", sizeof seen->bad);
    }
}

static void probe_with(void (*bend)(struct profile *), int64_t current_ma, enum probe_flow flow,
                       const char *bad)
{
    struct bus bus;
    g_autoptr(GError) error = NULL;
    struct seen seen = {0};
    bus_open(&bus, (const unsigned[]){1, 0, 0}, (const unsigned[]){7, 0, 0});
    vboard_bench_current(bus.boards[0], current_ma);
    tick_sleep_until(&bus.clock.tick, tick_deadline_ms(&bus.clock.tick, 500));
    if (bend)
        bend(bus.profile);
    struct board *board = board_open(bus.profile, bus.wire, 1, false, &error);
    int n = board_probe(board, flow, see, &seen, &error);
    g_assert_no_error(error);
    g_assert_cmpint(n, >=, 0);
    g_assert_cmpstr(seen.bad, ==, bad);
    g_assert_cmpint(n == 0, ==, bad[0] == '\0');
    board_close(board);
    bus_close(&bus);
}

static void another_product(struct profile *profile)
{
    g_free(profile->product);
    profile->product = g_strdup("B100LT55");
}

static void other_sign(struct profile *profile)
{
    profile->charge_sign = -profile->charge_sign;
}

static void wrong_cells(struct profile *profile)
{
    g_free(profile->cells_item);
    profile->cells_item = g_strdup("config.inverter_can");
}

static void shifted(struct profile *profile)
{
    for (guint i = 0; i < profile->items->len; i++) {
        struct profile_item *item = profile->items->pdata[i];
        if (item->has_range && item->offset >= 1)
            item->offset--;
    }
}

static void test_probe(void)
{
    probe_with(NULL, 0, PROBE_FLOW_UNKNOWN, "");
    probe_with(NULL, 0, PROBE_FLOW_IDLE, "");
    probe_with(NULL, 5000, PROBE_FLOW_CHARGE, "");
    probe_with(NULL, -5000, PROBE_FLOW_DISCHARGE, "");
    probe_with(NULL, 5000, PROBE_FLOW_DISCHARGE, "current sign;");
    probe_with(NULL, 15000, PROBE_FLOW_IDLE, "current at rest;");
    probe_with(NULL, 0, PROBE_FLOW_CHARGE, "current sign;");
    probe_with(other_sign, 5000, PROBE_FLOW_CHARGE, "current sign;");
    probe_with(another_product, 0, PROBE_FLOW_UNKNOWN, "product;");
    probe_with(wrong_cells, 0, PROBE_FLOW_UNKNOWN, "cell count;");
    probe_with(shifted, 0, PROBE_FLOW_UNKNOWN, "cell count;parameters;");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/bus/apart", test_apart);
    g_test_add_func("/bus/same-identity", test_same_identity);
    g_test_add_func("/bus/same-address", test_same_address);
    g_test_add_func("/bus/nodes", test_nodes);
    g_test_add_func("/bus/same-node", test_same_node);
    g_test_add_func("/bus/probe", test_probe);
    return g_test_run();
}
