/* SPDX-License-Identifier: Apache-2.0 */
/* Files that a power cut does not take, and locks between processes. */
#ifndef MIEN_CLI_DURABLE_H
#define MIEN_CLI_DURABLE_H

#include <stdbool.h>

#include "base/status.h"

/* Waits until a file's bytes, or the names in a folder, are on the disk. Failures are MIEN_RESOURCE. */
MIEN_MUST_USE mien_status cli_sync(const char *path, mien_error *error);

/* The same for the name of a file or folder, which its folder has. */
MIEN_MUST_USE mien_status cli_sync_name(const char *path, mien_error *error);

/* Renames; the name is on the disk once its folder is. Failures are MIEN_RESOURCE. */
MIEN_MUST_USE mien_status cli_rename(const char *from, const char *to, mien_error *error);

/*
 * Takes the lock of an open file, which is free again when the file is closed or the process ends; *taken is false
 * while another process has it. File systems without locks grant all.
 */
MIEN_MUST_USE mien_status cli_try_lock(int fd, const char *path, bool *taken, mien_error *error);

#endif
