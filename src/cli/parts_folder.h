/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of parts that is whole: one run's, or all shards of one, for those who read what is in it. */
#ifndef MIEN_CLI_PARTS_FOLDER_H
#define MIEN_CLI_PARTS_FOLDER_H

#include "cli/manifest.h"

typedef struct cli_parts_folder {
  const char *path;
  json_t *header;          /* of the first shard */
  cli_manifest *manifests; /* [n_shards] in order; one without shards */
  size_t n_shards;
  unsigned count; /* of shards; 0 for a run without */
  mien_row_content content;
  mien_output_format format;
  char ending[32];  /* of parts: ".jsonl" */
  size_t n_columns; /* of arrays */
  mien_part sum;    /* of all parts; its first row is 0 */
  size_t n_parts;
} cli_parts_folder;

/* Whether a folder has a manifest. */
bool cli_is_parts_folder(const char *path);

/*
 * Reads the manifests at `path`, which must outlive the folder: a shard that is missing or not done, of another run or
 * with other rows than it should have is MIEN_INPUT. Files of parts are not looked at. *folder is closed by the caller,
 * after a failure too.
 */
MIEN_MUST_USE mien_status cli_parts_folder_open(cli_parts_folder *folder, const char *path, mien_error *error);
void cli_parts_folder_close(cli_parts_folder *folder);

/* Takes a part, with the path of its file. */
typedef mien_status (*cli_take_part)(void *user, const char *path, const cli_part *part, mien_error *error);

/* Hands the parts over in the order of their rows, until one is not taken. */
MIEN_MUST_USE mien_status cli_parts_folder_each(const cli_parts_folder *folder, cli_take_part take, void *user,
                                                mien_error *error);

#endif
