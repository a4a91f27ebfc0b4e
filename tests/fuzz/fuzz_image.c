/* HEX, S-record, ELF and raw images. What is read keeps its promises, and printed as HEX and as S-record it
 * reads the same again. */
#include "tests/fuzz/fuzz.h"

#include "firmware/image.h"

#define LINE 16

static struct image *parse(const void *bytes, gsize n)
{
    g_autoptr(GBytes) file = g_bytes_new(bytes, n);
    g_autoptr(GError) error = NULL;
    struct image *image = image_parse("fuzz", file, true, 0x08000000, &error);
    g_assert_true((image == NULL) == (error != NULL));
    return image;
}

static void check(const struct image *image)
{
    for (unsigned i = 0; i < image->count; i++) {
        g_assert_cmpuint(image->regions[i].size, >, 0);
        g_assert_cmpuint((uint64_t)image->regions[i].address + image->regions[i].size, <=, UINT64_C(1) << 32);
        if (i > 0)
            g_assert_cmpuint(image->regions[i].address, >,
                             (uint64_t)image->regions[i - 1].address + image->regions[i - 1].size);
    }
}

static void hex_record(GString *out, unsigned type, unsigned address, const uint8_t *bytes, unsigned n)
{
    uint8_t sum = (uint8_t)(n + (address >> 8) + address + type);
    g_string_append_printf(out, ":%02X%04X%02X", n, address & 0xffff, type);
    for (unsigned i = 0; i < n; i++) {
        g_string_append_printf(out, "%02X", bytes[i]);
        sum = (uint8_t)(sum + bytes[i]);
    }
    g_string_append_printf(out, "%02X\r\n", (uint8_t)-sum);
}

static GString *print_hex(const struct image *image)
{
    GString *out = g_string_new(NULL);
    for (unsigned r = 0; r < image->count; r++)
        for (uint32_t at = 0; at < image->regions[r].size;) {
            uint32_t address = image->regions[r].address + at;
            uint32_t n = MIN(MIN(LINE, image->regions[r].size - at), 0x10000 - (address & 0xffff));
            const uint8_t high[] = {(uint8_t)(address >> 24), (uint8_t)(address >> 16)};
            hex_record(out, 4, 0, high, 2);
            hex_record(out, 0, address & 0xffff, image->regions[r].bytes + at, n);
            at += n;
        }
    hex_record(out, 1, 0, NULL, 0);
    return out;
}

static void s_record(GString *out, unsigned type, uint32_t address, const uint8_t *bytes, unsigned n)
{
    unsigned count = n + 5;
    uint8_t sum = (uint8_t)(count + (address >> 24) + (address >> 16) + (address >> 8) + address);
    g_string_append_printf(out, "S%u%02X%08X", type, count, address);
    for (unsigned i = 0; i < n; i++) {
        g_string_append_printf(out, "%02X", bytes[i]);
        sum = (uint8_t)(sum + bytes[i]);
    }
    g_string_append_printf(out, "%02X\n", (uint8_t)~sum);
}

static GString *print_srec(const struct image *image)
{
    GString *out = g_string_new(NULL);
    for (unsigned r = 0; r < image->count; r++)
        for (uint32_t at = 0; at < image->regions[r].size; at += LINE)
            s_record(out, 3, image->regions[r].address + at, image->regions[r].bytes + at,
                     MIN(LINE, image->regions[r].size - at));
    s_record(out, 7, 0, NULL, 0);
    return out;
}

static void assert_same(const struct image *image, GString *text)
{
    struct image *again = parse(text->str, text->len);
    g_assert_nonnull(again);
    g_assert_cmpuint(again->count, ==, image->count);
    for (unsigned i = 0; i < image->count; i++) {
        g_assert_cmpuint(again->regions[i].address, ==, image->regions[i].address);
        g_assert_cmpmem(again->regions[i].bytes, again->regions[i].size, image->regions[i].bytes,
                        image->regions[i].size);
    }
    image_free(again);
    g_string_free(text, TRUE);
}

static uint8_t byte_at(const uint8_t *text)
{
    return (uint8_t)(g_ascii_xdigit_value((char)text[0]) << 4 | g_ascii_xdigit_value((char)text[1]));
}

static void put_byte(uint8_t *text, unsigned byte)
{
    static const char digits[] = "0123456789ABCDEF";
    text[0] = (uint8_t)digits[byte >> 4 & 15];
    text[1] = (uint8_t)digits[byte & 15];
}

/* Length and checksum of one record; what is no pairs of digits is left as it is. */
static void repair_record(uint8_t *line, size_t n)
{
    const size_t head = line[0] == ':' ? 1 : 2;
    uint8_t sum = 0;
    if (n > 0 && line[n - 1] == '\r')
        n--;
    if (n < head + 4 || (n - head) % 2 || (line[0] != ':' && line[0] != 'S'))
        return;
    for (size_t i = head; i < n; i++)
        if (!g_ascii_isxdigit((char)line[i]))
            return;
    size_t count = (n - head) / 2;
    put_byte(line + head, (unsigned)(line[0] == ':' ? count - 5 : count - 1));
    for (size_t i = 0; i + 1 < count; i++)
        sum = (uint8_t)(sum + byte_at(line + head + 2 * i));
    put_byte(line + n - 2, line[0] == ':' ? (unsigned)-sum : (unsigned)~sum);
}

void fuzz_repair(uint8_t *bytes, size_t n)
{
    for (size_t at = 0; at < n;) {
        const uint8_t *end = memchr(bytes + at, '\n', n - at);
        size_t length = end ? (size_t)(end - bytes) - at : n - at;
        if (length > 0)
            repair_record(bytes + at, length);
        at += length + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(image_auto) image = parse(data, size);
    if (!image)
        return 0;
    check(image);
    if (image_size(image) > 65536 || image->count == 0)
        return 0;
    assert_same(image, print_hex(image));
    assert_same(image, print_srec(image));
    return 0;
}
