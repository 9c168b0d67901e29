/* SPDX-License-Identifier: Apache-2.0 */
/* Files mapped into memory: models' weights, of which only the pages that are read take memory. */
#ifndef MIEN_BASE_MAP_H
#define MIEN_BASE_MAP_H

#include <stddef.h>

#include "base/status.h"

typedef struct mien_map {
  unsigned char *bytes; /* not to be written */
  size_t size;
} mien_map;

/*
 * Maps a regular file whole, for reading. Folders, devices and empty files are refused (MIEN_INPUT). A file that is cut
 * while it is mapped ends the process when the lost pages are read: only what the user calls a model may be mapped.
 */
MIEN_MUST_USE mien_status mien_map_open(const char *path, mien_map *map, mien_error *error);

/* The mapping is gone; NULL bytes are none. */
void mien_map_close(mien_map *map);

#endif
