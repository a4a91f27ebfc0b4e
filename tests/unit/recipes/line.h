/* A production line in a temporary folder: keys, a signed package of a small bootable image, the shipped
 * recipe, profile and layout, and a release of them. */
#pragma once

#include "firmware/package.h"
#include "recipes/plan.h"
#include "station/base/error.h"

#include <stdlib.h>
#include <string.h>

struct line {
    char *folder;
    struct trust *trust;
};

static inline char *line_path(const struct line *line, const char *name)
{
    return g_build_filename(line->folder, name, NULL);
}

static inline void line_put_le(uint8_t *p, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(value >> (8 * i));
}

/* An image that the virtual board boots: vectors, descriptor at 200H, CRC-32 (docs/families/basen.md). */
static inline void line_write_image(const struct line *line, const char *version)
{
    uint8_t image[3000 / 4 * 4];
    uint32_t crc = 0xffffffffu;
    for (unsigned i = 0; i < sizeof image; i++)
        image[i] = (uint8_t)(i * 7 + i / 256);
    line_put_le(image, 0x20020000);
    line_put_le(image + 4, 0x08000401);
    memset(image + 0x200, 0, 64);
    memcpy(image + 0x200, "PKLD", 4);
    line_put_le(image + 0x204, sizeof image);
    memcpy(image + 0x20c, version, strlen(version));
    memcpy(image + 0x21c, "B200LT55", 8);
    memcpy(image + 0x22c, "HY-PT003", 8);
    for (unsigned i = 0; i < sizeof image; i++) {
        crc ^= image[i];
        for (int k = 0; k < 8; k++)
            crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
    }
    line_put_le(image + 0x208, ~crc);
    g_autofree char *path = line_path(line, "image.bin");
    g_assert_true(g_file_set_contents(path, (const char *)image, sizeof image, NULL));
}

static inline void line_copy(const struct line *line, const char *name)
{
    g_autofree char *from = g_build_filename(SOURCE_DIR, name, NULL);
    g_autofree char *to = line_path(line, name);
    g_autofree char *folder = g_path_get_dirname(to);
    g_autofree char *text = NULL;
    g_mkdir_with_parents(folder, 0700);
    g_assert_true(g_file_get_contents(from, &text, NULL, NULL));
    g_assert_true(g_file_set_contents(to, text, -1, NULL));
}

/* Replaces the first occurrence in a file of the line. */
static inline void line_edit(const struct line *line, const char *name, const char *from, const char *to)
{
    g_autofree char *path = line_path(line, name);
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_auto(GStrv) parts = g_strsplit(text, from, 2);
    if (!parts[1])
        g_error("%s has no '%s'", name, from);
    g_autofree char *changed = g_strjoin(to, parts[0], parts[1], NULL);
    g_assert_true(g_file_set_contents(path, changed, -1, NULL));
}

static inline void line_pack(const struct line *line, int64_t sequence, int64_t not_after)
{
    static const char *const hardware[] = {"HY-PT003", NULL};
    static const uint32_t mcu[] = {0x0413}, boot[] = {0x31};
    const struct package_recipe recipe = {.product = "B200LT55",
                                          .version = "1.0.4",
                                          .hardware = hardware,
                                          .mcu_ids = mcu,
                                          .mcu_count = 1,
                                          .bootloaders = boot,
                                          .bootloader_count = 1,
                                          .sequence = sequence,
                                          .not_before = INT64_C(1577836800000000), /* 2020-01-01 */
                                          .not_after = not_after,
                                          .has_base = true,
                                          .base = 0x08000000};
    g_autofree char *image = line_path(line, "image.bin");
    g_autofree char *out = line_path(line, "packages/b200lt55-1.0.4");
    g_autofree char *key = line_path(line, "keys/all.key");
    g_autofree char *clear = g_strdup_printf("rm -rf '%s'", out);
    GError *error = NULL;
    g_assert_cmpint(system(clear), ==, 0);
    g_assert_true(package_pack(image, &recipe, out, &error));
    g_assert_true(package_sign(out, key, &error));
    g_assert_no_error(error);
}

static inline void line_release(const struct line *line)
{
    g_autofree char *recipe = line_path(line, "recipes/basen-100ah-16s.yaml");
    g_autofree char *key = line_path(line, "keys/all.key");
    g_autofree char *out = line_path(line, "recipes/release.yaml");
    GError *error = NULL;
    bool made = release_make(recipe, line->trust, key, out, &error);
    g_assert_no_error(error);
    g_assert_true(made);
}

static inline void line_make(struct line *line)
{
    static const char *const folders[] = {"keys", "trust", "packages"};
    GError *error = NULL;
    line->folder = g_dir_make_tmp("line-XXXXXX", NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(folders); i++) {
        g_autofree char *path = line_path(line, folders[i]);
        g_mkdir_with_parents(path, 0700);
    }
    g_autofree char *keys = line_path(line, "keys");
    g_autofree char *pub = line_path(line, "keys/all.pub");
    g_autofree char *trusted = line_path(line, "trust/all.pub");
    g_autofree char *trust = line_path(line, "trust");
    g_autofree char *text = NULL;
    g_assert_true(trust_generate(keys, "all", TRUST_FIRMWARE | TRUST_RELEASE, &error));
    g_assert_true(g_file_get_contents(pub, &text, NULL, NULL));
    g_assert_true(g_file_set_contents(trusted, text, -1, NULL));
    line->trust = trust_load(trust, &error);
    g_assert_no_error(error);
    line_copy(line, "recipes/basen-100ah-16s.yaml");
    line_copy(line, "recipes/boards/basen-lt55.yaml");
    line_copy(line, "labels/board-60x40.yaml");
    line_write_image(line, "1.0.4");
    line_pack(line, 10004, INT64_C(4102358400000000));
    line_release(line);
}

static inline void line_clear(struct line *line)
{
    g_autofree char *command = g_strdup_printf("rm -rf '%s'", line->folder);
    trust_free(line->trust);
    g_assert_cmpint(system(command), ==, 0);
    g_free(line->folder);
}

/* A trial of another recipe in the folder. */
static inline struct plan *line_trial(const struct line *line, const char *name, const char *scan,
                                      GError **error)
{
    g_autofree char *recipe = line_path(line, name);
    const struct plan_request request = {
        .recipe_path = recipe, .scan = scan, .trust = line->trust, .wall_us = INT64_C(1795000000000000)};
    return plan_make(&request, error);
}

static inline struct plan *line_plan(const struct line *line, bool production, const char *scan,
                                     GError **error)
{
    g_autofree char *recipe = line_path(line, "recipes/basen-100ah-16s.yaml");
    g_autofree char *release = line_path(line, "recipes/release.yaml");
    const struct plan_request request = {.recipe_path = production ? NULL : recipe,
                                         .release_path = production ? release : NULL,
                                         .scan = scan,
                                         .trust = line->trust,
                                         .wall_us = INT64_C(1795000000000000)};
    return plan_make(&request, error);
}
