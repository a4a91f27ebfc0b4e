/* The station's machine: dying, starting again, and dying once more while it recovers. */
#include "station/sim/parts.h"

#include "station/base/error.h"

#define RESTARTS_MAX 5

bool sim_store_ill(const struct sim_shift *shift)
{
    return !shift->store || shift->store_bad || store_disk_gone(shift->disk);
}

static bool open_store(struct sim_shift *shift, const char *when)
{
    g_autoptr(GError) error = NULL;
    shift->store = store_open(shift->store_folder, "sim", &shift->house_tick, &error);
    if (!shift->store && !store_disk_gone(shift->disk) && !store_disk_struck(shift->disk))
        sim_violation(shift, shift->next_unit - 1, "I11 the store does not open %s: %s", when,
                      error->message);
    return shift->store != NULL;
}

/* The moment that was aimed at. */
static void strike(void *context)
{
    struct sim_shift *shift = context;
    const struct sim_aim *aim = shift->options->aim;
    struct sim_board *board = shift->slots[0].there;
    shift->count->aimed++;
    if (aim->board && board)
        vboard_power(board->board, false, shift->now_us);
    if (aim->fails)
        (aim->once ? store_disk_arm_once : store_disk_arm)(shift->disk, (enum store_disk_fault)aim->failure,
                                                           1);
    if (aim->process || aim->power)
        store_disk_stop(shift->disk, aim->power);
}

void sim_disk_aim(struct sim_shift *shift)
{
    const struct sim_aim *aim = shift->options->aim;
    if (aim && aim->kind == SIM_AIM_DISK)
        store_disk_watch(shift->disk, aim->at, aim->after, strike, shift);
}

static void die(void *context)
{
    store_disk_stop(context, false);
}

static void lose_power(void *context)
{
    store_disk_stop(context, true);
}

/* The operations of one recovery. */
static uint64_t recovery_length(struct sim_shift *shift)
{
    uint64_t before = store_disk_operations(shift->disk);
    open_store(shift, "again");
    uint64_t n = store_disk_operations(shift->disk) - before;
    store_close(g_steal_pointer(&shift->store));
    return n;
}

/* One start that ends at its n-th operation, and the start after it. */
static void die_recovering(struct sim_shift *shift, uint64_t n, bool after, store_disk_hook how)
{
    store_disk_watch(shift->disk, store_disk_operations(shift->disk) + n, after, how, shift->disk);
    open_store(shift, "");
    store_close(g_steal_pointer(&shift->store));
    if (!store_disk_gone(shift->disk))
        sim_violation(shift, shift->next_unit - 1,
                      "I12 a second recovery had fewer operations than the first");
    store_disk_restart(shift->disk);
    shift->count->crashes_in_recovery++;
    if (open_store(shift, "after a second crash"))
        sim_oracle_store(shift, true);
    store_close(g_steal_pointer(&shift->store));
}

/* A second death at some operation of the recovery: before it and after it, as a kill and as a power cut. */
static void die_again(struct sim_shift *shift)
{
    static const store_disk_hook hooks[] = {die, lose_power};
    struct store_disk_image *image = store_disk_save(shift->disk);
    uint64_t n = recovery_length(shift);
    for (unsigned kind = 0; n > 0 && kind < 4; kind++) {
        store_disk_load(shift->disk, image);
        die_recovering(shift, 1 + sim_random(&shift->random) % n, kind / 2, hooks[kind % 2]);
    }
    store_disk_load(shift->disk, image);
    store_disk_image_free(image);
}

/* By chance the station dies once more while it recovers. */
static bool reopen(struct sim_shift *shift, unsigned tries)
{
    uint64_t chance = sim_random(&shift->random);
    bool again =
        tries < 2 && chance % 3 == 0 &&
        (shift->options->mask & ~shift->options->dropped & sim_class_bit(chance % 2 ? "kill" : "power-cut"));
    store_disk_restart(shift->disk);
    if (again)
        store_disk_arm(shift->disk, chance % 2 ? DISK_KILL : DISK_POWER_CUT, 1 + chance / 4 % 20);
    open_store(shift, "again");
    shift->count->restarts++;
    if (store_disk_gone(shift->disk)) {
        shift->count->crashes_in_recovery++;
        store_close(g_steal_pointer(&shift->store));
        return false;
    }
    store_disk_heal(shift->disk);
    return true;
}

static void start_again(struct sim_shift *shift)
{
    store_close(g_steal_pointer(&shift->store));
    bool died = store_disk_gone(shift->disk);
    store_disk_restart(shift->disk);
    if (died && shift->options->aim)
        die_again(shift);
    bool up = false;
    for (unsigned tries = 0; tries < RESTARTS_MAX && !up; tries++)
        up = reopen(shift, tries);
    shift->store_bad = false;
    shift->disk_step = -1;
    if (shift->store)
        sim_oracle_store(shift, true);
}

void sim_recover(struct sim_shift *shift)
{
    if (sim_store_ill(shift))
        start_again(shift);
}

void sim_close_day(struct sim_shift *shift)
{
    if (shift->store)
        start_again(shift);
}
