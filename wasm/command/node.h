/* SPDX-License-Identifier: Apache-2.0 */
/* What node.js does for the command. A negative result is minus the number of errno, unless it is said otherwise. */
#ifndef MIEN_WASM_NODE_H
#define MIEN_WASM_NODE_H

#include <stddef.h>
#include <stdint.h>

/* ---- Files ------------------------------------------------------------------------------------------------------- */

int mien_node_open(const char *path, int flags, int mode);
int mien_node_close(int fd);
int mien_node_read(int fd, void *data, size_t bytes, double at);        /* at: -1 for where the descriptor stands */
int mien_node_write(int fd, const void *data, size_t bytes, double at); /* the same */
int mien_node_stat(const char *path, int fd, int follow, uint64_t out[4]);
double mien_node_fdinfo(int fd, int flags); /* its flags, or its place; -1: not known */
int mien_node_sync(int fd);
int mien_node_chmod(int fd, int mode);
int mien_node_rename(const char *from, const char *to);
int mien_node_unlink(const char *path);
int mien_node_realpath(const char *path, char *buffer, size_t capacity); /* -1: too long, too */
int mien_node_list(const char *path);
int mien_node_next(int index, char *buffer, size_t capacity); /* -1: too long */

/* ---- The process ------------------------------------------------------------------------------------------------- */

int mien_node_getenv(const char *name, char *buffer, size_t capacity); /* -1: not there, or too long */
int mien_node_getpid(void);
int mien_node_isatty(int fd);
int mien_node_columns(void);
int mien_node_unblock_stdin(void);
void mien_node_once(int signal, void (*handler)(int));
int mien_node_shipped(const char *name, char *buffer, size_t capacity); /* -1: not there, or too long */

#endif
