/* The power is cut at every operation of the disk in a station's day, and again in the recovery. The same on
 * disks that lie about their syncs must lose acknowledged rows, or this test could not see a loss.
 *
 *   POWER_CASES=100000 POWER_SEED=1 store_test_power     the long form; seeds count up from POWER_SEED */
#include "tests/unit/store/world.h"

#define DAY_SEED 1795000000 /* of the disk until the cut: one day, the same each time */

#define EVERYDAY (240 / WORLD_SLOWER)

struct tally {
    const char *name;
    enum store_disk_lie lie;
    uint64_t operations, points, cases, found[FINDINGS];
    uint64_t go_on;    /* up to this seed every day goes on to its end, later one in four */
    uint64_t recovery; /* operations of the last recovery that was left alone */
    char first[600];
};

/* The day until operation n, which is not done any more. The disk keeps what is durable and what is not
 * apart. */
static struct store_disk_image *day_until(const struct tally *tally, uint64_t n, struct world *world)
{
    struct store_disk *disk = store_disk_new(DAY_SEED);
    world_init(world);
    store_disk_lie(disk, tally->lie);
    store_disk_arm(disk, DISK_KILL, n);
    world_day(world);
    world_close(world);
    struct store_disk_image *image = store_disk_save(disk);
    store_disk_free(disk);
    /* Refusals meanwhile are those of a dead machine. */
    world->broke = false;
    return image;
}

/* The power goes a second time, in the recovery or just after it. */
static void cut_again(struct tally *tally, struct store_disk *disk, struct world *world, uint64_t chance)
{
    store_disk_arm(disk, DISK_KILL, 1 + chance % (tally->recovery + 2));
    if (world_open(world, false))
        world_check(world, false);
    else if (!store_disk_gone(disk))
        world_open(world, true);
    world_close(world);
    store_disk_stop(disk, true);
    store_disk_restart(disk);
}

static void try(struct tally *tally, const struct store_disk_image *image, struct world world, uint64_t n,
                uint64_t seed)
{
    uint64_t chance = world_mix(n, seed);
    struct store_disk *disk = store_disk_new(chance);
    store_disk_lie(disk, tally->lie);
    store_disk_load(disk, image);
    store_disk_stop(disk, true);
    store_disk_restart(disk);
    bool twice = (seed + n) % 2;
    if (twice)
        cut_again(tally, disk, &world, chance >> 8);
    uint64_t before = store_disk_operations(disk);
    if (world.finding == FINDING_NONE && world_open(&world, true)) {
        if (!twice)
            tally->recovery = store_disk_operations(disk) - before;
        world_check(&world, true);
    }
    if (world.finding == FINDING_NONE && (seed < tally->go_on || chance % 4 == 0))
        world_finish(&world, chance % 8 == 0);
    world_close(&world);
    store_disk_free(disk);
    tally->cases++;
    tally->found[world.finding]++;
    if (world.finding != FINDING_NONE && !tally->first[0])
        g_snprintf(tally->first, sizeof tally->first, "operation %d, seed %d: %s", (int)n, (int)seed,
                   world.text);
}

static uint64_t operations_of_a_day(void)
{
    struct store_disk *disk = store_disk_new(DAY_SEED);
    struct world world;
    world_init(&world);
    world_day(&world);
    uint64_t n = store_disk_operations(disk);
    world_finish(&world, true);
    if (world.finding != FINDING_NONE)
        g_error("an undisturbed day: %s", world.text);
    store_disk_free(disk);
    return n;
}

static void cut_everywhere(struct tally *tally, uint64_t cases)
{
    uint64_t first = world_number("POWER_SEED", 1), n = operations_of_a_day();
    uint64_t points = MIN(cases, n), seeds = (cases + points - 1) / points;
    tally->operations = n;
    tally->go_on = first + 1;
    tally->points = points;
    for (uint64_t i = 0; i < points; i++) {
        struct world world;
        uint64_t gap = MAX(n / points, 1), at = MIN(1 + i * n / points + world_mix(i, first) % gap, n);
        struct store_disk_image *image = day_until(tally, at, &world);
        for (uint64_t seed = first; seed < first + seeds; seed++)
            try(tally, image, world, at, seed);
        store_disk_image_free(image);
    }
    g_test_message("%s: %" G_GUINT64_FORMAT " operations a day, %" G_GUINT64_FORMAT
                   " of them cut, %" G_GUINT64_FORMAT " cases: corrupt %" G_GUINT64_FORMAT
                   ", acknowledged and lost %" G_GUINT64_FORMAT ", other %" G_GUINT64_FORMAT "%s%s",
                   tally->name, n, points, tally->cases, tally->found[FINDING_CORRUPT],
                   tally->found[FINDING_LOST], tally->found[FINDING_OTHER],
                   tally->first[0] ? "; first: " : "", tally->first);
}

static void test_full(void)
{
    struct tally tally = {.name = "FULL", .lie = DISK_HONEST};
    cut_everywhere(&tally, world_number("POWER_CASES", EVERYDAY));
    if (tally.found[FINDING_NONE] != tally.cases)
        g_error("%s", tally.first);
}

static void test_late(void)
{
    struct tally tally = {.name = "like NORMAL", .lie = DISK_SYNCS_LATE};
    cut_everywhere(&tally, world_number("POWER_CASES", EVERYDAY * 3) / 10);
    g_assert_cmpuint(tally.found[FINDING_LOST], >, 0);
}

static void test_never(void)
{
    struct tally tally = {.name = "like OFF", .lie = DISK_NEVER_SYNCS};
    cut_everywhere(&tally, world_number("POWER_CASES", EVERYDAY * 3) / 10);
    g_assert_cmpuint(tally.found[FINDING_LOST] + tally.found[FINDING_CORRUPT], >, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/power/full", test_full);
    g_test_add_func("/power/like-normal", test_late);
    g_test_add_func("/power/like-off", test_never);
    return world_tests_run();
}
