/* One shift: a station, its operators at their slots, and what happens when it stops in the middle. */
#include "station/sim/parts.h"

#include "station/base/error.h"
#include "station/kit.h"

#include <string.h>
#include <unistd.h>

#define ATTEMPTS_MAX 4

struct sim_board *sim_board_new(const struct sim_slot *slot, uint64_t unit_seed, const char *defect)
{
    const char *const defects[] = {defect, NULL};
    const struct vboard_options options = {.family = slot->shift->options->family->name,
                                           .unit_seed = unit_seed,
                                           .defects = defect ? defects : NULL};
    struct sim_board *board = g_new0(struct sim_board, 1);
    uint8_t id[12];
    board->board = vboard_new(&options, slot->shift->now_us, NULL);
    board->unit_seed = unit_seed;
    board->defect = defect;
    vboard_truth_unique_id(board->board, id);
    for (unsigned i = 0; i < sizeof id; i++)
        g_snprintf(board->uid + 2 * i, 3, "%02x", id[i]);
    const struct sim_family *family = slot->shift->options->family;
    g_autofree char *sn = kit_scan(family->name, family->has_number ? unit_seed : (uint64_t)slot->unit + 1);
    g_strlcpy(board->sn, sn, sizeof board->sn);
    sim_oracle_meet(board);
    return board;
}

static void board_free(struct sim_board *board)
{
    if (!board)
        return;
    vboard_free(board->board);
    g_clear_pointer(&board->came_with, g_bytes_unref);
    g_free(board);
}

static bool hopeless(const struct sim_board *board)
{
    const struct sim_class *classes = sim_classes();
    for (unsigned i = 0; board->defect && classes[i].name; i++)
        if (classes[i].defect && strcmp(classes[i].defect, board->defect) == 0)
            return !classes[i].heals;
    return false;
}

/* What the board comes with. */
static const char *choose_defect(const struct sim_slot *slot)
{
    uint64_t chance = sim_hash(slot->shift->options->seed, slot->unit, 0, "defect");
    return chance % 4 == 0 || slot->shift->options->aim ? sim_defect_choose(slot, chance / 4) : NULL;
}

static void count_defect(struct sim_slot *slot)
{
    const struct sim_class *classes = sim_classes();
    for (unsigned i = 0; slot->own->defect && classes[i].name; i++)
        if (classes[i].defect && strcmp(classes[i].defect, slot->own->defect) == 0)
            slot->shift->count->struck[i]++;
}

/* The watcher of a slot's screen. */
static void digest_event(struct sim_slot *slot, const struct event *event)
{
    g_autofree char *line =
        g_strdup_printf("%u %d %d %u %" G_GINT64_FORMAT " %s %d %s", slot->number, (int)event->type,
                        event->step, event->attempt, slot->shift->now_us, event->key ? event->key : "",
                        event->ok, event->error_kind ? event->error_kind : "");
    g_checksum_update(slot->shift->digest, (const guchar *)line, -1);
    if (slot->traced) {
        json_t *json = event_json(event);
        char *text = json_dumps(json, JSON_COMPACT);
        fprintf(slot->shift->options->show, "%12.6f slot %s attempt %u step %d %s\n",
                (double)slot->shift->now_us / 1e6, slot->name, slot->attempt, event->step, text);
        free(text);
        json_decref(json);
    }
}

static void learn_step(struct sim_slot *slot, const struct event *event)
{
    struct sim_count *count = slot->shift->count;
    if (event->step >= 0 && event->step < SIM_STEPS_MAX && !count->steps[event->step]) {
        count->steps[event->step] = g_intern_string(event->verb);
        count->step_count = MAX(count->step_count, (unsigned)event->step + 1);
    }
}

static void on_event(void *context, const struct event *event)
{
    struct sim_slot *slot = context;
    if (event->type == EVENT_PROGRESS)
        return;
    digest_event(slot, event);
    if (event->type == EVENT_RUN_BEGIN) {
        int64_t *run = g_memdup2(&event->run, sizeof event->run);
        slot->run = event->run;
        slot->clock_right = slot->shift->wall_minus_now == SIM_WALL;
        g_hash_table_insert(slot->shift->acked, run, GINT_TO_POINTER(VERDICT_NONE + 1));
    } else if (event->type == EVENT_STEP_BEGIN) {
        slot->step = event->step;
        learn_step(slot, event);
        sim_fault_begin_step(slot);
    } else if (event->type == EVENT_STEP_END) {
        slot->step = -1;
    } else if (event->type == EVENT_RUN_END) {
        int64_t *run = g_memdup2(&event->run, sizeof event->run);
        int before = GPOINTER_TO_INT(g_hash_table_lookup(slot->shift->acked, run)) - 1;
        if (before > VERDICT_NONE && before != (int)event->verdict)
            sim_violation(slot->shift, slot->unit, "I8 a run was shown as %s, then as %s",
                          event_verdict_name((enum event_verdict)before), event_verdict_name(event->verdict));
        g_hash_table_replace(slot->shift->acked, run, GINT_TO_POINTER(event->verdict + 1));
    }
}

static void on_verdict(void *context, const struct engine_result *result, const char *sn)
{
    struct sim_slot *slot = context;
    slot->shift->count->verdicts[result->verdict]++;
    slot->shown_pass = result->verdict == VERDICT_PASS;
    g_strlcpy(slot->shown_sn, sn, sizeof slot->shown_sn);
    if (slot->traced && result->text)
        fprintf(slot->shift->options->show, "%12.6f slot %s %s %s: %s\n", (double)slot->shift->now_us / 1e6,
                slot->name, event_verdict_name(result->verdict), sn, result->text);
}

/* One press of the start button. */
static int run_once(struct sim_slot *slot, const char *scan, GError **error)
{
    struct sim_shift *shift = slot->shift;
    const struct unit_world world = {slot, sim_connect, sim_open_bench, sim_print};
    const struct screen_watcher watcher = {slot, on_event, on_verdict, sim_ask};
    const struct unit_request request = {.recipe = shift->release,
                                         .slot = slot->name,
                                         .scan = scan,
                                         .operator_name = "simulated",
                                         .cancel = slot->cancel,
                                         .tick = &slot->tick,
                                         .world = &world};
    struct screen *screen = screen_new_watched(&watcher);
    slot->shown_pass = false;
    slot->step = -1;
    int code = unit_run(shift->config, shift->store, &request, screen, error);
    screen_free(screen);
    shift->count->runs += code >= 0;
    shift->count->refused += code < 0;
    return code;
}

/* A scan that must be refused before the board sees a byte. */
void sim_must_refuse(struct sim_slot *slot, const char *what, const char *scan)
{
    g_autoptr(GError) error = NULL;
    uint64_t sent = slot->cable.sent;
    int code = run_once(slot, scan, &error);
    if (code >= 0 || slot->cable.sent != sent)
        sim_violation(slot->shift, slot->unit, "%s '%s' was not refused (exit code %d)", what, scan, code);
}

/* The record of this unit passed, whether or not anybody saw it. */
static bool has_passed(struct sim_slot *slot)
{
    const struct store_filter filter = {.sn = slot->own->sn, .verdict = "PASS", .limit = 1};
    g_autoptr(GError) ignored = NULL;
    json_t *rows = store_records_list(slot->shift->store, &filter, &ignored), *row = json_array_get(rows, 0);
    bool passed = row != NULL;
    if (passed)
        slot->run = json_integer_value(json_object_get(row, "run"));
    json_decref(rows);
    return passed;
}

static void fresh_attempt(struct sim_slot *slot)
{
    sim_cable_plug(slot);
    if (slot->shift->wall_minus_now != SIM_WALL) { /* its service sets the clock right */
        slot->shift->wall_minus_now = SIM_WALL;
        slot->shift->clock_steps++;
    }
    slot->there = slot->own;
    if (slot->attempt > 1) { /* the operator takes the board out and puts it in again */
        vboard_bench_current(slot->own->board, 0);
        vboard_power(slot->own->board, false, slot->shift->now_us);
        vboard_power(slot->own->board, true, slot->shift->now_us);
    }
    cancel_free(slot->cancel);
    slot->cancel = cancel_new();
    sim_fault_choose(slot);
    board_free(slot->intruder);
    slot->intruder =
        sim_fault_is(slot, "swap") ? sim_board_new(slot, slot->own->unit_seed + 1000000007, NULL) : NULL;
}

/* true when the board is done with. */
static bool attempt(struct sim_slot *slot)
{
    struct sim_shift *shift = slot->shift;
    g_autoptr(GError) error = NULL;
    fresh_attempt(slot);
    int64_t began = shift->now_us;
    unsigned clock_steps = shift->clock_steps;
    int code = run_once(slot, slot->own->sn, &error);
    if (slot->attempt == 1)
        shift->count->longest_us = MAX(shift->count->longest_us, shift->now_us - began);
    shift->count->first_passes += slot->attempt == 1 && slot->shown_pass;
    sim_stop_charging(slot);
    sim_oracle_attempt(slot, code);
    sim_fault_end(slot);
    slot->swapped |= slot->there != slot->own;
    shift->store_bad |= code == 9 || (error && error_kind(error) == ERROR_STORAGE);
    bool quiet = slot->attempt == 1 && slot->fault.ppm && slot->fault.ppm <= 10000 && slot->fault.step < 0 &&
                 !slot->own->defect && shift->clock_steps == clock_steps;
    if (quiet && !sim_store_ill(shift)) {
        shift->count->quiet_units++;
        shift->count->quiet_passes += slot->shown_pass;
    }
    if (sim_store_ill(shift)) {
        slot->lost++;
        sim_slot_park(slot);
        return shift->store && has_passed(slot);
    }
    return slot->shown_pass;
}

static void around_scan(struct sim_slot *slot)
{
    GHashTableIter passed;
    gpointer sn;
    if (sim_chance(slot, "joined-scan", 25)) {
        g_autofree char *joined = g_strconcat(slot->own->sn, slot->own->sn, NULL);
        sim_must_refuse(slot, "two scans in one", joined);
    }
    g_hash_table_iter_init(&passed, slot->shift->passed);
    if (g_hash_table_size(slot->shift->passed) > 0 && sim_chance(slot, "taken-number", 25) &&
        g_hash_table_iter_next(&passed, &sn, NULL))
        sim_must_refuse(slot, "the number of a unit that passed", sn);
}

/* After a fault that was aimed at the first attempt the next one must pass. */
static unsigned attempts_max(const struct sim_slot *slot)
{
    return slot->shift->options->aim ? 2 : ATTEMPTS_MAX + slot->lost;
}

static void unit(struct sim_slot *slot)
{
    struct sim_shift *shift = slot->shift;
    bool done = false;
    slot->attempt = 0;
    slot->printed = slot->asked = 0;
    slot->sheet[0] = '\0';
    slot->traced = shift->options->show && shift->options->show_unit == slot->unit;
    slot->own =
        sim_board_new(slot, shift->options->seed * 100003 + (uint64_t)slot->unit, choose_defect(slot));
    slot->there = slot->own;
    count_defect(slot);
    sim_cable_plug(slot);
    slot->fault.class_index = -1;
    if (!sim_store_ill(shift))
        around_scan(slot);
    slot->lost = 0;
    slot->swapped = false;
    for (slot->attempt = 1; slot->attempt <= attempts_max(slot) && !done && shift->store; slot->attempt++)
        done = attempt(slot);
    if (!done && !hopeless(slot->own) && !slot->swapped && !sim_store_ill(shift))
        sim_violation(shift, slot->unit, "a good board did not pass in %u attempts", attempts_max(slot));
    if (done)
        sim_label_settle(slot);
    if (done && !sim_store_ill(shift) && sim_chance(slot, "double-scan", 12))
        sim_must_refuse(slot, "a second scan of a unit that passed", slot->own->sn);
    shift->count->units++;
    if (done && g_hash_table_size(shift->golden) == 0 && !sim_oracle_learn(slot))
        sim_violation(shift, slot->unit, "an undisturbed board left no firmware to compare with");
    if (!sim_store_ill(shift))
        sim_oracle_store(shift, false);
    board_free(slot->own);
    board_free(slot->intruder);
    slot->own = slot->there = slot->intruder = NULL;
}

static void work(struct sim_slot *slot)
{
    struct sim_shift *shift = slot->shift;
    while (shift->next_unit < shift->last_unit && shift->store) {
        slot->unit = shift->next_unit++;
        unit(slot);
        if (sim_store_ill(shift))
            sim_slot_park(slot);
    }
}

static bool open_house(struct sim_shift *shift, GError **error)
{
    g_autofree char *station =
        g_strdup_printf("%s/station-%u.yaml", shift->options->folder, shift->options->worker);
    shift->config = config_open(station, error);
    shift->release = g_build_filename(shift->options->folder, "recipes", "release.yaml", NULL);
    shift->store_folder = shift->config ? config_path(shift->config, shift->config->store) : NULL;
    if (!shift->config)
        return false;
    sim_disk_aim(shift);
    shift->store = store_open(shift->store_folder, "sim", &shift->house_tick, error);
    if (!shift->store && (store_disk_gone(shift->disk) || store_disk_struck(shift->disk))) {
        g_clear_error(error);
        sim_recover(shift);
    }
    return shift->store != NULL;
}

/* The disk under the journal is new with every shift; the traces lie on a real one. */
static void clear_traces(const struct sim_shift *shift)
{
    g_autofree char *path = g_build_filename(shift->store_folder, "traces", NULL);
    g_autoptr(GDir) folder = g_dir_open(path, 0, NULL);
    const char *name;
    while (folder && (name = g_dir_read_name(folder))) {
        g_autofree char *file = g_build_filename(path, name, NULL);
        unlink(file);
    }
}

static void close_house(struct sim_shift *shift)
{
    store_close(shift->store);
    if (shift->store_folder)
        clear_traces(shift);
    store_disk_free(shift->disk);
    config_free(shift->config);
    g_free(shift->release);
    g_free(shift->store_folder);
    g_hash_table_unref(shift->passed);
    g_hash_table_unref(shift->acked);
    for (unsigned i = 0; i < shift->slots_used; i++) {
        cancel_free(shift->slots[i].cancel);
        g_byte_array_unref(shift->slots[i].cable.in);
    }
}

static void make_slots(struct sim_shift *shift)
{
    shift->slots_used = CLAMP(shift->options->slots, 1, SIM_SLOTS_MAX);
    for (unsigned i = 0; i < shift->slots_used; i++) {
        struct sim_slot *slot = &shift->slots[i];
        slot->shift = shift;
        slot->number = i;
        slot->cable.slot = slot;
        slot->cable.in = g_byte_array_new();
        g_snprintf(slot->name, sizeof slot->name, "S%u", i + 1);
        sim_clock_init(slot);
    }
}

bool sim_shift_run(const struct sim_options *options, int64_t number, int64_t units, struct sim_count *count,
                   GChecksum *digest, GError **error)
{
    struct sim_shift *shift = g_new0(struct sim_shift, 1);
    shift->options = options;
    shift->count = count;
    shift->digest = digest;
    shift->number = number;
    shift->next_unit = number * SIM_UNITS_A_SHIFT;
    shift->last_unit = shift->next_unit + units;
    shift->now_us = 1000000;
    shift->wall_minus_now = SIM_WALL;
    shift->random = options->seed * 31 + (uint64_t)number;
    shift->disk_step = -1;
    shift->disk = store_disk_new(shift->random);
    shift->golden = count->golden;
    shift->passed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    shift->acked = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    sim_house_clock_init(shift);
    make_slots(shift);
    bool ok = open_house(shift, error);
    if (ok) {
        sim_slots_run(shift, work, sim_recover);
        sim_close_day(shift);
        count->simulated_us += (uint64_t)shift->now_us;
        count->operations += store_disk_operations(shift->disk);
        for (unsigned i = 0; i < shift->slots_used; i++)
            count->bytes += shift->slots[i].cable.bytes;
    }
    close_house(shift);
    g_free(shift);
    return ok;
}
