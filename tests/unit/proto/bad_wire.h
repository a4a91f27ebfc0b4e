/* The frames of each protocol as a bad wire sees them: where one ends, and how it is spoiled so that its
 * checks are right again. Written from the documents of the protocols, apart from proto/. */
#pragma once

#include "far.h"

#include "proto/profile.h"

struct bad_protocol {
    const char *without; /* faults that there are not on such a wire */
    size_t data;         /* first byte of the data */
    size_t frame;        /* bytes of each frame on a bus; 0 = it has a length of its own */
    size_t (*length)(const uint8_t *chunk, size_t n); /* of the first frame */
    size_t (*cut)(uint8_t *frame, size_t n, size_t by);
    size_t (*resize)(uint8_t *frame, size_t n, bool longer);  /* by one value; n when it cannot be */
    void (*foreign)(uint8_t *frame, size_t n);                /* of another board, with other values */
    size_t (*refuse)(uint8_t *frame, size_t n, uint8_t code); /* the answer that says no */
};

struct bad_family {
    const char *name, *profile, *virtual;
    const struct bad_protocol *protocol;
    const char *const *defects;
    enum { BAD_NUMBERS, BAD_DEEDS, BAD_NOTHING } takes; /* what may be written to it */
};

static inline bool bad_applies(const struct bad_protocol *p, const char *fault)
{
    g_auto(GStrv) words = g_strsplit(p->without, " ", 0);
    return !g_strv_contains((const char *const *)words, fault);
}

static inline size_t bad_all(const uint8_t *chunk, size_t n)
{
    (void)chunk;
    return n;
}

static inline size_t bad_cut(uint8_t *frame, size_t n, size_t by)
{
    (void)frame;
    return n - by;
}

/* YD/T 1363.3, 5.2: two characters a byte, LENGTH with a check of its own. */
static inline unsigned yd_value(const uint8_t *p, unsigned digits)
{
    unsigned value = 0;
    while (digits--)
        value = value << 4 | (unsigned)g_ascii_xdigit_value((char)*p++);
    return value;
}

static inline void yd_show(uint8_t *p, unsigned value, unsigned digits)
{
    for (unsigned i = digits; i-- > 0; value >>= 4)
        p[i] = (uint8_t) "0123456789ABCDEF"[value & 15];
}

static inline size_t yd_length(const uint8_t *chunk, size_t n)
{
    const uint8_t *end = memchr(chunk, '\r', n);
    return end ? (size_t)(end - chunk) + 1 : n;
}

static inline void yd_seal(uint8_t *frame, size_t n)
{
    unsigned lenid = (unsigned)n - 18, sum = 0;
    unsigned lchk = ~((lenid & 15) + (lenid >> 4 & 15) + (lenid >> 8)) + 1;
    yd_show(frame + 9, (lchk & 15) << 12 | lenid, 4);
    for (size_t i = 1; i < n - 5; i++)
        sum += frame[i];
    yd_show(frame + n - 5, (~sum + 1) & 0xffff, 4);
    frame[n - 1] = '\r';
}

static inline size_t yd_resize(uint8_t *frame, size_t n, bool longer)
{
    if (!longer && n == 18)
        return n;
    if (longer)
        memset(frame + n - 5, '0', 2);
    n = longer ? n + 2 : n - 2;
    yd_seal(frame, n);
    return n;
}

static inline void yd_foreign(uint8_t *frame, size_t n)
{
    yd_show(frame + 3, yd_value(frame + 3, 2) + 1, 2);
    for (size_t i = 13; i + 6 < n; i += 2)
        yd_show(frame + i, yd_value(frame + i, 2) + 1, 2);
    yd_seal(frame, n);
}

static inline size_t yd_refuse(uint8_t *frame, size_t n, uint8_t code)
{
    (void)n;
    yd_show(frame + 7, code, 2);
    yd_seal(frame, 18);
    return 18;
}

/* Modbus over Serial Line V1.02, 2.5.1.2 */
static inline void rtu_seal(uint8_t *frame, size_t n)
{
    unsigned crc = 0xffff;
    for (size_t i = 0; i < n - 2; i++) {
        crc ^= frame[i];
        for (int k = 0; k < 8; k++)
            crc = crc & 1 ? crc >> 1 ^ 0xa001 : crc >> 1;
    }
    frame[n - 2] = (uint8_t)crc;
    frame[n - 1] = (uint8_t)(crc >> 8);
}

static inline size_t rtu_resize(uint8_t *frame, size_t n, bool longer)
{
    if (frame[1] > 4 || frame[2] < 2)
        return n;
    frame[2] = (uint8_t)(longer ? frame[2] + 2 : frame[2] - 2);
    n = longer ? n + 2 : n - 2;
    rtu_seal(frame, n);
    return n;
}

static inline void rtu_foreign(uint8_t *frame, size_t n)
{
    frame[0]++;
    for (size_t i = 3; i + 2 < n; i++)
        frame[i]++;
    rtu_seal(frame, n);
}

static inline size_t rtu_refuse(uint8_t *frame, size_t n, uint8_t code)
{
    (void)n;
    frame[1] |= 0x80;
    frame[2] = code;
    rtu_seal(frame, 5);
    return 5;
}

/* Modbus Messaging on TCP/IP V1.0b, 3.1.3 */
static inline size_t tcp_resize(uint8_t *frame, size_t n, bool longer)
{
    if (frame[7] > 4 || frame[8] < 2)
        return n;
    frame[8] = (uint8_t)(longer ? frame[8] + 2 : frame[8] - 2);
    n = longer ? n + 2 : n - 2;
    frame[5] = (uint8_t)(n - 6);
    return n;
}

static inline void tcp_foreign(uint8_t *frame, size_t n)
{
    for (size_t i = 9; i < n; i++)
        frame[i]++;
    frame[6]++;
}

static inline size_t tcp_refuse(uint8_t *frame, size_t n, uint8_t code)
{
    (void)n;
    frame[5] = 3;
    frame[7] |= 0x80;
    frame[8] = code;
    return 9;
}

/* DD, register, status, LEN, data, minus the sum from the status on, 77 */
static inline void dd_seal(uint8_t *frame, size_t n)
{
    unsigned sum = 0;
    for (size_t i = 2; i < n - 3; i++)
        sum += frame[i];
    frame[n - 3] = (uint8_t)(-sum >> 8);
    frame[n - 2] = (uint8_t)-sum;
    frame[n - 1] = 0x77;
}

/* The version, 05H, is a text of any length: another length is another text. */
static inline size_t dd_resize(uint8_t *frame, size_t n, bool longer)
{
    if (frame[3] == 0 || frame[1] == 0x05)
        return n;
    frame[3] = (uint8_t)(longer ? frame[3] + 1 : frame[3] - 1);
    if (longer)
        frame[n - 3] = 0;
    n = longer ? n + 1 : n - 1;
    dd_seal(frame, n);
    return n;
}

/* No address: what another board says is about another register. */
static inline void dd_foreign(uint8_t *frame, size_t n)
{
    frame[1]++;
    for (size_t i = 4; i + 3 < n; i++)
        frame[i]++;
    dd_seal(frame, n);
}

static inline size_t dd_refuse(uint8_t *frame, size_t n, uint8_t code)
{
    (void)n;
    frame[2] = code;
    frame[3] = 0;
    dd_seal(frame, 7);
    return 7;
}

/* A5, address, data id, 8, data, sum */
static inline size_t a5_length(const uint8_t *chunk, size_t n)
{
    (void)chunk;
    return MIN(n, 13);
}

static inline void a5_seal(uint8_t *frame)
{
    frame[12] = 0;
    for (int i = 0; i < 12; i++)
        frame[12] = (uint8_t)(frame[12] + frame[i]);
}

static inline size_t a5_resize(uint8_t *frame, size_t n, bool longer)
{
    if (n != 13 || longer)
        return n;
    frame[3] = 7;
    frame[11] = 0;
    for (int i = 0; i < 11; i++)
        frame[11] = (uint8_t)(frame[11] + frame[i]);
    return 12;
}

static inline void a5_foreign(uint8_t *frame, size_t n)
{
    (void)n;
    frame[1]++;
    for (int i = 5; i < 12; i++)
        frame[i]++;
    a5_seal(frame);
}

/* A record of the kernel's struct can_frame: id, number of bytes, three of padding, data. */
static inline size_t can_length(const uint8_t *chunk, size_t n)
{
    (void)chunk;
    return MIN(n, 16);
}

static inline size_t can_cut(uint8_t *record, size_t n, size_t by)
{
    record[4] = (uint8_t)(record[4] - MIN(by, record[4]));
    memset(record + 8 + record[4], 0, 8u - record[4]);
    return n;
}

/* The lowest byte of an id is who sends, or holds the node's number. */
static inline void can_foreign(uint8_t *record, size_t n)
{
    uint32_t id;
    (void)n;
    memcpy(&id, record, sizeof id);
    id++;
    memcpy(record, &id, sizeof id);
    for (int i = 12; i < 16; i++)
        record[i]++;
}

static inline size_t can_same(uint8_t *record, size_t n, bool longer)
{
    (void)record, (void)longer;
    return n;
}

/* CiA 301, 7.2.4.3: an expedited answer says how many bytes of its last four are none. */
static inline size_t sdo_resize(uint8_t *record, size_t n, bool longer)
{
    const unsigned unused = record[8] >> 2 & 3;
    if ((record[8] & 0xe3) == 0x43 && (longer ? unused > 0 : unused < 3))
        record[8] = (uint8_t)(0x43 | (longer ? unused - 1 : unused + 1) << 2);
    return n;
}

/* Abort 060900xxH */
static inline size_t sdo_refuse(uint8_t *record, size_t n, uint8_t code)
{
    const uint8_t abort[] = {code, 0x00, 0x09, 0x06};
    record[8] = 0x80;
    memcpy(record + 12, abort, sizeof abort);
    return n;
}

/* 7E, address, function, LEN, data, check, 0D */
static inline void tp_seal(uint8_t *frame, size_t n)
{
    unsigned sum = 0, folded = 0;
    for (size_t i = 0; i < n - 2; i++) {
        sum += frame[i];
        folded ^= frame[i];
    }
    frame[n - 2] = (uint8_t)(sum ^ folded);
    frame[n - 1] = 0x0d;
}

/* No document says how long the texts of 42H and 33H are: another length is another text. */
static inline size_t tp_resize(uint8_t *frame, size_t n, bool longer)
{
    if (frame[2] != 0x01)
        return n;
    frame[3] = (uint8_t)(longer ? frame[3] + 1 : frame[3] - 1);
    if (longer)
        frame[n - 2] = 0;
    n = longer ? n + 1 : n - 1;
    tp_seal(frame, n);
    return n;
}

static inline void tp_foreign(uint8_t *frame, size_t n)
{
    frame[1]++;
    frame[n - 3]++;
    tp_seal(frame, n);
}

static const struct bad_protocol bad_yd = {"", 13, 0, yd_length, bad_cut, yd_resize, yd_foreign, yd_refuse};
static const struct bad_protocol bad_rtu = {"", 3, 0, bad_all, bad_cut, rtu_resize, rtu_foreign, rtu_refuse};
/* TCP loses and damages nothing, and is no line that echoes. */
static const struct bad_protocol bad_tcp = {
    "flip cut-last cut-half tail lead echo", 9, 0, bad_all, bad_cut, tcp_resize, tcp_foreign, tcp_refuse};
static const struct bad_protocol bad_dd = {"", 4, 0, bad_all, bad_cut, dd_resize, dd_foreign, dd_refuse};
static const struct bad_protocol bad_a5 = {"refused", 4, 0, a5_length, bad_cut, a5_resize, a5_foreign, NULL};
static const struct bad_protocol bad_tp = {"refused", 4, 0, bad_all, bad_cut, tp_resize, tp_foreign, NULL};
/* The controllers of a bus check each frame. */
static const struct bad_protocol bad_can = {
    "flip long short echo refused", 8, 16, can_length, can_cut, can_same, can_foreign, NULL};

static const struct bad_protocol bad_sdo = {"flip echo", 8,          16,          can_length,
                                            can_cut,     sdo_resize, can_foreign, sdo_refuse};

static const char *const bad_awake[] = {"awake", NULL};
static const char *const bad_documented[] = {"as-documented", NULL};

static const struct bad_family bad_families[] = {
    {"basen", "basen-lt55", "basen", &bad_yd, NULL, BAD_NUMBERS},
    {"clever", "clever-176x33", "clever", &bad_yd, NULL, BAD_NUMBERS},
    {"topbms", "topbms-v17", "clever", &bad_yd, bad_documented, BAD_NOTHING},
    {"pace", "pace-25", "pace", &bad_yd, NULL, BAD_NUMBERS},
    {"monv4", "monv4-reference", "monv4", &bad_rtu, NULL, BAD_NUMBERS},
    {"mainx", "mainx-reference", "mainx", &bad_rtu, NULL, BAD_NUMBERS},
    {"mainx-tcp", "mainx-reference-tcp", "mainx-tcp", &bad_tcp, NULL, BAD_NUMBERS},
    {"seplos3", "seplos3", "seplos3", &bad_rtu, NULL, BAD_NUMBERS},
    {"daly-modbus", "daly-modbus-16s", "daly-modbus", &bad_rtu, NULL, BAD_NUMBERS},
    {"jbd", "jbd-sp04s020", "jbd", &bad_dd, NULL, BAD_NUMBERS},
    {"daly", "daly-uart-16s", "daly", &bad_a5, NULL, BAD_DEEDS},
    {"daly-can", "daly-can-16s", "daly-can", &bad_can, NULL, BAD_NOTHING},
    {"tianpower", "tianpower-16s", "tianpower", &bad_tp, NULL, BAD_NOTHING},
    {"rockets", "rockets-smart", "rockets", &bad_sdo, bad_awake, BAD_DEEDS},
    {NULL, NULL, NULL, NULL, NULL, BAD_NOTHING}};

static inline struct profile *bad_profile(const struct bad_family *family)
{
    g_autofree char *path = g_strdup_printf(SOURCE_DIR "/recipes/boards/%s.yaml", family->profile);
    g_autofree char *text = NULL;
    gsize n;
    g_assert_true(g_file_get_contents(path, &text, &n, NULL));
    g_autoptr(GBytes) bytes = g_bytes_new(text, n);
    g_autoptr(bind_report_auto) report = bind_report_new(path, bytes);
    struct profile *profile = profile_load(path, bytes, report);
    g_assert_nonnull(profile);
    return profile;
}
