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
#include "base/utf8.h"

/* Bytes of a location as messages show it. */
enum { SHOWN_BYTES = 160 };

typedef struct request {
  const char *where;
  const char *location;
  const char *offset, *length; /* decimal text, or NULL */
  char shown[SHOWN_BYTES];     /* the location, fit for a message */
  mien_error *error;
} request;

static mien_status read_entries(const MienOnnx__TensorProto *tensor, request *r) {
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

/* For the system's refusal that `code` (of errno) is. */
static mien_status refuse_code(const request *r, int code) {
  const bool is_resource = code == EMFILE || code == ENFILE || code == ENOMEM;
  return mien_fail(r->error, is_resource ? MIEN_RESOURCE : MIEN_INPUT, "%s: external data '%s': %s", r->where, r->shown,
                   strerror(code));
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
  if (fd < 0) return refuse_code(r, errno);
  struct stat info;
  mien_status status;
  if (fstat(fd, &info) != 0)
    status = refuse_code(r, errno);
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
static mien_status open_in_folders(const request *r, const char *named, const char *resolved,
                                   mien_onnx_external *external) {
  char *path = resolve(named, r->location);
  if (!path && errno == ENOENT) path = resolve(resolved, r->location);
  if (!path) return refuse_code(r, errno);
  mien_status status = is_below(path, named) || is_below(path, resolved)
                           ? open_regular(r, path, external)
                           : refuse(r, "the link leaves the model's folder");
  free(path);
  return status;
}

/* The two folders of the model, all links resolved. */
static mien_status open_beside(const request *r, const char *model_path, mien_onnx_external *external) {
  mien_status status;
  char *folder = folder_of(model_path), *model = realpath(model_path, NULL);
  char *named = folder && model ? realpath(folder, NULL) : NULL;
  int code = errno;
  char *resolved = named ? folder_of(model) : NULL;
  if (!folder || (named && !resolved))
    status = mien_fail_memory(r->error, r->where, strlen(model_path));
  else if (!named)
    status = refuse_code(r, code);
  else
    status = open_in_folders(r, named, resolved, external);
  mien_free(resolved);
  free(named);
  free(model);
  mien_free(folder);
  return status;
}

mien_status mien_onnx_external_open(const MienOnnx__TensorProto *tensor, const char *model_path, const char *where,
                                    mien_onnx_external *external, mien_error *error) {
  request r = {.where = where, .error = error};
  mien_status status = read_entries(tensor, &r);
  if (status == MIEN_OK && !model_path) status = refuse(&r, "a model in memory has no folder");
  if (status == MIEN_OK) status = check_location(&r);
  if (status == MIEN_OK) status = open_beside(&r, model_path, external);
  return status;
}
