/* The policy of flashing, once for all loaders. */
#include "proto/loader.h"

#include "station/base/error.h"

#include <string.h>

#define WRITE_ROUNDS 3 /* after half-written blocks */
#define PROVE_ROUNDS 2 /* after bytes that differ */
#define AGREE_TRIES  5
#define ERASE_BATCH  16   /* pages a command: progress moves, and a lost answer costs little */
#define POISON       0xA5 /* in read buffers, so that a read that gives nothing never looks like flash */

extern const struct loader_kind loader_an3155_kind;

/* The visible table. */
static const struct loader_kind *const kinds[] = {&loader_an3155_kind};
static const char *const names[] = {"an3155", NULL};

const struct loader_kind *loader_kind_find(const char *name)
{
    for (gsize i = 0; name && i < G_N_ELEMENTS(kinds); i++)
        if (strcmp(kinds[i]->name, name) == 0)
            return kinds[i];
    return NULL;
}

const char *const *loader_kind_names(void)
{
    return names;
}

const char *loader_phase_name(enum loader_phase phase)
{
    static const char *const phases[] = {"erase", "program", "verify"};
    return phases[phase];
}

struct loader *loader_open(const struct loader_kind *kind, struct wire *wire,
                           const struct loader_memory *memory, GError **error)
{
    struct loader *loader = g_new0(struct loader, 1);
    loader->kind = kind;
    loader->wire = wire;
    loader->memory = *memory;
    if (kind->open(loader, error))
        return loader;
    loader_close(loader);
    return NULL;
}

void loader_close(struct loader *loader)
{
    if (!loader)
        return;
    loader->kind->close(loader);
    g_free(loader);
}

bool loader_read_agreed(struct loader *loader, uint32_t address, uint8_t *bytes, size_t n, GError **error)
{
    g_autofree uint8_t *before = g_malloc(MAX(n, 1));
    for (int i = 0; i < AGREE_TRIES; i++) {
        memset(bytes, i % 2 ? (uint8_t)~POISON : POISON, n);
        if (!loader->kind->read(loader, address, bytes, n, error))
            return false;
        if (i > 0 && memcmp(before, bytes, n) == 0)
            return true;
        memcpy(before, bytes, n);
    }
    return error_set(error, ERROR_GARBLED, "0x%08X reads differently each time: the line is too noisy",
                     address);
}

/* The pages an image touches, as the bytes they must hold afterwards: the image over FFH. */
struct page_map {
    uint32_t first, count; /* pages from memory.address */
    bool *touched;
    uint8_t *wanted; /* count × page bytes */
};

struct job {
    struct loader *loader;
    const struct image *image;
    loader_progress progress;
    void *context;
    struct page_map map;
};

static void tell(const struct job *job, enum loader_phase phase, uint64_t done, uint64_t total)
{
    if (job->progress)
        job->progress(job->context, phase, done, total);
}

static bool check_inside(const struct loader *loader, const struct image *image, GError **error)
{
    const struct loader_memory *m = &loader->memory;
    uint64_t first = (uint64_t)m->address + m->protect, end = (uint64_t)m->address + m->size;
    if (image->count == 0)
        return error_set(error, ERROR_TRUST, "the image is empty");
    if (m->page == 0 || m->size % m->page)
        return error_set(error, ERROR_AUTHOR, "the flash of %u bytes is not a whole number of %u-byte pages",
                         m->size, m->page);
    if (image_first(image) >= first && image_end(image) <= end)
        return true;
    return error_set(error, ERROR_TRUST,
                     "the image covers 0x%08X to 0x%08" G_GINT64_MODIFIER
                     "X, but only 0x%08" G_GINT64_MODIFIER "X to 0x%08" G_GINT64_MODIFIER "X may be written",
                     image_first(image), image_end(image) - 1, first, end - 1);
}

static void map_make(struct job *job)
{
    const struct loader_memory *m = &job->loader->memory;
    struct page_map *map = &job->map;
    map->first = (image_first(job->image) - m->address) / m->page;
    map->count = (uint32_t)((image_end(job->image) - 1 - m->address) / m->page) - map->first + 1;
    map->touched = g_new0(bool, map->count);
    map->wanted = g_malloc((gsize)map->count * m->page);
    memset(map->wanted, 0xff, (gsize)map->count * m->page);
    uint32_t base = m->address + map->first * m->page;
    for (unsigned i = 0; i < job->image->count; i++) {
        const struct image_region *r = &job->image->regions[i];
        memcpy(map->wanted + (r->address - base), r->bytes, r->size);
        for (uint32_t p = (r->address - base) / m->page; p <= (r->address - base + r->size - 1) / m->page;
             p++)
            map->touched[p] = true;
    }
}

static void map_clear(struct page_map *map)
{
    g_free(map->touched);
    g_free(map->wanted);
}

static uint64_t touched_pages(const struct page_map *map)
{
    uint64_t n = 0;
    for (uint32_t p = 0; p < map->count; p++)
        n += map->touched[p];
    return n;
}

/* The next run of touched pages from *page on, at most max; 0 when there is none. */
static uint32_t next_run(const struct page_map *map, uint32_t *page, uint32_t max)
{
    uint32_t n = 0;
    while (*page < map->count && !map->touched[*page])
        ++*page;
    while (*page + n < map->count && n < max && map->touched[*page + n])
        n++;
    return n;
}

static bool erase(const struct job *job, GError **error)
{
    const struct loader_memory *m = &job->loader->memory;
    uint64_t total = touched_pages(&job->map) * m->page, done = 0;
    uint32_t page = 0, n;
    tell(job, LOADER_ERASE, 0, total);
    while ((n = next_run(&job->map, &page, ERASE_BATCH)) > 0) {
        if (!job->loader->kind->erase(job->loader, job->map.first + page, n, error))
            return false;
        page += n;
        done += (uint64_t)n * m->page;
        tell(job, LOADER_ERASE, done, total);
    }
    return true;
}

static bool is_blank(const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != 0xff)
            return false;
    return true;
}

/* Blocks that are all FFH need no write: the erase made them so, and verify proves it. */
static bool program(const struct job *job, GError **error)
{
    const struct loader_memory *m = &job->loader->memory;
    const uint32_t chunk = job->loader->kind->write_max, bytes = job->map.count * m->page;
    const uint32_t base = m->address + job->map.first * m->page;
    uint64_t total = 0, done = 0;
    for (uint32_t at = 0; at < bytes; at += chunk)
        total += is_blank(job->map.wanted + at, MIN(chunk, bytes - at)) ? 0 : MIN(chunk, bytes - at);
    tell(job, LOADER_PROGRAM, 0, total);
    for (uint32_t at = 0; at < bytes; at += chunk) {
        uint32_t n = MIN(chunk, bytes - at);
        if (is_blank(job->map.wanted + at, n))
            continue;
        if (!job->loader->kind->write(job->loader, base + at, job->map.wanted + at, n, error))
            return false;
        done += n;
        tell(job, LOADER_PROGRAM, done, total);
    }
    return true;
}

static bool verify_crc(const struct job *job, uint32_t page, uint32_t n, GError **error)
{
    const struct loader_memory *m = &job->loader->memory;
    const uint8_t *wanted = job->map.wanted + (gsize)page * m->page;
    uint32_t address = m->address + (job->map.first + page) * m->page, crc = 0, before = 0;
    uint32_t expected = job->loader->kind->crc_of(wanted, (size_t)n * m->page);
    /* The answer may have been damaged on the way: a difference counts when it comes twice. */
    for (int i = 0; i < AGREE_TRIES; i++) {
        if (!job->loader->kind->crc(job->loader, address, n * m->page, &crc, error))
            return false;
        if (crc == expected)
            return true;
        if (i > 0 && crc == before)
            break;
        before = crc;
    }
    return error_set(error, ERROR_MISMATCH,
                     "the device's CRC over 0x%08X to 0x%08X is %08X, the image gives %08X: the bytes differ",
                     address, address + n * m->page - 1, crc, expected);
}

static bool verify_read(const struct job *job, uint32_t page, uint32_t n, uint8_t *found, uint64_t *done,
                        uint64_t total, GError **error)
{
    const struct loader_memory *m = &job->loader->memory;
    const uint32_t chunk = job->loader->kind->read_max, bytes = n * m->page;
    const uint32_t address = m->address + (job->map.first + page) * m->page;
    const uint8_t *wanted = job->map.wanted + (gsize)page * m->page;
    for (uint32_t at = 0; at < bytes; at += chunk) {
        uint32_t size = MIN(chunk, bytes - at);
        if (!job->loader->kind->read(job->loader, address + at, found + at, size, error))
            return false;
        /* Read memory has no checksum on some loaders: a difference counts when it comes twice. */
        if (memcmp(found + at, wanted + at, size) != 0 &&
            !loader_read_agreed(job->loader, address + at, found + at, size, error))
            return false;
        for (uint32_t i = 0; i < size; i++)
            if (found[at + i] != wanted[at + i])
                return error_set(error, ERROR_MISMATCH,
                                 "at 0x%08X the device holds %02X, the image says %02X", address + at + i,
                                 found[at + i], wanted[at + i]);
        *done += size;
        tell(job, LOADER_VERIFY, *done, total);
    }
    return true;
}

/* SHA-256 of the image's bytes as they were proved: cut out of the proved pages, not out of the image. */
static void hash_proved(const struct job *job, const uint8_t *proved, struct loader_proof *proof)
{
    const struct loader_memory *m = &job->loader->memory;
    uint32_t base = m->address + job->map.first * m->page;
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    for (unsigned i = 0; i < job->image->count; i++) {
        const struct image_region *r = &job->image->regions[i];
        g_checksum_update(sum, proved + (r->address - base), r->size);
    }
    g_strlcpy(proof->sha256, g_checksum_get_string(sum), sizeof proof->sha256);
    proof->bytes = image_size(job->image);
    proof->blank_bytes = touched_pages(&job->map) * m->page - proof->bytes;
}

static bool verify(const struct job *job, struct loader_proof *proof, GError **error)
{
    const struct loader_memory *m = &job->loader->memory;
    const bool by_crc = job->loader->identity.has_device_crc && job->loader->kind->crc;
    uint64_t total = touched_pages(&job->map) * m->page, done = 0;
    gsize bytes = (gsize)job->map.count * m->page;
    g_autofree uint8_t *found = g_malloc(bytes);
    uint32_t page = 0, n;
    memset(found, POISON, bytes);
    tell(job, LOADER_VERIFY, 0, total);
    while ((n = next_run(&job->map, &page, G_MAXUINT32)) > 0) {
        if (by_crc) {
            if (!verify_crc(job, page, n, error))
                return false;
            memcpy(found + (gsize)page * m->page, job->map.wanted + (gsize)page * m->page,
                   (gsize)n * m->page);
            done += (uint64_t)n * m->page;
            tell(job, LOADER_VERIFY, done, total);
        } else if (!verify_read(job, page, n, found + (gsize)page * m->page, &done, total, error)) {
            return false;
        }
        page += n;
    }
    g_strlcpy(proof->method, by_crc ? "device-crc" : "read-back", sizeof proof->method);
    hash_proved(job, found, proof);
    return true;
}

/* A block that a lost answer left half written can only be erased again, and its page holds others: from the
 * start. */
static bool write_pages(const struct job *job, struct loader_proof *proof, GError **error)
{
    for (unsigned i = 0; i < WRITE_ROUNDS; i++) {
        g_autoptr(GError) failure = NULL;
        proof->writings++;
        if (!erase(job, error))
            return false;
        if (program(job, &failure))
            return true;
        if (error_kind(failure) != ERROR_MISMATCH || i + 1 == WRITE_ROUNDS) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
    }
    return false;
}

/* A block damaged on the way passes a loader's XOR one time in 256; a flash that is bad stays bad. */
static bool write_and_prove(const struct job *job, struct loader_proof *proof, GError **error)
{
    for (unsigned i = 0; i < PROVE_ROUNDS; i++) {
        g_autoptr(GError) failure = NULL;
        if (!write_pages(job, proof, error))
            return false;
        if (verify(job, proof, &failure))
            return true;
        if (error_kind(failure) != ERROR_MISMATCH || i + 1 == PROVE_ROUNDS) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
    }
    return false;
}

static bool with_job(struct loader *loader, const struct image *image, loader_progress progress,
                     void *context, bool write, struct loader_proof *proof, GError **error)
{
    struct job job = {loader, image, progress, context, {0}};
    if (!check_inside(loader, image, error))
        return false;
    map_make(&job);
    proof->writings = 0;
    bool ok = write ? write_and_prove(&job, proof, error) : verify(&job, proof, error);
    map_clear(&job.map);
    return ok;
}

bool loader_flash(struct loader *loader, const struct image *image, loader_progress progress, void *context,
                  struct loader_proof *proof, GError **error)
{
    return with_job(loader, image, progress, context, true, proof, error);
}

bool loader_verify(struct loader *loader, const struct image *image, loader_progress progress, void *context,
                   struct loader_proof *proof, GError **error)
{
    return with_job(loader, image, progress, context, false, proof, error);
}
