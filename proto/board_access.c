/* Passwords of a board, and what the station keeps where the board itself asks for none. */
#include "proto/board.h"

#include "station/base/error.h"

#include <string.h>

static bool unsupported(const struct board *board, const char *what, GError **error)
{
    return error_set(error, ERROR_REFUSED, "%s is not supported by profile '%s'", what,
                     board->profile->profile);
}

bool board_login(struct board *board, int level, const struct secret *password, GError **error)
{
    if (board->profile->auth == AUTH_NONE || (board->profile->auth == AUTH_BOARD && !board->dialect->login))
        return unsupported(board, "login", error);
    if (board->profile->auth == AUTH_HOST && secret_reveal(password)[0] == '\0')
        return error_set(error, ERROR_AUTHOR, "the password is empty");
    if (board->profile->auth == AUTH_BOARD && !board->dialect->login(board, level, password, error))
        return false;
    board->level = level;
    return true;
}

bool board_change_password(struct board *board, int level, const struct secret *old,
                           const struct secret *wanted, bool *sent, GError **error)
{
    *sent = board->profile->auth == AUTH_BOARD;
    if (secret_reveal(wanted)[0] == '\0' || strcmp(secret_reveal(old), secret_reveal(wanted)) == 0)
        return error_set(error, ERROR_AUTHOR, "the new password is empty, or the old one");
    if (board->profile->auth == AUTH_HOST)
        return true;
    if (board->profile->auth == AUTH_NONE || !board->dialect->change_password)
        return unsupported(board, "changing a password", error);
    return board->dialect->change_password(board, level, old, wanted, error) &&
           board_login(board, level, wanted, error);
}

/* Where the station alone looks at the password, it also keeps what the board would let anybody do. */
bool board_may_act(const struct board *board, GError **error)
{
    return board->profile->auth != AUTH_HOST || board->level > 0 ||
           error_set(error, ERROR_RULE,
                     "this needs a login first: `login` in a recipe, --password-file at the bench");
}
