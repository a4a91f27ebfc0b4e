/* A board that has nothing of its own but the serial number the station writes: which one is in the slot? */
#include "../proto/far.h"

#include "station/base/error.h"
#include "station/step.h"

struct rig {
    struct far far;
    struct profile *profile;
    struct item_value serial;
    struct plan plan;
    struct plan_step step;
    struct step_context context;
};

static void set_up(struct rig *rig, const char *const *defects, bool writes)
{
    g_autofree char *text = NULL;
    gsize n;
    GError *error = NULL;
    memset(rig, 0, sizeof *rig);
    g_assert_true(g_file_get_contents(SOURCE_DIR "/recipes/boards/jbd-sp04s020.yaml", &text, &n, NULL));
    g_autoptr(GBytes) bytes = g_bytes_new(text, n);
    g_autoptr(bind_report_auto) report = bind_report_new("p", bytes);
    rig->profile = profile_load("p", bytes, report);
    g_assert_nonnull(rig->profile);
    far_open_family(&rig->far, "jbd", "9600-8N1", false, defects);
    tick_sleep_until(&rig->far.clock.tick, tick_deadline_ms(&rig->far.clock.tick, 500));
    g_assert_true(profile_value_parse(profile_item_find(rig->profile, "identity.barcode"), "JBD00000001",
                                      &rig->serial, &error));
    rig->step = (struct plan_step){.verb = "write_identity", .values = &rig->serial, .value_count = writes};
    rig->plan.profile = rig->profile;
    rig->plan.sn = (char *)"JBD00000001";
    rig->plan.steps = &rig->step;
    rig->plan.step_count = 1;
    rig->context.plan = &rig->plan;
    rig->context.written = g_hash_table_new(g_str_hash, g_str_equal);
    rig->context.board = board_open(rig->profile, rig->far.wire, 1, false, &error);
    g_assert_no_error(error);
}

static void tear_down(struct rig *rig)
{
    g_hash_table_unref(rig->context.written);
    board_close(rig->context.board);
    far_close(&rig->far);
    profile_free(rig->profile);
}

/* Binds as the step identify does, then as every step that writes. */
static bool bind_first(struct rig *rig, GError **error)
{
    return board_identify(rig->context.board, &rig->context.identity, error) &&
           step_bind_board(&rig->context, &rig->context.identity, error);
}

static void refused(bool ok, GError *error, const char *says)
{
    g_assert_false(ok);
    g_assert_error(error, PACK_ERROR, ERROR_RULE);
    if (!strstr(error->message, says))
        g_error("'%s' is not in '%s'", says, error->message);
}

static void test_blank(void)
{
    struct rig rig;
    GError *error = NULL;
    set_up(&rig, NULL, true);
    g_assert_true(bind_first(&rig, &error));
    g_assert_true(rig.context.blank);
    g_assert_cmpstr(rig.context.unique_id, ==, "sn-JBD00000001");
    g_assert_true(step_same_board(&rig.context, &error));
    g_assert_true(board_write_item(rig.context.board, &rig.serial, NULL, &error));
    g_hash_table_add(rig.context.written, (gpointer)rig.serial.item->key);
    g_assert_true(step_same_board(&rig.context, &error));
    tear_down(&rig);
}

/* From the writing on, a blank board in the slot is another one. */
static void test_swapped_for_a_blank_one(void)
{
    struct rig rig;
    GError *error = NULL;
    g_autoptr(GError) swapped = NULL;
    set_up(&rig, NULL, true);
    g_assert_true(bind_first(&rig, &error));
    g_hash_table_add(rig.context.written, (gpointer)rig.serial.item->key);
    bool same = step_same_board(&rig.context, &swapped);
    refused(same, swapped, "was swapped: this run wrote serial number 'JBD00000001'");
    tear_down(&rig);
}

static void test_swapped_for_somebodys(void)
{
    struct rig rig;
    GError *error = NULL;
    g_autoptr(GError) swapped = NULL;
    set_up(&rig, NULL, true);
    g_assert_true(bind_first(&rig, &error));
    g_strlcpy(rig.serial.text, "JBD00000009", sizeof rig.serial.text);
    g_assert_true(board_write_item(rig.context.board, &rig.serial, NULL, &error));
    bool same = step_same_board(&rig.context, &swapped);
    refused(same, swapped, "was swapped: the board already carries serial number 'JBD00000009'");
    tear_down(&rig);
}

static void test_swapped_for_another_model(void)
{
    struct rig rig;
    GError *error = NULL;
    g_autoptr(GError) swapped = NULL;
    set_up(&rig, NULL, true);
    g_assert_true(bind_first(&rig, &error));
    g_strlcpy(rig.context.identity.product, "JBD-SP15S020-L15S-60A-B-U", sizeof rig.context.identity.product);
    bool same = step_same_board(&rig.context, &swapped);
    refused(same, swapped, "was swapped: this run began on a 'JBD-SP15S020");
    tear_down(&rig);
}

static void test_foreign(void)
{
    static const char *const defects[] = {"foreign-sn", NULL};
    struct rig rig;
    g_autoptr(GError) error = NULL;
    set_up(&rig, defects, true);
    bool ok = bind_first(&rig, &error);
    refused(ok, error, "already carries serial number 'OTHER-SN-1'");
    tear_down(&rig);
}

static void test_same_again(void)
{
    static const char *const defects[] = {"same-sn:1", NULL};
    struct rig rig;
    GError *error = NULL;
    set_up(&rig, defects, false);
    g_assert_true(bind_first(&rig, &error));
    g_assert_false(rig.context.blank);
    tear_down(&rig);
}

/* A plan that writes no number is for boards that have one. */
static void test_blank_but_not_written(void)
{
    struct rig rig;
    g_autoptr(GError) error = NULL;
    set_up(&rig, NULL, false);
    bool ok = bind_first(&rig, &error);
    refused(ok, error, "carries no serial number, the scan says 'JBD00000001'");
    tear_down(&rig);
}

/* Without the profile's word a board without a unique id is refused. */
static void test_not_described(void)
{
    struct rig rig;
    g_autoptr(GError) error = NULL;
    set_up(&rig, NULL, true);
    rig.profile->unit = UNIT_UNIQUE_ID;
    bool ok = bind_first(&rig, &error);
    refused(ok, error, "shows no unique id");
    tear_down(&rig);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/bind_serial/blank", test_blank);
    g_test_add_func("/bind_serial/swapped/blank", test_swapped_for_a_blank_one);
    g_test_add_func("/bind_serial/swapped/somebodys", test_swapped_for_somebodys);
    g_test_add_func("/bind_serial/swapped/model", test_swapped_for_another_model);
    g_test_add_func("/bind_serial/foreign", test_foreign);
    g_test_add_func("/bind_serial/same_again", test_same_again);
    g_test_add_func("/bind_serial/blank_not_written", test_blank_but_not_written);
    g_test_add_func("/bind_serial/not_described", test_not_described);
    return g_test_run();
}
