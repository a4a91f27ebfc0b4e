/* The application of a monv4 board, written from docs/families/monv4.md and the manual alone. */
#include "proto/virtual/app_monv4.h"

#include <string.h>

extern const struct vb_family vb_family_monv4;

#define REPLY_MS    5
#define COMMIT_MS   20
#define SILENCE_MS  50 /* a new frame begins after it */
#define RESTORE_MS  2000
#define RESTART_MS  100
#define MAGIC       0x55aa
#define OUR_BAUD    9600 /* the line outside never changes its rate */
#define COMMANDS    0x0600
#define SERIAL_SIZE 30

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
    board->app->started_us = now_us;
    board->app->restored_us = INT64_MAX;
    for (unsigned i = 0; i < G_N_ELEMENTS(board->app->low_since_us); i++)
        board->app->low_since_us[i] = INT64_MAX;
}

/* The manual's printed table, raw, in its order. */
static const uint16_t system_table[] = {1,   9600, 250, 250, 1000, 23,  12, 11, 500, 3, 8400, 100,
                                        102, 95,   30,  20,  0,    100, 50, 0,  3,   3, 0,    0};
static const int16_t protect_table[] = {
    8500, 1, 8000, 5,  3650, 5,    3450, 30, 5750, 1,   6670, 5,  2600, 5,  3000, 30, 600,  5, 550, 10,
    600,  5, 550,  10, -200, 5,    -100, 10, -200, 5,   -100, 10, 4000, 30, 50,   30, 1500, 2, 20,  30,
    5000, 5, 50,   30, 8000, 1000, 3450, 30, 50,   600, 20,   0,  0,    0,  0,    0};
static const uint16_t calibration_table[] = {82,   16380, 400,  400,  400,  2500, 3150, 3195, 3213,
                                             3227, 3236,  3245, 3265, 3280, 3290, 3550, 500,  0,
                                             0,    110,   70,   100,  102,  100,  10,   0};
static const uint16_t sleep_table[] = {1, 2200, 10, 3200, 5760, 3300, 10080};
G_STATIC_ASSERT(G_N_ELEMENTS(system_table) == 24 && G_N_ELEMENTS(protect_table) == 56 &&
                G_N_ELEMENTS(calibration_table) == 26 && G_N_ELEMENTS(sleep_table) == 7);

static void fill(struct vb_nvm *nvm, unsigned i, unsigned number, const void *table, unsigned n)
{
    const uint16_t *words = table;
    vb_block_add(nvm, i, number, 2 * n);
    for (unsigned k = 0; words && k < n; k++)
        put16(nvm->blocks[i].bytes + 2 * k, words[k]);
}

static void parameters(struct vb_nvm *nvm)
{
    fill(nvm, 0, SYSTEM, system_table, G_N_ELEMENTS(system_table));
    fill(nvm, 1, PROTECT, protect_table, G_N_ELEMENTS(protect_table));
    fill(nvm, 2, CALIBRATION, calibration_table, G_N_ELEMENTS(calibration_table));
    fill(nvm, 3, ALARM, NULL, 33);
    fill(nvm, 4, SLEEP, sleep_table, G_N_ELEMENTS(sleep_table));
}

static void factory(struct vboard *board)
{
    parameters(&board->nvm);
    put16(board->nvm.blocks[0].bytes + 2 * S_ADDRESS, board->address);
    vb_block_add(&board->nvm, 5, SERIAL, SERIAL_SIZE);
    vb_block_add(&board->nvm, 6, DONE, 2);
    uint8_t *serial = board->nvm.blocks[5].bytes;
    memset(serial, 0xff, SERIAL_SIZE);
    if (vb_defect(board, "foreign-sn"))
        memcpy(serial, "OTHER-SN-1                    ", SERIAL_SIZE);
    if (vb_defect(board, "same-sn")) {
        g_autofree char *sn =
            g_strdup_printf("BSN%08u%19s", (unsigned)vb_defect_number(board, "same-sn", 1), "");
        memcpy(serial, sn, SERIAL_SIZE);
    }
}

static void correction(const struct vboard *board, struct vb_correction *correction)
{
    correction->zero_ma = ((int64_t)monv4_word(board, CALIBRATION, C_OFFSET) - OFFSET_NONE) * COUNT_MA;
    correction->gain_num = monv4_word(board, CALIBRATION, C_GAIN);
    correction->gain_den = GAIN_ONE;
    for (unsigned i = 0; i < 3; i++)
        correction->heat_mdeg[i] = (400 - (int64_t)monv4_word(board, CALIBRATION, C_HEAT + i)) * 100;
}

static void commit(struct vboard *board, int64_t now_us)
{
    board->commit_us = now_us + vb_ms(board, COMMIT_MS);
}

/* Holding registers that are stored; NULL for a number that is none. */
static uint8_t *stored(struct vboard *board, unsigned number)
{
    static const unsigned blocks[] = {SYSTEM, PROTECT, CALIBRATION, ALARM, SLEEP, SERIAL};
    for (unsigned i = 0; i < G_N_ELEMENTS(blocks); i++) {
        struct vb_block *block = vb_block(&board->live, blocks[i]);
        if (number >= blocks[i] && number < blocks[i] + block->size / 2)
            return block->bytes + 2 * (number - blocks[i]);
    }
    return NULL;
}

static enum exception read_holding(struct vboard *board, unsigned number, unsigned *value)
{
    const uint8_t *word = stored(board, number);
    *value = word ? get16(word) : 0;
    return word || (number >= COMMANDS && number < COMMANDS + 8) ? FINE : BAD_ADDRESS;
}

static bool known_baud(unsigned baud)
{
    static const unsigned rates[] = {1200, 2400, 4800, 9600, 19200, 38400, 57600};
    for (unsigned i = 0; i < G_N_ELEMENTS(rates); i++)
        if (rates[i] == baud)
            return true;
    return false;
}

/* The whole state after a request, not the request alone. */
static bool allowed(const struct vboard *board)
{
    unsigned cells = monv4_word(board, SYSTEM, S_CELLS), m = monv4_word(board, SYSTEM, S_AFE_M),
             s = monv4_word(board, SYSTEM, S_AFE_S), address = monv4_word(board, SYSTEM, S_ADDRESS),
             policy = monv4_word(board, SYSTEM, S_CTRL_PLY);
    for (unsigned i = 1; i < VOLS; i++)
        if (monv4_word(board, CALIBRATION, C_VOL + i) <= monv4_word(board, CALIBRATION, C_VOL + i - 1))
            return false;
    return cells >= 1 && cells <= CELLS_MAX && m <= 12 && s <= 12 && m + s == cells && address >= 1 &&
           address <= 247 && known_baud(monv4_word(board, SYSTEM, S_BAUD)) && (policy == 2 || policy == 3) &&
           monv4_word(board, SYSTEM, S_NC) == 0 && monv4_word(board, PROTECT, P_BALPER) <= 100 &&
           monv4_word(board, SLEEP, 0) <= 1 && monv4_word(board, CALIBRATION, C_LOW_RSOC) <= 1;
}

static void clamp(struct vboard *board)
{
    uint8_t *cov = vb_block(&board->live, PROTECT)->bytes + 2 * P_COV;
    if (vb_defect(board, "clamp-parameter") && get16(cov) > 3600)
        put16(cov, 3600);
}

static enum exception write_stored(struct vboard *board, unsigned first, unsigned count, const uint8_t *data,
                                   int64_t now_us)
{
    g_autofree struct vb_block *before = g_memdup2(board->live.blocks, sizeof board->live.blocks);
    for (unsigned i = 0; i < count; i++)
        if (!stored(board, first + i))
            return BAD_ADDRESS;
    if (vb_defect(board, "busy"))
        return BUSY;
    const bool ignores = vb_defect(board, "ack-param-no-write");
    for (unsigned i = 0, at = first; i < count; i++, at++)
        if (!ignores || at < PROTECT || at >= CALIBRATION)
            memcpy(stored(board, at), data + 2 * i, 2);
    if (!allowed(board)) {
        memcpy(board->live.blocks, before, sizeof board->live.blocks);
        return BAD_VALUE;
    }
    clamp(board);
    commit(board, now_us);
    return FINE;
}

static enum exception restore(struct vboard *board, int64_t now_us)
{
    g_autofree struct vb_nvm *virgin = g_new0(struct vb_nvm, 1);
    parameters(virgin);
    uint8_t *system = virgin->blocks[0].bytes;
    put16(system + 2 * S_ADDRESS, monv4_word(board, SYSTEM, S_ADDRESS));
    put16(system + 2 * S_BAUD, monv4_word(board, SYSTEM, S_BAUD));
    memcpy(board->live.blocks, virgin->blocks, 5 * sizeof virgin->blocks[0]);
    put16(vb_block(&board->live, DONE)->bytes, 0);
    commit(board, now_us);
    board->app->restored_us = now_us + vb_ms(board, RESTORE_MS);
    return FINE;
}

static enum exception relay(bool *off, unsigned value)
{
    if (value > 1)
        return BAD_VALUE;
    *off = value == 0;
    return FINE;
}

static enum exception command(struct vboard *board, unsigned number, unsigned count, const uint8_t *data,
                              int64_t now_us)
{
    unsigned value = get16(data);
    enum exception result = FINE;
    if (count != (number == COMMANDS + 5 ? 2 : 1))
        return BAD_ADDRESS;
    if ((number == 0x0602 || number == 0x0603 || number == 0x0607) && value != MAGIC)
        return BAD_VALUE;
    switch (number) {
    case 0x0600:
        return relay(&board->app->charge_off, value);
    case 0x0601:
        return relay(&board->app->discharge_off, value);
    case 0x0602:
        vb_change_mode(board, VB_STARTING, now_us + vb_ms(board, RESTART_MS));
        return FINE;
    case 0x0603:
        return restore(board, now_us);
    case 0x0604:
        result = value ? BAD_VALUE : monv4_zero(board);
        break;
    case 0x0605:
        result = monv4_gain(board, (int32_t)(value << 16 | get16(data + 2)));
        break;
    case 0x0607:
        vb_change_mode(board, VB_BOOTLOADER, now_us + vb_ms(board, RESTART_MS));
        return FINE;
    default:
        return BAD_ADDRESS;
    }
    if (result == FINE)
        commit(board, now_us);
    return result;
}

static enum exception write_words(struct vboard *board, unsigned first, unsigned count, const uint8_t *data,
                                  int64_t now_us)
{
    return first >= COMMANDS && first < COMMANDS + 8 ? command(board, first, count, data, now_us)
                                                     : write_stored(board, first, count, data, now_us);
}

static enum exception read_words(struct vboard *board, bool input, unsigned first, unsigned count,
                                 uint8_t *data, int64_t now_us)
{
    monv4_sample(board);
    for (unsigned i = 0; i < count; i++) {
        unsigned value = 0;
        if (input ? !monv4_input(board, first + i, now_us, &value)
                  : read_holding(board, first + i, &value) != FINE)
            return BAD_ADDRESS;
        put16(data + 2 * i, value);
    }
    return FINE;
}

static unsigned check_sum(const uint8_t *bytes, unsigned n)
{
    unsigned sum = 0xffff;
    while (n--) {
        sum ^= *bytes++;
        for (int i = 0; i < 8; i++)
            sum = sum & 1 ? sum >> 1 ^ 0xa001 : sum >> 1;
    }
    return sum;
}

/* Length of the request that begins here: 0 = not known yet, UINT_MAX = no function of this board. */
static unsigned request_length(const uint8_t *frame, unsigned n)
{
    if (n < 2)
        return 0;
    switch (frame[1]) {
    case 0x03:
    case 0x04:
    case 0x06:
        return 8;
    case 0x10:
        return n < 7 ? 0 : 9u + frame[6];
    default:
        return UINT_MAX;
    }
}

static enum exception serve(struct vboard *board, const uint8_t *frame, uint8_t *reply, unsigned *n,
                            int64_t now_us)
{
    unsigned first = get16(frame + 2), count = get16(frame + 4);
    enum exception result;
    if (board->app->restored_us != INT64_MAX)
        return BUSY;
    switch (frame[1]) {
    case 0x03:
    case 0x04:
        if (count < 1 || count > 125)
            return BAD_VALUE;
        reply[2] = (uint8_t)(2 * count);
        *n = 3 + 2 * count;
        return read_words(board, frame[1] == 0x04, first, count, reply + 3, now_us);
    case 0x06:
        result = write_words(board, first, 1, frame + 4, now_us);
        break;
    case 0x10:
        if (count < 1 || count > 123 || frame[6] != 2 * count)
            return BAD_VALUE;
        result = write_words(board, first, count, frame + 7, now_us);
        break;
    default:
        return BAD_FUNCTION;
    }
    memcpy(reply + 2, frame + 2, 4);
    *n = 6;
    return result;
}

static bool deaf(const struct vboard *board)
{
    return monv4_word(board, SYSTEM, S_BAUD) != OUR_BAUD;
}

static void answer(struct vboard *board, int64_t now_us)
{
    struct vb_app *app = board->app;
    uint8_t reply[260];
    unsigned n = app->n, length = 0;
    app->n = 0;
    if (n < 4 || check_sum(app->frame, n) != 0 || app->frame[0] != monv4_word(board, SYSTEM, S_ADDRESS) ||
        deaf(board))
        return;
    reply[0] = app->frame[0];
    reply[1] = app->frame[1];
    enum exception result = serve(board, app->frame, reply, &length, now_us);
    if (result != FINE) {
        reply[1] |= 0x80;
        reply[2] = (uint8_t)result;
        length = 3;
    }
    unsigned sum = check_sum(reply, length);
    reply[length] = (uint8_t)sum;
    reply[length + 1] = (uint8_t)(sum >> 8);
    vb_send(board, reply, length + 2, now_us + vb_ms(board, REPLY_MS));
}

/* A frame of a function this board does not have ends with the silence behind it. */
static void end_of_silence(struct vboard *board, int64_t now_us)
{
    struct vb_app *app = board->app;
    if (app->n == 0 || now_us - app->heard_us < SILENCE_MS * 1000)
        return;
    if (request_length(app->frame, app->n) == UINT_MAX)
        answer(board, now_us);
    app->n = 0;
}

static void app_byte(struct vboard *board, uint8_t byte, int64_t now_us)
{
    struct vb_app *app = board->app;
    end_of_silence(board, now_us);
    app->heard_us = now_us;
    if (app->n < sizeof app->frame)
        app->frame[app->n++] = byte;
    if (request_length(app->frame, app->n) == app->n)
        answer(board, now_us);
}

/* Sleep compares the lowest cell with three voltages, each with a time in minutes. */
static void fall_asleep(struct vboard *board, int64_t now_us)
{
    int64_t lowest = monv4_lowest_cell(board);
    for (unsigned i = 0; i < 3; i++) {
        int64_t *since = &board->app->low_since_us[i];
        int64_t minutes = monv4_word(board, SLEEP, 2 + 2 * i);
        if (!monv4_word(board, SLEEP, 0) || lowest >= monv4_word(board, SLEEP, 1 + 2 * i))
            *since = INT64_MAX;
        else if (*since == INT64_MAX)
            *since = now_us;
        else if (now_us - *since >= minutes * 60000000)
            vb_change_mode(board, VB_ASLEEP, now_us);
    }
}

static void app_tick(struct vboard *board, int64_t now_us)
{
    end_of_silence(board, now_us);
    if (board->app->restored_us <= now_us) {
        board->app->restored_us = INT64_MAX;
        vb_change_mode(board, VB_STARTING, now_us);
    }
    fall_asleep(board, now_us);
}

static int64_t app_next_us(const struct vboard *board)
{
    const struct vb_app *app = board->app;
    int64_t silence = app->n ? app->heard_us + SILENCE_MS * 1000 : INT64_MAX;
    return MIN(app->restored_us, silence);
}

const struct vb_family vb_family_monv4 = {.name = "monv4",
                                          .factory = factory,
                                          .app_new = app_new,
                                          .app_free = app_free,
                                          .app_start = app_start,
                                          .app_byte = app_byte,
                                          .app_tick = app_tick,
                                          .app_next_us = app_next_us,
                                          .correction = correction,
                                          .cells = CELLS_MAX,
                                          .parameters = PROTECT};
