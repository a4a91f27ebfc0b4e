/* Inside the profile only: what its files hand one another. */
#pragma once

#include "proto/profile.h"

extern const struct bind_choice profile_evidences[], profile_auths[], profile_polarities[], profile_types[],
    profile_words_order[];
extern const struct bind_schema profile_block_schema, profile_command_schema, profile_identity_schema,
    profile_reading_schema, profile_procedure_schema, profile_clock_schema, profile_log_schema,
    profile_set_schema, profile_firmware_schema, profile_frame_schema;

/* A file as it stands, unchecked; and all checks of a whole profile. */
struct profile *profile_bind(const char *path, GBytes *bytes, struct bind_report *report);
bool profile_check(struct profile *profile, struct bind_report *report);
struct profile *profile_load_completed(const char *path, GBytes *bytes, profile_base base, void *context,
                                       struct bind_report *report);
char *profile_evidence_text(const struct profile *profile);

unsigned profile_item_width(const struct profile_item *item);
void profile_check_type(struct profile *profile, const struct profile_item *item, struct bind_report *report);
void profile_check_procedures(struct profile *profile, struct bind_report *report);
void profile_check_firmware(struct profile *profile, struct bind_report *report);
void profile_check_log(struct profile *profile, struct bind_report *report);
void profile_check_sets(struct profile *profile, struct bind_report *report);
