/* Intel HEX and S-records: published examples, and one bad file for every rule with the line it must name. */
#include "firmware/image.h"
#include "station/base/error.h"

#include <string.h>

static struct image *parse(const char *text, GError **error)
{
    g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));
    return image_parse("fw", bytes, false, 0, error);
}

static void check_region(const struct image *image, unsigned i, uint32_t address, const char *bytes,
                         uint32_t n)
{
    g_assert_cmpuint(i, <, image->count);
    g_assert_cmphex(image->regions[i].address, ==, address);
    g_assert_cmpmem(image->regions[i].bytes, image->regions[i].size, bytes, n);
}

/* Each text must be refused with exactly this beginning. */
struct bad {
    const char *text, *message;
};

static void check_bad(const struct bad *bad, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(image_auto) image = parse(bad[i].text, &error);
        g_test_message("%s", bad[i].message);
        g_assert_null(image);
        g_assert_error(error, PACK_ERROR, ERROR_AUTHOR);
        if (!g_str_has_prefix(error->message, bad[i].message))
            g_assert_cmpstr(error->message, ==, bad[i].message);
    }
}

/* The example of the Intel HEX article of Wikipedia. */
static const char hex_published[] = ":10010000214601360121470136007EFE09D2190140\n"
                                    ":100110002146017E17C20001FF5F16002148011928\n"
                                    ":10012000194E79234623965778239EDA3F01B2CAA7\n"
                                    ":100130003F0156702B5E712B722B732146013421C7\n"
                                    ":00000001FF\n";

static void test_hex_published(void)
{
    g_autoptr(image_auto) image = parse(hex_published, NULL);
    g_assert_nonnull(image);
    g_assert_cmpstr(image->format, ==, "ihex");
    g_assert_cmpuint(image->count, ==, 1);
    g_assert_cmphex(image_first(image), ==, 0x100);
    g_assert_cmphex(image_end(image), ==, 0x140);
    g_assert_cmpuint(image_size(image), ==, 64);
    g_assert_false(image->has_entry);
    g_assert_cmpmem(image->regions[0].bytes + 60, 4, "\x46\x01\x34\x21", 4);
}

static void test_hex_forms(void)
{
    g_autofree char *upper = g_strdup(hex_published);
    g_autofree char *lower = g_ascii_strdown(upper, -1);
    g_auto(GStrv) lines = g_strsplit(upper, "\n", -1);
    g_autofree char *crlf = g_strjoinv("\r\n\r\n", lines);
    g_autofree char *open = g_strndup(upper, strlen(upper) - 1);
    const char *forms[] = {lower, crlf, open};
    char expected[65], found[65];
    g_autoptr(image_auto) first = parse(hex_published, NULL);
    image_sha256(first, expected);
    for (unsigned i = 0; i < G_N_ELEMENTS(forms); i++) {
        g_autoptr(image_auto) image = parse(forms[i], NULL);
        g_assert_nonnull(image);
        image_sha256(image, found);
        g_assert_cmpstr(found, ==, expected);
    }
}

static void test_hex_linear(void)
{
    /* Out of order, adjacent (merged) and with a gap (kept). */
    g_autoptr(image_auto) image = parse(":020000040800F2\n"
                                        ":010010007778\n"
                                        ":0200040055663F\n"
                                        ":040000001122334452\n"
                                        ":00002000E0\n"
                                        ":040000050800018965\n"
                                        ":00000001FF\n",
                                        NULL);
    g_assert_nonnull(image);
    g_assert_cmpuint(image->count, ==, 2);
    check_region(image, 0, 0x08000000, "\x11\x22\x33\x44\x55\x66", 6);
    check_region(image, 1, 0x08000010, "\x77", 1);
    g_assert_true(image->has_entry);
    g_assert_cmphex(image->entry, ==, 0x08000189);
}

static void test_hex_segment(void)
{
    g_autoptr(image_auto) image = parse(":020000021000EC\n"
                                        ":01FFFF00AA57\n"
                                        ":0400000312340010A3\n"
                                        ":00000001FF\n",
                                        NULL);
    g_assert_nonnull(image);
    check_region(image, 0, 0x1FFFF, "\xAA", 1);
    g_assert_true(image->has_entry);
    g_assert_cmphex(image->entry, ==, 0x12350);
}

/* A data record under a linear base may cross 64 KiB: the next page follows. */
static void test_hex_crossing(void)
{
    g_autoptr(image_auto) image = parse(":02FFFF00AABB9B\n:00000001FF\n", NULL);
    g_assert_nonnull(image);
    check_region(image, 0, 0xFFFF, "\xAA\xBB", 2);
}

static void test_hex_bad(void)
{
    static const struct bad bad[] = {
        {":040000001122334453\n:00000001FF\n", "fw:1: bad checksum: expected 52, found 53"},
        {":040000001122334452\n", "fw:1: no end record; expected :00000001FF"},
        {":040000001122334452\n\n\n", "fw:3: no end record"},
        {":00000001FF\n", "fw:1: no data"},
        {":040000001122334452\n:00000001FF\nhello\n",
         "fw:3: expected nothing after the end record of line 2, found \"hello\""},
        {":040000001122334452\n:00000001FF\n:00000001FF\n", "fw:3: expected nothing after the end record"},
        {":040000001122334452\n:00000001FF\n\n\n\x1a", "fw:5: expected nothing after the end record"},
        {":0400000011223352\n", "fw:1: wrong record length: it states 4 data bytes, found 3"},
        {":04000000112233445552\n", "fw:1: wrong record length: it states 4 data bytes, found 5"},
        {":04000000112233445\n", "fw:1: odd number of digits (17)"},
        {":0400000011G2334452\n", "fw:1: column 12: expected a hexadecimal digit, found 'G'"},
        {":040000001122334452 \n", "fw:1: column 20: expected a hexadecimal digit, found byte 0x20"},
        {":040000001122334452\r\r\n", "fw:1: column 20: expected a hexadecimal digit, found byte 0x0D"},
        {":0000\n", "fw:1: record of 2 bytes; expected at least 5"},
        {":00000006FA\n", "fw:1: unknown record type 06; expected 00 to 05"},
        {":040000001122334452\nrubbish\n", "fw:2: expected ':' at the start of a record, found \"rubbish\""},
        {":040000001122334452\n0200040055663F\n", "fw:2: expected ':' at the start of a record"},
        {":0100000408F3\n", "fw:1: wrong record length: type 04 has 2 data bytes, found 1"},
        {":0100000208F5\n", "fw:1: wrong record length: type 02 has 2 data bytes, found 1"},
        {":0100000312EA\n", "fw:1: wrong record length: type 03 has 4 data bytes, found 1"},
        {":0100000512E8\n", "fw:1: wrong record length: type 05 has 4 data bytes, found 1"},
        {":040000001122334452\n:0100000100FE\n", "fw:2: wrong record length: type 01 has 0 data bytes"},
        {":040000001122334452\n:00123401B9\n", "fw:2: type 01 has address 0000, found 1234"},
        {":020001040800F1\n", "fw:1: type 04 has address 0000, found 0001"},
        {":040000001122334452\n:010003009963\n:00000001FF\n",
         "fw:2: data 0x00000003…0x00000003 overlaps 0x00000000…0x00000003 of line 1"},
        {":010003009963\n:040000001122334452\n:00000001FF\n",
         "fw:2: data 0x00000000…0x00000003 overlaps 0x00000003…0x00000003 of line 1"},
        {":040000001122334452\n:040000001122334452\n:00000001FF\n", "fw:2: data 0x00000000"},
        {":02000004FFFFFC\n:02FFFF00AABB9B\n:00000001FF\n", "fw:2: 2 bytes at 0xFFFFFFFF end beyond 32 bits"},
        {":020000021000EC\n:02FFFF00AABB9B\n:00000001FF\n", "fw:2: 2 bytes at offset FFFF run over the end"},
        {":040000050800018965\n:040000050800018965\n",
         "fw:2: second start address; expected one only, line 1"},
        {":040000050800018965\n:0400000312340010A3\n", "fw:2: second start address"},
        {":020000040800F2\n:0100000000FF\n:020000040840B2\n:0100000000FF\n:00000001FF\n",
         "fw:4: data at 0x08400000 is 4194304 bytes above the lowest data at 0x08000000; expected a span"},
        {"\n:040000001122334452\n:00000001FF\n", "fw: offset 0x0: 1 bytes before the first record"},
        {"\xEF\xBB\xBF:040000001122334452\n:00000001FF\n", "fw: offset 0x0: 3 bytes before the first record"},
        {"  :040000001122334452\n", "fw: offset 0x0: 2 bytes before the first record"},
    };
    check_bad(bad, G_N_ELEMENTS(bad));
}

static char *hex_byte(uint16_t address)
{
    uint8_t sum = (uint8_t) - (1 + (address >> 8) + address + 0x5A);
    return g_strdup_printf(":01%04X005A%02X\n", address, sum);
}

static void test_hex_regions(void)
{
    for (unsigned n = IMAGE_REGIONS_MAX; n <= IMAGE_REGIONS_MAX + 1; n++) {
        g_autoptr(GString) text = g_string_new(NULL);
        g_autoptr(GError) error = NULL;
        for (unsigned i = 0; i < n; i++) {
            g_autofree char *line = hex_byte((uint16_t)(2 * i));
            g_string_append(text, line);
        }
        g_string_append(text, ":00000001FF\n");
        g_autoptr(image_auto) image = parse(text->str, &error);
        g_assert_true((image != NULL) == (n <= IMAGE_REGIONS_MAX));
        if (image)
            g_assert_cmpuint(image->count, ==, n);
        else
            g_assert_true(g_str_has_prefix(error->message, "fw:257: more than 256 separate regions"));
    }
}

static void test_long_line(void)
{
    g_autofree char *digits = g_strnfill(5000, '0');
    g_autofree char *text = g_strconcat(":", digits, "\n", NULL);
    g_autoptr(GError) error = NULL;
    g_assert_null(parse(text, &error));
    g_assert_true(g_str_has_prefix(error->message, "fw:1: line of 5001 characters"));
}

/* The example of the SREC article of Wikipedia. */
static const char srec_published[] = "S00F000068656C6C6F202020202000003C\r\n"
                                     "S11F00007C0802A6900100049421FFF07C6C1B787C8C23783C6000003863000026\r\n"
                                     "S11F001C4BFFFFE5398000007D83637880010014382100107C0803A64E800020E9\r\n"
                                     "S111003848656C6C6F20776F726C642E0A0042\r\n"
                                     "S5030003F9\r\n"
                                     "S9030000FC\r\n";

static void test_srec_published(void)
{
    g_autoptr(image_auto) image = parse(srec_published, NULL);
    g_assert_nonnull(image);
    g_assert_cmpstr(image->format, ==, "srec");
    g_assert_cmpuint(image->count, ==, 1);
    g_assert_cmpuint(image->regions[0].size, ==, 70);
    g_assert_cmpmem(image->regions[0].bytes + 56, 14, "Hello world.\n", 14);
    g_assert_false(image->has_entry);
}

static void test_srec_forms(void)
{
    g_autoptr(image_auto) image = parse("S0050000484 46E\n", NULL);
    g_assert_null(image);
    image = parse("S30708000004556631\nS309080000001122334444\nS206010000aabb93\nS7050800018968\n", NULL);
    g_assert_null(image); /* the span of 0x10000…0x08000005 is over the limit */
    image = parse("S30708000004556631\ns309080000001122334444\nS7050800018968\n", NULL);
    g_assert_null(image); /* the letter itself is a capital */
    image =
        parse("S30708000004556631\nS309080000001122334444\nS5030002FA\nS604000002F9\nS7050800018968\n", NULL);
    g_assert_nonnull(image);
    check_region(image, 0, 0x08000000, "\x11\x22\x33\x44\x55\x66", 6);
    g_assert_true(image->has_entry);
    g_assert_cmphex(image->entry, ==, 0x08000189);
    g_autoptr(image_auto) lower = parse("S206010000aabb93\nS804000010eb\n", NULL);
    g_assert_nonnull(lower);
    check_region(lower, 0, 0x010000, "\xAA\xBB", 2);
    g_assert_cmphex(lower->entry, ==, 0x10);
}

static void test_srec_bad(void)
{
    static const struct bad bad[] = {
        {"S309080000001122334445\nS7050800018968\n", "fw:1: bad checksum: expected 44, found 45"},
        {"S309080000001122334444\n", "fw:1: no end record; expected S7, S8 or S9"},
        {"S9030000FC\n", "fw:1: no data"},
        {"S309080000001122334444\nS70500000000FA\nS70500000000FA\n",
         "fw:3: expected nothing after the end record of line 2"},
        {"S309080000001122334444\nS70500000000FA\nx\n", "fw:3: expected nothing after the end record"},
        {"S3090800000011223344\n", "fw:1: wrong record length: it states 9 bytes after the count, found 8"},
        {"S30908000000112233445544\n",
         "fw:1: wrong record length: it states 9 bytes after the count, found 10"},
        {"S30908000000112233444\n", "fw:1: odd number of digits (19)"},
        {"S3090800000011223X4444\n", "fw:1: column 18: expected a hexadecimal digit, found 'X'"},
        {"S4030000FC\n", "fw:1: unknown record type S4; expected S0 to S3 or S5 to S9"},
        {"S309080000001122334444\nSA030000FC\n",
         "fw:2: expected S0 to S9 at the start of a record, found \"SA"},
        {"S309080000001122334444\n:00000001FF\n", "fw:2: expected S0 to S9 at the start of a record"},
        {"S309080000001122334444\ns7050800018968\n", "fw:2: expected S0 to S9 at the start of a record"},
        {"S309080000001122334444\nS\n", "fw:2: expected S0 to S9 at the start of a record"},
        {"S30308FF\n", "fw:1: wrong record length: S3 has at least 6 bytes, found 3"},
        {"S309080000001122334444\nS904000011EA\n",
         "fw:2: wrong record length: S9 has no data, found 1 bytes"},
        {"S309080000001122334444\nS504000111E9\n",
         "fw:2: wrong record length: S5 has no data, found 1 bytes"},
        {"S309080000001122334444\nS5030002FA\n", "fw:2: count record states 2 data records, found 1"},
        {"S309080000001122334444\nS604000002F9\n", "fw:2: count record states 2 data records, found 1"},
        {"S309080000001122334444\nS306080000029956\nS70500000000FA\n",
         "fw:2: data 0x08000002…0x08000002 overlaps 0x08000000…0x08000003 of line 1"},
        {"S307FFFFFFFFAABB97\n", "fw:1: 2 bytes at 0xFFFFFFFF end beyond 32 bits"},
        {"\r\nS309080000001122334444\nS70500000000FA\n", "fw: offset 0x0: "},
    };
    check_bad(bad, G_N_ELEMENTS(bad));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/image/hex/published", test_hex_published);
    g_test_add_func("/image/hex/forms", test_hex_forms);
    g_test_add_func("/image/hex/linear", test_hex_linear);
    g_test_add_func("/image/hex/segment", test_hex_segment);
    g_test_add_func("/image/hex/crossing", test_hex_crossing);
    g_test_add_func("/image/hex/bad", test_hex_bad);
    g_test_add_func("/image/hex/regions", test_hex_regions);
    g_test_add_func("/image/text/long-line", test_long_line);
    g_test_add_func("/image/srec/published", test_srec_published);
    g_test_add_func("/image/srec/forms", test_srec_forms);
    g_test_add_func("/image/srec/bad", test_srec_bad);
    return g_test_run();
}
