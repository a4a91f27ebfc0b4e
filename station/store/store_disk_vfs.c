/* What SQLite asks of a disk (its file-system interface, version 2), over byte arrays. */
#include "station/store/store_disk_parts.h"

#include <string.h>

struct disk_handle {
    sqlite3_file file;
    struct disk_file *on;
    struct store_disk *disk;
    bool temporary;
};

static struct disk_handle *handle_of(sqlite3_file *file)
{
    return (struct disk_handle *)file;
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
        disk_file_free(handle->on);
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

static bool is_log(const struct disk_file *file)
{
    return g_str_has_suffix(file->name, "-wal");
}

/* With synchronous = NORMAL SQLite syncs the write-ahead log before it writes to the database. */
static void settle_logs(struct store_disk *disk)
{
    for (guint i = 0; i < disk->files->len; i++) {
        struct disk_file *file = g_ptr_array_index(disk->files, i);
        if (is_log(file))
            disk_settle(file);
    }
}

static int disk_write(sqlite3_file *file, const void *from, int n, sqlite3_int64 offset)
{
    struct disk_handle *handle = handle_of(file);
    int code = handle->temporary ? SQLITE_OK : disk_strike(handle->disk, true, false);
    if (code != SQLITE_OK)
        return code;
    if (handle->disk->lie == DISK_SYNCS_LATE && !is_log(handle->on))
        settle_logs(handle->disk);
    disk_put(handle->on->content, offset, from, (size_t)n);
    const struct pending pending = {offset, (size_t)n, g_memdup2(from, (gsize)n)};
    g_array_append_val(handle->on->pending, pending);
    if (!handle->temporary)
        disk_look(handle->disk, true);
    return SQLITE_OK;
}

static int disk_truncate(sqlite3_file *file, sqlite3_int64 n)
{
    struct disk_handle *handle = handle_of(file);
    int code = handle->temporary ? SQLITE_OK : disk_strike(handle->disk, false, false);
    if (code != SQLITE_OK)
        return code;
    if (handle->on->content->len > n)
        g_byte_array_set_size(handle->on->content, (guint)n);
    const struct pending pending = {-1, (size_t)n, NULL};
    g_array_append_val(handle->on->pending, pending);
    if (!handle->temporary)
        disk_look(handle->disk, true);
    return SQLITE_OK;
}

/* A sync that reports success and is none. That of a new log's header is one also with NORMAL. */
static bool is_lie(const struct disk_handle *handle)
{
    const GArray *pending = handle->on->pending;
    bool header_only = pending->len > 0;
    for (guint i = 0; i < pending->len; i++)
        header_only &= g_array_index(pending, struct pending, i).offset == 0;
    return handle->disk->lie == DISK_NEVER_SYNCS ||
           (handle->disk->lie == DISK_SYNCS_LATE && is_log(handle->on) && !header_only);
}

static int disk_sync(sqlite3_file *file, int flags)
{
    struct disk_handle *handle = handle_of(file);
    (void)flags;
    int code = handle->temporary ? SQLITE_OK : disk_strike(handle->disk, false, true);
    /* The kernel marks what it could not write as clean: it is seen until the machine restarts, and no later
     * sync tries again. */
    if (code == SQLITE_IOERR_FSYNC)
        disk_lose(handle->disk, handle->on);
    if (code != SQLITE_OK)
        return code;
    if (!is_lie(handle))
        disk_settle(handle->on);
    if (!handle->temporary)
        disk_look(handle->disk, true);
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
    if (!on->shm[region] && handle_of(file)->disk->read_only)
        return SQLITE_READONLY_CANTINIT;
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

static int disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    struct store_disk *disk = disk_of(vfs);
    struct disk_handle *handle = handle_of(file);
    memset(handle, 0, sizeof *handle);
    if (disk->gone)
        return SQLITE_CANTOPEN;
    handle->disk = disk;
    handle->temporary = name == NULL;
    if (name && disk->read_only)
        flags = (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) | SQLITE_OPEN_READONLY;
    handle->on = name ? disk_find(disk, name, (flags & SQLITE_OPEN_CREATE) != 0) : disk_file_new("");
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
    struct disk_file *file = disk_find(disk, name, false);
    (void)sync_folder;
    int code = disk_strike(disk, false, false);
    if (code != SQLITE_OK)
        return SQLITE_IOERR_DELETE;
    if (!file || !file->exists)
        return SQLITE_IOERR_DELETE_NOENT;
    file->exists = false;
    disk_forget(file);
    g_byte_array_set_size(file->content, 0);
    g_byte_array_set_size(file->durable, 0);
    disk_look(disk, true);
    return SQLITE_OK;
}

static int disk_access(sqlite3_vfs *vfs, const char *name, int flags, int *answer)
{
    const struct disk_file *file = disk_find(disk_of(vfs), name, false);
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
        out[i] = (char)disk_random(disk_of(vfs));
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

void disk_vfs_init(struct store_disk *disk)
{
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
}
