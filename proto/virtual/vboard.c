/* One virtual board: power, reset, modes, time, and the UART between its parts and the outside. */
#include "proto/virtual/parts.h"

#include "station/base/error.h"

#include <stdlib.h>
#include <string.h>

#define START_MS      200 /* reset until the application answers */
#define BUTTON_BOOT_S 10  /* reset button held: the bootloader stays (manual 004, firmware recovery) */
#define LATE_MS       700
#define CHATTER_US    200  /* between two bytes */
#define WAKE_MA       1000 /* of a family that says nothing else */
#define SAVE_IDLE_US  50000
#define SAVE_MAX_US   1000000

extern const struct vb_family vb_family_basen, vb_family_clever, vb_family_daly, vb_family_daly_can,
    vb_family_daly_modbus, vb_family_jbd, vb_family_mainx, vb_family_mainx_tcp, vb_family_monv4,
    vb_family_pace, vb_family_rockets, vb_family_seplos3, vb_family_tianpower, vb_family_topbms;

/* The visible table, and its names. */
static const struct vb_family *const families[] = {
    &vb_family_basen,   &vb_family_clever,  &vb_family_daly,      &vb_family_daly_can, &vb_family_daly_modbus,
    &vb_family_jbd,     &vb_family_mainx,   &vb_family_mainx_tcp, &vb_family_monv4,    &vb_family_pace,
    &vb_family_rockets, &vb_family_seplos3, &vb_family_tianpower, &vb_family_topbms};
static const char *const family_names[G_N_ELEMENTS(families) + 1] = {
    "basen",     "clever", "daly", "daly-can", "daly-modbus", "jbd",       "mainx",
    "mainx-tcp", "monv4",  "pace", "rockets",  "seplos3",     "tianpower", "topbms"};

static const struct vboard_defect defects[] = {
    {"no-crc", "the bootloader lists no GET CHECKSUM"},
    {"ack-no-write", "one block of flash is acknowledged and not written"},
    {"cached-readback", "one block is not written, but reading it gives what was sent"},
    {"stuck-bit", "one flash bit cannot be programmed; stuck-bit:4096 is one in the 256 bytes there"},
    {"clamp-parameter", "CELL_OV_Start is silently clamped to 3600 mV"},
    {"lose-parameter", "the protection table falls back to its defaults at every restart"},
    {"ack-param-no-write", "writes of the protection table are acknowledged and ignored"},
    {"wrong-hardware", "hardware type HY-PT009"},
    {"wrong-product", "product B300HT60"},
    {"wrong-mcu", "MCU id 0419H"},
    {"wrong-password", "the administrator password is another one"},
    {"uid-after-reset", "another unique id once the flashed application starts"},
    {"swapped-while-flashing", "another unique id once the first flash write came"},
    {"silent", "never answers"},
    {"late", "every answer comes so many ms late, past every patience: late:700"},
    {"chatter", "sends bytes without an end that nobody asked for"},
    {"busy", "refuses every write of a parameter, for ever"},
    {"silent-after-flash", "the flashed application does not answer"},
    {"blank-flash", "comes without any application"},
    {"half-flashed", "comes with a torn application"},
    {"hung", "comes with a torn application that keeps the bootloader away: reset button for 10 s"},
    {"no-remote-control", "basen: acknowledges the FET commands and has no hardware for them"},
    {"no-zero", "zero calibration is acknowledged without effect"},
    {"noisy-current", "the current reading wanders by 2 A"},
    {"bent-current", "the current reading bends above 30 A: a tenth of what is more is lost"},
    {"rtc-stuck", "the clock cannot be set"},
    {"antitheft-stuck", "anti-theft cannot be switched off"},
    {"foreign-sn", "already carries the serial number OTHER-SN-1"},
    {"same-sn", "already carries the serial number given as number: same-sn:17 is BSN00000017"},
    {"fet-inverted", "pace: 0 switches a FET on and 1 off"},
    {"short-serial", "pace: 20 characters of product information instead of 40"},
    {"board-password", "clever: the board itself checks the write password"},
    {"can-upgrade", "clever: a build that takes no firmware over its serial line"},
    {"as-documented", "clever: answers as the document prints it: VER 21H, a flag byte, five values"},
    {"sensors", "clever: so many temperature sensors: sensors:33"},
    {"nmc-cells", "NMC cells at 3.7 V, and a board that reports them"},
    {"cell-spread", "one cell lies 130 mV below the others"},
    {"flag", "the state flag of this number, from 0, is not as it should be: flag:7"},
    {"awake", "awake when power comes, of a family that sleeps then"},
    {"deep-sleep", "nothing wakes it"},
    {"sleepless", "acknowledges the command to sleep and stays awake"},
    {"unplug-at", "unplugged after so many bytes received: unplug-at:400"},
    {NULL, NULL},
};

const struct vboard_defect *vboard_defects(void)
{
    return defects;
}

const char *const *vboard_families(void)
{
    return family_names;
}

static bool find_family(struct vboard *board, const char *name, GError **error)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(families); i++)
        if (strcmp(families[i]->name, name) == 0) {
            board->family = families[i];
            return true;
        }
    g_autofree char *all = g_strjoinv(", ", (char **)vboard_families());
    return error_set(error, ERROR_USAGE, "no virtual board of family '%s'; there is %s", name, all);
}

int64_t vb_ms(const struct vboard *board, int64_t ms)
{
    return board->fast ? ms * 10 : ms * 1000;
}

bool vb_defect(const struct vboard *board, const char *name)
{
    return g_hash_table_contains(board->defects, name);
}

int64_t vb_defect_number(const struct vboard *board, const char *name, int64_t preset)
{
    const char *text = g_hash_table_lookup(board->defects, name);
    return text && *text ? g_ascii_strtoll(text, NULL, 10) : preset;
}

static bool take_defect(struct vboard *board, const char *text, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text, ":", 2);
    for (unsigned i = 0; defects[i].name; i++)
        if (strcmp(defects[i].name, parts[0]) == 0) {
            g_hash_table_insert(board->defects, g_strdup(parts[0]), g_strdup(parts[1] ? parts[1] : ""));
            return true;
        }
    return error_set(error, ERROR_USAGE, "no defect '%s'; --list-defects lists them", text);
}

uint64_t vb_random(uint64_t *state)
{
    /* splitmix64, Steele and others 2014 */
    uint64_t z = *state += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

static void make_virgin(struct vboard *board, const struct vboard_options *options)
{
    uint64_t state = options->unit_seed * 2654435761u + 17;
    board->nvm.unit_seed = options->unit_seed;
    for (unsigned i = 0; i < sizeof board->nvm.unique_id; i++)
        board->nvm.unique_id[i] = (uint8_t)vb_random(&state);
    board->nvm.rtc_us = 1577836800000000; /* 2020-01-01 */
    board->nvm.history_count = 12;
    board->nvm.history_first_id = 1;
    memset(board->nvm.flash, 0xff, sizeof board->nvm.flash);
    if (!vb_defect(board, "blank-flash"))
        vb_flash_factory(board);
    if (vb_defect(board, "half-flashed") || vb_defect(board, "hung"))
        memset(board->nvm.flash + VB_PAGE, 0xff, VB_PAGE);
    board->family->factory(board);
}

void vb_block_add(struct vb_nvm *nvm, unsigned i, unsigned number, unsigned size)
{
    nvm->blocks[i].number = number;
    nvm->blocks[i].size = size;
    memset(nvm->blocks[i].bytes, 0, sizeof nvm->blocks[i].bytes);
}

struct vb_block *vb_block(struct vb_nvm *nvm, unsigned number)
{
    for (unsigned i = 0; i < VB_BLOCKS; i++)
        if (nvm->blocks[i].size && nvm->blocks[i].number == number)
            return &nvm->blocks[i];
    return NULL;
}

static void lose_parameters(struct vboard *board)
{
    g_autofree struct vb_nvm *kept = g_memdup2(&board->nvm, sizeof board->nvm);
    board->family->factory(board);
    const struct vb_block virgin = *vb_block(&board->nvm, board->family->parameters);
    board->nvm = *kept;
    *vb_block(&board->nvm, board->family->parameters) = virgin;
}

static void start(struct vboard *board, int64_t now_us)
{
    char version[17], product[17];
    board->commit_us = INT64_MAX;
    vb_boot_reset(board->boot);
    if (vb_defect(board, "lose-parameter"))
        lose_parameters(board);
    memcpy(board->live.blocks, board->nvm.blocks, sizeof board->live.blocks);
    if (!vb_flash_intact(board, version, product)) {
        board->mode = vb_defect(board, "hung") ? VB_IN_RESET : VB_BOOTLOADER;
        board->mode_at_us = INT64_MAX;
        return;
    }
    board->mode = VB_STARTING;
    board->charged_us = INT64_MAX;
    vb_change_mode(board, VB_APPLICATION, now_us + vb_ms(board, START_MS));
}

void vb_change_mode(struct vboard *board, enum vb_mode next, int64_t due_us)
{
    board->mode_next = next;
    board->mode_at_us = due_us;
}

static void reset_into(struct vboard *board, bool bootloader, int64_t now_us)
{
    if (board->mode == VB_OFF)
        return;
    if (board->family->sleeps && bootloader)
        return;
    if (bootloader) {
        vb_boot_reset(board->boot);
        board->mode = VB_BOOTLOADER;
        board->mode_at_us = INT64_MAX;
    } else {
        start(board, now_us);
    }
}

static void power_up(struct vboard *board, int64_t now_us)
{
    board->mode = VB_STARTING;
    reset_into(board, board->boot_pin && !board->family->sleeps, now_us);
    if (!board->family->sleeps || vb_defect(board, "awake"))
        return;
    board->mode = VB_ASLEEP;
    board->mode_at_us = INT64_MAX;
}

static void chunk_free(gpointer data)
{
    struct vb_chunk *chunk = data;
    g_free(chunk->bytes);
    g_free(chunk);
}

struct vboard *vboard_new(const struct vboard_options *options, int64_t now_us, GError **error)
{
    struct vboard *board = g_new0(struct vboard, 1);
    board->fast = options->fast;
    board->state_path = g_strdup(options->state_path);
    board->defects = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    board->out = g_queue_new();
    board->boot = vb_boot_new();
    board->bench_mdeg = 25000;
    board->rtc_at_us = now_us;
    board->mode_at_us = board->charged_us = board->commit_us = board->dirty_since_us = board->dirty_last_us =
        INT64_MAX;
    bool ok = find_family(board, options->family, error);
    if (ok && options->address_zero && !board->family->from_zero)
        ok = error_set(error, ERROR_USAGE, "boards of family %s have addresses from 1", options->family);
    if (ok) {
        board->address = options->address_zero ? 0
                         : options->address    ? options->address
                                               : MAX(board->family->address, 1);
        board->app = board->family->app_new();
    }
    for (unsigned i = 0; ok && options->defects && options->defects[i]; i++)
        ok = take_defect(board, options->defects[i], error);
    if (ok)
        make_virgin(board, options);
    if (!ok || !vb_nvm_load(board, error)) {
        board->state_path = NULL;
        vboard_free(board);
        return NULL;
    }
    board->noise = board->nvm.unit_seed + 99;
    board->boot_pin = options->bootloader;
    power_up(board, now_us);
    return board;
}

void vboard_free(struct vboard *board)
{
    if (!board)
        return;
    if (board->commit_us != INT64_MAX)
        memcpy(board->nvm.blocks, board->live.blocks, sizeof board->nvm.blocks);
    if (board->state_path)
        vb_nvm_save(board, board->rtc_at_us);
    vb_boot_free(board->boot);
    if (board->app)
        board->family->app_free(board->app);
    g_queue_free_full(board->out, chunk_free);
    g_hash_table_unref(board->defects);
    g_free(board->state_path);
    g_free(board);
}

void vb_dirty(struct vboard *board, int64_t now_us)
{
    board->dirty_since_us = MIN(board->dirty_since_us, now_us);
    board->dirty_last_us = now_us;
}

void vb_send(struct vboard *board, const void *bytes, unsigned n, int64_t due_us)
{
    struct vb_chunk *last = g_queue_peek_tail(board->out);
    struct vb_chunk *chunk = g_new0(struct vb_chunk, 1);
    if (vb_defect(board, "silent"))
        n = 0;
    if (vb_defect(board, "late"))
        due_us += 1000 * vb_defect_number(board, "late", LATE_MS);
    chunk->due_us = last ? MAX(due_us, last->due_us) : due_us;
    chunk->n = n;
    chunk->bytes = g_memdup2(bytes, n);
    g_queue_push_tail(board->out, chunk);
}

/* One byte at a time: what was missed while nobody listened is lost. On a bus one frame that is for nobody.
 */
static void chatter(struct vboard *board, int64_t now_us)
{
    const uint8_t byte = (uint8_t)(now_us / CHATTER_US * 37);
    const uint8_t frame[16] = {0x81, 0x01, 0, 0, 1, 0, 0, 0, byte};
    if (!vb_defect(board, "chatter") || board->mode == VB_OFF || board->chatter_us > now_us)
        return;
    board->chatter_us = now_us + CHATTER_US;
    if (board->family->frames)
        vb_send(board, frame, sizeof frame, now_us);
    else
        vb_send(board, &byte, 1, now_us);
}

static void doze(struct vboard *board, int64_t now_us)
{
    const struct vb_family *family = board->family;
    if (vb_true_ma(board) <= (family->wake_ma ? family->wake_ma : WAKE_MA) ||
        vb_defect(board, "deep-sleep")) {
        board->charged_us = INT64_MAX;
        return;
    }
    board->charged_us = MIN(board->charged_us, now_us);
    if (now_us - board->charged_us >= vb_ms(board, family->wake_ms))
        start(board, now_us);
}

static void pass_time(struct vboard *board, int64_t now_us)
{
    chatter(board, now_us);
    if (board->commit_us <= now_us) {
        memcpy(board->nvm.blocks, board->live.blocks, sizeof board->nvm.blocks);
        board->commit_us = INT64_MAX;
        vb_dirty(board, now_us);
    }
    if (board->mode_at_us <= now_us) {
        board->mode_at_us = INT64_MAX;
        if (board->mode_next == VB_STARTING) {
            start(board, now_us);
        } else {
            board->mode = board->mode_next;
            if (board->mode == VB_APPLICATION)
                board->family->app_start(board, now_us);
            if (board->mode == VB_BOOTLOADER)
                vb_boot_reset(board->boot);
        }
    }
    if (board->mode == VB_ASLEEP)
        doze(board, now_us);
    if (board->mode == VB_APPLICATION && board->family->app_tick)
        board->family->app_tick(board, now_us);
    if (board->dirty_since_us != INT64_MAX &&
        (now_us - board->dirty_last_us >= SAVE_IDLE_US || now_us - board->dirty_since_us >= SAVE_MAX_US))
        vb_nvm_save(board, now_us);
}

void vboard_accept(struct vboard *board, const uint8_t *bytes, size_t n, int64_t now_us)
{
    pass_time(board, now_us);
    int64_t unplug = vb_defect_number(board, "unplug-at", INT64_MAX);
    for (size_t i = 0; i < n; i++) {
        board->received++;
        if ((int64_t)board->received > unplug && !board->unplugged) {
            board->unplugged = true;
            g_queue_clear_full(board->out, chunk_free);
        }
        if (board->unplugged)
            continue;
        if (board->mode == VB_APPLICATION)
            board->family->app_byte(board, bytes[i], now_us);
        else if (board->mode == VB_BOOTLOADER)
            vb_boot_byte(board, bytes[i], now_us);
    }
}

size_t vboard_produce(struct vboard *board, uint8_t *bytes, size_t max, int64_t now_us)
{
    size_t n = 0;
    struct vb_chunk *chunk;
    pass_time(board, now_us);
    while (n < max && (chunk = g_queue_peek_head(board->out)) && chunk->due_us <= now_us) {
        size_t part = MIN(max - n, chunk->n - chunk->sent);
        if (part)
            memcpy(bytes + n, chunk->bytes + chunk->sent, part);
        n += part;
        chunk->sent += (unsigned)part;
        if (chunk->sent == chunk->n)
            chunk_free(g_queue_pop_head(board->out));
    }
    return n;
}

int64_t vboard_next_us(struct vboard *board)
{
    const struct vb_chunk *chunk = g_queue_peek_head(board->out);
    int64_t next = chunk ? chunk->due_us : INT64_MAX;
    next = MIN(next, board->mode_at_us);
    if (board->mode == VB_ASLEEP && board->charged_us != INT64_MAX)
        next = MIN(next, board->charged_us + vb_ms(board, board->family->wake_ms));
    if (board->mode == VB_APPLICATION && board->family->app_next_us)
        next = MIN(next, board->family->app_next_us(board));
    next = MIN(next, board->commit_us);
    if (vb_defect(board, "chatter") && board->mode != VB_OFF)
        next = MIN(next, board->chatter_us);
    if (board->dirty_since_us != INT64_MAX && board->state_path)
        next = MIN(next, MIN(board->dirty_last_us + SAVE_IDLE_US, board->dirty_since_us + SAVE_MAX_US));
    return next;
}

void vboard_lines(struct vboard *board, bool dtr, bool rts, int64_t now_us)
{
    pass_time(board, now_us);
    board->boot_pin = dtr;
    if (rts && !board->reset_line && board->mode != VB_OFF) {
        board->mode = VB_IN_RESET;
        board->mode_at_us = INT64_MAX;
    }
    if (!rts && board->reset_line && board->mode == VB_IN_RESET)
        reset_into(board, board->boot_pin, now_us);
    board->reset_line = rts;
}

void vboard_power(struct vboard *board, bool on, int64_t now_us)
{
    pass_time(board, now_us);
    if (!on) {
        /* What was accepted but not yet non-volatile is gone. */
        board->commit_us = board->mode_at_us = INT64_MAX;
        board->mode = VB_OFF;
        g_queue_clear_full(board->out, chunk_free);
    } else if (board->mode == VB_OFF) {
        board->unplugged = false;
        power_up(board, now_us);
    }
}

void vboard_reset_button(struct vboard *board, bool pressed, int64_t now_us)
{
    pass_time(board, now_us);
    if (pressed)
        board->button_since_us = now_us;
    else
        reset_into(board, now_us - board->button_since_us >= (int64_t)BUTTON_BOOT_S * 1000000, now_us);
}

void vboard_bench_current(struct vboard *board, int64_t ma)
{
    board->bench_ma = ma;
    board->bench_output = ma != 0;
}

void vboard_bench_temperature(struct vboard *board, int64_t mdeg)
{
    board->bench_mdeg = mdeg;
}

void vboard_truth_unique_id(const struct vboard *board, uint8_t id[12])
{
    memcpy(id, board->nvm.unique_id, 12);
}

const uint8_t *vboard_truth_flash(const struct vboard *board, uint32_t *address, size_t *size)
{
    *address = VB_FLASH_ADDRESS;
    *size = VB_FLASH_SIZE;
    return board->nvm.flash;
}

int64_t vboard_truth_clock_us(const struct vboard *board, int64_t now_us)
{
    return board->nvm.rtc_us + now_us - board->rtc_at_us;
}

bool vboard_truth_block(const struct vboard *board, unsigned block, const uint8_t **bytes, size_t *n)
{
    for (unsigned i = 0; i < VB_BLOCKS; i++)
        if (board->nvm.blocks[i].size && board->nvm.blocks[i].number == block) {
            *bytes = board->nvm.blocks[i].bytes;
            *n = board->nvm.blocks[i].size;
            return true;
        }
    return false;
}

bool vboard_truth_nth_block(const struct vboard *board, unsigned i, unsigned *block, const uint8_t **bytes,
                            size_t *n)
{
    if (i >= VB_BLOCKS || board->nvm.blocks[i].size == 0)
        return false;
    *block = board->nvm.blocks[i].number;
    *bytes = board->nvm.blocks[i].bytes;
    *n = board->nvm.blocks[i].size;
    return true;
}

bool vboard_truth_running(const struct vboard *board)
{
    return board->mode == VB_APPLICATION;
}

int64_t vboard_truth_current_error_ma(const struct vboard *board, int64_t true_ma)
{
    struct vboard copy = *board;
    copy.bench_ma = true_ma;
    copy.bench_output = true;
    return vb_current_ma(&copy, false) - true_ma;
}
