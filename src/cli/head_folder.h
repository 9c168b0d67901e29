/* SPDX-License-Identifier: Apache-2.0 */
/* A folder with a head in it, model.onnx and thresholds.json, that appears whole or not at all. */
#ifndef MIEN_CLI_HEAD_FOLDER_H
#define MIEN_CLI_HEAD_FOLDER_H

#include "cli/cli.h"
#include "corpus/buffer.h"
#include "head/onnx_write.h"

typedef struct cli_head_folder {
  char path[CLI_PATH_CHARS];      /* what it will be called */
  char temporary[CLI_PATH_CHARS]; /* what it is called till then; empty: there is none */
} cli_head_folder;

/*
 * Makes the folder under a name of its own beside `path`. Something that is called `path` already is MIEN_ARGUMENT.
 * Discard it in any case.
 */
MIEN_MUST_USE mien_status cli_head_folder_open(const char *path, cli_head_folder *folder, mien_error *error);

/* The path of a file in it, "model.onnx". */
MIEN_MUST_USE mien_status cli_head_folder_file(const cli_head_folder *folder, const char *name,
                                               char file[CLI_PATH_CHARS], mien_error *error);

MIEN_MUST_USE mien_status cli_head_folder_write(const cli_head_folder *folder, const mien_onnx_head *head,
                                                mien_error *error);
MIEN_MUST_USE mien_status cli_head_folder_write_thresholds(const cli_head_folder *folder, const char *const *labels,
                                                           const float *thresholds, size_t n, mien_error *error);

/* Gives it its name. */
MIEN_MUST_USE mien_status cli_head_folder_publish(cli_head_folder *folder, mien_error *error);

/* Removes what was not published. */
void cli_head_folder_discard(cli_head_folder *folder);

/* {"label": 0.25, …} in one line, as the published ones are, to be freed with mien_buffer_free; false without memory.
 */
bool cli_thresholds_text(const char *const *labels, const float *thresholds, size_t n, mien_buffer *out);

#endif
