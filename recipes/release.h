/* A release pins recipe, profile, layout and package by SHA-256 and is signed: production takes only released
 * sets. RELEASE.yaml beside RELEASE.yaml.sig, Ed25519 over the raw bytes, domain packline/release/v1. */
#pragma once

#include "firmware/trust.h"
#include "station/base/bind.h"

#define RELEASE_DOMAIN "packline/release/v1"

struct release {
    struct bind_place place;
    char *schema; /* packline/release/1 */
    char *recipe; /* path relative to the release file */
    int64_t revision;
    char *recipe_sha256, *profile_sha256;
    char *layout_sha256, *package_sha256; /* NULL when the recipe has none; package = its manifest */

    char sha256[65];
    struct trust_signer signer;
};
extern const struct bind_schema release_schema;

/* Verifies the signature with a key of role RELEASE before anything of it is believed. */
struct release *release_load(const char *path, const struct trust *trust,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Reads what a release pins as a run does, and compares each file with its hash: TRUST naming the first that
 * is not the released one, or why a file cannot be used. */
bool release_check(const char *path, const struct release *release, const struct trust *trust,
                   GError **error) G_GNUC_WARN_UNUSED_RESULT;
void release_free(struct release *release);
/* Reads the recipe and what it names, checks all of it as plan does for files alone, writes `out` and its
 * .sig. */
bool release_make(const char *recipe_path, const struct trust *trust, const char *private_key_path,
                  const char *out, GError **error) G_GNUC_WARN_UNUSED_RESULT;
