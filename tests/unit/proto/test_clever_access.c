/* Family clever: what is behind its password, and who looks at it. */
#include "clever_far.h"

/* Checked by the station: nothing of it goes onto the wire. Checked by the board: writes are refused before
 * it, and a wrong one is told. */
static void test_password(void)
{
    struct fixture f;
    g_autoptr(GError) error = NULL;
    struct secret *wrong = secret_from_text("AF654321");
    set_up(&f, NULL);
    struct item_value value = value_of(&f, "other.balance_mode", "3");
    g_assert_false(board_write_item(f.board, &value, NULL, &error));
    g_assert_error(error, PACK_ERROR, ERROR_RULE);
    uint64_t frames = f.board->frames;
    login(&f);
    g_assert_cmpuint(f.board->frames, ==, frames);
    write_text(&f, "other.balance_mode", "3");
    tear_down(&f);

    const char *const defects[] = {"board-password", NULL};
    open_with(&f, load(PROFILE, "auth: host", "auth: board"), defects);
    f.board->level = 1;
    value = value_of(&f, "other.balance_mode", "3");
    g_clear_error(&error);
    g_assert_false(board_write_item(f.board, &value, NULL, &error));
    g_assert_nonnull(strstr(error->message, "no permission"));
    g_clear_error(&error);
    g_assert_false(board_login(f.board, 1, wrong, &error));
    g_assert_error(error, PACK_ERROR, ERROR_REFUSED);
    login(&f);
    write_text(&f, "other.balance_mode", "3");
    secret_free(wrong);
    tear_down(&f);
}

/* A board that looks at its password takes a new one for the old one, and keeps it through a loss of supply.
 * One that does not is told nothing, whatever the station's password becomes. */
static void test_change_password(void)
{
    struct fixture f;
    g_autoptr(GError) error = NULL;
    const char *const defects[] = {"board-password", NULL};
    struct secret *old = secret_from_text("AF123456"), *fresh = secret_from_text("newpass1");
    struct secret *long_one = secret_from_text("123456789");
    bool sent;
    open_with(&f, load(PROFILE, "auth: host", "auth: board"), defects);
    g_assert_false(board_change_password(f.board, 1, fresh, old, &sent, &error));
    g_assert_error(error, PACK_ERROR, ERROR_REFUSED);
    g_clear_error(&error);
    g_assert_false(board_change_password(f.board, 1, old, long_one, &sent, &error));
    g_assert_error(error, PACK_ERROR, ERROR_AUTHOR);
    g_clear_error(&error);
    g_assert_false(board_change_password(f.board, 1, old, old, &sent, &error));
    g_assert_error(error, PACK_ERROR, ERROR_AUTHOR);
    g_clear_error(&error);
    g_assert_true(board_change_password(f.board, 1, old, fresh, &sent, &error));
    g_assert_true(sent);
    wait_ms(&f, 100);
    vboard_power(f.far.board, false, tick_now(&f.far.clock.tick));
    vboard_power(f.far.board, true, tick_now(&f.far.clock.tick));
    wait_ms(&f, 1000);
    g_assert_false(board_login(f.board, 1, old, &error));
    g_assert_error(error, PACK_ERROR, ERROR_REFUSED);
    g_clear_error(&error);
    g_assert_true(board_login(f.board, 1, fresh, &error));
    write_text(&f, "other.balance_mode", "3");
    tear_down(&f);

    set_up(&f, NULL);
    uint64_t frames = f.board->frames;
    g_assert_true(board_change_password(f.board, 1, old, fresh, &sent, &error));
    g_assert_false(sent);
    g_assert_cmpuint(f.board->frames, ==, frames);
    secret_free(old);
    secret_free(fresh);
    secret_free(long_one);
    tear_down(&f);
}

/* Control test, calibration, clock and erasing are behind the same password as writing, although the board
 * would do them for anybody; reading is not. */
static void test_locked(void)
{
    struct fixture f;
    g_autoptr(GError) error = NULL;
    struct board_telemetry t;
    set_up(&f, NULL);
    g_assert_true(board_telemetry(f.board, &t, &error));
    for (unsigned i = 0; i < 6; i++) {
        bool done = i == 0   ? board_control(f.board, CONTROL_DISCHARGE_FET, 0, &error)
                    : i == 1 ? board_control(f.board, CONTROL_SLEEP, 0, &error)
                    : i == 2 ? board_control(f.board, CONTROL_FACTORY_DEFAULTS, 0, &error)
                    : i == 3 ? board_calibrate(f.board, CALIBRATE_CURRENT_ZERO, 0, 0, &error)
                    : i == 4 ? board_clock_write(f.board, tick_wall(&f.far.clock.tick), &error)
                             : board_history_erase(f.board, &error);
        g_assert_false(done);
        g_assert_error(error, PACK_ERROR, ERROR_RULE);
        g_assert_nonnull(strstr(error->message, "login"));
        g_clear_error(&error);
    }
    g_assert_true(board_telemetry(f.board, &t, &error));
    g_assert_true(t.discharge_fet);
    login(&f);
    g_assert_true(board_control(f.board, CONTROL_DISCHARGE_FET, 0, &error));
    tear_down(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/clever/password", test_password);
    g_test_add_func("/clever/change-password", test_change_password);
    g_test_add_func("/clever/locked", test_locked);
    return g_test_run();
}
