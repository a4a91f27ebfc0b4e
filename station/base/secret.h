/* A secret never prints: the type is opaque, the bytes are mlock'ed and wiped, and the only way to the bytes
 * is secret_reveal, which greps well. */
#pragma once

#include <glib.h>

struct secret;

/* Takes the text of a file (mode must not be readable by others), without its last newline. */
struct secret *secret_from_file(const char *path, GError **error);
struct secret *secret_from_text(const char *text);
void secret_free(struct secret *secret);
/* Valid until secret_free. */
const char *secret_reveal(const struct secret *secret);
