#include "station/base/error.h"

GQuark pack_error_quark(void)
{
    return g_quark_from_static_string("pack-error-quark");
}

static const struct error_rule rules[ERROR_KINDS] = {
    [ERROR_USAGE] = {"usage", 2, FALSE, ERROR_VERDICT_ABORTED, "Correct the command and start again."},
    [ERROR_AUTHOR] = {"author", 3, FALSE, ERROR_VERDICT_ABORTED,
                      "Call the process engineer: a file of this station is wrong."},
    [ERROR_ABSENT] = {"absent", 4, FALSE, ERROR_VERDICT_ABORTED,
                      "Check that the board is in the slot and powered."},
    [ERROR_CABLE] = {"cable", 5, FALSE, ERROR_VERDICT_INTERRUPTED,
                     "Re-seat the board and its cable, then scan again."},
    [ERROR_SILENT] = {"silent", 5, TRUE, ERROR_VERDICT_FAIL, "Re-seat the board, then scan again."},
    [ERROR_GARBLED] = {"garbled", 5, TRUE, ERROR_VERDICT_FAIL,
                       "Check the cable and its screen, then scan again."},
    [ERROR_MISMATCH] = {"mismatch", 6, FALSE, ERROR_VERDICT_FAIL, "Set the board aside for repair."},
    [ERROR_REFUSED] = {"refused", 1, FALSE, ERROR_VERDICT_FAIL, "Set the board aside for repair."},
    [ERROR_LIMIT] = {"limit", 1, FALSE, ERROR_VERDICT_FAIL, "Set the board aside for repair."},
    [ERROR_HOLD] = {"hold", 13, FALSE, ERROR_VERDICT_INTERRUPTED,
                    "Put the unit on hold, do what the message says, then scan it again."},
    [ERROR_RULE] = {"rule", 7, FALSE, ERROR_VERDICT_FAIL,
                    "Do not continue; ask quality what to do with this unit."},
    [ERROR_TRUST] = {"trust", 7, FALSE, ERROR_VERDICT_FAIL, "Do not continue; call the process engineer."},
    [ERROR_INSTRUMENT] = {"instrument", 8, FALSE, ERROR_VERDICT_INTERRUPTED,
                          "Check the reference instrument, then scan again."},
    [ERROR_STORAGE] = {"storage", 9, FALSE, ERROR_VERDICT_INTERRUPTED,
                       "Stop the station: results cannot be recorded."},
    [ERROR_PRINTER] = {"printer", 10, FALSE, ERROR_VERDICT_INTERRUPTED,
                       "Check the printer, then print the label again."},
    [ERROR_CANCELLED] = {"cancelled", 11, FALSE, ERROR_VERDICT_ABORTED, "Scan the board to start again."},
    [ERROR_BUSY] = {"busy", 12, FALSE, ERROR_VERDICT_ABORTED, "Wait until the other run has ended."},
    [ERROR_INTERNAL] = {"internal", 70, FALSE, ERROR_VERDICT_INTERRUPTED,
                        "Report this message to the maintainers."},
};

enum error_kind error_kind(const GError *error)
{
    if (error && error->domain == PACK_ERROR && error->code >= 0 && error->code < ERROR_KINDS)
        return (enum error_kind)error->code;
    return ERROR_INTERNAL;
}

const struct error_rule *error_rule(const GError *error)
{
    return &rules[error_kind(error)];
}

gboolean error_set(GError **error, enum error_kind kind, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error_literal(error, PACK_ERROR, (int)kind, text);
    return FALSE;
}
