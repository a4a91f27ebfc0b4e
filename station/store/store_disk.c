/* What SQLite asks of a disk (its file-system interface, version 2), over byte arrays. A file is its content
 * and the content that is durable with the writes since; a power cut makes the one from the other. */
#include "station/store/store_disk.h"

#include <sqlite3.h>
#include <string.h>

#define SECTOR     512
#define NAME_MAX_N 512
#define SHM_MAX    64

struct pending {
    int64_t offset; /* -1 = a truncation to n bytes */
    size_t n;
    uint8_t *bytes;
};

struct disk_file {
    char *name;
    bool exists;
    GByteArray *content, *durable;
    GArray *pending; /* struct pending since the last sync */
    uint8_t *shm[SHM_MAX];
    unsigned opened;
};

struct store_disk {
    sqlite3_vfs vfs;
    sqlite3_vfs *real;
    GPtrArray *files; /* struct disk_file* */
    uint64_t random;
    bool armed, struck, once, gone;
    enum store_disk_fault fault;
    uint64_t countdown, operations, watched; /* 0 = none watched */
    bool watch_after;
    store_disk_hook hook;
    void *hook_context;
};

struct disk_handle {
    sqlite3_file file;
    struct disk_file *on;
    struct store_disk *disk;
    bool temporary;
};

static uint64_t next_random(struct store_disk *disk)
{
    /* splitmix64, Steele and others 2014 */
    uint64_t z = disk->random += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

static void forget_pending(struct disk_file *file)
{
    for (guint i = 0; i < file->pending->len; i++)
        g_free(g_array_index(file->pending, struct pending, i).bytes);
    g_array_set_size(file->pending, 0);
}

static void put(GByteArray *to, int64_t offset, const uint8_t *bytes, size_t n)
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
        put(file->durable, pending->offset, pending->bytes, pending->n);
    else if (file->durable->len > pending->n)
        g_byte_array_set_size(file->durable, (guint)pending->n);
}

/* Each sector of each write is there or not. */
static void apply_torn(struct store_disk *disk, struct disk_file *file, const struct pending *pending)
{
    for (size_t at = 0; pending->offset >= 0 && at < pending->n; at += SECTOR)
        if (next_random(disk) % 2)
            put(file->durable, pending->offset + (int64_t)at, pending->bytes + at,
                MIN(SECTOR, pending->n - at));
}

static void lose_power(struct store_disk *disk)
{
    for (guint i = 0; i < disk->files->len; i++) {
        struct disk_file *file = g_ptr_array_index(disk->files, i);
        for (guint k = 0; k < file->pending->len; k++) {
            const struct pending *pending = &g_array_index(file->pending, struct pending, k);
            switch (next_random(disk) % 3) {
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
        forget_pending(file);
        g_byte_array_set_size(file->content, 0);
        g_byte_array_append(file->content, file->durable->data, file->durable->len);
    }
}

static void look(struct store_disk *disk, bool after)
{
    if (disk->watched != disk->operations || disk->watch_after != after || disk->watched == 0)
        return;
    disk->watched = 0;
    disk->hook(disk->hook_context);
}

/* SQLITE_OK when the operation may go on. */
static int strike(struct store_disk *disk, bool is_write, bool is_sync)
{
    if (!disk->gone) {
        disk->operations++;
        look(disk, false);
    }
    if (disk->gone)
        return SQLITE_IOERR;
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

static struct disk_handle *handle_of(sqlite3_file *file)
{
    return (struct disk_handle *)file;
}

static void file_free(gpointer data)
{
    struct disk_file *file = data;
    forget_pending(file);
    g_array_unref(file->pending);
    g_byte_array_unref(file->content);
    g_byte_array_unref(file->durable);
    for (unsigned i = 0; i < SHM_MAX; i++)
        g_free(file->shm[i]);
    g_free(file->name);
    g_free(file);
}

static struct disk_file *file_new(const char *name)
{
    struct disk_file *file = g_new0(struct disk_file, 1);
    file->name = g_strdup(name);
    file->content = g_byte_array_new();
    file->durable = g_byte_array_new();
    file->pending = g_array_new(FALSE, TRUE, sizeof(struct pending));
    return file;
}

static void shm_free(struct disk_file *file)
{
    for (unsigned i = 0; i < SHM_MAX; i++)
        g_clear_pointer(&file->shm[i], g_free);
}

static int disk_close(sqlite3_file *file)
{
    struct disk_handle *handle = handle_of(file);
    if (handle->temporary)
        file_free(handle->on);
    else if (--handle->on->opened == 0)
        shm_free(handle->on);
    return SQLITE_OK;
}

static int disk_read(sqlite3_file *file, void *to, int n, sqlite3_int64 offset)
{
    const struct disk_handle *handle = handle_of(file);
    const GByteArray *content = handle->on->content;
    if (handle->disk->gone)
        return SQLITE_IOERR_READ;
    int there = offset >= content->len ? 0 : (int)MIN((sqlite3_int64)n, content->len - offset);
    if (there > 0)
        memcpy(to, content->data + offset, (size_t)there);
    memset((uint8_t *)to + there, 0, (size_t)(n - there));
    return there == n ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int disk_write(sqlite3_file *file, const void *from, int n, sqlite3_int64 offset)
{
    struct disk_handle *handle = handle_of(file);
    int code = handle->temporary ? SQLITE_OK : strike(handle->disk, true, false);
    if (code != SQLITE_OK)
        return code;
    put(handle->on->content, offset, from, (size_t)n);
    const struct pending pending = {offset, (size_t)n, g_memdup2(from, (gsize)n)};
    g_array_append_val(handle->on->pending, pending);
    if (!handle->temporary)
        look(handle->disk, true);
    return SQLITE_OK;
}

static int disk_truncate(sqlite3_file *file, sqlite3_int64 n)
{
    struct disk_handle *handle = handle_of(file);
    int code = handle->temporary ? SQLITE_OK : strike(handle->disk, false, false);
    if (code != SQLITE_OK)
        return code;
    if (handle->on->content->len > n)
        g_byte_array_set_size(handle->on->content, (guint)n);
    const struct pending pending = {-1, (size_t)n, NULL};
    g_array_append_val(handle->on->pending, pending);
    if (!handle->temporary)
        look(handle->disk, true);
    return SQLITE_OK;
}

static int disk_sync(sqlite3_file *file, int flags)
{
    struct disk_handle *handle = handle_of(file);
    (void)flags;
    int code = handle->temporary ? SQLITE_OK : strike(handle->disk, false, true);
    if (code != SQLITE_OK)
        return code;
    for (guint i = 0; i < handle->on->pending->len; i++)
        apply(handle->on, &g_array_index(handle->on->pending, struct pending, i));
    forget_pending(handle->on);
    if (!handle->temporary)
        look(handle->disk, true);
    return SQLITE_OK;
}

static int disk_size(sqlite3_file *file, sqlite3_int64 *n)
{
    *n = handle_of(file)->on->content->len;
    return SQLITE_OK;
}

/* One thread and one writer: the only thing to exclude is the belief of being the last connection, which
 * would empty the write-ahead log under the others. */
static int disk_lock(sqlite3_file *file, int level)
{
    return level == SQLITE_LOCK_EXCLUSIVE && handle_of(file)->on->opened > 1 ? SQLITE_BUSY : SQLITE_OK;
}

static int disk_reserved(sqlite3_file *file, int *reserved)
{
    (void)file;
    *reserved = 0;
    return SQLITE_OK;
}

static int disk_control(sqlite3_file *file, int what, void *argument)
{
    (void)file, (void)what, (void)argument;
    return SQLITE_NOTFOUND;
}

static int disk_sector(sqlite3_file *file)
{
    (void)file;
    return SECTOR;
}

static int disk_traits(sqlite3_file *file)
{
    (void)file;
    return 0;
}

static int disk_shm_map(sqlite3_file *file, int region, int n, int extend, void volatile **at)
{
    struct disk_file *on = handle_of(file)->on;
    if (region >= SHM_MAX)
        return SQLITE_IOERR_SHMMAP;
    if (!on->shm[region] && extend)
        on->shm[region] = g_malloc0((gsize)n);
    *at = on->shm[region];
    return SQLITE_OK;
}

static int disk_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    (void)file, (void)offset, (void)n, (void)flags;
    return SQLITE_OK;
}

static void disk_shm_barrier(sqlite3_file *file)
{
    (void)file;
}

static int disk_shm_unmap(sqlite3_file *file, int delete_flag)
{
    if (delete_flag)
        shm_free(handle_of(file)->on);
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {.iVersion = 2,
                                           .xClose = disk_close,
                                           .xRead = disk_read,
                                           .xWrite = disk_write,
                                           .xTruncate = disk_truncate,
                                           .xSync = disk_sync,
                                           .xFileSize = disk_size,
                                           .xLock = disk_lock,
                                           .xUnlock = disk_lock,
                                           .xCheckReservedLock = disk_reserved,
                                           .xFileControl = disk_control,
                                           .xSectorSize = disk_sector,
                                           .xDeviceCharacteristics = disk_traits,
                                           .xShmMap = disk_shm_map,
                                           .xShmLock = disk_shm_lock,
                                           .xShmBarrier = disk_shm_barrier,
                                           .xShmUnmap = disk_shm_unmap};

static struct store_disk *disk_of(sqlite3_vfs *vfs)
{
    return vfs->pAppData;
}

static struct disk_file *find(struct store_disk *disk, const char *name, bool create)
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
    struct disk_file *file = file_new(name);
    file->exists = true;
    g_ptr_array_add(disk->files, file);
    return file;
}

static int disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    struct store_disk *disk = disk_of(vfs);
    struct disk_handle *handle = handle_of(file);
    memset(handle, 0, sizeof *handle);
    if (disk->gone)
        return SQLITE_CANTOPEN;
    handle->disk = disk;
    handle->temporary = name == NULL;
    handle->on = name ? find(disk, name, (flags & SQLITE_OPEN_CREATE) != 0) : file_new("");
    if (!handle->on || (name && !handle->on->exists))
        return SQLITE_CANTOPEN;
    handle->on->opened++;
    handle->file.pMethods = &methods;
    if (out_flags)
        *out_flags = flags;
    return SQLITE_OK;
}

/* A removal is durable at once: SQLite syncs the folder where it matters. */
static int disk_delete(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
    struct store_disk *disk = disk_of(vfs);
    struct disk_file *file = find(disk, name, false);
    (void)sync_folder;
    int code = strike(disk, false, false);
    if (code != SQLITE_OK)
        return SQLITE_IOERR_DELETE;
    if (!file || !file->exists)
        return SQLITE_IOERR_DELETE_NOENT;
    file->exists = false;
    forget_pending(file);
    g_byte_array_set_size(file->content, 0);
    g_byte_array_set_size(file->durable, 0);
    look(disk, true);
    return SQLITE_OK;
}

static int disk_access(sqlite3_vfs *vfs, const char *name, int flags, int *answer)
{
    const struct disk_file *file = find(disk_of(vfs), name, false);
    (void)flags;
    *answer = file && file->exists;
    return SQLITE_OK;
}

static int disk_path(sqlite3_vfs *vfs, const char *name, int n, char *out)
{
    (void)vfs;
    g_strlcpy(out, name, (gsize)n);
    return SQLITE_OK;
}

static int disk_randomness(sqlite3_vfs *vfs, int n, char *out)
{
    for (int i = 0; i < n; i++)
        out[i] = (char)next_random(disk_of(vfs));
    return n;
}

static int disk_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    return us;
}

static int disk_time(sqlite3_vfs *vfs, sqlite3_int64 *julian_ms)
{
    (void)vfs;
    *julian_ms = INT64_C(211845067200000); /* nothing in the store asks SQLite for the time */
    return SQLITE_OK;
}

struct store_disk *store_disk_new(uint64_t seed)
{
    struct store_disk *disk = g_new0(struct store_disk, 1);
    /* Counting memory costs two locks for each piece; refused, and no matter, when SQLite already runs. */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    disk->real = sqlite3_vfs_find(NULL);
    disk->random = seed;
    disk->files = g_ptr_array_new_with_free_func(file_free);
    disk->vfs = (sqlite3_vfs){.iVersion = 2,
                              .szOsFile = sizeof(struct disk_handle),
                              .mxPathname = NAME_MAX_N,
                              .zName = "packline-simulated-disk",
                              .pAppData = disk,
                              .xOpen = disk_open,
                              .xDelete = disk_delete,
                              .xAccess = disk_access,
                              .xFullPathname = disk_path,
                              .xRandomness = disk_randomness,
                              .xSleep = disk_sleep,
                              .xCurrentTimeInt64 = disk_time};
    sqlite3_vfs_register(&disk->vfs, 1);
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
    struct disk_file *to = file_new(from->name);
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
    GPtrArray *to = g_ptr_array_new_with_free_func(file_free);
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
