/* What the boards physically are, against what the record says. */
#include "station/sim/parts.h"

#include "station/base/error.h"

#include <string.h>

#define CLOCK_OFF_MAX_US 30000000 /* a label takes its time, a board drifts */
#define HOLD_CODE        13       /* docs/exit-codes.md */

void sim_violation(struct sim_shift *shift, int64_t unit, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    if (shift->options->show)
        fprintf(shift->options->show, "BROKEN unit %" G_GINT64_FORMAT ": %s\n", unit, text);
    if (shift->count->violations++ == 0) {
        shift->count->first_unit = unit;
        shift->count->first = g_steal_pointer(&text);
    }
}

/* The configuration blocks as one string: everything that must be alike on every board of a recipe. */
static GBytes *configuration(const struct sim_family *family, const struct sim_board *board)
{
    GByteArray *all = g_byte_array_new();
    const uint8_t *bytes;
    unsigned number;
    size_t n;
    for (unsigned i = 0; vboard_truth_nth_block(board->board, i, &number, &bytes, &n); i++) {
        const uint8_t head[] = {(uint8_t)(number >> 8), (uint8_t)number};
        guint at = all->len + sizeof head;
        g_byte_array_append(all, head, sizeof head);
        g_byte_array_append(all, bytes, (guint)n);
        for (const struct sim_skip *own = family->own; own->n; own++)
            if (own->block == number)
                memset(all->data + at + own->from, 0, MIN(own->n, n - own->from));
    }
    return g_byte_array_free_to_bytes(all);
}

static GBytes *flash_of(const struct sim_board *board)
{
    uint32_t address;
    size_t n;
    const uint8_t *flash = vboard_truth_flash(board->board, &address, &n);
    return g_bytes_new(flash, n);
}

/* The image of the release must be at the start of the flash: the pages of the undisturbed board are compared
 * up to the last programmed byte. */
bool sim_oracle_learn(struct sim_slot *slot)
{
    g_autoptr(GBytes) flash = flash_of(slot->own);
    const uint8_t *bytes = g_bytes_get_data(flash, NULL);
    gsize n = g_bytes_get_size(flash);
    while (n > 0 && bytes[n - 1] == 0xff)
        n--;
    g_hash_table_insert(slot->shift->golden, g_strdup("flash"), g_bytes_new(bytes, n));
    g_hash_table_insert(slot->shift->golden, g_strdup("configuration"),
                        configuration(slot->shift->options->family, slot->own));
    return n > 0;
}

static bool carries(const struct sim_slot *slot, const struct sim_board *board, const char *sn)
{
    const struct sim_family *family = slot->shift->options->family;
    const uint8_t *bytes;
    size_t n;
    if (family->by_label)
        return board && strcmp(board->sn, sn) == 0;
    return board && vboard_truth_block(board->board, family->serial_block, &bytes, &n) &&
           memcmp(bytes + family->serial_at, sn, strlen(sn)) == 0;
}

static const struct sim_board *board_by_serial(struct sim_slot *slot, const char *sn)
{
    bool own = carries(slot, slot->own, sn), other = carries(slot, slot->intruder, sn);
    if (own && other)
        sim_violation(slot->shift, slot->unit, "I2 two boards carry %s", sn);
    return own ? slot->own : other ? slot->intruder : NULL;
}

static const struct sim_board *board_by_uid(struct sim_slot *slot, const char *uid)
{
    if (slot->shift->options->family->by_serial)
        return board_by_serial(slot, slot->shown_sn);
    if (strcmp(slot->own->uid, uid) == 0)
        return slot->own;
    return slot->intruder && strcmp(slot->intruder->uid, uid) == 0 ? slot->intruder : NULL;
}

static const char *word(json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text ? text : "";
}

static void check_configuration(struct sim_slot *slot, const struct sim_board *board)
{
    GBytes *wanted = g_hash_table_lookup(slot->shift->golden, "configuration");
    g_autoptr(GBytes) found = configuration(slot->shift->options->family, board);
    if (wanted && !g_bytes_equal(wanted, found))
        sim_violation(slot->shift, slot->unit, "I5 passed with another value in the board's memory");
}

static void check_flash(struct sim_slot *slot, const struct sim_board *board)
{
    GBytes *wanted = g_hash_table_lookup(slot->shift->golden, "flash");
    g_autoptr(GBytes) found = flash_of(board);
    gsize n;
    const uint8_t *bytes = wanted ? g_bytes_get_data(wanted, &n) : NULL;
    if (bytes && memcmp(bytes, g_bytes_get_data(found, NULL), n) != 0)
        sim_violation(slot->shift, slot->unit, "I1 passed with a wrong byte in the flash");
}

/* How far ahead of UTC the clock of a board of this family shows the time. */
static int64_t zone_us(const struct sim_family *family, int64_t wall_us)
{
    if (!family->local_clock)
        return 0;
    g_autoptr(GTimeZone) zone = g_time_zone_new_local();
    gint at = g_time_zone_find_interval(zone, G_TIME_TYPE_UNIVERSAL, wall_us / 1000000);
    return (int64_t)g_time_zone_get_offset(zone, at) * 1000000;
}

static void check_clock(struct sim_slot *slot, const struct sim_board *board)
{
    const int64_t wall = SIM_WALL + slot->shift->now_us;
    int64_t off = vboard_truth_clock_us(board->board, slot->shift->now_us) - wall -
                  zone_us(slot->shift->options->family, wall);
    if (slot->clock_right && ABS(off) > CLOCK_OFF_MAX_US)
        sim_violation(slot->shift, slot->unit, "I5 passed with a clock that is %d s wrong",
                      (int)(off / 1000000));
}

/* Nothing makes such a board good. */
static bool must_fail(const struct sim_board *board)
{
    static const char *const never[] = {"wrong-product", "wrong-hardware", "wrong-mcu",
                                        "foreign-sn",    "silent",         "wrong-password",
                                        "cell-spread",   "flag",           "sleepless"};
    for (gsize i = 0; board->defect && i < G_N_ELEMENTS(never); i++)
        if (strcmp(board->defect, never[i]) == 0)
            return true;
    return false;
}

void sim_oracle_meet(struct sim_board *board)
{
    board->came_with = must_fail(board) ? flash_of(board) : NULL;
}

/* On a quiet line the application tells what the board is, before its flash is touched. */
static void check_untouched(struct sim_slot *slot)
{
    if (!slot->own->came_with || slot->attempt != 1 || slot->fault.class_index >= 0)
        return;
    g_autoptr(GBytes) found = flash_of(slot->own);
    if (!g_bytes_equal(slot->own->came_with, found))
        sim_violation(slot->shift, slot->unit, "I6 a board with defect %s was erased before it was refused",
                      slot->own->defect);
}

/* Undisturbed, what only wants time ends as a hold and nothing else: neither good nor bad is in its record.
 */
static void check_hold(struct sim_slot *slot, int code)
{
    const bool held = slot->own->defect && strcmp(slot->own->defect, "cell-spread") == 0;
    if (held && slot->attempt == 1 && slot->fault.class_index < 0 && slot->there == slot->own &&
        !sim_store_ill(slot->shift) && code != HOLD_CODE)
        sim_violation(slot->shift, slot->unit, "cells far apart ended with exit code %d, not on hold", code);
}

static void check_board(struct sim_slot *slot, const struct sim_board *board, const char *sn)
{
    const struct sim_family *family = slot->shift->options->family;
    if (must_fail(board))
        sim_violation(slot->shift, slot->unit, "I6 a board with defect %s passed", board->defect);
    check_flash(slot, board);
    check_configuration(slot, board);
    if (!family->clockless)
        check_clock(slot, board);
    if (!carries(slot, board, sn))
        sim_violation(slot->shift, slot->unit, "I2 passed without its serial number on the board");
    for (int64_t ma = 20000; ma <= 40000; ma += 20000)
        if (ABS(vboard_truth_current_error_ma(board->board, ma)) > family->current_error_ma)
            sim_violation(slot->shift, slot->unit, "passed with a current error of %d mA at %d A",
                          (int)vboard_truth_current_error_ma(board->board, ma), (int)(ma / 1000));
}

static void check_pass(struct sim_slot *slot)
{
    struct sim_shift *shift = slot->shift;
    g_autoptr(GError) error = NULL;
    json_t *row = store_run_json(shift->store, slot->run, &error);
    if (!row || strcmp(word(row, "verdict"), "PASS") != 0 || strcmp(word(row, "sn"), slot->shown_sn) != 0) {
        sim_violation(shift, slot->unit, "I8 PASS %s was shown, the row of run %d says '%s'", slot->shown_sn,
                      (int)slot->run, row ? word(row, "verdict") : error->message);
        json_decref(row);
        return;
    }
    const struct sim_board *board = board_by_uid(slot, word(row, "uid"));
    const char *before = g_hash_table_lookup(shift->passed, slot->shown_sn);
    if (!board)
        sim_violation(shift, slot->unit, "I2 the record names board '%s', which is not here",
                      word(row, "uid"));
    else
        check_board(slot, board, slot->shown_sn);
    if (before)
        sim_violation(shift, slot->unit, "I2 %s passed a second time", slot->shown_sn);
    g_hash_table_insert(shift->passed, g_strdup(slot->shown_sn), g_strdup(word(row, "uid")));
    json_decref(row);
}

void sim_oracle_attempt(struct sim_slot *slot, int code)
{
    struct sim_shift *shift = slot->shift;
    check_untouched(slot);
    if (store_disk_gone(shift->disk))
        return; /* what was acknowledged is looked for after the restart */
    g_autofree char *flows = vboard_bench_command(slot->there->board, "OUTP?", shift->now_us);
    if (strcmp(flows, "0") != 0)
        sim_violation(shift, slot->unit, "I9 current flows after the run");
    if ((code == 0) != (slot->shown_pass && code != 9 && code != 10))
        sim_violation(shift, slot->unit, "I8 exit code %d with %s shown", code,
                      slot->shown_pass ? "PASS" : "no PASS");
    check_hold(slot, code);
    if (slot->shown_pass)
        check_pass(slot);
}

struct sim_board *sim_oracle_carrier(const struct sim_slot *slot)
{
    struct sim_board *boards[] = {slot->own, slot->intruder};
    for (gsize i = 0; i < G_N_ELEMENTS(boards); i++)
        if (carries(slot, boards[i], slot->own->sn))
            return boards[i];
    return NULL;
}

void sim_oracle_label(struct sim_slot *slot)
{
    const struct sim_board *board = sim_oracle_carrier(slot);
    if (!board || strcmp(board->label, slot->own->sn) != 0)
        sim_violation(slot->shift, slot->unit, "I3 the label of %s is confirmed and not on its board",
                      slot->own->sn);
}

static void broken(void *context, const char *id, const char *promise, bool ok, const char *finding)
{
    struct sim_shift *shift = context;
    if (!ok)
        sim_violation(shift, shift->next_unit - 1, "%s %s: %s", id, promise, finding);
}

static void check_acknowledged(struct sim_shift *shift)
{
    GHashTableIter rows;
    gpointer run, verdict;
    g_hash_table_iter_init(&rows, shift->acked);
    while (g_hash_table_iter_next(&rows, &run, &verdict)) {
        g_autoptr(GError) error = NULL;
        json_t *row = store_run_json(shift->store, *(int64_t *)run, &error);
        const char *wanted = event_verdict_name((enum event_verdict)(GPOINTER_TO_INT(verdict) - 1));
        const char *found = row ? word(row, "verdict") : "no row";
        /* A verdict stays what it was; a run whose end nobody was told must have one. */
        bool same = row && (wanted[0] ? strcmp(found, wanted) == 0 : found[0] != 0);
        if (!same)
            sim_violation(shift, shift->next_unit - 1, "I11 run %d was acknowledged as '%s' and is '%s'",
                          (int)*(int64_t *)run, wanted, found);
        json_decref(row);
    }
}

void sim_oracle_store(struct sim_shift *shift, bool whole)
{
    g_autoptr(GError) error = NULL;
    int64_t rows;
    char head[65];
    if (store_audit(shift->store, whole, broken, shift, &error) < 0)
        sim_violation(shift, shift->next_unit - 1, "audit: %s", error->message);
    if (!whole)
        return;
    check_acknowledged(shift);
    if (!store_verify(shift->store, &rows, head, &error))
        sim_violation(shift, shift->next_unit - 1, "I10 %s", error->message);
}
