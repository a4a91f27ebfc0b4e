/* Whom the station believes: Ed25519 public keys with roles, and detached signatures over raw bytes.
 *
 * Signed are domain || 0x00 || bytes, so that a signature of one kind of file never passes for another. A
 * signature file is one line: "ed25519 KEYID BASE64\n"; KEYID is the first 16 hex digits of the SHA-256 of
 * the raw 32-byte public key. Trusted keys are *.pub files in a folder: "ed25519 ROLE[,ROLE] NAME BASE64\n".
 * A file "revoked" in that folder names key ids, one on each line; what such a key signed is refused, whether
 * or not its *.pub file is still there. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define TRUST_REVOKED    "revoked"
#define TRUST_SIGNED_MAX (1024 * 1024) /* bytes under one signature */

enum trust_role { TRUST_FIRMWARE = 1, TRUST_RELEASE = 2 };

struct trust;
struct trust_signer {
    char key_id[17];
    char name[64];
};

/* Kind AUTHOR: a key file or the list of revoked keys is malformed or cannot be read. */
struct trust *trust_load(const char *folder, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void trust_free(struct trust *trust);
/* True only when the signature is by a trusted key that has this role. Kind TRUST, or AUTHOR for a malformed
 * file. */
bool trust_verify(const struct trust *trust, enum trust_role role, const char *domain, GBytes *bytes,
                  const char *signature, struct trust_signer *signer,
                  GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The line of a signature file; newly allocated. */
char *trust_sign(const char *private_key_path, const char *domain, GBytes *bytes, GError **error);
/* Makes NAME.key (PKCS#8 PEM, mode 0600) and NAME.pub in folder; refuses to overwrite. */
bool trust_generate(const char *folder, const char *name, unsigned roles,
                    GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* 64 hex digits of SHA-256. */
void trust_sha256(const void *bytes, gsize n, char hex[65]);
