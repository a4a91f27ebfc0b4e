/* Inside the recipes room: a recipe and what it names, each file read exactly once, so that the bytes that
 * were checked are the bytes that are used. */
#pragma once

#include "recipes/plan.h"

struct plan_files {
    struct recipe *recipe;
    struct profile *profile;
    struct package *package;
    struct layout *layout;
    GPtrArray *kept;            /* struct plan_file* */
    struct bind_report *report; /* of the recipe */
    char layout_sha256[65];
};

/* trust NULL: the package's signature is not looked at. */
bool plan_files_load(struct plan_files *files, const char *recipe_path, const struct trust *trust,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* TRUST naming the first file that is not the released one, with both hashes. Also after a load that failed:
 * then over what could be read. */
bool plan_files_released(const struct plan_files *files, const struct release *release,
                         const char *recipe_path, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* `name` as a file at `path` means it; newly allocated. */
char *plan_files_beside(const char *path, const char *name);
/* All that files alone can tell; AUTHOR with every finding. */
bool plan_files_check(struct plan_files *files, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void plan_files_clear(struct plan_files *files);

/* Values of all steps, resolved with these words; findings into the report. In steps' order, one array a
 * step. */
struct plan_words {
    const char *sn, *scan, *date;
};
bool plan_values_resolve(const struct recipe *recipe, const struct profile *profile,
                         const struct package *package, const struct plan_words *words,
                         struct plan_step *steps, struct bind_report *report);
/* The profile's rules over what is written, with presets standing in for what is not. */
const char *plan_chemistry(const struct recipe *recipe, const struct profile *profile);
void plan_rules_check(const struct recipe *recipe, const struct profile *profile,
                      const struct plan_step *steps, GPtrArray *warnings, struct bind_report *report);
/* Package against profile: product, memory, loader. */
void plan_package_check(const struct recipe *recipe, const struct profile *profile,
                        const struct package *package, struct bind_report *report);
