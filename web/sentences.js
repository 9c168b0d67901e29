// SPDX-License-Identifier: Apache-2.0
// Where sentences are. Their strings joined are the text.

const segmenter =
  typeof Intl.Segmenter === 'function' ? new Intl.Segmenter('en', { granularity: 'sentence' }) : undefined

// UAX #29 ends a sentence at these before a capital.
const ABBREVIATION = /(?:^|[\s("“])(?:Mr|Mrs|Ms|Dr|Prof|St|Sr|Jr|vs|e\.g|i\.e|[A-Z])\.\s+$/

// A sentence ends at a mark, with what closes behind it, before a space; or at a line's end.
const plain = (text) => text.match(/[^\n]*?(?:[.!?…]+["'”’)\]]*(?=\s)|\n|$)\s*/g)?.filter(Boolean) ?? []

/** text -> [string] */
export function sentencesOf(text) {
  const parts = segmenter ? Array.from(segmenter.segment(text), ({ segment }) => segment) : plain(text)
  const sentences = []
  let joins = false
  for (const part of parts) {
    // What is only space belongs to what is before it.
    if (sentences.length && (joins || !part.trim())) sentences[sentences.length - 1] += part
    else sentences.push(part)
    joins = ABBREVIATION.test(sentences[sentences.length - 1]) && !/\n/.test(part)
  }
  return sentences
}
