/* The SQL files stand in the binary as they are in the tree. */
#include "station/store/store_parts.h"

#define EMBED(symbol, file)                                                                                  \
    __asm__(".section .rodata\n.global " #symbol "\n" #symbol ":\n.incbin \"" STORE_SQL_FOLDER "/" file      \
            "\"\n.byte 0\n.previous\n")

EMBED(store_schema_sql, "schema.sql");
EMBED(store_derive_sql, "derive.sql");
EMBED(store_views_sql, "views.sql");
EMBED(store_promises_sql, "promises.sql");
