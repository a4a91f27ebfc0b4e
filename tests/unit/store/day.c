#include "tests/unit/store/day.h"

#include <stdlib.h>

void day_set_up(struct day *f)
{
    GError *error = NULL;
    tick_virtual_init(&f->clock, 1795000000000000);
    f->folder = g_dir_make_tmp("store-XXXXXX", NULL);
    f->store = store_open(f->folder, "test", &f->clock.tick, &error);
    g_assert_no_error(error);
}

void day_tear_down(struct day *f)
{
    g_autofree char *command = g_strdup_printf("rm -rf '%s'", f->folder);
    store_close(f->store);
    g_assert_cmpint(system(command), ==, 0);
    g_free(f->folder);
}

void day_reopen(struct day *f)
{
    GError *error = NULL;
    store_close(f->store);
    f->store = store_open(f->folder, "test", &f->clock.tick, &error);
    g_assert_no_error(error);
}

struct event day_event(struct day *f, enum event_type type, int step)
{
    f->clock.now += 1000;
    return (struct event){.type = type,
                          .run = f->run,
                          .step = step,
                          .attempt = 1,
                          .verb = "flash",
                          .title = "t",
                          .now_us = f->clock.now,
                          .wall_us = tick_wall(&f->clock.tick)};
}

bool day_post(struct day *f, struct event event, GError **error)
{
    return event.type == EVENT_INTENT ? store_gate(f->store, &event, error)
                                      : store_post(f->store, &event, error);
}

void day_must(struct day *f, struct event event)
{
    GError *error = NULL;
    day_post(f, event, &error);
    g_assert_no_error(error);
}

void day_begin(struct day *f, const char *sn, bool production)
{
    GError *error = NULL;
    struct event event = day_event(f, EVENT_RUN_BEGIN, -1);
    event.begin = (struct event_run){.sn = sn,
                                     .scan = sn,
                                     .station = "s",
                                     .slot = "A",
                                     .model = "M",
                                     .production = production,
                                     .steps = 1,
                                     .package_sha256 = "ab",
                                     .package_version = "1.0.4",
                                     .package_signer = "k",
                                     .layout_sha256 = "ef",
                                     .release_sha256 = production ? "cd" : ""};
    g_assert_true(store_run_begin(f->store, &event, &f->run, &error));
    g_assert_no_error(error);
}

void day_fact(struct day *f, enum event_type type, const char *key)
{
    struct event event = day_event(f, type, 0);
    event.key = key;
    day_must(f, event);
}

void day_value(struct day *f, const char *stage, bool ok)
{
    struct event event = day_event(f, EVENT_VALUE, 0);
    event.key = "protect.cell_ov_start";
    event.written = event.found = "3.65 V";
    event.stage = stage;
    event.ok = ok;
    day_must(f, event);
}

bool day_end(struct day *f, enum event_verdict verdict, GError **error)
{
    struct event event = day_event(f, EVENT_RUN_END, -1);
    event.verdict = verdict;
    return day_post(f, event, error);
}

void day_unit(struct day *f, const char *sn, const char *uid, enum lack lack, bool production)
{
    GError *error = NULL;
    day_begin(f, sn, production);
    day_must(f, day_event(f, EVENT_STEP_BEGIN, 0));
    struct event identity = day_event(f, EVENT_IDENTITY, 0);
    identity.unique_id = uid;
    identity.product = "PRODUCT";
    if (lack != IDENTITY)
        day_must(f, identity);
    g_assert_true(store_claim(f->store, f->run, CLAIM_UNIT, uid, NULL, &error));
    if (lack != IDENTITY)
        g_assert_true(store_claim(f->store, f->run, CLAIM_SERIAL, uid, sn, &error));
    if (lack != VERIFY) {
        day_fact(f, EVENT_INTENT, "erase");
        day_fact(f, EVENT_RESULT, "verify");
    }
    if (lack != IDENTITY) {
        g_assert_true(store_claim(f->store, f->run, CLAIM_SERIAL_INTENT, uid, sn, &error));
        day_fact(f, EVENT_INTENT, "identity");
        day_value(f, "write", true);
        if (lack != ON_BOARD)
            g_assert_true(store_claim(f->store, f->run, CLAIM_SERIAL_ON_BOARD, uid, sn, &error));
        if (lack != RESULT)
            day_fact(f, EVENT_RESULT, "identity");
        if (lack != SECOND_READ)
            day_value(f, "after-restart", true);
    }
    struct event step_end = day_event(f, EVENT_STEP_END, 0);
    step_end.ok = lack != STEP;
    day_must(f, step_end);
    g_assert_no_error(error);
}

void day_pass(struct day *f, const char *sn, const char *uid)
{
    GError *error = NULL;
    day_unit(f, sn, uid, NOTHING, true);
    g_assert_true(day_end(f, VERDICT_PASS, &error));
    g_assert_no_error(error);
}

static void no_finding(void *context, const char *id, const char *promise, bool ok, const char *finding)
{
    (void)context;
    if (!ok)
        g_error("%s %s: %s", id, promise, finding);
}

void day_audit(struct day *f)
{
    GError *error = NULL;
    g_assert_cmpint(store_audit(f->store, true, no_finding, NULL, &error), ==, 0);
    g_assert_no_error(error);
}
