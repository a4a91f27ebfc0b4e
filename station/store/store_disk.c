/* What lies on the disk in memory, and what strikes it. */
#include "station/store/store_disk_parts.h"

#include <string.h>

uint64_t disk_random(struct store_disk *disk)
{
    /* splitmix64, Steele and others 2014 */
    uint64_t z = disk->random += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

void disk_forget(struct disk_file *file)
{
    for (guint i = 0; i < file->pending->len; i++)
        g_free(g_array_index(file->pending, struct pending, i).bytes);
    g_array_set_size(file->pending, 0);
}

void disk_put(GByteArray *to, int64_t offset, const uint8_t *bytes, size_t n)
{
    guint old = to->len;
    if ((guint)offset + n > old) {
        g_byte_array_set_size(to, (guint)((size_t)offset + n));
        if ((guint)offset > old)
            memset(to->data + old, 0, (size_t)offset - old);
    }
    memcpy(to->data + offset, bytes, n);
}

static void apply(struct disk_file *file, const struct pending *pending)
{
    if (pending->offset >= 0)
        disk_put(file->durable, pending->offset, pending->bytes, pending->n);
    else if (file->durable->len > pending->n)
        g_byte_array_set_size(file->durable, (guint)pending->n);
}

/* Each sector of each write is there or not. */
static void apply_torn(struct store_disk *disk, struct disk_file *file, const struct pending *pending)
{
    for (size_t at = 0; pending->offset >= 0 && at < pending->n; at += SECTOR)
        if (disk_random(disk) % 2)
            disk_put(file->durable, pending->offset + (int64_t)at, pending->bytes + at,
                     MIN(SECTOR, pending->n - at));
}

void disk_settle(struct disk_file *file)
{
    for (guint i = 0; i < file->pending->len; i++)
        apply(file, &g_array_index(file->pending, struct pending, i));
    disk_forget(file);
}

void disk_lose(struct store_disk *disk, struct disk_file *file)
{
    for (guint i = 0; i < file->pending->len; i++) {
        const struct pending *pending = &g_array_index(file->pending, struct pending, i);
        switch (disk_random(disk) % 3) {
        case 0:
            apply(file, pending);
            break;
        case 1:
            apply_torn(disk, file, pending);
            break;
        default:
            break;
        }
    }
    disk_forget(file);
}

static void lose_power(struct store_disk *disk)
{
    for (guint i = 0; i < disk->files->len; i++) {
        struct disk_file *file = g_ptr_array_index(disk->files, i);
        disk_lose(disk, file);
        g_byte_array_set_size(file->content, 0);
        g_byte_array_append(file->content, file->durable->data, file->durable->len);
    }
}

void disk_look(struct store_disk *disk, bool after)
{
    if (disk->watched != disk->operations || disk->watch_after != after || disk->watched == 0)
        return;
    disk->watched = 0;
    disk->hook(disk->hook_context);
}

/* SQLITE_OK when the operation may go on. */
int disk_strike(struct store_disk *disk, bool is_write, bool is_sync)
{
    if (!disk->gone) {
        disk->operations++;
        disk_look(disk, false);
    }
    if (disk->gone)
        return SQLITE_IOERR;
    if (disk->read_only)
        return is_sync ? SQLITE_OK : SQLITE_READONLY;
    if (!disk->armed || (disk->once && disk->struck))
        return SQLITE_OK;
    if (!disk->struck && disk->countdown > 1) {
        disk->countdown--;
        return SQLITE_OK;
    }
    switch (disk->fault) {
    case DISK_FULL:
        disk->struck |= is_write;
        return is_write ? SQLITE_FULL : SQLITE_OK;
    case DISK_WRITE_FAILS:
        disk->struck |= is_write;
        return is_write ? SQLITE_IOERR_WRITE : SQLITE_OK;
    case DISK_SYNC_FAILS:
        disk->struck |= is_sync;
        return is_sync ? SQLITE_IOERR_FSYNC : SQLITE_OK;
    case DISK_KILL:
        disk->struck = disk->gone = true;
        return SQLITE_IOERR;
    case DISK_POWER_CUT:
        disk->struck = disk->gone = true;
        lose_power(disk);
        return SQLITE_IOERR;
    }
    return SQLITE_OK;
}

void disk_file_free(gpointer data)
{
    struct disk_file *file = data;
    disk_forget(file);
    g_array_unref(file->pending);
    g_byte_array_unref(file->content);
    g_byte_array_unref(file->durable);
    for (unsigned i = 0; i < SHM_MAX; i++)
        g_free(file->shm[i]);
    g_free(file->name);
    g_free(file);
}

struct disk_file *disk_file_new(const char *name)
{
    struct disk_file *file = g_new0(struct disk_file, 1);
    file->name = g_strdup(name);
    file->content = g_byte_array_new();
    file->durable = g_byte_array_new();
    file->pending = g_array_new(FALSE, TRUE, sizeof(struct pending));
    return file;
}

struct disk_file *disk_find(struct store_disk *disk, const char *name, bool create)
{
    for (guint i = 0; i < disk->files->len; i++) {
        struct disk_file *file = g_ptr_array_index(disk->files, i);
        if (strcmp(file->name, name) == 0) {
            file->exists |= create;
            return file;
        }
    }
    if (!create)
        return NULL;
    struct disk_file *file = disk_file_new(name);
    file->exists = true;
    g_ptr_array_add(disk->files, file);
    return file;
}

struct store_disk *store_disk_new(uint64_t seed)
{
    struct store_disk *disk = g_new0(struct store_disk, 1);
    /* Counting memory costs two locks for each piece; refused, and no matter, when SQLite already runs. */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    disk->real = sqlite3_vfs_find(NULL);
    disk->random = seed;
    disk->files = g_ptr_array_new_with_free_func(disk_file_free);
    disk_vfs_init(disk);
    sqlite3_vfs_register(&disk->vfs, 1);
    sqlite3_randomness(0, NULL); /* SQLite's own chance begins anew too, from this disk's */
    return disk;
}

void store_disk_free(struct store_disk *disk)
{
    if (!disk)
        return;
    sqlite3_vfs_unregister(&disk->vfs);
    sqlite3_vfs_register(disk->real, 1);
    g_ptr_array_unref(disk->files);
    g_free(disk);
}

void store_disk_arm(struct store_disk *disk, enum store_disk_fault fault, uint64_t n)
{
    disk->armed = true;
    disk->struck = disk->once = false;
    disk->fault = fault;
    disk->countdown = n;
}

void store_disk_arm_once(struct store_disk *disk, enum store_disk_fault fault, uint64_t n)
{
    store_disk_arm(disk, fault, n);
    disk->once = true;
}

void store_disk_heal(struct store_disk *disk)
{
    disk->armed = disk->struck = false;
}

bool store_disk_struck(const struct store_disk *disk)
{
    return disk->struck;
}

bool store_disk_gone(const struct store_disk *disk)
{
    return disk->gone;
}

void store_disk_restart(struct store_disk *disk)
{
    store_disk_heal(disk);
    disk->gone = false;
}

void store_disk_lie(struct store_disk *disk, enum store_disk_lie lie)
{
    disk->lie = lie;
}

void store_disk_read_only(struct store_disk *disk, bool read_only)
{
    disk->read_only = read_only;
}

uint64_t store_disk_operations(const struct store_disk *disk)
{
    return disk->operations;
}

void store_disk_watch(struct store_disk *disk, uint64_t n, bool after, store_disk_hook hook, void *context)
{
    disk->watched = n;
    disk->watch_after = after;
    disk->hook = hook;
    disk->hook_context = context;
}

void store_disk_stop(struct store_disk *disk, bool power)
{
    disk->gone = true;
    if (power)
        lose_power(disk);
}

struct store_disk_image {
    GPtrArray *files; /* struct disk_file* */
};

static struct disk_file *file_copy(const struct disk_file *from)
{
    struct disk_file *to = disk_file_new(from->name);
    to->exists = from->exists;
    g_byte_array_append(to->content, from->content->data, from->content->len);
    g_byte_array_append(to->durable, from->durable->data, from->durable->len);
    for (guint i = 0; i < from->pending->len; i++) {
        struct pending pending = g_array_index(from->pending, struct pending, i);
        pending.bytes = g_memdup2(pending.bytes, pending.offset < 0 ? 0 : pending.n);
        g_array_append_val(to->pending, pending);
    }
    return to;
}

static GPtrArray *files_copy(GPtrArray *from)
{
    GPtrArray *to = g_ptr_array_new_with_free_func(disk_file_free);
    for (guint i = 0; i < from->len; i++)
        g_ptr_array_add(to, file_copy(g_ptr_array_index(from, i)));
    return to;
}

struct store_disk_image *store_disk_save(const struct store_disk *disk)
{
    struct store_disk_image *image = g_new0(struct store_disk_image, 1);
    image->files = files_copy(disk->files);
    return image;
}

void store_disk_load(struct store_disk *disk, const struct store_disk_image *image)
{
    g_ptr_array_unref(disk->files);
    disk->files = files_copy(image->files);
}

void store_disk_image_free(struct store_disk_image *image)
{
    if (image)
        g_ptr_array_unref(image->files);
    g_free(image);
}
