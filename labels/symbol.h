/* Bar code symbols as modules, through libzint; its warnings are errors here. */
#pragma once

#include "labels/layout.h"

struct symbol {
    unsigned width, height; /* modules, quiet zone included; height 1 for linear symbols */
    bool *dark;             /* width × height */
};

/* AUTHOR when the content does not fit the symbology. */
bool symbol_make(enum layout_symbology symbology, const char *content, struct symbol *symbol,
                 GError **error) G_GNUC_WARN_UNUSED_RESULT;
void symbol_clear(struct symbol *symbol);
