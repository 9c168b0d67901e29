/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors' bytes in files beside the model. */
#include "formats/onnx_external.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "formats/utf8.h"

/* Bytes of a location as messages show it. */
enum { SHOWN_BYTES = 160 };

typedef struct request {
  const char *where;
  const char *location;
  const char *offset, *length; /* decimal text, or NULL */
  char shown[SHOWN_BYTES];     /* the location, fit for a message */
  mien_error *error;
} request;

static mien_status read_entries(const Onnx__TensorProto *tensor, request *r) {
  for (size_t i = 0; i < tensor->n_external_data; i++) {
    const char *key = tensor->external_data[i]->key, *value = tensor->external_data[i]->value;
    if (!key || !value) continue;
    const char **slot = strcmp(key, "location") == 0 ? &r->location
                        : strcmp(key, "offset") == 0 ? &r->offset
                        : strcmp(key, "length") == 0 ? &r->length
                                                     : NULL;
    if (slot && *slot) return mien_fail(r->error, MIEN_INPUT, "%s: external data: '%s' is given twice", r->where, key);
    if (slot) *slot = value;
  }
  if (!r->location || !*r->location) return mien_fail(r->error, MIEN_INPUT, "%s: external data: no location", r->where);
  mien_utf8_clean(r->location, strlen(r->location), r->shown, sizeof r->shown);
  return MIEN_OK;
}

static mien_status refuse(const request *r, const char *why) {
  return mien_fail(r->error, MIEN_INPUT, "%s: external data '%s': %s", r->where, r->shown, why);
}

/* Nothing that could leave the folder, whatever the system's own rules for paths are. */
static mien_status check_location(const request *r) {
  if (r->location[0] == '/') return refuse(r, "expected a path in the model's folder, found an absolute one");
  if (strchr(r->location, '\\')) return refuse(r, "a backslash in the path");
  for (const char *part = r->location; *part;) {
    size_t length = strcspn(part, "/");
    if (length == 2 && part[0] == '.' && part[1] == '.') return refuse(r, "'..' in the path");
    part += length + (part[length] == '/');
  }
  return MIEN_OK;
}

/* The folder of `path` without the last '/', to be freed; NULL without memory. */
static char *folder_of(const char *path) {
  const char *slash = strrchr(path, '/');
  if (!slash) return mien_copy_text(".", 1);
  return slash == path ? mien_copy_text("/", 1) : mien_copy_text(path, (size_t)(slash - path));
}

/* Or the folder itself, which is then refused as what it is. */
static bool is_below(const char *path, const char *folder) {
  size_t length = strlen(folder);
  if (length == 1) return path[0] == '/'; /* the root */
  return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* folder/location, all links resolved, to be freed by free; NULL with errno when there is no such file. */
static char *resolve(const char *folder, const char *location) {
  size_t folder_bytes = strlen(folder), location_bytes = strlen(location);
  char *joined = mien_alloc(folder_bytes + location_bytes + 2, 1); /* both are in memory: no overflow */
  if (!joined) {
    errno = ENOMEM;
    return NULL;
  }
  memcpy(joined, folder, folder_bytes);
  joined[folder_bytes] = '/';
  memcpy(joined + folder_bytes + 1, location, location_bytes);
  char *resolved = realpath(joined, NULL);
  int code = errno;
  mien_free(joined);
  errno = code;
  return resolved;
}

static mien_status parse_number(const request *r, const char *text, const char *name, uint64_t *value) {
  uint64_t number = 0;
  const char *digit = text;
  for (; *digit >= '0' && *digit <= '9'; digit++)
    if (__builtin_mul_overflow(number, (uint64_t)10, &number) ||
        __builtin_add_overflow(number, (uint64_t)(*digit - '0'), &number))
      return mien_fail(r->error, MIEN_INPUT, "%s: external data '%s': %s is too large", r->where, r->shown, name);
  if (digit == text || *digit)
    return mien_fail(r->error, MIEN_INPUT, "%s: external data '%s': %s: expected a decimal number", r->where, r->shown,
                     name);
  *value = number;
  return MIEN_OK;
}

static mien_status set_range(const request *r, uint64_t file_bytes, mien_onnx_external *external) {
  mien_status status = MIEN_OK;
  uint64_t offset = 0, length = 0;
  if (r->offset) status = parse_number(r, r->offset, "offset", &offset);
  if (status == MIEN_OK && r->length) status = parse_number(r, r->length, "length", &length);
  if (status != MIEN_OK) return status;
  if (offset > file_bytes || (r->length && length > file_bytes - offset))
    return mien_fail(r->error, MIEN_INPUT,
                     "%s: external data '%s': bytes %llu + %llu run past the end of the file, which has %llu", r->where,
                     r->shown, (unsigned long long)offset, (unsigned long long)length, (unsigned long long)file_bytes);
  external->offset = offset;
  external->length = r->length ? length : file_bytes - offset;
  external->length_is_given = r->length != NULL;
  external->file_bytes = file_bytes;
  return MIEN_OK;
}

/* `path` is resolved: a link at its end has come there since. */
static mien_status open_regular(const request *r, const char *path, mien_onnx_external *external) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
  if (fd < 0)
    return mien_fail(r->error, errno == EMFILE || errno == ENFILE || errno == ENOMEM ? MIEN_RESOURCE : MIEN_INPUT,
                     "%s: external data '%s': %s", r->where, r->shown, strerror(errno));
  struct stat info;
  mien_status status;
  if (fstat(fd, &info) != 0)
    status = refuse(r, strerror(errno));
  else if (!S_ISREG(info.st_mode))
    status = refuse(r, "not a regular file");
  else
    status = set_range(r, (uint64_t)info.st_size, external);
  if (status == MIEN_OK)
    external->fd = fd;
  else
    close(fd);
  return status;
}

/* Looks in the folder as named, then in the folder as resolved; what is found must lie below either. */
static mien_status open_in_folders(const request *r, const char *named, const char *resolved_model,
                                   mien_onnx_external *external) {
  char *folders[2] = {realpath(named, NULL), folder_of(resolved_model)};
  mien_status status;
  char *path = NULL;
  if (!folders[0] || !folders[1]) {
    status = refuse(r, "the model's folder can't be resolved");
  } else {
    path = resolve(folders[0], r->location);
    if (!path && errno == ENOENT) path = resolve(folders[1], r->location);
    if (!path && errno == ENOMEM)
      status = mien_fail_memory(r->error, r->where, strlen(r->location));
    else if (!path)
      status = refuse(r, strerror(errno));
    else if (!is_below(path, folders[0]) && !is_below(path, folders[1]))
      status = refuse(r, "the link leaves the model's folder");
    else
      status = open_regular(r, path, external);
  }
  free(path);
  free(folders[0]);
  mien_free(folders[1]);
  return status;
}

mien_status mien_onnx_external_open(const Onnx__TensorProto *tensor, const char *model_path, const char *where,
                                    mien_onnx_external *external, mien_error *error) {
  request r = {.where = where, .error = error};
  mien_status status = read_entries(tensor, &r);
  if (status != MIEN_OK) return status;
  if (!model_path) return refuse(&r, "a model in memory has no folder");
  status = check_location(&r);
  if (status != MIEN_OK) return status;
  char *named = folder_of(model_path), *resolved = realpath(model_path, NULL);
  if (!named)
    status = mien_fail_memory(error, where, strlen(model_path));
  else if (!resolved)
    status = refuse(&r, strerror(errno));
  else
    status = open_in_folders(&r, named, resolved, external);
  mien_free(named);
  free(resolved);
  return status;
}
