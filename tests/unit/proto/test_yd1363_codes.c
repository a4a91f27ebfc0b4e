/* What boards of YD/T 1363 framing refuse, by every return code that a document or capture names, and which
 * bytes of a request a trace must not show. */
#include "proto/board.h"
#include "proto/yd1363.h"
#include "station/base/error.h"

#include <string.h>

/* A far side that answers each request with one return code, and nothing else. */
struct refuser {
    struct tick_virtual clock;
    uint8_t rtn;
    unsigned requests;
    GString *out;
};

static void accept_request(void *context, const uint8_t *bytes, size_t n, int64_t now_us)
{
    struct refuser *r = context;
    char text[YD1363_FRAME_MAX];
    (void)now_us;
    if (n < 5 || bytes[0] != '~')
        return;
    const struct yd1363_frame reply = {.version = 0x25, .address = 1, .cid1 = 0x46, .cid2 = r->rtn};
    g_string_append_len(r->out, text, (gssize)yd1363_encode(&reply, text));
    r->requests++;
}

static size_t produce_answer(void *context, uint8_t *bytes, size_t max, int64_t now_us)
{
    struct refuser *r = context;
    size_t n = MIN(max, r->out->len);
    (void)now_us;
    memcpy(bytes, r->out->str, n);
    g_string_erase(r->out, 0, (gssize)n);
    return n;
}

static int64_t next_us(void *context)
{
    return tick_now(&((struct refuser *)context)->clock.tick) + 1000;
}

static struct profile *load(const char *name)
{
    g_autofree char *path = g_strdup_printf(SOURCE_DIR "/recipes/boards/%s.yaml", name);
    GError *error = NULL;
    g_autoptr(GBytes) bytes = bind_read_file(path, BIND_FILE_MAX, &error);
    g_assert_no_error(error);
    g_autoptr(bind_report_auto) report = bind_report_new(path, bytes);
    struct profile *profile = profile_load(path, bytes, report);
    g_assert_nonnull(profile);
    return profile;
}

static void refuse(uint8_t rtn, enum error_kind kind, const char *name, unsigned requests)
{
    struct refuser r = {.rtn = rtn, .out = g_string_new(NULL)};
    struct wire_options options = {.tick = &r.clock.tick};
    const struct wire_far_side side = {&r, accept_request, produce_answer, next_us, NULL, NULL};
    g_autoptr(GError) error = NULL;
    g_autofree char *code = g_strdup_printf("RTN %02XH", rtn);
    int64_t wall;
    struct profile *profile = load("pace-25");
    tick_virtual_init(&r.clock, 1795000000000000);
    g_assert_true(wire_line_parse("9600-8N1", &options.line, &error));
    struct wire *wire = wire_loop_open(&side, &options);
    struct board *board = board_open(profile, wire, 1, false, &error);
    g_assert_no_error(error);
    g_assert_false(board_clock_read(board, &wall, &error));
    g_assert_cmpint(error_kind(error), ==, kind);
    /* which request, what the board said in words and as a number, and what to do */
    g_assert_nonnull(strstr(error->message, "clock"));
    g_assert_nonnull(strstr(error->message, name));
    g_assert_nonnull(strstr(error->message, code));
    const char *advice = strstr(error->message, "): ");
    g_assert_true((advice && strlen(advice) > 10) || strstr(error->message, "quality"));
    g_assert_cmpuint(r.requests, ==, requests);
    board_close(board);
    wire_close(wire);
    profile_free(profile);
    g_string_free(r.out, TRUE);
}

/* 02 and 03 say that the request came damaged, so it goes again; all others are an answer. Names: TOPBMS
 * Communication protocol V1.7 (00 to 06, 90, 91, A0), PACE RS232 TY16S (09), Seplos Communication Protocol
 * V2.0 (07, E1 to E4). */
static void test_codes(void)
{
    static const struct {
        uint8_t rtn;
        enum error_kind kind;
        const char *name;
        unsigned requests;
    } codes[] = {{0x01, ERROR_REFUSED, "wrong VER", 1},
                 {0x02, ERROR_REFUSED, "wrong CHKSUM", 3},
                 {0x03, ERROR_REFUSED, "wrong LCHKSUM", 3},
                 {0x04, ERROR_REFUSED, "unknown command", 1},
                 {0x05, ERROR_REFUSED, "wrong command format", 1},
                 {0x06, ERROR_REFUSED, "data invalid", 1},
                 {0x07, ERROR_REFUSED, "no history", 1},
                 {0x09, ERROR_REFUSED, "operation failed", 1},
                 {0x90, ERROR_REFUSED, "wrong ADR", 1},
                 {0x91, ERROR_REFUSED, "internal communication failed", 1},
                 {0xa0, ERROR_REFUSED, "transfer failed", 1},
                 {0xe1, ERROR_REFUSED, "wrong CID1", 1},
                 {0xe2, ERROR_REFUSED, "execution failed", 1},
                 {0xe3, ERROR_REFUSED, "device fault", 1},
                 {0xe4, ERROR_REFUSED, "no permission", 1},
                 {0x55, ERROR_REFUSED, "no document names", 1}};
    for (gsize i = 0; i < G_N_ELEMENTS(codes); i++)
        refuse(codes[i].rtn, codes[i].kind, codes[i].name, codes[i].requests);
}

/* How many bytes of a request with this CID2 a trace of a board of this profile leaves out. */
static unsigned masked(const char *profile_name, unsigned cid2, bool sent)
{
    struct refuser r = {.out = g_string_new(NULL)};
    struct wire_options options = {.tick = &r.clock.tick};
    const struct wire_far_side side = {&r, accept_request, produce_answer, next_us, NULL, NULL};
    struct yd1363_frame request = {
        .version = 0x21, .address = 1, .cid1 = 0x46, .cid2 = (uint8_t)cid2, .n = 6};
    char text[YD1363_FRAME_MAX];
    bool secret[YD1363_FRAME_MAX] = {false};
    unsigned count = 0;
    GError *error = NULL;
    struct profile *profile = load(profile_name);
    tick_virtual_init(&r.clock, 1795000000000000);
    g_assert_true(wire_line_parse("9600-8N1", &options.line, &error));
    struct wire *wire = wire_loop_open(&side, &options);
    struct board *board = board_open(profile, wire, 1, false, &error);
    size_t n = yd1363_encode(&request, text);
    board->dialect->mask(board, sent, (const uint8_t *)text, n, secret);
    for (size_t i = 0; i < n; i++)
        count += secret[i];
    board_close(board);
    wire_close(wire);
    profile_free(profile);
    g_string_free(r.out, TRUE);
    return count;
}

/* The same code is a password on one board and a limit on another. */
static void test_mask(void)
{
    enum { INFO = 12, CHECK_AND_END = 5 };
    g_assert_cmpuint(masked("clever-176x33", 0xd0, true), ==, INFO + CHECK_AND_END);
    g_assert_cmpuint(masked("clever-176x33", 0xda, true), ==, INFO + CHECK_AND_END);
    g_assert_cmpuint(masked("clever-176x33", 0xda, false), ==, 0);
    g_assert_cmpuint(masked("clever-176x33", 0xd2, true), ==, 0);
    g_assert_cmpuint(masked("basen-lt55", 0xd7, true), ==, INFO + CHECK_AND_END);
    g_assert_cmpuint(masked("pace-25", 0xd0, true), ==, 0);
    g_assert_cmpuint(masked("pace-25", 0xda, true), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/yd1363/return-codes", test_codes);
    g_test_add_func("/yd1363/mask", test_mask);
    return g_test_run();
}
