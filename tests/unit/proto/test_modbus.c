/* Published frames encode and decode to the same bytes; echoes, rubbish and other people's answers are passed
 * over; a damaged answer never passes. */
#include "proto/modbus.h"

#include <glib.h>
#include <string.h>

static size_t from_hex(const char *hex, uint8_t *out)
{
    size_t n = 0;
    for (; *hex; hex++)
        if (*hex != ' ') {
            out[n++] = (uint8_t)(g_ascii_xdigit_value(hex[0]) * 16 + g_ascii_xdigit_value(hex[1]));
            hex++;
        }
    return n;
}

static struct modbus_request ask(uint8_t unit, uint8_t function, uint16_t address, uint16_t count,
                                 const char *data)
{
    struct modbus_request r = {.unit = unit, .function = function, .address = address, .count = count};
    r.n = from_hex(data, r.data);
    return r;
}

static bool feed(struct modbus_decoder *d, const char *hex, struct modbus_answer *answer)
{
    uint8_t bytes[600];
    size_t n = from_hex(hex, bytes);
    for (size_t i = 0; i < n; i++)
        if (modbus_decode(d, bytes[i], answer) == MODBUS_ANSWER)
            return i + 1 == n;
    return false;
}

static bool answers(const struct modbus_request *r, const char *hex, struct modbus_answer *answer)
{
    struct modbus_decoder d = {0};
    modbus_expect(&d, MODBUS_RTU, 0, r);
    return feed(&d, hex, answer);
}

/* The examples of Modbus Application Protocol V1.1b3, chapter 6: bodies without unit and check. */
static const struct {
    uint8_t function;
    uint16_t address, count;
    const char *data, *request, *answer, *read;
} standard[] = {
    {0x01, 0x13, 0x13, "", "01 0013 0013", "01 03 CD6B05", "CD6B05"},
    {0x03, 0x6b, 3, "", "03 006B 0003", "03 06 022B00000064", "022B00000064"},
    {0x04, 8, 1, "", "04 0008 0001", "04 02 000A", "000A"},
    {0x05, 0xac, 1, "FF00", "05 00AC FF00", "05 00AC FF00", ""},
    {0x06, 1, 1, "0003", "06 0001 0003", "06 0001 0003", ""},
    {0x0f, 0x13, 10, "CD01", "0F 0013 000A 02 CD01", "0F 0013 000A", ""},
    {0x10, 1, 2, "000A0102", "10 0001 0002 04 000A 0102", "10 0001 0002", ""},
};

static void test_standard(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(standard); i++) {
        struct modbus_request r =
            ask(0x11, standard[i].function, standard[i].address, standard[i].count, standard[i].data);
        uint8_t frame[MODBUS_FRAME_MAX], body[64], read[64];
        struct modbus_answer answer;
        struct modbus_decoder d = {0};
        size_t n = modbus_encode(MODBUS_TCP, 0x1501, &r, frame), b = from_hex(standard[i].request, body);
        g_assert_cmpmem(frame + 7, n - 7, body, b);
        g_assert_cmpuint(frame[5], ==, b + 1);
        n = modbus_encode(MODBUS_RTU, 0, &r, frame);
        g_assert_cmpmem(frame + 1, n - 3, body, b);
        g_assert_cmpuint(modbus_crc(frame, n), ==, 0); /* a frame with its own check sums to nothing */

        b = from_hex(standard[i].answer, body);
        g_autofree char *tcp = g_strdup_printf("1501 0000 00%02X 11 %s", (unsigned)b + 1, standard[i].answer);
        modbus_expect(&d, MODBUS_TCP, 0x1501, &r);
        g_assert_true(feed(&d, tcp, &answer));
        g_assert_cmpuint(answer.exception, ==, 0);
        n = from_hex(standard[i].read, read);
        g_assert_cmpmem(answer.data, answer.n, read, n);
    }
}

/* Modbus over Serial Line V1.02, 6.2.2: device 02, function 07 has the CRC 1241H, sent 41 12. */
static void test_crc(void)
{
    g_assert_cmphex(modbus_crc((const uint8_t *)"\x02\x07", 2), ==, 0x1241);
}

/* Captures of other people's boards: Daly (github.com/syssi/esphome-daly-bms, issue 9) and JK PB
 * (github.com/syssi/esphome-jk-bms, docs/pb2a16s20p; github.com/Louisvdw/dbus-serialbattery, jkbms_pb). */
static const struct {
    uint8_t unit, function;
    uint16_t address, count;
    const char *data, *frame;
} captured[] = {
    {0xd2, 3, 0x80, 0x29, "", "D2 03 00 80 00 29 96 5F"},
    {0xd2, 3, 0, 0x3e, "", "D2 03 00 00 00 3E D7 B9"},
    {0xd2, 3, 0xa9, 0x20, "", "D2 03 00 A9 00 20 87 91"},
    {0xd2, 3, 0xc9, 3, "", "D2 03 00 C9 00 03 C6 56"},
    {0xd2, 3, 0xcc, 2, "", "D2 03 00 CC 00 02 17 97"},
    {0xd2, 3, 0x3e, 9, "", "D2 03 00 3E 00 09 F7 A3"},
    {1, 16, 0x1620, 1, "0000", "01 10 16 20 00 01 02 00 00 D6 F1"},
    {1, 16, 0x161e, 1, "0000", "01 10 16 1E 00 01 02 00 00 D2 2F"},
};

static void test_captured(void)
{
    uint8_t frame[MODBUS_FRAME_MAX], want[64];
    struct modbus_answer answer;
    for (gsize i = 0; i < G_N_ELEMENTS(captured); i++) {
        struct modbus_request r = ask(captured[i].unit, captured[i].function, captured[i].address,
                                      captured[i].count, captured[i].data);
        size_t n = modbus_encode(MODBUS_RTU, 0, &r, frame), w = from_hex(captured[i].frame, want);
        g_assert_cmpmem(frame, n, want, w);
    }
    struct modbus_request daly = ask(0xd2, 3, 0x3e, 9, ""), jk = ask(0, 16, 0x161e, 1, "0000");
    g_assert_true(answers(&daly, "D2 03 12 0000000075300000FFFF0000000000000000 476E", &answer));
    g_assert_cmpuint(answer.n, ==, 18);
    g_assert_cmphex(answer.data[4] << 8 | answer.data[5], ==, 30000);
    g_assert_true(answers(&jk, "00 10 16 1E 00 01 64 56", &answer));
}

static void test_exceptions(void)
{
    struct modbus_request r = ask(0x0a, 1, 0x04a1, 1, "");
    struct modbus_answer answer;
    uint8_t frame[MODBUS_FRAME_MAX], want[8];
    /* The exchange of simplymodbus.ca, "exceptions": coil 04A1H does not exist. */
    size_t n = modbus_encode(MODBUS_RTU, 0, &r, frame), w = from_hex("0A 01 04 A1 00 01 AC 63", want);
    g_assert_cmpmem(frame, n, want, w);
    g_assert_true(answers(&r, "0A 81 02 B0 53", &answer));
    g_assert_cmpuint(answer.exception, ==, 2);
    g_assert_cmpstr(modbus_exception_name(answer.exception), ==, "illegal data address");
    g_assert_null(modbus_exception_name(0));
    g_assert_null(modbus_exception_name(7));
    g_assert_null(modbus_exception_name(200));
}

static void test_not_allowed(void)
{
    uint8_t frame[MODBUS_FRAME_MAX];
    struct modbus_request bad[] = {
        ask(1, 3, 0, 0, ""),      ask(1, 3, 0, 126, ""),  ask(1, 1, 0, 2001, ""),  ask(1, 3, 0xffff, 2, ""),
        ask(1, 2, 0, 1, ""),      ask(1, 0x16, 0, 1, ""), ask(1, 6, 0, 2, "0001"), ask(1, 6, 0, 1, ""),
        ask(1, 16, 0, 2, "0001"), ask(1, 15, 0, 9, "FF"), ask(1, 3, 0, 1, "00"),   ask(1, 16, 0, 124, ""),
    };
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_cmpuint(modbus_encode(MODBUS_RTU, 0, &bad[i], frame), ==, 0);
    struct modbus_request longest = ask(1, 16, 0xff85, 123, "");
    longest.n = 246;
    g_assert_cmpuint(modbus_encode(MODBUS_RTU, 0, &longest, frame), ==, 255);
    g_assert_cmpuint(modbus_encode(MODBUS_TCP, 0, &longest, frame), ==, 259);
}

static void test_rubbish_and_strangers(void)
{
    struct modbus_request r = ask(0xd2, 3, 0x3e, 9, "");
    const char *good = "D2 03 12 0000000075300000FFFF0000000000000000 476E";
    struct modbus_answer answer;
    g_autofree char *noise = g_strconcat("00 D2 03 12 FF D2 ", good, NULL);
    g_assert_true(answers(&r, noise, &answer));
    /* Another unit's answer in front, and nothing else. */
    g_autofree char *other = g_strconcat("0A 81 02 B0 53 ", good, NULL);
    g_assert_true(answers(&r, other, &answer));
    g_assert_false(answers(&r, "0A 81 02 B0 53", &answer));
    /* More rubbish than a frame is long. */
    g_autoptr(GString) flood = g_string_new(NULL);
    for (unsigned i = 0; i < 400; i++)
        g_string_append_printf(flood, "%02X", i * 7 & 0xff);
    g_string_append(flood, good);
    g_assert_true(answers(&r, flood->str, &answer));
}

static void test_echo(void)
{
    struct modbus_request read = ask(0xd2, 3, 0x3e, 9, ""), write = ask(1, 6, 1, 1, "0003");
    struct modbus_decoder d = {0};
    struct modbus_answer answer;
    uint8_t frame[MODBUS_FRAME_MAX];
    modbus_expect(&d, MODBUS_RTU, 0, &read);
    g_assert_true(
        feed(&d, "D2 03 00 3E 00 09 F7 A3 D2 03 12 0000000075300000FFFF0000000000000000 476E", &answer));
    g_assert_true(d.echoed);
    /* A write of one register is answered with itself: only a line known to echo tells them apart. */
    size_t n = modbus_encode(MODBUS_RTU, 0, &write, frame);
    g_autoptr(GString) hex = g_string_new(NULL);
    for (size_t i = 0; i < n; i++)
        g_string_append_printf(hex, "%02X", frame[i]);
    g_assert_true(answers(&write, hex->str, &answer));
    d.line_echoes = true;
    modbus_expect(&d, MODBUS_RTU, 0, &write);
    g_assert_false(feed(&d, hex->str, &answer));
    g_assert_true(d.echoed);
    g_assert_true(feed(&d, hex->str, &answer));
    /* An echo that carries what looks like this unit's refusal. */
    struct modbus_request trap = ask(0x0a, 16, 0, 3, "0A 90 02 BC 03 00");
    uint8_t refusal[5] = {0x0a, 0x90, 0x02};
    uint16_t crc = modbus_crc(refusal, 3);
    trap.data[3] = (uint8_t)crc;
    trap.data[4] = (uint8_t)(crc >> 8);
    n = modbus_encode(MODBUS_RTU, 0, &trap, frame);
    modbus_expect(&d, MODBUS_RTU, 0, &trap);
    for (size_t i = 0; i < n; i++)
        g_assert_cmpint(modbus_decode(&d, frame[i], &answer), ==, MODBUS_MORE);
    g_assert_true(d.echoed);
}

static void test_damage(void)
{
    struct modbus_request r = ask(0xd2, 3, 0x3e, 9, "");
    uint8_t good[64];
    struct modbus_answer answer;
    size_t n = from_hex("D2 03 12 0000000075300000FFFF0000000000000000 476E", good);
    for (size_t bit = 0; bit < n * 8; bit++) {
        struct modbus_decoder d = {0};
        modbus_expect(&d, MODBUS_RTU, 0, &r);
        for (size_t i = 0; i < n; i++)
            g_assert_cmpint(modbus_decode(&d, good[i] ^ (i == bit / 8 ? 1u << bit % 8 : 0), &answer), ==,
                            MODBUS_MORE);
        g_assert_nonnull(d.why);
    }
}

static void test_tcp(void)
{
    struct modbus_request r = ask(0x11, 4, 8, 1, "");
    struct modbus_decoder d = {0};
    struct modbus_answer answer;
    modbus_expect(&d, MODBUS_TCP, 7, &r);
    /* A late answer to transaction 6, another unit's, then ours. */
    g_assert_false(feed(&d, "0006 0000 0005 11 04 02 0BAD", &answer));
    g_assert_cmpstr(d.why, ==, "an answer to another transaction");
    g_assert_false(feed(&d, "0007 0000 0005 12 04 02 0BAD", &answer));
    g_assert_true(feed(&d, "0007 0000 0005 11 04 02 000A", &answer));
    g_assert_cmpuint(answer.data[1], ==, 0x0a);
    modbus_expect(&d, MODBUS_TCP, 8, &r);
    g_assert_true(feed(&d, "0008 0000 0003 11 84 06", &answer));
    g_assert_cmpuint(answer.exception, ==, 6);
    /* Out of step: nothing that follows is believed. */
    modbus_expect(&d, MODBUS_TCP, 9, &r);
    g_assert_false(feed(&d, "0009 0001 0005 0009 0000 0005 11 04 02 000A", &answer));
    g_assert_cmpstr(d.why, ==, "no Modbus header");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/modbus/standard", test_standard);
    g_test_add_func("/modbus/crc", test_crc);
    g_test_add_func("/modbus/captured", test_captured);
    g_test_add_func("/modbus/exceptions", test_exceptions);
    g_test_add_func("/modbus/not-allowed", test_not_allowed);
    g_test_add_func("/modbus/rubbish-and-strangers", test_rubbish_and_strangers);
    g_test_add_func("/modbus/echo", test_echo);
    g_test_add_func("/modbus/damage", test_damage);
    g_test_add_func("/modbus/tcp", test_tcp);
    return g_test_run();
}
