/* SPDX-License-Identifier: Apache-2.0 */
/* A folder that appears whole or not at all: made under a name of its own beside its place. */
#ifndef MIEN_CLI_NEW_FOLDER_H
#define MIEN_CLI_NEW_FOLDER_H

#include "cli/cli.h"

typedef struct cli_new_folder {
  char path[CLI_PATH_CHARS];      /* what it will be called, without slashes at its end */
  char temporary[CLI_PATH_CHARS]; /* what it is called till then; empty: there is none */
} cli_new_folder;

/* Makes the folder, whatever is called `path` now. Discard it in any case. */
MIEN_MUST_USE mien_status cli_new_folder_open(const char *path, cli_new_folder *folder, mien_error *error);

/* The path of a file in it. */
MIEN_MUST_USE mien_status cli_new_folder_file(const cli_new_folder *folder, const char *name, char file[CLI_PATH_CHARS],
                                              mien_error *error);

/* Gives it its name, which may be that of an empty folder. */
MIEN_MUST_USE mien_status cli_new_folder_publish(cli_new_folder *folder, mien_error *error);

/* Removes what was not published, and all files in it. */
void cli_new_folder_discard(cli_new_folder *folder);

#endif
