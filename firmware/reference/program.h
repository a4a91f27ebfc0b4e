#pragma once

#include "descriptor.h"

#include <stdbool.h>

extern const struct descriptor descriptor;

void program_run(void);  /* never returns */
void program_tick(void); /* every millisecond */

/* CRC-32 (reflected, EDB88320H) over the running image against its descriptor. */
bool image_is_intact(uint32_t *crc);

/* Charge of a rested LFP cell in thousandths, from its open-circuit voltage. */
uint32_t charge_of_voltage(uint32_t cell_mv);

/* Line of at most LINE_MAX characters; answers on the same line. */
#define LINE_MAX 32
void serial_open(void);
bool serial_read(char *c); /* false when nothing came */
void serial_write(const char *text);
void serial_write_number(uint32_t value);
void serial_write_hex(uint32_t value);
void serial_flush(void); /* until the last bit has left */
