/* SPDX-License-Identifier: Apache-2.0 */
/* Rows whose texts are the same, or nearly. */
#ifndef MIEN_TRAIN_DUPLICATES_H
#define MIEN_TRAIN_DUPLICATES_H

#include "train/normal_text.h"

/* Groups of rows; a row that is alone is in none. */
typedef struct mien_groups {
  size_t n;       /* groups */
  size_t *starts; /* [n + 1] in rows */
  size_t *rows;   /* ascending in a group; groups by their first rows */
} mien_groups;

void mien_groups_free(mien_groups *groups);

/* Rows of equal texts. *groups is freed by the caller, after a failure too. */
MIEN_MUST_USE mien_status mien_duplicates_find(const mien_normal_texts *texts, mien_groups *groups, mien_error *error);

/* Of each text of `texts` the first row of `among` that is equal, or SIZE_MAX: first [texts->n]. */
MIEN_MUST_USE mien_status mien_duplicates_among(const mien_normal_texts *texts, const mien_normal_texts *among,
                                                size_t *first, mien_error *error);

/*
 * How alike two texts are: the Jaccard index of their sets of shingles, MIEN_SHINGLE bytes that follow each other, of a
 * text that is shorter the text itself. 1 of equal texts.
 */
enum { MIEN_SHINGLE = 5 };
double mien_similarity(mien_span a, mien_span b);

/*
 * Rows that are linked by texts that are not equal but at least `least` (above 0.5, at most 1) alike. Candidates come
 * from MinHash (Broder 1997) in 16 bands of 6 hashes: of pairs that are 0.9 alike one in 300,000 is missed, of those
 * 0.8 alike one in 130, of those 0.7 alike one in 7; each is compared exactly, but in a band that more rows share only
 * with the first 64 of them. Of rows of equal texts only the first is in a group. Memory is linear in the texts'. The
 * same groups every time. *cancel, asked between bands, may be NULL.
 */
MIEN_MUST_USE mien_status mien_near_duplicates_find(const mien_normal_texts *texts, double least,
                                                    const atomic_bool *cancel, mien_groups *groups, mien_error *error);

#endif
