/* Types of items on the wire, and what a profile may say of each. */
#include "proto/profile_parts.h"

const struct bind_choice profile_types[] = {
    {"u8", ITEM_U8, "unsigned 8 bit"},
    {"u16", ITEM_U16, "unsigned 16 bit"},
    {"i16", ITEM_I16, "signed 16 bit"},
    {"u32", ITEM_U32, "unsigned 32 bit"},
    {"i32", ITEM_I32, "signed 32 bit"},
    {"i8", ITEM_I8, "signed 8 bit"},
    {"flag", ITEM_FLAG, "one byte, 0 or 1"},
    {"text", ITEM_TEXT, "characters"},
    {"bytes", ITEM_BYTES, "raw bytes, as hex"},
    {"date", ITEM_DATE, "16 bit: year since 2000 << 9, month << 5, day"},
    {"real32", ITEM_REAL32, "IEEE 754 single, read-only; one that is no number is absent"},
    {"version", ITEM_VERSION, "2 or 4 bytes, read-only: 0x0102 is 1.2, 0x00010203 is 1.2.3"},
    {NULL}};

const struct bind_choice profile_words_order[] = {
    {"high-first", WORDS_HIGH_FIRST, "the high half stands first"},
    {"low-first", WORDS_LOW_FIRST, "the low half stands first, each half high byte first"},
    {NULL}};

unsigned profile_item_width(const struct profile_item *item)
{
    switch ((enum profile_type)item->type) {
    case ITEM_U16:
    case ITEM_I16:
    case ITEM_DATE:
        return 2;
    case ITEM_U32:
    case ITEM_I32:
    case ITEM_REAL32:
        return 4;
    case ITEM_TEXT:
    case ITEM_BYTES:
    case ITEM_VERSION:
        return (unsigned)item->length;
    case ITEM_U8:
    case ITEM_I8:
    case ITEM_FLAG:
        break;
    }
    return 1;
}

void profile_check_type(struct profile *profile, const struct profile_item *item, struct bind_report *report)
{
    const bool told = item->type == ITEM_REAL32 || item->type == ITEM_VERSION;
    if (told && item->access != ACCESS_READ_ONLY)
        bind_report_error(report, bind_place_of(profile, item, "type"), "add `access: read-only`",
                          "'%s' is of a type that the board alone writes", item->key);
    if (item->type == ITEM_VERSION && item->length != 2 && item->length != 4)
        bind_report_error(report, bind_place_of(profile, item, "type"), NULL, "a version has 2 or 4 bytes");
    if (item->words == WORDS_LOW_FIRST && item->width != 4)
        bind_report_error(report, bind_place_of(profile, item, "words"), NULL,
                          "only a value of 32 bits has two words");
}
