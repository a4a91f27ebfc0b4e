/* board write: one value onto a board, and read back. */
#include "station/cli_session.h"

#include "station/base/error.h"

#include <string.h>

/* What stands on a command line stands in the shell's history and in the list of processes. */
static bool wanted(const struct cli_input *input, const struct profile_item *item, struct item_value *value,
                   GError **error)
{
    const char *text = input->arguments->len > 1 ? g_ptr_array_index(input->arguments, 1) : NULL;
    const char *path = cli_get(input, "value-file");
    if (!text == !path)
        return error_set(error, ERROR_USAGE, "%s: one value is needed, behind it or in --value-file FILE",
                         item->key);
    if (item->secret && !path)
        return error_set(error, ERROR_USAGE,
                         "%s is secret: put it into a file that only you can read, and name that with "
                         "--value-file",
                         item->key);
    if (!path)
        return profile_value_parse(item, text, value, error);
    struct secret *secret = secret_from_file(path, error);
    bool ok = secret && profile_value_parse(item, secret_reveal(secret), value, error);
    secret_free(secret);
    return ok;
}

bool session_write(const struct cli_input *input, struct session *session, GError **error)
{
    const char *key = g_ptr_array_index(input->arguments, 0);
    const struct profile_item *item = session_item(session, key, error);
    struct item_value value, found;
    if (!item)
        return false;
    if (item->access == ACCESS_ENGINEERING && !cli_has(input, "engineer"))
        return error_set(error, ERROR_RULE, "'%s' is for engineers: --engineer confirms it", item->key);
    if (!wanted(input, item, &value, error))
        return false;
    bool ok = board_write_item(session->board, &value, &found, error);
    g_autofree char *text = ok ? profile_value_format(&found) : NULL;
    if (ok)
        printf("%s %s (read back)\n", item->key, text);
    explicit_bzero(&value, sizeof value);
    return ok;
}
