/* The folder of a station that needs no factory: keys, trusted keys, secrets, a signed package, the shipped
 * recipe with its profile and layout, and a signed release of the set. */
#include "station/kit.h"

#include "firmware/package.h"
#include "recipes/release.h"
#include "station/base/error.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#define KIT_VERSION "1.0.4"
#define KIT_ADDRESS 0x08000000u

/* The visible table: the recipe shipped for a family, and what its package is for; no package, no firmware
 * step. */
static const struct kit_family {
    const char *name, *recipe, *profile, *package, *product, *hardware;
    const char *scheme; /* of links to its virtual boards; NULL = unix: */
    const char
        *number;      /* a board brings its serial number: this, and its unit seed; NULL = it is given one */
    unsigned address; /* 0 = 1 */
} families[] = {
    {"basen", "recipes/basen-100ah-16s.yaml", "recipes/boards/basen-lt55.yaml",
     "packages/b200lt55-" KIT_VERSION, "B200LT55", "HY-PT003"},
    {"monv4", "recipes/monv4-50ah-23s-lfp.yaml", "recipes/boards/monv4-reference.yaml",
     "packages/monv4-24s-" KIT_VERSION, "MONV4-24S", "MV4-A"},
    {"mainx", "recipes/mainx.yaml", "recipes/boards/mainx-reference.yaml", .address = 32},
    {"seplos3", "recipes/seplos3-16s-330ah.yaml", "recipes/boards/seplos3.yaml", .package = NULL},
    /* Its recipe needs no package: not every build takes one. */
    {"clever", "recipes/clever-100ah-16s.yaml", "recipes/boards/clever-176x33.yaml",
     "packages/clever-" KIT_VERSION, "CLV-176X33", "V3.0"},
    /* Its firmware is the maker's. */
    {"jbd", "recipes/jbd-100ah-4s.yaml", "recipes/boards/jbd-sp04s020.yaml", NULL, NULL, NULL},
    {.name = "rockets",
     .recipe = "recipes/rockets-smart.yaml",
     .profile = "recipes/boards/rockets-smart.yaml",
     .scheme = "can-socket:",
     .number = "RS"},
    {"topbms", "recipes/topbms-16s.yaml", "recipes/boards/topbms-v17.yaml", NULL, NULL, NULL},
    {.name = "pace",
     .recipe = "recipes/pace-100ah-16s.yaml",
     .profile = "recipes/boards/pace-25.yaml",
     .number = "1821"},
    {.name = "daly-modbus",
     .recipe = "recipes/daly-modbus-100ah-16s.yaml",
     .profile = "recipes/boards/daly-modbus-16s.yaml",
     .number = "226JD",
     .address = 210},
    {.name = "daly",
     .recipe = "recipes/daly-uart-16s.yaml",
     .profile = "recipes/boards/daly-uart-16s.yaml",
     .number = "DALY-"},
    {.name = "daly-can",
     .recipe = "recipes/daly-can-16s.yaml",
     .profile = "recipes/boards/daly-can-16s.yaml",
     .scheme = "can-socket:",
     .number = "DALY-"},
    {.name = "tianpower",
     .recipe = "recipes/tianpower-16s.yaml",
     .profile = "recipes/boards/tianpower-16s.yaml",
     .number = "TP-"},
};

struct kit {
    const char *share, *image, *folder;
    const struct kit_family *family;
};

static char *in(const struct kit *kit, const char *name)
{
    return g_build_filename(kit->folder, name, NULL);
}

static bool make_folder(const struct kit *kit, const char *name, GError **error)
{
    g_autofree char *path = in(kit, name);
    return g_mkdir_with_parents(path, 0700) == 0 ||
           error_set(error, ERROR_STORAGE, "%s: %s", path, g_strerror(errno));
}

bool kit_write(const char *folder, const char *name, const char *text, int mode, GError **error)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_autoptr(GError) inner = NULL;
    if (g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE,
                                 mode, &inner))
        return true;
    return error_set(error, ERROR_STORAGE, "%s", inner->message);
}

static bool write_text(const struct kit *kit, const char *name, const char *text, int mode, GError **error)
{
    return kit_write(kit->folder, name, text, mode, error);
}

static bool copy(const struct kit *kit, const char *from, const char *to, GError **error)
{
    g_autofree char *source = g_build_filename(kit->share, from, NULL);
    g_autofree char *text = NULL;
    g_autoptr(GError) inner = NULL;
    if (!g_file_get_contents(source, &text, NULL, &inner))
        return error_set(error, ERROR_AUTHOR, "%s", inner->message);
    return write_text(kit, to, text, 0644, error);
}

static bool copy_files(const struct kit *kit, GError **error)
{
    return copy(kit, kit->family->recipe, kit->family->recipe, error) &&
           copy(kit, kit->family->profile, kit->family->profile, error) &&
           copy(kit, "labels/board-60x40.yaml", "labels/board-60x40.yaml", error);
}

static bool make_keys(const struct kit *kit, GError **error)
{
    static const struct {
        const char *name;
        unsigned role;
    } keys[] = {{"demo-firmware", TRUST_FIRMWARE}, {"demo-release", TRUST_RELEASE}};
    g_autofree char *folder = in(kit, "keys");
    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
        g_autofree char *from = g_strdup_printf("%s/%s.pub", folder, keys[i].name);
        g_autofree char *to = g_strdup_printf("trust/%s.pub", keys[i].name);
        g_autofree char *text = NULL;
        if (!trust_generate(folder, keys[i].name, keys[i].role, error) ||
            !g_file_get_contents(from, &text, NULL, error) || !write_text(kit, to, text, 0644, error))
            return false;
    }
    return true;
}

static bool make_package(const struct kit *kit, GError **error)
{
    const char *const hardware[] = {kit->family->hardware, NULL};
    static const uint32_t mcu[] = {0x0413}, bootloader[] = {0x31};
    const struct package_recipe recipe = {.product = kit->family->product,
                                          .version = KIT_VERSION,
                                          .hardware = hardware,
                                          .mcu_ids = mcu,
                                          .mcu_count = 1,
                                          .bootloaders = bootloader,
                                          .bootloader_count = 1,
                                          .sequence = 10004,
                                          .not_before = 1577836800000000, /* 2020-01-01 */
                                          .not_after = 4102358400000000,  /* 2099-12-31 */
                                          .has_base = true,
                                          .base = KIT_ADDRESS};
    if (!kit->family->package)
        return true;
    g_autofree char *out = in(kit, kit->family->package);
    g_autofree char *key = in(kit, "keys/demo-firmware.key");
    return package_pack(kit->image, &recipe, out, error) && package_sign(out, key, error);
}

static bool make_release(const struct kit *kit, GError **error)
{
    g_autofree char *trust_folder = in(kit, "trust");
    g_autofree char *recipe = in(kit, kit->family->recipe);
    g_autofree char *key = in(kit, "keys/demo-release.key");
    g_autofree char *out = in(kit, "recipes/release.yaml");
    struct trust *trust = trust_load(trust_folder, error);
    bool ok = trust && release_make(recipe, trust, key, out, error);
    trust_free(trust);
    return ok;
}

/* The passwords are those of the virtual board, as the manual prints them. */
static bool make_secrets(const struct kit *kit, GError **error)
{
    return write_text(kit, "secrets/clever-write", "AF123456\n", 0600, error) &&
           write_text(kit, "secrets/basen-admin", "888888\n", 0600, error) &&
           write_text(kit, "secrets/basen-antitheft", "654321\n", 0600, error) &&
           write_text(kit, "secrets/mainx-ftp", "ftp-Pa55word\n", 0600, error);
}

static const struct kit_family *find_family(const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(families); i++)
        if (strcmp(families[i].name, name) == 0)
            return &families[i];
    return NULL;
}

const char *kit_scheme(const char *family)
{
    const struct kit_family *found = find_family(family);
    return found && found->scheme ? found->scheme : "unix:";
}

char *kit_scan(const char *family, uint64_t number)
{
    const struct kit_family *found = find_family(family);
    return found && found->number ? g_strdup_printf("%s%010" G_GUINT64_FORMAT, found->number, number)
                                  : g_strdup_printf("BSN%08" G_GUINT64_FORMAT, number);
}

unsigned kit_address(const char *family)
{
    const struct kit_family *found = find_family(family);
    return found && found->address ? found->address : 1;
}

static char *family_names(void)
{
    GString *names = g_string_new(NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(families); i++)
        g_string_append_printf(names, "%s%s", i > 0 ? ", " : "", families[i].name);
    return g_string_free(names, FALSE);
}

bool kit_make(const char *share, const char *image, const char *family, const char *folder, GError **error)
{
    const struct kit a_kit = {share, image, folder, find_family(family)}, *kit = &a_kit;
    g_autofree char *names = family_names();
    if (!kit->family)
        return error_set(error, ERROR_USAGE, "no recipe is shipped for the family '%s': there are %s", family,
                         names);
    static const char *const folders[] = {"recipes/boards", "labels",   "keys",    "trust",
                                          "secrets",        "packages", "printed", "units"};
    for (gsize i = 0; i < G_N_ELEMENTS(folders); i++)
        if (!make_folder(kit, folders[i], error))
            return false;
    return copy_files(kit, error) && make_keys(kit, error) && make_secrets(kit, error) &&
           make_package(kit, error) && make_release(kit, error) &&
           write_text(kit, "made", "1\n", 0644, error);
}
