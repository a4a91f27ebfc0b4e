/* One opened board, for the verbs that work on it. */
#include "station/cli_session.h"

#include "station/base/error.h"

void session_close(struct session *session)
{
    board_close(session->board);
    wire_close(session->wire);
    profile_free(session->profile);
    secret_free(session->password);
}

void session_explain(const struct session *session, GError *error)
{
    if (error_kind(error) != ERROR_SILENT || !session->profile || !session->profile->wake)
        return;
    char *more =
        g_strdup_printf("%s; a board that sleeps is silent: %s", error->message, session->profile->wake);
    g_free(error->message);
    error->message = more;
}

bool session_open(const struct cli_input *input, struct session *session, GError **error)
{
    const char *path = cli_get(input, "profile");
    uint32_t address;
    if (!cli_has(input, "link") || !path)
        return error_set(error, ERROR_USAGE, "--link and --profile are needed");
    g_autoptr(GBytes) bytes = bind_read_file(path, BIND_FILE_MAX, error);
    if (!bytes)
        return false;
    g_autoptr(bind_report_auto) report = bind_report_new(path, bytes);
    session->profile = profile_load(path, bytes, report);
    if (!session->profile)
        return !bind_report_check(report, error) ? false
                                                 : error_set(error, ERROR_AUTHOR, "%s: not a profile", path);
    const struct wire_options options = {.line = session->profile->line, .tick = tick_real()};
    if (!cli_number(input, "address", (uint32_t)session->profile->address, &address, error) ||
        !(session->wire = wire_open(cli_get(input, "link"), &options, error)) ||
        !(session->board =
              board_open(session->profile, session->wire, address, cli_has(input, "allow-reference"), error)))
        return false;
    if (!cli_has(input, "password-file"))
        return true;
    session->password = secret_from_file(cli_get(input, "password-file"), error);
    return session->password && board_login(session->board, 1, session->password, error);
}

const struct profile_item *session_item(const struct session *session, const char *key, GError **error)
{
    const struct profile_item *item = profile_item_find(session->profile, key);
    const char *near = item ? NULL : profile_item_suggest(session->profile, key);
    if (!item)
        error_set(error, ERROR_USAGE, "no item '%s' in this profile%s%s%s", key,
                  near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
    return item;
}

int session_run(const struct cli_input *input, session_deed *deed)
{
    GError *error = NULL;
    struct session session = {0};
    bool ok = session_open(input, &session, &error) && deed(input, &session, &error);
    session_explain(&session, error);
    session_close(&session);
    return ok ? 0 : cli_fail(input, error);
}
