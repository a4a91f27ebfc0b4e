/* Runs a fuzz target over files without libFuzzer, so that every compiler and every test run has it: each
 * file as it is, then cut short, and with bytes changed, by a fixed rule.
 *
 *   fuzz_NAME [--variants N] FOLDER|FILE… */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>

static uint64_t random_state;
static unsigned runs, variants = 64; /* of each file */

static uint64_t next_random(void)
{
    /* splitmix64, Steele and others 2014 */
    uint64_t z = random_state += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

/* In memory of its own size, so that a sanitizer sees one byte too far. */
static void run(const uint8_t *bytes, size_t n)
{
    uint8_t *copy = g_memdup2(bytes, MAX(n, 1));
    LLVMFuzzerTestOneInput(copy, n);
    g_free(copy);
    runs++;
}

static void run_variants(const uint8_t *bytes, size_t n)
{
    g_autofree uint8_t *changed = g_malloc(n + 1);
    for (unsigned i = 0; n > 0 && i < variants; i++) {
        memcpy(changed, bytes, n);
        size_t at = next_random() % n;
        if (i % 4 == 0) {
            run(changed, at);
            continue;
        }
        for (unsigned k = 0; k < i % 4; k++)
            changed[next_random() % n] = (uint8_t)next_random();
        changed[at] ^= (uint8_t)(1u << i % 8);
        if (fuzz_repair && i % 3)
            fuzz_repair(changed, n);
        run(changed, n);
    }
}

static void replay_file(const char *path)
{
    g_autofree char *bytes = NULL;
    gsize n;
    if (!g_file_get_contents(path, &bytes, &n, NULL))
        g_error("%s cannot be read", path);
    run((const uint8_t *)bytes, n);
    run_variants((const uint8_t *)bytes, n);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void replay(const char *path)
{
    g_autoptr(GDir) folder = g_dir_open(path, 0, NULL);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    const char *name;
    if (!folder) {
        replay_file(path);
        return;
    }
    while ((name = g_dir_read_name(folder)))
        g_ptr_array_add(names, g_build_filename(path, name, NULL));
    g_ptr_array_sort(names, by_name);
    for (guint i = 0; i < names->len; i++)
        replay_file(g_ptr_array_index(names, i));
}

int main(int argc, char **argv)
{
    run((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--variants") == 0 && i + 1 < argc)
            variants = (unsigned)atoi(argv[++i]);
        else if (g_file_test(argv[i], G_FILE_TEST_EXISTS))
            replay(argv[i]);
    }
    printf("%u inputs\n", runs);
    return runs > 1 ? 0 : 1; /* a target without a corpus proves nothing */
}
