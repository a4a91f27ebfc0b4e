/* The classes of faults, and which of them strikes which attempt. */
#include "station/sim/parts.h"

#include "station/base/error.h"

#include <string.h>

static const struct sim_class classes[] = {
    {"drop", "a byte is lost on the line", SIM_WIRE, NULL, true},
    {"duplicate", "a byte comes twice", SIM_WIRE, NULL, true},
    {"corrupt-bit", "one bit of a byte turns over", SIM_WIRE, NULL, true},
    {"corrupt-byte", "a byte becomes another one", SIM_WIRE, NULL, true},
    {"burst", "two to seven bytes in a row are spoiled", SIM_WIRE, NULL, true},
    {"reorder", "two bytes change places", SIM_WIRE, NULL, true},
    {"delay", "an answer comes up to 0.4 s late", SIM_WIRE, NULL, true},
    {"stall", "nothing goes through for up to 15 s, or many times for up to half a second", SIM_WIRE, NULL,
     true},
    {"truncate", "the rest of a chunk is lost", SIM_WIRE, NULL, true},
    {"rubbish", "bytes that nobody sent stand before a chunk", SIM_WIRE, NULL, true},
    {"unplug", "the cable is pulled and stays out", SIM_WIRE, NULL, true},
    {"board-reset", "the board loses its supply for an instant", SIM_WIRE, NULL, true},
    {"board-off", "the board loses its supply for the rest of the attempt", SIM_WIRE, NULL, true},
    {"swap", "another board is put into the slot", SIM_WIRE, NULL, true},
    {"disk-full", "the disk of the station is full", SIM_ANY, NULL, true},
    {"disk-error", "a write to the disk fails", SIM_ANY, NULL, true},
    {"disk-sync", "a sync of the disk fails", SIM_ANY, NULL, true},
    {"kill", "the station's process is killed", SIM_ANY, NULL, true},
    {"power-cut", "the station's machine loses its supply", SIM_ANY, NULL, true},
    {"stop", "the operator stops the run", SIM_ANY, NULL, true},
    {"clock-jump", "the wall clock of the station steps", SIM_ANY, NULL, true},
    {"lie-ack-no-write", "a flash block is acknowledged and not written", SIM_BOARD, "ack-no-write", false},
    {"lie-cached-readback", "reading back gives what was sent, not what is there", SIM_BOARD,
     "cached-readback", false},
    {"lie-stuck-bit", "a flash bit cannot be programmed", SIM_BOARD, "stuck-bit", false},
    {"lie-clamp", "a parameter is silently clamped", SIM_BOARD, "clamp-parameter", false},
    {"lie-lose", "parameters fall back at a restart", SIM_BOARD, "lose-parameter", false},
    {"lie-ack-parameter", "parameters are acknowledged and not written", SIM_BOARD, "ack-param-no-write",
     false},
    {"wrong-hardware", "a board of another hardware revision", SIM_BOARD, "wrong-hardware", false},
    {"wrong-product", "a board of another product", SIM_BOARD, "wrong-product", false},
    {"wrong-mcu", "a board with another microcontroller", SIM_BOARD, "wrong-mcu", false},
    {"wrong-password", "the board refuses the password", SIM_BOARD, "wrong-password", false},
    {"other-uid", "another unique id after the reset", SIM_BOARD, "uid-after-reset", false},
    {"swapped-flashing", "swapped while it is flashed", SIM_BOARD, "swapped-while-flashing", false},
    {"silent", "a board that never answers", SIM_BOARD, "silent", false},
    {"late", "every answer comes after the station gave it up", SIM_BOARD, "late", false},
    {"chatter", "bytes without an end that nobody asked for", SIM_BOARD, "chatter", false},
    {"busy", "every write of a parameter is refused, for ever", SIM_BOARD, "busy", false},
    {"silent-flashed", "the flashed application does not answer", SIM_BOARD, "silent-after-flash", false},
    {"no-zero", "zero calibration without effect", SIM_BOARD, "no-zero", false},
    {"noisy-current", "a current reading that wanders", SIM_BOARD, "noisy-current", false},
    {"bent-current", "a current reading that is right at the first point of the gain only", SIM_BOARD,
     "bent-current", false},
    {"clock-stuck", "the board's clock cannot be set", SIM_BOARD, "rtc-stuck", false},
    {"antitheft-stuck", "anti-theft cannot be switched off", SIM_BOARD, "antitheft-stuck", false},
    {"foreign-sn", "the board carries a foreign serial number", SIM_BOARD, "foreign-sn", false},
    {"cell-spread", "one cell lies 130 mV below the others: the unit is held, not failed", SIM_BOARD,
     "cell-spread", false, "rockets"},
    {"wrong-flag", "a state flag is not as it should be", SIM_BOARD, "flag", false, "rockets"},
    {"sleepless", "the command to sleep is acknowledged, and the board stays awake", SIM_BOARD, "sleepless",
     false, "rockets"},
    {"no-crc", "a bootloader without a checksum command", SIM_BOARD, "no-crc", true},
    {"blank", "a board without any application", SIM_BOARD, "blank-flash", true},
    {"half-flashed", "a board with a torn application", SIM_BOARD, "half-flashed", true},
    {"hung", "a torn application that keeps its bootloader away", SIM_BOARD, "hung", true},
    {"double-scan", "the same board is scanned again after it passed", SIM_PEOPLE, NULL, true},
    {"joined-scan", "two scans run together", SIM_PEOPLE, NULL, true},
    {"taken-number", "the number of another board that passed is scanned", SIM_PEOPLE, NULL, true},
    {"printer-jam", "the printer takes nothing", SIM_PEOPLE, NULL, true},
    {"printer-unsure", "the printer breaks off while it prints", SIM_PEOPLE, NULL, true},
    {"wrong-label", "another unit's label is stuck onto the board", SIM_PEOPLE, NULL, true},
    {"early-removal", "another board is in the slot when the label is scanned", SIM_PEOPLE, NULL, true},
    {"label-left", "the operator goes away without scanning the label back", SIM_PEOPLE, NULL, true},
    {NULL},
};

G_STATIC_ASSERT(G_N_ELEMENTS(classes) - 1 <= SIM_CLASSES_MAX);

const struct sim_class *sim_classes(void)
{
    return classes;
}

static int class_find(const char *name)
{
    for (int i = 0; classes[i].name; i++)
        if (strcmp(classes[i].name, name) == 0)
            return i;
    return -1;
}

bool sim_class_is_noise(unsigned index)
{
    return classes[index].where == SIM_WIRE && (int)index <= class_find("rubbish");
}

uint64_t sim_class_bit(const char *name)
{
    int index = class_find(name);
    return index < 0 ? 0 : UINT64_C(1) << index;
}

bool sim_profile(const char *text, uint64_t *mask, GError **error)
{
    *mask = 0;
    if (strcmp(text, "none") == 0)
        return true;
    if (strcmp(text, "all") == 0) {
        *mask = (UINT64_C(1) << (G_N_ELEMENTS(classes) - 1)) - 1;
        return true;
    }
    g_auto(GStrv) words = g_strsplit(text, ",", SIM_CLASSES_MAX + 1);
    for (int i = 0; words[i]; i++) {
        int found = class_find(words[i]);
        if (found < 0)
            return error_set(error, ERROR_USAGE, "no class of faults '%s'; --list names them", words[i]);
        *mask |= UINT64_C(1) << found;
    }
    return true;
}

static bool enabled(const struct sim_slot *slot, int index)
{
    const struct sim_options *options = slot->shift->options;
    return index >= 0 && (options->mask & ~options->dropped) >> index & 1;
}

/* The chance-th of the classes to choose from between two indices; -1 when there is none. */
static int choose_class(const struct sim_slot *slot, unsigned from, unsigned to, uint64_t chance)
{
    int chosen[SIM_CLASSES_MAX];
    unsigned n = 0;
    for (unsigned i = from; i < to; i++)
        if (slot->shift->options->mask >> i & 1)
            chosen[n++] = (int)i;
    int index = n ? chosen[chance % n] : -1;
    return enabled(slot, index) ? index : -1;
}

static uint64_t draw(const struct sim_slot *slot, const char *what)
{
    return sim_hash(slot->shift->options->seed, slot->unit, slot->attempt, what);
}

bool sim_chance(const struct sim_slot *slot, const char *name, unsigned one_in)
{
    int index = class_find(name);
    if (!enabled(slot, index) || draw(slot, name) % one_in != 0)
        return false;
    slot->shift->count->struck[index]++;
    return true;
}

const char *sim_defect_choose(const struct sim_slot *slot, uint64_t chance)
{
    const struct sim_aim *aim = slot->shift->options->aim;
    if (aim)
        return aim->kind == SIM_AIM_BOARD ? classes[aim->class_index].defect : NULL;
    unsigned from = 0, to;
    while (classes[from].where != SIM_BOARD)
        from++;
    for (to = from; classes[to].where == SIM_BOARD; to++)
        continue;
    int index = choose_class(slot, from, to, chance);
    return index < 0 || sim_family_lacks(slot->shift->options->family, &classes[index])
               ? NULL
               : classes[index].defect;
}

bool sim_fault_is(const struct sim_slot *slot, const char *name)
{
    return slot->fault.class_index >= 0 && strcmp(classes[slot->fault.class_index].name, name) == 0;
}

/* The step it strikes in: any, or for the line any that speaks with the board. */
static int choose_step(const struct sim_slot *slot, enum sim_where where)
{
    const struct sim_count *count = slot->shift->count;
    int steps[SIM_STEPS_MAX];
    unsigned n = 0;
    for (unsigned i = 0; i < count->step_count; i++)
        if (where == SIM_ANY || count->traffic[i])
            steps[n++] = (int)i;
    return n ? steps[draw(slot, "step") % n] : -1;
}

/* The fault that was set down in advance; sim_recover.c has those of the disk. */
static void take_aim(struct sim_slot *slot)
{
    const struct sim_aim *aim = slot->shift->options->aim;
    if (slot->attempt != 1 || (aim->kind != SIM_AIM_BYTE && aim->kind != SIM_AIM_NOISE))
        return;
    slot->fault.class_index = aim->kind == SIM_AIM_BYTE ? class_find("unplug") : (int)aim->class_index;
    slot->fault.ppm = aim->ppm;
    slot->fault.armed = aim->kind == SIM_AIM_NOISE;
}

void sim_fault_choose(struct sim_slot *slot)
{
    static const unsigned percent[] = {0, 85, 40, 20};
    static const uint32_t rates[] = {0, 0, 1000, 10000, 50000, 100000, 300000};
    struct sim_fault *fault = &slot->fault;
    *fault = (struct sim_fault){.class_index = -1, .step = -1};
    if (slot->shift->options->aim) {
        take_aim(slot);
        return;
    }
    if (slot->attempt >= G_N_ELEMENTS(percent) || draw(slot, "any") % 100 >= percent[slot->attempt])
        return;
    unsigned disturbing = 0;
    while (classes[disturbing].where == SIM_WIRE || classes[disturbing].where == SIM_ANY)
        disturbing++;
    int index = choose_class(slot, 0, disturbing, draw(slot, "class"));
    if (index < 0)
        return;
    fault->class_index = index;
    bool noise = sim_class_is_noise((unsigned)index);
    /* Short steps have a chunk or two; in the long ones what comes late matters too. */
    static const unsigned reach[] = {1, 6, 6, 60};
    fault->after = (unsigned)(draw(slot, "first") % reach[draw(slot, "after") % G_N_ELEMENTS(reach)]);
    if (noise && draw(slot, "whole") % 4 == 0) {
        fault->ppm = draw(slot, "rate") % 2 ? 1000 : 10000;
        fault->armed = true;
        return;
    }
    fault->ppm = noise ? rates[draw(slot, "rate") % G_N_ELEMENTS(rates)] : 0;
    if (fault->ppm)
        fault->after = 0;
    fault->step = choose_step(slot, classes[index].where);
}

static void note(struct sim_slot *slot, int step)
{
    struct sim_count *count = slot->shift->count;
    count->struck[slot->fault.class_index]++;
    if (step >= 0 && step < SIM_STEPS_MAX)
        count->cells[slot->fault.class_index][step]++;
}

void sim_fault_hit(struct sim_slot *slot)
{
    note(slot, slot->step);
}

static void jump_clock(struct sim_slot *slot)
{
    static const int64_t jumps_s[] = {-315576000, -3600, -2, 2, 3600, 86400 * 365, 315576000};
    slot->shift->wall_minus_now += 1000000 * jumps_s[draw(slot, "jump") % G_N_ELEMENTS(jumps_s)];
    slot->shift->clock_steps++;
    slot->fault.spent = true;
    sim_fault_hit(slot);
}

static void arm_disk(struct sim_slot *slot)
{
    static const struct {
        const char *name;
        enum store_disk_fault fault;
    } kinds[] = {{"disk-full", DISK_FULL},
                 {"disk-error", DISK_WRITE_FAILS},
                 {"disk-sync", DISK_SYNC_FAILS},
                 {"kill", DISK_KILL},
                 {"power-cut", DISK_POWER_CUT}};
    struct sim_shift *shift = slot->shift;
    if (shift->disk_step >= 0) /* another slot's fault is on its way */
        return;
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (sim_fault_is(slot, kinds[i].name)) {
            store_disk_arm(shift->disk, kinds[i].fault, 1 + draw(slot, "operation") % 12);
            shift->disk_class = (unsigned)slot->fault.class_index;
            shift->disk_step = slot->step;
            slot->fault.spent = true;
        }
}

void sim_fault_begin_step(struct sim_slot *slot)
{
    struct sim_fault *fault = &slot->fault;
    if (fault->class_index < 0 || fault->spent || fault->step < 0)
        return;
    fault->armed = fault->step == slot->step;
    if (!fault->armed || classes[fault->class_index].where != SIM_ANY)
        return;
    if (sim_fault_is(slot, "stop")) {
        fault->spent = true;
        sim_fault_hit(slot);
        cancel_request(slot->cancel);
    } else if (sim_fault_is(slot, "clock-jump")) {
        jump_clock(slot);
    } else {
        arm_disk(slot);
    }
}

/* A clock that stepped is set right again by its service, before the next attempt. */
void sim_fault_end(struct sim_slot *slot)
{
    slot->fault.armed = false;
    if (slot->shift->disk_step >= 0 && store_disk_struck(slot->shift->disk)) {
        struct sim_count *count = slot->shift->count;
        count->struck[slot->shift->disk_class]++;
        count->cells[slot->shift->disk_class][slot->shift->disk_step]++;
        slot->shift->disk_step = -1;
    }
}
