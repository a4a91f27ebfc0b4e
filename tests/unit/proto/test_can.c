/* CAN frames as records, as text of can-utils, and as Lawicel ASCII; wires that carry them. */
#include "proto/wire_frames.h"
#include "station/base/error.h"

#include <glib/gstdio.h>
#include <linux/can.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void test_record(void)
{
    const struct can_frame kernel = {
        .can_id = 0x1f334455 | CAN_EFF_FLAG, .can_dlc = 3, .data = {0x11, 0x22, 0x33}};
    struct can_message m;
    uint8_t record[CAN_RECORD];
    g_assert_true(can_from_record((const uint8_t *)&kernel, &m));
    g_assert_true(m.extended && !m.remote && !m.error);
    g_assert_cmphex(m.id, ==, 0x1f334455);
    g_assert_cmpmem(m.data, m.n, "\x11\x22\x33", 3);
    can_to_record(&m, record);
    g_assert_cmpmem(record, sizeof record, &kernel, sizeof kernel);
    record[4] = 9;
    g_assert_false(can_from_record(record, &m));
}

static void test_text(void)
{
    static const struct {
        const char *text, *shown;
    } good[] = {{"123#DEADBEEF", "123#DEADBEEF"},
                {"5AA#", "5AA#"},
                {"123#R", "123#R"},
                {"00000123#R3", "00000123#R3"},
                {"1F334455#1122334455667788", "1F334455#1122334455667788"},
                {"123#de.ad.be.ef", "123#DEADBEEF"},
                {"7ff#00", "7FF#00"},
                {"20000004#0004000000000000", "20000004#0004000000000000"}};
    static const char *const bad[] = {"",
                                      "123",
                                      "12#00",
                                      "1234#00",
                                      "800#00",
                                      "123##1112",
                                      "123#0",
                                      "123#GG",
                                      "123#R9",
                                      "123#R12",
                                      "123#001122334455667788",
                                      "3FFFFFFF1#",
                                      "FFFFFFFF#",
                                      "123#00.",
                                      "123#.00"};
    struct can_message m;
    for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
        char text[CAN_TEXT_MAX];
        GError *error = NULL;
        g_assert_true(can_parse(good[i].text, &m, &error));
        g_assert_no_error(error);
        can_format(&m, text);
        g_assert_cmpstr(text, ==, good[i].shown);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        if (can_parse(bad[i], &m, &error))
            g_error("'%s' was taken for a frame", bad[i]);
        g_assert_error(error, PACK_ERROR, ERROR_AUTHOR);
    }
}

/* Examples of the manual pages of candump and log2asc. */
static void test_log(void)
{
    static const char *const bad[] = {"",
                                      "1436509052.249713 can0 123#00",
                                      "(1436509052.24971) can0 123#00",
                                      "(1436509052.249713) can0",
                                      "(1436509052.249713) 123#00",
                                      "(1436509052.249713) can0 123#00 X",
                                      "(1436509052.249713) aninterfacenametoolong 123#00",
                                      "(x.249713) can0 123#00"};
    struct can_logged logged;
    g_assert_true(can_parse_log("(1436509052.249713) vcan0 044#2A366C2BBA", &logged, NULL));
    g_assert_cmpint(logged.at_us, ==, 1436509052249713);
    g_assert_cmpstr(logged.interface, ==, "vcan0");
    g_assert_cmphex(logged.message.id, ==, 0x44);
    g_assert_cmpuint(logged.message.n, ==, 5);
    g_assert_true(can_parse_log("(0000000000.000001) can0 1F334455#R T", &logged, NULL));
    g_assert_true(logged.message.remote);
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_false(can_parse_log(bad[i], &logged, &error));
        g_assert_error(error, PACK_ERROR, ERROR_AUTHOR);
    }
}

static enum slcan_state read_line(const char *text, struct can_message *m)
{
    struct slcan_decoder decoder = {0};
    enum slcan_state state = SLCAN_MORE;
    for (; *text && state == SLCAN_MORE; text++)
        state = slcan_decode(&decoder, (uint8_t)*text, m);
    return state;
}

/* The examples of the CAN232 manual, section "Available CAN232 ASCII commands". */
static void test_slcan(void)
{
    static const struct {
        const char *line, *frame;
    } frames[] = {{"t10021133\r", "100#1133"},     {"T0000010021133\r", "00000100#1133"},
                  {"r1002\r", "100#R2"},           {"R000001002\r", "00000100#R2"},
                  {"t100811223344556677\r", NULL}, {"t10021133ABCD\r", "100#1133"}};
    struct can_message m;
    char text[SLCAN_MAX], shown[CAN_TEXT_MAX];
    for (gsize i = 0; i < G_N_ELEMENTS(frames); i++) {
        enum slcan_state state = read_line(frames[i].line, &m);
        g_assert_cmpint(state, ==, frames[i].frame ? SLCAN_FRAME : SLCAN_BAD);
        if (!frames[i].frame)
            continue;
        can_format(&m, shown);
        g_assert_cmpstr(shown, ==, frames[i].frame);
        if (strlen(frames[i].line) == 14 && frames[i].line[0] == 't')
            continue; /* a time stamp is read and not written */
        size_t n = slcan_encode(&m, text);
        g_assert_cmpmem(text, n, frames[i].line, strlen(frames[i].line));
    }
    g_assert_cmpint(read_line("\r", &m), ==, SLCAN_DONE);
    g_assert_cmpint(read_line("z\r", &m), ==, SLCAN_DONE);
    g_assert_cmpint(read_line("V1013\r", &m), ==, SLCAN_DONE);
    g_assert_cmpint(read_line("\a", &m), ==, SLCAN_REFUSED);
    g_assert_cmpint(read_line("t1009\r", &m), ==, SLCAN_BAD);
    g_assert_cmpint(read_line("t80021133\r", &m), ==, SLCAN_BAD);
    g_assert_cmpint(read_line("t1002113\r", &m), ==, SLCAN_BAD);
    g_assert_cmpint(read_line("T2000000010\r", &m), ==, SLCAN_BAD);
    g_assert_cmpint(read_line("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r", &m), ==, SLCAN_BAD);
    g_assert_cmpstr(slcan_rate(250000), ==, "S5");
    g_assert_null(slcan_rate(83333));
}

/* An adapter with a bus behind it on which a board echoes each frame with its id plus one. */
struct adapter {
    GString *line, *out;
    GString *seen; /* commands, with blanks between */
    bool mute, refuses, open;
};

static void adapter_line(struct adapter *a)
{
    struct can_message m;
    g_string_append_printf(a->seen, "%s ", a->line->str);
    char text[SLCAN_MAX];
    if (a->mute)
        return;
    if (strchr("tTrR", a->line->str[0]) && a->line->len) {
        g_autofree char *whole = g_strconcat(a->line->str, "\r", NULL);
        g_assert_cmpint(read_line(whole, &m), ==, SLCAN_FRAME);
        if (!a->open || a->refuses) {
            g_string_append_c(a->out, '\a');
            return;
        }
        m.id++;
        g_string_append(a->out, "z\r");
        g_string_append_len(a->out, text, (gssize)slcan_encode(&m, text));
        return;
    }
    if (a->line->str[0] == 'S' && a->open) {
        g_string_append_c(a->out, '\a');
        return;
    }
    if (a->line->str[0] == 'O' || a->line->str[0] == 'C')
        a->open = a->line->str[0] == 'O';
    g_string_append(a->out, a->line->str[0] == 'V' ? "V1013\r" : "\r");
}

static void adapter_accept(void *context, const uint8_t *bytes, size_t n, int64_t now_us)
{
    struct adapter *a = context;
    (void)now_us;
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] != '\r') {
            g_string_append_c(a->line, (char)bytes[i]);
            continue;
        }
        adapter_line(a);
        g_string_truncate(a->line, 0);
    }
}

static size_t adapter_produce(void *context, uint8_t *bytes, size_t max, int64_t now_us)
{
    struct adapter *a = context;
    (void)now_us;
    size_t n = MIN(max, a->out->len);
    memcpy(bytes, a->out->str, n);
    g_string_erase(a->out, 0, (gssize)n);
    return n;
}

static int64_t adapter_next(void *context)
{
    (void)context;
    return TICK_NEVER;
}

struct slcan_setup {
    struct tick_virtual clock;
    struct adapter adapter;
    struct wire *stream;
    struct wire_options options;
};

static void slcan_set_up(struct slcan_setup *s)
{
    const struct wire_far_side side = {&s->adapter,  adapter_accept, adapter_produce,
                                       adapter_next, NULL,           NULL};
    memset(s, 0, sizeof *s);
    tick_virtual_init(&s->clock, 0);
    s->adapter = (struct adapter){g_string_new(NULL), g_string_new(NULL), g_string_new(NULL)};
    s->options.tick = &s->clock.tick;
    struct wire_options stream = s->options;
    g_assert_true(wire_line_parse("115200-8N1", &stream.line, NULL));
    g_assert_true(wire_line_parse("250000-can", &s->options.line, NULL));
    s->stream = wire_loop_open(&side, &stream);
}

static void slcan_tear_down(struct slcan_setup *s)
{
    g_string_free(s->adapter.line, TRUE);
    g_string_free(s->adapter.out, TRUE);
    g_string_free(s->adapter.seen, TRUE);
}

static void test_slcan_wire(void)
{
    struct slcan_setup s;
    struct can_message m, back;
    GError *error = NULL;
    slcan_set_up(&s);
    s.adapter.open = true; /* somebody left it so */
    struct wire *wire = wire_slcan(s.stream, &s.options, &error);
    g_assert_no_error(error);
    g_assert_true(can_parse("601#4018100100000000", &m, NULL));
    g_assert_true(wire_send_frame(wire, &m, TICK_NEVER, &error));
    g_assert_true(wire_receive_frame(wire, &back, tick_now(&s.clock.tick) + TICK_MS(100), &error));
    g_assert_cmphex(back.id, ==, 0x602);
    g_assert_cmpmem(back.data, back.n, m.data, m.n);
    g_assert_false(wire_receive_frame(wire, &back, tick_now(&s.clock.tick) + TICK_MS(100), &error));
    g_assert_error(error, PACK_ERROR, ERROR_SILENT);
    g_clear_error(&error);
    s.adapter.refuses = true;
    g_assert_true(wire_send_frame(wire, &m, TICK_NEVER, &error));
    g_assert_false(wire_receive_frame(wire, &back, tick_now(&s.clock.tick) + TICK_MS(100), &error));
    g_assert_error(error, PACK_ERROR, ERROR_SILENT);
    g_assert_nonnull(strstr(error->message, "refused 1 frames"));
    g_clear_error(&error);
    wire_close(wire);
    g_assert_cmpstr(s.adapter.seen->str, ==, "   C C V S5 O t60184018100100000000 t60184018100100000000 C ");
    slcan_tear_down(&s);
}

static void test_slcan_absent(void)
{
    struct slcan_setup s;
    g_autoptr(GError) mute = NULL;
    g_autoptr(GError) rate = NULL;
    slcan_set_up(&s);
    s.adapter.mute = true;
    g_assert_null(wire_slcan(s.stream, &s.options, &mute));
    g_assert_error(mute, PACK_ERROR, ERROR_ABSENT);
    slcan_tear_down(&s);
    slcan_set_up(&s);
    s.options.line.baud = 83333;
    g_assert_null(wire_slcan(s.stream, &s.options, &rate));
    g_assert_error(rate, PACK_ERROR, ERROR_AUTHOR);
    slcan_tear_down(&s);
}

/* A peer on a local socket that sends the bytes given and closes. */
struct peer {
    int fd;
    GByteArray *bytes;
};

static gpointer peer_run(gpointer data)
{
    struct peer *peer = data;
    int client = accept(peer->fd, NULL, NULL);
    for (guint i = 0; i < peer->bytes->len; i += 7) /* never on the border of a record */
        g_assert_cmpint(write(client, peer->bytes->data + i, MIN(7, peer->bytes->len - i)), >, 0);
    close(client);
    close(peer->fd);
    g_byte_array_unref(peer->bytes);
    g_free(peer);
    return NULL;
}

static char *serve(const void *bytes, size_t n, GThread **thread)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct peer *peer = g_new0(struct peer, 1);
    g_autofree char *folder = g_dir_make_tmp("packline-XXXXXX", NULL);
    char *path = g_build_filename(folder, "bus", NULL);
    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    peer->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    peer->bytes = g_byte_array_append(g_byte_array_new(), bytes, (guint)n);
    g_assert_cmpint(bind(peer->fd, (struct sockaddr *)&address, sizeof address), ==, 0);
    g_assert_cmpint(listen(peer->fd, 1), ==, 0);
    *thread = g_thread_new("peer", peer_run, peer);
    return path;
}

static void test_socket(void)
{
    static const char *const frames[] = {"123#DEADBEEF", "1F334455#R2", "7FF#"};
    uint8_t records[G_N_ELEMENTS(frames) * CAN_RECORD];
    struct can_message m;
    struct wire_options options = {.tick = tick_real()};
    GError *error = NULL;
    GThread *thread;
    for (gsize i = 0; i < G_N_ELEMENTS(frames); i++) {
        g_assert_true(can_parse(frames[i], &m, NULL));
        can_to_record(&m, records + i * CAN_RECORD);
    }
    g_autofree char *path = serve(records, sizeof records, &thread);
    g_autofree char *trace = g_strconcat(path, ".log", NULL);
    g_autofree char *url = g_strdup_printf("can-socket:%s?trace=%s", path, trace);
    g_assert_true(wire_line_parse("250000-can", &options.line, NULL));
    struct wire *wire = wire_open(url, &options, &error);
    g_assert_no_error(error);
    for (gsize i = 0; i < G_N_ELEMENTS(frames); i++) {
        char text[CAN_TEXT_MAX];
        g_assert_true(wire_receive_frame(wire, &m, tick_now(options.tick) + TICK_S(5), &error));
        can_format(&m, text);
        g_assert_cmpstr(text, ==, frames[i]);
    }
    g_assert_false(wire_receive_frame(wire, &m, tick_now(options.tick) + TICK_S(5), &error));
    g_assert_error(error, PACK_ERROR, ERROR_CABLE);
    g_clear_error(&error);
    wire_close(wire);
    g_thread_join(thread);

    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(trace, &text, NULL, NULL));
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (gsize i = 0, k = 0; lines[i]; i++) {
        struct can_logged logged;
        char shown[CAN_TEXT_MAX];
        if (lines[i][0] != '(')
            continue;
        g_assert_true(can_parse_log(lines[i], &logged, &error));
        g_assert_no_error(error);
        can_format(&logged.message, shown);
        g_assert_cmpstr(shown, ==, frames[k++]);
    }
    g_unlink(trace);
    g_unlink(path);
    *strrchr(path, '/') = '\0';
    g_rmdir(path);
}

static void test_urls(void)
{
    struct wire_options can = {.tick = tick_real()}, plain = can;
    g_autoptr(GError) mixed = NULL;
    g_autoptr(GError) other = NULL;
    g_autoptr(GError) none = NULL;
    g_assert_true(wire_line_parse("250000-can", &can.line, NULL));
    g_assert_true(wire_line_is_can(&can.line));
    g_autofree char *text = wire_line_format(&can.line);
    g_assert_cmpstr(text, ==, "250000-can");
    g_assert_true(wire_line_parse("9600-8N1", &plain.line, NULL));
    g_assert_null(wire_open("unix:/nowhere", &can, &mixed));
    g_assert_error(mixed, PACK_ERROR, ERROR_AUTHOR);
    g_assert_null(wire_open("can:can0", &plain, &other));
    g_assert_error(other, PACK_ERROR, ERROR_AUTHOR);
    g_assert_null(wire_open("can:nosuchbus", &can, &none)); /* no bus of this name, or no CAN in the kernel */
    g_assert_error(none, PACK_ERROR, ERROR_ABSENT);
    g_assert_true(wire_is_physical("can:can0"));
    g_assert_true(wire_is_physical("slcan:/dev/ttyACM0"));
    g_assert_false(wire_is_physical("can-socket:/tmp/x"));
}

/* A frame is lost as a whole or comes whole. */
static size_t count_frames(uint32_t drop_ppm, uint32_t duplicate_ppm)
{
    struct slcan_setup s;
    const struct wire_fault_plan plan = {.seed = 3, .drop_ppm = drop_ppm, .duplicate_ppm = duplicate_ppm};
    struct can_message m;
    size_t got = 0;
    GError *error = NULL;
    slcan_set_up(&s);
    struct wire *wire = wire_fault(wire_slcan(s.stream, &s.options, &error), &plan);
    for (int i = 0; i < 200; i++) {
        g_assert_true(can_parse("601#0102030405060708", &m, NULL));
        g_assert_true(wire_send_frame(wire, &m, TICK_NEVER, &error));
        g_autoptr(GError) silent = NULL;
        while (wire_receive_frame(wire, &m, tick_now(&s.clock.tick), &silent)) {
            g_assert_cmphex(m.id, ==, 0x602);
            g_assert_cmpmem(m.data, m.n, "\1\2\3\4\5\6\7\10", 8);
            got++;
            g_clear_error(&silent);
        }
    }
    wire_close(wire);
    slcan_tear_down(&s);
    return got;
}

static void test_faults(void)
{
    g_assert_cmpuint(count_frames(0, 0), ==, 200);
    g_assert_cmpuint(count_frames(10000, 0), <, 200);
    g_assert_cmpuint(count_frames(0, 10000), >, 200);
}

/* 250 kbit/s: 47 + 64 bits of a standard frame take 444 µs. */
static void test_pace(void)
{
    struct slcan_setup s;
    struct can_message m;
    GError *error = NULL;
    slcan_set_up(&s);
    struct wire *wire = wire_pace(wire_slcan(s.stream, &s.options, &error));
    int64_t began = tick_now(&s.clock.tick);
    g_assert_true(can_parse("601#0102030405060708", &m, NULL));
    g_assert_true(wire_send_frame(wire, &m, TICK_NEVER, &error));
    g_assert_cmpint(tick_now(&s.clock.tick) - began, ==, 444);
    wire_close(wire);
    slcan_tear_down(&s);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/can/record", test_record);
    g_test_add_func("/can/text", test_text);
    g_test_add_func("/can/log", test_log);
    g_test_add_func("/can/slcan", test_slcan);
    g_test_add_func("/can/slcan-wire", test_slcan_wire);
    g_test_add_func("/can/slcan-absent", test_slcan_absent);
    g_test_add_func("/can/socket", test_socket);
    g_test_add_func("/can/urls", test_urls);
    g_test_add_func("/can/faults", test_faults);
    g_test_add_func("/can/pace", test_pace);
    return g_test_run();
}
