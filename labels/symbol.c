#include "labels/symbol.h"

#include "station/base/error.h"

#include <string.h>
#include <zint.h>

static int zint_symbology(enum layout_symbology symbology)
{
    switch (symbology) {
    case SYMBOLOGY_CODE128:
        return BARCODE_CODE128;
    case SYMBOLOGY_DATAMATRIX:
        return BARCODE_DATAMATRIX;
    default:
        return BARCODE_QRCODE;
    }
}

/* Quiet zones in modules: 10 for Code 128, 1 for Data Matrix (2 are given), 4 for QR, as their standards ask.
 */
static unsigned quiet_zone(enum layout_symbology symbology)
{
    static const unsigned modules[] = {
        [SYMBOLOGY_CODE128] = 10, [SYMBOLOGY_DATAMATRIX] = 2, [SYMBOLOGY_QR] = 4};
    return modules[symbology];
}

/* Readers disagree about anything else: code pages and control characters are not what a label should depend
 * on. */
static bool is_plain(const char *content)
{
    for (; *content; content++)
        if ((unsigned char)*content < 0x20 || (unsigned char)*content > 0x7e)
            return false;
    return true;
}

bool symbol_make(enum layout_symbology symbology, const char *content, struct symbol *symbol, GError **error)
{
    if (!content[0] || !is_plain(content))
        return error_set(error, ERROR_AUTHOR,
                         "'%s' cannot be a symbol: printable ASCII only, at least one character", content);
    struct zint_symbol *z = ZBarcode_Create();
    z->symbology = zint_symbology(symbology);
    z->warn_level = WARN_FAIL_ALL;
    if (symbology == SYMBOLOGY_DATAMATRIX)
        z->option_3 = DM_SQUARE;
    int code = ZBarcode_Encode(z, (const unsigned char *)content, (int)strlen(content));
    if (code != 0) {
        error_set(error, ERROR_AUTHOR, "'%s' cannot be encoded: %s", content, z->errtxt);
        ZBarcode_Delete(z);
        return false;
    }
    unsigned quiet = quiet_zone(symbology), rows = symbology == SYMBOLOGY_CODE128 ? 1 : (unsigned)z->rows;
    unsigned above = symbology == SYMBOLOGY_CODE128 ? 0 : quiet;
    symbol->width = (unsigned)z->width + 2 * quiet;
    symbol->height = rows + 2 * above;
    symbol->dark = g_new0(bool, (gsize)symbol->width * symbol->height);
    for (unsigned y = 0; y < rows; y++)
        for (unsigned x = 0; x < (unsigned)z->width; x++)
            symbol->dark[(y + above) * symbol->width + x + quiet] = z->encoded_data[y][x / 8] >> x % 8 & 1;
    ZBarcode_Delete(z);
    return true;
}

void symbol_clear(struct symbol *symbol)
{
    g_clear_pointer(&symbol->dark, g_free);
}
