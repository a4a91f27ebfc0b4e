/* ELF and raw binary, from files made here byte by byte. */
#include "firmware/image.h"
#include "station/base/error.h"

#include <string.h>

enum { HEADER = 52, PHDR = 32, SEGMENTS = 3 };

static void put(GByteArray *file, uint32_t offset, uint32_t value, unsigned n)
{
    if (file->len < offset + n) {
        unsigned old = file->len;
        g_byte_array_set_size(file, offset + n);
        memset(file->data + old, 0, file->len - old);
    }
    for (unsigned i = 0; i < n; i++)
        file->data[offset + i] = (uint8_t)(value >> (8 * i));
}

static void put_segment(GByteArray *file, unsigned i, uint32_t type, uint32_t offset, uint32_t address,
                        uint32_t in_file, uint32_t in_memory)
{
    const uint32_t words[8] = {type, offset, 0x20000000, address, in_file, in_memory, 5, 4};
    for (unsigned w = 0; w < 8; w++)
        put(file, HEADER + i * PHDR + 4 * w, words[w], 4);
}

/* Two adjacent loads out of order, and one without file content. */
static GByteArray *elf_new(void)
{
    static const uint8_t ident[8] = {0x7F, 'E', 'L', 'F', 1, 1, 1, 0};
    uint32_t data = HEADER + SEGMENTS * PHDR;
    GByteArray *file = g_byte_array_new();
    g_byte_array_append(file, ident, sizeof ident);
    put(file, 16, 2, 2);
    put(file, 18, 40, 2);
    put(file, 20, 1, 4);
    put(file, 24, 0x08000101, 4);
    put(file, 28, HEADER, 4);
    put(file, 40, HEADER, 2);
    put(file, 42, PHDR, 2);
    put(file, 44, SEGMENTS, 2);
    put_segment(file, 0, 1, data + 4, 0x08000004, 4, 4);
    put_segment(file, 1, 1, data, 0x08000000, 4, 4);
    put_segment(file, 2, 1, data, 0x08000000, 0, 64);
    put(file, data, 0x44332211, 4);
    put(file, data + 4, 0x88776655, 4);
    return file;
}

static struct image *parse(const GByteArray *file, GError **error)
{
    g_autoptr(GBytes) bytes = g_bytes_new(file->data, file->len);
    return image_parse("fw", bytes, false, 0, error);
}

static void test_elf(void)
{
    g_autoptr(GByteArray) file = elf_new();
    g_autoptr(image_auto) image = parse(file, NULL);
    g_assert_nonnull(image);
    g_assert_cmpstr(image->format, ==, "elf");
    g_assert_cmpuint(image->count, ==, 1);
    g_assert_cmphex(image->regions[0].address, ==, 0x08000000);
    g_assert_cmpmem(image->regions[0].bytes, image->regions[0].size, "\x11\x22\x33\x44\x55\x66\x77\x88", 8);
    g_assert_true(image->has_entry);
    g_assert_cmphex(image->entry, ==, 0x08000101);
}

static void test_elf_bad(void)
{
    static const struct {
        uint32_t offset, value;
        unsigned n;
        const char *message;
    } bad[] = {
        {4, 2, 1, "fw: offset 0x4: ELF class is 2; expected 1 (32-bit)"},
        {5, 2, 1, "fw: offset 0x5: ELF data encoding is 2; expected 1 (little-endian)"},
        {6, 0, 1, "fw: offset 0x6: ELF identification version is 0"},
        {16, 1, 2, "fw: offset 0x10: ELF file type is 1; expected 2 (executable)"},
        {18, 62, 2, "fw: offset 0x12: ELF machine is 62; expected 40 (Arm)"},
        {20, 9, 4, "fw: offset 0x14: ELF version is 9"},
        {42, 56, 2, "fw: offset 0x2A: ELF program header size is 56; expected 32"},
        {44, 0, 2, "fw: offset 0x2C: 0 program headers; expected 1 to 256"},
        {44, 0xFFFF, 2, "fw: offset 0x2C: 65535 program headers"},
        {28, 0xFFFFFFF0, 4, "fw: offset 0x1C: 3 program headers at file offset 0xFFFFFFF0"},
        {28, 65, 4, "fw: offset 0x1C: 3 program headers at file offset 0x41"},
        {HEADER + 4, 0xFFFFFFFF, 4, "fw: offset 0x34: segment of 4 bytes at file offset 0xFFFFFFFF"},
        {HEADER + 4, 153, 4, "fw: offset 0x34: segment of 4 bytes at file offset 0x99"},
        {HEADER + 4, 0, 4, "fw: offset 0x34: segment loads the ELF header itself to 0x08000004"},
        {HEADER + 16, 0xFFFFFFFF, 4, "fw: offset 0x34: segment of 4294967295 bytes"},
        {HEADER + 20, 3, 4, "fw: offset 0x34: segment of 4 bytes in the file has 3 in memory"},
        {HEADER + 12, 0xFFFFFFFD, 4, "fw: offset 0x34: 4 bytes at 0xFFFFFFFD end beyond 32 bits"},
        {HEADER + 12, 0x08000003, 4,
         "fw: offset 0x54: data 0x08000000…0x08000003 overlaps 0x08000003…0x08000006 of offset 0x34"},
        {HEADER + 12, 0x09000000, 4, "fw: offset 0x34: data at 0x09000000 is 16777216 bytes above"},
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GByteArray) file = elf_new();
        g_autoptr(GError) error = NULL;
        put(file, bad[i].offset, bad[i].value, bad[i].n);
        g_test_message("%s", bad[i].message);
        g_assert_null(parse(file, &error));
        g_assert_error(error, PACK_ERROR, ERROR_AUTHOR);
        if (!g_str_has_prefix(error->message, bad[i].message))
            g_assert_cmpstr(error->message, ==, bad[i].message);
    }
}

/* Cut anywhere, it is refused: the data stand at the end. */
static void test_elf_cut(void)
{
    g_autoptr(GByteArray) file = elf_new();
    for (unsigned n = file->len - 1; n >= 4; n--) {
        g_autoptr(GError) error = NULL;
        g_byte_array_set_size(file, n);
        g_assert_null(parse(file, &error));
        g_assert_error(error, PACK_ERROR, ERROR_AUTHOR);
        g_assert_true(g_str_has_prefix(error->message, "fw: offset 0x"));
    }
}

static void test_elf_empty(void)
{
    g_autoptr(GByteArray) file = elf_new();
    g_autoptr(GError) error = NULL;
    for (unsigned i = 0; i < SEGMENTS; i++)
        put(file, HEADER + i * PHDR, 4, 4); /* PT_NOTE */
    g_assert_null(parse(file, &error));
    g_assert_nonnull(strstr(error->message, "no data"));
}

static void test_binary(void)
{
    g_autoptr(GBytes) bytes = g_bytes_new("\x00\x10\x00\x20\x89", 5);
    g_autoptr(GError) error = NULL;
    g_assert_null(image_parse("fw", bytes, false, 0, &error));
    g_assert_error(error, PACK_ERROR, ERROR_AUTHOR);
    g_assert_nonnull(strstr(error->message, "raw binary needs its load address"));
    g_clear_error(&error);
    g_autoptr(image_auto) image = image_parse("fw", bytes, true, 0x08000000, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(image->format, ==, "binary");
    g_assert_cmphex(image_first(image), ==, 0x08000000);
    g_assert_cmphex(image_end(image), ==, 0x08000005);
    g_assert_false(image->has_entry);
    g_autoptr(image_auto) top = image_parse("fw", bytes, true, 0xFFFFFFFB, &error);
    g_assert_nonnull(top);
    g_assert_cmphex(image_end(top), ==, UINT64_C(0x100000000));
    g_assert_null(image_parse("fw", bytes, true, 0xFFFFFFFC, &error));
    g_assert_nonnull(strstr(error->message, "end beyond 32 bits"));
}

static void test_binary_foreign(void)
{
    static const struct {
        const char *bytes;
        unsigned n;
        const char *what;
    } files[] = {{"DfuSe\001", 6, "DfuSe"},
                 {"UF2\nWQ]\236", 8, "UF2"},
                 {"PK\003\004", 4, "ZIP"},
                 {"\037\213\010", 3, "gzip"}};
    for (unsigned i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autoptr(GBytes) bytes = g_bytes_new(files[i].bytes, files[i].n);
        g_autoptr(GError) error = NULL;
        g_assert_null(image_parse("fw", bytes, true, 0x08000000, &error));
        g_assert_nonnull(strstr(error->message, files[i].what));
    }
}

static void test_size(void)
{
    g_autoptr(GBytes) none = g_bytes_new(NULL, 0);
    g_autoptr(GError) error = NULL;
    g_assert_null(image_parse("fw", none, true, 0, &error));
    g_assert_error(error, PACK_ERROR, ERROR_AUTHOR);
    g_clear_error(&error);
    g_autoptr(GBytes) huge = g_bytes_new_take(g_malloc0(IMAGE_FILE_MAX + 1), IMAGE_FILE_MAX + 1);
    g_assert_null(image_parse("fw", huge, true, 0, &error));
    g_assert_error(error, PACK_ERROR, ERROR_AUTHOR);
    g_clear_error(&error);
    g_autoptr(GBytes) wide = g_bytes_new_take(g_malloc0(IMAGE_SPAN_MAX + 1), IMAGE_SPAN_MAX + 1);
    g_assert_null(image_parse("fw", wide, true, 0, &error));
    g_assert_error(error, PACK_ERROR, ERROR_AUTHOR);
    g_autoptr(GBytes) full = g_bytes_new_take(g_malloc0(IMAGE_SPAN_MAX), IMAGE_SPAN_MAX);
    g_autoptr(image_auto) image = image_parse("fw", full, true, 0, NULL);
    g_assert_nonnull(image);
}

/* SHA-256 of "abc", FIPS 180-4 example, split over two regions. */
static void test_sha256(void)
{
    struct image_region regions[2] = {{.address = 0, .size = 1, .bytes = (uint8_t[]){'a'}},
                                      {.address = 9, .size = 2, .bytes = (uint8_t[]){'b', 'c'}}};
    const struct image image = {.regions = regions, .count = 2};
    char hex[65];
    image_sha256(&image, hex);
    g_assert_cmpstr(hex, ==, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    g_assert_cmpuint(image_size(&image), ==, 3);
    g_assert_cmpuint(image_end(&image), ==, 11);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/image/elf/good", test_elf);
    g_test_add_func("/image/elf/bad", test_elf_bad);
    g_test_add_func("/image/elf/cut", test_elf_cut);
    g_test_add_func("/image/elf/empty", test_elf_empty);
    g_test_add_func("/image/binary/good", test_binary);
    g_test_add_func("/image/binary/foreign", test_binary_foreign);
    g_test_add_func("/image/size", test_size);
    g_test_add_func("/image/sha256", test_sha256);
    return g_test_run();
}
