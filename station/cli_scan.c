/* scan-bus: who is on a line. */
#include "station/cli_session.h"

#include "proto/scan_bus.h"
#include "station/base/error.h"

#include <unistd.h>

extern const struct cli_verb cli_scan_verbs[];

static bool address_option(const struct cli_input *input, const char *name, int64_t preset, unsigned *value,
                           GError **error)
{
    guint64 number = (guint64)preset;
    const char *text = cli_get(input, name);
    if (text && !g_ascii_string_to_unsigned(text, 10, 0, 255, &number, NULL))
        return error_set(error, ERROR_USAGE, "--%s: '%s' is no address from 0 to 255", name, text);
    *value = (unsigned)number;
    return true;
}

static void show_board(const struct cli_input *input, const struct bus_board *board)
{
    char id[BOARD_UNIQUE_ID_TEXT] = "";
    if (board->identity.has_unique_id)
        board_unique_id_text(board->identity.unique_id, id);
    if (input->json)
        cli_print_json(json_pack("{s:i,s:s,s:{s:i,s:s,s:s,s:s,s:s,s:s}}", "v", 1, "type", "info", "data",
                                 "address", (int)board->address, "product", board->identity.product,
                                 "firmware", board->identity.firmware, "serial", board->serial, "barcode",
                                 board->barcode, "unique_id", id));
    else
        printf("%3u  %-16s  %-10s  %-24s  %-20s  %s\n", board->address, board->identity.product,
               board->identity.firmware, board->serial[0] ? board->serial : "(no number)", board->barcode,
               id);
}

/* A silent address takes a second: a person at a terminal sees where it is. */
static void show_progress(void *context, unsigned address)
{
    (void)context;
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\raddress %u ", address);
}

static bool scan(const struct cli_input *input, struct session *session, GError **error)
{
    unsigned first, last;
    if (!address_option(input, "first", session->profile->address_first, &first, error) ||
        !address_option(input, "last", session->profile->address_last, &last, error))
        return false;
    /* A board without an address would answer at each. */
    if (session->profile->address_first == session->profile->address_last &&
        (first != last || first != (unsigned)session->profile->address_last))
        return error_set(error, ERROR_USAGE,
                         "boards of profile '%s' have no address of their own: each is alone on its line",
                         session->profile->profile);
    g_autoptr(GArray) boards = bus_scan(session->profile, session->wire, first, last,
                                        cli_has(input, "allow-reference"), show_progress, NULL, error);
    if (isatty(STDERR_FILENO))
        fputs("\r            \r", stderr);
    for (guint i = 0; boards && i < boards->len; i++)
        show_board(input, &g_array_index(boards, struct bus_board, i));
    if (boards && boards->len == 0)
        return error_set(error, ERROR_ABSENT, "no board answers at addresses %u to %u%s%s", first, last,
                         session->profile->wake ? "; one that sleeps is silent: " : "",
                         session->profile->wake ? session->profile->wake : "");
    return boards != NULL;
}

static int scan_verb(const struct cli_input *input)
{
    return session_run(input, scan);
}

static const struct cli_option scan_options[] = {
    BOARD_OPTIONS,
    {"first", 0, "N", false, "first address; default is the profile's"},
    {"last", 0, "N", false, "last address; default is the profile's"},
    {NULL}};

const struct cli_verb cli_scan_verbs[] = {
    {.name = "scan-bus",
     .arguments = "",
     .summary = "find the boards on a shared line",
     .text =
         "Asks each address of the family once, with the profile's time-out and repetitions. Two boards that "
         "report the same serial number, barcode or unique id are refused: exit code 7.",
     .options = scan_options,
     .run = scan_verb},
    {NULL},
};
