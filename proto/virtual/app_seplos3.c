/* The application of a seplos3 board, written from docs/families/seplos3.md alone. */
#include "proto/virtual/app_seplos3.h"

#include <string.h>

extern const struct vb_family vb_family_seplos3;

#define COMMIT_MS  20
#define RESTART_MS 100
#define MAGIC      0x55aa
#define MAGIC_ON   0xaa55

/* Where the texts of VIA and PCT lie, in bytes. */
enum { FACTORY = 0, DEVICE = 20, VERSION = 40, BMS_SN = 42, PACK_SN = 72, VIA_SIZE = 102, SN_SIZE = 30 };
enum {
    PROTOCOL = 0,
    BAUD = 2,
    PCS_NAME = 4,
    PROTOCOL_NAME = 36,
    PCT_SIZE = 72,
    PROTOCOLS = 3,
    NAME_SIZE = 32
};

static const struct {
    const char *inverter, *protocol;
} protocols[PROTOCOLS] = {{"SUN-3.6K-SG03P1-EU", "Pylon CAN Protocol"},
                          {"Growatt SPF", "Growatt CAN Protocol"},
                          {"MultiPlus-II 48/3000/35", "Victron Can Protocol"}};

/* As a board of 16 cells was seen to hold them, from 1300H on. */
static const int32_t parameters[PARAMETERS] = {
    4,     16,   5400, 5600, 5400, 5760, 4800, 4640, 4800, 4320, 3400, 3500, 3400, 3650,  3100,
    2900,  3100, 2700, 2000, 1000, 500,  203,  205,  210,  100,  300,  300,  -203, -205,  -210,
    100,   -350, 300,  -300, 106,  600,  5,    3000, 205,  10,   3500, 3400, 1500, 1000,  800,
    200,   30,   3201, 3231, 3231, 3281, 2781, 2761, 2751, 2731, 3231, 3281, 3281, 3331,  2761,
    2731,  2741, 2701, 3201, 3231, 3281, 3331, 2761, 2731, 2731, 2631, 3581, 3681, 3581,  3831,
    2831,  2731, 3231, 2731, 10,   3400, 50,   30,   960,  80,   50,   50,   30,   33000, 33000,
    27456, 48,   60,   240,  10,   7,    0,    13,   0,    500,  300,  5760, 180,  -180};

/* The switches of the same maker's board, eight in a byte, low bit first. */
static const uint8_t switches[SFA_COILS / 8] = {0xff, 0xff, 0x3f, 0x01, 0x7f, 0x2f, 0x9f, 0x0f, 0x63, 0x6f};

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
    board->app->history_at = UINT_MAX;
}

static void make_parameters(struct vb_nvm *nvm)
{
    vb_block_add(nvm, 0, SPA, 2 * PARAMETERS);
    vb_block_add(nvm, 1, SFA, SFA_COILS);
    for (unsigned i = 0; i < PARAMETERS; i++)
        vb_put16(nvm->blocks[0].bytes + 2 * i, parameters[i]);
    for (unsigned i = 0; i < SFA_COILS; i++)
        nvm->blocks[1].bytes[i] = switches[i / 8] >> i % 8 & 1;
}

static void put_text(uint8_t *p, const char *text, unsigned size)
{
    memset(p, 0, size);
    memcpy(p, text, MIN(strlen(text), size));
}

static void name_protocol(uint8_t *pct)
{
    const unsigned chosen = vb_get16(pct + PROTOCOL);
    vb_put16(pct + BAUD, 500);
    put_text(pct + PCS_NAME, protocols[chosen].inverter, NAME_SIZE);
    put_text(pct + PROTOCOL_NAME, protocols[chosen].protocol, NAME_SIZE);
    memcpy(pct + PROTOCOL_NAME + NAME_SIZE, "20", 2);
}

static void factory(struct vboard *board)
{
    g_autofree char *sn = g_strdup_printf("SP57B-A25%08u", (unsigned)(board->nvm.unit_seed % 100000000));
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    uint8_t digest[32];
    gsize size = sizeof digest;
    make_parameters(&board->nvm);
    vb_block_add(&board->nvm, 2, VIA, VIA_SIZE);
    vb_block_add(&board->nvm, 3, PCT, PCT_SIZE);
    vb_block_add(&board->nvm, 4, CORRECTION, sizeof(struct seplos3_correction));
    *seplos3_corrections(&board->nvm) =
        (struct seplos3_correction){.gain_ppm = 1000000, .voltage_ppm = 1000000};
    uint8_t *via = board->nvm.blocks[2].bytes;
    put_text(via + FACTORY, "XZH-ElecTech Co.,Ltd", 20);
    put_text(via + DEVICE, vb_defect(board, "wrong-product") ? "SG08S100A-SP99X-Z" : "SG16S200A-SP57B-A", 20);
    put_text(via + VERSION, "15", 2);
    put_text(via + BMS_SN, sn, SN_SIZE);
    name_protocol(board->nvm.blocks[3].bytes);
    if (vb_defect(board, "foreign-sn"))
        put_text(via + PACK_SN, "OTHER-SN-1", SN_SIZE);
    if (vb_defect(board, "same-sn"))
        g_snprintf((char *)via + PACK_SN, SN_SIZE, "BSN%08u",
                   (unsigned)vb_defect_number(board, "same-sn", 1));
    /* The board has no other number that is its own. */
    g_checksum_update(sum, (const guchar *)sn, (gssize)strlen(sn));
    g_checksum_get_digest(sum, digest, &size);
    memcpy(board->nvm.unique_id, digest, sizeof board->nvm.unique_id);
}

static void correction(const struct vboard *board, struct vb_correction *correction)
{
    const struct seplos3_correction *c = seplos3_corrections((struct vb_nvm *)&board->live);
    vb_true_correction(board, correction);
    correction->zero_ma = c->zero_ma;
    correction->gain_num = c->gain_ppm;
    correction->gain_den = 1000000;
}

static void commit(struct vboard *board, int64_t now_us)
{
    board->commit_us = now_us + vb_ms(board, COMMIT_MS);
}

static uint8_t *stored(struct vboard *board, unsigned number)
{
    static const unsigned blocks[] = {SPA, VIA, PCT};
    for (unsigned i = 0; i < G_N_ELEMENTS(blocks); i++) {
        struct vb_block *block = vb_block(&board->live, blocks[i]);
        if (number >= blocks[i] && number < blocks[i] + block->size / 2)
            return block->bytes + 2 * (number - blocks[i]);
    }
    return NULL;
}

/* What the table calls R alone, and registers it does not name. */
static bool is_read_only(unsigned number)
{
    return number == SPA || (number >= 0x1328 && number <= 0x132a) ||
           (number >= VIA && number < VIA + DEVICE / 2) || number == VIA + VERSION / 2 ||
           (number > PCT && number < 0x1823);
}

static bool word(struct vboard *board, unsigned number, uint8_t *p, int64_t now_us)
{
    uint8_t date[DATE_SIZE];
    const uint8_t *held = stored(board, number);
    unsigned value = 0;
    if (number >= SCA && number < SCA + DATE_SIZE / 2) {
        seplos3_date(date, board->nvm.rtc_us + now_us - board->rtc_at_us);
        held = date + 2 * (number - SCA);
    }
    if (held)
        memcpy(p, held, 2);
    else if (seplos3_input(board, number, &value))
        vb_put16(p, value);
    else
        return false;
    return true;
}

static enum vb_exception history(struct vboard *board, unsigned count, struct vb_answer *answer,
                                 int64_t now_us)
{
    struct vb_app *app = board->app;
    if (count != MAGIC && count != MAGIC_ON)
        return VB_BAD_ADDRESS;
    if (count == MAGIC)
        app->history_at = 0;
    if (app->history_at >= board->nvm.history_count)
        return VB_NO_RECORD;
    answer->n = RECORD_SIZE;
    seplos3_record(board, app->history_at++, answer->data, now_us);
    return VB_FINE;
}

static enum vb_exception read_words(struct vboard *board, const struct vb_request *r,
                                    struct vb_answer *answer, int64_t now_us)
{
    if (r->first == HISTORY)
        return history(board, r->count, answer, now_us);
    if (r->count > 125)
        return VB_BAD_VALUE;
    answer->n = 2 * r->count;
    for (unsigned i = 0; i < r->count; i++)
        if (!word(board, r->first + i, answer->data + 2 * i, now_us))
            return VB_BAD_ADDRESS;
    return VB_FINE;
}

static enum vb_exception read_coils(struct vboard *board, const struct vb_request *r,
                                    struct vb_answer *answer)
{
    bool events[PIC_COILS];
    const uint8_t *functions = vb_block(&board->live, SFA)->bytes;
    /* The system's events are those of its one pack, which stand behind the flags of each cell. */
    const bool whole = r->first >= EIC, own = r->first >= SFA && !whole;
    const unsigned from = whole ? r->first - EIC + C_STATE : r->first - (own ? SFA : PIC);
    if (r->first < PIC || from + r->count > (own ? SFA_COILS : PIC_COILS))
        return VB_BAD_ADDRESS;
    seplos3_coils(board, events);
    answer->n = (r->count + 7) / 8;
    for (unsigned i = 0; i < r->count; i++)
        if (own ? functions[from + i] : events[from + i])
            answer->data[i / 8] |= (uint8_t)(1 << i % 8);
    return VB_FINE;
}

static enum vb_exception write_coils(struct vboard *board, const struct vb_request *r, int64_t now_us)
{
    uint8_t *functions = vb_block(&board->live, SFA)->bytes;
    if (r->first < SFA || r->first - SFA + r->count > SFA_COILS)
        return VB_BAD_ADDRESS;
    if (vb_defect(board, "busy"))
        return VB_BUSY;
    for (unsigned i = 0; i < r->count; i++)
        functions[r->first - SFA + i] = r->data[i / 8] >> i % 8 & 1;
    commit(board, now_us);
    return VB_FINE;
}

static bool is_date(const uint8_t *p)
{
    g_autoptr(GDateTime) date = g_date_time_new_utc(p[0] | p[1] << 8, p[2], p[3], p[4], p[5], p[6]);
    return date != NULL;
}

static enum vb_exception set_clock(struct vboard *board, const uint8_t *p, int64_t now_us)
{
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

/* Parameters and switches, not the names and numbers. */
static enum vb_exception restore(struct vboard *board, int64_t now_us)
{
    g_autofree struct vb_nvm *virgin = g_new0(struct vb_nvm, 1);
    make_parameters(virgin);
    memcpy(board->live.blocks, virgin->blocks, 2 * sizeof virgin->blocks[0]);
    commit(board, now_us);
    return VB_FINE;
}

static enum vb_exception go(struct vboard *board, enum vb_mode mode, int64_t now_us)
{
    vb_change_mode(board, mode, now_us + vb_ms(board, RESTART_MS));
    return VB_FINE;
}

static enum vb_exception order(struct vboard *board, unsigned number, unsigned value, int64_t now_us)
{
    struct vb_app *app = board->app;
    const bool on = number == 0x1514 || number == 0x1515;
    enum vb_exception result = VB_FINE;
    if (number != 0x150e && number != 0x150f && value != (on ? MAGIC_ON : MAGIC))
        return VB_BAD_VALUE;
    switch (number) {
    case 0x150d:
        result = seplos3_zero(board);
        break;
    case 0x150e:
        result = seplos3_gain(board, (int64_t)(int16_t)value * 10);
        break;
    case 0x150f:
        result = seplos3_voltage(board, value);
        break;
    case 0x1510:
        app->discharge_off = true;
        return VB_FINE;
    case 0x1511:
        app->charge_off = true;
        return VB_FINE;
    case 0x1512:
        app->limiter_off = true;
        return VB_FINE;
    case 0x1514:
        app->heater_on = true;
        return VB_FINE;
    case 0x1515:
        app->charge_off = false;
        return VB_FINE;
    case 0x1516:
        return restore(board, now_us);
    case 0x1517:
        return vb_defect(board, "sleepless") ? VB_FINE : go(board, VB_ASLEEP, now_us);
    case 0x1518:
        return go(board, VB_STARTING, now_us);
    case 0x1519:
        return go(board, VB_BOOTLOADER, now_us);
    default:
        return VB_BAD_ADDRESS;
    }
    if (result == VB_FINE)
        commit(board, now_us);
    return result;
}

static enum vb_exception control(struct vboard *board, const struct vb_request *r, int64_t now_us)
{
    if (r->first == SCA && r->count == 4)
        return set_clock(board, r->data, now_us);
    if (r->first == 0x1504 && r->count == 9)
        return is_date(r->data) && is_date(r->data + DATE_SIZE) ? VB_FINE : VB_BAD_VALUE;
    return r->count == 1 && r->first >= 0x150d ? order(board, r->first, vb_get16(r->data), now_us)
                                               : VB_BAD_ADDRESS;
}

static bool allowed(struct vboard *board)
{
    const int cells = seplos3_parameter(board, 0x1301);
    return cells >= 1 && cells <= CELLS_MAX && vb_get16(vb_block(&board->live, PCT)->bytes) < PROTOCOLS;
}

static enum vb_exception write_words(struct vboard *board, const struct vb_request *r, int64_t now_us)
{
    g_autofree struct vb_block *before = g_memdup2(board->live.blocks, sizeof board->live.blocks);
    if (r->count > 123)
        return VB_BAD_VALUE;
    if (r->first >= SCA && r->first < VIA)
        return control(board, r, now_us);
    for (unsigned i = 0; i < r->count; i++)
        if (!stored(board, r->first + i) || is_read_only(r->first + i))
            return VB_BAD_ADDRESS;
    if (vb_defect(board, "busy"))
        return VB_BUSY;
    const bool ignored = r->first < SFA && vb_defect(board, "ack-param-no-write");
    for (unsigned i = 0; i < r->count && !ignored; i++)
        memcpy(stored(board, r->first + i), r->data + 2 * i, 2);
    uint8_t *limit = stored(board, 0x130d);
    if (vb_defect(board, "clamp-parameter") && vb_get16(limit) > 3600)
        vb_put16(limit, 3600);
    if (!allowed(board)) {
        memcpy(board->live.blocks, before, sizeof board->live.blocks);
        return VB_BAD_VALUE;
    }
    name_protocol(vb_block(&board->live, PCT)->bytes);
    commit(board, now_us);
    return VB_FINE;
}

static enum vb_exception serve(struct vboard *board, const struct vb_request *r, struct vb_answer *answer,
                               int64_t now_us)
{
    switch (r->function) {
    case 0x01:
        return read_coils(board, r, answer);
    case 0x04:
        return read_words(board, r, answer, now_us);
    case 0x0f:
        return write_coils(board, r, now_us);
    default:
        return write_words(board, r, now_us);
    }
}

static const uint8_t functions[] = {0x01, 0x04, 0x0f, 0x10, 0};
static const struct vb_modbus_kind rtu = {.functions = functions, .serve = serve};

static void app_byte(struct vboard *board, uint8_t byte, int64_t now_us)
{
    vb_modbus_byte(board, &board->app->modbus, &rtu, byte, now_us);
}

static void app_tick(struct vboard *board, int64_t now_us)
{
    vb_modbus_tick(board, &board->app->modbus, &rtu, now_us);
}

static int64_t app_next_us(const struct vboard *board)
{
    return vb_modbus_next_us(&board->app->modbus);
}

const struct vb_family vb_family_seplos3 = {.name = "seplos3",
                                            .factory = factory,
                                            .app_new = app_new,
                                            .app_free = app_free,
                                            .app_start = app_start,
                                            .app_byte = app_byte,
                                            .app_tick = app_tick,
                                            .app_next_us = app_next_us,
                                            .correction = correction,
                                            .cells = CELLS_MAX,
                                            .parameters = SPA,
                                            .wake_ms = 1500};
