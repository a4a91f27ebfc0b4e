/* A parameter set as a file, packline/parameters/1: what one board held, to be read by people and written to
 * another board. What belongs to the pack moves, what belongs to the board stays; the profile says which. */
#pragma once

#include "proto/board.h"

struct parameters {
    struct bind_place place;
    char *schema, *profile, *profile_sha256, *family, *evidence, *dialect;
    char *product, *hardware, *firmware, *unique_id, *taken;
    GPtrArray *pack, *board; /* struct bind_pair*: item keys and values */
};
extern const struct bind_schema parameters_schema;

/* The text of the file. taken: UTC. Secrets and what is not set are left out. */
char *parameters_text(const struct board_image *image, const struct board_identity *identity,
                      int64_t taken_us);
struct parameters *parameters_load(const char *path, GBytes *bytes, struct bind_report *report);
void parameters_free(struct parameters *parameters);

/* What goes onto a board of this profile, as struct item_value, or NULL with the findings: values that do not
 * fit, items that the profile does not know, that must not be written or that belong to the board. */
GArray *parameters_resolve(const struct parameters *parameters, const struct profile *profile,
                           struct bind_report *report);
