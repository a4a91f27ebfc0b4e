/* One damaged chunk, wherever it falls in a whole flash session, costs a repetition and never the board:
 * neither the dialogue, nor a wrong unique id, nor a mismatch that is none. */
#include "far.h"

#include "proto/loader.h"
#include "station/base/error.h"

#define BASE 0x08000000u

enum damage { FLIP, LOSE_FIRST, LOSE_LAST, TWICE_FIRST, TWICE_LAST, LOSE_ALL, DAMAGES };
static const char *const names[DAMAGES] = {"flip",        "lose-first", "lose-last",
                                           "twice-first", "twice-last", "lose-all"};

struct damaged {
    unsigned writings;
    struct far far;
    enum damage damage;
    unsigned at, chunks;
    uint8_t out[1024]; /* towards the station, not yet read */
    size_t n;
};

/* The far side's chunks of both ways are counted; one of them is spoiled. */
static size_t spoil(struct damaged *d, uint8_t *bytes, size_t n)
{
    if (n == 0 || ++d->chunks != d->at)
        return n;
    switch (d->damage) {
    case FLIP:
        bytes[n / 2] ^= 0x10;
        return n;
    case LOSE_FIRST:
        memmove(bytes, bytes + 1, n - 1);
        return n - 1;
    case LOSE_LAST:
        return n - 1;
    case TWICE_FIRST:
        memmove(bytes + 1, bytes, n);
        return n + 1;
    case TWICE_LAST:
        bytes[n] = bytes[n - 1];
        return n + 1;
    default:
        return 0;
    }
}

static void accept(void *context, const uint8_t *bytes, size_t n, int64_t now_us)
{
    struct damaged *d = context;
    uint8_t copy[1024];
    g_assert_cmpuint(n, <, sizeof copy);
    memcpy(copy, bytes, n);
    far_accept(&d->far, copy, spoil(d, copy, n), now_us);
}

static size_t produce(void *context, uint8_t *bytes, size_t max, int64_t now_us)
{
    struct damaged *d = context;
    size_t room = sizeof d->out - d->n - 1;
    d->n += spoil(d, d->out + d->n, far_produce(&d->far, d->out + d->n, room, now_us));
    size_t n = MIN(max, d->n);
    memcpy(bytes, d->out, n);
    d->n -= n;
    memmove(d->out, d->out + n, d->n);
    return n;
}

static int64_t next(void *context)
{
    return far_next(&((struct damaged *)context)->far);
}

static void signal_line(void *context, enum wire_signal signal, bool on, int64_t now_us)
{
    far_signal(&((struct damaged *)context)->far, signal, on, now_us);
}

/* A unique id that ends in the byte of an acknowledgement: left over, it would be taken for one. */
static struct vboard *board_with_ack(const char *const *defects)
{
    for (unsigned seed = 1;; seed++) {
        const struct vboard_options options = {
            .family = "basen", .bootloader = true, .address = 1, .unit_seed = seed, .defects = defects};
        uint8_t id[12];
        struct vboard *board = vboard_new(&options, 0, NULL);
        vboard_truth_unique_id(board, id);
        if (id[11] == 0x79)
            return board;
        vboard_free(board);
    }
}

static void open_damaged(struct damaged *d, bool crc)
{
    static const char *const none[] = {"no-crc", NULL};
    far_open(&d->far, "115200-8E1", true, NULL);
    vboard_free(d->far.board);
    d->far.board = board_with_ack(crc ? NULL : none);
    const struct wire_far_side side = {d, accept, produce, next, signal_line, NULL};
    const struct wire_options options = {.tick = &d->far.clock.tick, .line = d->far.wire->line};
    wire_close(d->far.wire);
    d->far.wire = wire_loop_open(&side, &options);
}

/* Chunks that went by, or 0 after a failure. */
static unsigned flash_once(struct damaged *d, bool crc, GError **error)
{
    static const struct loader_memory memory = {.address = BASE,
                                                .size = 128 * 1024,
                                                .page = 2048,
                                                .unique_id_address = 0x1FFF7A10,
                                                .erase_page_ms_max = 400,
                                                .program_block_ms_max = 500,
                                                .mass_erase_ms_max = 30000};
    uint8_t bytes[1000], id[12], truth[12];
    struct image_region region = {BASE, sizeof bytes, bytes};
    const struct image image = {.count = 1, .regions = &region};
    struct loader_proof proof;
    uint32_t address;
    size_t size;
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 256);
    open_damaged(d, crc);
    struct loader *loader = loader_open(loader_kind_find("an3155"), d->far.wire, &memory, error);
    bool ok = loader && loader_flash(loader, &image, NULL, NULL, &proof, error) &&
              loader_read_agreed(loader, memory.unique_id_address, id, sizeof id, error);
    if (ok) {
        vboard_truth_unique_id(d->far.board, truth);
        g_assert_cmpmem(id, sizeof id, truth, sizeof truth);
        g_assert_cmpmem(loader->identity.unique_id, sizeof id, truth, sizeof truth);
        g_assert_cmpint(loader->identity.mcu_id, ==, 0x0413);
        d->writings = proof.writings;
        g_assert_cmpmem(vboard_truth_flash(d->far.board, &address, &size), sizeof bytes, bytes, sizeof bytes);
    }
    loader_close(loader);
    far_close(&d->far);
    return ok ? d->chunks : 0;
}

static void test_damage(gconstpointer data)
{
    bool crc = data != NULL;
    struct damaged quiet = {.at = 0};
    GError *error = NULL;
    unsigned chunks = flash_once(&quiet, crc, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(chunks, >, 40);
    unsigned again = 0;
    for (enum damage damage = 0; damage < DAMAGES; damage++)
        for (unsigned at = 1; at <= chunks; at++) {
            struct damaged d = {.damage = damage, .at = at};
            if (flash_once(&d, crc, &error) == 0)
                g_error("%s of chunk %u of %u: %s", names[damage], at, chunks, error->message);
            again += d.writings > 1;
        }
    /* A damaged exchange costs that exchange; the image only where nothing told of the damage. */
    g_assert_cmpuint(again, <, 40);
    g_test_message("%u chunks, the image was written again in %u cases", chunks, again);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/loader/damage/device-crc", "crc", test_damage);
    g_test_add_data_func("/loader/damage/read-back", NULL, test_damage);
    return g_test_run();
}
