/* Where labels go. A printer tells "not sent" (safe to try again) from "sent, unconfirmed" (never sent again
 * by itself). All errors are kind PRINTER. */
#pragma once

#include "labels/render.h"
#include "station/base/tick.h"

enum printer_outcome { PRINTER_NOT_SENT, PRINTER_UNCONFIRMED, PRINTER_DONE };

struct printer_job {
    const char *name; /* file name without ending; the serial number */
    GBytes *png, *pdf, *zpl;
    struct tick *tick;
};

struct printer_kind {
    const char *scheme;
    enum printer_outcome (*send)(const char *rest, const struct printer_job *job, GError **error);
};

/* file:FOLDER writes NAME.png, .pdf and .zpl; tcp:HOST:PORT sends ZPL to a raw printer. *error is set unless
 * DONE. */
enum printer_outcome printer_send(const char *url, const struct printer_job *job, GError **error);
