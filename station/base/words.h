/* Words that people typed: shown back safely, and matched with the words that were possible. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define WORDS_SHOWN_MAX 60 /* characters of a foreign text in a message */

/* The text in single quotes, cut after WORDS_SHOWN_MAX characters, without anything that moves a cursor or
 * reorders a terminal line. Newly allocated. */
char *words_shown(const char *text);
/* The same escaping without quotes and without a cut. Newly allocated. */
char *words_printable(const char *text);
/* The word nearest to what was typed: other case or hyphens, at most two edits (swapped neighbours are one),
 * or one the beginning of the other. NULL when nothing is near. words ends with NULL; the answer is one of
 * them. */
const char *words_nearest(const char *typed, const char *const *words);
