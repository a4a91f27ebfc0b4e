/* Inside the wires: what the kinds share with wire.c. */
#pragma once

#include "proto/wire.h"

struct wire *wire_serial_open(const char *path, const struct wire_options *options, GError **error);
struct wire *wire_tcp_open(const char *address, const struct wire_options *options, GError **error);
struct wire *wire_unix_open(const char *path, const struct wire_options *options, GError **error);
struct wire *wire_can_open(const char *name, const struct wire_options *options, GError **error);
struct wire *wire_slcan_open(const char *rest, const struct wire_options *options, GError **error);
struct wire *wire_can_socket_open(const char *rest, const struct wire_options *options, GError **error);

/* Fills the common part of a new wire; url is copied. */
void wire_init(struct wire *wire, const struct wire_kind *kind, const struct wire_options *options,
               const char *url);
/* The same for a decorator, which takes `under`. */
void wire_over(struct wire *wire, const struct wire_kind *kind, struct wire *under);
/* True when fd is ready; SILENT at the deadline, CANCELLED, CABLE. */
bool wire_wait_fd(struct wire *wire, int fd, short events, int64_t deadline_us, GError **error);
