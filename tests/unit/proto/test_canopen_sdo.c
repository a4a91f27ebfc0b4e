/* Transfers of CiA 301: printed exchanges, segments with their toggle bit, and what breaks them. */
#include "proto/canopen_sdo.h"

#include "proto/can.h"

#include <glib.h>
#include <string.h>

/* "40 18 10 01 00 00 00 00" */
static void bytes_of(const char *text, uint8_t out[SDO_FRAME])
{
    struct can_message m;
    g_autofree char *frame = g_strdelimit(g_strconcat("601#", text, NULL), " ", '.');
    g_assert_true(can_parse(frame, &m, NULL));
    g_assert_cmpuint(m.n, ==, SDO_FRAME);
    memcpy(out, m.data, SDO_FRAME);
}

static void expect_out(const struct sdo *sdo, const char *text)
{
    uint8_t wanted[SDO_FRAME];
    bytes_of(text, wanted);
    g_assert_cmpmem(sdo->out, SDO_FRAME, wanted, SDO_FRAME);
}

static enum sdo_step answer(struct sdo *sdo, const char *text)
{
    uint8_t in[SDO_FRAME];
    bytes_of(text, in);
    return sdo_answer(sdo, in);
}

/* The expedited exchanges that introductions to CANopen print: device type, heartbeat time, and so on. */
static void test_expedited_upload(void)
{
    static const struct {
        const char *said;
        size_t n;
        const char *bytes;
    } cases[] = {{"4F 00 10 00 2A 00 00 00", 1, "\x2a"},
                 {"4B 00 10 00 E8 03 00 00", 2, "\xe8\x03"},
                 {"47 00 10 00 01 02 03 00", 3, "\1\2\3"},
                 {"43 00 10 00 92 01 02 00", 4, "\x92\1\2\0"},
                 {"42 00 10 00 92 01 02 00", 4, "\x92\1\2\0"}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct sdo sdo;
        uint8_t room[8];
        sdo_upload(&sdo, 0x1000, 0, room, sizeof room);
        expect_out(&sdo, "40 00 10 00 00 00 00 00");
        g_assert_cmpint(answer(&sdo, cases[i].said), ==, SDO_DONE);
        g_assert_cmpmem(room, sdo.done, cases[i].bytes, cases[i].n);
        g_assert_cmpint(sdo.vague, ==, cases[i].said[1] == '2');
        g_assert_cmpint(answer(&sdo, cases[i].said), ==, SDO_OTHER);
    }
}

static void test_expedited_download(void)
{
    static const struct {
        size_t n;
        const char *bytes, *sent;
    } cases[] = {{1, "\x2a", "2F 17 10 00 2A 00 00 00"},
                 {2, "\xe8\x03", "2B 17 10 00 E8 03 00 00"},
                 {3, "\1\2\3", "27 17 10 00 01 02 03 00"},
                 {4, "\1\2\3\4", "23 17 10 00 01 02 03 04"}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct sdo sdo;
        sdo_download(&sdo, 0x1017, 0, (const uint8_t *)cases[i].bytes, cases[i].n);
        expect_out(&sdo, cases[i].sent);
        g_assert_cmpint(answer(&sdo, "60 18 10 00 00 00 00 00"), ==, SDO_OTHER);
        g_assert_cmpint(answer(&sdo, "60 17 10 01 00 00 00 00"), ==, SDO_OTHER);
        g_assert_cmpint(answer(&sdo, "60 17 10 00 00 00 00 00"), ==, SDO_DONE);
        g_assert_cmpuint(sdo.done, ==, cases[i].n);
    }
}

/* Conversations that python-canopen (christiansandberg/canopen, test/test_sdo.py) expects of a client. */
static void test_published(void)
{
    struct sdo sdo;
    uint8_t room[8];
    sdo_upload(&sdo, 0x1400, 2, room, sizeof room);
    expect_out(&sdo, "40 00 14 02 00 00 00 00");
    g_assert_cmpint(answer(&sdo, "42 00 14 02 FE 00 00 00"), ==, SDO_DONE);
    g_assert_true(sdo.vague);
    g_assert_cmpmem(room, sdo.done, "\xfe\0\0", 4);
    sdo_upload(&sdo, 0x1018, 1, room, sizeof room);
    expect_out(&sdo, "40 18 10 01 00 00 00 00");
    g_assert_cmpint(answer(&sdo, "43 18 10 01 04 00 00 00"), ==, SDO_DONE);
    g_assert_cmpmem(room, sdo.done, "\4\0\0", 4);
    sdo_download(&sdo, 0x1017, 0, (const uint8_t *)"\xa0\x0f", 2);
    expect_out(&sdo, "2B 17 10 00 A0 0F 00 00");
    g_assert_cmpint(answer(&sdo, "60 17 10 00 00 00 00 00"), ==, SDO_DONE);
    sdo_download(&sdo, 0x2000, 0, (const uint8_t *)"A long string", 13);
    expect_out(&sdo, "21 00 20 00 0D 00 00 00");
    g_assert_cmpint(answer(&sdo, "60 00 20 00 00 00 00 00"), ==, SDO_SEND);
    expect_out(&sdo, "00 41 20 6C 6F 6E 67 20");
    g_assert_cmpint(answer(&sdo, "20 00 20 00 00 00 00 00"), ==, SDO_SEND);
    expect_out(&sdo, "13 73 74 72 69 6E 67 00");
    g_assert_cmpint(answer(&sdo, "30 00 20 00 00 00 00 00"), ==, SDO_DONE);
    sdo_upload(&sdo, 0x1008, 0, room, sizeof room);
    g_assert_cmpint(answer(&sdo, "41 08 10 00 04 00 00 00"), ==, SDO_SEND);
    g_assert_cmpint(answer(&sdo, "05 54 69 6E 79 20 00 00"), ==, SDO_BROKEN); /* 5 bytes, 4 were announced */
}

/* The manufacturer's device name, from the same tests. */
static void test_segmented_upload(void)
{
    struct sdo sdo;
    uint8_t room[32];
    sdo_upload(&sdo, 0x1008, 0, room, sizeof room);
    g_assert_cmpint(answer(&sdo, "41 08 10 00 1A 00 00 00"), ==, SDO_SEND);
    expect_out(&sdo, "60 00 00 00 00 00 00 00");
    g_assert_cmpint(answer(&sdo, "00 54 69 6E 79 20 4E 6F"), ==, SDO_SEND);
    expect_out(&sdo, "70 00 00 00 00 00 00 00");
    g_assert_cmpint(answer(&sdo, "10 64 65 20 2D 20 4D 65"), ==, SDO_SEND);
    expect_out(&sdo, "60 00 00 00 00 00 00 00");
    g_assert_cmpint(answer(&sdo, "00 67 61 20 44 6F 6D 61"), ==, SDO_SEND);
    expect_out(&sdo, "70 00 00 00 00 00 00 00");
    g_assert_cmpint(answer(&sdo, "15 69 6E 73 20 21 00 00"), ==, SDO_DONE);
    g_assert_cmpmem(room, sdo.done, "Tiny Node - Mega Domains !", 26);
}

static void test_segmented_download(void)
{
    struct sdo sdo;
    sdo_download(&sdo, 0x2000, 1, (const uint8_t *)"ABCDEFGHI", 9);
    expect_out(&sdo, "21 00 20 01 09 00 00 00");
    g_assert_cmpint(answer(&sdo, "60 00 20 01 00 00 00 00"), ==, SDO_SEND);
    expect_out(&sdo, "00 41 42 43 44 45 46 47");
    g_assert_cmpint(answer(&sdo, "20 00 00 00 00 00 00 00"), ==, SDO_SEND);
    expect_out(&sdo, "1B 48 49 00 00 00 00 00");
    g_assert_cmpint(answer(&sdo, "30 00 00 00 00 00 00 00"), ==, SDO_DONE);
    g_assert_cmpuint(sdo.done, ==, 9);

    sdo_download(&sdo, 0x2000, 1, NULL, 0); /* nothing at all is one empty segment */
    expect_out(&sdo, "21 00 20 01 00 00 00 00");
    g_assert_cmpint(answer(&sdo, "60 00 20 01 00 00 00 00"), ==, SDO_SEND);
    expect_out(&sdo, "0F 00 00 00 00 00 00 00");
    g_assert_cmpint(answer(&sdo, "20 00 00 00 00 00 00 00"), ==, SDO_DONE);
}

static void begin_segments(struct sdo *sdo, uint8_t *room, size_t size)
{
    sdo_upload(sdo, 0x1008, 0, room, size);
    g_assert_cmpint(answer(sdo, "41 08 10 00 09 00 00 00"), ==, SDO_SEND);
}

static void test_broken(void)
{
    struct sdo sdo;
    uint8_t room[16];
    begin_segments(&sdo, room, sizeof room);
    g_assert_cmpint(answer(&sdo, "10 00 00 00 00 00 00 00"), ==, SDO_BROKEN);
    expect_out(&sdo, "80 08 10 00 00 00 03 05");
    begin_segments(&sdo, room, sizeof room);
    g_assert_cmpint(answer(&sdo, "00 41 41 41 41 41 41 41"), ==, SDO_SEND);
    g_assert_cmpint(answer(&sdo, "00 41 41 41 41 41 41 41"), ==, SDO_BROKEN); /* the same once more */
    g_assert_cmphex(sdo.abort, ==, SDO_ABORT_TOGGLE);
    begin_segments(&sdo, room, sizeof room);
    g_assert_cmpint(answer(&sdo, "01 41 41 41 41 41 41 41"), ==, SDO_BROKEN); /* 7 of 9 bytes */
    g_assert_cmphex(sdo.abort, ==, SDO_ABORT_SHORT);
    begin_segments(&sdo, room, sizeof room);
    g_assert_cmpint(answer(&sdo, "00 41 41 41 41 41 41 41"), ==, SDO_SEND);
    g_assert_cmpint(answer(&sdo, "11 41 41 41 41 41 41 41"), ==, SDO_BROKEN); /* 14 of 9 */
    g_assert_cmphex(sdo.abort, ==, SDO_ABORT_TOO_LONG);
    sdo_upload(&sdo, 0x1008, 0, room, sizeof room);
    g_assert_cmpint(answer(&sdo, "41 08 10 00 11 00 00 00"), ==, SDO_BROKEN); /* 17 bytes into 16 */
    g_assert_cmphex(sdo.abort, ==, SDO_ABORT_MEMORY);
    begin_segments(&sdo, room, sizeof room);
    g_assert_cmpint(answer(&sdo, "60 08 10 00 00 00 00 00"), ==, SDO_BROKEN);
    g_assert_cmphex(sdo.abort, ==, SDO_ABORT_COMMAND);
    sdo_upload(&sdo, 0x1008, 0, room, 2);
    g_assert_cmpint(answer(&sdo, "43 08 10 00 01 02 03 04"), ==, SDO_BROKEN); /* 4 bytes into 2 */
}

static void test_aborted(void)
{
    struct sdo sdo;
    uint8_t room[4];
    sdo_upload(&sdo, 0x2000, 7, room, sizeof room);
    g_assert_cmpint(answer(&sdo, "80 00 20 08 00 00 02 06"), ==, SDO_OTHER);
    g_assert_cmpint(answer(&sdo, "80 00 20 07 11 00 09 06"), ==, SDO_ABORTED);
    g_assert_cmpstr(sdo_abort_name(sdo.abort), ==, "sub-index does not exist");
    g_assert_null(sdo_abort_name(0x12345678));
    sdo_upload(&sdo, 0x2000, 7, room, sizeof room);
    sdo_give_up(&sdo, SDO_ABORT_TIMEOUT);
    expect_out(&sdo, "80 00 20 07 00 00 04 05");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sdo/expedited-upload", test_expedited_upload);
    g_test_add_func("/sdo/expedited-download", test_expedited_download);
    g_test_add_func("/sdo/segmented-upload", test_segmented_upload);
    g_test_add_func("/sdo/segmented-download", test_segmented_download);
    g_test_add_func("/sdo/published", test_published);
    g_test_add_func("/sdo/broken", test_broken);
    g_test_add_func("/sdo/aborted", test_aborted);
    return g_test_run();
}
