/* SPDX-License-Identifier: Apache-2.0 */
/* On which device a run is, and where the user's environment has CUDA's libraries. */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/run.h"
#include "mien/mien_cuda.h"

#ifdef __EMSCRIPTEN__ /* where there is no other */
const char cli_device_help[] = "";
#else
const char cli_device_help[] =
    "  --device DEVICE       what makes embeddings and labels: cpu, cuda (the first), cuda:N (from 0) or cuda:all.\n"
    "                        Default: cpu\n";
#endif

int cli_device_parse(const char *command, const char *value, bool may_be_all, mien_device *device, int32_t *ordinal) {
  static const char cuda[] = "cuda";
  const size_t length = sizeof cuda - 1;
  uint64_t number = 0;
  *device = MIEN_DEVICE_CPU;
  if (strcmp(value, "cpu") == 0) return MIEN_OK;
  const bool is_cuda = strncmp(value, cuda, length) == 0 && (value[length] == '\0' || value[length] == ':');
  const bool is_numbered = is_cuda && value[length] == ':';
  const bool is_all = may_be_all && is_numbered && strcmp(value, "cuda:all") == 0;
  if (!is_cuda || (is_numbered && !is_all && !cli_parse_uint(value + length + 1, 0, INT32_MAX, &number)))
    return cli_usage(command, "option '--device': expected cpu, cuda%s, found '%s'",
                     may_be_all ? ", cuda:N or cuda:all" : " or cuda:N", value);
  *device = MIEN_DEVICE_CUDA;
  *ordinal = is_all ? MIEN_ALL_DEVICES : (int32_t)number;
  return MIEN_OK;
}

/* Those that pip installs there, of CUDA 13 and of 12. */
static mien_status add_folders(const char *environment, mien_error *error) {
  static const char *const packages[] = {"cu13", "cublas"};
  char pattern[CLI_PATH_CHARS];
  mien_status status = MIEN_OK;
  for (size_t i = 0; i < sizeof packages / sizeof *packages; i++) {
    glob_t found = {0};
    const int length =
        snprintf(pattern, sizeof pattern, "%s/lib/python3*/site-packages/nvidia/%s/lib", environment, packages[i]);
    if (length >= (int)sizeof pattern || glob(pattern, 0, NULL, &found) != 0) continue;
    for (size_t k = 0; status == MIEN_OK && k < found.gl_pathc; k++)
      status = mien_cuda_add_library_folder(found.gl_pathv[k], error);
    globfree(&found);
  }
  return status;
}

int cli_device_find_libraries(const char *command) {
  static const char *const variables[] = {"VIRTUAL_ENV", "CONDA_PREFIX"};
  mien_error error;
  for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
    const char *environment = getenv(variables[i]);
    if (environment && environment[0] && add_folders(environment, &error) != MIEN_OK)
      return cli_report(command, &error);
  }
  return MIEN_OK;
}
