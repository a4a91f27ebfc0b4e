/* The cable and the bench of a slot, with a virtual board at the far end. */
#include "station/sim/parts.h"

#include "station/base/error.h"

#include <string.h>

static struct vboard *board_of(const struct sim_slot *slot)
{
    return slot->there->board;
}

static bool gone(const struct sim_slot *slot)
{
    return store_disk_gone(slot->shift->disk);
}

#define FRAME 16 /* bytes of one on a CAN bus */

/* On a bus the controllers find damage by its CRC, and repeat: what is spoiled is a frame that does not come,
 * that comes twice, that changes places with its neighbour, or one of somebody else. */
static bool spoil_frames(struct sim_slot *slot, GByteArray *bytes, uint64_t chance)
{
    const guint at = (guint)(chance >> 20) % (bytes->len / FRAME) * FRAME;
    const uint8_t other[FRAME] = {0x81, 0x01, 0, 0, 2, 0, 0, 0, (uint8_t)chance};
    uint8_t frame[FRAME];
    memcpy(frame, bytes->data + at, FRAME);
    if (sim_fault_is(slot, "rubbish")) {
        g_byte_array_prepend(bytes, other, FRAME);
    } else if (sim_fault_is(slot, "duplicate")) {
        g_byte_array_append(bytes, frame, FRAME);
    } else if (sim_fault_is(slot, "truncate")) {
        g_byte_array_set_size(bytes, at);
    } else {
        g_byte_array_remove_range(bytes, at, FRAME);
        if (sim_fault_is(slot, "reorder"))
            g_byte_array_append(bytes, frame, FRAME);
    }
    return true;
}

static bool is_frame_fault(const struct sim_slot *slot)
{
    static const char *const names[] = {"drop",  "duplicate", "corrupt-bit", "corrupt-byte",
                                        "burst", "reorder",   "truncate",    "rubbish"};
    bool found = false;
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        found |= sim_fault_is(slot, names[i]);
    return found;
}

/* Spoils one chunk in place; false = nothing of it goes through. */
static bool spoil(struct sim_slot *slot, GByteArray *bytes, uint64_t chance)
{
    if (slot->shift->options->family->frames && bytes->len >= FRAME && is_frame_fault(slot))
        return spoil_frames(slot, bytes, chance);
    uint8_t *p = bytes->data;
    guint n = bytes->len, at = (guint)(chance >> 20) % n;
    guint span = MIN(n - at, 2 + (guint)(chance >> 40) % 6);
    static const uint8_t rubbish[] = {0x00, 0xff, 0x7e, 0x79, 0x1f, 0x0d, 0x55};
    if (sim_fault_is(slot, "drop")) {
        g_byte_array_remove_range(bytes, at, 1);
    } else if (sim_fault_is(slot, "duplicate")) {
        uint8_t byte = p[at];
        g_byte_array_append(bytes, &byte, 1);
        memmove(bytes->data + at + 1, bytes->data + at, bytes->len - 1 - at);
    } else if (sim_fault_is(slot, "corrupt-bit")) {
        p[at] ^= (uint8_t)(1u << (chance & 7));
    } else if (sim_fault_is(slot, "corrupt-byte")) {
        p[at] = (uint8_t)(p[at] + 1 + (chance & 0x7f));
    } else if (sim_fault_is(slot, "burst")) {
        for (guint i = 0; i < span; i++)
            p[at + i] ^= (uint8_t)(chance >> (8 * i % 56) | 1);
    } else if (sim_fault_is(slot, "reorder")) {
        uint8_t first = p[0];
        p[0] = p[n - 1];
        p[n - 1] = first;
    } else if (sim_fault_is(slot, "truncate")) {
        g_byte_array_set_size(bytes, at);
    } else if (sim_fault_is(slot, "rubbish")) {
        g_byte_array_prepend(bytes, rubbish, 1 + (guint)(chance >> 50) % sizeof rubbish);
    } else if (sim_fault_is(slot, "delay")) {
        slot->cable.in_due_us = slot->shift->now_us + 1000 * (1 + (int64_t)(chance >> 30) % 400);
    } else if (sim_fault_is(slot, "stall")) {
        int64_t ms =
            slot->fault.ppm ? 50 + (int64_t)(chance >> 30) % 450 : 1000 * (1 + (int64_t)(chance >> 30) % 15);
        slot->cable.stalled_until_us = slot->shift->now_us + 1000 * ms;
    } else if (sim_fault_is(slot, "unplug")) {
        slot->cable.unplugged = true;
        return false;
    } else if (sim_fault_is(slot, "board-reset")) {
        vboard_power(board_of(slot), false, slot->shift->now_us);
        vboard_power(board_of(slot), true, slot->shift->now_us);
    } else if (sim_fault_is(slot, "board-off")) {
        vboard_power(board_of(slot), false, slot->shift->now_us);
    } else if (sim_fault_is(slot, "swap")) {
        slot->there = slot->intruder;
    }
    return true;
}

static void show_bytes(const struct sim_slot *slot, const char *way, const GByteArray *bytes)
{
    FILE *out = slot->shift->options->show;
    if (!slot->traced || bytes->len == 0)
        return;
    fprintf(out, "%12.6f slot %s %s", (double)slot->shift->now_us / 1e6, slot->name, way);
    for (guint i = 0; i < bytes->len; i++)
        fprintf(out, " %02X", bytes->data[i]);
    fputc('\n', out);
}

/* The cable that is pulled after so many bytes. */
static void cut_here(struct sim_slot *slot, GByteArray *bytes)
{
    const struct sim_aim *aim = slot->shift->options->aim;
    uint64_t before = slot->cable.bytes;
    slot->cable.bytes += bytes->len;
    if (!aim || aim->kind != SIM_AIM_BYTE || slot->attempt != 1 || slot->cable.cut ||
        slot->cable.bytes <= aim->at)
        return;
    guint left = (guint)(aim->at - before);
    g_byte_array_set_size(bytes, slot->shift->options->family->frames ? left - left % FRAME : left);
    slot->cable.cut = true;
    slot->shift->count->aimed++;
    sim_fault_hit(slot);
}

/* A chunk of bytes either way meets the fault that is armed. */
static void spoil_chunk(struct sim_slot *slot, GByteArray *bytes)
{
    struct sim_fault *fault = &slot->fault;
    cut_here(slot, bytes);
    if (slot->step >= 0 && slot->step < SIM_STEPS_MAX)
        slot->shift->count->traffic[slot->step] = true;
    slot->cable.chunks++;
    if (!fault->armed || fault->spent || bytes->len == 0)
        return;
    if (fault->after > 0) {
        fault->after--;
        return;
    }
    uint64_t chance = sim_hash(slot->shift->options->seed, slot->unit * 1000 + slot->attempt,
                               (unsigned)slot->cable.chunks, "cable");
    if (fault->ppm && chance % 1000000 >= fault->ppm)
        return;
    fault->spent = fault->ppm == 0;
    sim_fault_hit(slot);
    uint64_t state = chance;
    if (!spoil(slot, bytes, sim_random(&state)))
        g_byte_array_set_size(bytes, 0);
    show_bytes(slot, "spoiled:", bytes);
}

static void pass(struct sim_slot *slot, const char *way, GByteArray *bytes)
{
    show_bytes(slot, way, bytes);
    spoil_chunk(slot, bytes);
}

static bool dead_line(const struct sim_slot *slot)
{
    return gone(slot) || slot->cable.unplugged || slot->cable.stalled_until_us > slot->shift->now_us;
}

static void accept(void *context, const uint8_t *bytes, size_t n, int64_t now_us)
{
    struct sim_slot *slot = context;
    g_autoptr(GByteArray) chunk = g_byte_array_new();
    if (dead_line(slot))
        return;
    g_byte_array_append(chunk, bytes, (guint)n);
    pass(slot, "->", chunk);
    slot->cable.sent += chunk->len;
    if (chunk->len && !slot->cable.unplugged)
        vboard_accept(board_of(slot), chunk->data, chunk->len, now_us);
    slot->cable.unplugged |= slot->cable.cut;
}

static void draw(struct sim_slot *slot, int64_t now_us)
{
    uint8_t bytes[512];
    size_t n = vboard_produce(board_of(slot), bytes, sizeof bytes, now_us);
    if (n == 0 || dead_line(slot))
        return;
    g_autoptr(GByteArray) chunk = g_byte_array_new();
    g_byte_array_append(chunk, bytes, (guint)n);
    pass(slot, "<-", chunk);
    if (!slot->cable.unplugged)
        g_byte_array_append(slot->cable.in, chunk->data, chunk->len);
    slot->cable.unplugged |= slot->cable.cut;
}

static size_t produce(void *context, uint8_t *bytes, size_t max, int64_t now_us)
{
    struct sim_slot *slot = context;
    draw(slot, now_us);
    if (slot->cable.in_due_us > now_us)
        return 0;
    size_t n = MIN(max, slot->cable.in->len);
    if (n) {
        memcpy(bytes, slot->cable.in->data, n);
        g_byte_array_remove_range(slot->cable.in, 0, (guint)n);
    }
    return n;
}

static int64_t next_us(void *context)
{
    struct sim_slot *slot = context;
    int64_t next = vboard_next_us(board_of(slot));
    return slot->cable.in->len ? MIN(next, slot->cable.in_due_us) : next;
}

static void signal_line(void *context, enum wire_signal signal, bool on, int64_t now_us)
{
    struct sim_slot *slot = context;
    *(signal == WIRE_DTR ? &slot->cable.dtr : &slot->cable.rts) = on;
    if (!dead_line(slot))
        vboard_lines(board_of(slot), slot->cable.dtr, slot->cable.rts, now_us);
}

struct wire *sim_connect(void *context, const struct wire_options *options, GError **error)
{
    struct sim_slot *slot = context;
    const struct wire_far_side far = {slot, accept, produce, next_us, signal_line, NULL};
    if (gone(slot) || slot->cable.unplugged) {
        error_set(error, ERROR_ABSENT, "slot %s: no such port", slot->name);
        return NULL;
    }
    return wire_loop_open(&far, options);
}

void sim_cable_plug(struct sim_slot *slot)
{
    g_byte_array_set_size(slot->cable.in, 0);
    slot->cable.unplugged = slot->cable.cut = slot->cable.dtr = slot->cable.rts = false;
    slot->cable.in_due_us = slot->cable.stalled_until_us = 0;
}

/* The bench: instruments with no cable of their own to disturb. */
struct sim_bench {
    struct bench bench;
    struct sim_slot *slot;
};

static struct sim_slot *slot_of(struct bench *bench)
{
    return ((struct sim_bench *)bench)->slot;
}

static bool set_current(struct bench *bench, int64_t ma, GError **error)
{
    (void)error;
    if (!gone(slot_of(bench)))
        vboard_bench_current(board_of(slot_of(bench)), ma);
    return true;
}

static bool read_milli(struct bench *bench, const char *command, int64_t *value)
{
    struct sim_slot *slot = slot_of(bench);
    g_autofree char *text = vboard_bench_command(board_of(slot), command, slot->shift->now_us);
    double number = g_ascii_strtod(text, NULL) * 1000;
    *value = (int64_t)(number + (number < 0 ? -0.5 : 0.5));
    return true;
}

static bool read_current(struct bench *bench, int64_t *ma, GError **error)
{
    (void)error;
    return read_milli(bench, "MEAS:CURR?", ma);
}

static bool set_temperature(struct bench *bench, int64_t mdeg, GError **error)
{
    (void)error;
    if (!gone(slot_of(bench)))
        vboard_bench_temperature(board_of(slot_of(bench)), mdeg);
    return true;
}

static bool read_temperature(struct bench *bench, int64_t *mdeg, GError **error)
{
    (void)error;
    return read_milli(bench, "MEAS:TEMP?", mdeg);
}

static bool read_cell(struct bench *bench, unsigned cell, int64_t *mv, GError **error)
{
    g_autofree char *command = g_strdup_printf("MEAS:CELL? %u", cell + 1);
    (void)error;
    return read_milli(bench, command, mv);
}

static bool power(struct bench *bench, bool on, GError **error)
{
    (void)error;
    if (!gone(slot_of(bench)))
        vboard_power(board_of(slot_of(bench)), on, slot_of(bench)->shift->now_us);
    return true;
}

static bool rest(struct bench *bench, GError **error)
{
    return set_current(bench, 0, error) && power(bench, true, error);
}

static const struct bench_kind sim_bench_kind = {.name = "simulated",
                                                 .set_current = set_current,
                                                 .read_current = read_current,
                                                 .set_temperature = set_temperature,
                                                 .read_temperature = read_temperature,
                                                 .read_cell = read_cell,
                                                 .power = power,
                                                 .rest = rest};

struct bench *sim_open_bench(void *context, GError **error)
{
    struct sim_bench *bench = g_new0(struct sim_bench, 1);
    (void)error;
    bench->slot = context;
    bench->bench.kind = &sim_bench_kind;
    bench->bench.tick = &bench->slot->tick;
    bench->bench.due_us = INT64_C(4102358400000000); /* 2099-12-31 */
    g_strlcpy(bench->bench.due, "2099-12-31", sizeof bench->bench.due);
    g_strlcpy(bench->bench.identity, "SIMULATED-BENCH", sizeof bench->bench.identity);
    return &bench->bench;
}
