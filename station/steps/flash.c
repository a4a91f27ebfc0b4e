/* Firmware: into the bootloader, identity checked again, erase, program, prove every byte, start, and the
 * application must say the version that the manifest promises. */
#include "station/step.h"

#include "station/base/error.h"

#include <string.h>

extern const struct step_kind step_flash;
bool identify_check_loader(struct step_context *context, const struct loader_identity *identity,
                           GError **error);

#define COMMAND_TRIES 2

struct flash_progress {
    struct step_context *context;
};

static void progress(void *data, enum loader_phase phase, uint64_t done, uint64_t total)
{
    struct flash_progress *p = data;
    step_progress(p->context, loader_phase_name(phase), done, total);
}

/* DTR drives the boot pin, RTS the reset; both are released again after the reset. */
static bool pulse_modem_lines(struct wire *wire, GError **error)
{
    return wire_set_signal(wire, WIRE_DTR, true, error) && wire_set_signal(wire, WIRE_RTS, true, error) &&
           wire_pause_ms(wire, 50, error) && wire_set_signal(wire, WIRE_RTS, false, error) &&
           wire_pause_ms(wire, 50, error) && wire_set_signal(wire, WIRE_DTR, false, error);
}

static bool ask_operator(struct step_context *context, const char *text, GError **error)
{
    struct desk_answer answer = {0};
    if (!context->desk->ask(context->desk->context, &(struct desk_ask){.question = ASK_CONFIRM, .text = text},
                            &answer, error))
        return false;
    return answer.yes || error_set(error, ERROR_CANCELLED, "the operator did not confirm: %s", text);
}

static bool enter_by(struct step_context *context, const struct profile_entry *entry, GError **error)
{
    switch ((enum profile_entry_way)entry->way) {
    case ENTRY_COMMAND:
        if (context->in_bootloader)
            return true;
        if (!board_control(context->board, CONTROL_ENTER_BOOTLOADER, 0, error))
            return false;
        break;
    case ENTRY_MODEM_LINES:
        if (!pulse_modem_lines(context->wire, error))
            return false;
        break;
    case ENTRY_PROMPT:
        if (!ask_operator(context,
                          entry->prompt ? entry->prompt : "Put the board into its bootloader, then confirm.",
                          error))
            return false;
        break;
    }
    return wire_pause_ms(context->wire, entry->settle / 1000, error);
}

static struct loader *open_loader(struct step_context *context, GError **error)
{
    const struct profile_firmware *f = &context->plan->profile->firmware;
    const struct loader_memory memory = {
        .address = (uint32_t)f->flash_address,
        .size = (uint32_t)f->flash_size,
        .page = (uint32_t)f->page_size,
        .protect = (uint32_t)f->protect_size,
        .unique_id_address = (uint32_t)f->unique_id_address,
        .erase_page_ms_max = (unsigned)(f->erase_page_max / 1000),
        .program_block_ms_max = (unsigned)(f->program_block_max / 1000),
        .mass_erase_ms_max = (unsigned)(f->mass_erase_max / 1000),
    };
    if (!wire_set_line(context->wire, &f->line, error) || !wire_discard(context->wire, error))
        return NULL;
    return loader_open(loader_kind_find(f->loader), context->wire, &memory, error);
}

static bool unheard(const GError *failure)
{
    return error_kind(failure) == ERROR_SILENT || error_kind(failure) == ERROR_GARBLED;
}

/* A lost answer to the command says nothing about where the board is: the bootloader is asked before the
 * command is repeated. */
static struct loader *enter_one_way(struct step_context *context, const struct profile_entry *entry,
                                    GError **error)
{
    const int tries = entry->way == ENTRY_COMMAND ? COMMAND_TRIES : 1;
    struct loader *loader = NULL;
    bool again = true;
    for (int i = 0; again; i++) {
        g_autoptr(GError) failure = NULL;
        if (!wire_set_line(context->wire, &context->plan->profile->line, error))
            return NULL;
        bool entered = enter_by(context, entry, &failure);
        if (entered || (entry->way == ENTRY_COMMAND && unheard(failure))) {
            g_clear_error(&failure);
            loader = open_loader(context, &failure);
        }
        again = !loader && unheard(failure) && i + 1 < tries;
        if (!loader && !again)
            g_propagate_error(error, g_steal_pointer(&failure));
    }
    return loader;
}

static struct loader *enter(struct step_context *context, GError **error)
{
    const struct profile_firmware *f = &context->plan->profile->firmware;
    g_autoptr(GError) last = NULL;
    for (guint i = 0; i < f->entries->len; i++) {
        g_clear_error(&last);
        struct loader *loader = enter_one_way(context, g_ptr_array_index(f->entries, i), &last);
        if (loader)
            return loader;
        if (!unheard(last) && error_kind(last) != ERROR_REFUSED)
            break;
    }
    if (!last)
        error_set(&last, ERROR_AUTHOR, "the profile names no way into the bootloader");
    g_propagate_prefixed_error(error, g_steal_pointer(&last), "entering the bootloader: ");
    return NULL;
}

/* Read over the loader again: the board under the probes may have been swapped while bytes were flowing. */
static bool same_board_in_loader(struct step_context *context, struct loader *loader, GError **error)
{
    uint8_t id[12];
    if (!loader_read_agreed(loader, loader->memory.unique_id_address, id, sizeof id, error))
        return false;
    return step_bind_unique_id(context, id, error);
}

static bool prove(struct step_context *context, struct loader *loader, GError **error)
{
    const struct recipe_flash *parameters = context->step->parameters;
    const struct image *image = context->plan->package->image;
    struct flash_progress p = {context};
    struct loader_proof proof = {0};
    bool there = false;

    if (parameters->skip_if_identical) {
        g_autoptr(GError) differs = NULL;
        there = loader_verify(loader, image, progress, &p, &proof, &differs);
        if (!there && error_kind(differs) != ERROR_MISMATCH) {
            g_propagate_error(error, g_steal_pointer(&differs));
            return false;
        }
        if (there &&
            !step_note(context, "identical bytes were already on the device; nothing was written", error))
            return false;
    }
    if (!there && (!step_intent(context, "erase", context->plan->package->manifest_sha256, error) ||
                   !loader_flash(loader, image, progress, &p, &proof, error)))
        return false;
    char wanted[65];
    image_sha256(image, wanted);
    if (strcmp(proof.sha256, wanted) != 0)
        return error_set(error, ERROR_MISMATCH,
                         "the bytes on the device have SHA-256 %.16s…, the manifest %.16s…", proof.sha256,
                         wanted);
    if (!same_board_in_loader(context, loader, error))
        return false;
    g_autofree char *again =
        proof.writings > 1 ? g_strdup_printf(", written %u times", proof.writings) : g_strdup("");
    g_autofree char *text =
        g_strdup_printf("sha256 %s by %s, %" G_GUINT64_FORMAT " bytes, %" G_GUINT64_FORMAT " blank%s",
                        proof.sha256, proof.method, proof.bytes, proof.blank_bytes, again);
    return step_result(context, "verify", text, error);
}

static bool start_application(struct step_context *context, struct loader *loader, GError **error)
{
    const struct profile *profile = context->plan->profile;
    const struct manifest *manifest = context->plan->package->manifest;
    if (!loader->kind->go(loader, (uint32_t)manifest->load_address, error) ||
        !wire_set_line(context->wire, &profile->line, error))
        return false;
    context->board->level = 0;
    context->in_bootloader = false;
    int64_t deadline = tick_now(context->slot->tick) + profile->firmware.start_max;
    if (!board_wait_alive(context->board, deadline, &context->identity, error))
        return false;
    if (strcmp(context->identity.firmware, manifest->version) != 0)
        return error_set(error, ERROR_MISMATCH, "the application reports version %s, the manifest says %s",
                         context->identity.firmware, manifest->version);
    return step_check_identity(context, &context->identity, error) && step_same_board(context, error);
}

/* Only the bootloader tells the MCU; the record keeps it beside what the application said. */
static bool post_loader_identity(struct step_context *context, const struct loader *loader, GError **error)
{
    g_autofree char *mcu_id = g_strdup_printf("0x%04X", loader->identity.mcu_id);
    g_autofree char *bootloader =
        g_strdup_printf("%x.%x", loader->identity.bootloader >> 4, loader->identity.bootloader & 15);
    struct event event = {
        .type = EVENT_IDENTITY, .unique_id = context->unique_id, .mcu_id = mcu_id, .bootloader = bootloader};
    return step_post(context, &event, error);
}

/* Where the maker sells builds with and without an upgrade over this line, the board says which it is. One
 * that sits in its bootloader has shown that it has one. */
static bool check_build(struct step_context *context, GError **error)
{
    const struct profile *profile = context->plan->profile;
    const struct profile_item *item = profile_item_find(profile, profile->firmware.build_item);
    struct item_value value;
    if (!item || context->in_bootloader)
        return true;
    if (!board_read_item(context->board, item, &value, error))
        return false;
    return value.raw != 0 ||
           error_set(
               error, ERROR_RULE,
               "this build of the board takes no firmware over this line (%s is %s): use the maker's way "
               "for it, and a recipe without `flash`",
               item->key, value.absent ? "absent" : "off");
}

static bool run(struct step_context *context, GError **error)
{
    context->firmware_proved = false;
    if (!check_build(context, error))
        return false;
    struct loader *loader = enter(context, error);
    if (!loader)
        return false;
    bool ok = identify_check_loader(context, &loader->identity, error) &&
              post_loader_identity(context, loader, error) && prove(context, loader, error) &&
              start_application(context, loader, error);
    loader_close(loader);
    context->firmware_proved = ok;
    return ok && step_result(context, "firmware", context->identity.firmware, error);
}

const struct step_kind step_flash = {
    .verb = "flash",
    .title = "Flash and verify the firmware",
    .repeatable = false, /* the loader retries what may be repeated itself */
    .timeout_s = 900,
    .run = run,
};
