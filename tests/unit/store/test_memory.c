/* SQLite gets no memory at the n-th time it asks in a station's day: once, or from then on. A call of the
 * store then says so, or has done what it says; it is never taken for "there is none", which would open a
 * gate.
 *
 *   MEMORY_CASES=2000 MEMORY_SEED=7 store_test_memory     more of them, others */
#include "tests/unit/store/world.h"

#include <string.h>

#define DAY_SEED 1795000002
#define EVERYDAY (300 / WORLD_SLOWER)

/* SQLite takes no context for its allocator. */
static struct {
    sqlite3_mem_methods real;
    uint64_t asked, fails_at; /* 0 = never */
    bool once;
} memory;

static bool refuses(void)
{
    memory.asked++;
    return memory.fails_at &&
           (memory.once ? memory.asked == memory.fails_at : memory.asked >= memory.fails_at);
}

static void *get(int n)
{
    return refuses() ? NULL : memory.real.xMalloc(n);
}

static void *get_more(void *old, int n)
{
    return refuses() ? NULL : memory.real.xRealloc(old, n);
}

static void set_up(void)
{
    g_assert_cmpint(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory.real), ==, SQLITE_OK);
    sqlite3_mem_methods counting = memory.real;
    counting.xMalloc = get;
    counting.xRealloc = get_more;
    g_assert_cmpint(sqlite3_config(SQLITE_CONFIG_MALLOC, &counting), ==, SQLITE_OK);
}

static void arm(uint64_t n, bool once)
{
    memory.asked = 0;
    memory.fails_at = n;
    memory.once = once;
}

static void try(uint64_t n, bool once)
{
    struct world world;
    struct store_disk *disk = store_disk_new(DAY_SEED);
    world_init(&world);
    arm(n, once);
    if (!world_day(&world))
        world_check_stopped(&world);
    world_close(&world);
    arm(0, false);
    /* Nobody is sent to look for a damaged disk or a forged row. */
    if (world.failure[0] && !strstr(world.failure, "memory"))
        world_find(&world, FINDING_OTHER, "the store says: %s", world.failure);
    if (world.finding == FINDING_NONE && world_open(&world, true))
        world_check(&world, true);
    world_finish(&world, n % 8 == 0);
    store_disk_free(disk);
    if (world.finding != FINDING_NONE)
        g_error("memory refused at request %d%s: %s", (int)n, once ? "" : " and after it", world.text);
}

static void test_memory(void)
{
    struct world world;
    struct store_disk *disk = store_disk_new(DAY_SEED);
    world_init(&world);
    arm(0, false);
    g_assert_true(world_day(&world));
    store_disk_free(disk);
    uint64_t n = memory.asked, seed = world_number("MEMORY_SEED", 1),
             points = MIN(world_number("MEMORY_CASES", EVERYDAY) / 2, n), gap = MAX(n / points, 1);
    g_assert_cmpuint(n, >, 1000);
    for (uint64_t i = 0; i < points; i++) {
        try(MIN(1 + i * n / points + world_mix(i, seed * 2) % gap, n), true);
        try(MIN(1 + i * n / points + world_mix(i, seed * 2 + 1) % gap, n), false);
    }
    g_test_message("%" G_GUINT64_FORMAT " requests a day, %" G_GUINT64_FORMAT
                   " of them refused, once and for good",
                   n, points);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    set_up();
    g_test_add_func("/memory/requests", test_memory);
    return world_tests_run();
}
