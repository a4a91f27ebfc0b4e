/* A station made of what packline ships, for the demonstration and the simulation. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* family: of its boards, with a recipe that is shipped. share holds recipes/ and labels/; the image is packed
 * and signed with keys made here. The file "made" stands when all is there. */
bool kit_make(const char *share, const char *image, const char *family, const char *folder,
              GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* What the link to a virtual board of the family begins with, and what the scanner reads of the number-th: a
 * text to be freed. */
const char *kit_scheme(const char *family);
char *kit_scan(const char *family, uint64_t number);
/* Bus address of its virtual boards. */
unsigned kit_address(const char *family);
bool kit_write(const char *folder, const char *name, const char *text, int mode,
               GError **error) G_GNUC_WARN_UNUSED_RESULT;
