/* SPDX-License-Identifier: Apache-2.0 */
/* What --encoder names: a path, or an encoder that was fetched. */
#ifndef MIEN_CLI_ENCODER_PATH_H
#define MIEN_CLI_ENCODER_PATH_H

#include "base/status.h"
#include "cli/cli.h"

/*
 * The path for `value`: itself where there is such a file or folder; else, of an ID "org/name", the folder that
 * `mien pull` made in the user's cache, or the snapshot in Hugging Face's cache. *path is freed with mien_free. Not
 * found is MIEN_INPUT.
 */
MIEN_MUST_USE mien_status cli_encoder_path(const char *value, char **path, mien_error *error);

/* The user's cache; false when the environment does not say where it is. */
bool cli_cache_folder(char out[CLI_PATH_CHARS]);

#endif
