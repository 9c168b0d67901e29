/* SPDX-License-Identifier: Apache-2.0 */
/* Where the time of a run's workers goes, and which stage the run waits for. */
#ifndef MIEN_CORPUS_STAGES_H
#define MIEN_CORPUS_STAGES_H

typedef enum mien_stage {
  MIEN_STAGE_READ,     /* bytes of the inputs, decompressed, and where their rows end */
  MIEN_STAGE_PARSE,    /* of texts: JSON, csv and tsv */
  MIEN_STAGE_TOKENIZE, /* of tokens that are the output: with their formatting */
  MIEN_STAGE_FORWARD,  /* the encoder and the head; of a device also the wait for it */
  MIEN_STAGE_FORMAT,   /* results as bytes of the output */
  MIEN_STAGE_WRITE,    /* with compression */
  MIEN_STAGE_WAIT,     /* for other workers */
  MIEN_STAGES,
} mien_stage;

/* "read", "parse", … */
const char *mien_stage_name(mien_stage stage);

/* Of one worker, or the sums of all. */
typedef struct mien_stage_times {
  double seconds[MIEN_STAGES];
  double reader_seconds; /* of reading: those in which no other worker could read */
} mien_stage_times;

/* Adds what has passed since *mark to the stage, and sets *mark to now. */
void mien_stage_lap(mien_stage_times *times, mien_stage stage, double *mark);

void mien_stage_add(mien_stage_times *times, const mien_stage_times *more);

/*
 * Which stage a run of `threads` workers took its `seconds` for. One worker reads at a time, and one writes; all else
 * they do side by side: of the reader, the writer and that rest, the one that was busy for the greatest share of its
 * time is what the others waited for; where it is the rest, the stage that took the longest is.
 */
mien_stage mien_stage_bottleneck(const mien_stage_times *times, unsigned threads, double seconds);

#endif
