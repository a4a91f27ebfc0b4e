/* The application of a mainx board, written from docs/families/mainx.md and the manual alone. */
#include "proto/virtual/modbus_server.h"

#include <string.h>

extern const struct vb_family vb_family_mainx, vb_family_mainx_tcp;

/* Blocks of non-volatile memory are numbered by their first register. */
enum {
    USER = 0x6000,
    SD = 0x6100,
    FTP = 0x6200,
    CLOCK = 0x6300,
    COMMAND = 0x6400,
    JOURNAL = 0x7000,
    ABOUT = 0x7200
};
enum {
    USER_SIZE = 64,
    SD_SIZE = 6,
    FTP_SIZE = 104,
    CLOCK_SIZE = 8,
    RECORD = 12,
    RECORDS = 32,
    ABOUT_SIZE = 28,
    SERIAL_SIZE = 24
};

#define COMMIT_MS  20
#define RESTART_MS 100
#define MAGIC      0x55aa
#define HOT_MDEG   70000
#define HOT_BIT    (1u << 8)
#define MOMENT_US  INT64_C(3600000000)
#define CLAMPED_S  600

struct vb_app {
    struct vb_modbus modbus;
    uint32_t errors;
};

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
    (void)now_us;
    memset(board->app, 0, sizeof *board->app);
}

/* year low, high, month, day, hour, minute, second, 0 */
static void put_time(uint8_t *p, int64_t wall_us)
{
    g_autoptr(GDateTime) shown = g_date_time_new_from_unix_utc(wall_us / 1000000);
    const int year = g_date_time_get_year(shown);
    const int parts[] = {year & 0xff,
                         year >> 8,
                         g_date_time_get_month(shown),
                         g_date_time_get_day_of_month(shown),
                         g_date_time_get_hour(shown),
                         g_date_time_get_minute(shown),
                         g_date_time_get_second(shown),
                         0};
    for (unsigned i = 0; i < CLOCK_SIZE; i++)
        p[i] = (uint8_t)parts[i];
}

/* The position behind the newest one, and behind the last one the first. */
static void append(struct vb_block *journal, int64_t wall_us, uint32_t flags)
{
    const unsigned place = vb_get16(journal->bytes) % RECORDS;
    uint8_t *record = journal->bytes + 2 + place * RECORD;
    put_time(record, wall_us);
    vb_put32(record + CLOCK_SIZE, flags);
    vb_put16(journal->bytes, place + 1);
}

/* A virgin journal, one that is begun, or one that went round, by the unit's seed; all is well at its end. */
static void make_journal(struct vboard *board)
{
    static const uint32_t story[] = {0x100, 0, 0x2, 0x102, 0x100, 0};
    static const unsigned lengths[] = {0, 6, RECORDS + 4};
    struct vb_block *journal = vb_block(&board->nvm, JOURNAL);
    const unsigned n = lengths[board->nvm.unit_seed % G_N_ELEMENTS(lengths)];
    for (unsigned i = 0; i < n; i++)
        append(journal, board->nvm.rtc_us + i * MOMENT_US, story[i % G_N_ELEMENTS(story)]);
}

static void factory(struct vboard *board)
{
    vb_block_add(&board->nvm, 0, USER, USER_SIZE);
    vb_block_add(&board->nvm, 1, SD, SD_SIZE);
    vb_block_add(&board->nvm, 2, FTP, FTP_SIZE);
    vb_block_add(&board->nvm, 3, JOURNAL, 2 + RECORDS * RECORD);
    uint8_t *user = board->nvm.blocks[0].bytes;
    vb_put16(board->nvm.blocks[1].bytes + 2, 10);
    vb_put16(board->nvm.blocks[2].bytes + 50, 21);
    vb_put16(board->nvm.blocks[2].bytes + 100, 60);
    if (vb_defect(board, "foreign-sn"))
        memcpy(user, "OTHER-SN-1", 10);
    if (vb_defect(board, "same-sn"))
        g_snprintf((char *)user, SERIAL_SIZE, "BSN%08u", (unsigned)vb_defect_number(board, "same-sn", 1));
    make_journal(board);
}

static void commit(struct vboard *board, int64_t now_us)
{
    board->commit_us = now_us + vb_ms(board, COMMIT_MS);
}

static int64_t wall(const struct vboard *board, int64_t now_us)
{
    return board->nvm.rtc_us + now_us - board->rtc_at_us;
}

/* An error that comes or goes is an entry of the journal. */
static void watch(struct vboard *board, int64_t now_us)
{
    const uint32_t errors = vb_temperature_mdeg(board, 5) > HOT_MDEG ? HOT_BIT : 0;
    if (errors == board->app->errors)
        return;
    board->app->errors = errors;
    append(vb_block(&board->live, JOURNAL), wall(board, now_us), errors);
    commit(board, now_us);
}

/* Holding registers that are stored; NULL for a number that is none. */
static uint8_t *stored(struct vboard *board, unsigned number)
{
    static const unsigned blocks[] = {USER, SD, FTP};
    for (unsigned i = 0; i < G_N_ELEMENTS(blocks); i++) {
        struct vb_block *block = vb_block(&board->live, blocks[i]);
        if (number >= blocks[i] && number < blocks[i] + block->size / 2)
            return block->bytes + 2 * (number - blocks[i]);
    }
    return NULL;
}

static bool holding(struct vboard *board, unsigned number, uint8_t *p, int64_t now_us)
{
    uint8_t clock[CLOCK_SIZE];
    const uint8_t *word = stored(board, number);
    if (number >= CLOCK && number < CLOCK + CLOCK_SIZE / 2) {
        put_time(clock, wall(board, now_us));
        word = clock + 2 * (number - CLOCK);
    }
    if (word)
        memcpy(p, word, 2);
    else
        vb_put16(p, 0);
    return word || number == COMMAND;
}

/* The low word of a number of 32 bits stands first. */
static unsigned half(uint32_t value, unsigned which)
{
    return which ? value >> 16 : value & 0xffff;
}

static uint32_t real(double value)
{
    const float single = (float)value;
    uint32_t bits;
    memcpy(&bits, &single, sizeof bits);
    return bits;
}

static bool about(struct vboard *board, unsigned number, uint8_t *p)
{
    const char *product = vb_defect(board, "wrong-product") ? "BMS-MAIN-3" : "BMS-MAIN-X";
    uint8_t bytes[ABOUT_SIZE] = {0};
    memcpy(bytes, product, strlen(product));
    memcpy(bytes + 16, board->nvm.unique_id, 12);
    memcpy(p, bytes + 2 * (number - ABOUT), 2);
    return true;
}

static bool input(struct vboard *board, unsigned number, uint8_t *p)
{
    static const uint16_t versions[] = {0x0103, 0x0402, 0x0001, 0x0000, 0x0001}; /* 1.3, 1.4.2, 1.0.0 */
    static const uint16_t state[] = {50, 100, 99};
    const struct vb_block *journal = vb_block(&board->live, JOURNAL);
    if (number < G_N_ELEMENTS(versions))
        vb_put16(p, versions[number]);
    else if (number >= 0x1000 && number < 0x1000 + G_N_ELEMENTS(state))
        vb_put16(p, state[number - 0x1000]);
    else if (number == 0x2000)
        vb_put16(p, 0);
    else if (number == 0x2001 || number == 0x2002)
        vb_put16(p, half(real((double)vb_current_ma(board, false) / 1e3), number - 0x2001));
    else if (number == 0x2003 || number == 0x2004)
        vb_put16(p, half(real((double)vb_temperature_mdeg(board, 5) / 1e3), number - 0x2003));
    else if (number == 0x2005 || number == 0x2006)
        vb_put16(p, half(real(45.5), number - 0x2005));
    else if (number == 0x2007 || number == 0x2008)
        vb_put16(p, half(board->app->errors, number - 0x2007));
    else if (number >= JOURNAL && number < JOURNAL + journal->size / 2)
        memcpy(p, journal->bytes + 2 * (number - JOURNAL), 2);
    else if (number >= ABOUT && number < ABOUT + ABOUT_SIZE / 2)
        return about(board, number, p);
    else
        return false;
    return true;
}

static bool is_text(const uint8_t *p, unsigned n)
{
    bool over = false;
    for (unsigned i = 0; i < n; i++) {
        over |= p[i] == 0;
        if (over ? p[i] != 0 : p[i] < 0x20 || p[i] > 0x7e)
            return false;
    }
    return true;
}

/* The state after a request as a whole. What depends on what is the user's business. */
static bool allowed(struct vboard *board)
{
    const uint8_t *user = vb_block(&board->live, USER)->bytes, *sd = vb_block(&board->live, SD)->bytes,
                  *ftp = vb_block(&board->live, FTP)->bytes;
    return is_text(user, SERIAL_SIZE) && is_text(user + SERIAL_SIZE, USER_SIZE - SERIAL_SIZE) &&
           vb_get16(sd) <= 1 && vb_get16(sd + 2) >= 1 && vb_get16(sd + 4) <= 1 && vb_get16(ftp) <= 1 &&
           is_text(ftp + 2, 48) && vb_get16(ftp + 50) >= 1 && is_text(ftp + 52, 24) &&
           is_text(ftp + 76, 24) && vb_get16(ftp + 100) >= 1 && vb_get16(ftp + 102) <= 1;
}

static enum vb_exception set_clock(struct vboard *board, const struct vb_request *r, int64_t now_us)
{
    if (r->first != CLOCK || r->count != CLOCK_SIZE / 2)
        return VB_BAD_ADDRESS;
    const uint8_t *p = r->data;
    g_autoptr(GDateTime) set = g_date_time_new_utc(p[0] | p[1] << 8, p[2], p[3], p[4], p[5], p[6]);
    if (!set)
        return VB_BAD_VALUE;
    if (vb_defect(board, "rtc-stuck"))
        return VB_FINE;
    board->nvm.rtc_us = g_date_time_to_unix(set) * 1000000;
    board->rtc_at_us = now_us;
    vb_dirty(board, now_us);
    return VB_FINE;
}

static enum vb_exception command(struct vboard *board, const struct vb_request *r, int64_t now_us)
{
    if (r->count != 1)
        return VB_BAD_ADDRESS;
    if (vb_get16(r->data) != MAGIC)
        return VB_BAD_VALUE;
    vb_change_mode(board, VB_STARTING, now_us + vb_ms(board, RESTART_MS));
    return VB_FINE;
}

static enum vb_exception write_stored(struct vboard *board, const struct vb_request *r, int64_t now_us)
{
    g_autofree struct vb_block *before = g_memdup2(board->live.blocks, sizeof board->live.blocks);
    for (unsigned i = 0; i < r->count; i++)
        if (!stored(board, r->first + i))
            return VB_BAD_ADDRESS;
    if (vb_defect(board, "busy"))
        return VB_BUSY;
    const bool ignored = r->first >= SD && r->first < FTP && vb_defect(board, "ack-param-no-write");
    for (unsigned i = 0; i < r->count && !ignored; i++)
        memcpy(stored(board, r->first + i), r->data + 2 * i, 2);
    uint8_t *period = vb_block(&board->live, SD)->bytes + 2;
    if (vb_defect(board, "clamp-parameter") && vb_get16(period) < CLAMPED_S)
        vb_put16(period, CLAMPED_S);
    if (!allowed(board)) {
        memcpy(board->live.blocks, before, sizeof board->live.blocks);
        return VB_BAD_VALUE;
    }
    commit(board, now_us);
    return VB_FINE;
}

static enum vb_exception serve(struct vboard *board, const struct vb_request *r, struct vb_answer *answer,
                               int64_t now_us)
{
    const bool read = r->function == 0x03 || r->function == 0x04;
    if (r->count > (read ? 125u : 123u) || r->first + r->count > 0x10000)
        return r->first + r->count > 0x10000 ? VB_BAD_ADDRESS : VB_BAD_VALUE;
    watch(board, now_us);
    if (read) {
        answer->n = 2 * r->count;
        for (unsigned i = 0; i < r->count; i++)
            if (!(r->function == 0x04 ? input(board, r->first + i, answer->data + 2 * i)
                                      : holding(board, r->first + i, answer->data + 2 * i, now_us)))
                return VB_BAD_ADDRESS;
        return VB_FINE;
    }
    if (r->first >= CLOCK && r->first < CLOCK + CLOCK_SIZE / 2)
        return set_clock(board, r, now_us);
    return r->first == COMMAND ? command(board, r, now_us) : write_stored(board, r, now_us);
}

static const uint8_t functions[] = {0x03, 0x04, 0x06, 0x10, 0};
static const struct vb_modbus_kind rtu = {.functions = functions, .serve = serve},
                                   tcp = {.tcp = true, .functions = functions, .serve = serve};

static const struct vb_modbus_kind *kind_of(const struct vboard *board)
{
    return board->family == &vb_family_mainx_tcp ? &tcp : &rtu;
}

static void app_byte(struct vboard *board, uint8_t byte, int64_t now_us)
{
    vb_modbus_byte(board, &board->app->modbus, kind_of(board), byte, now_us);
}

static void app_tick(struct vboard *board, int64_t now_us)
{
    vb_modbus_tick(board, &board->app->modbus, kind_of(board), now_us);
    watch(board, now_us);
}

static int64_t app_next_us(const struct vboard *board)
{
    return vb_modbus_next_us(&board->app->modbus);
}

#define MAINX                                                                                                \
    .factory = factory, .app_new = app_new, .app_free = app_free, .app_start = app_start,                    \
    .app_byte = app_byte, .app_tick = app_tick, .app_next_us = app_next_us,                                  \
    .correction = vb_true_correction, .cells = 16, .parameters = SD, .address = 32

const struct vb_family vb_family_mainx = {.name = "mainx", MAINX};
const struct vb_family vb_family_mainx_tcp = {.name = "mainx-tcp", MAINX};
