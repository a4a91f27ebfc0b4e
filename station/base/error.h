/* What can go wrong, and what follows from it.
 *
 * One GError domain; the code is a kind. The kind alone decides verdict, retry and exit code, by the one
 * table in error.c, so that a loose cable never counts as a bad board. Messages say what happened, where,
 * what was expected and what to do next; each layer prefixes its own context once. */
#pragma once

#include <glib.h>

enum error_kind {
    ERROR_USAGE,    /* the command line is wrong */
    ERROR_AUTHOR,   /* a recipe, profile, layout, package or configuration file is wrong: nothing starts */
    ERROR_ABSENT,   /* no such port, adapter or board */
    ERROR_CABLE,    /* the link broke: unplugged, permission lost, bus error */
    ERROR_SILENT,   /* no answer before the deadline */
    ERROR_GARBLED,  /* an answer that cannot be understood */
    ERROR_MISMATCH, /* read back something else than was written */
    ERROR_REFUSED,  /* the board said no; the reason is in the message */
    ERROR_LIMIT,    /* a measured value outside its limits: true yield loss */
    ERROR_HOLD,  /* neither good nor bad yet: something must be done to the unit before it is tested again */
    ERROR_RULE,  /* packline refuses by rule or permission */
    ERROR_TRUST, /* hash, signature, rollback, wrong product */
    ERROR_INSTRUMENT, /* a reference or fixture failed or is not valid */
    ERROR_STORAGE,    /* the journal cannot be written or read */
    ERROR_PRINTER,
    ERROR_CANCELLED, /* a person stopped it */
    ERROR_BUSY,      /* somebody else holds the store, slot or port */
    ERROR_INTERNAL,  /* packline itself is wrong */
    ERROR_KINDS
};

/* How a run ends when a step ends with an error of this kind. */
enum error_verdict { ERROR_VERDICT_FAIL, ERROR_VERDICT_INTERRUPTED, ERROR_VERDICT_ABORTED };

struct error_rule {
    const char *name;           /* stable word in records and JSON: "silent" */
    int exit_code;              /* process exit code, docs/exit-codes.md */
    gboolean retry;             /* a repeatable step may be tried again */
    enum error_verdict verdict; /* what the run becomes */
    const char *advice;         /* one sentence for the operator: what to do next */
};

#define PACK_ERROR (pack_error_quark())
GQuark pack_error_quark(void);

/* The rule of a kind; also answers errors of foreign domains, with ERROR_INTERNAL's rule. Never NULL. */
const struct error_rule *error_rule(const GError *error);
enum error_kind error_kind(const GError *error);

/* Sets *error like g_set_error with this project's domain; always returns false so callers can return it. */
gboolean error_set(GError **error, enum error_kind kind, const char *format, ...) G_GNUC_PRINTF(3, 4);
