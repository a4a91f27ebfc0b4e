#include "proto/described.h"

#include "station/base/error.h"

#include <string.h>

#define POLL_MS   50
#define BLOCK_MAX 1024
#define SURE_MA   1000 /* a smaller current may be none at all */

static bool unsupported(const struct board *board, const char *what, GError **error)
{
    return error_set(error, ERROR_REFUSED, "%s is not supported by profile '%s'", what,
                     board->profile->profile);
}

/* Identity */
static bool read_word(struct board *board, const char *key, char *text, size_t n, GError **error)
{
    struct item_value value;
    const struct profile_item *item = profile_item_find(board->profile, key);
    text[0] = '\0';
    if (!item)
        return true;
    if (!board_read_item(board, item, &value, error))
        return false;
    g_autofree char *shown = value.absent ? g_strdup("") : profile_value_format(&value);
    g_strlcpy(text, shown, n);
    return true;
}

/* A text as a unique id: as it is when it fits, else what is left of its digest. */
static void shorten(const char *text, uint8_t id[12])
{
    const size_t n = strlen(text);
    if (n <= 12) {
        memcpy(id, text, n);
        return;
    }
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    uint8_t digest[32];
    gsize size = sizeof digest;
    g_checksum_update(sum, (const guchar *)text, (gssize)n);
    g_checksum_get_digest(sum, digest, &size);
    memcpy(id, digest, 12);
}

static bool read_unique_id(struct board *board, const char *key, struct board_identity *identity,
                           GError **error)
{
    struct item_value value;
    const struct profile_item *item = profile_item_find(board->profile, key);
    if (!item)
        return true;
    if (!board_read_item(board, item, &value, error))
        return false;
    if (item->type == ITEM_TEXT)
        shorten(value.text, identity->unique_id);
    for (unsigned i = 0; item->type == ITEM_BYTES && i < sizeof identity->unique_id; i++)
        identity->unique_id[i] = (uint8_t)(g_ascii_xdigit_value(value.text[2 * i]) << 4 |
                                           g_ascii_xdigit_value(value.text[2 * i + 1]));
    identity->has_unique_id = !value.absent;
    return true;
}

bool described_identify(struct board *board, struct board_identity *identity, GError **error)
{
    const struct profile_identity *from = &board->profile->identity;
    memset(identity, 0, sizeof *identity);
    if (!from->product)
        return unsupported(board, "identify", error);
    return read_word(board, from->hardware, identity->hardware, sizeof identity->hardware, error) &&
           read_word(board, from->product, identity->product, sizeof identity->product, error) &&
           read_word(board, from->project, identity->project, sizeof identity->project, error) &&
           read_word(board, from->firmware, identity->firmware, sizeof identity->firmware, error) &&
           read_word(board, from->bootloader, identity->bootloader, sizeof identity->bootloader, error) &&
           read_unique_id(board, from->unique_id, identity, error);
}

/* Readings: each block that holds one is read once. */
struct snapshot {
    const struct profile_block *block;
    uint8_t bytes[BLOCK_MAX];
};

static bool load(struct board *board, struct snapshot *snapshot, const struct profile_block *block,
                 GError **error)
{
    if (snapshot->block == block)
        return true;
    snapshot->block = NULL;
    if (!board->dialect->read_block(board, block, 0, snapshot->bytes, (unsigned)block->size, error)) {
        g_prefix_error(error, "reading block '%s': ", block->name);
        return false;
    }
    snapshot->block = block;
    return true;
}

static void decode(const struct snapshot *snapshot, const struct profile_item *item, unsigned element,
                   struct item_value *value)
{
    profile_value_decode(item, snapshot->bytes + item->offset + element * item->width, value);
}

static void name_bits(struct board_telemetry *t, const struct profile_reading *reading, uint32_t *mask,
                      uint32_t bits)
{
    for (guint i = 0; i < reading->flags->len; i++) {
        const char *name = g_ptr_array_index(reading->flags, i);
        const bool normal = reading->normal >> i & 1;
        if ((bits >> i & 1) == normal || strcmp(name, "-") == 0)
            continue;
        *mask |= 1u << i;
        if (t->active[0])
            g_strlcat(t->active, ", ", sizeof t->active);
        g_strlcat(t->active, name, sizeof t->active);
        g_strlcat(t->active, normal ? " off" : "", sizeof t->active);
    }
}

static int64_t temperature(const struct item_value *value)
{
    return value->absent ? TELEMETRY_ABSENT : value->value;
}

static bool is_on(const struct profile_reading *reading, const struct item_value *value)
{
    return reading->bit < 0 ? value->raw != 0 : value->raw >> reading->bit & 1;
}

/* Coils and other flags of a byte each, as the bits of one number. */
static void gather_bits(const struct profile_item *item, const struct snapshot *snapshot,
                        struct item_value *value)
{
    if (item->type != ITEM_FLAG || item->count == 1)
        return;
    value->raw = 0;
    for (unsigned i = 0; i < MIN(item->count, 32); i++)
        value->raw |= (int64_t)(snapshot->bytes[item->offset + i] != 0) << i;
}

static void take_lists(struct board_telemetry *t, const struct profile_reading *reading,
                       const struct snapshot *snapshot, unsigned cells)
{
    const struct profile_item *item = reading->in;
    struct item_value value;
    if (reading->reading == TELEMETRY_CELLS) {
        t->cells = MIN(MIN((unsigned)item->count, cells), BOARD_CELLS_MAX);
        for (unsigned i = 0; i < t->cells; i++) {
            decode(snapshot, item, i, &value);
            t->cell_mv[i] = value.value;
        }
    }
    if (reading->reading == TELEMETRY_SENSORS) {
        t->sensors = MIN((unsigned)item->count, BOARD_SENSORS_MAX);
        for (unsigned i = 0; i < t->sensors; i++) {
            decode(snapshot, item, i, &value);
            t->sensor_mdeg[i] = temperature(&value);
        }
    }
}

static void take(struct board *board, struct board_telemetry *t, const struct profile_reading *reading,
                 const struct item_value *value)
{
    switch ((enum profile_reading_name)reading->reading) {
    case TELEMETRY_AMBIENT:
        t->ambient_mdeg = temperature(value);
        break;
    case TELEMETRY_MOS:
        t->mos_mdeg = temperature(value);
        break;
    case TELEMETRY_PACK_VOLTAGE:
        t->pack_mv = value->value;
        break;
    case TELEMETRY_CURRENT:
        t->current_ma = value->value * board->profile->charge_sign;
        break;
    case TELEMETRY_SOC:
        t->soc_ppc = value->value;
        t->soc_more_ppc = reading->truncated ? reading->in->step - 1 : 0;
        break;
    case TELEMETRY_SOH:
        t->soh_ppc = value->value;
        break;
    case TELEMETRY_FULL:
        t->full_mah = value->value;
        break;
    case TELEMETRY_REMAINING:
        t->remaining_mah = value->value;
        break;
    case TELEMETRY_CYCLES:
        t->cycles = value->value;
        break;
    case TELEMETRY_CHARGE_FET:
        t->charge_fet = is_on(reading, value);
        break;
    case TELEMETRY_DISCHARGE_FET:
        t->discharge_fet = is_on(reading, value);
        break;
    case TELEMETRY_PROTECTIONS:
        name_bits(t, reading, &t->protections, (uint32_t)value->raw);
        break;
    case TELEMETRY_ALARMS:
        name_bits(t, reading, &t->alarms, (uint32_t)value->raw);
        break;
    case TELEMETRY_DIRECTION:
        t->charging = value->raw == 1;
        t->discharging = value->raw == 2;
        break;
    case TELEMETRY_CELLS:
    case TELEMETRY_SENSORS:
    case TELEMETRY_ANTITHEFT: /* no name of a profile */
        break;
    }
}

/* A board that says itself whether it is charged tells when the profile has its sign wrong. */
static bool check_direction(const struct board *board, struct board_telemetry *t, GError **error)
{
    const bool wrong =
        (t->charging && t->current_ma < -SURE_MA) || (t->discharging && t->current_ma > SURE_MA);
    if (wrong)
        return error_set(error, ERROR_RULE,
                         "the board says that it is %s, but its current reads %" G_GINT64_FORMAT
                         " mA: charge_sign of profile '%s' is not that of this board",
                         t->charging ? "charged" : "discharged", t->current_ma, board->profile->profile);
    t->charging = t->current_ma > 0;
    t->discharging = t->current_ma < 0;
    return true;
}

static bool odd_reading(const struct board *board, const struct profile_item *item,
                        const struct item_value *value, const char *why, GError **error)
{
    return error_set(error, ERROR_GARBLED, "%s of board %u (raw %" G_GINT64_FORMAT "): %s", item->key,
                     board->address, value->raw, why);
}

/* The cells that there are: as the board is set, or all the profile has room for. */
static bool count_cells(struct board *board, unsigned *cells, GError **error)
{
    struct item_value value;
    const struct profile_item *item = profile_item_find(board->profile, board->profile->cells_item);
    *cells = BOARD_CELLS_MAX;
    if (!item)
        return true;
    if (!board_read_item(board, item, &value, error))
        return false;
    if (value.absent || value.value < 0 || value.value > BOARD_CELLS_MAX)
        return odd_reading(board, item, &value, "no board has so many cells", error);
    *cells = (unsigned)value.value;
    return true;
}

/* A temperature may be that of no sensor; of all else a board that knows no value has none to go by. */
static bool check_there(const struct board *board, const struct profile_reading *reading,
                        const struct snapshot *snapshot, unsigned cells, GError **error)
{
    const struct profile_item *item = reading->in;
    struct item_value value;
    if (item->quantity == QUANTITY_TEMPERATURE)
        return true;
    if (reading->reading == TELEMETRY_CELLS && board->profile->cells_item && cells > item->count)
        return error_set(
            error, ERROR_GARBLED,
            "board %u says that it has %u cells, %s of profile '%s' has room for %" G_GINT64_FORMAT,
            board->address, cells, item->key, board->profile->profile, item->count);
    const unsigned n = reading->reading == TELEMETRY_CELLS ? MIN((unsigned)item->count, cells) : 1;
    for (unsigned i = 0; i < n; i++) {
        decode(snapshot, item, i, &value);
        if (value.absent)
            return odd_reading(board, item, &value, "the board knows no value", error);
    }
    return true;
}

bool described_telemetry(struct board *board, struct board_telemetry *telemetry, GError **error)
{
    const GPtrArray *readings = board->profile->telemetry;
    g_autofree struct snapshot *snapshot = g_new0(struct snapshot, 1);
    unsigned cells;
    memset(telemetry, 0, sizeof *telemetry);
    telemetry->untold = UINT32_MAX;
    telemetry->ambient_mdeg = telemetry->mos_mdeg = TELEMETRY_ABSENT;
    if (readings->len == 0)
        return unsupported(board, "telemetry", error);
    if (!count_cells(board, &cells, error))
        return false;
    for (guint i = 0; i < readings->len; i++) {
        const struct profile_reading *reading = g_ptr_array_index(readings, i);
        struct item_value value;
        if (!load(board, snapshot, reading->in->in, error) ||
            !check_there(board, reading, snapshot, cells, error))
            return false;
        decode(snapshot, reading->in, 0, &value);
        gather_bits(reading->in, snapshot, &value);
        take_lists(telemetry, reading, snapshot, cells);
        take(board, telemetry, reading, &value);
        telemetry->untold &= ~(1u << reading->reading);
    }
    return check_direction(board, telemetry, error);
}

/* Sessions */
static bool run_quietly(struct board *board, enum profile_procedure_name name)
{
    g_autoptr(GError) ignored = NULL; /* something else failed already */
    return !profile_procedure_find(board->profile, name) ||
           described_run(board, name, &(struct described_call){0}, &ignored);
}

bool described_open(struct board *board, bool needed, struct described_session *session, GError **error)
{
    const struct described_call call = {0};
    session->opened = needed && !board->in_session && profile_procedure_find(board->profile, PROCEDURE_OPEN);
    if (!session->opened)
        return true;
    board->in_session = true;
    if (described_run(board, PROCEDURE_OPEN, &call, error))
        return true;
    /* The answer may have been lost and the session be open. */
    run_quietly(board, PROCEDURE_DISCARD);
    board->in_session = session->opened = false;
    return false;
}

bool described_close(struct board *board, const struct described_session *session, bool save, bool ok,
                     GError **error)
{
    const struct described_call call = {0};
    const enum profile_procedure_name name = save && ok ? PROCEDURE_SAVE : PROCEDURE_DISCARD;
    if (!session->opened)
        return ok;
    if (!ok)
        run_quietly(board, name);
    else if (profile_procedure_find(board->profile, name))
        ok = described_run(board, name, &call, error);
    board->in_session = false;
    return ok;
}

/* Procedures */
static bool raw_of(const struct board *board, const struct profile_act_write *write,
                   const struct described_call *call, int64_t *raw, GError **error)
{
    const struct profile_item *item = write->in;
    int64_t truth = call->truth;
    *raw = write->what == ACT_ARGUMENT ? call->argument : write->raw;
    if (write->what == ACT_NUMBER || write->what == ACT_ARGUMENT)
        return true;
    if (write->what == ACT_DISCHARGE)
        truth = -truth;
    else if (write->what == ACT_TRUTH && item->quantity == QUANTITY_CURRENT)
        truth *= board->profile->charge_sign;
    truth -= item->origin;
    *raw = (truth + (truth < 0 ? -item->step : item->step) / 2) / item->step;
    const unsigned bits = 8 * item->width;
    const bool is_signed = item->type == ITEM_I8 || item->type == ITEM_I16 || item->type == ITEM_I32;
    const int64_t low = is_signed ? -(INT64_C(1) << (bits - 1)) : 0;
    const int64_t high = (INT64_C(1) << (is_signed ? bits - 1 : bits)) - 1;
    return (*raw >= low && *raw <= high) ||
           error_set(error, ERROR_RULE, "%" G_GINT64_FORMAT " does not fit into %s", *raw, item->key);
}

static bool act_write(struct board *board, const struct profile_act_write *write,
                      const struct described_call *call, GError **error)
{
    const struct profile_item *item = write->in;
    struct item_value value = {.item = item};
    uint8_t bytes[8];
    int64_t element = item->count > 1 ? call->argument : 0;
    if ((write->what == ACT_CHARGE && call->truth <= 0) || (write->what == ACT_DISCHARGE && call->truth >= 0))
        return true;
    if (element < 0 || element >= item->count)
        return error_set(error, ERROR_RULE,
                         "%s has the elements 0 to %" G_GINT64_FORMAT ", not %" G_GINT64_FORMAT, item->key,
                         item->count - 1, element);
    if (!raw_of(board, write, call, &value.raw, error))
        return false;
    profile_value_encode(&value, bytes);
    return board->dialect->write_block(board, item->in, (unsigned)(item->offset + element * item->width),
                                       bytes, item->width, error);
}

static bool act_expect(struct board *board, const struct profile_act_expect *expect, GError **error)
{
    struct item_value value;
    int64_t deadline = tick_now(board->wire->tick) + expect->within;
    do {
        if (!board_read_item(board, expect->in, &value, error))
            return false;
        if (value.raw == expect->value)
            return true;
        if (!wire_pause_ms(board->wire, POLL_MS, error))
            return false;
    } while (tick_now(board->wire->tick) < deadline);
    return error_set(error, ERROR_REFUSED, "%s stays %" G_GINT64_FORMAT ", %" G_GINT64_FORMAT " was expected",
                     expect->item, value.raw, expect->value);
}

static bool is_for(const struct bind_variant_value *act, const struct described_call *call)
{
    const struct profile_act_write *write = act->value;
    return strcmp(act->variant->tag, "write") != 0 || write->when < 0 || write->when == call->argument;
}

static bool act(struct board *board, const struct bind_variant_value *act, const struct described_call *call,
                GError **error)
{
    if (strcmp(act->variant->tag, "write") == 0)
        return act_write(board, act->value, call, error);
    if (strcmp(act->variant->tag, "wait") == 0)
        return wire_pause_ms(board->wire, ((struct profile_act_wait *)act->value)->time / 1000, error);
    return act_expect(board, act->value, error);
}

static bool is_session(const struct bind_variant_value *act)
{
    const struct profile_item *item = NULL;
    if (strcmp(act->variant->tag, "write") == 0)
        item = ((const struct profile_act_write *)act->value)->in;
    else if (strcmp(act->variant->tag, "expect") == 0)
        item = ((const struct profile_act_expect *)act->value)->in;
    return item && item->in->session;
}

static bool run_acts(struct board *board, const struct profile_procedure *procedure,
                     const struct described_call *call, GError **error)
{
    unsigned writes = 0;
    for (guint i = 0; i < procedure->acts->len; i++)
        writes += is_for(g_ptr_array_index(procedure->acts, i), call);
    if (writes == 0)
        return unsupported(board, profile_procedure_word((enum profile_procedure_name)procedure->procedure),
                           error);
    for (guint i = 0; i < procedure->acts->len; i++) {
        g_autoptr(GError) failure = NULL;
        if (!is_for(g_ptr_array_index(procedure->acts, i), call))
            continue;
        bool farewell = i + 1 == procedure->acts->len && !procedure->answers_last;
        board->one_try = farewell;
        bool done = act(board, g_ptr_array_index(procedure->acts, i), call, &failure);
        board->one_try = false;
        if (done || (farewell && error_kind(failure) == ERROR_SILENT))
            continue;
        g_propagate_prefixed_error(error, g_steal_pointer(&failure),
                                   "%s: ", profile_procedure_word(procedure->procedure));
        return false;
    }
    return true;
}

bool described_run(struct board *board, enum profile_procedure_name name, const struct described_call *call,
                   GError **error)
{
    const struct profile_procedure *procedure = profile_procedure_find(board->profile, name);
    struct described_session session;
    bool needed = false;
    if (!procedure)
        return unsupported(board, profile_procedure_word(name), error);
    for (guint i = 0; i < procedure->acts->len; i++)
        needed |= is_session(g_ptr_array_index(procedure->acts, i));
    return described_open(board, needed, &session, error) &&
           described_close(board, &session, true, run_acts(board, procedure, call, error), error);
}

/* Clock */
bool described_clock_read(struct board *board, int64_t *wall_us, GError **error)
{
    const struct profile_clock *clock = &board->profile->clock;
    uint8_t bytes[8];
    if (!clock->in)
        return unsupported(board, "reading the clock", error);
    return board->dialect->read_block(board, clock->in->in, (unsigned)clock->in->offset, bytes,
                                      clock->in->width, error) &&
           described_time_decode(clock, bytes, tick_wall(board->wire->tick), wall_us, error);
}

bool described_clock_write(struct board *board, int64_t wall_us, GError **error)
{
    const struct profile_clock *clock = &board->profile->clock;
    uint8_t bytes[8];
    if (!clock->in)
        return unsupported(board, "setting the clock", error);
    return described_time_encode(clock, wall_us, bytes, error) &&
           board->dialect->write_block(board, clock->in->in, (unsigned)clock->in->offset, bytes,
                                       clock->in->width, error);
}
