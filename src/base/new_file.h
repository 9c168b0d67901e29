/* SPDX-License-Identifier: Apache-2.0 */
/* A file that appears whole or not at all: written under a temporary name in the same folder, then renamed. */
#ifndef MIEN_BASE_NEW_FILE_H
#define MIEN_BASE_NEW_FILE_H

#include <stddef.h>

#include "base/status.h"

typedef struct mien_new_file {
  int fd;          /* -1: none is open */
  char *path;      /* the target, links resolved */
  char *temporary; /* NULL unless there is one to rename or remove */
} mien_new_file;

/*
 * Opens what will be `path`. A link is followed; one that leads to nothing is MIEN_ARGUMENT, and so are folders, and
 * /dev/fd and the like where a file is behind them. Where `path` is a device or a FIFO nothing is opened: there is no
 * temporary name, only file->path. Failures of an output are MIEN_RESOURCE. Discard it in any case.
 */
MIEN_MUST_USE mien_status mien_new_file_open(const char *path, mien_new_file *file, mien_error *error);

/* Appends; `name` is for messages, here and below. */
MIEN_MUST_USE mien_status mien_new_file_write(const mien_new_file *file, const void *bytes, size_t size,
                                              const char *name, mien_error *error);

/* Waits until the bytes are on the disk: what the file gets the name of is not lost with the machine's power. */
MIEN_MUST_USE mien_status mien_new_file_sync(const mien_new_file *file, const char *name, mien_error *error);

/* Gives the file its name. */
MIEN_MUST_USE mien_status mien_new_file_publish(mien_new_file *file, const char *name, mien_error *error);

/* Closes what is open and frees; a file that was not published leaves nothing behind and its target as it was. */
void mien_new_file_discard(mien_new_file *file);

#endif
