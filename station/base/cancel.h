/* One way for a person to stop a run, wherever it waits. A wait on a file descriptor polls cancel_fd too. */
#pragma once

#include <glib.h>
#include <stdbool.h>

struct cancel;

struct cancel *cancel_new(void);
void cancel_free(struct cancel *cancel);
/* Async-signal-safe. Stays requested. */
void cancel_request(struct cancel *cancel);
/* NULL is never cancelled. */
bool cancel_requested(const struct cancel *cancel);
/* Becomes readable when requested; -1 for NULL. */
int cancel_fd(const struct cancel *cancel);

typedef struct cancel cancel_auto;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(cancel_auto, cancel_free)
