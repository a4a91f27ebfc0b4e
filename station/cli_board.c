/* flash: an image onto a device that sits in its bootloader. board: service access to one board. */
#include "station/cli.h"

#include "firmware/package.h"
#include "proto/board.h"
#include "station/base/error.h"

#include <string.h>
#include <unistd.h>

extern const struct cli_verb cli_board_verbs[];

/* STM32F405 as the reference board has it: flash at 08000000H, unique id at 1FFF7A10H (RM0090 39.1). */
#define DEFAULT_FLASH_ADDRESS 0x08000000u
#define DEFAULT_FLASH_SIZE    (128u * 1024)
#define DEFAULT_PAGE          2048u
#define DEFAULT_UNIQUE_ID     0x1FFF7A10u

struct flash_view {
    const struct cli_input *input;
    bool terminal;
    int64_t erase_us, program_us, verify_us, mark_us;
};

static void flash_progress(void *context, enum loader_phase phase, uint64_t done, uint64_t total)
{
    struct flash_view *view = context;
    const char *name = loader_phase_name(phase);
    if (view->input->json)
        cli_print_json(json_pack("{s:i,s:s,s:{s:s,s:I,s:I}}", "v", 1, "type", "task_progress", "data",
                                 "phase", name, "done", (json_int_t)done, "total", (json_int_t)total));
    else if (view->terminal)
        printf("\r\033[K%-8s %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " bytes%s", name, done, total,
               done >= total ? "\n" : "");
    else if (done >= total)
        printf("%-8s %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " bytes\n", name, done, total);
    fflush(stdout);
}

static bool parse_number(const struct cli_input *input, const char *name, uint32_t preset, uint32_t *value,
                         GError **error)
{
    const char *text = cli_get(input, name);
    guint64 parsed = preset;
    bool hex = text && (g_str_has_prefix(text, "0x") || g_str_has_prefix(text, "0X"));
    if (text &&
        !g_ascii_string_to_unsigned(hex ? text + 2 : text, hex ? 16 : 10, 0, G_MAXUINT32, &parsed, NULL))
        return error_set(error, ERROR_USAGE, "--%s: '%s' is not a number such as 0x08000000", name, text);
    *value = (uint32_t)parsed;
    return true;
}

static struct image *load_image(const struct cli_input *input, const char *path, struct package **package,
                                GError **error)
{
    uint32_t base;
    if (g_file_test(path, G_FILE_TEST_IS_DIR)) {
        struct trust *trust = cli_has(input, "trust") ? trust_load(cli_get(input, "trust"), error) : NULL;
        if (cli_has(input, "trust") && !trust)
            return NULL;
        *package = package_load(path, trust, error);
        trust_free(trust);
        return *package ? (*package)->image : NULL;
    }
    if (!parse_number(input, "base", DEFAULT_FLASH_ADDRESS, &base, error))
        return NULL;
    g_autoptr(GBytes) bytes = bind_read_file(path, IMAGE_FILE_MAX, error);
    return bytes ? image_parse(path, bytes, true, base, error) : NULL;
}

static bool check_mcu(const struct package *package, const struct loader *loader, GError **error)
{
    const GArray *ids = package ? package->manifest->mcu_ids : NULL;
    for (guint i = 0; ids && i < ids->len; i++)
        if (g_array_index(ids, int64_t, i) == loader->identity.mcu_id)
            return true;
    return !package || error_set(error, ERROR_RULE, "MCU id 0x%04X is not one that this package is made for",
                                 loader->identity.mcu_id);
}

static bool flash_with(const struct cli_input *input, struct wire *wire, const struct image *image,
                       const struct package *package, GError **error)
{
    struct loader_memory memory = {
        .erase_page_ms_max = 400, .program_block_ms_max = 500, .mass_erase_ms_max = 30000};
    if (!parse_number(input, "flash-address", DEFAULT_FLASH_ADDRESS, &memory.address, error) ||
        !parse_number(input, "flash-size", DEFAULT_FLASH_SIZE, &memory.size, error) ||
        !parse_number(input, "page-size", DEFAULT_PAGE, &memory.page, error) ||
        !parse_number(input, "unique-id", DEFAULT_UNIQUE_ID, &memory.unique_id_address, error))
        return false;
    const struct loader_kind *kind = loader_kind_find(cli_get(input, "loader"));
    if (!kind)
        return error_set(error, ERROR_USAGE, "no loader '%s'; there is an3155", cli_get(input, "loader"));
    struct loader *loader = loader_open(kind, wire, &memory, error);
    if (!loader)
        return false;
    struct flash_view view = {.input = input, .terminal = isatty(STDOUT_FILENO)};
    struct loader_proof proof = {0};
    int64_t started = tick_now(wire->tick);
    bool ok =
        check_mcu(package, loader, error) &&
        (cli_has(input, "verify-only") ? loader_verify(loader, image, flash_progress, &view, &proof, error)
                                       : loader_flash(loader, image, flash_progress, &view, &proof, error)) &&
        (!cli_has(input, "go") || loader->kind->go(loader, image_first(image), error));
    double seconds = (double)(tick_now(wire->tick) - started) / 1e6;
    if (ok && input->json)
        cli_print_json(json_pack("{s:i,s:s,s:{s:b,s:s,s:s,s:I,s:I,s:I,s:f}}", "v", 1, "type", "task_end",
                                 "data", "ok", 1, "method", proof.method, "sha256", proof.sha256, "bytes",
                                 (json_int_t)proof.bytes, "wire_sent", (json_int_t)wire->bytes_sent,
                                 "wire_received", (json_int_t)wire->bytes_received, "seconds", seconds));
    else if (ok)
        printf("proved   sha256 %s by %s, %.2f s\n", proof.sha256, proof.method, seconds);
    loader_close(loader);
    return ok;
}

static int flash(const struct cli_input *input)
{
    GError *error = NULL;
    struct package *package = NULL;
    struct wire_options options = {.tick = tick_real()};
    if (!cli_has(input, "link") || !cli_has(input, "loader"))
        return cli_usage(input, "--link and --loader are needed");
    struct image *image = load_image(input, g_ptr_array_index(input->arguments, 0), &package, &error);
    if (!image)
        return cli_fail(input, error);
    bool ok = wire_line_parse(cli_has(input, "line") ? cli_get(input, "line") : "115200-8E1", &options.line,
                              &error);
    struct wire *wire = ok ? wire_open(cli_get(input, "link"), &options, &error) : NULL;
    ok = wire && flash_with(input, wire, image, package, &error);
    wire_close(wire);
    if (package)
        package_free(package);
    else
        image_free(image);
    return ok ? 0 : cli_fail(input, error);
}

/* One opened board for the board verbs. */
struct session {
    struct profile *profile;
    struct wire *wire;
    struct board *board;
    struct secret *password;
};

static void session_close(struct session *session)
{
    board_close(session->board);
    wire_close(session->wire);
    profile_free(session->profile);
    secret_free(session->password);
}

static bool session_open(const struct cli_input *input, struct session *session, GError **error)
{
    const char *path = cli_get(input, "profile");
    uint32_t address;
    if (!cli_has(input, "link") || !path)
        return error_set(error, ERROR_USAGE, "--link and --profile are needed");
    g_autoptr(GBytes) bytes = bind_read_file(path, BIND_FILE_MAX, error);
    if (!bytes)
        return false;
    g_autoptr(bind_report_auto) report = bind_report_new(path, bytes);
    session->profile = profile_load(path, bytes, report);
    if (!session->profile)
        return !bind_report_check(report, error) ? false
                                                 : error_set(error, ERROR_AUTHOR, "%s: not a profile", path);
    const struct wire_options options = {.line = session->profile->line, .tick = tick_real()};
    if (!parse_number(input, "address", (uint32_t)session->profile->address, &address, error) ||
        !(session->wire = wire_open(cli_get(input, "link"), &options, error)) ||
        !(session->board =
              board_open(session->profile, session->wire, address, cli_has(input, "allow-reference"), error)))
        return false;
    if (!cli_has(input, "password-file"))
        return true;
    session->password = secret_from_file(cli_get(input, "password-file"), error);
    return session->password && board_login(session->board, 1, session->password, error);
}

static const struct profile_item *item_named(const struct session *session, const char *key, GError **error)
{
    const struct profile_item *item = profile_item_find(session->profile, key);
    const char *near = item ? NULL : profile_item_suggest(session->profile, key);
    if (!item)
        error_set(error, ERROR_USAGE, "no item '%s' in this profile%s%s%s", key,
                  near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
    return item;
}

static bool board_read_verb(const struct cli_input *input, struct session *session, GError **error)
{
    struct item_value value;
    for (guint i = 0; i < input->arguments->len; i++) {
        const struct profile_item *item = item_named(session, g_ptr_array_index(input->arguments, i), error);
        if (!item || !board_read_item(session->board, item, &value, error))
            return false;
        g_autofree char *text = value.absent ? g_strdup("(not set)") : profile_value_format(&value);
        if (input->json)
            cli_print_json(json_pack("{s:i,s:s,s:{s:s,s:s,s:I,s:b}}", "v", 1, "type", "info", "data", "key",
                                     item->key, "value", text, "raw", (json_int_t)value.raw, "absent",
                                     value.absent));
        else
            printf("%s %s\n", item->key, text);
    }
    return true;
}

static bool board_write_verb(const struct cli_input *input, struct session *session, GError **error)
{
    struct item_value value, found;
    const struct profile_item *item = item_named(session, g_ptr_array_index(input->arguments, 0), error);
    if (!item || !profile_value_parse(item, g_ptr_array_index(input->arguments, 1), &value, error) ||
        !board_write_item(session->board, &value, &found, error))
        return false;
    g_autofree char *text = profile_value_format(&found);
    printf("%s %s (read back)\n", item->key, text);
    return true;
}

static bool board_image_verb(const struct cli_input *input, struct session *session, GError **error)
{
    (void)input;
    struct board_image *image = board_image_read(session->board, error);
    if (!image)
        return false;
    json_t *json = board_image_json(image);
    char *text = json_dumps(json, JSON_INDENT(2));
    puts(text);
    free(text);
    json_decref(json);
    board_image_free(image);
    return true;
}

static bool print_record(void *context, const struct board_record *record, GError **error)
{
    const struct cli_input *input = context;
    (void)error;
    g_autofree char *when = tick_format_utc(record->wall_us);
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

static bool board_log_verb(const struct cli_input *input, struct session *session, GError **error)
{
    session->board->alarm_log = cli_has(input, "alarms");
    if (cli_has(input, "erase"))
        return board_history_erase(session->board, error);
    return board_history_read(session->board, print_record, (void *)input, error);
}

static bool board_clock_verb(const struct cli_input *input, struct session *session, GError **error)
{
    int64_t wall;
    if (cli_has(input, "set") && !board_clock_write(session->board, tick_wall(tick_real()), error))
        return false;
    if (!board_clock_read(session->board, &wall, error))
        return false;
    g_autofree char *text = tick_format_utc(wall);
    printf("%.19sZ\n", text);
    return true;
}

static bool board_identify_verb(const struct cli_input *input, struct session *session, GError **error)
{
    struct board_identity identity;
    g_autoptr(GString) id = g_string_new(NULL);
    if (!board_identify(session->board, &identity, error))
        return false;
    for (int i = 0; identity.has_unique_id && i < 12; i++)
        g_string_append_printf(id, "%02x", identity.unique_id[i]);
    if (input->json)
        cli_print_json(json_pack("{s:i,s:s,s:{s:s,s:s,s:s,s:s,s:s}}", "v", 1, "type", "info", "data",
                                 "product", identity.product, "hardware", identity.hardware, "firmware",
                                 identity.firmware, "bootloader", identity.bootloader, "unique_id", id->str));
    else
        printf("product %s\nhardware %s\nfirmware %s\nbootloader %s\nunique id %s\n", identity.product,
               identity.hardware, identity.firmware, identity.bootloader, id->str);
    return true;
}

static void print_reading(const char *name, enum quantity quantity, int64_t value)
{
    g_autofree char *text = value == TELEMETRY_ABSENT ? g_strdup("absent") : quantity_format(quantity, value);
    printf("%-16s %s\n", name, text);
}

static void print_telemetry(const struct board_telemetry *t)
{
    char name[24];
    print_reading("pack", QUANTITY_VOLTAGE, t->pack_mv);
    print_reading("current", QUANTITY_CURRENT, t->current_ma);
    print_reading("soc", QUANTITY_PERCENT, t->soc_ppc);
    print_reading("soh", QUANTITY_PERCENT, t->soh_ppc);
    print_reading("full", QUANTITY_CHARGE, t->full_mah);
    print_reading("remaining", QUANTITY_CHARGE, t->remaining_mah);
    print_reading("cycles", QUANTITY_NONE, t->cycles);
    for (unsigned i = 0; i < t->cells; i++) {
        g_snprintf(name, sizeof name, "cell %u", i + 1);
        print_reading(name, QUANTITY_VOLTAGE, t->cell_mv[i]);
    }
    for (unsigned i = 0; i < t->sensors; i++) {
        g_snprintf(name, sizeof name, "temperature %u", i + 1);
        print_reading(name, QUANTITY_TEMPERATURE, t->sensor_mdeg[i]);
    }
    print_reading("MOSFET", QUANTITY_TEMPERATURE, t->mos_mdeg);
    print_reading("ambient", QUANTITY_TEMPERATURE, t->ambient_mdeg);
    printf("%-16s %s\n%-16s %s\n", "charge FET", t->charge_fet ? "on" : "off", "discharge FET",
           t->discharge_fet ? "on" : "off");
    printf("%-16s %s\n", "active", t->active[0] ? t->active : "nothing");
}

static json_t *number(int64_t value)
{
    return value == TELEMETRY_ABSENT ? json_null() : json_integer(value);
}

static json_t *numbers(const int64_t *values, unsigned n)
{
    json_t *array = json_array();
    for (unsigned i = 0; i < n; i++)
        json_array_append_new(array, number(values[i]));
    return array;
}

static bool board_telemetry_verb(const struct cli_input *input, struct session *session, GError **error)
{
    struct board_telemetry t;
    if (!board_telemetry(session->board, &t, error))
        return false;
    if (!input->json) {
        print_telemetry(&t);
        return true;
    }
    cli_print_json(json_pack(
        "{s:i,s:s,s:{s:o,s:o,s:o,s:o,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:b,s:b,s:I,s:I,s:s}}", "v", 1, "type",
        "info", "data", "cells_mv", numbers(t.cell_mv, t.cells), "temperatures_mdeg",
        numbers(t.sensor_mdeg, t.sensors), "mos_mdeg", number(t.mos_mdeg), "ambient_mdeg",
        number(t.ambient_mdeg), "pack_mv", (json_int_t)t.pack_mv, "current_ma", (json_int_t)t.current_ma,
        "soc_ppc", (json_int_t)t.soc_ppc, "soh_ppc", (json_int_t)t.soh_ppc, "full_mah",
        (json_int_t)t.full_mah, "remaining_mah", (json_int_t)t.remaining_mah, "cycles", (json_int_t)t.cycles,
        "charge_fet", t.charge_fet, "discharge_fet", t.discharge_fet, "protections",
        (json_int_t)t.protections, "alarms", (json_int_t)t.alarms, "active", t.active));
    return true;
}

/* zero; gain CURRENT; temperature SENSOR TEMPERATURE; reset. What the person says is the truth. */
static bool board_calibrate_verb(const struct cli_input *input, struct session *session, GError **error)
{
    static const struct {
        const char *name;
        enum board_calibration what;
        guint arguments;
        enum quantity quantity;
    } kinds[] = {{"zero", CALIBRATE_CURRENT_ZERO, 1, QUANTITY_NONE},
                 {"gain", CALIBRATE_CURRENT_GAIN, 2, QUANTITY_CURRENT},
                 {"temperature", CALIBRATE_TEMPERATURE, 3, QUANTITY_TEMPERATURE},
                 {"reset", CALIBRATE_RESET, 1, QUANTITY_NONE}};
    const char *const *words = (const char *const *)input->arguments->pdata;
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
        int64_t truth = 0;
        guint64 sensor = 0;
        guint n = input->arguments->len;
        if (strcmp(kinds[i].name, words[0]) != 0 || n != kinds[i].arguments)
            continue;
        if (n == 3 && !g_ascii_string_to_unsigned(words[1], 10, 0, BOARD_SENSORS_MAX + 1, &sensor, NULL))
            return error_set(error, ERROR_USAGE, "'%s' is no sensor number from 0 to %d", words[1],
                             BOARD_SENSORS_MAX + 1);
        if ((n > 1 && !quantity_parse(words[n - 1], kinds[i].quantity, &truth, error)) ||
            !board_calibrate(session->board, kinds[i].what, (unsigned)sensor, truth, error))
            return false;
        printf("%s: done\n", words[0]);
        return true;
    }
    return error_set(error, ERROR_USAGE,
                     "there are: zero; gain CURRENT; temperature SENSOR TEMPERATURE; reset");
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
};

static bool board_control_verb(const struct cli_input *input, struct session *session, GError **error)
{
    const char *name = g_ptr_array_index(input->arguments, 0);
    g_autoptr(GString) names = g_string_new(NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(controls); i++) {
        if (strcmp(controls[i].name, name) == 0) {
            if (!board_control(session->board, controls[i].control, controls[i].argument, error))
                return false;
            printf("%s: done\n", name);
            return true;
        }
        g_string_append_printf(names, "%s%s", i ? ", " : "", controls[i].name);
    }
    return error_set(error, ERROR_USAGE, "'%s': there are %s", name, names->str);
}

static int with_session(const struct cli_input *input,
                        bool (*deed)(const struct cli_input *, struct session *, GError **))
{
    GError *error = NULL;
    struct session session = {0};
    bool ok = session_open(input, &session, &error) && deed(input, &session, &error);
    session_close(&session);
    return ok ? 0 : cli_fail(input, error);
}

static int read_verb(const struct cli_input *input)
{
    return with_session(input, board_read_verb);
}
static int write_verb(const struct cli_input *input)
{
    return with_session(input, board_write_verb);
}
static int image_verb(const struct cli_input *input)
{
    return with_session(input, board_image_verb);
}
static int log_verb(const struct cli_input *input)
{
    return with_session(input, board_log_verb);
}
static int clock_verb(const struct cli_input *input)
{
    return with_session(input, board_clock_verb);
}
static int control_verb(const struct cli_input *input)
{
    return with_session(input, board_control_verb);
}
static int telemetry_verb(const struct cli_input *input)
{
    return with_session(input, board_telemetry_verb);
}
static int calibrate_verb(const struct cli_input *input)
{
    return with_session(input, board_calibrate_verb);
}
static int identify_verb(const struct cli_input *input)
{
    return with_session(input, board_identify_verb);
}

#define BOARD_OPTIONS                                                                                        \
    {"link", 'l', "URL", false, "wire to the board: serial:PATH, tcp:HOST:PORT, unix:PATH"},                 \
        {"profile", 'p', "FILE", false, "the board's profile"},                                              \
        {"address", 0, "N", false, "bus address; default is the profile's"},                                 \
        {"password-file", 0, "FILE", false, "file (mode 0600) with the administrator password"},             \
    {                                                                                                        \
        "allow-reference", 0, NULL, false, "let a profile with reference entries onto a physical wire"       \
    }

static const struct cli_option board_options[] = {BOARD_OPTIONS, {NULL}};
static const struct cli_option log_options[] = {
    BOARD_OPTIONS,
    {"erase", 0, NULL, false, "erase the board's own log instead of reading it"},
    {"alarms", 0, NULL, false, "of a board with two logs, the one of its alarms"},
    {NULL}};
static const struct cli_option clock_options[] = {
    BOARD_OPTIONS, {"set", 0, NULL, false, "set it to this machine's clock first"}, {NULL}};
static const struct cli_option flash_options[] = {
    {"link", 'l', "URL", false, "wire to the device"},
    {"loader", 0, "NAME", false, "an3155"},
    {"line", 0, "LINE", false, "line settings; default 115200-8E1"},
    {"verify-only", 0, NULL, false, "write nothing, prove what is there"},
    {"go", 0, NULL, false, "start the image afterwards"},
    {"base", 0, "ADDRESS", false, "load address of a raw binary; default is the flash address"},
    {"trust", 0, "FOLDER", false, "public keys a package must be signed by"},
    {"flash-address", 0, "ADDRESS", false, "start of the flash; default 0x08000000"},
    {"flash-size", 0, "BYTES", false, "size of the flash; default 131072"},
    {"page-size", 0, "BYTES", false, "erase page; default 2048"},
    {"unique-id", 0, "ADDRESS", false, "address of the 96-bit unique id; default 0x1FFF7A10"},
    {NULL},
};

const struct cli_verb cli_board_verbs[] = {
    {.name = "flash",
     .arguments = "IMAGE|PACKAGE",
     .arguments_min = 1,
     .arguments_max = 1,
     .summary = "flash or verify a device that sits in its bootloader",
     .text = "Erases the pages the image touches, programs them, and proves every byte of them, blank areas "
             "too: by the "
             "device's own CRC where it lists one, else by reading back.",
     .options = flash_options,
     .run = flash},
    {.name = "board identify",
     .arguments = "",
     .summary = "which board answers",
     .options = board_options,
     .run = identify_verb},
    {.name = "board read",
     .arguments = "ITEM…",
     .arguments_min = 1,
     .arguments_max = 200,
     .summary = "read items of a board",
     .options = board_options,
     .run = read_verb},
    {.name = "board write",
     .arguments = "ITEM VALUE",
     .arguments_min = 2,
     .arguments_max = 2,
     .summary = "write one item and read it back",
     .options = board_options,
     .run = write_verb},
    {.name = "board image",
     .arguments = "",
     .summary = "read the whole parameter image as JSON",
     .options = board_options,
     .run = image_verb},
    {.name = "board telemetry",
     .arguments = "",
     .summary = "read what the board measures, and what is active",
     .options = board_options,
     .run = telemetry_verb},
    {.name = "board calibrate",
     .arguments = "KIND [SENSOR] [VALUE]",
     .arguments_min = 1,
     .arguments_max = 3,
     .summary = "calibrate the zero, the gain, a temperature; or undo all of it",
     .text =
         "The value is the truth, as a reference shows it. Sensors count from 0: cells', MOSFET, ambient.",
     .options = board_options,
     .run = calibrate_verb},
    {.name = "board log",
     .arguments = "",
     .summary = "read the board's history to its end marker",
     .options = log_options,
     .run = log_verb},
    {.name = "board clock",
     .arguments = "",
     .summary = "read or set the board's clock",
     .options = clock_options,
     .run = clock_verb},
    {.name = "board control",
     .arguments = "OPERATION",
     .arguments_min = 1,
     .arguments_max = 1,
     .summary = "reset, sleep, switch a FET, clear the PCB barcode, restore defaults",
     .text = "Operations: reset, sleep, charge-fet-on, charge-fet-off, discharge-fet-on, discharge-fet-off, "
             "clear-pcb-barcode, factory-defaults. All but reset and sleep need --password-file. A board "
             "refuses to "
             "sleep while it is charged.",
     .options = board_options,
     .run = control_verb},
    {NULL},
};
