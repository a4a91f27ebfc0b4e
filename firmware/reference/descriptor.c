/* In a file of its own: length and crc are filled in after linking, so no code may see the zeros they have
 * here. VERSION, PRODUCT and HARDWARE come from the Makefile. */
#include "program.h"

const struct descriptor descriptor __attribute__((section(".descriptor"), used)) = {
    .magic = DESCRIPTOR_MAGIC, .version = VERSION, .product = PRODUCT, .hardware = HARDWARE};

_Static_assert(sizeof descriptor == 64, "the descriptor has 64 bytes");
_Static_assert(sizeof VERSION <= 16 && sizeof PRODUCT <= 16 && sizeof HARDWARE <= 16, "text too long");
