/* Slots as coroutines: waiting on a clock is where a slot yields; the seed picks who goes on. */
#include "station/sim/parts.h"

#include <string.h>
#include <sys/mman.h>

#define STACK_BYTES (4u * 1024 * 1024)
#define GUARD_BYTES (64u * 1024) /* an overflow stops here instead of in somebody's heap */

uint64_t sim_random(uint64_t *state)
{
    /* splitmix64, Steele and others 2014 */
    uint64_t z = *state += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

/* Every decision has its own number, so that leaving one class of faults out moves no other. */
uint64_t sim_hash(uint64_t seed, int64_t unit, unsigned attempt, const char *what)
{
    uint64_t state =
        seed * 0x2545f4914f6cdd1dull + (uint64_t)unit * 1000003 + attempt * 7919 + g_str_hash(what);
    sim_random(&state);
    return sim_random(&state);
}

static struct sim_slot *slot_of(struct tick *tick)
{
    return (struct sim_slot *)tick;
}

static int64_t slot_now(struct tick *tick)
{
    return slot_of(tick)->shift->now_us;
}

static int64_t slot_wall(struct tick *tick)
{
    return slot_of(tick)->shift->now_us + slot_of(tick)->shift->wall_minus_now;
}

static void yield(struct sim_slot *slot, enum sim_state state)
{
    slot->state = state;
    swapcontext(&slot->context, &slot->shift->scheduler);
}

static void slot_sleep(struct tick *tick, int64_t deadline_us)
{
    struct sim_slot *slot = slot_of(tick);
    if (deadline_us <= slot->shift->now_us)
        return;
    slot->wake_us = deadline_us;
    yield(slot, SIM_WAITING);
}

void sim_clock_init(struct sim_slot *slot)
{
    slot->tick = (struct tick){slot_now, slot_wall, slot_sleep, true};
}

static struct sim_shift *shift_of(struct tick *tick)
{
    return (struct sim_shift *)((char *)tick - offsetof(struct sim_shift, house_tick));
}

static int64_t house_now(struct tick *tick)
{
    return shift_of(tick)->now_us;
}

static int64_t house_wall(struct tick *tick)
{
    return shift_of(tick)->now_us + shift_of(tick)->wall_minus_now;
}

static void house_sleep(struct tick *tick, int64_t deadline_us)
{
    shift_of(tick)->now_us = MAX(shift_of(tick)->now_us, deadline_us);
}

void sim_house_clock_init(struct sim_shift *shift)
{
    shift->house_tick = (struct tick){house_now, house_wall, house_sleep, true};
}

void sim_slot_park(struct sim_slot *slot)
{
    yield(slot, SIM_PARKED);
}

struct start {
    struct sim_slot *slot;
    void (*work)(struct sim_slot *slot);
};

/* makecontext hands over ints: a pointer goes in two halves. */
static void enter(unsigned high, unsigned low)
{
    struct start *start = (struct start *)(uintptr_t)((uint64_t)high << 32 | low);
    struct sim_slot *slot = start->slot;
    start->work(slot);
    slot->state = SIM_DONE;
    swapcontext(&slot->context, &slot->shift->scheduler);
}

/* One of the slots that can go on now, or else the next to wake; NULL when all are parked or done. */
static struct sim_slot *pick(struct sim_shift *shift)
{
    struct sim_slot *ready[SIM_SLOTS_MAX];
    unsigned n = 0;
    int64_t next = INT64_MAX;
    for (unsigned i = 0; i < shift->slots_used; i++)
        if (shift->slots[i].state == SIM_WAITING || shift->slots[i].state == SIM_READY)
            next = MIN(next, shift->slots[i].state == SIM_READY ? shift->now_us : shift->slots[i].wake_us);
    if (next == INT64_MAX)
        return NULL;
    shift->now_us = MAX(shift->now_us, next);
    for (unsigned i = 0; i < shift->slots_used; i++)
        if (shift->slots[i].state == SIM_READY ||
            (shift->slots[i].state == SIM_WAITING && shift->slots[i].wake_us <= shift->now_us))
            ready[n++] = &shift->slots[i];
    return ready[sim_random(&shift->random) % n];
}

static bool any_parked(struct sim_shift *shift)
{
    bool parked = false;
    for (unsigned i = 0; i < shift->slots_used; i++)
        if (shift->slots[i].state == SIM_PARKED) {
            shift->slots[i].state = SIM_READY;
            parked = true;
        }
    return parked;
}

static void prepare(struct sim_slot *slot, struct start *start)
{
    uint64_t at = (uint64_t)(uintptr_t)start;
    slot->stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (slot->stack == MAP_FAILED || mprotect(slot->stack, GUARD_BYTES, PROT_NONE) != 0)
        g_error("no memory for a slot of %u bytes", STACK_BYTES);
    slot->state = SIM_READY;
    getcontext(&slot->context);
    slot->context.uc_stack.ss_sp = slot->stack;
    slot->context.uc_stack.ss_size = STACK_BYTES;
    slot->context.uc_link = NULL;
    makecontext(&slot->context, (void (*)(void))enter, 2, (unsigned)(at >> 32), (unsigned)at);
}

static void go_on(struct sim_shift *shift, struct sim_slot *slot)
{
    slot->state = SIM_READY;
    swapcontext(&shift->scheduler, &slot->context);
}

void sim_slots_run(struct sim_shift *shift, void (*work)(struct sim_slot *slot),
                   void (*all_parked)(struct sim_shift *))
{
    struct start starts[SIM_SLOTS_MAX];
    bool more = true;
    for (unsigned i = 0; i < shift->slots_used; i++) {
        starts[i] = (struct start){&shift->slots[i], work};
        prepare(&shift->slots[i], &starts[i]);
    }
    while (more) {
        struct sim_slot *slot = pick(shift);
        if (slot) {
            go_on(shift, slot);
            continue;
        }
        all_parked(shift);
        more = any_parked(shift);
    }
    for (unsigned i = 0; i < shift->slots_used; i++)
        munmap(shift->slots[i].stack, STACK_BYTES);
}
