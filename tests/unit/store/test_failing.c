/* The disk refuses at every operation of a station's day: once, or from then on. What the store acknowledged
 * is there afterwards, and after its first failure it acknowledges nothing more.
 *
 *   FAILING_CASES=20000 store_test_failing     the long form: each operation, each fault, each way of
 * stopping */
#include "tests/unit/store/world.h"

#define DAY_SEED 1795000001
#define EVERYDAY (224 / WORLD_SLOWER)

static const struct {
    const char *name;
    enum store_disk_fault fault;
    bool once, remount; /* the file system turns read-only instead */
} faults[] = {
    {"one write fails", DISK_WRITE_FAILS, true, false},     {"writes fail", DISK_WRITE_FAILS, false, false},
    {"no room for one write", DISK_FULL, true, false},      {"disk full", DISK_FULL, false, false},
    {"one sync fails", DISK_SYNC_FAILS, true, false},       {"syncs fail", DISK_SYNC_FAILS, false, false},
    {"remounted read-only", DISK_WRITE_FAILS, false, true},
};

/* What happens to the process that saw the failure, and to the machine. */
enum stop { CLOSED, KILLED, CUT, STOPS };
static const char *const stops[] = {"closed", "killed", "power cut after it"};

static void remount(void *disk)
{
    store_disk_read_only(disk, true);
}

static void fail_day(struct store_disk *disk, struct world *world, gsize fault, uint64_t n, enum stop stop)
{
    if (faults[fault].remount)
        store_disk_watch(disk, n, false, remount, disk);
    else
        (faults[fault].once ? store_disk_arm_once : store_disk_arm)(disk, faults[fault].fault, n);
    if (!world_day(world))
        world_check_stopped(world);
    store_disk_watch(disk, 0, false, NULL, NULL);
    store_disk_read_only(disk, false);
    if (stop == KILLED)
        store_disk_stop(disk, false);
    if (stop == CUT)
        return;
    world_close(world);
    store_disk_restart(disk);
}

/* The disk is well again, but the power goes while the store is closed or opened. */
static void cut_after(struct store_disk *disk, struct world *world, uint64_t chance)
{
    store_disk_restart(disk);
    store_disk_arm(disk, DISK_KILL, 1 + chance % 30);
    if (chance >> 8 & 1)
        store_disk_stop(disk, false);
    world_close(world);
    if (chance >> 8 & 1) {
        store_disk_restart(disk);
        store_disk_arm(disk, DISK_KILL, 1 + chance % 30);
    }
    if (!store_disk_gone(disk)) {
        world_open(world, false);
        world_close(world);
    }
    store_disk_stop(disk, true);
    store_disk_restart(disk);
    world->broke = false;
}

/* The repaired station works for a while, then the power goes: what the failed sync had left in the memory of
 * the machine alone is gone now. */
static void lose_power(struct store_disk *disk, struct world *world, uint64_t chance)
{
    store_disk_arm(disk, DISK_KILL, 1 + chance % 200);
    world_day(world);
    world_close(world);
    store_disk_stop(disk, true);
    store_disk_restart(disk);
    if (world_open(world, true))
        world_check(world, true);
}

static void try(gsize fault, uint64_t n, enum stop stop)
{
    uint64_t chance = world_mix(n, fault * STOPS + stop);
    struct world world;
    struct store_disk *disk = store_disk_new(DAY_SEED + chance % 7);
    world_init(&world);
    fail_day(disk, &world, fault, n, stop);
    if (stop == CUT && world.finding == FINDING_NONE)
        cut_after(disk, &world, chance >> 8);
    if (world.finding == FINDING_NONE && world_open(&world, true))
        world_check(&world, true);
    if (world.finding == FINDING_NONE && stop != CLOSED)
        lose_power(disk, &world, chance >> 8);
    world_finish(&world, chance % 8 == 0);
    store_disk_free(disk);
    if (world.finding != FINDING_NONE)
        g_error("%s at operation %d, %s: %s", faults[fault].name, (int)n, stops[stop], world.text);
}

static void test_failing(void)
{
    struct store_disk *disk = store_disk_new(DAY_SEED);
    struct world world;
    world_init(&world);
    g_assert_true(world_day(&world));
    uint64_t n = store_disk_operations(disk), kinds = G_N_ELEMENTS(faults) * STOPS;
    store_disk_free(disk);
    uint64_t points = MIN(MAX(world_number("FAILING_CASES", EVERYDAY) / kinds, 1), n);
    for (uint64_t i = 0; i < points; i++)
        for (uint64_t kind = 0; kind < kinds; kind++) {
            uint64_t gap = MAX(n / points, 1);
            try(kind / STOPS, MIN(1 + i * n / points + world_mix(i, kind) % gap, n),
                (enum stop)(kind % STOPS));
        }
    g_test_message("%" G_GUINT64_FORMAT " operations a day, %" G_GUINT64_FORMAT
                   " of them with each of %" G_GUINT64_FORMAT " failures and ends",
                   n, points, kinds);
}

static void test_read_only(void)
{
    struct store_disk *disk = store_disk_new(DAY_SEED);
    struct world world;
    world_init(&world);
    for (int i = 0; i < 2; i++) { /* without a store, and with one */
        store_disk_read_only(disk, true);
        g_assert_false(world_open(&world, false));
        store_disk_read_only(disk, false);
        g_assert_true(world_day(&world));
    }
    g_assert_true(world_open(&world, true));
    world_check(&world, true);
    world_close(&world);
    g_assert_cmpstr(world.text, ==, "");
    store_disk_free(disk);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/failing/operations", test_failing);
    g_test_add_func("/failing/read-only", test_read_only);
    return world_tests_run();
}
