/* The part of a profile that says where the flash is and how its bootloader is entered. */
#include "proto/profile_parts.h"

#include "station/base/error.h"

#define F(type_, key_, kind, ...)                                                                            \
    {                                                                                                        \
        .key = #key_, .type = kind, .offset = offsetof(struct type_, key_), __VA_ARGS__                      \
    }

static const struct bind_choice ways[] = {
    {"command", ENTRY_COMMAND, "a service command of the running application"},
    {"modem-lines", ENTRY_MODEM_LINES, "DTR on the boot pin, RTS on reset"},
    {"prompt", ENTRY_PROMPT, "the operator does it"},
    {NULL}};

static const struct bind_field entry_fields[] = {
    F(profile_entry, way, BIND_CHOICE, .required = true, .choices = ways,
      .doc = "How the bootloader is entered."),
    F(profile_entry, prompt, BIND_TEXT, .doc = "What the operator is told."),
    F(profile_entry, settle, BIND_QUANTITY, .quantity = QUANTITY_TIME, .preset = "100 ms", .min = 1,
      .max = 60000000, .doc = "Wait until the bootloader listens."),
    {NULL}};
static const struct bind_schema entry_schema = {.name = "entry",
                                                .doc = "A way into the bootloader.",
                                                .size = sizeof(struct profile_entry),
                                                .fields = entry_fields};

#define US(type_, key_, preset_, sentence)                                                                   \
    F(type_, key_, BIND_QUANTITY, .quantity = QUANTITY_TIME, .min = 1, .max = 600000000, .preset = preset_,  \
      .doc = sentence)
static const struct bind_field firmware_fields[] = {
    F(profile_firmware, loader, BIND_TEXT, .required = true, .doc = "Loader, e.g. an3155."),
    {.key = "line",
     .type = BIND_TEXT,
     .offset = offsetof(struct profile_firmware, line_text),
     .required = true,
     .doc = "Line of the bootloader, e.g. 115200-8E1."},
    F(profile_firmware, entries, BIND_LIST, .required = true, .min = 1, .max = 4, .child = &entry_schema,
      .doc = "Ways in, tried in order."),
    F(profile_firmware, build_item, BIND_TEXT,
      .doc = "Item that is 0 in builds of the board that take no firmware over this line; absent = every "
             "build does."),
    F(profile_firmware, flash_address, BIND_ADDRESS, .required = true, .max = 0xffffffff,
      .doc = "First flash address."),
    F(profile_firmware, flash_size, BIND_ADDRESS, .required = true, .min = 1, .max = 0x1000000,
      .doc = "Bytes of flash."),
    F(profile_firmware, page_size, BIND_ADDRESS, .required = true, .min = 64, .max = 0x40000,
      .doc = "Bytes of one erase page."),
    F(profile_firmware, protect_size, BIND_ADDRESS, .preset = "0", .max = 0x1000000,
      .doc = "Bytes at the start that are never erased."),
    F(profile_firmware, unique_id_address, BIND_ADDRESS, .preset = "0", .max = 0xffffffff,
      .doc = "Address of the 96-bit unique id; 0 = none."),
    US(profile_firmware, erase_page_max, "400 ms", "Longest page erase."),
    US(profile_firmware, program_block_max, "500 ms", "Longest write of one block."),
    US(profile_firmware, mass_erase_max, "30 s", "Longest mass erase."),
    US(profile_firmware, start_max, "10 s", "Longest start until the application answers."),
    {NULL}};
const struct bind_schema profile_firmware_schema = {.name = "firmware",
                                                    .doc = "Flash and bootloader.",
                                                    .size = sizeof(struct profile_firmware),
                                                    .fields = firmware_fields};

void profile_check_firmware(struct profile *profile, struct bind_report *report)
{
    struct profile_firmware *firmware = &profile->firmware;
    g_autoptr(GError) error = NULL;
    if (!firmware->loader)
        return;
    if (profile->no_firmware)
        bind_report_error(report, bind_place_of(profile, profile, "no_firmware"), "take one of the two out",
                          "says why no firmware is loaded, and `firmware:` says how");
    if (!wire_line_parse(firmware->line_text, &firmware->line, &error))
        bind_report_error(report, bind_place_of(profile, firmware, "line"), NULL, "%s", error->message);
    if (!loader_kind_find(firmware->loader))
        bind_report_error(report, bind_place_of(profile, firmware, "loader"), NULL, "there is no loader '%s'",
                          firmware->loader);
    if (firmware->build_item && !profile_item_find(profile, firmware->build_item))
        bind_report_error(report, bind_place_of(profile, firmware, "build_item"), NULL, "no item '%s'",
                          firmware->build_item);
    if (firmware->page_size && firmware->flash_size % firmware->page_size)
        bind_report_error(report, bind_place_of(profile, firmware, "flash_size"), NULL,
                          "the flash is not a whole number of pages");
}
