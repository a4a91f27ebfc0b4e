/* Published frames decode and encode back to the same bytes; damaged ones never pass. */
#include "proto/dd_frame.h"

#include <glib.h>
#include <string.h>

/* Requests and replies as printed by the vendor and captured by others; docs/families/jbd.md names each. */
static const struct {
    const char *source, *hex;
} published[] = {
    {"vendor, communication protocol V4, request 03H", "DD A5 03 00 FF FD 77"},
    {"vendor, communication protocol V4, reply 03H",
     "DD 03 00 1B 17 00 00 00 02 D0 03 E8 00 00 20 78 00 00 00 00 00 00 10 48 03 0F 02 0B 76 0B 82 FB FF 77"},
    {"esphome-jbd-bms, docs/pdus/JBD-SP04S034-L4S-200A-B-U.txt",
     "DD 03 00 1D 06 18 00 00 01 F2 01 F4 00 00 2C 7C 00 00 00 00 00 00 80 64 03 04 03 0B 8B 0B 8A 0B 84 FA "
     "8D "
     "77"},
    {"esphome-jbd-bms, docs/pdus/JBD-SP04S034-L4S-200A-B-U.txt", "DD A5 04 00 FF FC 77"},
    {"esphome-jbd-bms, docs/pdus/JBD-SP04S034-L4S-200A-B-U.txt",
     "DD 04 00 08 0F 45 0F 3D 0F 37 0F 3D FE C6 77"},
    {"esphome-jbd-bms, docs/pdus/JBD-SP04S034-L4S-200A-B-U.txt", "DD A5 05 00 FF FB 77"},
    {"esphome-jbd-bms, docs/pdus/JBD-SP04S034-L4S-200A-B-U.txt",
     "DD 05 00 19 4A 42 44 2D 53 50 30 34 53 30 33 34 2D 4C 34 53 2D 32 30 30 41 2D 42 2D 55 FA 08 77"},
    {"esphome-jbd-bms, docs/pdus/JBD-SP25S003-L16S-100A-100A-B.txt",
     "DD 03 00 17 00 00 00 00 00 00 27 10 00 00 2C 50 00 00 00 00 00 00 20 00 01 10 00 FF 05 77"},
    {"esphome-jbd-bms, docs/pdus/JBD-SP25S003-L16S-100A-100A-B.txt",
     "DD 04 00 20 0E 10 0E 10 0E 10 0E 10 0E 10 0E 10 0E 10 0E 10 0E 10 0E 10 0E 10 0E 10 0E 10 0E 10 0E 10 "
     "00 "
     "00 FE 1E 77"},
    {"esphome-jbd-bms, docs/pdus/JBD-DP04S007L4S100A-BLE.txt",
     "DD 03 00 22 05 5F 00 00 4A DF 4E 20 00 02 2D 14 00 00 00 00 00 00 23 60 03 04 01 0B B1 00 00 00 4E 20 "
     "4A "
     "DF 00 00 FA C2 77"},
    {"esphome-jbd-bms, docs/pdus/JBD-SP04S034-L4S-200A-B-U_MOS.txt", "DD 5A E1 02 00 01 FF 1C 77"},
    {"esphome-jbd-bms, docs/pdus/JBD-SP04S034-L4S-200A-B-U_MOS.txt", "DD E1 00 00 00 00 77"},
    {"esphome-jbd-bms, docs/pdus/JBD-SP04S034-L4S-200A-B-U_MOS.txt", "DD 5A 01 02 00 00 FF FD 77"},
    {"esphome-jbd-bms, docs/pdus/JBD-SP04S034-L4S-200A-B-U_MOS.txt", "DD 5A E1 02 00 02 FF 1B 77"},
    {"esphome-jbd-bms, write_command_test.cpp, logic analyser", "DD 5A E1 02 00 00 FF 1D 77"},
    {"esphome-jbd-bms, write_command_test.cpp, logic analyser", "DD 5A E1 02 00 03 FF 1A 77"},
    {"esphome-jbd-bms, write_command_test.cpp, error counts", "DD A5 AA 00 FF 56 77"},
    {"simat/BatteryMonitor wiki: a board that repeats A5H where the register stands",
     "DD A5 00 18 10 39 10 3A 10 38 10 3A 10 3C 10 39 10 37 10 39 10 3B 10 3F 10 36 10 3A FC 74 77"},
    {"simat/BatteryMonitor issue 12: the same",
     "DD A5 00 1B 13 78 00 00 00 00 03 E8 00 00 22 C7 00 00 00 00 00 00 19 00 03 0C 02 0B 64 0B 5F FC 83 77"},
    {"vendor, universal protocol V13, hardware version",
     "DD 05 00 0A 30 31 32 33 34 35 36 37 38 39 FD E9 77"},
    {"vendor, universal protocol V13, protection counts",
     "DD AA 00 18 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 FF E8 77"},
    {"rakhmaevao/JbdBms issue 4, a second reading", "DD 04 00 08 0D 0C 0D 0A 0D 09 0D 0C FF 99 77"},
    {"OverkillSolarBMS, Capacity_parameter_registers.md: refused", "DD 42 80 00 FF 80 77"},
    {"OverkillSolarBMS, Capacity_parameter_registers.md: accepted", "DD 42 00 00 00 00 77"},
};

static size_t bytes_of(const char *hex, uint8_t *out)
{
    size_t n = 0;
    for (const char *p = hex; *p;) {
        if (*p == ' ') {
            p++;
            continue;
        }
        out[n++] = (uint8_t)(g_ascii_xdigit_value(p[0]) << 4 | g_ascii_xdigit_value(p[1]));
        p += 2;
    }
    return n;
}

/* The frames in it, the last of them in *frame; *damaged counts the others. */
static unsigned feed(const uint8_t *bytes, size_t n, struct dd_frame *frame, unsigned *damaged)
{
    struct dd_decoder decoder;
    struct dd_frame next;
    enum dd_state state;
    unsigned frames = 0;
    *damaged = 0;
    dd_reset(&decoder);
    for (size_t i = 0; i < n; i++) {
        dd_put(&decoder, bytes[i]);
        while ((state = dd_take(&decoder, &next)) != DD_MORE) {
            frames += state == DD_FRAME;
            *damaged += state == DD_BAD;
            if (state == DD_FRAME)
                *frame = next;
        }
    }
    return frames;
}

static void test_published(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(published); i++) {
        struct dd_frame frame;
        uint8_t bytes[DD_FRAME_MAX], out[DD_FRAME_MAX];
        unsigned damaged;
        size_t n = bytes_of(published[i].hex, bytes);
        if (feed(bytes, n, &frame, &damaged) != 1 || damaged)
            g_error("%s: %s", published[i].source, published[i].hex);
        size_t written = dd_encode(&frame, out);
        g_assert_cmpmem(out, written, bytes, n);
    }
}

/* Every byte of every published frame, changed in every single bit. */
static void test_damage(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(published); i++) {
        uint8_t bytes[DD_FRAME_MAX], right[DD_FRAME_MAX];
        size_t n = bytes_of(published[i].hex, right);
        for (size_t at = 0; at < n; at++)
            for (unsigned bit = 0; bit < 8; bit++) {
                struct dd_frame frame;
                unsigned damaged;
                memcpy(bytes, right, n);
                bytes[at] ^= (uint8_t)(1u << bit);
                unsigned frames = feed(bytes, n, &frame, &damaged);
                /* The checksum leaves out the byte behind DD. */
                g_assert_cmpuint(frames, ==, at == 1 ? 1 : 0);
            }
    }
}

static void test_resync(void)
{
    /* Noise that begins like a frame, a frame cut short, then a whole one that holds DD and 77 as data. */
    static const char text[] = "77 00 DD DD 03 00 02 DD 04 00 04 DD 77 77 DD FD 54 77";
    struct dd_frame frame;
    uint8_t bytes[DD_FRAME_MAX];
    unsigned damaged;
    size_t n = bytes_of(text, bytes);
    g_assert_cmpuint(feed(bytes, n, &frame, &damaged), ==, 1);
    g_assert_cmpuint(damaged, >, 0);
    g_assert_cmpuint(frame.first, ==, 4);
    g_assert_cmpuint(frame.n, ==, 4);
}

/* A LEN that asks for more than ever comes hides a frame until no more bytes come. */
static void test_give_up(void)
{
    struct dd_decoder decoder;
    struct dd_frame frame;
    uint8_t bytes[DD_FRAME_MAX];
    size_t n = bytes_of("DD 00 00 FF DD 42 80 00 FF 80 77 DD 42", bytes);
    dd_reset(&decoder);
    for (size_t i = 0; i < n; i++) {
        dd_put(&decoder, bytes[i]);
        g_assert_cmpint(dd_take(&decoder, &frame), ==, DD_MORE);
    }
    g_assert_cmpint(dd_give_up(&decoder), ==, DD_BAD);
    g_assert_cmpmem(decoder.bad, decoder.bad_n, bytes, n);
    g_assert_cmpint(dd_take(&decoder, &frame), ==, DD_FRAME);
    g_assert_cmpuint(frame.second, ==, DD_ERROR);
    g_assert_cmpint(dd_take(&decoder, &frame), ==, DD_MORE);
    g_assert_cmpint(dd_give_up(&decoder), ==, DD_BAD);
    g_assert_cmpstr(decoder.why, ==, "cut short");
    g_assert_cmpint(dd_give_up(&decoder), ==, DD_MORE);
}

static void test_longest(void)
{
    struct dd_frame frame = {.first = 0xdd, .second = 0xdd, .n = DD_DATA_MAX}, again;
    uint8_t out[DD_FRAME_MAX];
    unsigned damaged;
    memset(frame.data, 0xdd, sizeof frame.data);
    g_assert_cmpuint(dd_encode(&frame, out), ==, DD_FRAME_MAX);
    g_assert_cmpuint(feed(out, sizeof out, &again, &damaged), ==, 1);
    g_assert_cmpmem(again.data, again.n, frame.data, frame.n);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/dd_frame/published", test_published);
    g_test_add_func("/dd_frame/damage", test_damage);
    g_test_add_func("/dd_frame/resync", test_resync);
    g_test_add_func("/dd_frame/give_up", test_give_up);
    g_test_add_func("/dd_frame/longest", test_longest);
    return g_test_run();
}
