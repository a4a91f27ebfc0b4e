/* The Modbus dialect against a small server of this file: splitting, coils, single writes, halves of
 * registers, echoes, late and lost answers, exceptions, both framings. */
#include "proto/board.h"
#include "proto/modbus.h"
#include "station/base/error.h"

#include <string.h>

#define HOLDING  0x1000
#define COILS    0x0020
#define REQUESTS 64

struct server {
    struct tick_virtual clock;
    bool tcp, echo, no_many, deaf;
    unsigned lose;   /* answers, from now on */
    int64_t late_us; /* of every answer */
    uint8_t exception;
    uint8_t holding[2 * 400], input[2 * 8], coils[64];
    uint8_t heard[600];
    size_t heard_n;
    struct {
        uint8_t bytes[600];
        size_t n;
        int64_t due_us;
    } out[8];
    unsigned first, last;
    struct {
        uint8_t function;
        unsigned address, count;
    } requests[REQUESTS];
    unsigned asked;
};

struct fixture {
    struct server server;
    struct profile *profile;
    struct wire *wire;
    struct board *board;
};

static void send_later(struct server *s, const uint8_t *bytes, size_t n, int64_t due_us)
{
    g_assert_cmpuint((s->last + 1) % 8, !=, s->first);
    memcpy(s->out[s->last].bytes, bytes, n);
    s->out[s->last].n = n;
    s->out[s->last].due_us = due_us;
    s->last = (s->last + 1) % 8;
}

static unsigned get16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

/* Function and data of the request in, of the answer out. */
static size_t serve(struct server *s, const uint8_t *p, uint8_t *out)
{
    unsigned address = get16(p + 1), count = get16(p + 3);
    bool single = p[0] == 5 || p[0] == 6, many = p[0] == 15 || p[0] == 16;
    g_assert_cmpuint(s->asked, <, REQUESTS);
    s->requests[s->asked].function = p[0];
    s->requests[s->asked].address = address;
    s->requests[s->asked++].count = single ? 1 : count;
    out[0] = p[0];
    memcpy(out + 1, p + 1, 4);
    uint8_t *words = s->holding + 2 * (address - HOLDING), *coils = s->coils + (address - COILS);
    uint8_t exception = s->no_many && many ? 1 : s->exception;
    if (exception) {
        out[0] |= 0x80;
        out[1] = exception;
        return 2;
    }
    switch (p[0]) {
    case 1:
        out[1] = (uint8_t)((count + 7) / 8);
        memset(out + 2, 0, out[1]);
        for (unsigned i = 0; i < count; i++)
            out[2 + i / 8] |= (uint8_t)(coils[i] << i % 8);
        return 2u + out[1];
    case 3:
    case 4:
        out[1] = (uint8_t)(2 * count);
        memcpy(out + 2, p[0] == 3 ? words : s->input + 2 * address, 2 * count);
        return 2 + 2 * count;
    case 5:
        coils[0] = p[3] == 0xff;
        break;
    case 6:
        memcpy(words, p + 3, 2);
        break;
    case 15:
        for (unsigned i = 0; i < count; i++)
            coils[i] = p[6 + i / 8] >> i % 8 & 1;
        break;
    case 16:
        memcpy(words, p + 6, 2 * count);
        break;
    }
    return 5;
}

static void answer(struct server *s, int64_t now_us)
{
    uint8_t out[300];
    unsigned head = s->tcp ? 7 : 1;
    memcpy(out, s->heard, head);
    size_t n = head + serve(s, s->heard + head, out + head);
    if (s->tcp)
        out[5] = (uint8_t)(n - 6);
    else {
        uint16_t crc = modbus_crc(out, n);
        out[n++] = (uint8_t)crc;
        out[n++] = (uint8_t)(crc >> 8);
    }
    if (s->lose)
        s->lose--;
    else
        send_later(s, out, n, now_us + 2000 + s->late_us);
}

static void accept(void *context, const uint8_t *bytes, size_t n, int64_t now_us)
{
    struct server *s = context;
    memcpy(s->heard, bytes, n); /* the dialect sends a request as one chunk */
    s->heard_n = n;
    if (s->echo)
        send_later(s, bytes, n, now_us + 1000);
    if (!s->deaf)
        answer(s, now_us);
}

static size_t produce(void *context, uint8_t *bytes, size_t max, int64_t now_us)
{
    struct server *s = context;
    if (s->first == s->last || s->out[s->first].due_us > now_us)
        return 0;
    size_t n = s->out[s->first].n;
    if (n > max) {
        n = max;
        memcpy(bytes, s->out[s->first].bytes, n);
        memmove(s->out[s->first].bytes, s->out[s->first].bytes + n, s->out[s->first].n -= n);
        return n;
    }
    memcpy(bytes, s->out[s->first].bytes, n);
    s->first = (s->first + 1) % 8;
    return n;
}

static int64_t next_us(void *context)
{
    struct server *s = context;
    return s->first == s->last ? TICK_NEVER : s->out[s->first].due_us;
}

static const char text[] =
    "schema: packline/profile/1\nprofile: p\nfamily: f\ndialect: %s\ntitle: t\nproduct: p\nline: 9600-8N1\n"
    "reply_max: 100 ms\nretries: 2\n"
    "blocks:\n"
    "  - {name: table, number: 0x1000, size: 700, evidence: measured}\n"
    "  - {name: input, number: 0, size: 16, read_command: read_input, evidence: measured}\n"
    "  - {name: coils, number: 0x20, size: 40, read_command: read_coils, evidence: measured}\n"
    "  - {name: behind, number: 0xFFFF, size: 4, evidence: measured}\n"
    "commands:\n"
    "  - {name: read_input, code: 4, evidence: measured}\n"
    "  - {name: read_coils, code: 1, evidence: measured}\n%s"
    "items:\n"
    "  - {key: a.word, name: w, block: table, offset: 0, type: u16, level: operator, evidence: measured}\n"
    "  - {key: a.high, name: h, block: table, offset: 2, type: u8, level: operator, evidence: measured}\n"
    "  - {key: a.low, name: l, block: table, offset: 3, type: u8, level: operator, evidence: measured}\n"
    "  - {key: a.long, name: g, block: table, offset: 5, type: u32, level: operator, evidence: measured}\n"
    "  - {key: a.input, name: i, block: input, offset: 2, type: u16, level: operator, evidence: measured}\n"
    "  - {key: a.coil, name: c, block: coils, offset: 11, type: flag, level: operator, evidence: measured}\n"
    "  - {key: a.behind, name: b, block: behind, offset: 2, type: u16, level: operator, evidence: "
    "measured}\n";
static const char singles[] = "  - {name: write_register, code: 6, evidence: measured}\n"
                              "  - {name: write_coil, code: 5, evidence: measured}\n";

static void set_up(struct fixture *f, bool tcp, const char *commands)
{
    GError *error = NULL;
    memset(f, 0, sizeof *f);
    tick_virtual_init(&f->server.clock, 1795000000000000);
    f->server.tcp = tcp;
    for (unsigned i = 0; i < sizeof f->server.holding; i++)
        f->server.holding[i] = (uint8_t)(i * 7);
    for (unsigned i = 0; i < sizeof f->server.coils; i++)
        f->server.coils[i] = i % 3 == 0;
    f->server.input[2] = 0x12;
    f->server.input[3] = 0x34;
    g_autofree char *yaml = g_strdup_printf(text, tcp ? "modbus-tcp" : "modbus", commands);
    g_autoptr(GBytes) bytes = g_bytes_new(yaml, strlen(yaml));
    g_autoptr(bind_report_auto) report = bind_report_new("p", bytes);
    f->profile = profile_load("p", bytes, report);
    g_assert_nonnull(f->profile);
    const struct wire_far_side side = {&f->server, accept, produce, next_us, NULL, NULL};
    struct wire_options options = {.tick = &f->server.clock.tick};
    g_assert_true(wire_line_parse("9600-8N1", &options.line, &error));
    f->wire = wire_loop_open(&side, &options);
    f->board = board_open(f->profile, f->wire, 3, false, &error);
    g_assert_no_error(error);
}

static void tear_down(struct fixture *f)
{
    board_close(f->board);
    wire_close(f->wire);
    profile_free(f->profile);
}

static struct item_value value_of(struct fixture *f, const char *key, const char *word)
{
    struct item_value value;
    GError *error = NULL;
    g_assert_true(profile_value_parse(profile_item_find(f->profile, key), word, &value, &error));
    return value;
}

static bool read_item(struct fixture *f, const char *key, int64_t *raw, GError **error)
{
    struct item_value value;
    bool ok = board_read_item(f->board, profile_item_find(f->profile, key), &value, error);
    *raw = value.raw;
    return ok;
}

static void test_split(bool tcp)
{
    struct fixture f;
    GError *error = NULL;
    uint8_t bytes[700], back[700];
    set_up(&f, tcp, "");
    const struct profile_block *block = profile_block_find(f.profile, "table");
    g_assert_true(f.board->dialect->read_block(f.board, block, 0, bytes, 700, &error));
    g_assert_cmpmem(bytes, 700, f.server.holding, 700);
    g_assert_cmpuint(f.server.asked, ==, 3);
    const unsigned counts[] = {125, 125, 100};
    for (unsigned i = 0; i < 3; i++) {
        g_assert_cmpuint(f.server.requests[i].address, ==, HOLDING + 125 * i);
        g_assert_cmpuint(f.server.requests[i].count, ==, counts[i]);
    }
    for (unsigned i = 0; i < 700; i++)
        bytes[i] = (uint8_t)(i * 13 + 1);
    f.server.asked = 0;
    g_assert_true(f.board->dialect->write_block(f.board, block, 0, bytes, 700, &error));
    g_assert_cmpuint(f.server.asked, ==, 3);
    g_assert_cmpuint(f.server.requests[2].count, ==, 350 - 2 * 123);
    g_assert_cmpmem(bytes, 700, f.server.holding, 700);
    g_assert_true(f.board->dialect->read_block(f.board, block, 0, back, 700, &error));
    g_assert_cmpmem(bytes, 700, back, 700);
    tear_down(&f);
}

static void test_split_rtu(void)
{
    test_split(false);
}

static void test_split_tcp(void)
{
    test_split(true);
}

static void test_kinds(void)
{
    struct fixture f;
    int64_t raw;
    g_autoptr(GError) error = NULL;
    set_up(&f, false, "");
    g_assert_true(read_item(&f, "a.input", &raw, &error));
    g_assert_cmphex(raw, ==, 0x1234);
    g_assert_true(read_item(&f, "a.coil", &raw, &error));
    g_assert_cmpint(raw, ==, 0);
    struct item_value coil = value_of(&f, "a.coil", "true"), input = value_of(&f, "a.input", "1");
    g_assert_true(board_write_item(f.board, &coil, NULL, &error));
    g_assert_cmpuint(f.server.coils[11], ==, 1);
    g_assert_cmpuint(f.server.coils[10] + f.server.coils[12], ==, 1); /* 12 as it was */
    g_assert_false(board_write_item(f.board, &input, NULL, &error));
    g_assert_error(error, PACK_ERROR, ERROR_RULE);
    g_clear_error(&error);
    /* A block that runs over the last register would come round to the first. */
    g_assert_false(read_item(&f, "a.behind", &raw, &error));
    g_assert_error(error, PACK_ERROR, ERROR_AUTHOR);
    tear_down(&f);
}

/* Half a register keeps its other half. */
static void test_halves(void)
{
    struct fixture f;
    GError *error = NULL;
    set_up(&f, false, "");
    uint8_t before[16];
    memcpy(before, f.server.holding, 16);
    struct item_value high = value_of(&f, "a.high", "200"), low = value_of(&f, "a.low", "100"),
                      wide = value_of(&f, "a.long", "305419896");
    g_assert_true(board_write_item(f.board, &high, NULL, &error));
    g_assert_cmpuint(f.server.holding[2], ==, 200);
    g_assert_cmpuint(f.server.holding[3], ==, before[3]);
    g_assert_true(board_write_item(f.board, &low, NULL, &error));
    g_assert_cmpuint(f.server.holding[2], ==, 200);
    g_assert_cmpuint(f.server.holding[3], ==, 100);
    g_assert_true(board_write_item(f.board, &wide, NULL, &error));
    g_assert_cmpuint(f.server.holding[4], ==, before[4]);
    g_assert_cmpmem(f.server.holding + 5, 4, "\x12\x34\x56\x78", 4);
    g_assert_cmpuint(f.server.holding[9], ==, before[9]);
    tear_down(&f);
}

static void test_single_writes(void)
{
    struct fixture f;
    g_autoptr(GError) error = NULL;
    set_up(&f, false, "");
    f.server.no_many = true;
    struct item_value wide = value_of(&f, "a.long", "305419896"), coil = value_of(&f, "a.coil", "true");
    g_assert_false(board_write_item(f.board, &wide, NULL, &error)); /* the profile does not allow it */
    g_assert_error(error, PACK_ERROR, ERROR_REFUSED);
    g_assert_nonnull(strstr(error->message, "'illegal function' (exception 01H)"));
    g_clear_error(&error);
    tear_down(&f);

    set_up(&f, false, singles);
    f.server.no_many = true;
    wide = value_of(&f, "a.long", "305419896");
    coil = value_of(&f, "a.coil", "true");
    g_assert_true(board_write_item(f.board, &wide, NULL, &error));
    g_assert_cmpmem(f.server.holding + 5, 4, "\x12\x34\x56\x78", 4);
    g_assert_true(board_write_item(f.board, &coil, NULL, &error));
    g_assert_cmpuint(f.server.coils[11], ==, 1);
    unsigned many = 0;
    for (unsigned i = 0; i < f.server.asked; i++)
        many += f.server.requests[i].function >= 15;
    g_assert_cmpuint(many, ==, 1); /* asked once, remembered */
    tear_down(&f);
}

static void test_echo(void)
{
    struct fixture f;
    int64_t raw;
    g_autoptr(GError) error = NULL;
    set_up(&f, false, singles);
    f.server.echo = true;
    struct item_value word = value_of(&f, "a.word", "4660");
    g_assert_true(board_write_item(f.board, &word, NULL, &error));
    f.server.no_many = true;
    g_assert_true(board_write_item(f.board, &word, NULL, &error));
    f.server.deaf = true;
    g_assert_false(read_item(&f, "a.word", &raw, &error));
    g_assert_error(error, PACK_ERROR, ERROR_SILENT);
    g_assert_nonnull(strstr(error->message, "only the line's own echo came"));
    g_clear_error(&error);
    /* The echo of a single write looks like its answer. */
    g_assert_false(board_write_values(f.board, &word, 1, &error));
    g_assert_error(error, PACK_ERROR, ERROR_SILENT);
    tear_down(&f);
}

/* What was lost is asked again; an answer that comes late is not taken for the answer to another request. */
static void test_lost_and_late(void)
{
    struct fixture f;
    int64_t raw;
    g_autoptr(GError) error = NULL;
    set_up(&f, false, "");
    f.server.lose = 2;
    g_assert_true(read_item(&f, "a.word", &raw, &error));
    g_assert_cmpuint(f.server.asked, ==, 3);
    f.server.lose = 3;
    g_assert_false(read_item(&f, "a.word", &raw, &error));
    g_assert_error(error, PACK_ERROR, ERROR_SILENT);
    g_clear_error(&error);
    for (int64_t late = 0; late < 250000; late += 3700) { /* twice the patience */
        const struct profile_block *block = profile_block_find(f.profile, "table");
        uint8_t first[2], second[2];
        f.server.late_us = late;
        bool one = f.board->dialect->read_block(f.board, block, 10, first, 2, NULL);
        f.server.late_us = 0;
        bool two = f.board->dialect->read_block(f.board, block, 20, second, 2, NULL);
        g_assert_true(!one || memcmp(first, f.server.holding + 10, 2) == 0);
        g_assert_true(two);
        g_assert_cmpmem(second, 2, f.server.holding + 20, 2);
        f.server.asked = 0;
    }
    tear_down(&f);
}

static void test_exceptions(void)
{
    struct fixture f;
    int64_t raw;
    static const struct {
        uint8_t code;
        unsigned asked;
        enum error_kind kind;
        const char *says;
    } cases[] = {{2, 1, ERROR_REFUSED, "'illegal data address' (exception 02H)"},
                 {6, 3, ERROR_REFUSED, "'device busy' (exception 06H)"},
                 {11, 1, ERROR_SILENT, "'gateway target did not respond' (exception 0BH)"},
                 {77, 1, ERROR_REFUSED, "the board answered exception 4DH"}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        set_up(&f, i % 2, "");
        f.server.exception = cases[i].code;
        g_assert_false(read_item(&f, "a.word", &raw, &error));
        g_assert_error(error, PACK_ERROR, (int)cases[i].kind);
        g_assert_nonnull(strstr(error->message, cases[i].says));
        g_assert_nonnull(strstr(error->message, "reading holding registers 1000H"));
        g_assert_cmpuint(f.server.asked, ==, cases[i].asked);
        tear_down(&f);
    }
}

/* 150 registers, written and read back on a line that takes its time: one by one, then by block. */
static void test_speed(void)
{
    static const struct {
        const char *line;
        int64_t percent;
    } lines[] = {{"9600-8N1", 11}, {"115200-8N1", 5}};
    for (gsize k = 0; k < G_N_ELEMENTS(lines); k++) {
        struct fixture f;
        GError *error = NULL;
        uint8_t bytes[300], back[300];
        set_up(&f, false, "");
        const struct profile_block *block = profile_block_find(f.profile, "table");
        const struct dialect_kind *dialect = f.board->dialect;
        g_assert_true(wire_line_parse(lines[k].line, &f.wire->line, &error));
        f.wire = f.board->wire = wire_pace(f.wire);
        for (unsigned i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)(i * 3);
        int64_t start = tick_now(&f.server.clock.tick);
        for (unsigned i = 0; i < sizeof bytes; i += 2) {
            f.server.asked = 0;
            g_assert_true(dialect->write_block(f.board, block, i, bytes + i, 2, &error));
            g_assert_true(dialect->read_block(f.board, block, i, back + i, 2, &error));
        }
        int64_t singly = tick_now(&f.server.clock.tick) - start;
        g_assert_true(dialect->write_block(f.board, block, 0, bytes, sizeof bytes, &error));
        g_assert_true(dialect->read_block(f.board, block, 0, back, sizeof back, &error));
        int64_t at_once = tick_now(&f.server.clock.tick) - start - singly;
        g_assert_cmpmem(bytes, sizeof bytes, back, sizeof back);
        printf("# %s: 150 registers with read-back: one by one %.3f s, by block %.3f s (%.3f)\n",
               lines[k].line, (double)singly / 1e6, (double)at_once / 1e6, (double)at_once / (double)singly);
        g_assert_cmpint(at_once * 100, <=, singly * lines[k].percent);
        tear_down(&f);
    }
}

/* The profile's code of a command is the standard's function. */
static void test_wrong_code(void)
{
    struct fixture f;
    g_autoptr(GError) error = NULL;
    set_up(&f, false, "  - {name: write_register, code: 16, evidence: measured}\n");
    struct item_value word = value_of(&f, "a.word", "1");
    g_assert_false(board_write_values(f.board, &word, 1, &error));
    g_assert_error(error, PACK_ERROR, ERROR_AUTHOR);
    tear_down(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/dialect-modbus/split-rtu", test_split_rtu);
    g_test_add_func("/dialect-modbus/split-tcp", test_split_tcp);
    g_test_add_func("/dialect-modbus/kinds", test_kinds);
    g_test_add_func("/dialect-modbus/halves", test_halves);
    g_test_add_func("/dialect-modbus/single-writes", test_single_writes);
    g_test_add_func("/dialect-modbus/echo", test_echo);
    g_test_add_func("/dialect-modbus/lost-and-late", test_lost_and_late);
    g_test_add_func("/dialect-modbus/exceptions", test_exceptions);
    g_test_add_func("/dialect-modbus/speed", test_speed);
    g_test_add_func("/dialect-modbus/wrong-code", test_wrong_code);
    return g_test_run();
}
