#include "station/confirm.h"

#include "proto/board.h"
#include "station/base/error.h"
#include "station/base/words.h"
#include "station/press.h"
#include "station/bench.h"

#include <string.h>

#define TRIES    3
#define ALIVE_US 10000000  /* a board that was taken out for its label starts again */
#define WAKE_US  120000000 /* a person wakes one that sleeps */

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

/* A board that was put to sleep as the last step is woken by the operator. */
static bool wait_awake(struct board *board, struct screen *screen, bool *woken,
                       struct board_identity *identity, GError **error)
{
    struct tick *tick = board->wire->tick;
    struct desk_answer answer = {0};
    g_autoptr(GError) silence = NULL;
    if (board_wait_alive(board, tick_now(tick) + ALIVE_US, identity, &silence))
        return true;
    if (error_kind(silence) != ERROR_SILENT || !board->profile->wake) {
        g_propagate_error(error, g_steal_pointer(&silence));
        return false;
    }
    g_autofree char *text = g_strdup_printf("board silent: %s", board->profile->wake);
    const struct desk_ask ask = {.question = ASK_CONFIRM, .text = text};
    if (!screen_ask(screen, &ask, false, &answer, error))
        return false;
    *woken = answer.yes ? board_wait_alive(board, tick_now(tick) + WAKE_US, identity, error)
                        : error_set(error, ERROR_CANCELLED, "the operator did not wake the board");
    return *woken;
}

/* What the board in the slot says about itself, now. */
static bool read_board(struct board *board, struct screen *screen, bool *woken, char unit[BOARD_UNIT_TEXT],
                       struct item_value *sn, GError **error)
{
    struct board_identity identity;
    const struct profile_item *item = profile_item_find(board->profile, board->profile->serial_item);
    if (!item)
        return error_set(error, ERROR_RULE, "profile '%s' names no item that holds the serial number",
                         board->profile->profile);
    if (!wait_awake(board, screen, woken, &identity, error))
        return false;
    board_unique_id_text(identity.unique_id, unit);
    bool by_serial = board->profile->unit == UNIT_SERIAL_NUMBER && !identity.has_unique_id;
    if (!identity.has_unique_id && !by_serial)
        return error_set(error, ERROR_RULE,
                         "the board shows no unique id, so nothing tells whether it is the one that passed");
    if (!board_read_item(board, item, sn, error))
        return false;
    if (by_serial)
        board_serial_text(sn->absent ? "" : sn->text, unit);
    return true;
}

/* The slot's bench, when it works by itself; NULL is fine. */
static struct bench *open_bench(const struct config *config, const struct config_slot *slot,
                                const struct unit_request *request)
{
    g_autoptr(GError) ignored = NULL;
    if (request->world)
        return request->world->open_bench(request->world->context, &ignored);
    const struct config_bench *bench = slot->benches->len ? g_ptr_array_index(slot->benches, 0) : NULL;
    if (!bench || bench->kind != 0)
        return NULL;
    g_autofree char *link = config_link(config, bench->link);
    const struct bench_options options = {.kind = "scpi",
                                          .link = link,
                                          .identity = bench->identity,
                                          .due_us = bench->due,
                                          .tick = request->tick};
    return bench_open(&options, &ignored);
}

/* A board that sleeps was sent to sleep before its label came: *woken says that it must sleep again. */
static bool wake_board(const struct config *config, const struct config_slot *slot,
                       const struct unit_request *request, struct board *board, bool *woken, GError **error)
{
    const struct profile *profile = board->profile;
    struct board_identity identity;
    g_autoptr(GError) silence = NULL;
    if (!profile->wake || board_identify(board, &identity, &silence) || error_kind(silence) != ERROR_SILENT)
        return true;
    struct bench *bench = profile->wake_current ? open_bench(config, slot, request) : NULL;
    if (!bench)
        return true; /* the operator is asked */
    *woken = bench_set_current(bench, profile->wake_current, error) &&
             board_wait_alive(board, tick_now(board->wire->tick) + WAKE_US, &identity, error);
    bench_close(bench);
    if (!*woken)
        g_prefix_error(error, "the board sleeps (%s): ", profile->wake);
    return *woken;
}

static bool ask_board(const struct config *config, const struct config_slot *slot,
                      const struct unit_request *request, const struct profile *profile,
                      struct screen *screen, char unit[BOARD_UNIT_TEXT], struct item_value *sn,
                      GError **error)
{
    const struct wire_options options = {profile->line, request->tick, request->cancel};
    const struct unit_world *world = request->world;
    g_autofree char *link = config_link(config, slot->link);
    struct wire *wire =
        world ? world->connect(world->context, &options, error) : wire_open(link, &options, error);
    struct board *board =
        wire ? board_open(profile, wire, (unsigned)slot->address, slot->allow_reference, error) : NULL;
    bool woken = false;
    bool ok = board && wake_board(config, slot, request, board, &woken, error) &&
              read_board(board, screen, &woken, unit, sn, error);
    g_autoptr(GError) ignored = NULL;
    if (woken)
        (void)!board_control(board, CONTROL_SLEEP, 0, &ignored);
    board_close(board);
    wire_close(wire);
    return ok;
}

bool confirm_label(const struct config *config, struct store *store, const struct unit_request *request,
                   struct screen *screen, GError **error)
{
    int64_t run;
    char hash[65], unit[BOARD_UNIT_TEXT];
    struct item_value sn;
    const struct config_slot *slot = config_slot_find(config, request->slot, error);
    if (!slot || !find_unit(store, slot->slot, request->scan, &run, hash, error))
        return false;
    struct profile *profile = press_kept_profile(store, hash, error);
    bool ok = profile && ask_board(config, slot, request, profile, screen, unit, &sn, error);
    if (ok) {
        const struct store_label_scan scan = {request->scan, unit, sn.absent ? "" : sn.text};
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
        if (confirm_label(config, store, &scanned, screen, &wrong))
            return true;
        if (tries == TRIES || error_kind(wrong) == ERROR_STORAGE) {
            g_propagate_error(error, g_steal_pointer(&wrong));
            return false;
        }
        screen_line(screen, "  %s: %s", error_kind(wrong) == ERROR_RULE ? "WRONG LABEL" : "LABEL NOT CHECKED",
                    wrong->message);
    }
}
