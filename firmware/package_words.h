/* Inside the package room: the spelling that the manifest's table accepts and the writer checks before. */
#pragma once

#define PACKAGE_SCHEMA       "packline/manifest/1"
#define PACKAGE_WORD         "[0-9A-Za-z][0-9A-Za-z ._/+-]{0,31}" /* product, hardware revision */
#define PACKAGE_VERSION      "[0-9A-Za-z][0-9A-Za-z._+-]{0,15}"   /* 16 bytes in an image's descriptor */
#define PACKAGE_FILE         "[0-9A-Za-z_][0-9A-Za-z._+-]{0,99}"  /* no folder, not hidden */
#define PACKAGE_SHA256       "[0-9a-f]{64}"
#define PACKAGE_MCU_ID_MAX   0xFFFF
#define PACKAGE_BOOT_MAX     0xFF
#define PACKAGE_SEQUENCE_MAX G_MAXUINT32
