#include "config/suggest.h"

#include <ctype.h>
#include <string.h>

#define WORD_SIZE 64

// Lower case, without what spellings differ in. The size, or 0 for a word that
// is too long.
static int normalise(const char *word, char out[WORD_SIZE])
{
    int size = 0;

    for (; *word; word++) {
        if (*word == '_' || *word == '-')
            continue;
        if (size == WORD_SIZE - 1)
            return 0;
        out[size++] = (char)tolower((unsigned char)*word);
    }
    out[size] = '\0';
    return size;
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

// Optimal string alignment, three rows at a time.
static int distance(const char *a, int a_size, const char *b, int b_size)
{
    int rows[3][WORD_SIZE], *before = rows[0], *last = rows[1], *row = rows[2];

    for (int j = 0; j <= b_size; j++)
        last[j] = j;
    for (int i = 1; i <= a_size; i++) {
        int *spare = before;

        row[0] = i;
        for (int j = 1; j <= b_size; j++) {
            row[j] = smaller(last[j] + 1, row[j - 1] + 1);
            row[j] = smaller(row[j], last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = smaller(row[j], before[j - 2] + 1);
        }
        before = last;
        last = row;
        row = spare;
    }
    return last[b_size];
}

int suggest_distance(const char *typed, const char *meant)
{
    char a[WORD_SIZE], b[WORD_SIZE];
    int a_size = normalise(typed, a), b_size = normalise(meant, b), steps;

    if (!a_size || !b_size)
        return SUGGEST_FAR;
    steps = distance(a, a_size, b, b_size);
    return steps < SUGGEST_FAR && steps < a_size ? steps : SUGGEST_FAR;
}
