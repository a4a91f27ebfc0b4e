/* Host tool: prints the tables of integrity.c. tables[k][b] is the CRC of byte b followed by k zero bytes. */
#include <stdint.h>
#include <stdio.h>

int main(void)
{
    uint32_t tables[4][256];
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t value = b;
        for (int bit = 0; bit < 8; bit++)
            value = value >> 1 ^ (value & 1 ? 0xEDB88320u : 0);
        tables[0][b] = value;
    }
    for (int k = 1; k < 4; k++)
        for (int b = 0; b < 256; b++)
            tables[k][b] = tables[k - 1][b] >> 8 ^ tables[0][tables[k - 1][b] & 0xFF];
    printf("static const uint32_t crc_tables[4][256] = {\n");
    for (int k = 0; k < 4; k++) {
        printf("    {");
        for (int b = 0; b < 256; b++)
            printf("0x%08Xu,%s", (unsigned)tables[k][b], b % 8 == 7 ? "\n     " : " ");
        printf("},\n");
    }
    printf("};\n");
    return ferror(stdout) != 0;
}
