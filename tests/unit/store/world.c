/* The day, its memory and its judge. */
#include "tests/unit/store/world.h"

#include "station/base/error.h"

#include <glib/gstdio.h>
#include <stdarg.h>
#include <string.h>

#define LABEL "{\"sn\":\"%s\"}"

/* What the day wants of each board. The second lets its number go before anything was written, the third
 * takes that number and fails with it on board, so the fourth must not get it. */
static const struct {
    const char *sn, *uid;
    enum { TO_PASS, TO_LET_GO, TO_KEEP, TO_BE_REFUSED } wish;
} boards[WORLD_BOARDS] = {{"SN1", "0102030405060708090a0b0c", TO_PASS},
                          {"SN2", "1112131415161718191a1b1c", TO_LET_GO},
                          {"SN2", "2122232425262728292a2b2c", TO_KEEP},
                          {"SN2", "3132333435363738393a3b3c", TO_BE_REFUSED}};

/* The lock alone lies here; everything else is on the disk in memory. */
static char *folder;

int world_tests_run(void)
{
    folder = g_dir_make_tmp("store-XXXXXX", NULL);
    int code = g_test_run();
    g_autofree char *lock = g_build_filename(folder, "lock", NULL);
    g_unlink(lock);
    g_rmdir(folder);
    g_free(folder);
    return code;
}

uint64_t world_number(const char *name, uint64_t fallback)
{
    const char *text = g_getenv(name);
    return text ? g_ascii_strtoull(text, NULL, 10) : fallback;
}

uint64_t world_mix(uint64_t a, uint64_t b)
{
    uint64_t z = (a + 1) * 0x9e3779b97f4a7c15ull ^ (b + 1) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 29) * 0x94d049bb133111ebull;
    return z ^ z >> 32;
}

void world_init(struct world *world)
{
    *world = (struct world){.acked_hash = STORE_GENESIS};
    tick_virtual_init(&world->clock, 1795000000000000);
}

bool world_find(struct world *world, enum finding finding, const char *format, ...)
{
    va_list args;
    if (world->finding != FINDING_NONE)
        return false;
    world->finding = finding;
    va_start(args, format);
    g_vsnprintf(world->text, sizeof world->text, format, args);
    va_end(args);
    return false;
}

static void remember(struct world *world, const GError *error)
{
    if (!world->failure[0])
        g_strlcpy(world->failure, error ? error->message : "without a word", sizeof world->failure);
}

/* The answer of a call that appends `rows` rows when it succeeds. */
static bool answered(struct world *world, bool ok, int rows, GError *error)
{
    g_autoptr(GError) taken = error;
    int64_t seq = world->store->seq;
    (void)taken;
    if (!ok) {
        if (!g_error_matches(taken, PACK_ERROR, ERROR_STORAGE))
            world_find(world, FINDING_OTHER, "refused: %s", taken ? taken->message : "without a word");
        world->broke = true;
        remember(world, taken);
        return false;
    }
    if (world->broke)
        world_find(world, FINDING_OTHER, "row %d was taken after a failure", (int)seq);
    if (seq != world->acked_seq + rows)
        world_find(world, FINDING_OTHER, "%d rows appended, not %d", (int)(seq - world->acked_seq), rows);
    world->acked_seq = seq;
    g_strlcpy(world->acked_hash, world->store->head, sizeof world->acked_hash);
    return true;
}

/* A call that must fail by rule, and does so too when the storage fails in it. */
static bool refused(struct world *world, bool ok, enum error_kind kind, GError *error)
{
    g_autoptr(GError) taken = error;
    if (ok)
        return world_find(world, FINDING_OTHER, "taken against the rules at row %d", (int)world->store->seq);
    if (g_error_matches(error, PACK_ERROR, (int)kind))
        return true;
    return answered(world, false, 0, g_steal_pointer(&taken));
}

static struct event event_of(struct world *world, enum event_type type)
{
    world->clock.now += 1000;
    return (struct event){.type = type,
                          .run = world->run,
                          .step = 0,
                          .attempt = 1,
                          .verb = "flash",
                          .title = "Flash",
                          .now_us = world->clock.now,
                          .wall_us = tick_wall(&world->clock.tick)};
}

static bool post(struct world *world, struct event event)
{
    GError *error = NULL;
    bool ok = event.type == EVENT_INTENT ? store_gate(world->store, &event, &error)
                                         : store_post(world->store, &event, &error);
    return answered(world, ok, 1, error);
}

static bool fact(struct world *world, enum event_type type, const char *key)
{
    struct event event = event_of(world, type);
    event.key = key;
    event.text = "a sentence as long as those that a station writes into its journal";
    return post(world, event);
}

static bool value(struct world *world, const char *stage)
{
    struct event event = event_of(world, EVENT_VALUE);
    event.key = "protect.cell_ov_start";
    event.written = event.found = "3.65 V";
    event.stage = stage;
    event.ok = true;
    return post(world, event);
}

static bool claim(struct world *world, gsize i, enum desk_claim what)
{
    GError *error = NULL;
    bool ok = store_claim(world->store, world->run, what, boards[i].uid, boards[i].sn, &error);
    ok = answered(world, ok, 1, error);
    world->boards[i].written |= ok && what == CLAIM_SERIAL_INTENT;
    return ok;
}

static bool end(struct world *world, gsize i, enum event_verdict verdict)
{
    struct event event = event_of(world, EVENT_RUN_END);
    event.step = -1;
    event.verdict = verdict;
    world->ending = verdict;
    if (!post(world, event))
        return false;
    *(verdict == VERDICT_PASS ? &world->boards[i].passed : &world->boards[i].failed) = world->run;
    world->run = 0;
    world->ending = VERDICT_NONE;
    return true;
}

/* Up to a board that is known and, unless it must be refused, has its number reserved. */
static bool begin(struct world *world, gsize i)
{
    GError *error = NULL;
    int64_t run = 0;
    struct event event = event_of(world, EVENT_RUN_BEGIN);
    event.run = 0;
    event.begin = (struct event_run){.sn = boards[i].sn,
                                     .scan = boards[i].sn,
                                     .station = "s",
                                     .slot = "A",
                                     .model = "M",
                                     .production = true,
                                     .steps = 1,
                                     .package_sha256 = "ab",
                                     .package_version = "1.0.4",
                                     .package_signer = "k",
                                     .release_sha256 = "cd"};
    bool ok = store_run_begin(world->store, &event, &run, &error);
    if (!answered(world, ok, 1, error))
        return false;
    world->run = run;
    if (!post(world, event_of(world, EVENT_STEP_BEGIN)))
        return false;
    struct event identity = event_of(world, EVENT_IDENTITY);
    identity.unique_id = boards[i].uid;
    return post(world, identity) && claim(world, i, CLAIM_UNIT) &&
           (boards[i].wish == TO_BE_REFUSED || claim(world, i, CLAIM_SERIAL));
}

static bool step_end(struct world *world)
{
    struct event event = event_of(world, EVENT_STEP_END);
    event.ok = true;
    return post(world, event);
}

/* A PASS that lacks a proof: whatever fails meanwhile, it is not taken. */
static bool unproved_pass(struct world *world)
{
    GError *error = NULL;
    struct event event = event_of(world, EVENT_RUN_END);
    event.step = -1;
    event.verdict = VERDICT_PASS;
    bool ok = store_post(world->store, &event, &error);
    return refused(world, ok, ERROR_INTERNAL, error);
}

static bool run_to_pass(struct world *world, gsize i)
{
    return begin(world, i) && fact(world, EVENT_INTENT, "erase") && fact(world, EVENT_RESULT, "verify") &&
           claim(world, i, CLAIM_SERIAL_INTENT) && fact(world, EVENT_INTENT, "identity") &&
           value(world, "write") && unproved_pass(world) && claim(world, i, CLAIM_SERIAL_ON_BOARD) &&
           fact(world, EVENT_RESULT, "identity") && value(world, "after-restart") &&
           fact(world, EVENT_NOTE, "remark") && step_end(world) && end(world, i, VERDICT_PASS);
}

static bool label(struct world *world, gsize i)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *payload = g_strdup_printf(LABEL, boards[i].sn);
    struct store *store = world->store;
    int64_t job, before = store->seq;
    if (!store_label_queue(store, world->boards[i].passed, payload, &job, &error)) {
        if (g_error_matches(error, PACK_ERROR, ERROR_RULE))
            return true; /* it was sent, or may have been: world_check looks at that */
        return answered(world, false, 0, g_steal_pointer(&error));
    }
    if (world->boards[i].sent)
        return world_find(world, FINDING_OTHER, "a label that was being sent would be sent again");
    if (!answered(world, true, (int)(store->seq - before), NULL))
        return false;
    bool ok = store_label_set(store, job, LABEL_SENDING, NULL, &error);
    if (!answered(world, ok, 1, g_steal_pointer(&error)))
        return false;
    world->boards[i].sent = true;
    world->boards[i].came++;
    ok = store_label_set(store, job, LABEL_PRINTED, NULL, &error);
    return answered(world, ok, 1, g_steal_pointer(&error));
}

/* A board that passed before an acknowledgement came is known by its number, as to an operator who scans it
 * again. */
static bool passed_before(struct world *world, gsize i, bool *passed)
{
    GError *error = NULL;
    bool found;
    *passed = false;
    if (store_serial_check(world->store, boards[i].sn, &error))
        return true;
    if (!refused(world, false, ERROR_RULE, error))
        return false;
    if (!store_get_int(world->store, &error, &world->boards[i].passed, &found,
                       "SELECT run FROM unit WHERE sn = ? AND uid = ?", "ss", boards[i].sn, boards[i].uid))
        return answered(world, false, 0, error);
    *passed = found;
    return found || world_find(world, FINDING_OTHER, "%s is taken and no unit has it", boards[i].sn);
}

static bool pass(struct world *world, gsize i)
{
    bool passed;
    return passed_before(world, i, &passed) && (passed || run_to_pass(world, i)) && label(world, i);
}

static bool keep(struct world *world, gsize i)
{
    return begin(world, i) && fact(world, EVENT_INTENT, "erase") && fact(world, EVENT_RESULT, "verify") &&
           claim(world, i, CLAIM_SERIAL_INTENT) && fact(world, EVENT_INTENT, "identity") &&
           end(world, i, VERDICT_FAIL);
}

static bool be_refused(struct world *world, gsize i)
{
    GError *error = NULL;
    if (!begin(world, i))
        return false;
    bool ok = store_claim(world->store, world->run, CLAIM_SERIAL, boards[i].uid, boards[i].sn, &error);
    return refused(world, ok, ERROR_RULE, error) && end(world, i, VERDICT_FAIL);
}

static bool work(struct world *world, gsize i)
{
    if (world->boards[i].failed)
        return true;
    switch (boards[i].wish) {
    case TO_PASS:
        return pass(world, i);
    case TO_LET_GO:
        return begin(world, i) && unproved_pass(world) && end(world, i, VERDICT_FAIL);
    case TO_KEEP:
        return keep(world, i);
    case TO_BE_REFUSED:
        return be_refused(world, i);
    }
    return false;
}

static bool package(struct world *world)
{
    GError *error = NULL;
    int64_t before = world->store->seq;
    bool ok = store_sequence_accept(world->store, "P", 7, "h", &error);
    return answered(world, ok, (int)(world->store->seq - before), error);
}

bool world_day(struct world *world)
{
    bool ok = (world->store || world_open(world, false)) && package(world);
    for (gsize i = 0; ok && i < WORLD_BOARDS; i++)
        ok = work(world, i);
    if (ok)
        world_close(world);
    return ok;
}

bool world_open(struct world *world, bool must)
{
    g_autoptr(GError) error = NULL;
    world->store = store_open(folder, "s", &world->clock.tick, &error);
    if (world->store)
        return true;
    remember(world, error);
    if (!g_error_matches(error, PACK_ERROR, ERROR_STORAGE))
        world_find(world, FINDING_OTHER, "does not open: %s", error ? error->message : "without a word");
    return must ? world_find(world, FINDING_CORRUPT, "does not open: %s", error->message) : false;
}

void world_close(struct world *world)
{
    store_close(world->store);
    world->store = NULL;
}

void world_check_stopped(struct world *world)
{
    GError *error = NULL;
    if (!world->store)
        return;
    for (int i = 0; i < 3; i++) {
        bool ok = store_sequence_accept(world->store, "Q", i, "h", &error);
        answered(world, ok, 1, g_steal_pointer(&error));
    }
}

static int64_t number(struct world *world, const char *sql, const char *format, const char *a, int64_t b)
{
    g_autoptr(GError) error = NULL;
    int64_t n = -1;
    bool found = false, ok;
    if (format && format[0] == 's')
        ok = store_get_int(world->store, &error, &n, &found, sql, format, a, b);
    else
        ok = store_get_int(world->store, &error, &n, &found, sql, format, b);
    if (!ok)
        world_find(world, FINDING_CORRUPT, "%s", error->message);
    return found ? n : -1;
}

static void sink(void *context, const char *id, const char *promise, bool ok, const char *finding)
{
    struct world *world = context;
    (void)promise;
    if (!ok) /* damage is what these two find */
        world_find(world, strcmp(id, "I10") == 0 || strcmp(id, "I11") == 0 ? FINDING_CORRUPT : FINDING_OTHER,
                   "%s: %s", id, finding);
}

static void check_rows(struct world *world)
{
    /* At most the one row that was on its way, and what the recovery itself writes. */
    static const char extra[] = "SELECT count(*) FROM journal WHERE seq > ? AND NOT (type = 'run_end' AND "
                                "payload ->> 'verdict' = 'INTERRUPTED') AND NOT (type = 'label' AND "
                                "payload ->> 'state' = 'unconfirmed')";
    if (world->acked_seq > 0 && number(world, "SELECT count(*) FROM journal WHERE hash = ? AND seq = ?", "si",
                                       world->acked_hash, world->acked_seq) != 1)
        world_find(world, FINDING_LOST, "row %d was acknowledged and is gone", (int)world->acked_seq);
    if (number(world, extra, "i", NULL, world->acked_seq) > 1)
        world_find(world, FINDING_OTHER, "rows that nobody wrote after row %d", (int)world->acked_seq);
}

static void check_runs(struct world *world)
{
    if (number(world, "SELECT count(*) FROM run LEFT JOIN run_end USING (run) WHERE verdict IS NULL", NULL,
               NULL, 0) != 0)
        world_find(world, FINDING_OTHER, "a run has no end");
    if (world->run &&
        number(world, "SELECT count(*) FROM run_end WHERE verdict IN ('INTERRUPTED', ?) AND run = ?", "si",
               event_verdict_name(world->ending), world->run) != 1)
        world_find(world, FINDING_OTHER, "run %d was not ended as interrupted", (int)world->run);
    world->run = 0;
    world->ending = VERDICT_NONE;
}

static void check_board(struct world *world, gsize i)
{
    const struct world_board *board = &world->boards[i];
    if (board->passed &&
        number(
            world,
            "SELECT count(*) FROM unit JOIN run_end e USING (run) JOIN serial USING (sn, uid) WHERE uid = ? "
            "AND e.verdict = 'PASS' AND state = 'CONSUMED' AND e.run = ?",
            "si", boards[i].uid, board->passed) != 1)
        world_find(world, FINDING_LOST, "the PASS of run %d is gone", (int)board->passed);
    if (board->failed && number(world, "SELECT count(*) FROM run_end WHERE verdict = ? AND run = ?", "si",
                                "FAIL", board->failed) != 1)
        world_find(world, FINDING_LOST, "the FAIL of run %d is gone", (int)board->failed);
    if (board->written &&
        number(world, "SELECT count(*) FROM serial WHERE uid = ? AND rank >= ?", "si", boards[i].uid, 2) != 1)
        world_find(world, FINDING_LOST, "%s, which may be on a board, is free", boards[i].sn);
    if (board->sent &&
        number(world, "SELECT count(*) FROM label_job WHERE state IN ('printed', ?) AND run = ?", "si",
               "unconfirmed", board->passed) != 1)
        world_find(world, FINDING_LOST, "the label of run %d may be sent again", (int)board->passed);
    if (board->came > 1)
        world_find(world, FINDING_OTHER, "%s has two labels", boards[i].sn);
}

void world_check(struct world *world, bool thorough)
{
    g_autoptr(GError) error = NULL;
    if (!world->store)
        return;
    if (store_audit(world->store, thorough, sink, world, &error) < 0)
        world_find(world, FINDING_CORRUPT, "%s", error->message);
    check_rows(world);
    check_runs(world);
    for (gsize i = 0; i < WORLD_BOARDS; i++)
        check_board(world, i);
    /* What is on record when the store has opened is as good as acknowledged. */
    world->acked_seq = world->store->seq;
    g_strlcpy(world->acked_hash, world->store->head, sizeof world->acked_hash);
    world->broke = false;
}

static bool is_done(const struct world *world)
{
    bool done = true;
    for (gsize i = 0; i < WORLD_BOARDS; i++)
        done &= boards[i].wish == TO_PASS ? world->boards[i].passed != 0 : world->boards[i].failed != 0;
    return done;
}

void world_finish(struct world *world, bool look_again)
{
    if (world->finding == FINDING_NONE && !world_day(world))
        world_find(world, FINDING_OTHER, "the day cannot go on after row %d", (int)world->acked_seq);
    world_close(world);
    if (world->finding == FINDING_NONE && !is_done(world))
        world_find(world, FINDING_OTHER, "a board was forgotten");
    if (look_again && world->finding == FINDING_NONE && world_open(world, true))
        world_check(world, true);
    world_close(world);
}
