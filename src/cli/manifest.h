/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manifest of an output in parts: JSON lines that only grow. A header says what the run is (inputs, model, all
 * settings that the output depends on), then comes a line for each part that is whole and on the disk, and a last one
 * when there are no more. Nothing in it depends on when or how often the run was started: it is the same to the byte
 * for one that was interrupted.
 *
 * A folder holds one run (manifest.jsonl, part-00000.jsonl, …) or the shards of one (shard-03-of-64.manifest.jsonl,
 * shard-03-of-64.part-00000.jsonl, …).
 */
#ifndef MIEN_CLI_MANIFEST_H
#define MIEN_CLI_MANIFEST_H

#include <jansson.h>
#include <stdbool.h>

#include "cli/content_hash.h"
#include "cli/run.h"

enum {
  CLI_MANIFEST_VERSION = 1, /* goes up with what the lines hold */
  CLI_PART_CHARS = 128,     /* of a file's name */
};

/* Of a run; a shard's is made of it by cli_shard_name. */
#define CLI_MANIFEST_NAME "manifest.jsonl"

/* Writes the name of a shard's file, or a run's: "shard-03-of-64." before `name`. */
void cli_shard_name(cli_shard shard, const char *name, char out[CLI_PART_CHARS]);

/* Writes the name of a part, which ends in `ending`. */
void cli_part_name(cli_shard shard, uint64_t part, const char *ending, char out[CLI_PART_CHARS]);

typedef struct cli_part_file {
  uint64_t bytes;
  char hash[CLI_HASH_CHARS]; /* empty: there is no such file */
} cli_part_file;

typedef struct cli_part {
  mien_part rows;
  cli_part_file file, sidecar;
} cli_part;

typedef struct cli_manifest {
  char path[CLI_PATH_CHARS];
  int fd;              /* -1: it is read only */
  char *header;        /* the first line, without its end; NULL: there is none yet */
  const char *counted; /* what parts count beside rows: "labels" or "tokens"; NULL: nothing */
  cli_part *parts;     /* [n_parts] */
  uint64_t *starts;    /* [n_parts + 1] where their lines begin in the file, and what follows them */
  size_t n_parts, capacity;
  bool is_done;
} cli_manifest;

/* What a command that writes parts makes of rows. */
mien_row_content cli_content_of(const char *command);

/* What parts of a content count, for manifest->counted. */
const char *cli_counted(mien_row_content content);

/*
 * Opens or makes the manifest at `path`, locks and reads it; what is torn at its end is dropped. Another process that
 * has it is MIEN_RESOURCE, and lines that are no manifest's are MIEN_INPUT. Closed by the caller, after a failure too.
 */
MIEN_MUST_USE mien_status cli_manifest_open(cli_manifest *manifest, const char *path, const char *counted,
                                            mien_error *error);

/* The same of one that is there, neither locked nor written. What it counts is of the command that its header names. */
MIEN_MUST_USE mien_status cli_manifest_read(cli_manifest *manifest, const char *path, mien_error *error);

/* Append a line, and wait until it is on the disk. Failures leave the lines before it. */
MIEN_MUST_USE mien_status cli_manifest_begin(cli_manifest *manifest, const char *header, mien_error *error);
MIEN_MUST_USE mien_status cli_manifest_add(cli_manifest *manifest, cli_shard shard, const char *ending,
                                           const cli_part *part, mien_error *error);
MIEN_MUST_USE mien_status cli_manifest_end(cli_manifest *manifest, mien_error *error);

/* Drops the lines of parts from `n_parts` on, and the last line. */
MIEN_MUST_USE mien_status cli_manifest_cut(cli_manifest *manifest, size_t n_parts, mien_error *error);

/* What its parts have together. */
mien_part cli_manifest_sum(const cli_manifest *manifest);

/*
 * Whether a part's file at `path`, and the sidecar beside it where it has one, are as they were written: MIEN_INPUT
 * says what is not. *differs: it is missing or has other bytes, which a failure to read it does not say. Signals end it
 * with MIEN_CANCELLED.
 */
MIEN_MUST_USE mien_status cli_part_check(const cli_part *part, const char *path, mien_row_content content,
                                         bool has_sidecar, bool *differs, mien_error *error);

/* Measures and hashes a file of a part. Failures are MIEN_RESOURCE. */
MIEN_MUST_USE mien_status cli_part_measure(cli_part_file *file, const char *path, mien_error *error);

void cli_manifest_close(cli_manifest *manifest);

#endif
