/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs as bytes: what is compressed is what it stands for, and what is broken is told and never an early end. */
#include "corpus/stream.h"

#include <sys/stat.h>

#include "corpus/compressed.h"
#include "corpus/temporary.h"

enum { MOST = 1 << 20 };

static mien_error error;
static char found[MOST];
static size_t n_found;
static unsigned char packed[MOST];

/* Reads the file "in" to its end in pieces of at most `piece` bytes. */
static mien_status read_in(size_t piece) {
  mien_stream stream;
  size_t n = 1;
  n_found = 0;
  mien_status status = mien_stream_open(&stream, in_temporary("in"), NULL, &error);
  if (status != MIEN_OK) return status;
  while (status == MIEN_OK && n > 0) {
    require(n_found + piece <= sizeof found, "too much comes out");
    status = mien_stream_read_some(&stream, found + n_found, piece, &n, &error);
    n_found += n;
  }
  if (status == MIEN_OK && stream.has_size) ck_assert_uint_eq(stream.place, stream.file_bytes);
  mien_error again = {0};
  if (status != MIEN_OK) ck_assert_int_eq(mien_stream_read_some(&stream, found, 1, &n, &again), status);
  if (status != MIEN_OK) ck_assert_str_eq(again.message, error.message);
  mien_stream_close(&stream);
  return status;
}

static void expect_content(const char *bytes, size_t size) {
  static const size_t pieces[] = {1, 7, 4096, 65536};
  for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
    ck_assert_msg(read_in(pieces[i]) == MIEN_OK, "%s", error.message);
    ck_assert_uint_eq(n_found, size);
    ck_assert(memcmp(found, bytes, size) == 0);
  }
}

static void expect_failure(const char *message) {
  ck_assert_int_eq(read_in(4096), MIEN_INPUT);
  const char *slash = strrchr(error.message, '/');
  ck_assert_str_eq(slash ? slash + 1 : error.message, message);
}

static void fill_text(char *text, size_t size) {
  uint64_t state = 11;
  for (size_t i = 0; i < size; i++) text[i] = (char)(i % 61 == 60 ? '\n' : 'a' + random_bits(&state) % 8);
}

/* ---- What is whole ----------------------------------------------------------------------------------------------- */

START_TEST(compressed_bytes_are_what_they_stand_for) {
  static char text[300000];
  static const size_t sizes[] = {0, 1, 65535, 65536, sizeof text};
  fill_text(text, sizeof text);
  make_temporary();
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    write_temporary("in", text, sizes[i]);
    expect_content(text, sizes[i]);
    for (mien_compression how = MIEN_GZIP; how <= MIEN_ZSTD; how++) {
      write_temporary("in", packed, compress_bytes(how, text, sizes[i], packed, sizeof packed));
      expect_content(text, sizes[i]);
    }
  }
  remove_temporary();
}
END_TEST

START_TEST(members_frames_and_skipped_frames_follow_each_other) {
  static const unsigned char skipped[] = {0x5e, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'x', 'y', 'z'};
  make_temporary();
  size_t size = gzip_bytes("abc", 3, packed, sizeof packed);
  size += gzip_bytes("", 0, packed + size, sizeof packed - size);
  size += gzip_bytes("def", 3, packed + size, sizeof packed - size);
  write_temporary("in", packed, size);
  expect_content("abcdef", 6);
  memcpy(packed, skipped, sizeof skipped);
  size = sizeof skipped;
  size += zstd_bytes("abc", 3, packed + size, sizeof packed - size);
  memcpy(packed + size, skipped, sizeof skipped);
  size += sizeof skipped;
  size += zstd_bytes("def", 3, packed + size, sizeof packed - size);
  write_temporary("in", packed, size);
  expect_content("abcdef", 6);
  remove_temporary();
}
END_TEST

START_TEST(what_only_begins_like_compressed_bytes_is_plain) {
  static const char *const plain[] = {"\x1f", "\x1f\x8b", "\x1f\x8b\x09xyz", "\x28\xb5\x2f", "\x28\xb5\x2f!",
                                      "P*M",  "P*M!"};
  make_temporary();
  for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
    write_temporary("in", plain[i], strlen(plain[i]));
    expect_content(plain[i], strlen(plain[i]));
  }
  remove_temporary();
}
END_TEST

/* A frame whose window is of 2^log bytes, and its one block. */
static size_t frame_of_window(unsigned log, unsigned char *out) {
  const unsigned char frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0, (unsigned char)((log - 10) << 3), 9, 0, 0, 'a'};
  memcpy(out, frame, sizeof frame);
  return sizeof frame;
}

START_TEST(a_window_of_128_mib_is_the_largest) {
  make_temporary();
  write_temporary("in", packed, frame_of_window(27, packed));
  expect_content("a", 1);
  write_temporary("in", packed, frame_of_window(28, packed));
  expect_failure(
      "in: byte 0: expected a zst frame with a window of at most 128 MiB, found a larger one (compressed with "
      "--long above 27)");
  remove_temporary();
}
END_TEST

/* ---- What is broken ---------------------------------------------------------------------------------------------- */

START_TEST(what_is_cut_short_is_told_wherever_it_is_cut) {
  static char text[700];
  fill_text(text, sizeof text);
  make_temporary();
  for (mien_compression how = MIEN_GZIP; how <= MIEN_ZSTD; how++) {
    const size_t size = compress_bytes(how, text, sizeof text, packed, sizeof packed);
    for (size_t cut = MIEN_COMPRESSION_MAGIC; cut < size; cut++) {
      char expected[128];
      snprintf(expected, sizeof expected, "in: truncated %s: expected more than %zu bytes, found the end",
               how == MIEN_GZIP ? "gz" : "zst", cut);
      write_temporary("in", packed, cut);
      expect_failure(expected);
    }
  }
  remove_temporary();
}
END_TEST

START_TEST(a_byte_that_is_changed_is_told_or_changes_nothing) {
  static char text[400];
  fill_text(text, sizeof text);
  make_temporary();
  for (mien_compression how = MIEN_GZIP; how <= MIEN_ZSTD; how++) {
    const size_t size = compress_bytes(how, text, sizeof text, packed, sizeof packed);
    size_t n_told = 0;
    for (size_t at = MIEN_COMPRESSION_MAGIC; at < size; at++) {
      packed[at] ^= 0x41;
      write_temporary("in", packed, size);
      packed[at] ^= 0x41;
      if (read_in(4096) == MIEN_OK) {
        ck_assert_uint_eq(n_found, sizeof text);
        ck_assert(memcmp(found, text, sizeof text) == 0);
      } else {
        ck_assert_int_eq(error.code, MIEN_INPUT);
        ck_assert_msg(strstr(error.message, "/in: ") != NULL, "%s", error.message);
        n_told++;
      }
    }
    ck_assert_uint_ge(n_told, size - 10); /* a gzip header has a time and a system, which are nothing */
  }
  remove_temporary();
}
END_TEST

START_TEST(what_follows_compressed_bytes_is_told) {
  static const char *const garbage[] = {"garbage", "\0\0\0\0\0\0\0\0", "{\"text\":\"a\"}\n"};
  static const size_t sizes[] = {7, 8, 13};
  make_temporary();
  for (mien_compression how = MIEN_GZIP; how <= MIEN_ZSTD; how++) {
    const size_t size = compress_bytes(how, "abc\n", 4, packed, sizeof packed);
    for (size_t i = 0; i < 3; i++) {
      char expected[128];
      snprintf(expected, sizeof expected, "in: byte %zu: expected the end or another %s, found other bytes", size,
               how == MIEN_GZIP ? "gz member" : "zst frame");
      memcpy(packed + size, garbage[i], sizes[i]);
      write_temporary("in", packed, size + sizes[i]);
      expect_failure(expected);
    }
  }
  remove_temporary();
}
END_TEST

/* ---- Files that change ------------------------------------------------------------------------------------------- */

/* Reads some of the file "in" of 10 bytes, gives it `size` bytes, and reads on. */
static mien_status read_while_it_becomes(size_t size) {
  mien_stream stream;
  size_t n = 0;
  write_temporary("in", "0123456789", 10);
  ck_assert_int_eq(mien_stream_open(&stream, in_temporary("in"), NULL, &error), MIEN_OK);
  ck_assert_int_eq(mien_stream_read(&stream, found, 5, &n, &error), MIEN_OK);
  require(truncate(in_temporary("in"), (off_t)size) == 0, "not truncated");
  const mien_status status = mien_stream_read(&stream, found, 100, &n, &error);
  mien_error other = {0};
  ck_assert_int_eq(mien_stream_check_size(&stream, &other), status);
  mien_stream_close(&stream);
  return status;
}

START_TEST(a_file_that_is_cut_or_grows_while_it_is_read_is_told) {
  make_temporary();
  ck_assert_int_eq(read_while_it_becomes(10), MIEN_OK);
  ck_assert_int_eq(read_while_it_becomes(7), MIEN_INPUT);
  ck_assert_str_eq(strrchr(error.message, '/') + 1, "in: was cut while it was read: expected 10 bytes, found 7");
  ck_assert_int_eq(read_while_it_becomes(12), MIEN_INPUT);
  ck_assert_str_eq(strrchr(error.message, '/') + 1, "in: has grown while it was read: expected 10 bytes, found 12");
  remove_temporary();
}
END_TEST

MIEN_SUITE("stream", compressed_bytes_are_what_they_stand_for, members_frames_and_skipped_frames_follow_each_other,
           what_only_begins_like_compressed_bytes_is_plain, a_window_of_128_mib_is_the_largest,
           what_is_cut_short_is_told_wherever_it_is_cut, a_byte_that_is_changed_is_told_or_changes_nothing,
           what_follows_compressed_bytes_is_told, a_file_that_is_cut_or_grows_while_it_is_read_is_told)
