/* flash: an image onto a device that sits in its bootloader. board: service access to one board. */
#include "station/cli.h"

#include "firmware/package.h"
#include "station/cli_session.h"
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
    if (!cli_number(input, "base", DEFAULT_FLASH_ADDRESS, &base, error))
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
    if (!cli_number(input, "flash-address", DEFAULT_FLASH_ADDRESS, &memory.address, error) ||
        !cli_number(input, "flash-size", DEFAULT_FLASH_SIZE, &memory.size, error) ||
        !cli_number(input, "page-size", DEFAULT_PAGE, &memory.page, error) ||
        !cli_number(input, "unique-id", DEFAULT_UNIQUE_ID, &memory.unique_id_address, error))
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

static void print_value(const struct cli_input *input, const char *key, const struct item_value *value)
{
    g_autofree char *text = value->absent ? g_strdup("(not set)") : profile_value_format(value);
    g_autofree char *finding = profile_value_finding(value);
    if (finding)
        g_printerr("packline: found on the board: %s\n", finding);
    if (input->json)
        cli_print_json(json_pack(
            "{s:i,s:s,s:{s:s,s:s,s:I,s:b}}", "v", 1, "type", "info", "data", "key", key, "value", text, "raw",
            value->item->secret ? (json_int_t)0 : (json_int_t)value->raw, "absent", value->absent));
    else
        printf("%s %s\n", key, text);
}

/* A threshold in millivolts across a shunt says little to who thinks of its current. */
static bool print_shunt_current(const struct cli_input *input, struct session *session,
                                const struct item_value *value, GError **error)
{
    const struct profile_item *shunt =
        profile_item_find(session->profile, profile_shunt_of(session->profile, value->item));
    struct item_value rated;
    if (!shunt || input->json)
        return true;
    if (!board_read_item(session->board, shunt, &rated, error))
        return false;
    g_autofree char *current =
        quantity_format(QUANTITY_CURRENT, profile_shunt_current(value->value, rated.value));
    g_autofree char *name = profile_value_format(&rated);
    printf("  = %s across the shunt of %s (%s)\n", current, name, shunt->key);
    return true;
}

/* Each element of an item that has several, numbered from 1. */
static bool read_elements(const struct cli_input *input, struct session *session,
                          const struct profile_item *item, GError **error)
{
    struct profile_item element = *item;
    struct item_value value;
    element.count = 1;
    for (int64_t i = 0; i < item->count; i++, element.offset += item->width) {
        g_autofree char *key =
            item->count > 1 ? g_strdup_printf("%s[%d]", item->key, (int)i + 1) : g_strdup(item->key);
        if (!board_read_item(session->board, &element, &value, error))
            return false;
        print_value(input, key, &value);
        if (!print_shunt_current(input, session, &value, error))
            return false;
    }
    return true;
}

static bool board_read_verb(const struct cli_input *input, struct session *session, GError **error)
{
    for (guint i = 0; i < input->arguments->len; i++) {
        const struct profile_item *item =
            session_item(session, g_ptr_array_index(input->arguments, i), error);
        if (!item || !read_elements(input, session, item, error))
            return false;
    }
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

/* What tells a board apart that has no unique id. */
static bool read_serial(struct session *session, char *text, gsize size, GError **error)
{
    const struct profile_item *item = profile_item_find(session->profile, session->profile->serial_item);
    struct item_value value;
    text[0] = '\0';
    if (session->profile->unit != UNIT_SERIAL_NUMBER || !item)
        return true;
    if (!board_read_item(session->board, item, &value, error))
        return false;
    g_strlcpy(text, value.absent ? "(not set)" : value.text, size);
    return true;
}

static bool board_identify_verb(const struct cli_input *input, struct session *session, GError **error)
{
    struct board_identity identity;
    char id[BOARD_UNIQUE_ID_TEXT] = "", sn[sizeof((struct item_value *)NULL)->text];
    if (!board_identify(session->board, &identity, error) || !read_serial(session, sn, sizeof sn, error))
        return false;
    if (identity.has_unique_id)
        board_unique_id_text(identity.unique_id, id);
    if (input->json)
        cli_print_json(json_pack("{s:i,s:s,s:{s:s,s:s,s:s,s:s,s:s,s:s}}", "v", 1, "type", "info", "data",
                                 "product", identity.product, "hardware", identity.hardware, "firmware",
                                 identity.firmware, "bootloader", identity.bootloader, "unique_id", id,
                                 "serial_number", sn));
    else
        printf("product %s\nhardware %s\nfirmware %s\nbootloader %s\nunique id %s\n", identity.product,
               identity.hardware, identity.firmware, identity.bootloader, id);
    if (!input->json && sn[0])
        printf("serial number %s\n", sn);
    return true;
}

/* Around the profile's items: an engineer's operation, so it is said aloud. */
static bool board_register_verb(const struct cli_input *input, struct session *session, GError **error)
{
    const char *number = g_ptr_array_index(input->arguments, 0);
    const char *value = input->arguments->len > 1 ? g_ptr_array_index(input->arguments, 1) : NULL;
    uint32_t at, wanted = 0;
    uint16_t found;
    if (!cli_count(number, "register", &at, error) || (value && !cli_count(value, "value", &wanted, error)))
        return false;
    if (at > 0xffff || wanted > 0xffff)
        return error_set(error, ERROR_USAGE, "registers and their values are 0 to 65535");
    if (value && !cli_has(input, "engineer"))
        return error_set(error, ERROR_RULE,
                         "a raw write goes around ranges and rules of the profile: --engineer confirms it");
    if (value && !board_register_write(session->board, at, (uint16_t)wanted, error))
        return false;
    if (!board_register_read(session->board, at, &found, error))
        return false;
    printf("register %04XH %u%s\n", at, found, value ? " (read back)" : "");
    return true;
}

static int read_verb(const struct cli_input *input)
{
    return session_run(input, board_read_verb);
}
static int image_verb(const struct cli_input *input)
{
    return session_run(input, board_image_verb);
}
static int clock_verb(const struct cli_input *input)
{
    return session_run(input, cli_has(input, "auto") ? session_clock_auto : board_clock_verb);
}
static int register_verb(const struct cli_input *input)
{
    return session_run(input, board_register_verb);
}
static int identify_verb(const struct cli_input *input)
{
    return session_run(input, board_identify_verb);
}

static const struct cli_option board_options[] = {BOARD_OPTIONS, {NULL}};
static const struct cli_option register_options[] = {
    BOARD_OPTIONS, {"engineer", 0, NULL, false, "write although no profile checks the value"}, {NULL}};
static const struct cli_option clock_options[] = {
    BOARD_OPTIONS,
    {"set", 0, NULL, false, "set it to this machine's clock first"},
    {"auto", 0, NULL, false,
     "set the clock of each board whose number is another one than before, until stopped"},
    {"count", 0, "N", false, "with --auto: end after so many boards"},
    {NULL}};
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
    {.name = "board image",
     .arguments = "",
     .summary = "read the whole parameter image as JSON",
     .options = board_options,
     .run = image_verb},
    {.name = "board register",
     .arguments = "NUMBER [VALUE]",
     .arguments_min = 1,
     .arguments_max = 2,
     .summary = "read or write one 16-bit register by its number",
     .text = "For engineers: the value goes around items, ranges and rules of the profile, but never onto a "
             "register "
             "that the profile forbids to write. Numbers are decimal, or hexadecimal with 0x.",
     .options = register_options,
     .run = register_verb},
    {.name = "board clock",
     .arguments = "",
     .summary = "read or set the board's clock",
     .options = clock_options,
     .run = clock_verb},
    {NULL},
};
