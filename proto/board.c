#include "proto/board.h"

#include "proto/described.h"

#include "station/base/error.h"
#include "station/base/quantity.h"

#include <string.h>

#define ALIVE_POLL_MS 100

extern const struct dialect_kind dialect_yd1363, dialect_modbus, dialect_modbus_tcp, dialect_canopen_sdo,
    dialect_dd_frame, dialect_a5_frame, dialect_a5_frame_can, dialect_tp_binary;

/* The visible table. */
static const struct dialect_kind *const dialects[] = {
    &dialect_yd1363,   &dialect_modbus,   &dialect_modbus_tcp,   &dialect_canopen_sdo,
    &dialect_dd_frame, &dialect_a5_frame, &dialect_a5_frame_can, &dialect_tp_binary};

const struct dialect_kind *dialect_find(const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(dialects); i++)
        if (strcmp(dialects[i]->name, name) == 0)
            return dialects[i];
    return NULL;
}

struct board *board_open(const struct profile *profile, struct wire *wire, unsigned address,
                         bool allow_reference, GError **error)
{
    const struct dialect_kind *dialect = dialect_find(profile->dialect);
    if (!dialect) {
        error_set(error, ERROR_AUTHOR, "there is no dialect '%s'", profile->dialect);
        return NULL;
    }
    if (profile->has_reference && !allow_reference && wire_is_physical(wire->url)) {
        error_set(error, ERROR_RULE,
                  "profile '%s' is a reference dialect, not the vendor's protocol: it may not go onto a "
                  "physical wire without the station's override (`allow_reference: true` of the slot, or "
                  "--allow-reference)",
                  profile->profile);
        return NULL;
    }
    if (address < profile->address_min || address > profile->address_max) {
        error_set(error, ERROR_AUTHOR,
                  "address %u: a board of profile '%s' has an address from %" G_GINT64_FORMAT
                  " to %" G_GINT64_FORMAT,
                  address, profile->profile, profile->address_min, profile->address_max);
        return NULL;
    }
    if (dialect->can != wire_line_is_can(&wire->line)) {
        error_set(error, ERROR_AUTHOR,
                  dialect->can
                      ? "%s: dialect '%s' needs a CAN bus: `line: 250000-can` in the profile, and can:, "
                        "slcan: or can-socket: as link"
                      : "%s: dialect '%s' is not spoken on a CAN bus",
                  wire->url, dialect->name);
        return NULL;
    }
    struct board *board = g_new0(struct board, 1);
    board->dialect = dialect;
    board->profile = profile;
    board->wire = wire;
    board->address = address;
    wire_set_mask(wire, dialect->mask, board);
    return board;
}

void board_close(struct board *board)
{
    if (board) {
        wire_set_mask(board->wire, NULL, NULL);
        g_free(board->log_bytes);
        g_free(board->scratch);
    }
    g_free(board);
}

static bool unsupported(const struct board *board, const char *what, GError **error)
{
    return error_set(error, ERROR_REFUSED, "%s is not supported by dialect '%s'", what, board->dialect->name);
}

/* What a profile describes, counts; else what the dialect has a request for. */
bool board_identify(struct board *board, struct board_identity *identity, GError **error)
{
    return board->dialect->identify && !board->profile->identity.product
               ? board->dialect->identify(board, identity, error)
               : described_identify(board, identity, error);
}

void board_serial_text(const char *sn, char text[BOARD_UNIT_TEXT])
{
    g_snprintf(text, BOARD_UNIT_TEXT, "sn-%s", sn);
}

void board_unique_id_text(const uint8_t id[12], char text[BOARD_UNIQUE_ID_TEXT])
{
    for (int i = 0; i < 12; i++)
        g_snprintf(text + 2 * i, 3, "%02x", id[i]);
}

bool board_clock_read(struct board *board, int64_t *wall_us, GError **error)
{
    return board->dialect->clock_read && !board->profile->clock.in
               ? board->dialect->clock_read(board, wall_us, error)
               : described_clock_read(board, wall_us, error);
}

bool board_clock_write(struct board *board, int64_t wall_us, GError **error)
{
    if (!board_may_act(board, error))
        return false;
    return board->dialect->clock_write && !board->profile->clock.in
               ? board->dialect->clock_write(board, wall_us, error)
               : described_clock_write(board, wall_us, error);
}

/* Switched off against the current, a FET carries it through its body diode. */
static bool check_interlock(struct board *board, enum board_control control, int argument, GError **error)
{
    const int64_t limit = board->profile->interlock_current;
    struct board_telemetry live;
    bool charge = control == CONTROL_CHARGE_FET;
    if (limit == 0 || argument != 0 || (!charge && control != CONTROL_DISCHARGE_FET))
        return true;
    if (!board_telemetry(board, &live, error))
        return false;
    if (!telemetry_tells(&live, TELEMETRY_CURRENT))
        return error_set(error, ERROR_RULE,
                         "a FET is not switched off while nothing tells which current flows");
    if (charge ? live.current_ma > -limit : live.current_ma < limit)
        return true;
    g_autofree char *flows = quantity_format(QUANTITY_CURRENT, live.current_ma);
    return error_set(error, ERROR_RULE, "the %s FET must not be switched off while a %s current flows (%s)",
                     charge ? "charge" : "discharge", charge ? "discharge" : "charge", flows);
}

/* 1 is on: turned round for boards that mean it the other way. */
static bool turn_polarity(const struct board *board, enum board_control control, int *argument,
                          GError **error)
{
    if (control != CONTROL_CHARGE_FET && control != CONTROL_DISCHARGE_FET)
        return true;
    if (board->profile->fet_polarity == POLARITY_UNMEASURED)
        return error_set(error, ERROR_RULE,
                         "nobody knows which way round profile '%s' switches a FET: measure it on a board "
                         "with `packline board polarity` and write it into the profile",
                         board->profile->profile);
    if (board->profile->fet_polarity == POLARITY_INVERTED)
        *argument = !*argument;
    return true;
}

static bool send_control(struct board *board, enum board_control control, int argument, GError **error)
{
    const struct described_call call = {.argument = argument};
    const enum profile_procedure_name name = PROCEDURE_RESET + (int)control;
    const bool open = control == CONTROL_RESET || control == CONTROL_ENTER_BOOTLOADER;
    if (!open && !board_may_act(board, error))
        return false;
    return board->dialect->control && !profile_procedure_find(board->profile, name)
               ? board->dialect->control(board, control, argument, error)
               : described_run(board, name, &call, error);
}

bool board_control(struct board *board, enum board_control control, int argument, GError **error)
{
    return check_interlock(board, control, argument, error) &&
           turn_polarity(board, control, &argument, error) && send_control(board, control, argument, error);
}

#define IDLE_MA   500
#define FOLLOW_MS 300

static bool state_after(struct board *board, int raw, bool *on, GError **error)
{
    struct board_telemetry live;
    if (!send_control(board, CONTROL_CHARGE_FET, raw, error) ||
        !wire_pause_ms(board->wire, FOLLOW_MS, error) || !board_telemetry(board, &live, error))
        return false;
    *on = live.charge_fet;
    return true;
}

bool board_measure_polarity(struct board *board, enum profile_polarity *found, GError **error)
{
    struct board_telemetry live;
    bool with_zero, with_one, back;
    if (!board_telemetry(board, &live, error))
        return false;
    if (!telemetry_tells(&live, TELEMETRY_CURRENT) || !telemetry_tells(&live, TELEMETRY_CHARGE_FET) ||
        ABS(live.current_ma) > IDLE_MA || !live.charge_fet || !live.discharge_fet)
        return error_set(error, ERROR_RULE,
                         "the polarity is measured while no current flows and both FETs are on");
    if (!state_after(board, 0, &with_zero, error) || !state_after(board, 1, &with_one, error))
        return false;
    if (with_zero == with_one)
        return error_set(error, ERROR_REFUSED, "the charge FET stays %s with 0 and with 1",
                         with_one ? "on" : "off");
    *found = with_one ? POLARITY_PLAIN : POLARITY_INVERTED;
    if (with_one)
        return true;
    return state_after(board, 0, &back, error) &&
           (back || error_set(error, ERROR_REFUSED, "the charge FET does not go on again"));
}

bool board_calibrate(struct board *board, enum board_calibration what, unsigned sensor, int64_t truth,
                     GError **error)
{
    const struct described_call call = {.truth = truth, .argument = sensor};
    const enum profile_procedure_name name = PROCEDURE_CALIBRATE_CURRENT_ZERO + (int)what;
    if (!board_may_act(board, error))
        return false;
    return board->dialect->calibrate && !profile_procedure_find(board->profile, name)
               ? board->dialect->calibrate(board, what, sensor, truth, error)
               : described_run(board, name, &call, error);
}

bool board_antitheft_off(struct board *board, const struct secret *code, GError **error)
{
    return board->dialect->antitheft_off ? board->dialect->antitheft_off(board, code, error)
                                         : unsupported(board, "anti-theft", error);
}

bool telemetry_tells(const struct board_telemetry *telemetry, enum profile_reading_name reading)
{
    return !(telemetry->untold >> reading & 1);
}

bool board_telemetry(struct board *board, struct board_telemetry *telemetry, GError **error)
{
    return board->dialect->telemetry && board->profile->telemetry->len == 0
               ? board->dialect->telemetry(board, telemetry, error)
               : described_telemetry(board, telemetry, error);
}

bool board_wait_alive(struct board *board, int64_t deadline_us, struct board_identity *identity,
                      GError **error)
{
    struct tick *tick = board->wire->tick;
    /* Behind the step's own time every wait ends at once. */
    deadline_us = MIN(deadline_us, board->wire->limit_us);
    while (true) {
        g_autoptr(GError) silent = NULL;
        if (board_identify(board, identity, &silent))
            return true;
        if (!error_rule(silent)->retry || tick_now(tick) >= deadline_us) {
            g_propagate_prefixed_error(error, g_steal_pointer(&silent), "the application did not start: ");
            return false;
        }
        if (!wire_pause_ms(board->wire, ALIVE_POLL_MS, error))
            return false;
    }
}

bool board_read_item(struct board *board, const struct profile_item *item, struct item_value *value,
                     GError **error)
{
    *value = (struct item_value){.item = item};
    return board_read_values(board, value, 1, error);
}

static bool may_write(const struct board *board, const struct profile_item *item, GError **error)
{
    if (item->access == ACCESS_READ_ONLY)
        return error_set(error, ERROR_RULE, "'%s' is only read: the board alone changes it", item->key);
    if (item->access == ACCESS_NEVER)
        return error_set(error, ERROR_RULE, "'%s' must not be written", item->key);
    if (item->level > board->level)
        return error_set(error, ERROR_RULE, "'%s' needs an administrator login first", item->key);
    return true;
}

bool board_write_item(struct board *board, const struct item_value *value, struct item_value *found,
                      GError **error)
{
    struct item_value read;
    if (!board_write_values(board, value, 1, error) || !board_read_item(board, value->item, &read, error))
        return false;
    if (found)
        *found = read;
    if (profile_value_same(&read, value))
        return true;
    g_autofree char *written = profile_value_format(value);
    g_autofree char *held = profile_value_format(&read);
    return error_set(error, ERROR_MISMATCH, "%s was written as %s but reads %s", value->item->key, written,
                     held);
}

/* The stretch of one block that a set of values touches. */
struct stretch {
    const struct profile_block *block;
    unsigned first, end;
};

static bool stretch_of(const struct profile_block *block, const struct item_value *values, unsigned n,
                       struct stretch *stretch)
{
    *stretch = (struct stretch){block, UINT_MAX, 0};
    for (unsigned i = 0; i < n; i++) {
        const struct profile_item *item = values[i].item;
        if (item->in != block)
            continue;
        stretch->first = MIN(stretch->first, (unsigned)item->offset);
        stretch->end = MAX(stretch->end, (unsigned)item->offset + item->width);
    }
    return stretch->end > 0;
}

static const struct profile_item *readable(const struct profile_item *item)
{
    return item->shown ? item->shown : item;
}

static bool need_session(const struct item_value *values, unsigned n, bool reading)
{
    for (unsigned i = 0; i < n; i++)
        if ((reading ? readable(values[i].item) : values[i].item)->in->session)
            return true;
    return false;
}

static bool read_blocks(struct board *board, struct item_value *values, unsigned n, GError **error)
{
    for (guint b = 0; b < board->profile->blocks->len; b++) {
        const struct profile_block *block = g_ptr_array_index(board->profile->blocks, b);
        struct stretch s;
        if (!stretch_of(block, values, n, &s))
            continue;
        g_autofree uint8_t *bytes = g_malloc(s.end - s.first);
        if (!board->dialect->read_block(board, block, s.first, bytes, s.end - s.first, error)) {
            g_prefix_error(error, "reading block '%s': ", block->name);
            return false;
        }
        for (unsigned i = 0; i < n; i++)
            if (values[i].item->in == block)
                profile_value_decode(values[i].item, bytes + values[i].item->offset - s.first, &values[i]);
    }
    return true;
}

/* A value shown elsewhere, in the raw units of the item that was asked for. */
static void take_shown(const struct profile_item *item, struct item_value *value)
{
    value->item = item;
    if (item->shown && item->type != ITEM_TEXT && item->type != ITEM_BYTES)
        value->raw = (value->value - item->origin) / item->step;
}

bool board_read_values(struct board *board, struct item_value *values, unsigned n, GError **error)
{
    g_autofree const struct profile_item **asked = g_new(const struct profile_item *, MAX(n, 1));
    struct described_session session;
    bool needed = need_session(values, n, true);
    if (!described_open(board, needed, &session, error))
        return false;
    for (unsigned i = 0; i < n; i++) {
        asked[i] = values[i].item;
        values[i].item = readable(asked[i]);
    }
    bool ok = read_blocks(board, values, n, error);
    for (unsigned i = 0; i < n; i++)
        take_shown(asked[i], &values[i]);
    return described_close(board, &session, false, ok, error);
}

static bool covers(const struct stretch *s, const struct item_value *values, unsigned n)
{
    unsigned bytes = 0;
    for (unsigned i = 0; i < n; i++)
        if (values[i].item->in == s->block)
            bytes += values[i].item->width;
    return bytes == s->end - s->first;
}

static bool write_stretch(struct board *board, const struct stretch *s, const struct item_value *values,
                          unsigned n, GError **error)
{
    unsigned size = s->end - s->first;
    g_autofree uint8_t *bytes = g_malloc0(size);
    for (unsigned i = 0; i < n; i++)
        if (values[i].item->in == s->block)
            profile_value_encode(&values[i], bytes + values[i].item->offset - s->first);
    if (board->dialect->write_block(board, s->block, s->first, bytes, size, error))
        return true;
    g_prefix_error(error, "writing block '%s': ", s->block->name);
    return false;
}

/* Neighbours go in one write. Items with gaps between them go in runs, so that bytes nobody named stay
 * untouched. */
static bool write_runs(struct board *board, const struct profile_block *block,
                       const struct item_value *values, unsigned n, GError **error)
{
    unsigned at = 0;
    while (at < block->size) {
        struct stretch run = {block, 0, 0};
        bool grown = true;
        g_autoptr(GArray) members = g_array_new(FALSE, FALSE, sizeof(struct item_value));
        unsigned next = UINT_MAX;
        for (unsigned i = 0; i < n; i++)
            if (values[i].item->in == block && (unsigned)values[i].item->offset >= at)
                next = MIN(next, (unsigned)values[i].item->offset);
        if (next == UINT_MAX)
            return true;
        run.first = run.end = next;
        while (grown) {
            grown = false;
            for (unsigned i = 0; i < n; i++)
                if (values[i].item->in == block && (unsigned)values[i].item->offset == run.end) {
                    g_array_append_val(members, values[i]);
                    run.end += values[i].item->width;
                    grown = true;
                    break;
                }
        }
        if (!write_stretch(board, &run, (const struct item_value *)(const void *)members->data, members->len,
                           error))
            return false;
        at = run.end;
    }
    return true;
}

static bool write_blocks(struct board *board, const struct item_value *values, unsigned n, GError **error)
{
    for (guint b = 0; b < board->profile->blocks->len; b++) {
        const struct profile_block *block = g_ptr_array_index(board->profile->blocks, b);
        struct stretch s;
        if (!stretch_of(block, values, n, &s))
            continue;
        if (!(covers(&s, values, n) ? write_stretch(board, &s, values, n, error)
                                    : write_runs(board, block, values, n, error)))
            return false;
    }
    return true;
}

bool board_write_values(struct board *board, const struct item_value *values, unsigned n, GError **error)
{
    struct described_session session;
    for (unsigned i = 0; i < n; i++)
        if (!may_write(board, values[i].item, error))
            return false;
    return described_open(board, need_session(values, n, false), &session, error) &&
           described_close(board, &session, true, write_blocks(board, values, n, error), error);
}

static bool read_image(struct board *board, struct board_image *image, GError **error)
{
    for (guint b = 0; b < board->profile->blocks->len; b++) {
        const struct profile_block *block = g_ptr_array_index(board->profile->blocks, b);
        GBytes *kept = NULL;
        if (block->in_image) {
            g_autofree uint8_t *bytes = g_malloc((gsize)block->size);
            if (!board->dialect->read_block(board, block, 0, bytes, (unsigned)block->size, error)) {
                g_prefix_error(error, "reading block '%s': ", block->name);
                return false;
            }
            kept = g_bytes_new(bytes, (gsize)block->size);
        }
        g_ptr_array_add(image->blocks, kept);
    }
    return true;
}

struct board_image *board_image_read(struct board *board, GError **error)
{
    struct described_session session;
    bool needed = false;
    for (guint b = 0; b < board->profile->blocks->len; b++) {
        const struct profile_block *block = g_ptr_array_index(board->profile->blocks, b);
        needed |= block->in_image && block->session;
    }
    if (!described_open(board, needed, &session, error))
        return NULL;
    struct board_image *image = g_new0(struct board_image, 1);
    image->profile = board->profile;
    image->blocks = g_ptr_array_new();
    if (described_close(board, &session, false, read_image(board, image, error), error))
        return image;
    board_image_free(image);
    return NULL;
}

void board_image_free(struct board_image *image)
{
    if (!image)
        return;
    for (guint i = 0; i < image->blocks->len; i++)
        if (g_ptr_array_index(image->blocks, i))
            g_bytes_unref(g_ptr_array_index(image->blocks, i));
    g_ptr_array_unref(image->blocks);
    g_free(image);
}

bool board_image_get(const struct board_image *image, const struct profile_item *item,
                     struct item_value *value)
{
    for (guint b = 0; b < image->blocks->len; b++) {
        GBytes *bytes = g_ptr_array_index(image->blocks, b);
        if (g_ptr_array_index(image->profile->blocks, b) != item->in || !bytes)
            continue;
        const uint8_t *data = g_bytes_get_data(bytes, NULL);
        profile_value_decode(item, data + item->offset, value);
        return true;
    }
    return false;
}

/* What is secret stays so where the bytes of its block are shown. */
static char *block_hex(const struct profile *profile, const struct profile_block *block, const uint8_t *bytes,
                       gsize n)
{
    char *hex = g_malloc0(2 * n + 1);
    for (gsize i = 0; i < n; i++)
        g_snprintf(hex + 2 * i, 3, "%02X", bytes[i]);
    for (guint i = 0; i < profile->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(profile->items, i);
        if (item->in == block && item->secret)
            memset(hex + 2 * item->offset, '*', 2 * (gsize)(item->width * item->count));
    }
    return hex;
}

json_t *board_image_json(const struct board_image *image)
{
    json_t *blocks = json_object(), *items = json_object();
    for (guint b = 0; b < image->blocks->len; b++) {
        const struct profile_block *block = g_ptr_array_index(image->profile->blocks, b);
        GBytes *bytes = g_ptr_array_index(image->blocks, b);
        if (!bytes)
            continue;
        gsize n;
        const uint8_t *data = g_bytes_get_data(bytes, &n);
        g_autofree char *hex = block_hex(image->profile, block, data, n);
        json_object_set_new(blocks, block->name, json_string(hex));
    }
    for (guint i = 0; i < image->profile->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(image->profile->items, i);
        struct item_value value;
        if (!board_image_get(image, item, &value))
            continue;
        g_autofree char *text = profile_value_format(&value);
        json_object_set_new(items, item->key, json_string(text));
    }
    return json_pack("{s:s,s:s,s:o,s:o}", "profile", image->profile->profile, "sha256",
                     image->profile->sha256, "blocks", blocks, "items", items);
}
