/* A station file: where the store and the trusted keys are, which secrets exist, the slots with their links
 * and benches, and the printers. Paths are relative to the station file. */
#pragma once

#include "firmware/trust.h"
#include "station/base/bind.h"
#include "station/base/secret.h"

struct config_bench {
    int kind; /* 0 scpi, 1 entered */
    char *link;
    char *identity;
    int64_t due; /* µs UTC */
};

struct config_slot {
    char *slot;
    char *link;
    int64_t address;
    bool allow_reference;
    GPtrArray *benches; /* struct config_bench*: none or one */
};

struct config_printer {
    char *printer;
    char *link; /* file:FOLDER or tcp:HOST:PORT */
    int64_t dpi;
};

struct config {
    char *schema; /* packline/station/1 */
    char *station;
    char *store, *trust;
    GPtrArray *secrets; /* struct bind_pair*: name → file */
    GPtrArray *slots;   /* struct config_slot* */
    GPtrArray *printers;
    bool confirm_labels; /* each is scanned back from its board */

    char *folder; /* of the station file */
    char *path;
};

extern const struct bind_schema config_schema;

/* NULL with findings in the report. Checks links, unique slot names, that a scpi bench has a link. */
struct config *config_load(const char *path, GBytes *bytes, struct bind_report *report);
/* Reads the file too; AUTHOR with all findings. */
struct config *config_open(const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void config_free(struct config *config);
/* NULL and a USAGE error naming the slots there are. */
const struct config_slot *config_slot_find(const struct config *config, const char *slot, GError **error);
/* Absolute, or relative to the station file; newly allocated. */
char *config_path(const struct config *config, const char *path);
/* Opens a slot's or printer's link with its path resolved like config_path. */
char *config_link(const struct config *config, const char *link);
/* Loads one secret by name; NULL with AUTHOR when there is none. */
struct secret *config_secret(const struct config *config, const char *name, GError **error);
bool config_has_secret(const struct config *config, const char *name);

typedef struct config config_auto;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(config_auto, config_free)
