/* A bootloader that answers anything: opening, flashing and reading end in finite time, and nothing is proved
 * that the device did not say. */
#include "tests/fuzz/fuzz.h"

#include "proto/loader.h"

#define SECONDS_MAX 3600

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct loader_memory memory = {.address = 0x08000000,
                                                .size = 4096,
                                                .page = 1024,
                                                .unique_id_address = 0x1FFF7A10,
                                                .erase_page_ms_max = 400,
                                                .program_block_ms_max = 500,
                                                .mass_erase_ms_max = 30000};
    uint8_t bytes[300];
    struct image_region region = {0x08000000, sizeof bytes, bytes};
    const struct image image = {.count = 1, .regions = &region};
    struct loader_proof proof;
    struct fuzz_answers answers;
    g_autoptr(GError) error = NULL;
    memset(bytes, 0x5A, sizeof bytes);
    fuzz_answers_open(&answers, data, size, "115200-8E1");
    int64_t began = tick_now(&answers.clock.tick);
    struct loader *loader = loader_open(loader_kind_find("an3155"), answers.wire, &memory, &error);
    bool ok = loader && loader_flash(loader, &image, NULL, NULL, &proof, &error) &&
              loader->kind->go(loader, memory.address, &error);
    g_assert_true(ok || error);
    g_assert_cmpint(tick_now(&answers.clock.tick) - began, <, TICK_S(SECONDS_MAX));
    loader_close(loader);
    fuzz_answers_close(&answers);
    return 0;
}
