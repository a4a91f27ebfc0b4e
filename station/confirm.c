#include "station/confirm.h"

#include "proto/board.h"
#include "station/base/error.h"
#include "station/base/words.h"

#include <string.h>

#define TRIES    3
#define ALIVE_US 10000000 /* a board that was taken out for its label starts again */

/* The unit that is meant: its run, and its profile's hash. */
static bool find_unit(struct store *store, const char *slot, const char *scan, int64_t *run, char profile[65],
                      GError **error)
{
    g_autofree char *waiting = NULL;
    if (!store_label_waiting(store, slot, run, &waiting, error))
        return false;
    const struct store_filter filter = {.sn = waiting ? waiting : scan, .verdict = "PASS", .limit = 1};
    json_t *rows = store_records_list(store, &filter, error), *row = json_array_get(rows, 0);
    g_autofree char *shown = words_shown(scan);
    bool ok =
        rows && (row || error_set(error, ERROR_ABSENT,
                                  "no unit %s passed here, and no label waits for slot %s", shown, slot));
    if (ok) {
        const char *hash = json_string_value(json_object_get(row, "profile_sha256"));
        *run = json_integer_value(json_object_get(row, "run"));
        g_strlcpy(profile, hash ? hash : "", 65);
    }
    json_decref(rows);
    return ok;
}

/* What the board in the slot says about itself, now. */
static bool read_board(struct board *board, char unique_id[BOARD_UNIQUE_ID_TEXT], struct item_value *sn,
                       GError **error)
{
    struct board_identity identity;
    const struct profile_item *item = profile_item_find(board->profile, board->profile->serial_item);
    if (!item)
        return error_set(error, ERROR_RULE, "profile '%s' names no item that holds the serial number",
                         board->profile->profile);
    if (!board_wait_alive(board, tick_now(board->wire->tick) + ALIVE_US, &identity, error))
        return false;
    board_unique_id_text(identity.unique_id, unique_id);
    return (identity.has_unique_id ||
            error_set(error, ERROR_RULE,
                      "the board shows no unique id, so nothing tells whether it is the one that passed")) &&
           board_read_item(board, item, sn, error);
}

static bool ask_board(const struct config *config, const struct config_slot *slot,
                      const struct unit_request *request, const struct profile *profile,
                      char unique_id[BOARD_UNIQUE_ID_TEXT], struct item_value *sn, GError **error)
{
    const struct wire_options options = {profile->line, request->tick, request->cancel};
    const struct unit_world *world = request->world;
    g_autofree char *link = config_link(config, slot->link);
    struct wire *wire =
        world ? world->connect(world->context, &options, error) : wire_open(link, &options, error);
    struct board *board =
        wire ? board_open(profile, wire, (unsigned)slot->address, slot->allow_reference, error) : NULL;
    bool ok = board && read_board(board, unique_id, sn, error);
    board_close(board);
    wire_close(wire);
    return ok;
}

static struct profile *load_profile(struct store *store, const char *sha256, GError **error)
{
    g_autoptr(GBytes) bytes = store_kept_file(store, sha256, error);
    if (!bytes)
        return NULL;
    g_autoptr(bind_report_auto) report = bind_report_new("profile", bytes);
    struct profile *profile = profile_load("profile", bytes, report);
    if (!profile)
        error_set(error, ERROR_INTERNAL, "profile %.12s does not load any more", sha256);
    return profile;
}

bool confirm_label(const struct config *config, struct store *store, const struct unit_request *request,
                   GError **error)
{
    int64_t run;
    char hash[65], unique_id[BOARD_UNIQUE_ID_TEXT];
    struct item_value sn;
    const struct config_slot *slot = config_slot_find(config, request->slot, error);
    if (!slot || !find_unit(store, slot->slot, request->scan, &run, hash, error))
        return false;
    struct profile *profile = load_profile(store, hash, error);
    bool ok = profile && ask_board(config, slot, request, profile, unique_id, &sn, error);
    if (ok) {
        const struct store_label_scan scan = {request->scan, unique_id, sn.absent ? "" : sn.text};
        ok = store_label_confirm(store, run, &scan, error);
    }
    profile_free(profile);
    return ok;
}

bool confirm_at_desk(const struct config *config, struct store *store, const struct unit_request *request,
                     struct screen *screen, GError **error)
{
    const struct desk_ask ask = {.question = ASK_TEXT, .text = "Stick the label onto its board and scan it."};
    for (int tries = 1;; tries++) {
        struct desk_answer answer = {0};
        struct unit_request scanned = *request;
        g_autoptr(GError) wrong = NULL;
        scanned.scan = answer.text;
        if (!screen_ask(screen, &ask, false, &answer, error))
            return false;
        if (confirm_label(config, store, &scanned, &wrong))
            return true;
        if (tries == TRIES || error_kind(wrong) == ERROR_STORAGE) {
            g_propagate_error(error, g_steal_pointer(&wrong));
            return false;
        }
        screen_line(screen, "  %s: %s", error_kind(wrong) == ERROR_RULE ? "WRONG LABEL" : "LABEL NOT CHECKED",
                    wrong->message);
    }
}
