/* firmware pack | sign | verify | inspect. */
#include "station/cli.h"

#include "firmware/package.h"
#include "station/base/error.h"

#include <string.h>

extern const struct cli_verb cli_firmware_verbs[];

#define LIST_MAX 16

/* "0x0413" or "1043"; at most max. */
static bool number(const char *text, uint64_t max, uint32_t *value)
{
    guint64 parsed;
    if (g_str_has_prefix(text, "0x") || g_str_has_prefix(text, "0X")) {
        if (!g_ascii_string_to_unsigned(text + 2, 16, 0, max, &parsed, NULL))
            return false;
    } else if (!g_ascii_string_to_unsigned(text, 10, 0, max, &parsed, NULL)) {
        return false;
    }
    *value = (uint32_t)parsed;
    return true;
}

static unsigned numbers(const GPtrArray *texts, uint32_t *values, bool *ok)
{
    unsigned n = 0;
    for (guint i = 0; texts && i < texts->len; i++) {
        if (n == LIST_MAX || !number(g_ptr_array_index(texts, i), 0xffff, &values[n]))
            *ok = false;
        else
            n++;
    }
    return n;
}

/* "3.1" → 0x31 */
static unsigned bcd_versions(const GPtrArray *texts, uint32_t *values, bool *ok)
{
    unsigned n = 0;
    for (guint i = 0; texts && i < texts->len; i++) {
        const char *text = g_ptr_array_index(texts, i);
        if (n < LIST_MAX && strlen(text) == 3 && g_ascii_isdigit(text[0]) && text[1] == '.' &&
            g_ascii_isdigit(text[2]))
            values[n++] = (uint32_t)((text[0] - '0') << 4 | (text[2] - '0'));
        else
            *ok = false;
    }
    return n;
}

static bool date(const char *text, int64_t *wall_us)
{
    g_autofree char *full = g_strconcat(text, "T00:00:00Z", NULL);
    g_autoptr(GDateTime) parsed = strlen(text) == 10 ? g_date_time_new_from_iso8601(full, NULL) : NULL;
    if (parsed)
        *wall_us = g_date_time_to_unix(parsed) * 1000000;
    return parsed != NULL;
}

static int pack(const struct cli_input *input)
{
    static const char *const needed[] = {"product", "version", "hardware", "mcu", "sequence", "out"};
    uint32_t mcu[LIST_MAX], boot[LIST_MAX], sequence, base = 0;
    GError *error = NULL;
    bool ok = true;
    for (gsize i = 0; i < G_N_ELEMENTS(needed); i++)
        if (!cli_has(input, needed[i]))
            return cli_usage(input, "--%s is missing", needed[i]);
    struct package_recipe recipe = {.product = cli_get(input, "product"),
                                    .version = cli_get(input, "version")};
    recipe.mcu_count = numbers(cli_all(input, "mcu"), mcu, &ok);
    recipe.mcu_ids = mcu;
    if (!ok)
        return cli_usage(input, "--mcu is a 16-bit number such as 0x0413");
    recipe.bootloader_count = bcd_versions(cli_all(input, "bootloader"), boot, &ok);
    recipe.bootloaders = boot;
    if (!ok)
        return cli_usage(input, "--bootloader is a version such as 3.1");
    if (!number(cli_get(input, "sequence"), G_MAXINT32, &sequence))
        return cli_usage(input, "--sequence is a number that grows with every version");
    recipe.sequence = sequence;
    recipe.has_base = cli_has(input, "base");
    if (recipe.has_base && !number(cli_get(input, "base"), G_MAXUINT32, &base))
        return cli_usage(input, "--base is an address such as 0x08000000");
    recipe.base = base;
    if (!date(cli_has(input, "not-before") ? cli_get(input, "not-before") : "2020-01-01",
              &recipe.not_before) ||
        !date(cli_has(input, "not-after") ? cli_get(input, "not-after") : "2099-12-31", &recipe.not_after))
        return cli_usage(input, "dates are YYYY-MM-DD");
    g_autoptr(GPtrArray) hardware = g_ptr_array_new();
    const GPtrArray *revisions = cli_all(input, "hardware");
    for (guint i = 0; i < revisions->len; i++)
        g_ptr_array_add(hardware, g_ptr_array_index(revisions, i));
    g_ptr_array_add(hardware, NULL);
    recipe.hardware = (const char *const *)hardware->pdata;
    if (!package_pack(g_ptr_array_index(input->arguments, 0), &recipe, cli_get(input, "out"), &error))
        return cli_fail(input, error);
    printf("%s\n", cli_get(input, "out"));
    return 0;
}

static int sign(const struct cli_input *input)
{
    GError *error = NULL;
    if (!cli_has(input, "key"))
        return cli_usage(input, "--key FILE is needed");
    if (!package_sign(g_ptr_array_index(input->arguments, 0), cli_get(input, "key"), &error))
        return cli_fail(input, error);
    printf("%s/%s\n", (char *)g_ptr_array_index(input->arguments, 0), PACKAGE_SIGNATURE);
    return 0;
}

static void print_image(const struct image *image, json_t *data)
{
    char sha256[65];
    image_sha256(image, sha256);
    json_t *regions = json_array();
    for (unsigned i = 0; i < image->count; i++)
        json_array_append_new(regions,
                              json_pack("{s:I,s:I}", "address", (json_int_t)image->regions[i].address, "size",
                                        (json_int_t)image->regions[i].size));
    json_object_set_new(data, "format", json_string(image->format));
    json_object_set_new(data, "sha256", json_string(sha256));
    json_object_set_new(data, "bytes", json_integer((json_int_t)image_size(image)));
    json_object_set_new(data, "regions", regions);
}

static void print_data(const struct cli_input *input, json_t *data)
{
    const char *key;
    json_t *value;
    if (input->json) {
        cli_print_json(json_pack("{s:i,s:s,s:o}", "v", 1, "type", "info", "data", data));
        return;
    }
    json_object_foreach(data, key, value)
    {
        size_t i;
        json_t *region;
        if (json_is_string(value))
            printf("%s %s\n", key, json_string_value(value));
        else if (json_is_integer(value))
            printf("%s %" JSON_INTEGER_FORMAT "\n", key, json_integer_value(value));
        else
            json_array_foreach(value, i, region)
                printf("region 0x%08X %" JSON_INTEGER_FORMAT "\n",
                       (unsigned)json_integer_value(json_object_get(region, "address")),
                       json_integer_value(json_object_get(region, "size")));
    }
    json_decref(data);
}

static json_t *package_data(const struct package *package)
{
    const struct manifest *m = package->manifest;
    json_t *data = json_pack("{s:s,s:s,s:I,s:s}", "product", m->product, "version", m->version, "sequence",
                             (json_int_t)m->sequence, "manifest", package->manifest_sha256);
    g_autoptr(GString) hardware = g_string_new(NULL);
    for (guint i = 0; i < m->hardware->len; i++)
        g_string_append_printf(hardware, "%s%s", i ? ", " : "", (char *)g_ptr_array_index(m->hardware, i));
    json_object_set_new(data, "hardware", json_string(hardware->str));
    json_object_set_new(data, "signed",
                        json_string(package->signer.name[0] ? package->signer.name
                                    : package->is_signed    ? "yes, not checked (no --trust)"
                                                            : "no"));
    print_image(package->image, data);
    return data;
}

static int inspect_image(const struct cli_input *input, const char *path)
{
    GError *error = NULL;
    uint32_t base = 0;
    g_autoptr(GBytes) bytes = bind_read_file(path, IMAGE_FILE_MAX, &error);
    if (!bytes)
        return cli_fail(input, error);
    if (cli_has(input, "base") && !number(cli_get(input, "base"), G_MAXUINT32, &base))
        return cli_usage(input, "--base is an address such as 0x08000000");
    g_autoptr(image_auto) image = image_parse(path, bytes, cli_has(input, "base"), base, &error);
    if (!image)
        return cli_fail(input, error);
    json_t *data = json_object();
    print_image(image, data);
    print_data(input, data);
    return 0;
}

static int inspect_package(const struct cli_input *input, const char *path, bool need_trust)
{
    GError *error = NULL;
    struct trust *trust = NULL;
    if (need_trust && !cli_has(input, "trust"))
        return cli_usage(input, "--trust FOLDER is needed");
    if (cli_has(input, "trust") && !(trust = trust_load(cli_get(input, "trust"), &error)))
        return cli_fail(input, error);
    struct package *package = package_load(path, trust, &error);
    trust_free(trust);
    if (!package)
        return cli_fail(input, error);
    print_data(input, package_data(package));
    package_free(package);
    return 0;
}

static int inspect(const struct cli_input *input)
{
    const char *path = g_ptr_array_index(input->arguments, 0);
    return g_file_test(path, G_FILE_TEST_IS_DIR) ? inspect_package(input, path, false)
                                                 : inspect_image(input, path);
}

static int verify(const struct cli_input *input)
{
    return inspect_package(input, g_ptr_array_index(input->arguments, 0), true);
}

static const struct cli_option pack_options[] = {
    {"product", 0, "NAME", false, "product the firmware is for, as the board reports it"},
    {"hardware", 0, "REVISION", true, "hardware revision it may go onto; may stand more than once"},
    {"mcu", 0, "ID", true, "MCU id, e.g. 0x0413; may stand more than once"},
    {"bootloader", 0, "VERSION", true, "bootloader version accepted, e.g. 3.1; none means any"},
    {"version", 0, "TEXT", false, "version that the application reports"},
    {"sequence", 0, "N", false, "grows with every version; a station refuses a lower one than it has seen"},
    {"base", 0, "ADDRESS", false, "load address of a raw binary"},
    {"not-before", 0, "DATE", false, "first day of validity"},
    {"not-after", 0, "DATE", false, "last day of validity"},
    {"out", 'o', "FOLDER", false, "the package to write; must not exist"},
    {NULL},
};
static const struct cli_option sign_options[] = {
    {"key", 0, "FILE", false, "private key with the role firmware"},
    {NULL},
};
static const struct cli_option inspect_options[] = {
    {"trust", 0, "FOLDER", false, "public keys to believe; without it the signature is not checked"},
    {"base", 0, "ADDRESS", false, "load address of a raw binary"},
    {NULL},
};
static const struct cli_option verify_options[] = {
    {"trust", 0, "FOLDER", false, "public keys to believe"},
    {NULL},
};

const struct cli_verb cli_firmware_verbs[] = {
    {.name = "firmware pack",
     .arguments = "IMAGE",
     .arguments_min = 1,
     .arguments_max = 1,
     .summary = "make a firmware package from an image (bin, Intel HEX, S-record, ELF)",
     .options = pack_options,
     .run = pack},
    {.name = "firmware sign",
     .arguments = "PACKAGE",
     .arguments_min = 1,
     .arguments_max = 1,
     .summary = "sign a package's manifest",
     .options = sign_options,
     .run = sign},
    {.name = "firmware verify",
     .arguments = "PACKAGE",
     .arguments_min = 1,
     .arguments_max = 1,
     .summary = "verify signature, hashes and regions of a package",
     .options = verify_options,
     .run = verify},
    {.name = "firmware inspect",
     .arguments = "PACKAGE|IMAGE",
     .arguments_min = 1,
     .arguments_max = 1,
     .summary = "show what a package or an image file holds",
     .options = inspect_options,
     .run = inspect},
    {NULL},
};
