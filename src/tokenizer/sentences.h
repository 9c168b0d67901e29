/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where sentences end: the rules of Unicode's text segmentation (UAX #29) that need no tables of their own, and a few
 * for English. They are for texts that are too long to be read at once, and know no grammar.
 *
 * A sentence ends
 * - at a line break: line feed, carriage return, U+2028, U+2029;
 * - behind . ! ? … ‼ ‽ ⁇ ⁈ ⁉ and the full stops and question marks of Arabic, Urdu, Hindi and Ethiopic, any number of
 *   them, and quotes and brackets that close there, where white space follows;
 * - behind 。 ！ ？ ｡ and what closes there, with or without white space.
 * It does not end
 * - before a comma, colon, semicolon, or another full stop or its like;
 * - before a small letter, perhaps in quotes or brackets, where only full stops and ellipses stand, or a quote or
 *   bracket closes;
 * - where a single full stop, with nothing that closes, stands behind an initial (a capital but I, or a letter behind
 *   another full stop: U.S., e.g.), a title or abbreviation that names follow (Dr., vs.), one that numbers follow
 * before a number (No. 5), or the sentence's own number (1. First).
 */
#ifndef MIEN_TOKENIZER_SENTENCES_H
#define MIEN_TOKENIZER_SENTENCES_H

#include <stddef.h>

/*
 * Bytes of the sentence that `text` begins with, white space behind it among them; at least 1, where `bytes` is. What
 * is not UTF-8 is U+FFFD. In time linear in what is returned, and the text's own words and white space behind it.
 */
size_t mien_sentence_length(const char *text, size_t bytes);

#endif
