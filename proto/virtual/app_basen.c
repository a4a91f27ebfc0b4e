/* The application of a basen board, written from docs/families/basen.md and the manual alone. */
#include "proto/virtual/app_basen.h"

#include <string.h>
#include <time.h>

static struct vb_app *app_new(void)
{
    return g_new0(struct vb_app, 1);
}

static void app_free(struct vb_app *app)
{
    g_free(app);
}

static void app_start(struct vboard *board, int64_t now_us)
{
    memset(board->app, 0, sizeof *board->app);
    board->app->heard_us = now_us;
    board->app->record_us = -((int64_t)1 << 60);
}

/* The manual's printed defaults, raw, in the order of its tables. Temperatures in 0.1 °C. */
static const int16_t protect_defaults[] = {3700, 1000, 3380, 2700, 1000,  2950, 5840,  1000, 5400, 4320, 1000,
                                           4720, 5600, 2000, 1100, 5000,  1250, 10000, 1500, 500,  1500, 500,
                                           650,  4000, 550,  700,  4000,  600,  -50,   4000, 0,    -200, 4000,
                                           -150, 1100, 4000, 850,  700,   4000, 650,   -250, 4000, -200, 3450,
                                           30,   300,  7200, 60,   28800, 4,    3150,  100,  50};
static const int16_t alarm_defaults[] = {3550, 2000, 3400, 2900, 2000, 2950, 5680, 1000,
                                         5500, 4640, 1000, 4720, 1050, 1000, 1000, 1100,
                                         1000, 1000, 600,  4000, 650,  0,    4000};
enum { GYRO_METHOD = 2, GYRO_ZERO = 4, GYRO_X = 6, GYRO_Z = 10, METHODS = 4 };
enum { FULL_AH = 2 * 51, REMAINING_AH = 2 * 52, LC_STYLE = 2 * 49 };

static void virgin(struct vb_nvm *nvm)
{
    static const struct {
        unsigned number, size;
    } layout[] = {{0x01, 106}, {0x02, 46},  {0x03, 20}, {0x04, 26},   {0x05, 8},
                  {0x06, 12},  {0x10, 113}, {0x07, 12}, {PASSWORD, 8}};
    for (unsigned i = 0; i < G_N_ELEMENTS(layout); i++)
        vb_block_add(nvm, i, layout[i].number, layout[i].size);
    for (unsigned i = 0; i < 53; i++)
        put16(nvm->blocks[0].bytes + 2 * i, protect_defaults[i]);
    for (unsigned i = 0; i < 23; i++)
        put16(nvm->blocks[1].bytes + 2 * i, alarm_defaults[i]);
    uint8_t *config = nvm->blocks[2].bytes;
    put32(config, 100000);
    put32(config + 4, 50000);
    put32(config + 8, 100000);
    config[12] = 16;
    put16(config + 14, 60);
    put16(config + 16, 0x0104);
    memset(nvm->blocks[3].bytes, 1, 26);
    nvm->blocks[4].bytes[0] = 1;
    put16(nvm->blocks[4].bytes + 4, 48);
    put16(nvm->blocks[5].bytes + 2, GAIN_ONE);
    memset(nvm->blocks[6].bytes, 0xff, 113);
    static const int16_t lies[] = {-3, 4, 998}; /* a little out of level */
    for (unsigned i = 0; i < 3; i++)
        put16(nvm->blocks[7].bytes + GYRO_X + 2 * i, lies[i]);
}

static void factory(struct vboard *board)
{
    virgin(&board->nvm);
    struct vb_block *identity = vb_block(&board->nvm, 0x10);
    if (vb_defect(board, "foreign-sn"))
        memcpy(identity->bytes, "OTHER-SN-1                    ", 30);
    if (vb_defect(board, "same-sn")) {
        g_autofree char *sn =
            g_strdup_printf("BSN%08u%19s", (unsigned)vb_defect_number(board, "same-sn", 1), "");
        memcpy(identity->bytes, sn, 30);
    }
}

static void correction(const struct vboard *board, struct vb_correction *correction)
{
    const uint8_t *p = vb_block((struct vb_nvm *)&board->live, 0x06)->bytes;
    correction->zero_ma = (int16_t)get16(p) * 10;
    correction->gain_num = (int64_t)get16(p + 2);
    correction->gain_den = GAIN_ONE;
    for (unsigned i = 0; i < VB_SENSORS; i++)
        correction->heat_mdeg[i] = (int8_t)p[4 + i] * 100;
}

static int64_t board_time_us(const struct vboard *board, int64_t now_us)
{
    int64_t passed = now_us - board->rtc_at_us;
    return board->nvm.rtc_us + passed + passed * DRIFT_PPM / 1000000;
}

static void put_time(uint8_t *p, int64_t wall_us)
{
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    p[0] = (uint8_t)(tm.tm_year - 100);
    p[1] = (uint8_t)(tm.tm_mon + 1);
    p[2] = (uint8_t)tm.tm_mday;
    p[3] = (uint8_t)tm.tm_hour;
    p[4] = (uint8_t)tm.tm_min;
    p[5] = (uint8_t)tm.tm_sec;
}

static uint8_t set_time(struct vboard *board, const uint8_t *p, int64_t now_us)
{
    struct tm tm = {.tm_year = p[0] + 100,
                    .tm_mon = p[1] - 1,
                    .tm_mday = p[2],
                    .tm_hour = p[3],
                    .tm_min = p[4],
                    .tm_sec = p[5]};
    struct tm asked = tm;
    time_t seconds = timegm(&tm);
    if (tm.tm_mon != asked.tm_mon || tm.tm_mday != asked.tm_mday || tm.tm_hour != asked.tm_hour || p[5] > 59)
        return BAD_DATA;
    if (vb_defect(board, "rtc-stuck"))
        return OK;
    board->nvm.rtc_us = (int64_t)seconds * 1000000;
    board->rtc_at_us = now_us;
    vb_dirty(board, now_us);
    return OK;
}

static void out_text(struct vboard *board, const char *text, unsigned width)
{
    uint8_t *p = board->app->reply + board->app->reply_n;
    memset(p, ' ', width);
    memcpy(p, text, MIN(strlen(text), width));
    board->app->reply_n += width;
}

static uint8_t limits_47(struct vboard *board)
{
    const uint8_t *config = vb_block(&board->live, 0x03)->bytes;
    out8(board, 0);
    out16(board, 3650);
    out16(board, 2500);
    out16(board, 115);
    out16(board, 45);
    out16(board, 12000);
    out16(board, 3650);
    out16(board, 2500);
    out16(board, config[12]);
    out16(board, 12000);
    out16(board, MIN(get32(config + 8) / 10, 0xffff));
    out16(board, get16(config + 14));
    out16(board, 0);
    memcpy(board->app->reply + board->app->reply_n, vb_block(&board->live, 0x10)->bytes + 30, 20);
    memcpy(board->app->reply + board->app->reply_n + 20, vb_block(&board->live, 0x10)->bytes + 60, 20);
    board->app->reply_n += 40;
    return OK;
}

static uint8_t version_51(struct vboard *board)
{
    char version[17], product[17];
    g_auto(GStrv) parts = NULL;
    vb_flash_intact(board, version, product);
    parts = g_strsplit(version, ".", 3);
    out_text(board, vb_defect(board, "wrong-hardware") ? "HY-PT009" : "HY-PT003", 10);
    out_text(board, vb_defect(board, "wrong-product") ? "B300HT60" : product, 10);
    out_text(board, "HOME", 10);
    for (unsigned i = 0, given = g_strv_length(parts); i < 3; i++)
        out8(board, i < given ? (unsigned)g_ascii_strtoull(parts[i], NULL, 10) : 0);
    out8(board, 3);
    out8(board, 1);
    return OK;
}

static uint8_t module_b0(struct vboard *board, const uint8_t *info, unsigned n)
{
    if (n != 5 || info[1] != 0x01 || info[4] != 0)
        return BAD_FORMAT;
    if (info[2] != 3)
        return BAD_DATA;
    out8(board, 0xb0);
    for (unsigned i = 0; i < 4; i++)
        out8(board, info[i]);
    out8(board, 113);
    memcpy(board->app->reply + board->app->reply_n, vb_block(&board->live, 0x10)->bytes, 113);
    board->app->reply_n += 113;
    return OK;
}

static uint8_t login(struct vboard *board, const uint8_t *info, unsigned n)
{
    struct vb_app *app = board->app;
    char given[9] = "";
    if (n != 9)
        return BAD_FORMAT;
    if (app->wrong_logins >= TRIES_MAX)
        return FAILED;
    memcpy(given, info + 1, 8);
    const uint8_t *own = vb_block(&board->live, PASSWORD)->bytes;
    bool good =
        own[0] ? memcmp(given, own, 8) == 0 : strcmp(given, "888888") == 0 || strcmp(given, "666666") == 0;
    if (vb_defect(board, "wrong-password"))
        good = strcmp(given, "135790") == 0;
    if (info[0] == 0) {
        app->level = 0;
        return OK;
    }
    if (!good) {
        app->wrong_logins++;
        return NO_PERMISSION;
    }
    app->level = 1;
    return OK;
}

static uint8_t read_block(struct vboard *board, const uint8_t *info, unsigned n)
{
    const struct vb_block *block = n == 4 ? vb_block(&board->live, info[0]) : NULL;
    if (n != 4)
        return BAD_FORMAT;
    unsigned offset = get16(info + 1), count = info[3];
    if (!block || count == 0 || offset + count > block->size)
        return BAD_DATA;
    memcpy(board->app->reply, info, 4);
    memcpy(board->app->reply + 4, block->bytes + offset, count);
    board->app->reply_n = 4 + count;
    return OK;
}

/* The Z axis is shown from its zero on. */
static uint8_t read_gyro(struct vboard *board, const uint8_t *info, unsigned n)
{
    uint8_t *bytes = vb_block(&board->live, 0x07)->bytes, z[2] = {bytes[GYRO_Z], bytes[GYRO_Z + 1]};
    put16(bytes + GYRO_Z, (int16_t)get16(z) - (int16_t)get16(bytes + GYRO_ZERO));
    const uint8_t rtn = read_block(board, info, n);
    memcpy(bytes + GYRO_Z, z, sizeof z);
    return rtn;
}

/* Two units of one storage: whichever was written shows in the other. */
static void mirror_capacity(struct vboard *board, unsigned number, unsigned offset, unsigned count)
{
    uint8_t *protect = vb_block(&board->live, 0x01)->bytes, *config = vb_block(&board->live, 0x03)->bytes;
    if (number == 0x01 && offset <= FULL_AH && offset + count >= FULL_AH + 2)
        put32(config, (uint64_t)get16(protect + FULL_AH) * 1000);
    if (number == 0x01 && offset <= REMAINING_AH && offset + count >= REMAINING_AH + 2)
        put32(config + 4, (uint64_t)get16(protect + REMAINING_AH) * 1000);
    if (number == 0x03) {
        put16(protect + FULL_AH, get32(config) / 1000);
        put16(protect + REMAINING_AH, get32(config + 4) / 1000);
    }
}

static bool acceptable(const struct vb_block *block, const uint8_t *bytes)
{
    if (block->number == 0x01) {
        unsigned style = get16(bytes + LC_STYLE);
        return style == 0 || style == 3 || style == 4 || style == 5 || style == 10;
    }
    if (block->number == 0x03)
        return bytes[12] >= CELLS_MIN && bytes[12] <= CELLS_MAX &&
               get16(bytes + 16) == get16(block->bytes + 16);
    if (block->number == 0x05)
        return bytes[6] == block->bytes[6];
    if (block->number == 0x07)
        return bytes[GYRO_METHOD] < METHODS && memcmp(bytes + GYRO_X, block->bytes + GYRO_X, 6) == 0;
    return block->number != 0x06;
}

static uint8_t write_block(struct vboard *board, const uint8_t *info, unsigned n, int64_t now_us)
{
    struct vb_block *block = n > 4 ? vb_block(&board->live, info[0]) : NULL;
    uint8_t bytes[VB_BLOCK_MAX];
    if (n < 5 || n != 4u + info[3])
        return BAD_FORMAT;
    if (board->app->level < 1)
        return NO_PERMISSION;
    unsigned offset = get16(info + 1), count = info[3];
    if (!block || offset + count > block->size)
        return BAD_DATA;
    memcpy(bytes, block->bytes, block->size);
    memcpy(bytes + offset, info + 4, count);
    if (!acceptable(block, bytes))
        return BAD_DATA;
    if (block->number == 0x05)
        for (unsigned i = 0; i < 4; i++)
            if (block->bytes[i] && !bytes[i])
                return NO_PERMISSION;
    if (vb_defect(board, "busy"))
        return FAILED;
    if (block->number == 0x01 && vb_defect(board, "ack-param-no-write"))
        return OK;
    if (block->number == 0x01 && vb_defect(board, "clamp-parameter") && get16(bytes) > 3600)
        put16(bytes, 3600);
    memcpy(block->bytes, bytes, block->size);
    mirror_capacity(board, block->number, offset, count);
    board->commit_us = now_us + vb_ms(board, COMMIT_MS);
    return OK;
}

static uint8_t control(struct vboard *board, const uint8_t *info, unsigned n, int64_t now_us)
{
    struct vb_app *app = board->app;
    if (n != 2)
        return BAD_FORMAT;
    bool admin = app->level >= 1;
    switch (info[0]) {
    case 1:
        vb_change_mode(board, VB_STARTING, now_us + vb_ms(board, 100));
        return OK;
    case 2:
        if (!admin)
            return NO_PERMISSION;
        vb_change_mode(board, VB_BOOTLOADER, now_us + vb_ms(board, 100));
        return OK;
    case 3:
        if (vb_current_ma(board, false) > 500)
            return FAILED;
        vb_change_mode(board, VB_ASLEEP, now_us + vb_ms(board, 50));
        return OK;
    case 4: {
        if (!admin)
            return NO_PERMISSION;
        g_autofree struct vb_nvm *fresh = g_new0(struct vb_nvm, 1);
        virgin(fresh);
        memcpy(board->live.blocks, fresh->blocks, 5 * sizeof fresh->blocks[0]);
        board->commit_us = now_us + vb_ms(board, COMMIT_MS);
        return OK;
    }
    case 5:
    case 6:
        if (!admin)
            return NO_PERMISSION;
        if (!vb_defect(board, "no-remote-control"))
            *(info[0] == 5 ? &app->charge_off : &app->discharge_off) = info[1] == 0;
        return OK;
    case 7:
        if (!admin)
            return NO_PERMISSION;
        memset(vb_block(&board->live, 0x10)->bytes + 60, 0xff, 30);
        board->commit_us = now_us + vb_ms(board, COMMIT_MS);
        return OK;
    default:
        return BAD_DATA;
    }
}

static uint8_t antitheft(struct vboard *board, const uint8_t *info, unsigned n, int64_t now_us)
{
    struct vb_app *app = board->app;
    if (n != 7 || info[0] != 0x01)
        return BAD_FORMAT;
    if (app->wrong_codes >= TRIES_MAX)
        return FAILED;
    if (memcmp(info + 1, "654321", 6) != 0) {
        app->wrong_codes++;
        return NO_PERMISSION;
    }
    uint8_t *theft = vb_block(&board->live, 0x05)->bytes;
    if (!vb_defect(board, "antitheft-stuck"))
        memset(theft, 0, 4);
    theft[6] = 0;
    board->commit_us = now_us + vb_ms(board, COMMIT_MS);
    return OK;
}

static void put_record(struct vboard *board, unsigned index, int64_t now_us)
{
    uint8_t *p = board->app->reply + 1;
    unsigned newest = board->nvm.history_first_id + board->nvm.history_count - 1;
    int64_t sum = 0, high = 0, low = INT64_MAX;
    for (unsigned i = 0; i < 16; i++) {
        int64_t mv = vb_cell_mv(board, i);
        sum += mv;
        high = MAX(high, mv);
        low = MIN(low, mv);
    }
    board->app->reply[0] = 0x01;
    put32(p, newest - index);
    put_time(p + 4, board_time_us(board, now_us) - (int64_t)index * 3600000000);
    put16(p + 10, index + 1 == board->nvm.history_count ? 2 : 1);
    p[12] = 16;
    put16(p + 13, sum / 10);
    put16(p + 15, 0);
    p[17] = 50;
    put16(p + 18, high);
    put16(p + 20, low);
    put16(p + 22, vb_temperature_mdeg(board, 0) / 100);
    board->app->reply_n = 25;
}

static uint8_t history(struct vboard *board, const uint8_t *info, unsigned n, int64_t now_us)
{
    struct vb_app *app = board->app;
    if (n != 1)
        return BAD_FORMAT;
    switch (info[0]) {
    case 1:
        app->history_open = true;
        app->record = 0;
        app->record_us = -((int64_t)1 << 60);
        out16(board, board->nvm.history_count);
        return OK;
    case 2:
        if (!app->history_open)
            return NO_HISTORY;
        if (now_us - app->record_us < (board->fast ? HISTORY_MS * 100 : HISTORY_MS * 1000))
            return FAILED;
        app->record_us = now_us;
        if (app->record < board->nvm.history_count)
            put_record(board, app->record++, now_us);
        else
            out8(board, 0x00);
        return OK;
    case 3:
        app->history_open = false;
        return OK;
    case 4:
        if (app->level < 1)
            return NO_PERMISSION;
        board->nvm.history_first_id += board->nvm.history_count;
        board->nvm.history_count = 0;
        vb_dirty(board, now_us);
        return OK;
    default:
        return BAD_DATA;
    }
}

static uint8_t change_password(struct vboard *board, const uint8_t *info, unsigned n, int64_t now_us)
{
    uint8_t old[9];
    if (n != 17 || info[0] == 0) /* level 0 is a logout and knows no password */
        return BAD_FORMAT;
    memcpy(old, info, 9);
    uint8_t rtn = login(board, old, 9);
    if (rtn != OK)
        return rtn;
    memcpy(vb_block(&board->live, PASSWORD)->bytes, info + 9, 8);
    board->commit_us = now_us + vb_ms(board, COMMIT_MS);
    return OK;
}

static uint8_t serve(struct vboard *board, uint8_t cid2, const uint8_t *info, unsigned n, int64_t now_us)
{
    board->app->reply_n = 0;
    switch (cid2) {
    case 0x42:
        return n == 1 && info[0] == board->address ? basen_telemetry(board) : BAD_DATA;
    case 0x47:
        return n == 1 && info[0] == board->address ? limits_47(board) : BAD_DATA;
    case 0x4f:
        out8(board, 0xc8);
        return OK;
    case 0x51:
        return version_51(board);
    case 0xb0:
        return module_b0(board, info, n);
    case 0xd0:
        return login(board, info, n);
    case 0xd1:
        return n && info[0] == 0x07 ? read_gyro(board, info, n) : read_block(board, info, n);
    case 0xd2:
        return write_block(board, info, n, now_us);
    case 0xd3:
        put_time(board->app->reply, board_time_us(board, now_us));
        board->app->reply_n = 6;
        return OK;
    case 0xd4:
        return n != 6 ? BAD_FORMAT : board->app->level < 1 ? NO_PERMISSION : set_time(board, info, now_us);
    case 0xd5:
        return control(board, info, n, now_us);
    case 0xd6:
        return basen_calibrate(board, info, n, now_us);
    case 0xd7:
        return antitheft(board, info, n, now_us);
    case 0xd8:
        return history(board, info, n, now_us);
    case 0xd9:
        memcpy(board->app->reply, board->nvm.unique_id, 12);
        board->app->reply_n = 12;
        return OK;
    case 0xda:
        return change_password(board, info, n, now_us);
    default:
        return BAD_COMMAND;
    }
}

static void app_byte(struct vboard *board, uint8_t byte, int64_t now_us)
{
    struct vb_app *app = board->app;
    struct vb_request request;
    if (!vb_ascii_take(&app->line, byte, &request) || request.address != board->address)
        return;
    app->heard_us = now_us;
    app->reply_n = 0;
    const uint8_t rtn = request.version != 0x22     ? 0x01
                        : request.equipment != 0x4a ? BAD_CID1
                        : request.n > INFO_MAX
                            ? BAD_DATA
                            : serve(board, (uint8_t)request.command, request.info, request.n, now_us);
    struct vb_answer answer = {
        .version = 0x22, .address = board->address, .equipment = 0x4a, .code = rtn, .n = app->reply_n};
    memcpy(answer.info, app->reply, app->reply_n);
    vb_ascii_send(board, &answer, now_us + vb_ms(board, REPLY_MS));
}

static void app_tick(struct vboard *board, int64_t now_us)
{
    uint8_t *theft = vb_block(&board->live, 0x05)->bytes;
    int64_t hours = get16(theft + 4) ? get16(theft + 4) : SILENCE_H;
    if (theft[0] && !theft[6] && now_us - board->app->heard_us > hours * 3600000000) {
        theft[6] = 1;
        board->commit_us = now_us + vb_ms(board, COMMIT_MS);
    }
}

const struct vb_family vb_family_basen = {.name = "basen",
                                          .factory = factory,
                                          .app_new = app_new,
                                          .app_free = app_free,
                                          .app_start = app_start,
                                          .app_byte = app_byte,
                                          .app_tick = app_tick,
                                          .correction = correction,
                                          .cells = 16,
                                          .parameters = 0x01};
