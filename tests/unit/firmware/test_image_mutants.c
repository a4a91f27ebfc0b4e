/* Damaged files at random, always the same ones: every one is either refused with a place, or gives an image
 * that keeps all promises of the header. The sanitizers watch. */
#include "firmware/image.h"
#include "station/base/error.h"

#include <string.h>

#define SEED        20261120
#define CASES       20000
#define CHANGES_MAX 4

static const char hex_seed[] = ":020000040800F2\r\n:10010000214601360121470136007EFE09D2190140\r\n"
                               ":100110002146017E17C20001FF5F16002148011928\r\n:020000021000EC\r\n"
                               ":01FFFF00AA57\r\n:0400000312340010A3\r\n:00000001FF\r\n";
static const char srec_seed[] =
    "S00F000068656C6C6F202020202000003C\n"
    "S11F00007C0802A6900100049421FFF07C6C1B787C8C23783C6000003863000026\n"
    "S11F001C4BFFFFE5398000007D83637880010014382100107C0803A64E800020E9\n"
    "S111003848656C6C6F20776F726C642E0A0042\nS206010000AABB93\nS5030003F9\nS9030000FC\n";
/* Header, two loads at 0x08000000 and 0x08000010, eight bytes of data. */
static const uint8_t elf_seed[] = {
    0x7F, 'E', 'L', 'F', 1,   1, 1, 0,  0, 0, 0, 0,    0,    0,    0,    0,    2,    0,    40,  0,  1,
    0,    0,   0,   1,   1,   0, 8, 52, 0, 0, 0, 0,    0,    0,    0,    0,    0,    0,    5,   52, 0,
    32,   0,   2,   0,   0,   0, 0, 0,  0, 0, 1, 0,    0,    0,    116,  0,    0,    0,    0,   0,  0,
    8,    0,   0,   0,   8,   4, 0, 0,  0, 4, 0, 0,    0,    5,    0,    0,    0,    4,    0,   0,  0,
    1,    0,   0,   0,   120, 0, 0, 0,  0, 0, 0, 32,   0x10, 0,    0,    8,    4,    0,    0,   0,  4,
    0,    0,   0,   6,   0,   0, 0, 4,  0, 0, 0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88};

static const char alphabet[] = "0123456789ABCDEFabcdef:S\r\n \xFF";

static void change(GRand *rand, GByteArray *file)
{
    uint32_t at = file->len ? (uint32_t)g_rand_int_range(rand, 0, (gint32)file->len) : 0;
    uint8_t byte = g_rand_boolean(rand) ? (uint8_t)g_rand_int(rand)
                                        : (uint8_t)alphabet[g_rand_int_range(rand, 0, sizeof alphabet - 1)];
    uint32_t n = file->len ? (uint32_t)g_rand_int_range(rand, 1, (gint32)MIN(file->len - at, 40) + 1) : 0;
    switch (g_rand_int_range(rand, 0, 5)) {
    case 0:
        if (file->len)
            file->data[at] ^= (uint8_t)(1U << g_rand_int_range(rand, 0, 8));
        break;
    case 1:
        if (file->len)
            file->data[at] = byte;
        break;
    case 2:
        if (file->len)
            g_byte_array_remove_range(file, at, n);
        break;
    case 3: {
        g_autofree uint8_t *copy = g_memdup2(file->data + at, n);
        g_byte_array_append(file, copy, n);
        break;
    }
    default:
        g_byte_array_append(file, &byte, 1);
    }
}

/* Corrects the first byte sums of a mutated HEX file, so that damage gets past the checksum. */
static void seal_hex(GByteArray *file)
{
    unsigned sum = 0, digits = 0, start = 0;
    for (unsigned i = 0; i < file->len; i++) {
        int digit = g_ascii_xdigit_value((char)file->data[i]);
        if (file->data[i] == ':') {
            sum = digits = 0;
            start = i;
        } else if (digit >= 0) {
            sum += (unsigned)digit << (digits++ % 2 ? 0 : 4);
        } else if (digits >= 10 && i == start + 1 + digits) {
            unsigned last = (unsigned)(g_ascii_xdigit_value((char)file->data[i - 2]) << 4 |
                                       g_ascii_xdigit_value((char)file->data[i - 1]));
            uint8_t fixed = (uint8_t)(last - sum);
            file->data[i - 2] = (uint8_t) "0123456789ABCDEF"[fixed >> 4];
            file->data[i - 1] = (uint8_t) "0123456789ABCDEF"[fixed & 15];
            digits = 0;
        }
    }
}

static void check_image(const struct image *image)
{
    uint64_t end = 0, total = 0;
    g_assert_cmpuint(image->count, >=, 1);
    g_assert_cmpuint(image->count, <=, IMAGE_REGIONS_MAX);
    for (unsigned i = 0; i < image->count; i++) {
        const struct image_region *region = &image->regions[i];
        g_assert_cmpuint(region->size, >, 0);
        g_assert_true(i == 0 || region->address > end);
        end = (uint64_t)region->address + region->size;
        total += region->size;
    }
    g_assert_cmpuint(end, <=, UINT64_C(0x100000000));
    g_assert_cmpuint(end - image_first(image), <=, IMAGE_SPAN_MAX);
    g_assert_cmpuint(end, ==, image_end(image));
    g_assert_cmpuint(total, ==, image_size(image));
    char hex[65];
    image_sha256(image, hex);
    g_assert_cmpuint(strlen(hex), ==, 64);
}

static void test_mutants(void)
{
    static const struct {
        const void *bytes;
        unsigned n;
    } seeds[] = {
        {hex_seed, sizeof hex_seed - 1}, {srec_seed, sizeof srec_seed - 1}, {elf_seed, sizeof elf_seed}};
    unsigned good = 0, refused = 0;
    GRand *rand = g_rand_new_with_seed(SEED);
    for (unsigned i = 0; i < CASES; i++) {
        unsigned seed = i % G_N_ELEMENTS(seeds);
        g_autoptr(GByteArray) file = g_byte_array_new();
        g_autoptr(GError) error = NULL;
        g_byte_array_append(file, seeds[seed].bytes, seeds[seed].n);
        for (int changes = g_rand_int_range(rand, 0, CHANGES_MAX + 1); changes > 0; changes--)
            change(rand, file);
        if (seed == 0 && g_rand_boolean(rand))
            seal_hex(file);
        /* Exactly as long as the file, so that a read beyond it is seen. */
        g_autoptr(GBytes) bytes = g_bytes_new(file->data, file->len);
        g_autoptr(image_auto) image =
            image_parse("fw", bytes, g_rand_boolean(rand), g_rand_int(rand), &error);
        g_assert_true((image == NULL) == (error != NULL));
        if (image) {
            good++;
            check_image(image);
        } else {
            refused++;
            g_assert_error(error, PACK_ERROR, ERROR_AUTHOR);
            g_assert_true(g_str_has_prefix(error->message, "fw:"));
        }
    }
    g_rand_free(rand);
    g_test_message("%u good, %u refused", good, refused);
    g_assert_cmpuint(good, >, CASES / 10);
    g_assert_cmpuint(refused, >, CASES / 10);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/image/mutants", test_mutants);
    return g_test_run();
}
