/* Published frames decode and encode back to the same bytes; damaged ones never pass. */
#include "proto/yd1363.h"

#include <glib.h>
#include <string.h>

/* From the documents named in docs/families/basen.md and clever.md, and from published captures of the
 * framing's other users (25H: nkinnan/esphome-pace-bms @2ba4bc6, pace_bms_protocol_v25.cpp). */
static const char *const published[] = {
    "~22014A42E00201FD28",
    "~21014642E00201FD34",
    "~22014AB0600A010103FF00FB6C",
    "~22014A510000FDA0",
    "~200046A20000FDA1",
    "~20004645A00600001FFC5D",
    "~250046B2400C1808140E0F25FAFC",
    "~22014A47E00201FD23",
    "~22014A006082000E4209C40073002D2EE00E4209C400102EE01F4005A00000FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF4"
    "44A4D3232303531"
    "383030363120202020202020E02C",
    "~22014A4F0000FD8C",
    "~22014A00E002C8FD14",
    "~22014A00604654315F472020202020204855414E593034202020313653313030412020200100020101EFB6",
    "~210146F1E00201FD23",
    "~250146C20000FD99",
    "~21014644E00201FD32",
    "~52014642E00201FD30",
    ("~52014600408401100D120D150D0F0D0D0D130D160D150D210D130D130D130D130D100D160D170D2306003D003E003E003E003B"
     "0"
     "03B018014EE33B3063A9800025864000000000000E20A"),
    "~250146C10000FD9A",
    "~250046B10000FD9C",
    "~25004600400C180815051D1FFB10",
    "~250046D10000FD9A",
    "~25004600F010010E100E740D340AFA35",
    "~250046D0F010010E100E740D340AFA21",
    "~2500469AE00200FD1E",
};

static enum yd1363_state feed(const char *text, size_t n, struct yd1363_frame *frame)
{
    struct yd1363_decoder decoder;
    enum yd1363_state last = YD1363_MORE;
    yd1363_reset(&decoder);
    for (size_t i = 0; i < n; i++) {
        enum yd1363_state state = yd1363_decode(&decoder, (uint8_t)text[i], frame);
        if (state != YD1363_MORE)
            last = state;
    }
    return last;
}

static void test_published(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(published); i++) {
        struct yd1363_frame frame;
        char out[YD1363_FRAME_MAX];
        g_autofree char *whole = g_strconcat(published[i], "\r", NULL);
        g_assert_cmpint(feed(whole, strlen(whole), &frame), ==, YD1363_FRAME);
        size_t n = yd1363_encode(&frame, out);
        g_assert_cmpmem(out, n, whole, strlen(whole));
    }
}

static void test_fields(void)
{
    struct yd1363_frame frame;
    g_assert_cmpint(feed("~250046B2400C1808140E0F25FAFC\r", 30, &frame), ==, YD1363_FRAME);
    g_assert_cmpuint(frame.version, ==, 0x25);
    g_assert_cmpuint(frame.address, ==, 0);
    g_assert_cmpuint(frame.cid1, ==, 0x46);
    g_assert_cmpuint(frame.cid2, ==, 0xb2);
    g_assert_cmpmem(frame.info, frame.n, "\x18\x08\x14\x0e\x0f\x25", 6);
}

/* Every single-character change of a frame is noticed. */
static void test_damage(void)
{
    static const char good[] = "~22014AB0600A010103FF00FB6C\r";
    static const char changes[] = "0123456789ABCDEFx~\r ";
    struct yd1363_frame original, frame;
    g_assert_cmpint(feed(good, sizeof good - 1, &original), ==, YD1363_FRAME);
    for (gsize i = 0; i < sizeof good - 1; i++)
        for (gsize c = 0; c < sizeof changes - 1; c++) {
            char text[sizeof good];
            memcpy(text, good, sizeof good);
            if (text[i] == changes[c])
                continue;
            text[i] = changes[c];
            g_assert_cmpint(feed(text, sizeof good - 1, &frame), !=, YD1363_FRAME);
        }
}

static void test_resync(void)
{
    static const char text[] = "\xff\r7E22~22014~22014A510000FDA1\r\r~22014A510000FDA0\r";
    struct yd1363_frame frame = {0};
    g_assert_cmpint(feed(text, sizeof text - 1, &frame), ==, YD1363_FRAME);
    g_assert_cmpuint(frame.cid2, ==, 0x51);
}

static void test_length_limit(void)
{
    g_autofree struct yd1363_frame *frame = g_new0(struct yd1363_frame, 1);
    g_autofree struct yd1363_frame *back = g_new0(struct yd1363_frame, 1);
    g_autofree char *out = g_malloc(YD1363_FRAME_MAX);
    frame->version = 0x22;
    frame->n = YD1363_INFO_MAX;
    memset(frame->info, 0x5a, sizeof frame->info);
    size_t n = yd1363_encode(frame, out);
    g_assert_cmpuint(n, ==, YD1363_FRAME_MAX);
    g_assert_cmpint(feed(out, n, back), ==, YD1363_FRAME);
    g_assert_cmpmem(frame->info, frame->n, back->info, back->n);
}

static void test_rubbish(void)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(1363);
    struct yd1363_decoder decoder;
    g_autofree struct yd1363_frame *frame = g_new0(struct yd1363_frame, 1);
    yd1363_reset(&decoder);
    for (int i = 0; i < 300000; i++) {
        static const char likely[] = "~0123456789ABCDEF\r";
        uint8_t byte = g_rand_int_range(random, 0, 20) ? (uint8_t)likely[g_rand_int_range(random, 0, 18)]
                                                       : (uint8_t)g_rand_int(random);
        yd1363_decode(&decoder, byte, frame);
        g_assert_cmpuint(decoder.n, <=, YD1363_FRAME_MAX);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/yd1363/published", test_published);
    g_test_add_func("/yd1363/fields", test_fields);
    g_test_add_func("/yd1363/damage", test_damage);
    g_test_add_func("/yd1363/resync", test_resync);
    g_test_add_func("/yd1363/length-limit", test_length_limit);
    g_test_add_func("/yd1363/rubbish", test_rubbish);
    return g_test_run();
}
