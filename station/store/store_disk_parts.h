/* Inside the disk in memory: a file is its content and the content that is durable with the writes since; a
 * power cut makes the one from the other. */
#pragma once

#include "station/store/store_disk.h"

#include <sqlite3.h>

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
    bool watch_after, read_only;
    enum store_disk_lie lie;
    store_disk_hook hook;
    void *hook_context;
};

/* Fills in the file system that SQLite sees. */
void disk_vfs_init(struct store_disk *disk);

uint64_t disk_random(struct store_disk *disk);
struct disk_file *disk_file_new(const char *name);
void disk_file_free(gpointer data);
struct disk_file *disk_find(struct store_disk *disk, const char *name, bool create);

/* Before an operation: SQLITE_OK when it may go on. After it: disk_look. */
int disk_strike(struct store_disk *disk, bool is_write, bool is_sync);
void disk_look(struct store_disk *disk, bool after);

void disk_put(GByteArray *to, int64_t offset, const uint8_t *bytes, size_t n);
void disk_forget(struct disk_file *file);
/* Everything written becomes durable. */
void disk_settle(struct disk_file *file);
/* Each write becomes durable, becomes so in part, or is lost, by chance. */
void disk_lose(struct store_disk *disk, struct disk_file *file);
