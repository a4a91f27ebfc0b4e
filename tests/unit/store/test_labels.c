/* Label jobs: never two, and confirmed only on their own board. */
#include "tests/unit/store/day.h"

#include "station/base/error.h"

static bool scan_back(struct day *f, const char *scan, const char *uid, const char *sn)
{
    g_autoptr(GError) error = NULL;
    const struct store_label_scan found = {.scan = scan, .unique_id = uid, .sn = sn};
    bool ok = store_label_confirm(f->store, f->run, &found, &error);
    g_assert_true(ok || g_error_matches(error, PACK_ERROR, ERROR_RULE));
    return ok;
}

static bool waits(struct day *f, const char *slot)
{
    g_autofree char *sn = NULL;
    int64_t run;
    g_assert_true(store_label_waiting(f->store, slot, &run, &sn, NULL));
    return sn != NULL;
}

static void test_label_confirmed(void)
{
    struct day f;
    int64_t job;
    day_set_up(&f);
    day_pass(&f, "SN1", UID_A);
    g_assert_true(waits(&f, "A")); /* its label was not even queued */
    g_assert_false(waits(&f, "B"));
    g_assert_false(scan_back(&f, "SN1", UID_A, "SN1"));
    g_assert_true(store_label_queue(f.store, f.run, "{\"sn\":\"SN1\",\"confirm\":true}", &job, NULL));
    g_assert_true(store_label_set(f.store, job, LABEL_SENDING, NULL, NULL));
    g_assert_false(scan_back(&f, "SN1", UID_A, "SN1")); /* nothing came out yet */
    g_assert_true(store_label_set(f.store, job, LABEL_PRINTED, NULL, NULL));
    g_assert_false(scan_back(&f, "SN2", UID_A, "SN1")); /* another label */
    g_assert_false(scan_back(&f, "SN1", UID_B, "SN1")); /* another board */
    g_assert_false(scan_back(&f, "SN1", UID_A, "SN2")); /* another number on the board */
    g_assert_true(waits(&f, "A"));
    g_assert_true(scan_back(&f, "SN1", UID_A, "SN1"));
    g_assert_false(waits(&f, "A"));
    g_assert_false(store_label_waive(f.store, f.run, "late", NULL));
    day_audit(&f);
    day_tear_down(&f);
}

/* A board that cannot say which one it is: the code that it carries must be the one its run began with. */
static void test_label_mark(void)
{
    static const struct {
        const char *scan, *mark, *product;
        bool fits;
    } rows[] = {{"SN1", "SN2", "PRODUCT", false},
                {"SN1", "SN1", "ANOTHER", false},
                {"SN2", "SN1", "PRODUCT", false},
                {"SN1", "", "PRODUCT", false},
                {"SN1", "SN1", "PRODUCT", true}};
    struct day f;
    int64_t job;
    day_set_up(&f);
    day_pass(&f, "SN1", UID_A);
    g_assert_true(store_label_queue(f.store, f.run, "{\"sn\":\"SN1\",\"confirm\":true}", &job, NULL));
    g_assert_true(store_label_set(f.store, job, LABEL_SENDING, NULL, NULL));
    g_assert_true(store_label_set(f.store, job, LABEL_PRINTED, NULL, NULL));
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        const struct store_label_scan scan = {rows[i].scan, "", "", rows[i].mark, rows[i].product};
        g_assert_cmpint(store_label_confirm(f.store, f.run, &scan, &error), ==, rows[i].fits);
        g_assert_true(rows[i].fits || g_error_matches(error, PACK_ERROR, ERROR_RULE));
        g_assert_cmpint(waits(&f, "A"), ==, !rows[i].fits);
        day_audit(&f);
    }
    day_tear_down(&f);
}

static void test_label_waived(void)
{
    struct day f;
    int64_t job;
    day_set_up(&f);
    day_pass(&f, "SN1", UID_A);
    g_assert_true(store_label_queue(f.store, f.run, "{\"sn\":\"SN1\",\"confirm\":true}", &job, NULL));
    g_assert_true(waits(&f, "A"));
    g_assert_true(store_label_waive(f.store, f.run, "the roll was wet", NULL));
    g_assert_false(waits(&f, "A"));
    g_assert_false(scan_back(&f, "SN1", UID_A, "SN1"));
    day_pass(&f, "SN2", UID_B); /* a station that does not scan back */
    g_assert_true(store_label_queue(f.store, f.run, "{\"sn\":\"SN2\"}", &job, NULL));
    g_assert_false(waits(&f, "A"));
    day_audit(&f);
    day_tear_down(&f);
}

static void test_label(void)
{
    struct day f;
    g_autoptr(GError) error = NULL;
    int64_t job, again;
    day_set_up(&f);
    day_pass(&f, "SN1", UID_A);
    g_assert_true(store_label_queue(f.store, f.run, "{\"sn\":\"SN1\"}", &job, &error));
    g_assert_true(store_label_set(f.store, job, LABEL_SENDING, NULL, &error));
    g_assert_true(store_label_set(f.store, job, LABEL_FAILED, "away", &error));
    g_assert_true(store_label_queue(f.store, f.run, "{\"sn\":\"SN1\"}", &again, &error));
    g_assert_cmpint(job, ==, again);
    g_assert_true(store_label_set(f.store, job, LABEL_SENDING, NULL, &error));
    day_reopen(&f); /* died while sending: nobody knows, so never again */
    g_assert_false(store_label_queue(f.store, f.run, "{\"sn\":\"SN1\"}", &again, &error));
    g_assert_error(error, PACK_ERROR, ERROR_RULE);
    day_audit(&f);
    day_tear_down(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/label", test_label);
    g_test_add_func("/store/label/confirmed", test_label_confirmed);
    g_test_add_func("/store/label/mark", test_label_mark);
    g_test_add_func("/store/label/waived", test_label_waived);
    return g_test_run();
}
