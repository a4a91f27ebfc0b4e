/* Which board is this, and may this run touch it? Nothing is written here.
 *
 * A board whose application answers says its product, hardware and unique id. One that is silent is looked
 * for in its bootloader (half-flashed or blank): there only MCU id and unique id can be read, so the operator
 * confirms the marking, and the confirmation is on record. */
#include "station/step.h"

#include "station/base/error.h"

#include <string.h>

#define BROADCAST 255 /* highest address of a profile that names none */

extern const struct step_kind step_identify;
/* wake.c: waits for a board that sleeps, and tells what to do. */
bool identify_wake(struct step_context *context, const struct recipe_identify *p, GError **error);
bool identify_bootloader(struct step_context *context, GError **error);
bool identify_check_loader(struct step_context *context, const struct loader_identity *identity,
                           GError **error);

static bool plan_has(const struct plan *plan, const char *verb)
{
    for (unsigned i = 0; i < plan->step_count; i++)
        if (strcmp(plan->steps[i].verb, verb) == 0)
            return true;
    return false;
}

/* A serial number that some other run put there must never be overwritten in silence. */
static bool check_foreign_serial(struct step_context *context, GError **error)
{
    const char *key = context->plan->profile->serial_item;
    const struct profile_item *item = key ? profile_item_find(context->plan->profile, key) : NULL;
    struct item_value value;
    if (!item || !step_writes_serial(context))
        return true;
    if (!board_read_item(context->board, item, &value, error))
        return false;
    if (value.absent || strcmp(value.text, context->plan->sn) == 0)
        return true;
    return error_set(
        error, ERROR_RULE,
        "the board already carries serial number '%s', the scan says '%s': scan the board's own label or "
        "take it to quality",
        value.text, context->plan->sn);
}

/* A board that brings its own number is the unit that was scanned, or another one. */
static bool check_same_serial(struct step_context *context, GError **error)
{
    const struct recipe_identify *p = context->step->parameters;
    const char *key = context->plan->profile->serial_item;
    const struct profile_item *item = key ? profile_item_find(context->plan->profile, key) : NULL;
    struct item_value value;
    if (!p->same_serial)
        return true;
    if (!item)
        return error_set(error, ERROR_AUTHOR,
                         "`same_serial: true`, but profile '%s' does not say which item is the serial number",
                         context->plan->profile->profile);
    if (!board_read_item(context->board, item, &value, error))
        return false;
    return strcmp(value.text, context->plan->sn) == 0 ||
           error_set(
               error, ERROR_RULE,
               "the board's serial number is '%s', the scan says '%s': the wrong label was scanned, or the "
               "wrong board is connected",
               value.absent ? "(not set)" : value.text, context->plan->sn);
}

/* The number may be on a board already: only who stands before it can say whether it is this one, after a
 * failure. */
static bool claim_blank(struct step_context *context, GError **error)
{
    const struct desk *desk = context->desk;
    const char *sn = context->plan->sn;
    struct desk_answer answer = {0};
    g_autoptr(GError) doubt = NULL;
    if (desk->claim(desk->context, context->run, CLAIM_SERIAL_BLANK, context->unique_id, sn, &doubt))
        return step_note(context, "this board has no identity of its own and carries no serial number",
                         error);
    if (error_kind(doubt) != ERROR_RULE) {
        g_propagate_error(error, g_steal_pointer(&doubt));
        return false;
    }
    if (!desk->claim(desk->context, context->run, CLAIM_SERIAL_RESUMED, context->unique_id, sn, error))
        return false;
    g_autofree char *text = g_strdup_printf("%s. Is it the same board?", doubt->message);
    if (!desk->ask(desk->context, &(struct desk_ask){.question = ASK_CONFIRM, .text = text}, &answer, error))
        return false;
    if (!answer.yes)
        return error_set(error, ERROR_RULE, "%s: the operator says that it is another one", doubt->message);
    g_autofree char *told = g_strdup_printf("the operator answered yes to: %s", text);
    return step_note(context, told, error);
}

static bool claim_board(struct step_context *context, GError **error)
{
    const struct desk *desk = context->desk;
    if (!desk->claim(desk->context, context->run, CLAIM_UNIT, context->unique_id, NULL, error))
        return false;
    if (context->blank && !claim_blank(context, error))
        return false;
    const struct recipe_identify *p = context->step->parameters;
    return !(step_writes_serial(context) || p->same_serial) ||
           desk->claim(desk->context, context->run, CLAIM_SERIAL, context->unique_id, context->plan->sn,
                       error);
}

static bool post_identity(struct step_context *context, const char *mcu_id, GError **error)
{
    struct event event = {.type = EVENT_IDENTITY,
                          .unique_id = context->unique_id,
                          .product = context->identity.product,
                          .hardware = context->identity.hardware,
                          .firmware = context->identity.firmware,
                          .bootloader = context->identity.bootloader,
                          .mcu_id = mcu_id};
    return step_post(context, &event, error);
}

bool identify_check_loader(struct step_context *context, const struct loader_identity *identity,
                           GError **error)
{
    const struct manifest *manifest = context->plan->package->manifest;
    bool mcu = false, boot = manifest->bootloaders->len == 0;
    for (guint i = 0; i < manifest->mcu_ids->len; i++)
        mcu |= g_array_index(manifest->mcu_ids, int64_t, i) == identity->mcu_id;
    for (guint i = 0; i < manifest->bootloaders->len; i++)
        boot |= g_array_index(manifest->bootloaders, int64_t, i) == identity->bootloader;
    if (!mcu)
        return error_set(error, ERROR_RULE, "MCU id 0x%04X is not one that firmware %s is signed for",
                         identity->mcu_id, manifest->version);
    if (!boot)
        return error_set(error, ERROR_RULE,
                         "bootloader version %x.%x is not one that firmware %s is signed for",
                         identity->bootloader >> 4, identity->bootloader & 15, manifest->version);
    if (!identity->has_unique_id)
        return error_set(error, ERROR_RULE,
                         "the bootloader shows no unique id, so the board cannot be told from others");
    return step_bind_unique_id(context, identity->unique_id, error);
}

/* A person's time is none of the step's. */
static bool ask(struct step_context *context, const char *text, bool *yes, GError **error)
{
    struct desk_answer answer = {0};
    const int64_t began = tick_now(context->slot->tick);
    if (!context->desk->ask(context->desk->context, &(struct desk_ask){.question = ASK_CONFIRM, .text = text},
                            &answer, error))
        return false;
    if (context->wire->limit_us != TICK_NEVER)
        context->wire->limit_us += tick_now(context->slot->tick) - began;
    *yes = answer.yes;
    return true;
}

static bool confirm_marking(struct step_context *context, GError **error)
{
    const struct manifest *manifest = context->plan->package->manifest;
    g_autofree char *hardware = g_strdup(g_ptr_array_index(manifest->hardware, 0));
    g_autofree char *text = g_strdup_printf(
        "The board has no running application. Is it marked %s, hardware %s?", manifest->product, hardware);
    bool yes;
    if (!ask(context, text, &yes, error))
        return false;
    if (!yes)
        return error_set(error, ERROR_RULE,
                         "wrong board in the slot: the operator says its marking is not %s %s",
                         manifest->product, hardware);
    g_autofree char *note = g_strdup_printf("no application runs; the operator confirmed the marking %s %s",
                                            manifest->product, hardware);
    return step_note(context, note, error);
}

bool identify_bootloader(struct step_context *context, GError **error)
{
    const struct profile_firmware *firmware = &context->plan->profile->firmware;
    const struct loader_memory memory = {.address = (uint32_t)firmware->flash_address,
                                         .size = (uint32_t)firmware->flash_size,
                                         .page = (uint32_t)firmware->page_size,
                                         .unique_id_address = (uint32_t)firmware->unique_id_address};
    if (!wire_set_line(context->wire, &firmware->line, error))
        return false;
    struct loader *loader = loader_open(loader_kind_find(firmware->loader), context->wire, &memory, error);
    if (!loader) {
        g_autoptr(GError) ignored = NULL;
        (void)!wire_set_line(context->wire, &context->plan->profile->line, &ignored);
        return false;
    }
    g_autofree char *mcu_id = g_strdup_printf("0x%04X", loader->identity.mcu_id);
    g_snprintf(context->identity.bootloader, sizeof context->identity.bootloader, "%x.%x",
               loader->identity.bootloader >> 4, loader->identity.bootloader & 15);
    bool ok = identify_check_loader(context, &loader->identity, error);
    loader_close(loader);
    context->in_bootloader = true;
    return ok && confirm_marking(context, error) && claim_board(context, error) &&
           post_identity(context, mcu_id, error);
}

/* A torn application may keep its bootloader away, too: once in a run the operator is told how to bring it.
 */
static bool reset_by_hand(struct step_context *context, bool *done, GError **error)
{
    const GPtrArray *entries = context->plan->profile->firmware.entries;
    const char *prompt = NULL;
    *done = false;
    for (guint i = 0; i < entries->len; i++) {
        const struct profile_entry *entry = g_ptr_array_index(entries, i);
        if (entry->way == ENTRY_PROMPT && entry->prompt)
            prompt = entry->prompt;
    }
    if (!prompt || context->asked_reset)
        return true;
    context->asked_reset = true;
    g_autofree char *text =
        g_strdup_printf("Neither application nor bootloader answers. If the board is connected "
                        "and powered, its firmware may be torn. %s",
                        prompt);
    if (!ask(context, text, done, error))
        return false;
    return !*done || step_note(context,
                               "neither application nor bootloader answered; the operator reset the board "
                               "by hand into its bootloader",
                               error);
}

static bool find_bootloader(struct step_context *context, GError **error)
{
    g_autoptr(GError) silent = NULL;
    bool done;
    if (identify_bootloader(context, &silent))
        return true;
    if (error_kind(silent) != ERROR_SILENT) {
        g_propagate_error(error, g_steal_pointer(&silent));
        return false;
    }
    if (!reset_by_hand(context, &done, error))
        return false;
    if (done)
        return identify_bootloader(context, error);
    g_propagate_error(error, g_steal_pointer(&silent));
    return false;
}

/* On a line of several packs the record says which one was spoken to, all along. */
static bool note_address(struct step_context *context, GError **error)
{
    if (context->plan->profile->address_max == BROADCAST)
        return true;
    g_autofree char *text =
        g_strdup_printf("locked to address %u for the whole run", context->board->address);
    return step_note(context, text, error);
}

static bool run(struct step_context *context, GError **error)
{
    const struct recipe_identify *p = context->step->parameters;
    g_autoptr(GError) silence = NULL;
    if (!note_address(context, error))
        return false;
    if (p->wake && !identify_wake(context, p, error))
        return false;
    if (board_identify(context->board, &context->identity, &silence)) {
        return step_check_identity(context, &context->identity, error) &&
               (!p->login || step_login(context, p->level, p->login, error)) &&
               step_bind_board(context, &context->identity, error) && step_check_chemistry(context, error) &&
               check_foreign_serial(context, error) && check_same_serial(context, error) &&
               claim_board(context, error) && post_identity(context, NULL, error);
    }
    if (error_kind(silence) == ERROR_SILENT && plan_has(context->plan, "flash")) {
        g_autoptr(GError) no_bootloader = NULL;
        if (find_bootloader(context, &no_bootloader))
            return true;
        if (error_kind(no_bootloader) != ERROR_SILENT) {
            g_propagate_error(error, g_steal_pointer(&no_bootloader));
            return false;
        }
    }
    if (error_kind(silence) == ERROR_SILENT)
        return error_set(error, ERROR_ABSENT,
                         "no board answers at address %u: neither its application nor its bootloader (%s)",
                         context->board->address, silence->message);
    g_propagate_error(error, g_steal_pointer(&silence));
    return false;
}

const struct step_kind step_identify = {
    .verb = "identify",
    .title = "Identify the board",
    .repeatable = true,
    .timeout_s = 30,
    .run = run,
};
