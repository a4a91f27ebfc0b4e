/* A plan: recipe + profile + package + layout resolved against this station and this unit. What can be
 * refused is refused here, before a board is touched, with file:line:column. Frozen; has a digest. */
#pragma once

#include "firmware/package.h"
#include "labels/layout.h"
#include "proto/profile.h"
#include "recipes/recipe.h"
#include "recipes/release.h"

struct plan_step {
    const char *verb;
    const char *title;
    const void *parameters;    /* struct recipe_<verb> */
    struct item_value *values; /* of steps that write items, resolved with texts filled in */
    unsigned value_count;
};

struct plan {
    struct recipe *recipe;
    struct profile *profile;
    struct package *package; /* NULL without a flash step */
    const char *chemistry;   /* of the cells; NULL = not told */
    struct layout *layout;   /* NULL without a label step */
    struct release *release; /* NULL in a trial */
    bool production;
    char *sn, *scan;
    struct plan_step *steps;
    unsigned step_count;
    GPtrArray *warnings; /* char*: e.g. waivers in force */
    GPtrArray *files;    /* struct plan_file*: every file by hash, for the store to keep */
    char layout_sha256[65];
    char sha256[65]; /* digest over hashes, unit and resolved values */
};

struct plan_file {
    const char *kind; /* "recipe" "profile" "layout" "manifest" "release" "image" */
    GBytes *bytes;
};

struct plan_request {
    const char *recipe_path;  /* of a trial; or */
    const char *release_path; /* of a production run (the recipe it pins) */
    const char *scan;
    const struct trust *trust;
    int64_t wall_us;      /* manifest validity, {date} */
    bool physical_wire;   /* the slot's link may lead to real hardware */
    bool allow_reference; /* the station's override */
    /* newest accepted sequence of a product; NULL = 0 always */
    bool (*newest)(void *context, const char *product, int64_t *sequence, GError **error);
    void *context;
    /* which secret names the station has; NULL = any */
    bool (*has_secret)(void *context, const char *name);
};

/* Errors: AUTHOR with all findings, TRUST, RULE. A trial with an untrusted or unsigned package is still
 * refused: only the release is optional in a trial. */
struct plan *plan_make(const struct plan_request *request, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void plan_free(struct plan *plan);
/* File-only checks of a recipe with what it names (packline check): findings into the report; true when no
 * errors. */
bool plan_check_recipe(const struct recipe *recipe, const struct trust *trust, struct bind_report *report);
