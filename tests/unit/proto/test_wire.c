#include "proto/wire.h"
#include "station/base/error.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A far side that echoes after a given time. */
struct echo {
    GByteArray *bytes;
    int64_t due_us;
    int64_t delay_us;
};

static void accept_bytes(void *context, const uint8_t *bytes, size_t n, int64_t now_us)
{
    struct echo *echo = context;
    g_byte_array_append(echo->bytes, bytes, (guint)n);
    echo->due_us = now_us + echo->delay_us;
}

static size_t produce_bytes(void *context, uint8_t *bytes, size_t max, int64_t now_us)
{
    struct echo *echo = context;
    size_t n = MIN(max, echo->bytes->len);
    if (now_us < echo->due_us || n == 0)
        return 0;
    memcpy(bytes, echo->bytes->data, n);
    g_byte_array_remove_range(echo->bytes, 0, (guint)n);
    return n;
}

static int64_t next_us(void *context)
{
    struct echo *echo = context;
    return echo->bytes->len ? echo->due_us : TICK_NEVER;
}

struct setup {
    struct tick_virtual clock;
    struct echo echo;
    struct wire *wire;
};

static void set_up(struct setup *s, int64_t delay_us)
{
    struct wire_options options = {.tick = &s->clock.tick};
    const struct wire_far_side side = {&s->echo, accept_bytes, produce_bytes, next_us, NULL, NULL};
    tick_virtual_init(&s->clock, 0);
    s->echo = (struct echo){g_byte_array_new(), 0, delay_us};
    g_assert_true(wire_line_parse("115200-8E1", &options.line, NULL));
    s->wire = wire_loop_open(&side, &options);
}

static void tear_down(struct setup *s)
{
    wire_close(s->wire);
    g_byte_array_unref(s->echo.bytes);
}

static void test_line(void)
{
    static const char *const good[] = {"9600-8N1", "115200-8E1", "19200-7O2", "12000000-8N2"};
    static const char *const bad[] = {"",          "9600",     "9600-8N",  "9600-9N1",  "9600-8X1",
                                      "9600-8N3",  "0-8N1",    "-8N1",     "9600-8N1x", "99999999-8N1",
                                      " 9600-8N1", "9600 8N1", "+9600-8N1"};
    struct wire_line line;
    for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
        g_assert_true(wire_line_parse(good[i], &line, NULL));
        g_autofree char *text = wire_line_format(&line);
        g_assert_cmpstr(text, ==, good[i]);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_false(wire_line_parse(bad[i], &line, &error));
        g_assert_error(error, PACK_ERROR, ERROR_AUTHOR);
    }
    g_assert_true(wire_line_parse("115200-8E1", &line, NULL));
    g_assert_cmpuint(wire_line_bits(&line), ==, 11);
}

static void test_urls(void)
{
    static const struct {
        const char *url;
        int kind;
    } bad[] = {{"foo:bar", ERROR_AUTHOR},
               {"unix:/nonexistent/socket", ERROR_ABSENT},
               {"tcp:127.0.0.1", ERROR_AUTHOR},
               {"tcp:127.0.0.1:1", ERROR_ABSENT},
               {"serial:/dev/nonexistent", ERROR_ABSENT},
               {"unix:/x?speed=3", ERROR_AUTHOR},
               {"unix:/x?fault=drop", ERROR_AUTHOR},
               {"unix:/x?fault=drop:2000000", ERROR_AUTHOR}};
    const struct wire_options options = {{9600, 8, WIRE_PARITY_NONE, 1}, tick_real(), NULL};
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(wire_open(bad[i].url, &options, &error));
        g_assert_error(error, PACK_ERROR, bad[i].kind);
    }
    g_assert_true(wire_is_physical("serial:/dev/ttyUSB0"));
    g_assert_true(wire_is_physical("tcp:10.0.0.1:4000"));
    g_assert_true(wire_is_physical("something:new"));
    g_assert_false(wire_is_physical("unix:/x"));
}

static void test_silence_takes_its_time(void)
{
    struct setup s;
    uint8_t byte;
    g_autoptr(GError) error = NULL;
    set_up(&s, 0);
    int64_t before = tick_now(&s.clock.tick);
    g_assert_false(wire_receive_all(s.wire, &byte, 1, before + TICK_MS(500), &error));
    g_assert_error(error, PACK_ERROR, ERROR_SILENT);
    g_assert_cmpint(tick_now(&s.clock.tick) - before, ==, TICK_MS(500));
    tear_down(&s);
}

static void test_limit(void)
{
    struct setup s;
    uint8_t byte;
    g_autoptr(GError) error = NULL;
    set_up(&s, 0);
    int64_t before = tick_now(&s.clock.tick);
    s.wire->limit_us = before + TICK_MS(20);
    g_assert_false(wire_receive_all(s.wire, &byte, 1, before + TICK_MS(500), &error));
    g_assert_cmpint(tick_now(&s.clock.tick) - before, ==, TICK_MS(20));
    tear_down(&s);
}

static void test_pace(void)
{
    struct setup s;
    uint8_t bytes[256] = {0};
    set_up(&s, 0);
    s.wire = wire_pace(s.wire);
    int64_t before = tick_now(&s.clock.tick);
    for (int i = 0; i < 10; i++) {
        g_assert_true(wire_send(s.wire, bytes, sizeof bytes, TICK_NEVER, NULL));
        g_assert_true(
            wire_receive_all(s.wire, bytes, sizeof bytes, tick_now(&s.clock.tick) + TICK_S(1), NULL));
    }
    int64_t exact = 10 * 2 * 256 * 11 * INT64_C(1000000) / 115200;
    g_assert_cmpint(tick_now(&s.clock.tick) - before, >=, exact);
    g_assert_cmpint(tick_now(&s.clock.tick) - before, <=, exact + 40);
    tear_down(&s);
}

static void test_fault_repeats(void)
{
    uint8_t first[4000], second[4000], out[2000];
    size_t n[2] = {0, 0};
    for (unsigned i = 0; i < sizeof out; i++)
        out[i] = (uint8_t)i;
    for (int run = 0; run < 2; run++) {
        struct setup s;
        size_t got;
        set_up(&s, 0);
        s.wire =
            wire_fault(s.wire, &(struct wire_fault_plan){
                                   .seed = 5, .drop_ppm = 9000, .corrupt_ppm = 9000, .duplicate_ppm = 9000});
        g_assert_true(wire_send(s.wire, out, sizeof out, TICK_NEVER, NULL));
        while (wire_receive(s.wire, (run ? second : first) + n[run], 100, &got, tick_now(&s.clock.tick) + 10,
                            NULL))
            n[run] += got;
        tear_down(&s);
    }
    g_assert_cmpmem(first, n[0], second, n[1]);
    g_assert_false(n[0] == sizeof out && memcmp(first, out, sizeof out) == 0);
}

static void hide_digits(void *context, bool sent, const uint8_t *bytes, size_t n, bool *secret)
{
    (void)context;
    for (size_t i = 0; sent && i < n; i++)
        secret[i] = g_ascii_isdigit(bytes[i]);
}

static void test_trace(void)
{
    struct setup s;
    uint8_t back[4];
    g_autofree char *folder = g_dir_make_tmp("wire-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "t.hex", NULL);
    g_autofree char *text = NULL;
    set_up(&s, 1500);
    s.wire = wire_trace(s.wire, path, hide_digits, NULL, NULL);
    g_assert_nonnull(s.wire);
    g_assert_true(wire_send(s.wire, "A1B2", 4, TICK_NEVER, NULL));
    g_assert_true(wire_receive_all(s.wire, back, 4, tick_now(&s.clock.tick) + TICK_S(1), NULL));
    tear_down(&s);
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_nonnull(strstr(text, "000000.000000 > 41 ** 42 **\n"));
    g_assert_nonnull(strstr(text, "000000.001500 < 41 31 42 32\n"));
    g_unlink(path);
    g_rmdir(folder);
}

static void test_socket(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    g_autofree char *folder = g_dir_make_tmp("wire-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "s", NULL);
    g_autofree char *url = g_strconcat("unix:", path, NULL);
    g_autoptr(cancel_auto) cancel = cancel_new();
    const struct wire_options options = {{9600, 8, WIRE_PARITY_NONE, 1}, tick_real(), cancel};
    g_autoptr(GError) error = NULL;
    char bytes[8];
    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    g_assert_cmpint(bind(listener, (struct sockaddr *)&address, sizeof address), ==, 0);
    g_assert_cmpint(listen(listener, 1), ==, 0);
    struct wire *wire = wire_open(url, &options, &error);
    g_assert_no_error(error);
    int far = accept(listener, NULL, NULL);
    g_assert_true(wire_send(wire, "hello", 5, tick_deadline_ms(tick_real(), 1000), &error));
    g_assert_cmpint(read(far, bytes, 5), ==, 5);
    g_assert_cmpint(write(far, "world", 5), ==, 5);
    g_assert_true(wire_receive_all(wire, bytes, 5, tick_deadline_ms(tick_real(), 1000), &error));
    g_assert_cmpmem(bytes, 5, "world", 5);
    g_assert_false(wire_set_signal(wire, WIRE_DTR, true, &error));
    g_assert_error(error, PACK_ERROR, ERROR_REFUSED);
    g_clear_error(&error);
    cancel_request(cancel);
    g_assert_false(wire_receive_all(wire, bytes, 1, tick_deadline_ms(tick_real(), 60000), &error));
    g_assert_error(error, PACK_ERROR, ERROR_CANCELLED);
    g_clear_error(&error);
    wire_close(wire);
    wire = wire_open(url, &(struct wire_options){{9600, 8, WIRE_PARITY_NONE, 1}, tick_real(), NULL}, &error);
    int again = accept(listener, NULL, NULL);
    close(again);
    g_assert_false(wire_receive_all(wire, bytes, 1, tick_deadline_ms(tick_real(), 1000), &error));
    g_assert_error(error, PACK_ERROR, ERROR_CABLE);
    wire_close(wire);
    close(far);
    close(listener);
    g_unlink(path);
    g_rmdir(folder);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/wire/line", test_line);
    g_test_add_func("/wire/urls", test_urls);
    g_test_add_func("/wire/silence", test_silence_takes_its_time);
    g_test_add_func("/wire/limit", test_limit);
    g_test_add_func("/wire/pace", test_pace);
    g_test_add_func("/wire/fault", test_fault_repeats);
    g_test_add_func("/wire/trace", test_trace);
    g_test_add_func("/wire/socket", test_socket);
    return g_test_run();
}
