/* A disk in memory under SQLite, for simulation: it fills, fails, and loses what was not synced when the
 * power goes. While one is in place every store of this process lives on it; files that are no database do
 * not. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct store_disk;

enum store_disk_fault {
    DISK_FULL,        /* no room: writes fail, everything else works */
    DISK_SYNC_FAILS,  /* a sync fails; what it should have made durable may be lost */
    DISK_WRITE_FAILS, /* an input/output error */
    DISK_KILL,        /* the process is gone: what was written stays */
    DISK_POWER_CUT /* the machine is gone: what was written and not synced is kept, torn or lost, by chance */
};

/* Becomes SQLite's default file system. The seed decides what a power cut keeps. One at a time. */
struct store_disk *store_disk_new(uint64_t seed);
void store_disk_free(struct store_disk *disk);
/* The fault strikes at the n-th write, sync, truncation or removal from now on, 1 = the next. An error lasts
 * until store_disk_heal; after a kill or a power cut every call fails until store_disk_restart. */
void store_disk_arm(struct store_disk *disk, enum store_disk_fault fault, uint64_t n);
/* The same, but an error strikes a single operation. */
void store_disk_arm_once(struct store_disk *disk, enum store_disk_fault fault, uint64_t n);
/* Forgets an armed fault and ends errors. */
void store_disk_heal(struct store_disk *disk);
/* The armed fault has struck. */
bool store_disk_struck(const struct store_disk *disk);
/* The process or machine is gone: nothing that happens now leaves this process. */
bool store_disk_gone(const struct store_disk *disk);
/* The machine starts again, with what was left on the disk. */
void store_disk_restart(struct store_disk *disk);

/* What a disk makes of a sync that it acknowledges. */
enum store_disk_lie {
    DISK_HONEST,
    DISK_SYNCS_LATE, /* the log only before the database is written to: as with synchronous = NORMAL */
    DISK_NEVER_SYNCS /* as with synchronous = OFF */
};
void store_disk_lie(struct store_disk *disk, enum store_disk_lie lie);
/* The file system is mounted without leave to write. */
void store_disk_read_only(struct store_disk *disk, bool read_only);

/* Operations so far: writes, syncs, truncations and removals. */
uint64_t store_disk_operations(const struct store_disk *disk);
/* Calls the hook once, at the n-th operation since the disk was made, 1 = the first: before it is done, or
 * after. */
typedef void (*store_disk_hook)(void *context);
void store_disk_watch(struct store_disk *disk, uint64_t n, bool after, store_disk_hook hook, void *context);
/* The process is gone, now; with the power also what was not synced, by chance. */
void store_disk_stop(struct store_disk *disk, bool power);

/* What lies on the disk, to start from it more than once. Both only while nothing is open on it. */
struct store_disk_image;
struct store_disk_image *store_disk_save(const struct store_disk *disk);
void store_disk_load(struct store_disk *disk, const struct store_disk_image *image);
void store_disk_image_free(struct store_disk_image *image);
