/* The virtual board by hand-written bytes from docs/families/basen.md: it has its own opinion of the wire. */
#include "proto/virtual/vboard.h"

#include <string.h>

struct bench {
    struct vboard *board;
    int64_t now;
};

static void set_up(struct bench *b, bool bootloader, const char *defect)
{
    const char *const defects[] = {defect, NULL};
    const struct vboard_options options = {
        .family = "basen", .bootloader = bootloader, .unit_seed = 3, .defects = defects};
    b->now = 1000000;
    b->board = vboard_new(&options, b->now, NULL);
    b->now += 1000000;
    uint8_t none[1];
    vboard_produce(b->board, none, 0, b->now);
}

/* What the board has said within two seconds of being told this. */
static size_t ask(struct bench *b, const void *bytes, size_t n, uint8_t *answer, size_t max)
{
    size_t got = 0;
    vboard_accept(b->board, bytes, n, b->now);
    for (int64_t end = b->now + 2000000; b->now < end; b->now += 1000)
        got += vboard_produce(b->board, answer + got, max - got, b->now);
    return got;
}

static void expect(struct bench *b, const char *request, const char *answer)
{
    char got[600];
    size_t n = ask(b, request, strlen(request), (uint8_t *)got, sizeof got - 1);
    got[n] = '\0';
    g_assert_cmpstr(got, ==, answer);
}

static void test_published(void)
{
    struct bench b;
    set_up(&b, false, NULL);
    expect(&b, "~22014A4F0000FD8C\r", "~22014A00E002C8FD14\r");
    expect(&b, "~22014A4F0000FD8D\r", ""); /* wrong checksum: silence */
    expect(&b, "~22024A4F0000FD8B\r", ""); /* another address: silence */
    expect(&b, "rubbish~22~22014A4F0000FD8C\r", "~22014A00E002C8FD14\r");
    vboard_free(b.board);
}

/* A frame with a valid LENGTH and checksum around any INFO. */
static size_t make_frame(char *text, unsigned cid2, const uint8_t *info, unsigned n)
{
    static const char digits[] = "0123456789ABCDEF";
    unsigned chars = 2 * n, check = 0x10 - (((chars >> 8) + (chars >> 4 & 15) + (chars & 15)) & 15), sum = 0;
    size_t at = (size_t)g_snprintf(text, 32, "~22014A%02X%X%03X", cid2, check & 15, chars);
    for (unsigned i = 0; i < n; i++) {
        text[at++] = digits[info[i] >> 4];
        text[at++] = digits[info[i] & 15];
    }
    for (size_t i = 1; i < at; i++)
        sum += (uint8_t)text[i];
    return at + (size_t)g_snprintf(text + at, 8, "%04X\r", (0x10000 - sum) & 0xffff);
}

/* Any command with any INFO, up to the longest that LENGTH can say: the sanitizers look on. */
static void test_any_frame(void)
{
    static const unsigned lengths[] = {0, 1, 2, 4, 5, 9, 17, 64, 599, 600, 601, 604, 608, 609, 2047};
    GRand *random = g_rand_new_with_seed(1);
    struct bench b;
    char text[4200];
    uint8_t info[2048], answer[1500];
    set_up(&b, false, NULL);
    vboard_accept(b.board, (const uint8_t *)text,
                  make_frame(text, 0xd0,
                             (const uint8_t *)"\1"
                                              "888888\0\0",
                             9),
                  b.now);
    for (unsigned cid2 = 0; cid2 < 256; cid2++)
        for (unsigned i = 0; i < G_N_ELEMENTS(lengths); i++) {
            for (unsigned k = 0; k < lengths[i]; k++)
                info[k] =
                    (uint8_t)(k < 2 ? g_rand_int_range(random, 0, 17) : g_rand_int_range(random, 0, 256));
            vboard_accept(b.board, (const uint8_t *)text, make_frame(text, cid2, info, lengths[i]), b.now);
            b.now += 600000;
            vboard_produce(b.board, answer, sizeof answer, b.now);
        }
    g_rand_free(random);
    vboard_free(b.board);
}

/* LENGTH that is no number, with a checksum that fits. */
static void test_length_no_number(void)
{
    struct bench b;
    set_up(&b, false, NULL);
    expect(&b, "~22014A4FGG00FD5E\r", "");
    expect(&b, "~22014A4F0000FD8C\r", "~22014A00E002C8FD14\r");
    vboard_free(b.board);
}

static void test_bootloader(void)
{
    struct bench b;
    uint8_t answer[300], id[12];
    set_up(&b, true, NULL);
    g_assert_cmpuint(ask(&b, "\x7f", 1, answer, sizeof answer), ==, 1);
    g_assert_cmpuint(answer[0], ==, 0x79);
    g_assert_cmpuint(ask(&b, "\x00\xff", 2, answer, sizeof answer), ==, 12);
    g_assert_cmpmem(answer, 12, "\x79\x08\x31\x00\x01\x02\x11\x21\x31\x44\xa1\x79", 12);
    g_assert_cmpuint(ask(&b, "\x02\xfd", 2, answer, sizeof answer), ==, 5);
    g_assert_cmpmem(answer, 5, "\x79\x01\x04\x13\x79", 5);
    g_assert_cmpuint(ask(&b, "\x05\xfa", 2, answer, sizeof answer), ==, 1); /* no such command */
    g_assert_cmpuint(answer[0], ==, 0x1f);
    g_assert_cmpuint(ask(&b, "\x11\xee\x1f\xff\x7a\x10\x8a\x0b\xf4", 9, answer, sizeof answer), ==, 3 + 12);
    vboard_truth_unique_id(b.board, id);
    g_assert_cmpmem(answer + 3, 12, id, 12);
    vboard_free(b.board);
}

/* NOR flash: a programmed location cannot be programmed otherwise before it is erased. */
static void test_nor(void)
{
    static const uint8_t erase[] = {0x44, 0xbb, 0x00, 0x00, 0x00, 0x03, 0x03};
    static const uint8_t write[] = {0x31, 0xce, 0x08, 0x00, 0x18, 0x00, 0x10, 0x03, 1, 2, 3, 4, 0x07};
    static const uint8_t other[] = {0x31, 0xce, 0x08, 0x00, 0x18, 0x00, 0x10, 0x03, 1, 2, 3, 5, 0x06};
    struct bench b;
    uint8_t answer[16];
    uint32_t address;
    size_t size;
    set_up(&b, true, NULL);
    ask(&b, "\x7f", 1, answer, sizeof answer);
    g_assert_cmpuint(ask(&b, erase, sizeof erase, answer, sizeof answer), ==, 2);
    g_assert_cmpuint(ask(&b, write, sizeof write, answer, sizeof answer), ==, 3);
    g_assert_cmpmem(answer, 3, "\x79\x79\x79", 3);
    g_assert_cmpuint(ask(&b, other, sizeof other, answer, sizeof answer), ==, 3);
    g_assert_cmpmem(answer, 3, "\x79\x79\x1f", 3);
    g_assert_cmpuint(ask(&b, write, sizeof write, answer, sizeof answer), ==, 3);
    g_assert_cmpmem(answer, 3, "\x79\x79\x79", 3);
    const uint8_t *flash = vboard_truth_flash(b.board, &address, &size);
    g_assert_cmpmem(flash + 0x1800, 5, "\x01\x02\x03\x04\xff", 5);
    vboard_free(b.board);
}

/* Only an intact image boots; the button held for 10 s brings the bootloader, the boot pin too. */
static void test_boot(void)
{
    struct bench b;
    uint8_t answer[300];
    set_up(&b, false, NULL);
    g_assert_true(vboard_truth_running(b.board));
    vboard_lines(b.board, true, true, b.now);
    vboard_lines(b.board, true, false, b.now);
    g_assert_cmpuint(ask(&b, "\x7f", 1, answer, sizeof answer), ==, 1);
    vboard_lines(b.board, false, true, b.now);
    vboard_lines(b.board, false, false, b.now);
    expect(&b, "", "");
    g_assert_true(vboard_truth_running(b.board));
    vboard_reset_button(b.board, true, b.now);
    b.now += 11000000;
    vboard_reset_button(b.board, false, b.now);
    g_assert_cmpuint(ask(&b, "\x7f", 1, answer, sizeof answer), ==, 1);
    vboard_free(b.board);
    set_up(&b, false, "half-flashed");
    g_assert_false(vboard_truth_running(b.board));
    g_assert_cmpuint(ask(&b, "\x7f", 1, answer, sizeof answer), ==, 1);
    vboard_free(b.board);
}

static void test_rubbish(void)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(4);
    for (int boot = 0; boot < 2; boot++) {
        struct bench b;
        uint8_t bytes[64], answer[4096];
        set_up(&b, boot, NULL);
        for (int i = 0; i < 20000; i++) {
            size_t n = (size_t)g_rand_int_range(random, 1, sizeof bytes);
            for (size_t k = 0; k < n; k++)
                bytes[k] = boot ? (uint8_t)g_rand_int(random)
                                : (uint8_t) "~22014A0123456789ABCDEF\r"[g_rand_int_range(random, 0, 24)];
            vboard_accept(b.board, bytes, n, b.now);
            b.now += 10000;
            vboard_produce(b.board, answer, sizeof answer, b.now);
        }
        vboard_free(b.board);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vboard/published", test_published);
    g_test_add_func("/vboard/any-frame", test_any_frame);
    g_test_add_func("/vboard/length-no-number", test_length_no_number);
    g_test_add_func("/vboard/bootloader", test_bootloader);
    g_test_add_func("/vboard/nor", test_nor);
    g_test_add_func("/vboard/boot", test_boot);
    g_test_add_func("/vboard/rubbish", test_rubbish);
    return g_test_run();
}
