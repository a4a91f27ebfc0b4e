/* board control: what a service technician asks a board to do. */
#include "station/cli_session.h"

#include "station/base/error.h"

#include <string.h>

extern const struct cli_verb cli_service_verbs[];

/* What a service technician may ask a board to do, one visible table. */
static const struct {
    const char *name;
    enum board_control control;
    int argument;
} controls[] = {
    {"reset", CONTROL_RESET, 0},
    {"sleep", CONTROL_SLEEP, 0},
    {"charge-fet-on", CONTROL_CHARGE_FET, 1},
    {"charge-fet-off", CONTROL_CHARGE_FET, 0},
    {"discharge-fet-on", CONTROL_DISCHARGE_FET, 1},
    {"discharge-fet-off", CONTROL_DISCHARGE_FET, 0},
    {"charge-limiter-on", CONTROL_CHARGE_LIMITER, 1},
    {"charge-limiter-off", CONTROL_CHARGE_LIMITER, 0},
    {"clear-pcb-barcode", CONTROL_CLEAR_PCB_BARCODE, 0},
    {"factory-defaults", CONTROL_FACTORY_DEFAULTS, 0},
    {"enter-bootloader", CONTROL_ENTER_BOOTLOADER, 0},
};

/* Behind the request the board is silent until firmware comes or its supply goes. */
static bool may_control(const struct cli_input *input, enum board_control control, GError **error)
{
    return control != CONTROL_ENTER_BOOTLOADER || cli_has(input, "engineer") ||
           error_set(error, ERROR_RULE,
                     "the application ends, and perhaps only the maker's tool can start it again: --engineer "
                     "confirms it");
}

/* What the board holds now is not what anybody wrote: it is read whole, at once. */
static bool read_after_defaults(struct session *session, GError **error)
{
    struct board_identity identity;
    struct tick *tick = session->wire->tick;
    if (!board_wait_alive(session->board, tick_now(tick) + TICK_S(10), &identity, error))
        return false;
    struct board_image *image = board_image_read(session->board, error);
    if (!image)
        return false;
    json_t *json = board_image_json(image);
    printf("all %u values were read back\n", (unsigned)json_object_size(json_object_get(json, "items")));
    json_decref(json);
    board_image_free(image);
    return true;
}

#define FOLLOW_MS  300 /* until a FET has followed */
#define CHARGED_MA 500

/* What the telemetry shows counts, not the answer to the command. */
static bool check_fet(struct session *session, enum board_control control, bool wanted, GError **error)
{
    struct board_telemetry live;
    const bool charge = control == CONTROL_CHARGE_FET;
    if (!wire_pause_ms(session->wire, FOLLOW_MS, error) || !board_telemetry(session->board, &live, error))
        return false;
    if (!telemetry_tells(&live, charge ? TELEMETRY_CHARGE_FET : TELEMETRY_DISCHARGE_FET)) {
        puts("the board does not report this FET: nothing shows that it followed");
        return true;
    }
    if ((charge ? live.charge_fet : live.discharge_fet) == wanted)
        return true;
    return error_set(error, ERROR_MISMATCH,
                     "the board took the command, but its %s FET is still %s%s%s: perhaps it has no hardware "
                     "for remote control",
                     charge ? "charge" : "discharge", wanted ? "off" : "on",
                     live.active[0] ? ", active: " : "", live.active);
}

/* A refusal without words: most often the board is being charged. */
static void explain_sleep(struct session *session, GError **error)
{
    struct board_telemetry live;
    g_autoptr(GError) unknown = NULL;
    if (error_kind(*error) != ERROR_REFUSED || !board_telemetry(session->board, &live, &unknown) ||
        !telemetry_tells(&live, TELEMETRY_CURRENT) || live.current_ma < CHARGED_MA)
        return;
    g_autofree char *flows = quantity_format(QUANTITY_CURRENT, live.current_ma);
    g_prefix_error(error, "a board does not sleep while it is charged (%s flow): ", flows);
}

static bool run_control(struct session *session, enum board_control control, int argument, GError **error)
{
    if (!board_control(session->board, control, argument, error)) {
        if (control == CONTROL_SLEEP && error)
            explain_sleep(session, error);
        return false;
    }
    if (control == CONTROL_CHARGE_FET || control == CONTROL_DISCHARGE_FET)
        return check_fet(session, control, argument != 0, error);
    return true;
}

/* The tool of one vendor prints a success text that says the opposite: only what is read back counts. */
static bool antitheft_is_off(struct session *session, GError **error)
{
    for (guint i = 0; i < session->profile->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(session->profile->items, i);
        struct item_value value;
        if (!g_str_has_prefix(item->key, "antitheft.") || item->type != ITEM_FLAG)
            continue;
        if (!board_read_item(session->board, item, &value, error))
            return false;
        if (value.raw != 0)
            return error_set(error, ERROR_MISMATCH, "%s is still on after it was switched off", item->key);
        printf("%s false (read back)\n", item->key);
    }
    return true;
}

static bool antitheft_off(const struct cli_input *input, struct session *session, GError **error)
{
    const char *path = cli_get(input, "code-file");
    if (!path)
        return error_set(error, ERROR_USAGE, "antitheft-off needs --code-file FILE with the close code");
    struct secret *code = secret_from_file(path, error);
    bool ok = code && board_antitheft_off(session->board, code, error) && antitheft_is_off(session, error);
    secret_free(code);
    return ok;
}

static bool calibrate_reset(const struct cli_input *input, struct session *session, GError **error)
{
    (void)input;
    return board_calibrate(session->board, CALIBRATE_RESET, 0, 0, error);
}

/* Those that are no control of the board model. */
static const struct {
    const char *name;
    bool (*run)(const struct cli_input *, struct session *, GError **);
} others[] = {{"calibrate-reset", calibrate_reset}, {"antitheft-off", antitheft_off}};

static bool board_control_verb(const struct cli_input *input, struct session *session, GError **error)
{
    const char *name = g_ptr_array_index(input->arguments, 0);
    g_autoptr(GString) names = g_string_new(NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(controls); i++) {
        if (strcmp(controls[i].name, name) == 0) {
            if (!may_control(input, controls[i].control, error) ||
                !run_control(session, controls[i].control, controls[i].argument, error)) {
                g_prefix_error(error, "%s: ", name);
                return false;
            }
            printf("%s: done\n", name);
            return controls[i].control != CONTROL_FACTORY_DEFAULTS || read_after_defaults(session, error);
        }
        g_string_append_printf(names, "%s%s", i ? ", " : "", controls[i].name);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(others); i++) {
        if (strcmp(others[i].name, name) == 0) {
            bool done = others[i].run(input, session, error);
            if (done)
                printf("%s: done\n", name);
            return done;
        }
        g_string_append_printf(names, ", %s", others[i].name);
    }
    return error_set(error, ERROR_USAGE, "'%s': there are %s", name, names->str);
}

static int control_verb(const struct cli_input *input)
{
    return session_run(input, board_control_verb);
}

static const struct cli_option control_options[] = {
    BOARD_OPTIONS,
    {"code-file", 0, "FILE", false, "file (mode 0600) with the close code, for antitheft-off"},
    {"engineer", 0, NULL, false, "enter the bootloader although no loader of packline follows"},
    {NULL}};

const struct cli_verb cli_service_verbs[] = {
    {.name = "board control",
     .arguments = "OPERATION",
     .arguments_min = 1,
     .arguments_max = 1,
     .summary = "reset, sleep, switch a FET, clear the PCB barcode, anti-theft, password, defaults",
     .text = "Operations: reset, sleep, charge-fet-on, charge-fet-off, discharge-fet-on, discharge-fet-off, "
             "charge-limiter-on, charge-limiter-off, clear-pcb-barcode, factory-defaults (the whole image is "
             "read "
             "afterwards), calibrate-reset, enter-bootloader (with --engineer), antitheft-off (with "
             "--code-file; the modes are read back), "
             "change-password (with --new-password-file; it logs in with it). All but reset and sleep need "
             "--password-file. A switched FET is looked for in the telemetry. A board refuses to sleep while "
             "it is "
             "charged.",
     .options = control_options,
     .run = control_verb},
    {NULL},
};
