/* A bootloader that answers anything: opening, flashing and reading end in finite time, and nothing is proved
 * that the device did not say. */
#include "tests/fuzz/fuzz.h"

#include "proto/loader.h"

#define SECONDS_MAX 3600

/* Answers most of the way as a bootloader does, so that the input decides only what is special. */
static void acknowledge(GByteArray *out, const uint8_t *piece, size_t n, const uint8_t *request,
                        size_t request_n)
{
    static const uint8_t ack = 0x79, get[] = {11,   0x31, 0x00, 0x01, 0x02, 0x11, 0x21,
                                              0x31, 0x44, 0x63, 0x73, 0x82, 0xa1, 0x79};
    if (n == 0 && request_n == 2 && request[0] == 0) {
        g_byte_array_append(out, &ack, 1);
        g_byte_array_append(out, get, sizeof get);
    } else if (n == 0 && request_n == 2 && request[0] == 2) {
        g_byte_array_append(out, (const uint8_t *)"\x79\x01\x04\x13\x79", 5);
    } else {
        if (n == 0 || piece[0] != 0x1f)
            g_byte_array_append(out, &ack, 1);
        g_byte_array_append(out, piece, (guint)n);
        if (request_n == 2 && request[0] <= 0x7f && request[0] >= 4 &&
            n == 1) /* a READ of request[0]+1 bytes */
            for (unsigned i = 0; i <= request[0]; i++)
                g_byte_array_append(out, piece, 1);
    }
}

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
    if (size < 2)
        return 0;
    fuzz_answers_open(&answers, data + 1, size - 1, "115200-8E1");
    answers.babble = data[0] & 1;
    answers.shape = data[0] & 2 ? acknowledge : NULL;
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
