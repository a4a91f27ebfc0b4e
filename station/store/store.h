/* The journal: one SQLite database per station, one writer, WAL, synchronous=FULL set and read back.
 *
 * One thread at a time calls a store. Every other table is derived from the journal by triggers in the same
 * transaction, and can be made again from it. After the first storage error a store writes nothing more until
 * it is opened again.
 *
 * Append-only and hash-chained: h = SHA-256(0x00 ‖ h_prev ‖ canonical row). What a screen, label or export
 * shows is derived from it. Folder layout: station.db, lock, files/HH/SHA256 (recipes, profiles, packages by
 * hash), traces/. All errors are kind STORAGE unless said; BUSY when another process holds the folder; RULE
 * for a refused claim. */
#pragma once

#include "station/desk.h"
#include "station/base/tick.h"

#include <stdio.h>

struct store;

/* Creates the folder when missing, takes its flock, opens, migrates, checks (quick_check, chain tail,
 * pragmas), and closes runs left open as INTERRUPTED. A database that fails a check is not opened for
 * writing. */
struct store *store_open(const char *folder, const char *station, struct tick *tick,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* For records, verify, audit and exports: read-only, beside a running writer. */
struct store *store_open_reader(const char *folder, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void store_close(struct store *store);

/* Opens a run: the row is on disk before the first byte goes to the board. begin->type is EVENT_RUN_BEGIN;
 * the new number goes to *run. */
bool store_run_begin(struct store *store, const struct event *begin, int64_t *run,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The desk's gate, post and claim. RUN_END PASS consumes the serial number in the same transaction, then the
 * row is read back through a second statement; a PASS with a step missing or not ok is refused (INTERNAL). */
bool store_gate(struct store *store, const struct event *intent, GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool store_post(struct store *store, const struct event *event, GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool store_claim(struct store *store, int64_t run, enum desk_claim claim, const char *unique_id,
                 const char *sn, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Before a board is touched: RULE when this serial number already belongs to a unit that passed or is burned.
 */
bool store_serial_check(struct store *store, const char *sn, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Takes a number out of the world for good (board scrapped, label lost); its board may then get another. RULE
 * when the unit already passed, ABSENT when the number was never claimed. */
bool store_serial_burn(struct store *store, const char *sn, const char *reason,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Newest package sequence accepted for a product, 0 when none; accepting a lower one is TRUST. */
bool store_sequence_newest(struct store *store, const char *product, int64_t *sequence, GError **error);
bool store_sequence_accept(struct store *store, const char *product, int64_t sequence,
                           const char *package_sha256, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Keeps a copy of a file by its hash; returning true means it is on disk. */
bool store_keep_file(struct store *store, const char *kind, GBytes *bytes, char sha256[65],
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A file that was kept, by its hash; its bytes are checked against it. New reference. */
GBytes *store_kept_file(struct store *store, const char *sha256, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Label jobs: queued only for a run whose PASS row is committed and production; unique per run and copy. */
enum store_label_state {
    LABEL_QUEUED,
    LABEL_SENDING,
    LABEL_PRINTED,
    LABEL_UNCONFIRMED, /* sent, and nobody knows whether it came out */
    LABEL_FAILED,      /* surely not printed */
    LABEL_CONFIRMED,   /* scanned back from the board it belongs to */
    LABEL_WAIVED       /* the unit went on without that, for a reason on record */
};
bool store_label_queue(struct store *store, int64_t run, const char *payload_json, int64_t *job,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool store_label_set(struct store *store, int64_t job, enum store_label_state state, const char *text,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The newest unit of a slot whose label must be scanned back and was not; *run is 0 when there is none. A
 * unit whose label was never queued waits too. */
bool store_label_waiting(struct store *store, const char *slot, int64_t *run, char **sn,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* What was scanned from a label, and what the board in the slot said at that moment. */
struct store_label_scan {
    const char *scan, *unique_id, *sn;
    /* Of a board that cannot say which one it is: the code that it carries, which must be the one that its
     * run began with, and its product. NULL = the board said who it is. */
    const char *mark, *product;
};
/* Confirms the label of a unit. RULE, on record too, when the scan or the board is not this unit's; RULE when
 * the label never came out or is already settled. */
bool store_label_confirm(struct store *store, int64_t run, const struct store_label_scan *scan,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool store_label_waive(struct store *store, int64_t run, const char *reason,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Verdict and key facts of a run as committed, for the screen: {"run":…,"verdict":"PASS","sn":…}; new
 * reference. */
json_t *store_run_json(struct store *store, int64_t run, GError **error);

/* What an item read as when it was last compared in this run; NULL when it was not. Newly allocated. */
bool store_value_found(struct store *store, int64_t run, const char *key, char **shown,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* What was last measured under this name in this run and kept its limits, with its unit; the same. */
bool store_measured(struct store *store, int64_t run, const char *name, char **shown,
                    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Records, from documented views. All answers are JSON; new references. USAGE for a day that is none. */
struct store_filter {
    const char *sn, *model, *verdict, *firmware, *since, *until; /* NULL = any; since/until YYYY-MM-DD */
    int64_t limit; /* 0 = 100 for a list, all for an export; -1 = all */
};
json_t *store_records_list(struct store *store, const struct store_filter *filter, GError **error);
/* Everything about one serial number: unit, every run with steps, values, measurements, notes, labels. ABSENT
 * when unknown. */
json_t *store_records_show(struct store *store, const char *sn, GError **error);
/* RFC 4180 with formula-injection guard. */
bool store_export_csv(struct store *store, const struct store_filter *filter, FILE *out,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Recomputes the chain from genesis, checks that the schema is packline's, and makes all derived tables again
 * to compare them; the message names the first bad row. */
bool store_verify(struct store *store, int64_t *rows, char head[65],
                  GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The invariants that can be checked over the store, one call of the sink each. Returns the number violated,
 * -1 on a storage error. damage: also what no query over rows can say - chain, derived tables, integrity. */
typedef void (*store_audit_sink)(void *context, const char *id, const char *promise, bool ok,
                                 const char *finding);
int store_audit(struct store *store, bool damage, store_audit_sink sink, void *context, GError **error);

typedef struct store store_auto;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(store_auto, store_close)
