/* SPDX-License-Identifier: Apache-2.0 */
/* Where the models are that the npm package ships: in packages of their own. */
#include "cli/cli.h"
#include "node.h"

bool cli_shipped(const char *name, char *path, size_t capacity) {
  path[0] = '\0';
  return mien_node_shipped(name, path, capacity) > 0;
}
