#include "station/confirm.h"

#include "proto/board.h"
#include "recipes/recipe.h"
#include "station/base/error.h"
#include "station/base/words.h"
#include "station/press.h"
#include "station/bench.h"

#include <string.h>

#define TRIES    3
#define ALIVE_US 10000000  /* a board that was taken out for its label starts again */
#define WAKE_US  120000000 /* a person wakes one that sleeps */

/* The unit that is meant: its run, and the hashes of its profile and recipe. */
struct meant {
    int64_t run;
    char profile[65], recipe[65];
};

static void copy_hash(json_t *row, const char *key, char hash[65])
{
    const char *text = json_string_value(json_object_get(row, key));
    g_strlcpy(hash, text ? text : "", 65);
}

static bool find_unit(struct store *store, const char *slot, const char *scan, struct meant *meant,
                      GError **error)
{
    g_autofree char *waiting = NULL;
    if (!store_label_waiting(store, slot, &meant->run, &waiting, error))
        return false;
    const struct store_filter filter = {.sn = waiting ? waiting : scan, .verdict = "PASS", .limit = 1};
    json_t *rows = store_records_list(store, &filter, error), *row = json_array_get(rows, 0);
    g_autofree char *shown = words_shown(scan);
    bool ok =
        rows && (row || error_set(error, ERROR_ABSENT,
                                  "no unit %s passed here, and no label waits for slot %s", shown, slot));
    if (ok) {
        meant->run = json_integer_value(json_object_get(row, "run"));
        copy_hash(row, "profile_sha256", meant->profile);
        copy_hash(row, "recipe_sha256", meant->recipe);
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

/* The login of a board that shows its number only after one: what its recipe begins with. *password stays
 * NULL when there is none. */
static bool find_login(const struct config *config, struct store *store, const char *recipe_hash,
                       struct secret **password, int *level, GError **error)
{
    g_autoptr(GBytes) bytes = store_kept_file(store, recipe_hash, error);
    if (!bytes)
        return false;
    g_autoptr(bind_report_auto) report = bind_report_new("recipe", bytes);
    struct recipe *recipe = recipe_load("recipe", bytes, report);
    if (!recipe)
        return error_set(error, ERROR_INTERNAL, "the kept recipe %s does not load any more", recipe_hash);
    const struct bind_variant_value *first = g_ptr_array_index(recipe->steps, 0);
    const struct recipe_identify *identify = first->value;
    bool wanted = strcmp(first->variant->tag, "identify") == 0 && identify->login;
    if (wanted) {
        *password = config_secret(config, identify->login, error);
        *level = identify->level;
    }
    recipe_free(recipe);
    return !wanted || *password;
}

/* What tells which board is in the slot, now. */
struct witness {
    char unit[BOARD_UNIT_TEXT];
    struct item_value sn;
    struct board_identity identity;
    struct secret *password; /* NULL = it shows its number without */
    int level;
    bool is_mark; /* the board cannot say: what it carries was scanned instead */
    struct desk_answer mark;
};

/* Of such a board only its own print is left, which was scanned when its run began. The label must not be
 * taken for it, so it is asked for by itself; that it was, is the operator's word. */
static bool read_mark(const struct unit_request *request, struct screen *screen, struct witness *witness,
                      GError **error)
{
    static const struct desk_ask ask = {
        .question = ASK_TEXT,
        .text = "This board cannot say which one it is. Scan the code that the board itself carries, not the "
                "new label."};
    witness->is_mark = true;
    if (!request->mark)
        return screen_ask(screen, &ask, false, &witness->mark, error);
    g_strlcpy(witness->mark.text, request->mark, sizeof witness->mark.text);
    return true;
}

static bool read_board(struct board *board, const struct unit_request *request, struct screen *screen,
                       bool *woken, struct witness *witness, GError **error)
{
    const struct board_identity *identity = &witness->identity;
    const struct profile_item *item = profile_item_find(board->profile, board->profile->serial_item);
    if (!wait_awake(board, screen, woken, &witness->identity, error))
        return false;
    if (board->profile->unit == UNIT_LABEL && !identity->has_unique_id)
        return read_mark(request, screen, witness, error);
    if (!item)
        return error_set(error, ERROR_RULE, "profile '%s' names no item that holds the serial number",
                         board->profile->profile);
    board_unique_id_text(identity->unique_id, witness->unit);
    bool by_serial = board->profile->unit == UNIT_SERIAL_NUMBER && !identity->has_unique_id;
    if (!identity->has_unique_id && !by_serial)
        return error_set(error, ERROR_RULE,
                         "the board shows no unique id, so nothing tells whether it is the one that passed");
    if (witness->password && !board_login(board, witness->level, witness->password, error))
        return false;
    if (!board_read_item(board, item, &witness->sn, error))
        return false;
    if (by_serial)
        board_serial_text(witness->sn.absent ? "" : witness->sn.text, witness->unit);
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
                      struct screen *screen, struct witness *witness, GError **error)
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
              read_board(board, request, screen, &woken, witness, error);
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
    struct meant meant;
    struct witness witness = {.unit = ""};
    const struct config_slot *slot = config_slot_find(config, request->slot, error);
    if (!slot || !find_unit(store, slot->slot, request->scan, &meant, error))
        return false;
    struct profile *profile = press_kept_profile(store, meant.profile, error);
    bool ok = profile &&
              (profile->unit != UNIT_SERIAL_NUMBER ||
               find_login(config, store, meant.recipe, &witness.password, &witness.level, error)) &&
              ask_board(config, slot, request, profile, screen, &witness, error);
    if (ok) {
        const struct store_label_scan scan = {.scan = request->scan,
                                              .unique_id = witness.unit,
                                              .sn = witness.sn.absent ? "" : witness.sn.text,
                                              .mark = witness.is_mark ? witness.mark.text : NULL,
                                              .product = witness.identity.product};
        ok = store_label_confirm(store, meant.run, &scan, error);
    }
    secret_free(witness.password);
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
