/* Labels: what comes out of the printer, and on which board it ends. */
#include "station/sim/parts.h"

#include "station/base/error.h"
#include "station/confirm.h"
#include "station/press.h"

#include <string.h>

enum printer_outcome sim_print(void *context, const struct printer_job *job, GError **error)
{
    struct sim_slot *slot = context;
    struct sim_shift *shift = slot->shift;
    g_autoptr(GError) ignored = NULL;
    if (store_disk_gone(shift->disk))
        return PRINTER_NOT_SENT + (int)error_set(error, ERROR_PRINTER, "the station is gone");
    if (sim_chance(slot, "printer-jam", 12)) {
        error_set(error, ERROR_PRINTER, "paper jam");
        return PRINTER_NOT_SENT;
    }
    json_t *row = store_run_json(shift->store, slot->run, &ignored);
    const char *verdict = json_string_value(json_object_get(row, "verdict"));
    const char *sn = json_string_value(json_object_get(row, "sn"));
    if (g_strcmp0(verdict, "PASS") != 0 || g_strcmp0(sn, job->name) != 0)
        sim_violation(shift, slot->unit, "I3 a label for %s was printed, the row says '%s' for '%s'",
                      job->name, verdict ? verdict : "", sn ? sn : "");
    json_decref(row);
    if (slot->printed++ > 0)
        sim_violation(shift, slot->unit, "I3 the label of %s was printed twice", job->name);
    g_strlcpy(slot->sheet, job->name, sizeof slot->sheet);
    shift->count->labels++;
    if (!sim_chance(slot, "printer-unsure", 20))
        return PRINTER_DONE;
    error_set(error, ERROR_PRINTER, "the connection broke while sending");
    return PRINTER_UNCONFIRMED;
}

/* What the operator sticks onto the board in the slot and scans: at first perhaps what lay on the next table,
 * or onto the next board; told off, the right one. */
static bool scan_label(struct sim_slot *slot, struct desk_answer *answer, GError **error)
{
    const char *label = slot->sheet;
    unsigned asked = slot->asked++;
    if (store_disk_gone(slot->shift->disk))
        return error_set(error, ERROR_CANCELLED, "the station is gone");
    if (asked == 0 && sim_chance(slot, "label-left", 12))
        return error_set(error, ERROR_CANCELLED, "the operator went away");
    if (asked == 0 && sim_chance(slot, "wrong-label", 6))
        label = "BSN99999999";
    struct sim_board *before = slot->there;
    if (asked == 0 && !slot->intruder && sim_chance(slot, "early-removal", 6)) {
        slot->intruder = sim_board_new(slot, slot->own->unit_seed + 1000000009, NULL);
        slot->there = slot->intruder;
    } else if (asked > 0 && sim_oracle_carrier(slot)) {
        slot->there = sim_oracle_carrier(slot);
    }
    if (slot->there != before)
        sim_cable_plug(slot);
    g_strlcpy(slot->there->label, label, sizeof slot->there->label);
    g_strlcpy(answer->text, label, sizeof answer->text);
    return true;
}

bool sim_ask(void *context, const struct desk_ask *ask, struct desk_answer *answer, GError **error)
{
    struct sim_slot *slot = context;
    answer->yes = true;
    if (g_str_has_prefix(ask->text, "board silent")) { /* the operator does what wakes a board */
        vboard_power(slot->there->board, false, slot->shift->now_us);
        vboard_power(slot->there->board, true, slot->shift->now_us);
        vboard_bench_current(slot->there->board, 1000);
        slot->charges = true;
    }
    if (strstr(ask->text, "Hold the board's reset")) {
        vboard_reset_button(slot->there->board, true, slot->shift->now_us - TICK_S(10));
        vboard_reset_button(slot->there->board, false, slot->shift->now_us);
    }
    if (g_str_has_prefix(ask->text, "This board cannot say")) {
        g_strlcpy(answer->text, slot->there->sn, sizeof answer->text);
        return true;
    }
    return ask->question != ASK_TEXT || scan_label(slot, answer, error);
}

void sim_stop_charging(struct sim_slot *slot)
{
    if (slot->charges)
        vboard_bench_current(slot->there->board, 0);
    slot->charges = false;
}

static void ignore_event(void *context, const struct event *event)
{
    (void)context, (void)event;
}

static void ignore_verdict(void *context, const struct engine_result *result, const char *sn)
{
    (void)context, (void)result, (void)sn;
}

/* A store that failed is opened again first. */
static bool is_ill(struct sim_slot *slot, const GError *error)
{
    slot->shift->store_bad |= error_kind(error) == ERROR_STORAGE;
    return sim_store_ill(slot->shift);
}

/* The label is asked for once more: only one that surely did not come out may come now. */
static void print_again(struct sim_slot *slot, struct screen *screen)
{
    const struct press press = {
        slot->shift->config, slot->shift->store, &slot->tick, screen, sim_print, slot};
    g_autoptr(GError) refused = NULL;
    if (press_again(&press, slot->own->sn, &refused) || is_ill(slot, refused))
        return;
    if (slot->traced)
        fprintf(slot->shift->options->show, "label of %s: %s\n", slot->own->sn, refused->message);
}

static bool waits(struct sim_slot *slot, int64_t *run)
{
    g_autofree char *sn = NULL;
    g_autoptr(GError) error = NULL;
    if (!store_label_waiting(slot->shift->store, slot->name, run, &sn, &error))
        is_ill(slot, error);
    return sn != NULL;
}

static void confirm_again(struct sim_slot *slot, struct screen *screen)
{
    const struct unit_world world = {slot, sim_connect, sim_open_bench, sim_print};
    const struct unit_request request = {
        .slot = slot->name, .cancel = slot->cancel, .tick = &slot->tick, .world = &world};
    g_autoptr(GError) error = NULL;
    sim_must_refuse(slot, "a start while a label waits", "BSN99999998");
    slot->asked = MAX(slot->asked, 1);
    sim_cable_plug(slot);
    if (sim_oracle_carrier(slot))
        vboard_power(sim_oracle_carrier(slot)->board, true, slot->shift->now_us);
    if (!confirm_at_desk(slot->shift->config, slot->shift->store, &request, screen, &error) &&
        !is_ill(slot, error))
        sim_violation(slot->shift, slot->unit, "the label of %s cannot be confirmed: %s", slot->own->sn,
                      error->message);
    sim_stop_charging(slot);
}

static void waive(struct sim_slot *slot, int64_t run)
{
    g_autoptr(GError) error = NULL;
    if (!store_label_waive(slot->shift->store, run, "spoiled", &error) && !is_ill(slot, error))
        sim_violation(slot->shift, slot->unit, "the label of %s cannot be waived: %s", slot->own->sn,
                      error->message);
}

static void settle(struct sim_slot *slot, struct screen *screen)
{
    const struct sim_shift *shift = slot->shift;
    int64_t run;
    print_again(slot, screen);
    if (!sim_store_ill(shift) && waits(slot, &run) && slot->printed > 0)
        confirm_again(slot, screen);
    if (!sim_store_ill(shift) && waits(slot, &run))
        waive(slot, run);
    else if (!sim_store_ill(shift) && slot->printed > 0)
        sim_oracle_label(slot);
}

/* A unit that passed leaves with its label confirmed on its own board, or without one, on record. A station
 * that dies meanwhile starts again first. */
void sim_label_settle(struct sim_slot *slot)
{
    struct sim_shift *shift = slot->shift;
    const struct screen_watcher watcher = {slot, ignore_event, ignore_verdict, sim_ask};
    struct screen *screen = screen_new_watched(&watcher);
    do {
        if (sim_store_ill(shift))
            sim_slot_park(slot);
        if (!sim_store_ill(shift))
            settle(slot, screen);
    } while (shift->store && sim_store_ill(shift));
    screen_free(screen);
}
