/* SPDX-License-Identifier: Apache-2.0 */
/* Outputs appear whole or not at all. */
#include "corpus/output.h"

#include <sys/stat.h>

#include "corpus/stream.h"
#include "corpus/temporary.h"

static mien_error error;

static mien_output *open_output(const char *name) {
  mien_output *output = NULL;
  ck_assert_msg(mien_output_open(in_temporary(name), NULL, &output, &error) == MIEN_OK, "%s", error.message);
  return output;
}

START_TEST(a_file_appears_when_it_is_published) {
  make_temporary();
  mien_output *output = open_output("out");
  ck_assert(mien_output_is_file(output) && mien_output_is_seekable(output));
  ck_assert_int_eq(mien_output_write(output, "0123456789", 10, &error), MIEN_OK);
  ck_assert_int_eq(mien_output_patch_header(output, "abc", 3, &error), MIEN_OK);
  ck_assert_int_eq(mien_output_write(output, "!", 1, &error), MIEN_OK);
  ck_assert_int_ne(access(in_temporary("out"), F_OK), 0);
  ck_assert_int_eq(mien_output_close(output, &error), MIEN_OK);
  ck_assert_int_ne(access(in_temporary("out"), F_OK), 0);
  ck_assert_int_eq(mien_output_publish(output, &error), MIEN_OK);
  mien_output_destroy(output);
  char bytes[64];
  size_t size = read_temporary("out", bytes, sizeof bytes);
  ck_assert_uint_eq(size, 11);
  ck_assert_int_eq(memcmp(bytes, "abc3456789!", 11), 0);
  ck_assert_int_eq(count_temporary(), 1);
  remove_temporary();
}
END_TEST

START_TEST(an_abandoned_file_leaves_nothing) {
  make_temporary();
  write_temporary("out", "before", 6);
  mien_output *output = open_output("out"), *other = open_output("other");
  ck_assert_int_eq(mien_output_write(output, "after", 5, &error), MIEN_OK);
  ck_assert_int_eq(mien_output_close(output, &error), MIEN_OK);
  mien_output_destroy(output);
  mien_output_destroy(other);
  char bytes[64];
  ck_assert_uint_eq(read_temporary("out", bytes, sizeof bytes), 6);
  ck_assert_int_eq(count_temporary(), 1);
  remove_temporary();
}
END_TEST

/* What was compressed as it stands in "out"; fails where it is not whole. */
static size_t unpack_out(char *bytes, size_t capacity) {
  mien_stream stream;
  size_t size = 0;
  ck_assert_msg(mien_stream_open(&stream, in_temporary("out"), NULL, &error) == MIEN_OK, "%s", error.message);
  ck_assert_msg(mien_stream_read(&stream, bytes, capacity, &size, &error) == MIEN_OK, "%s", error.message);
  ck_assert(stream.decompressor != NULL);
  mien_stream_close(&stream);
  return size;
}

static void end_output(mien_output *output) {
  ck_assert_msg(mien_output_close(output, &error) == MIEN_OK, "%s", error.message);
  ck_assert_int_eq(mien_output_publish(output, &error), MIEN_OK);
  mien_output_destroy(output);
}

START_TEST(compressed_bytes_depend_on_what_is_written_alone) {
  enum { BYTES = 300000 };
  static char bytes[BYTES], found[BYTES + 1], packed[2][BYTES * 2];
  uint64_t state = 7;
  make_temporary();
  for (size_t i = 0; i < BYTES; i++) bytes[i] = (char)('a' + random_bits(&state) % (i / 1000 % 26 + 1));
  for (mien_compression how = MIEN_GZIP; how <= MIEN_ZSTD; how++) {
    size_t sizes[2];
    for (int cut = 0; cut < 2; cut++) {
      mien_output *output = open_output("out");
      ck_assert_int_eq(mien_output_compress(output, how, &error), MIEN_OK);
      for (size_t at = 0, size; at < BYTES; at += size) {
        size = cut ? 1 + random_bits(&state) % 90000 : BYTES;
        if (size > BYTES - at) size = BYTES - at;
        ck_assert_int_eq(mien_output_write(output, bytes + at, size, &error), MIEN_OK);
        if (cut) ck_assert_int_eq(mien_output_flush(output, &error), MIEN_OK);
      }
      end_output(output);
      sizes[cut] = read_temporary("out", packed[cut], sizeof packed[cut]);
      ck_assert_uint_lt(sizes[cut], BYTES);
      ck_assert_uint_eq(unpack_out(found, sizeof found), BYTES);
      ck_assert(memcmp(found, bytes, BYTES) == 0);
    }
    ck_assert_uint_eq(sizes[0], sizes[1]);
    ck_assert(memcmp(packed[0], packed[1], sizes[0]) == 0);
  }
  remove_temporary();
}
END_TEST

START_TEST(a_compressed_output_has_a_header_that_can_be_written_over) {
  static const size_t sizes[] = {1, 128, 255};
  char found[1024], first[255], header[255];
  memset(first, 'x', sizeof first);
  make_temporary();
  for (mien_compression how = MIEN_GZIP; how <= MIEN_ZSTD; how++)
    for (size_t i = 0; i < 3; i++) {
      for (size_t k = 0; k < sizes[i]; k++) header[k] = (char)(k * 7);
      mien_output *output = open_output("out");
      ck_assert_int_eq(mien_output_compress(output, how, &error), MIEN_OK);
      ck_assert_int_eq(mien_output_write_header(output, first, sizes[i], &error), MIEN_OK);
      ck_assert_int_eq(mien_output_write(output, "rows", 4, &error), MIEN_OK);
      ck_assert_int_eq(mien_output_patch_header(output, header, sizes[i], &error), MIEN_OK);
      end_output(output);
      ck_assert_uint_eq(unpack_out(found, sizeof found), sizes[i] + 4);
      ck_assert(memcmp(found, header, sizes[i]) == 0 && memcmp(found + sizes[i], "rows", 4) == 0);
    }
  remove_temporary();
}
END_TEST

START_TEST(a_compressed_output_of_nothing_is_a_whole_one) {
  char found[8];
  make_temporary();
  for (mien_compression how = MIEN_GZIP; how <= MIEN_ZSTD; how++) {
    mien_output *output = open_output("out");
    ck_assert_int_eq(mien_output_compress(output, how, &error), MIEN_OK);
    end_output(output);
    ck_assert_uint_eq(unpack_out(found, sizeof found), 0);
  }
  remove_temporary();
}
END_TEST

START_TEST(writes_of_every_size_arrive_in_order) {
  enum { BYTES = 1 << 20 };
  make_temporary();
  char *bytes = malloc(BYTES), *found = malloc(BYTES + 1);
  uint64_t state = 5;
  for (size_t i = 0; i < BYTES; i++) bytes[i] = (char)random_bits(&state);
  mien_output *output = open_output("out");
  for (size_t at = 0; at < BYTES;) {
    size_t size = random_bits(&state) % (random_bits(&state) % 8 ? 1000 : 200000);
    if (size > BYTES - at) size = BYTES - at;
    ck_assert_int_eq(mien_output_write(output, bytes + at, size, &error), MIEN_OK);
    at += size;
  }
  ck_assert_int_eq(mien_output_close(output, &error), MIEN_OK);
  ck_assert_int_eq(mien_output_publish(output, &error), MIEN_OK);
  mien_output_destroy(output);
  ck_assert_uint_eq(read_temporary("out", found, BYTES + 1), BYTES);
  ck_assert_int_eq(memcmp(found, bytes, BYTES), 0);
  free(bytes);
  free(found);
  remove_temporary();
}
END_TEST

START_TEST(a_name_of_the_greatest_length_can_be_written) {
  make_temporary();
  char name[256];
  memset(name, 'x', 255);
  name[255] = '\0';
  mien_output *output = open_output(name);
  ck_assert_int_eq(mien_output_close(output, &error), MIEN_OK);
  ck_assert_int_eq(mien_output_publish(output, &error), MIEN_OK);
  mien_output_destroy(output);
  ck_assert_int_eq(access(in_temporary(name), F_OK), 0);
  remove_temporary();
}
END_TEST

START_TEST(an_output_that_cannot_be_is_refused_with_its_name) {
  make_temporary();
  static const struct {
    const char *name;
    mien_status status;
  } cases[] = {{"", MIEN_ARGUMENT}, {"absent/out", MIEN_RESOURCE}, {"out/", MIEN_ARGUMENT}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    mien_output *output = NULL;
    ck_assert_int_eq(mien_output_open(in_temporary(cases[i].name), NULL, &output, &error), cases[i].status);
    ck_assert_msg(strstr(error.message, in_temporary(cases[i].name)), "%s", error.message);
  }
  ck_assert_int_eq(count_temporary(), 0);
  remove_temporary();
}
END_TEST

START_TEST(a_name_that_is_too_long_is_refused_at_once) {
  make_temporary();
  char name[257];
  memset(name, 'x', 256);
  name[256] = '\0';
  mien_output *output = NULL;
  ck_assert_int_eq(mien_output_open(in_temporary(name), NULL, &output, &error), MIEN_RESOURCE);
  ck_assert_msg(strstr(error.message, "too long"), "%s", error.message);
  ck_assert_int_eq(count_temporary(), 0);
  remove_temporary();
}
END_TEST

START_TEST(a_link_to_nothing_is_refused_and_stays_one) {
  make_temporary();
  ck_assert_int_eq(symlink("absent", in_temporary("link")), 0);
  mien_output *output = NULL;
  ck_assert_int_eq(mien_output_open(in_temporary("link"), NULL, &output, &error), MIEN_ARGUMENT);
  ck_assert_msg(strstr(error.message, "a link to nothing"), "%s", error.message);
  struct stat info;
  ck_assert(lstat(in_temporary("link"), &info) == 0 && S_ISLNK(info.st_mode));
  ck_assert_int_eq(count_temporary(), 1);
  remove_temporary();
}
END_TEST

START_TEST(a_temporary_file_allows_no_more_than_its_target) {
  make_temporary();
  write_temporary("out", "before", 6);
  ck_assert_int_eq(chmod(in_temporary("out"), 06750), 0);
  mien_output *output = open_output("out");
  DIR *folder = opendir(temporary_folder);
  for (struct dirent *entry; (entry = readdir(folder));) {
    struct stat info;
    if (strncmp(entry->d_name, ".mien-", 6) != 0) continue;
    ck_assert_int_eq(stat(in_temporary(entry->d_name), &info), 0);
    ck_assert_uint_eq(info.st_mode & 07777, 0750);
  }
  closedir(folder);
  ck_assert_int_eq(mien_output_close(output, &error), MIEN_OK);
  ck_assert_int_eq(mien_output_publish(output, &error), MIEN_OK);
  mien_output_destroy(output);
  struct stat info;
  ck_assert_int_eq(stat(in_temporary("out"), &info), 0);
  ck_assert_uint_eq(info.st_mode & 07777, 0750);
  remove_temporary();
}
END_TEST

START_TEST(the_same_file_is_known_by_every_name) {
  make_temporary();
  write_temporary("a", "x", 1);
  ck_assert_int_eq(link(in_temporary("a"), in_temporary("b")), 0);
  ck_assert_int_eq(symlink("a", in_temporary("c")), 0);
  ck_assert(mien_output_is_same_file(in_temporary("b"), in_temporary("a")));
  ck_assert(mien_output_is_same_file(in_temporary("a"), in_temporary("c")));
  ck_assert(!mien_output_is_same_file(in_temporary("absent"), in_temporary("a")));
  ck_assert(!mien_output_is_same_file("/dev/null", "/dev/null"));
  remove_temporary();
}
END_TEST

MIEN_SUITE("output", a_file_appears_when_it_is_published, an_abandoned_file_leaves_nothing,
           compressed_bytes_depend_on_what_is_written_alone, a_compressed_output_has_a_header_that_can_be_written_over,
           a_compressed_output_of_nothing_is_a_whole_one, writes_of_every_size_arrive_in_order,
           a_name_of_the_greatest_length_can_be_written, an_output_that_cannot_be_is_refused_with_its_name,
           a_name_that_is_too_long_is_refused_at_once, a_link_to_nothing_is_refused_and_stays_one,
           a_temporary_file_allows_no_more_than_its_target, the_same_file_is_known_by_every_name)
