/* board control and board log: what a service technician asks a board to do, and its own history. */
#include "station/cli_session.h"

#include "station/base/error.h"

#include <string.h>

extern const struct cli_verb cli_service_verbs[];

static bool print_record(void *context, const struct board_record *record, GError **error)
{
    const struct cli_input *input = context;
    (void)error;
    g_autofree char *when = tick_format_utc(record->wall_us);
    if (record->event_only && input->json)
        cli_print_json(json_pack("{s:i,s:s,s:{s:I,s:s,s:s}}", "v", 1, "type", "info", "data", "id",
                                 (json_int_t)record->id, "time", when, "what", record->what));
    else if (record->event_only)
        printf("%6u  %.19s  %s\n", record->id, when, record->what);
    if (record->event_only)
        return true;
    if (input->json)
        cli_print_json(json_pack("{s:i,s:s,s:{s:I,s:s,s:s,s:I,s:I,s:I}}", "v", 1, "type", "info", "data",
                                 "id", (json_int_t)record->id, "time", when, "what", record->what, "pack_mv",
                                 (json_int_t)record->pack_mv, "current_ma", (json_int_t)record->current_ma,
                                 "cell_max_mv", (json_int_t)record->cell_max_mv));
    else
        printf("%6u  %.19s  %-16s  %7.2f V  %8.2f A  %lld mV\n", record->id, when, record->what,
               (double)record->pack_mv / 1e3, (double)record->current_ma / 1e3,
               (long long)record->cell_max_mv);
    return true;
}

/* The log as a file, with the numbers of the board it comes from. */
struct kept {
    GString *text;
    char serial[PROFILE_LENGTH_MAX + 1], barcode[PROFILE_LENGTH_MAX + 1];
    unsigned records;
};

static bool keep_record(void *context, const struct board_record *record, GError **error)
{
    (void)error;
    struct kept *kept = context;
    g_autofree char *when = tick_format_utc(record->wall_us);
    g_autofree char *what = g_strdelimit(g_strdup(record->what), ",\"\n", ' ');
    g_string_append_printf(kept->text, "%u,%s,%s,%s,%s", record->id, when, what, kept->barcode, kept->serial);
    if (record->event_only)
        g_string_append(kept->text, ",,,,,,,\n");
    else
        g_string_append_printf(kept->text,
                               ",%u,%" G_GINT64_FORMAT ",%" G_GINT64_FORMAT ",%.3f,%" G_GINT64_FORMAT
                               ",%" G_GINT64_FORMAT ",%.1f\n",
                               record->cells, record->pack_mv, record->current_ma,
                               (double)record->soc_ppc / 1e3, record->cell_max_mv, record->cell_min_mv,
                               (double)record->temperature_max_mdeg / 1e3);
    kept->records++;
    return true;
}

static bool board_text(struct session *session, const char *key, char text[PROFILE_LENGTH_MAX + 1],
                       GError **error)
{
    const struct profile_item *item = profile_item_find(session->profile, key);
    struct item_value value = {0};
    if (!item)
        return true;
    if (!board_read_item(session->board, item, &value, error))
        return false;
    g_strlcpy(text, value.absent ? "" : value.text, PROFILE_LENGTH_MAX + 1);
    g_strdelimit(text, ",\"\n", ' ');
    return true;
}

/* Kept only when it was read to the board's own end. */
static bool keep_log(struct session *session, const char *path, GError **error)
{
    g_autoptr(GString) text = g_string_new(
        "id,time,what,pcb_barcode,serial_number,cells,pack_mv,current_ma,soc,cell_max_mv,cell_min_mv,"
        "temperature_max\n");
    struct kept kept = {.text = text};
    g_autoptr(GError) failure = NULL;
    if (g_file_test(path, G_FILE_TEST_EXISTS))
        return error_set(error, ERROR_USAGE, "%s is there already: nothing is written over it", path);
    if (!board_text(session, session->profile->serial_item, kept.serial, error) ||
        !board_text(session, session->profile->barcode_item, kept.barcode, error) ||
        !board_history_read(session->board, keep_record, &kept, error))
        return false;
    if (!g_file_set_contents_full(path, text->str, (gssize)text->len,
                                  G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0644,
                                  &failure))
        return error_set(error, ERROR_STORAGE, "%s", failure->message);
    printf("%u records in %s\n", kept.records, path);
    return true;
}

/* A log is erased only behind its export, which went to its own end. */
static bool erase_log(const struct cli_input *input, struct session *session, GError **error)
{
    const char *path = cli_get(input, "keep");
    if (!path)
        return error_set(error, ERROR_USAGE, "--erase needs --keep FILE: the log is read into it first");
    if (!board_history_can_erase(session->board, error) || !keep_log(session, path, error) ||
        !board_history_erase(session->board, error))
        return false;
    puts("the board's log is erased");
    return true;
}

static bool board_log_verb(const struct cli_input *input, struct session *session, GError **error)
{
    session->board->alarm_log = cli_has(input, "alarms");
    if (cli_has(input, "erase"))
        return erase_log(input, session, error);
    if (cli_has(input, "keep"))
        return keep_log(session, cli_get(input, "keep"), error);
    return board_history_read(session->board, print_record, (void *)input, error);
}

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

static bool change_password(const struct cli_input *input, struct session *session, GError **error)
{
    const char *path = cli_get(input, "new-password-file");
    if (!path || !session->password)
        return error_set(error, ERROR_USAGE,
                         "change-password needs --password-file with the old one and --new-password-file");
    struct secret *wanted = secret_from_file(path, error);
    /* Logging in with it is the read-back. */
    bool ok = wanted && board_change_password(session->board, 1, session->password, wanted, error) &&
              board_login(session->board, 1, wanted, error);
    secret_free(wanted);
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
} others[] = {{"calibrate-reset", calibrate_reset},
              {"antitheft-off", antitheft_off},
              {"change-password", change_password}};

static bool board_control_verb(const struct cli_input *input, struct session *session, GError **error)
{
    const char *name = g_ptr_array_index(input->arguments, 0);
    g_autoptr(GString) names = g_string_new(NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(controls); i++) {
        if (strcmp(controls[i].name, name) == 0) {
            if (!may_control(input, controls[i].control, error) ||
                !run_control(session, controls[i].control, controls[i].argument, error))
                return false;
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

static int with_session(const struct cli_input *input,
                        bool (*deed)(const struct cli_input *, struct session *, GError **))
{
    GError *error = NULL;
    struct session session = {0};
    bool ok = session_open(input, &session, &error) && deed(input, &session, &error);
    session_explain(&session, error);
    session_close(&session);
    return ok ? 0 : cli_fail(input, error);
}

static int log_verb(const struct cli_input *input)
{
    return with_session(input, board_log_verb);
}

static int control_verb(const struct cli_input *input)
{
    return with_session(input, board_control_verb);
}

static const struct cli_option log_options[] = {
    BOARD_OPTIONS,
    {"erase", 0, NULL, false, "erase the board's own log, once it is in the file of --keep"},
    {"keep", 0, "FILE", false, "write the log to this new file, as CSV"},
    {"alarms", 0, NULL, false, "of a board with two logs, the one of its alarms"},
    {NULL}};
static const struct cli_option control_options[] = {
    BOARD_OPTIONS,
    {"code-file", 0, "FILE", false, "file (mode 0600) with the close code, for antitheft-off"},
    {"new-password-file", 0, "FILE", false, "file (mode 0600) with the new password, for change-password"},
    {"engineer", 0, NULL, false, "enter the bootloader although no loader of packline follows"},
    {NULL}};

const struct cli_verb cli_service_verbs[] = {
    {.name = "board log",
     .arguments = "",
     .summary = "read the board's history to its end marker",
     .options = log_options,
     .run = log_verb},
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
