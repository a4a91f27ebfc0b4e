/* Rules between values, as sentences with the values in them. */
#include "proto/profile.h"

#include <string.h>

/* What a board answers is foreign: no product of it may overflow. */
#define CELLS_MAX 1000
#define CELL_MAX  (INT64_C(1) << 50)

struct terms {
    profile_lookup lookup;
    void *context;
    const struct profile_rule *rule;
    const char *chemistry;
};

static const char *title_of(const struct item_value *value)
{
    return value->item->title ? value->item->title : value->item->name;
}

/* The look-up may reuse its storage, so values are copied before the next is asked for. */
static bool fetch(const struct terms *t, const char *key, struct item_value *value)
{
    const struct item_value *found = t->lookup(t->context, key);
    if (!found || (t->rule->zero_is_off && found->raw == 0))
        return false;
    *value = *found;
    return true;
}

static char *compare(const struct terms *t, const char *relation)
{
    struct item_value left, right;
    if (!fetch(t, t->rule->left, &left) || !fetch(t, t->rule->right, &right))
        return NULL;
    bool ok = t->rule->check == CHECK_GREATER    ? left.value > right.value
              : t->rule->check == CHECK_NOT_LESS ? left.value >= right.value
                                                 : left.value == right.value;
    if (ok)
        return NULL;
    g_autofree char *l = profile_value_format(&left);
    g_autofree char *r = profile_value_format(&right);
    return g_strdup_printf("%s (%s) is %s, which is not %s %s (%s) %s", title_of(&left), left.item->key, l,
                           relation, title_of(&right), right.item->key, r);
}

static bool is_text(const struct item_value *value)
{
    return value->item->type == ITEM_TEXT || value->item->type == ITEM_BYTES;
}

static bool is_off(const struct item_value *value)
{
    return is_text(value) ? value->absent : value->raw == 0;
}

/* What is off needs nothing; what nobody tells is off. */
static char *needs(const struct terms *t)
{
    struct item_value left;
    if (!fetch(t, t->rule->left, &left) || is_off(&left))
        return NULL;
    const struct item_value *right = t->lookup(t->context, t->rule->right);
    if (right && !is_off(right))
        return NULL;
    g_autofree char *l = profile_value_format(&left);
    return g_strdup_printf("%s (%s) is %s, which needs %s: that is %s", title_of(&left), left.item->key, l,
                           t->rule->right, right && !is_text(right) ? "off" : "not set");
}

static char *sum(const struct terms *t)
{
    struct item_value left, part;
    int64_t total = 0;
    if (!fetch(t, t->rule->left, &left))
        return NULL;
    for (guint i = 0; i < t->rule->parts->len; i++) {
        if (!fetch(t, g_ptr_array_index(t->rule->parts, i), &part))
            return NULL;
        total += part.value;
    }
    if (total == left.value)
        return NULL;
    g_autofree char *l = profile_value_format(&left);
    g_autofree char *s = quantity_format((enum quantity)left.item->quantity, total);
    return g_strdup_printf("%s (%s) is %s, its parts add up to %s", title_of(&left), left.item->key, l, s);
}

static char *increasing(const struct terms *t)
{
    struct item_value before, next;
    if (!fetch(t, t->rule->left, &before))
        return NULL;
    for (guint i = 0; i < t->rule->parts->len; i++, before = next) {
        if (!fetch(t, g_ptr_array_index(t->rule->parts, i), &next))
            return NULL;
        if (next.value > before.value)
            continue;
        g_autofree char *n = profile_value_format(&next);
        g_autofree char *b = profile_value_format(&before);
        return g_strdup_printf("%s (%s) is %s, which is not above %s (%s) %s", title_of(&next),
                               next.item->key, n, title_of(&before), before.item->key, b);
    }
    return NULL;
}

static char *cell(const struct terms *t)
{
    struct item_value left;
    return fetch(t, t->rule->left, &left)
               ? profile_chemistry_finding(t->chemistry, t->rule->check == CHECK_FULL_CELL, &left)
               : NULL;
}

static char *pack(const struct terms *t)
{
    struct item_value left, right, count;
    if (!fetch(t, t->rule->left, &left) || !fetch(t, t->rule->right, &right) ||
        !fetch(t, t->rule->cells, &count))
        return NULL;
    int64_t cells = count.value;
    if (cells < 0 || cells > CELLS_MAX || ABS(right.value) > CELL_MAX) {
        g_autofree char *one = profile_value_format(&right);
        return g_strdup_printf("%s (%s) is %" G_GINT64_FORMAT " and %s (%s) is %s: there is no such pack",
                               title_of(&count), count.item->key, cells, title_of(&right), right.item->key,
                               one);
    }
    int64_t limit = right.value * cells;
    int64_t slack = t->rule->tolerance
                        ? limit / 100000 * t->rule->tolerance + limit % 100000 * t->rule->tolerance / 100000
                        : INT64_MAX / 4;
    bool upper = t->rule->check == CHECK_PACK_UPPER;
    bool wrong_side = upper ? left.value > limit : left.value < limit;
    bool too_far = upper ? limit - left.value > slack : left.value - limit > slack;
    if (!wrong_side && !too_far)
        return NULL;
    g_autofree char *l = profile_value_format(&left);
    g_autofree char *r = profile_value_format(&right);
    g_autofree char *m = quantity_format(QUANTITY_VOLTAGE, limit);
    return g_strdup_printf("%s (%s) is %s, but %" G_GINT64_FORMAT " cells × %s (%s) make %s: it %s",
                           title_of(&left), left.item->key, l, cells, r, right.item->key, m,
                           wrong_side ? (upper ? "must not be above that" : "must not be below that")
                                      : "is too far from that");
}

#define SHUNT_MV 75

int64_t profile_shunt_current(int64_t mv, int64_t rated_ma)
{
    return mv * rated_ma / SHUNT_MV;
}

const char *profile_shunt_of(const struct profile *profile, const struct profile_item *item)
{
    for (guint i = 0; i < profile->rules->len; i++) {
        const struct profile_rule *rule = g_ptr_array_index(profile->rules, i);
        if (rule->check == CHECK_SHUNT && strcmp(rule->left, item->key) == 0)
            return rule->cells;
    }
    return NULL;
}

/* A voltage across the shunt is a current: shunts are named by the current that makes 75 mV. */
static char *shunt(const struct terms *t)
{
    struct item_value left, right, rated;
    if (!fetch(t, t->rule->left, &left) || !fetch(t, t->rule->right, &right) ||
        !fetch(t, t->rule->cells, &rated) || left.value < 0 || left.value > INT32_MAX || rated.value < 0 ||
        rated.value > INT32_MAX)
        return NULL;
    int64_t current = profile_shunt_current(left.value, rated.value);
    if (current > right.value)
        return NULL;
    g_autofree char *l = profile_value_format(&left);
    g_autofree char *a = quantity_format(QUANTITY_CURRENT, rated.value);
    g_autofree char *c = quantity_format(QUANTITY_CURRENT, current);
    g_autofree char *r = profile_value_format(&right);
    return g_strdup_printf("%s (%s) is %s, which at a shunt of %s / %d mV (%s) is %s, not above %s (%s) %s",
                           title_of(&left), left.item->key, l, a, SHUNT_MV, rated.item->key, c,
                           title_of(&right), right.item->key, r);
}

unsigned profile_check_rules(const struct profile *profile, const char *chemistry, profile_lookup lookup,
                             profile_sink sink, void *context)
{
    unsigned violated = 0;
    for (guint i = 0; i < profile->rules->len; i++) {
        const struct profile_rule *rule = g_ptr_array_index(profile->rules, i);
        const struct terms t = {lookup, context, rule, chemistry ? chemistry : profile->chemistry};
        g_autofree char *sentence = NULL;
        switch ((enum profile_check)rule->check) {
        case CHECK_GREATER:
            sentence = compare(&t, "above");
            break;
        case CHECK_NOT_LESS:
            sentence = compare(&t, "at or above");
            break;
        case CHECK_EQUAL:
            sentence = compare(&t, "equal to");
            break;
        case CHECK_SUM:
            sentence = sum(&t);
            break;
        case CHECK_PACK_UPPER:
        case CHECK_PACK_LOWER:
            sentence = pack(&t);
            break;
        case CHECK_NEEDS:
            sentence = needs(&t);
            break;
        case CHECK_SHUNT:
            sentence = shunt(&t);
            break;
        case CHECK_INCREASING:
            sentence = increasing(&t);
            break;
        case CHECK_FULL_CELL:
        case CHECK_EMPTY_CELL:
            sentence = cell(&t);
            break;
        }
        if (!sentence)
            continue;
        violated++;
        sink(context, rule, sentence);
    }
    return violated;
}
