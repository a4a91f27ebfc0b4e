/* Flashing through the whole stack against the virtual bootloader, on a virtual clock. */
#include "far.h"

#include "proto/loader.h"
#include "station/base/error.h"

#define BASE 0x08000000u

static const struct loader_memory memory = {.address = BASE,
                                            .size = 128 * 1024,
                                            .page = 2048,
                                            .unique_id_address = 0x1FFF7A10,
                                            .erase_page_ms_max = 400,
                                            .program_block_ms_max = 500,
                                            .mass_erase_ms_max = 30000};

/* Two regions with a hole, and a blank stretch inside the first. */
static struct image *make_image(unsigned seed)
{
    struct image *image = g_new0(struct image, 1);
    GRand *random = g_rand_new_with_seed(seed);
    image->count = 2;
    image->regions = g_new0(struct image_region, 2);
    image->regions[0] = (struct image_region){BASE, 5000, g_malloc(5000)};
    image->regions[1] = (struct image_region){BASE + 0x4010, 700, g_malloc(700)};
    for (unsigned r = 0; r < 2; r++)
        for (unsigned i = 0; i < image->regions[r].size; i++)
            image->regions[r].bytes[i] = (uint8_t)g_rand_int(random);
    memset(image->regions[0].bytes + 1024, 0xff, 1024);
    g_rand_free(random);
    return image;
}

struct seen {
    uint64_t done[3], total[3], calls[3];
};

static void progress(void *context, enum loader_phase phase, uint64_t done, uint64_t total)
{
    struct seen *seen = context;
    if (phase == LOADER_ERASE && done == 0)
        memset(seen, 0, sizeof *seen); /* a half-written block: from the start */
    g_assert_cmpuint(done, >=, seen->done[phase]);
    g_assert_cmpuint(done, <=, total);
    seen->done[phase] = done;
    seen->total[phase] = total;
    seen->calls[phase]++;
}

static bool flash(struct far *far, struct wire *wire, const struct image *image, struct loader_proof *proof,
                  GError **error)
{
    struct seen seen = {0};
    struct loader *loader = loader_open(loader_kind_find("an3155"), wire, &memory, error);
    bool ok = loader && loader_flash(loader, image, progress, &seen, proof, error);
    for (int i = 0; ok && i < 3; i++) {
        g_assert_cmpuint(seen.done[i], ==, seen.total[i]);
        g_assert_cmpuint(seen.calls[i], >=, 2);
    }
    (void)far;
    loader_close(loader);
    return ok;
}

static void assert_truth(struct far *far, const struct image *image)
{
    uint32_t address;
    size_t size;
    const uint8_t *truth = vboard_truth_flash(far->board, &address, &size);
    for (unsigned r = 0; r < image->count; r++)
        g_assert_cmpmem(truth + (image->regions[r].address - address), image->regions[r].size,
                        image->regions[r].bytes, image->regions[r].size);
}

static void test_flash(gconstpointer data)
{
    const char *const defects[] = {data, NULL};
    struct far far;
    struct loader_proof proof;
    GError *error = NULL;
    char wanted[65];
    g_autoptr(image_auto) image = make_image(1);
    far_open(&far, "115200-8E1", true, data ? defects : NULL);
    g_assert_true(flash(&far, far.wire, image, &proof, &error));
    g_assert_no_error(error);
    assert_truth(&far, image);
    image_sha256(image, wanted);
    g_assert_cmpstr(proof.sha256, ==, wanted);
    g_assert_cmpstr(proof.method, ==, data ? "read-back" : "device-crc");
    g_assert_cmpuint(proof.bytes, ==, 5700);
    g_assert_cmpuint(proof.blank_bytes, ==, 4 * 2048 - 5700);
    far_close(&far);
}

/* A board that lies about its flash is found out, by CRC and by read-back. */
static void test_liar(gconstpointer data)
{
    static const char *const with_crc[] = {"ack-no-write", "stuck-bit", "cached-readback"};
    static const char *const without[] = {"ack-no-write", "stuck-bit"};
    bool crc = data != NULL;
    for (gsize i = 0; i < (crc ? G_N_ELEMENTS(with_crc) : G_N_ELEMENTS(without)); i++) {
        const char *const defects[] = {crc ? with_crc[i] : without[i], crc ? NULL : "no-crc", NULL};
        struct far far;
        struct loader_proof proof;
        GError *error = NULL;
        g_autoptr(image_auto) image = make_image(2);
        far_open(&far, "115200-8E1", true, defects);
        g_assert_false(flash(&far, far.wire, image, &proof, &error));
        g_assert_error(error, PACK_ERROR, ERROR_MISMATCH);
        g_clear_error(&error);
        far_close(&far);
    }
}

/* Wherever a bit is stuck: in each page, the last bytes of a region, both regions. */
static void test_stuck_anywhere(void)
{
    static const unsigned offsets[] = {0, 0x300, 0x800, 0xf00, 0x1000, 0x1300, 0x4000, 0x4200};
    for (gsize i = 0; i < 2 * G_N_ELEMENTS(offsets); i++) {
        g_autofree char *stuck = g_strdup_printf("stuck-bit:%u", offsets[i / 2]);
        const char *const defects[] = {stuck, i % 2 ? "no-crc" : NULL, NULL};
        struct far far;
        struct loader_proof proof;
        g_autoptr(GError) error = NULL;
        g_autoptr(image_auto) image = make_image(2);
        far_open(&far, "115200-8E1", true, defects);
        if (flash(&far, far.wire, image, &proof, &error))
            g_error("%s was not seen", stuck);
        g_assert_error(error, PACK_ERROR, ERROR_MISMATCH);
        far_close(&far);
    }
}

/* What is protected at the beginning of the flash, such as a bootloader, is never erased. */
static void test_protected(void)
{
    struct far far;
    struct loader_memory careful = memory;
    struct loader_proof proof;
    uint32_t address;
    size_t size;
    g_autoptr(GError) error = NULL;
    g_autoptr(image_auto) image = make_image(2);
    far_open(&far, "115200-8E1", true, NULL);
    const uint8_t *flash_bytes = vboard_truth_flash(far.board, &address, &size);
    g_autofree uint8_t *before = g_memdup2(flash_bytes, size);
    careful.protect = 4096;
    struct loader *loader = loader_open(loader_kind_find("an3155"), far.wire, &careful, &error);
    g_assert_false(loader_flash(loader, image, NULL, NULL, &proof, &error));
    g_assert_error(error, PACK_ERROR, ERROR_TRUST);
    g_assert_cmpmem(before, size, vboard_truth_flash(far.board, &address, &size), size);
    loader_close(loader);
    far_close(&far);
}

static void test_outside(void)
{
    struct far far;
    struct loader_proof proof;
    GError *error = NULL;
    g_autoptr(image_auto) image = make_image(3);
    uint32_t address;
    size_t size;
    far_open(&far, "115200-8E1", true, NULL);
    g_autofree uint8_t *before = g_memdup2(vboard_truth_flash(far.board, &address, &size), 128 * 1024);
    image->regions[1].address = BASE + 128 * 1024 - 100;
    g_assert_false(flash(&far, far.wire, image, &proof, &error));
    g_assert_error(error, PACK_ERROR, ERROR_TRUST);
    g_clear_error(&error);
    g_assert_cmpmem(before, size, vboard_truth_flash(far.board, &address, &size), size);
    far_close(&far);
}

/* Disturbed lines: either the right bytes are proved, or an error says so; never a proof of wrong bytes. */
static void test_faults(void)
{
    unsigned good = 0, bad = 0;
    for (unsigned seed = 1; seed <= 120; seed++) {
        struct far far;
        struct loader_proof proof;
        g_autoptr(GError) error = NULL;
        g_autoptr(image_auto) image = make_image(seed);
        const struct wire_fault_plan plan = {.seed = seed,
                                             .drop_ppm = seed % 3 == 0 ? 400 : 0,
                                             .corrupt_ppm = seed % 3 == 1 ? 400 : 0,
                                             .duplicate_ppm = seed % 3 == 2 ? 400 : 0};
        far_open(&far, "115200-8E1", true, NULL);
        far.wire = wire_fault(far.wire, &plan);
        if (flash(&far, far.wire, image, &proof, &error)) {
            assert_truth(&far, image);
            good++;
        } else {
            g_assert_nonnull(error);
            bad++;
        }
        far_close(&far);
    }
    g_test_message("%u flashed, %u refused", good, bad);
    g_assert_cmpuint(good, >, 60);
}

/* Unplugged after every so many bytes: an error each time, and in finite virtual time. */
static void test_cut(void)
{
    for (uint64_t cut = 1; cut < 12000; cut += 97) {
        struct far far;
        struct loader_proof proof;
        g_autoptr(GError) error = NULL;
        g_autoptr(image_auto) image = make_image(9);
        far_open(&far, "115200-8E1", true, NULL);
        far.wire = wire_fault(far.wire, &(struct wire_fault_plan){.seed = 1, .cut_after_bytes = cut});
        if (flash(&far, far.wire, image, &proof, &error))
            assert_truth(&far, image);
        else
            g_assert_cmpint(error_rule(error)->exit_code, ==, 5);
        g_assert_cmpint(tick_now(&far.clock.tick), <, TICK_S(120));
        far_close(&far);
    }
}

static void test_identity(void)
{
    struct far far;
    GError *error = NULL;
    uint8_t id[12];
    far_open(&far, "115200-8E1", true, NULL);
    struct loader *loader = loader_open(loader_kind_find("an3155"), far.wire, &memory, &error);
    g_assert_no_error(error);
    vboard_truth_unique_id(far.board, id);
    g_assert_cmpuint(loader->identity.mcu_id, ==, 0x0413);
    g_assert_cmpuint(loader->identity.bootloader, ==, 0x31);
    g_assert_cmpmem(loader->identity.unique_id, 12, id, 12);
    g_assert_true(loader->identity.has_device_crc);
    loader_close(loader);
    /* A second session with a bootloader that is already synchronised. */
    loader = loader_open(loader_kind_find("an3155"), far.wire, &memory, &error);
    g_assert_no_error(error);
    loader_close(loader);
    far_close(&far);
}

static void test_verify_only(void)
{
    struct far far;
    struct loader_proof proof;
    GError *error = NULL;
    g_autoptr(image_auto) image = make_image(4);
    g_autoptr(image_auto) other = make_image(5);
    far_open(&far, "115200-8E1", true, NULL);
    g_assert_true(flash(&far, far.wire, image, &proof, &error));
    struct loader *loader = loader_open(loader_kind_find("an3155"), far.wire, &memory, &error);
    g_assert_true(loader_verify(loader, image, NULL, NULL, &proof, &error));
    g_assert_false(loader_verify(loader, other, NULL, NULL, &proof, &error));
    g_assert_error(error, PACK_ERROR, ERROR_MISMATCH);
    g_clear_error(&error);
    loader_close(loader);
    assert_truth(&far, image);
    far_close(&far);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/loader/flash/device-crc", NULL, test_flash);
    g_test_add_data_func("/loader/flash/read-back", "no-crc", test_flash);
    g_test_add_data_func("/loader/liar/device-crc", "crc", test_liar);
    g_test_add_data_func("/loader/liar/read-back", NULL, test_liar);
    g_test_add_func("/loader/stuck-anywhere", test_stuck_anywhere);
    g_test_add_func("/loader/protected", test_protected);
    g_test_add_func("/loader/outside", test_outside);
    g_test_add_func("/loader/faults", test_faults);
    g_test_add_func("/loader/cut", test_cut);
    g_test_add_func("/loader/identity", test_identity);
    g_test_add_func("/loader/verify-only", test_verify_only);
    return g_test_run();
}
