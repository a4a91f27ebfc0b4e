/* One opened board, for the verbs that work on it. */
#pragma once

#include "proto/board.h"
#include "station/cli.h"

struct session {
    struct profile *profile;
    struct wire *wire;
    struct board *board;
    struct secret *password;
};

bool session_open(const struct cli_input *input, struct session *session, GError **error);
void session_close(struct session *session);
/* Silence may be sleep: says how a board of this profile is woken. error may be NULL. */
void session_explain(const struct session *session, GError *error);
/* Opens a board, does it, and closes it; the verb's exit code. */
typedef bool session_deed(const struct cli_input *input, struct session *session, GError **error);
int session_run(const struct cli_input *input, session_deed *deed);
/* board clock --auto, in cli_connect.c. */
bool session_clock_auto(const struct cli_input *input, struct session *session, GError **error);

/* Of the session's profile; USAGE with a suggestion when there is none. */
const struct profile_item *session_item(const struct session *session, const char *key, GError **error);

#define BOARD_OPTIONS                                                                                        \
    {"link", 'l', "URL", false,                                                                              \
     "wire to the board: serial:PATH, tcp:HOST:PORT, unix:PATH, can:IFACE, slcan:PORT, can-socket:PATH"},    \
        {"profile", 'p', "FILE", false, "the board's profile"},                                              \
        {"address", 0, "N", false, "bus address; default is the profile's"},                                 \
        {"password-file", 0, "FILE", false, "file (mode 0600) with the administrator password"},             \
    {                                                                                                        \
        "allow-reference", 0, NULL, false, "let a profile with reference entries onto a physical wire"       \
    }
