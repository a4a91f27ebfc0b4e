/* The application of a clever board, written from docs/families/clever.md, the manual and the published
 * document alone. */
#include "proto/virtual/app_clever.h"

#include <string.h>
#include <time.h>

#define REPLY_MS      2
#define COMMIT_MS     20
#define TRIES_MAX     3
#define RECORD_MS     400
#define RECORD_SIZE   24
#define DRIFT_PPM     20
#define CELLS_MAX     176
#define PACKS_MAX     8
#define FLOWS_MA      500
#define EQUIPMENT     0x46
#define TEST_FIRMWARE "0.9.0" /* what a board comes with: the maker's 3.81 */

/* A board that knows what is published, and nothing else. */
static bool published(const struct vboard *board)
{
    return board->family == &vb_family_topbms;
}

uint8_t *clever_bytes(struct vboard *board, enum clever_block number)
{
    return vb_block(&board->live, number)->bytes;
}

unsigned clever_sensors(const struct vboard *board)
{
    return (unsigned)CLAMP(vb_defect_number(board, "sensors", VB_SENSORS), 2, VB_SENSORS_MAX);
}

static struct vb_app *app_new(void)
{
    return g_new0(struct vb_app, 1);
}

static void app_free(struct vb_app *app)
{
    g_free(app);
}

static void put_text(uint8_t *p, const char *text, unsigned width)
{
    memset(p, ' ', width);
    memcpy(p, text, MIN(strlen(text), width));
}

static void app_start(struct vboard *board, int64_t now_us)
{
    memset(board->app, 0, sizeof *board->app);
    board->app->stored_us = now_us;
    board->app->record_us = -((int64_t)1 << 60);
    char version[17], product[17];
    if (vb_flash_intact(board, version, product) && strcmp(version, TEST_FIRMWARE) != 0)
        put_text(clever_bytes(board, CLEVER_ABOUT) + 28, version, 10);
}

/* A set for 16 LFP cells of 100 Ah: the manual prints none. Widths in bytes; temperatures in °C. */
struct field {
    unsigned width;
    int64_t value;
};
static const struct field parameter_fields[] = {
    {1, 1},      {1, 16},     {2, 100},    {4, 100000}, {2, 3400},  {2, 20},    {2, 3550}, {2, 3450},
    {2, 2900},   {2, 3000},   {4, 56800},  {4, 55200},  {4, 46400}, {4, 48000}, {1, 60},   {1, 0},
    {4, 105000}, {4, 100000}, {4, 105000}, {4, 100000}, {2, 500},   {2, 300}};
static const struct field protect_fields[] = {
    {2, 3650},   {2, 3400},   {2, 2700},   {2, 2950},   {4, 58400},  {4, 54400},  {4, 43200}, {4, 47200},
    {1, 65},     {1, 55},     {1, -5},     {1, 0},      {1, 70},     {1, 60},     {1, -20},   {1, -15},
    {1, 70},     {1, 65},     {1, -25},    {1, -20},    {1, 110},    {1, 85},     {1, -30},   {1, -25},
    {4, 110000}, {4, 100000}, {4, 120000}, {4, 100000}, {4, 150000}, {4, 100000}, {4, 20000}};

static void fill(struct vb_nvm *nvm, enum clever_block number, const struct field *fields, unsigned n)
{
    uint8_t *p = vb_block(nvm, number)->bytes;
    for (unsigned i = 0; i < n; p += fields[i++].width)
        vb_put(p, fields[i].value, fields[i].width);
}

/* What "restore default parameters" restores: the parameter page, and nothing of the others. */
static void restore(struct vb_nvm *nvm)
{
    static const uint8_t other[] = {2, 0, 0, 0, 0, 150};
    fill(nvm, CLEVER_PARAMETER, parameter_fields, G_N_ELEMENTS(parameter_fields));
    fill(nvm, CLEVER_PROTECT, protect_fields, G_N_ELEMENTS(protect_fields));
    memset(vb_block(nvm, CLEVER_ENABLE)->bytes, 1, 35);
    memcpy(vb_block(nvm, CLEVER_OTHER)->bytes, other, sizeof other);
}

static void factory(struct vboard *board)
{
    static const struct {
        unsigned number, size;
    } layout[] = {{CLEVER_PARAMETER, 58},
                  {CLEVER_PROTECT, 68},
                  {CLEVER_ENABLE, 35},
                  {CLEVER_OTHER, 6},
                  {CLEVER_SYSTEM, 24},
                  {CLEVER_CALIBRATION, 36},
                  {CLEVER_LOGS, 8},
                  {CLEVER_PASSWORD, CLEVER_PASSWORD_BYTES},
                  {CLEVER_BARCODE, 30},
                  {CLEVER_ABOUT, 51},
                  {CLEVER_PRODUCT, CLEVER_PRODUCT_BYTES}};
    struct vb_nvm *nvm = &board->nvm;
    for (unsigned i = 0; i < G_N_ELEMENTS(layout); i++)
        vb_block_add(nvm, i, layout[i].number, layout[i].size);
    restore(nvm);
    uint8_t *system = vb_block(nvm, CLEVER_SYSTEM)->bytes;
    vb_put(system + AT_FULL, 100000, 4);
    vb_put(system + AT_REMAINING, 50000, 4);
    vb_put(vb_block(nvm, CLEVER_LOGS)->bytes, 1, 2);
    vb_put(vb_block(nvm, CLEVER_LOGS)->bytes + 4, 1, 2);
    vb_put(vb_block(nvm, CLEVER_LOGS)->bytes + 6, 2, 2); /* alarms of the maker's own test */
    memcpy(vb_block(nvm, CLEVER_PASSWORD)->bytes, "AF123456", CLEVER_PASSWORD_BYTES);
    uint8_t *about = vb_block(nvm, CLEVER_ABOUT)->bytes;
    put_text(about, vb_defect(board, "wrong-product") ? "CLV-OTHER" : "CLV-176X33", 20);
    if (published(board) && vb_defect(board, "wrong-product"))
        vb_block(nvm, CLEVER_PARAMETER)->bytes[AT_CELLS] = 8;
    put_text(about + 20, vb_defect(board, "wrong-hardware") ? "V1.0" : "V3.0", 8);
    put_text(about + 28, "3.81", 10);
    memcpy(about + 38, nvm->unique_id, 12);
    about[AT_SERIAL_UPGRADE] = !vb_defect(board, "can-upgrade");
    memset(vb_block(nvm, CLEVER_BARCODE)->bytes, ' ', CLEVER_TEXT);
    memset(vb_block(nvm, CLEVER_PRODUCT)->bytes, ' ', CLEVER_PRODUCT_BYTES);
    uint8_t *sn = vb_block(nvm, CLEVER_PRODUCT)->bytes + (size_t)5 * CLEVER_TEXT;
    if (vb_defect(board, "foreign-sn"))
        put_text(sn, "OTHER-SN-1", CLEVER_TEXT);
    if (vb_defect(board, "same-sn")) {
        g_autofree char *text = g_strdup_printf("CLV%08u", (unsigned)vb_defect_number(board, "same-sn", 1));
        put_text(sn, text, CLEVER_TEXT);
    }
}

static void correction(const struct vboard *board, struct vb_correction *correction)
{
    if (published(board)) { /* nothing published calibrates: it comes calibrated */
        vb_true_correction(board, correction);
        return;
    }
    const uint8_t *p = clever_bytes((struct vboard *)board, CLEVER_CALIBRATION);
    correction->zero_ma = (int16_t)vb_get(p + AT_ZERO, 2) * 10;
    for (unsigned i = 0; i < VB_SENSORS_MAX; i++)
        correction->heat_mdeg[i] = (int8_t)p[AT_HEAT + i] * 100;
}

static int64_t board_time_us(const struct vboard *board, int64_t now_us)
{
    int64_t passed = now_us - board->rtc_at_us;
    return board->nvm.rtc_us + passed + passed * DRIFT_PPM / 1000000;
}

static uint8_t read_clock(struct vboard *board, int64_t now_us)
{
    time_t seconds = (time_t)(board_time_us(board, now_us) / 1000000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    const int parts[] = {tm.tm_year - 100, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec};
    for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++)
        vb_add(&board->app->answer, parts[i], 1);
    return CLEVER_OK;
}

static uint8_t set_clock(struct vboard *board, const uint8_t *p, int64_t now_us)
{
    struct tm tm = {.tm_year = p[0] + 100, .tm_mon = p[1] - 1, .tm_mday = p[2]};
    tm.tm_hour = p[3];
    tm.tm_min = p[4];
    tm.tm_sec = p[5];
    struct tm asked = tm;
    time_t seconds = timegm(&tm);
    if (tm.tm_mon != asked.tm_mon || tm.tm_mday != asked.tm_mday || tm.tm_hour != asked.tm_hour || p[5] > 59)
        return CLEVER_BAD_DATA;
    if (vb_defect(board, "rtc-stuck"))
        return CLEVER_OK;
    board->nvm.rtc_us = (int64_t)seconds * 1000000;
    board->rtc_at_us = now_us;
    vb_dirty(board, now_us);
    return CLEVER_OK;
}

/* Whether a login is asked for at all is not known: by default the password is the tool's own affair. */
static bool locked(const struct vboard *board)
{
    return vb_defect(board, "board-password") && !board->app->unlocked;
}

static uint8_t login(struct vboard *board, const uint8_t *info, unsigned n)
{
    const uint8_t *password = clever_bytes(board, CLEVER_PASSWORD);
    if (n != 1 + CLEVER_PASSWORD_BYTES)
        return CLEVER_BAD_FORMAT;
    if (board->app->wrong_logins >= TRIES_MAX)
        return CLEVER_FAILED;
    board->app->unlocked = info[0] && memcmp(info + 1, password, CLEVER_PASSWORD_BYTES) == 0;
    if (info[0] && !board->app->unlocked) {
        board->app->wrong_logins++;
        return CLEVER_NO_PERMISSION;
    }
    return CLEVER_OK;
}

static uint8_t change_password(struct vboard *board, const uint8_t *info, unsigned n, int64_t now_us)
{
    if (n != 1 + 2 * CLEVER_PASSWORD_BYTES || info[0] == 0)
        return CLEVER_BAD_FORMAT;
    uint8_t rtn = login(board, info, 1 + CLEVER_PASSWORD_BYTES);
    if (rtn != CLEVER_OK)
        return rtn;
    memcpy(clever_bytes(board, CLEVER_PASSWORD), info + 1 + CLEVER_PASSWORD_BYTES, CLEVER_PASSWORD_BYTES);
    board->commit_us = now_us + vb_ms(board, COMMIT_MS);
    return CLEVER_OK;
}

static struct vb_block *numbered(struct vboard *board, unsigned number)
{
    return number == CLEVER_PRODUCT || number == CLEVER_LOGS || number == CLEVER_PASSWORD
               ? NULL
               : vb_block(&board->live, number);
}

static uint8_t read_block(struct vboard *board, const uint8_t *info, unsigned n)
{
    struct vb_answer *a = &board->app->answer;
    const struct vb_block *block = n == 4 ? numbered(board, info[0]) : NULL;
    if (n != 4)
        return CLEVER_BAD_FORMAT;
    unsigned offset = vb_get(info + 1, 2), count = info[3];
    if (!block || count == 0 || offset + count > block->size)
        return CLEVER_BAD_DATA;
    memcpy(a->info, info, 4);
    memcpy(a->info + 4, block->bytes + offset, count);
    a->n = 4 + count;
    return CLEVER_OK;
}

static bool acceptable(const struct vb_block *block, const uint8_t *bytes)
{
    switch (block->number) {
    case CLEVER_PARAMETER:
        return bytes[AT_CELLS] >= 1 && bytes[AT_CELLS] <= CELLS_MAX && bytes[0] >= 1 && bytes[0] <= PACKS_MAX;
    case CLEVER_OTHER:
        return bytes[AT_BALANCE] <= 3 && bytes[AT_RS485] < 6 && bytes[AT_CAN] < 10 && bytes[AT_RESTORE] <= 1;
    case CLEVER_SYSTEM:
        return memcmp(bytes + 16, block->bytes + 16, 8) == 0; /* totals count by themselves */
    case CLEVER_ENABLE:
        for (unsigned i = 0; i < block->size; i++)
            if (bytes[i] > 1)
                return false;
        return true;
    default:
        return block->number == CLEVER_PROTECT || block->number == CLEVER_BARCODE;
    }
}

static uint8_t write_block(struct vboard *board, const uint8_t *info, unsigned n, int64_t now_us)
{
    struct vb_block *block = n > 4 ? numbered(board, info[0]) : NULL;
    uint8_t bytes[VB_BLOCK_MAX];
    if (n < 5 || n != 4u + info[3])
        return CLEVER_BAD_FORMAT;
    if (locked(board))
        return CLEVER_NO_PERMISSION;
    unsigned offset = vb_get(info + 1, 2), count = info[3];
    if (!block || offset + count > block->size)
        return CLEVER_BAD_DATA;
    memcpy(bytes, block->bytes, block->size);
    memcpy(bytes + offset, info + 4, count);
    if (!acceptable(block, bytes))
        return CLEVER_BAD_DATA;
    if (vb_defect(board, "busy"))
        return CLEVER_FAILED;
    bool parameter = block->number == CLEVER_PROTECT;
    if (parameter && vb_defect(board, "ack-param-no-write"))
        return CLEVER_OK;
    if (parameter && vb_defect(board, "clamp-parameter") && vb_get(bytes, 2) > 3600)
        vb_put(bytes, 3600, 2);
    memcpy(block->bytes, bytes, block->size);
    /* Once ticked, whatever else was typed is ignored. */
    if (clever_bytes(board, CLEVER_OTHER)[AT_RESTORE])
        restore(&board->live);
    board->commit_us = now_us + vb_ms(board, COMMIT_MS);
    return CLEVER_OK;
}

static uint8_t read_product(struct vboard *board, const uint8_t *info, unsigned n)
{
    struct vb_answer *a = &board->app->answer;
    if (n != 1)
        return CLEVER_BAD_FORMAT;
    if (info[0] != board->address)
        return CLEVER_NOT_WRITTEN;
    vb_add(a, board->address, 1);
    memcpy(a->info + 1, clever_bytes(board, CLEVER_PRODUCT), CLEVER_PRODUCT_BYTES);
    a->n += CLEVER_PRODUCT_BYTES;
    return CLEVER_OK;
}

static uint8_t write_product(struct vboard *board, const uint8_t *info, unsigned n, int64_t now_us)
{
    if (n != 1 + CLEVER_PRODUCT_BYTES)
        return CLEVER_BAD_FORMAT;
    if (info[0] != board->address || vb_defect(board, "busy"))
        return CLEVER_NOT_WRITTEN;
    memcpy(clever_bytes(board, CLEVER_PRODUCT), info + 1, CLEVER_PRODUCT_BYTES);
    board->commit_us = now_us + vb_ms(board, COMMIT_MS);
    return CLEVER_OK;
}

/* A FET switched off against the current would carry it through its body diode. */
static uint8_t switch_fet(struct vboard *board, bool charge, bool on)
{
    int64_t ma = vb_current_ma(board, false);
    if (!on && (charge ? ma < -FLOWS_MA : ma > FLOWS_MA))
        return CLEVER_FAILED;
    *(charge ? &board->app->charge_off : &board->app->discharge_off) = !on;
    return CLEVER_OK;
}

static uint8_t control(struct vboard *board, const uint8_t *info, unsigned n, int64_t now_us)
{
    if (n != 2)
        return CLEVER_BAD_FORMAT;
    if (info[0] != 1 && locked(board))
        return CLEVER_NO_PERMISSION;
    switch (info[0]) {
    case 1:
        vb_change_mode(board, VB_STARTING, now_us + vb_ms(board, 100));
        return CLEVER_OK;
    case 2:
        if (!clever_bytes(board, CLEVER_ABOUT)[AT_SERIAL_UPGRADE])
            return CLEVER_BAD_DATA;
        vb_change_mode(board, VB_BOOTLOADER, now_us + vb_ms(board, 100));
        return CLEVER_OK;
    case 3:
        vb_change_mode(board, VB_ASLEEP, now_us + vb_ms(board, 50));
        return CLEVER_OK;
    case 5:
    case 6:
        return switch_fet(board, info[0] == 5, info[1] != 0);
    case 8:
        if (info[1] && !clever_may_limit(board))
            return CLEVER_FAILED;
        board->app->limiting = info[1] != 0;
        board->app->limit_us = info[1] ? now_us : now_us + 1000000;
        return CLEVER_OK;
    default:
        return CLEVER_BAD_DATA;
    }
}

/* Data records (0) and alarm records (1). */
static uint8_t log_next(struct vboard *board, unsigned log, int64_t now_us)
{
    struct vb_app *app = board->app;
    const uint8_t *counts = clever_bytes(board, CLEVER_LOGS) + (size_t)4 * log;
    unsigned first = vb_get(counts, 2), count = vb_get(counts + 2, 2);
    if (!app->log_open[log])
        return CLEVER_NO_HISTORY;
    if (now_us - app->record_us < (board->fast ? RECORD_MS * 100 : RECORD_MS * 1000))
        return CLEVER_FAILED;
    app->record_us = now_us;
    if (app->record[log] >= count) {
        vb_add(&app->answer, 0, 1);
        return CLEVER_OK;
    }
    unsigned back = app->record[log]++;
    vb_add(&app->answer, 1, 1);
    clever_record(board, app->answer.info + 1, first + count - 1 - back, log ? 0x10 : 1,
                  board_time_us(board, now_us) - (int64_t)back * 60000000);
    app->answer.n += RECORD_SIZE;
    return CLEVER_OK;
}

static uint8_t read_log(struct vboard *board, unsigned log, const uint8_t *info, unsigned n, int64_t now_us)
{
    struct vb_app *app = board->app;
    uint8_t *counts = clever_bytes(board, CLEVER_LOGS) + (size_t)4 * log;
    if (n != 1)
        return CLEVER_BAD_FORMAT;
    switch (info[0]) {
    case 1:
        app->log_open[log] = true;
        app->record[log] = 0;
        app->record_us = -((int64_t)1 << 60);
        vb_add(&app->answer, vb_get(counts + 2, 2), 2);
        return CLEVER_OK;
    case 2:
        return log_next(board, log, now_us);
    case 3:
        app->log_open[log] = false;
        return CLEVER_OK;
    case 4:
        if (locked(board))
            return CLEVER_NO_PERMISSION;
        vb_put(counts, vb_get(counts, 2) + vb_get(counts + 2, 2), 2);
        vb_put(counts + 2, 0, 2);
        board->commit_us = now_us + vb_ms(board, COMMIT_MS);
        return CLEVER_OK;
    default:
        return CLEVER_BAD_DATA;
    }
}

static uint8_t serve(struct vboard *board, const struct vb_request *r, int64_t now_us)
{
    bool own = r->n == 1 && (r->info[0] == board->address || r->info[0] == 0xff);
    uint8_t rtn;
    if (published(board) && (r->command & 0xf0) == 0xd0)
        return CLEVER_BAD_COMMAND;
    switch (r->command) {
    case 0x42:
        return own ? clever_analog(board) : CLEVER_BAD_DATA;
    case 0x44:
        return own ? clever_states(board) : CLEVER_BAD_DATA;
    case 0xf1:
        return read_product(board, r->info, r->n);
    case 0xf2:
        return write_product(board, r->info, r->n, now_us);
    case 0xd0:
        return login(board, r->info, r->n);
    case 0xd1:
        return read_block(board, r->info, r->n);
    case 0xd2:
        return write_block(board, r->info, r->n, now_us);
    case 0xd3:
        return read_clock(board, now_us);
    case 0xd4:
        return r->n != 6       ? CLEVER_BAD_FORMAT
               : locked(board) ? CLEVER_NO_PERMISSION
                               : set_clock(board, r->info, now_us);
    case 0xd5:
        return control(board, r->info, r->n, now_us);
    case 0xd6:
        rtn = locked(board) ? CLEVER_NO_PERMISSION : clever_calibrate(board, r->info, r->n);
        if (rtn == CLEVER_OK)
            board->commit_us = now_us + vb_ms(board, COMMIT_MS);
        return rtn;
    case 0xd8:
    case 0xd9:
        return read_log(board, r->command - 0xd8, r->info, r->n, now_us);
    case 0xda:
        return change_password(board, r->info, r->n, now_us);
    default:
        return CLEVER_BAD_COMMAND;
    }
}

static void app_byte(struct vboard *board, uint8_t byte, int64_t now_us)
{
    struct vb_app *app = board->app;
    const struct vb_request *r = &app->request;
    if (!vb_ascii_take(&app->line, byte, &app->request) || r->address != board->address)
        return;
    app->answer = (struct vb_answer){.version = vb_defect(board, "as-documented") ? 0x21 : 0x52,
                                     .address = board->address,
                                     .equipment = EQUIPMENT};
    uint8_t rtn = r->version != 0x21 && r->version != 0x52 ? CLEVER_BAD_VERSION
                  : r->equipment != EQUIPMENT              ? CLEVER_BAD_EQUIPMENT
                                                           : serve(board, r, now_us);
    app->answer.code = rtn;
    vb_ascii_send(board, &app->answer, now_us + vb_ms(board, REPLY_MS));
}

/* Nothing is stored unless an interval was set. */
static void app_tick(struct vboard *board, int64_t now_us)
{
    int64_t interval_us = (int64_t)vb_get(clever_bytes(board, CLEVER_SYSTEM) + AT_INTERVAL, 2) * 60000000;
    uint8_t *counts = clever_bytes(board, CLEVER_LOGS);
    if (interval_us && now_us - board->app->stored_us >= interval_us) {
        int64_t more = (now_us - board->app->stored_us) / interval_us;
        int64_t count = vb_get(counts + 2, 2) + more, first = vb_get(counts, 2);
        board->app->stored_us += more * interval_us;
        vb_put(counts, first + MAX(count - VB_HISTORY, 0), 2);
        vb_put(counts + 2, MIN(count, VB_HISTORY), 2);
        board->commit_us = now_us + vb_ms(board, COMMIT_MS);
    }
    /* Switched off, it is judged anew; it ends with its condition. */
    board->app->limiting = clever_may_limit(board) && now_us >= board->app->limit_us;
}

const struct vb_family vb_family_clever = {.name = "clever",
                                           .factory = factory,
                                           .app_new = app_new,
                                           .app_free = app_free,
                                           .app_start = app_start,
                                           .app_byte = app_byte,
                                           .app_tick = app_tick,
                                           .correction = correction,
                                           .cells = 16,
                                           .parameters = CLEVER_PROTECT};
const struct vb_family vb_family_topbms = {.name = "topbms",
                                           .factory = factory,
                                           .app_new = app_new,
                                           .app_free = app_free,
                                           .app_start = app_start,
                                           .app_byte = app_byte,
                                           .correction = correction,
                                           .cells = 16,
                                           .parameters = CLEVER_PROTECT};
