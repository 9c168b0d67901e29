/* SPDX-License-Identifier: Apache-2.0 */
/* Readers of texts: what rows are in the bytes of each format, however the bytes arrive and whatever chunks they make.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

#include "corpus/buffer.h"
#include "corpus/compressed.h"
#include "corpus/reader.h"
#include "corpus/temporary.h"

static mien_error error;

/* ---- Rows as one text: "LINE:TEXT" or "LINE!PROBLEM", "#ID", " NAME=VALUE"…, one a line ------------------------ */

static void add(mien_buffer *out, const char *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) { /* NUL and line ends show */
    const char *shown = bytes[i] == '\0' ? "\\0" : bytes[i] == '\n' ? "\\n" : bytes[i] == '\r' ? "\\r" : NULL;
    require(mien_buffer_append(out, shown ? shown : bytes + i, shown ? 2 : 1), "no memory");
  }
}

static void show_record(mien_buffer *out, const mien_record *record) {
  char line[32];
  snprintf(line, sizeof line, "%llu%c", (unsigned long long)record->line, record->problem ? '!' : ':');
  add(out, line, strlen(line));
  if (record->problem)
    add(out, record->problem, strlen(record->problem));
  else
    add(out, record->text.bytes, record->text.size);
  if (record->id.span.bytes) {
    add(out, record->id.is_json ? "#" : "##", record->id.is_json ? 1 : 2);
    add(out, record->id.span.bytes, record->id.span.size);
  }
  for (size_t i = 0; i < record->n_fields; i++) {
    add(out, " ", 1);
    add(out, record->fields[i].name.bytes, record->fields[i].name.size);
    add(out, "=", 1);
    add(out, record->fields[i].value.span.bytes, record->fields[i].value.span.size);
  }
  require(mien_buffer_append(out, "\n", 1), "no memory");
}

static const mien_text_options any = {.chunk_rows = 256, .chunk_bytes = 1 << 18, .workers = 1};

/* All rows of `inputs`; a failure is its message in a last line. */
static char *read_inputs(const mien_inputs *inputs, const mien_text_options *options) {
  mien_buffer out = {0};
  mien_chunk chunk = {0};
  mien_reader *reader = NULL;
  const mien_row_range *range = options->range;
  uint64_t n_rows = range ? range->first : 0;
  mien_status status = mien_text_reader_create(inputs, options, &reader, &error);
  while (status == MIEN_OK) {
    status = reader->claim(reader, &chunk, &error);
    if (status != MIEN_OK || chunk.n_rows == 0) break;
    require(chunk.first_row == n_rows && chunk.n_rows <= options->chunk_rows, "rows %zu", chunk.n_rows);
    require(chunk.raw.size <= options->chunk_bytes || chunk.n_rows == 1, "%zu bytes", chunk.raw.size);
    n_rows += chunk.n_rows;
    if (range && range->part_rows)
      require((chunk.first_row - range->first) / range->part_rows == (n_rows - 1 - range->first) / range->part_rows,
              "rows %d to %d are of two parts", (int)chunk.first_row, (int)n_rows);
    status = reader->fill(reader, &chunk, &error);
    for (size_t i = 0; status == MIEN_OK && i < chunk.n_rows; i++) show_record(&out, &chunk.records[i]);
  }
  if (status != MIEN_OK) {
    const char *message = error.message, *slash = strrchr(message, '/'); /* the temporary folder aside */
    add(&out, slash ? slash + 1 : message, strlen(slash ? slash + 1 : message));
    require(mien_buffer_append(&out, "\n", 1), "no memory");
  }
  if (reader) reader->destroy(reader);
  mien_chunk_free(&chunk);
  require(mien_buffer_append(&out, "", 1), "no memory");
  return out.bytes;
}

static char *read_file(const char *bytes, size_t size, mien_input_format format, const mien_text_options *options) {
  write_temporary("in", bytes, size);
  mien_input input = {(char *)in_temporary("in"), format};
  mien_inputs inputs = {&input, 1, 1};
  return read_inputs(&inputs, options);
}

/* The same of what is compressed. */
static void expect(mien_input_format format, const mien_text_options *options, const char *bytes, size_t size,
                   const char *expected) {
  static unsigned char packed[1 << 16];
  for (mien_compression how = MIEN_PLAIN; how <= MIEN_ZSTD; how++) {
    if (how != MIEN_PLAIN && size > sizeof packed / 2) break;
    const size_t n = how == MIEN_PLAIN ? size : compress_bytes(how, bytes, size, packed, sizeof packed);
    char *found = read_file(how == MIEN_PLAIN ? bytes : (char *)packed, n, format, options);
    ck_assert_msg(strcmp(found, expected) == 0, "input%s '%.*s'\nexpected\n%sfound\n%s", mien_compression_ending(how),
                  (int)(size < 200 ? size : 200), bytes, expected, found);
    free(found);
  }
}

#define EXPECT(format, options, bytes, expected) expect(format, options, bytes, sizeof(bytes) - 1, expected)

/* ---- Formats ---------------------------------------------------------------------------------------------------- */

START_TEST(every_line_of_text_is_a_row) {
  make_temporary();
  EXPECT(MIEN_INPUT_TEXT, &any, "", "");
  EXPECT(MIEN_INPUT_TEXT, &any, "a", "1:a\n");
  EXPECT(MIEN_INPUT_TEXT, &any, "a\n", "1:a\n");
  EXPECT(MIEN_INPUT_TEXT, &any, "\n", "1:\n");
  EXPECT(MIEN_INPUT_TEXT, &any, "a\n\n b \n", "1:a\n2:\n3: b \n");
  EXPECT(MIEN_INPUT_TEXT, &any, "a\r\nb\rc\r\n\r\nd\r", "1:a\n2:b\\rc\n3:\n4:d\\r\n");
  EXPECT(MIEN_INPUT_TEXT, &any, "a\0b\n\0\n", "1:a\\0b\n2:\\0\n");
  EXPECT(MIEN_INPUT_TEXT, &any, "\xFF\xC3(\n\xE2\x82", "1:\xFF\xC3(\n2:\xE2\x82\n");
  remove_temporary();
}
END_TEST

START_TEST(a_byte_order_mark_is_no_text_and_utf_16_is_refused) {
  make_temporary();
  EXPECT(MIEN_INPUT_TEXT, &any, "\xEF\xBB\xBF", "");
  EXPECT(MIEN_INPUT_TEXT, &any,
         "\xEF\xBB\xBF"
         "a\n\xEF\xBB\xBF"
         "b\n",
         "1:a\n2:\xEF\xBB\xBF"
         "b\n");
  EXPECT(MIEN_INPUT_TEXT, &any, "\xEF\xBB", "1:\xEF\xBB\n");
  EXPECT(MIEN_INPUT_JSONL, &any, "\xEF\xBB\xBF{\"text\":\"a\"}", "1:a\n");
  EXPECT(MIEN_INPUT_CSV, &any, "\xEF\xBB\xBF\"text\"\na", "2:a\n");
  EXPECT(MIEN_INPUT_TSV, &any, "\xEF\xBB\xBFtext\na", "2:a\n");
  EXPECT(MIEN_INPUT_TEXT, &any,
         "\xFF\xFE"
         "a\0\n\0",
         "in: expected UTF-8, found UTF-16 by its byte order mark\n");
  EXPECT(MIEN_INPUT_CSV, &any, "\xFE\xFF\0a", "in: expected UTF-8, found UTF-16 by its byte order mark\n");
  remove_temporary();
}
END_TEST

START_TEST(jsonl_gives_the_text_of_objects_and_marks_other_lines) {
  make_temporary();
  EXPECT(MIEN_INPUT_JSONL, &any, "{\"text\":\"a\"}\r\n\n \t\r\n{\"text\":\"\"}", "1:a\n4:\n");
  EXPECT(MIEN_INPUT_JSONL, &any, "{\"text\":\"\\u00e9\\ud83d\\ude00\\n\\u0000x\"}\n",
         "1:\xC3\xA9\xF0\x9F\x98\x80\\n\\0x\n");
  EXPECT(MIEN_INPUT_JSONL, &any, "{\"te\\u0078t\":\"a\"}", "1:a\n");
  EXPECT(MIEN_INPUT_JSONL, &any, "{\"body\":\"a\"}\n{\"text\":null}\n{\"text\":5}\n{\"text\":[\"a\"]}\n",
         "1!field 'text' is missing\n2!field 'text': expected a string, found null\n"
         "3!field 'text': expected a string, found a number\n4!field 'text': expected a string, found an array\n");
  EXPECT(MIEN_INPUT_JSONL, &any, "[]\n\"a\"\n5\nnull\n",
         "1!expected a JSON object, found an array\n2!expected a JSON object, found a string\n"
         "3!expected a JSON object, found a number\n4!expected a JSON object, found null\n");
  EXPECT(MIEN_INPUT_JSONL, &any, "\n{\"text\":\"a\"\n{\"text\":\"a\"}}\n{\"text\":\"a\",\"text\":\"b\"}\n",
         "2!column 11: '}' expected near end of file\n3!column 13: end of file expected near '}'\n"
         "4!column 18: duplicate object key near '\"text\"'\n");
  EXPECT(MIEN_INPUT_JSONL, &any, "{\"text\":\"\xFF\"}\n{\"text\":\"a\0b\"}\n{\"text\":\"\\ud800\"}",
         "1!column 9: unable to decode byte 0xff near '\"'\n2!column 11: a NUL byte\n"
         "3!column 16: invalid Unicode '\\uD800' near '\"\\ud800\"'\n");
  mien_text_options body = any;
  body.text_field = "body";
  EXPECT(MIEN_INPUT_JSONL, &body, "{\"text\":\"a\",\"body\":\"b\"}", "1:b\n");
  remove_temporary();
}
END_TEST

START_TEST(jsonl_keeps_values_as_they_are_written) {
  make_temporary();
  mien_text_options all = any;
  all.id_field = "id";
  all.keep_all = true;
  EXPECT(MIEN_INPUT_JSONL, &all,
         "{\"id\":12345678901234567890123, \"text\" : \"a\" ,\"x\":1e400,\"y\": 0.10 , \"z\":{\"a\":[1, \"]}\\\"\"]}}",
         "1:a#12345678901234567890123 x=1e400 y=0.10 z={\"a\":[1, \"]}\\\"\"]}\n");
  EXPECT(MIEN_INPUT_JSONL, &all, "{\"text\":\"a\",\"b\":true,\"c\":null,\"d\":\"\\u00e9\",\"e\\n\":-0}",
         "1:a#null b=true c=null d=\"\\u00e9\" e\\n=-0\n");
  EXPECT(MIEN_INPUT_JSONL, &all, "{\"id\":\"7\",\"text\":5,\"b\":[]}\n",
         "1!field 'text': expected a string, found a number#\"7\" b=[]\n");
  EXPECT(MIEN_INPUT_JSONL, &all, "{\"text\":\"a\",\"b\":1e}\n{\"text\":\"a\",\"b\":01e2}\n{\"text\":\"a\",\"b\":-}",
         "1!column 18: invalid token near '1e'\n2!column 17: invalid token near '0'\n3!column 17: invalid token near "
         "'-'\n");
  static const char *const names[] = {"c", "b", "absent"};
  mien_text_options some = any;
  some.keep = names;
  some.n_keep = 3;
  EXPECT(MIEN_INPUT_JSONL, &some, "{\"a\":1,\"b\":2,\"text\":\"t\",\"c\":3}\n{\"text\":\"u\"}",
         "1:t c=3 b=2 absent=null\n2:u c=null b=null absent=null\n");
  remove_temporary();
}
END_TEST

START_TEST(lines_of_json_that_cost_too_much_are_bad_rows) {
  enum { VALUES = 300000 };
  make_temporary();
  mien_buffer line = {0};
  require(mien_buffer_append(&line, "{\"x\":[", 6), "no memory");
  for (int i = 0; i < VALUES; i++) require(mien_buffer_append(&line, i ? ",0" : "0", i ? 2 : 1), "no memory");
  require(mien_buffer_append(&line, "],\"text\":\"a\"}\n{\"text\":\"b\"}\n", 27), "no memory");
  expect(MIEN_INPUT_JSONL, &any, line.bytes, line.size, "1!expected at most 262144 values, found 300004\n2:b\n");
  line.size = 0;
  for (int i = 0; i < VALUES; i++) require(mien_buffer_append(&line, "[", 1), "no memory");
  expect(MIEN_INPUT_JSONL, &any, line.bytes, 100000, "1!column 2049: maximum parsing depth reached near '['\n");
  mien_buffer_free(&line);
  remove_temporary();
}
END_TEST

START_TEST(csv_is_rfc_4180) {
  make_temporary();
  EXPECT(MIEN_INPUT_CSV, &any, "", "");
  EXPECT(MIEN_INPUT_CSV, &any, "text", "");
  EXPECT(MIEN_INPUT_CSV, &any, "text\na\n\nb", "2:a\n4:b\n");
  EXPECT(MIEN_INPUT_CSV, &any, "id,text\r\n1,a\r\n2,\"b\r\nc, \"\"d\"\"\"\r\n3,\"\"\r\n",
         "2:a\n3:b\\r\\nc, \"d\"\n5:\n");
  EXPECT(MIEN_INPUT_CSV, &any, "text\n\"\"\"\"\n\"a\"\"\"\n\"\"\"a\"\n", "2:\"\n3:a\"\n4:\"a\n");
  EXPECT(MIEN_INPUT_CSV, &any, "text,n\na \"quote\" in it,5\" wide\nb,1", "2:a \"quote\" in it\n3:b\n");
  EXPECT(MIEN_INPUT_CSV, &any, "text\na\0b\n\"\0\"\n", "2:a\\0b\n3:\\0\n");
  EXPECT(MIEN_INPUT_CSV, &any, "text,n\na\nb,1,2\n\"c\"d,1\ne,1\n",
         "2!expected 2 fields, found 1\n3!expected 2 fields, found 3\n"
         "4!bytes between a field's closing quote and the next comma\n5:e\n");
  EXPECT(MIEN_INPUT_CSV, &any, "text,n\na,1\n\"b\n\nc\",2\n\"d,3\ne\n",
         "2:a\n3:b\\n\\nc\nin:6: a quoted field opens here: expected its closing quote, found the end of the input\n");
  EXPECT(MIEN_INPUT_CSV, &any, "text,n\na,1\n\"b\n",
         "2:a\nin:3: a quoted field opens here: expected its closing quote, "
         "found the end of the input\n");
  remove_temporary();
}
END_TEST

START_TEST(tsv_has_no_quotes) {
  make_temporary();
  EXPECT(MIEN_INPUT_TSV, &any, "text\tn\n\"I love this\" ha\t1\n\"\t2\n\t\n", "2:\"I love this\" ha\n3:\"\n4:\n");
  EXPECT(MIEN_INPUT_TSV, &any, "text\tn\na,b\t1\r\nc\n", "2:a,b\n3!expected 2 fields, found 1\n");
  remove_temporary();
}
END_TEST

START_TEST(columns_are_found_by_name_or_number) {
  make_temporary();
  mien_text_options options = any;
  options.text_column = "body";
  options.id_column = "0";
  EXPECT(MIEN_INPUT_CSV, &options, "key,body\n7,a\n", "2:a##7\n");
  EXPECT(MIEN_INPUT_CSV, &options, "key,text\n",
         "in: expected a column 'body' (--text-column says another), found 'key', 'text'\n");
  EXPECT(MIEN_INPUT_CSV, &options, "body,body\n",
         "in: column 'body' is there 2 times: say its number with "
         "--text-column\n");
  options.no_header = true;
  EXPECT(MIEN_INPUT_TSV, &options, "key\tbody\n",
         "in: --text-column: expected a column's number from 0 to 1, found "
         "'body'\n");
  options.text_column = NULL;
  options.id_column = "1";
  EXPECT(MIEN_INPUT_TSV, &options, "a\t7\nb\t8\n", "1:a##7\n2:b##8\n");
  options.keep_all = true;
  EXPECT(MIEN_INPUT_TSV, &options, "a\t7\tx\ty\n", "1:a##7 2=x 3=y\n");
  static const char *const names[] = {"n", "3", "text"};
  options = any;
  options.keep = names;
  options.n_keep = 3;
  EXPECT(MIEN_INPUT_CSV, &options, "text,m,n,o\n\"a\",1,\"2\"\"\",3\n", "2:a n=2\" 3=3 text=a\n");
  options = any;
  options.keep_all = true;
  EXPECT(MIEN_INPUT_CSV, &options, "m,text,m\n", "in: column 'm' is there twice: say by number which to --keep\n");
  EXPECT(MIEN_INPUT_CSV, &options, "m,text,\n1,a,2\n", "2:a m=1 =2\n");
  remove_temporary();
}
END_TEST

/* ---- Arrival ----------------------------------------------------------------------------------------------------- */

typedef struct feeder {
  const char *bytes;
  size_t size, most; /* bytes of a write; random up to it */
  uint64_t state;
} feeder;

static void *feed(void *user) {
  feeder *f = user;
  FILE *pipe = fopen(in_temporary("pipe"), "wb");
  for (size_t at = 0; pipe && at < f->size;) {
    size_t n = 1 + random_bits(&f->state) % f->most;
    if (n > f->size - at) n = f->size - at;
    if (fwrite(f->bytes + at, 1, n, pipe) != n || fflush(pipe) != 0) break;
    at += n;
  }
  if (pipe) fclose(pipe);
  return NULL;
}

static char *read_pipe(feeder *f, mien_input_format format, const mien_text_options *options) {
  char path[512];
  snprintf(path, sizeof path, "%s", in_temporary("pipe"));
  require(mkfifo(path, 0600) == 0, "no pipe");
  signal(SIGPIPE, SIG_IGN); /* a reader that fails does not read to the end */
  pthread_t thread;
  require(pthread_create(&thread, NULL, feed, f) == 0, "no thread");
  mien_input input = {path, format};
  mien_inputs inputs = {&input, 1, 1};
  char *found = read_inputs(&inputs, options);
  pthread_join(thread, NULL);
  unlink(path);
  return found;
}

/* What is hard at an end of a piece or of a chunk. */
static void make_hard(mien_buffer *out, mien_input_format format, uint64_t *state) {
  static const char *const pieces[4][12] = {
      {"a", "", "\r", "longer text", "\n", "\n", "\r\n", "\xC3\xA9", "\"", ",", "\t", "b"},
      {"{\"text\":\"a\"}", "{\"text\":\"\\\"\\n\"}", "{", "\"", "\n", "\n", "\r\n", " ", "{\"text\":1}", "x", "\\",
       "\n"},
      {"a", "\"", "\"\"", "\"a\"", "\n", "\r\n", ",", ",", "\"\r\n\"", "\r", "\n\n", "b,c\n"},
      {"a", "\"", "\t", "\t", "\n", "\r\n", ",", "", "\"\r\n\"", "\r", "\n\n", "b\tc\n"}};
  for (int i = 0; i < 60; i++) {
    const char *piece = pieces[format - MIEN_INPUT_TEXT][random_bits(state) % 12];
    require(mien_buffer_append(out, piece, strlen(piece)), "no memory");
  }
}

START_TEST(rows_do_not_depend_on_how_bytes_arrive_and_on_chunks) {
  make_temporary();
  uint64_t state = 11;
  for (int i = 0; i < 400; i++) {
    mien_input_format format = MIEN_INPUT_TEXT + i % 4;
    mien_text_options options = any;
    options.no_header = options.keep_all = true;
    mien_buffer bytes = {0};
    make_hard(&bytes, format, &state);
    char *expected = read_file(bytes.bytes, bytes.size, format, &options);
    options.chunk_rows = 1 + random_bits(&state) % 4;
    options.chunk_bytes = 1 + random_bits(&state) % 20;
    char *chunks = read_file(bytes.bytes, bytes.size, format, &options);
    ck_assert_str_eq(chunks, expected);
    feeder f = {bytes.bytes, bytes.size, 1 + random_bits(&state) % 9, state};
    char *pieces = read_pipe(&f, format, &options), *colon = strstr(pieces, "pipe");
    if (colon) memmove(colon, "in", 2), memmove(colon + 2, colon + 4, strlen(colon + 4) + 1);
    ck_assert_str_eq(pieces, expected);
    free(expected);
    free(chunks);
    free(pieces);
    mien_buffer_free(&bytes);
  }
  remove_temporary();
}
END_TEST

START_TEST(a_row_that_is_too_long_is_a_bad_one_and_the_next_is_read) {
  static const struct {
    mien_input_format format;
    const char *before, *after, *expected;
  } cases[] = {
      {MIEN_INPUT_TEXT, "a\n", "\r\nb\n", "1:a\n2!longer than 16777216 bytes\n3:b\n"},
      {MIEN_INPUT_TEXT, "a\n", "", "1:a\n2!longer than 16777216 bytes\n"},
      {MIEN_INPUT_JSONL, "", "\n\n{\"text\":\"b\"}", "1!longer than 16777216 bytes\n3:b\n"},
      {MIEN_INPUT_CSV, "text\n\"\n", "\n\"\nb\n\"c\nd\"", "2!longer than 16777216 bytes\n5:b\n6:c\\nd\n"},
      {MIEN_INPUT_CSV, "text\nx,\"\n", "\"\n\nb\n", "2!longer than 16777216 bytes\n5:b\n"},
      {MIEN_INPUT_TSV, "text\n", "\nb", "2!longer than 16777216 bytes\n3:b\n"},
  };
  make_temporary();
  for (size_t excess = 0; excess <= 20u << 20; excess += excess ? 5u << 20 : 1) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
      size_t before = strlen(cases[i].before), after = strlen(cases[i].after),
             middle = MIEN_MAX_TEXT_BYTES + 1 + excess;
      mien_buffer bytes = {0};
      require(mien_buffer_reserve(&bytes, before + middle + after), "no memory");
      mien_buffer_put(&bytes, cases[i].before, before);
      memset(bytes.bytes + before, 'x', middle);
      bytes.size += middle;
      mien_buffer_put(&bytes, cases[i].after, after);
      feeder f = {bytes.bytes, bytes.size, 1 << 17, 5};
      char *found = read_pipe(&f, cases[i].format, &any);
      ck_assert_str_eq(found, cases[i].expected);
      free(found);
      expect(cases[i].format, &any, bytes.bytes, bytes.size, cases[i].expected);
      mien_buffer_free(&bytes);
    }
  }
  remove_temporary();
}
END_TEST

START_TEST(a_row_of_the_greatest_length_is_a_good_one) {
  make_temporary();
  for (int end = 0; end < 3; end++) {
    static const char *const ends[] = {"", "\n", "\r\n"};
    mien_buffer bytes = {0};
    require(mien_buffer_reserve(&bytes, MIEN_MAX_TEXT_BYTES + 2), "no memory");
    memset(bytes.bytes, 'x', MIEN_MAX_TEXT_BYTES);
    bytes.size = MIEN_MAX_TEXT_BYTES;
    mien_buffer_put(&bytes, ends[end], strlen(ends[end]));
    feeder f = {bytes.bytes, bytes.size, 1 << 17, 5};
    char *found = read_pipe(&f, MIEN_INPUT_TEXT, &any);
    ck_assert_uint_eq(strlen(found), MIEN_MAX_TEXT_BYTES + 3);
    ck_assert(found[0] == '1' && found[1] == ':' && found[2] == 'x');
    free(found);
    mien_buffer_free(&bytes);
  }
  remove_temporary();
}
END_TEST

START_TEST(a_long_row_that_trickles_takes_linear_time) {
  make_temporary();
  mien_buffer bytes = {0};
  size_t size = 3 << 20;
  require(mien_buffer_reserve(&bytes, size), "no memory");
  memset(bytes.bytes, 'x', size);
  bytes.size = size;
  for (size_t i = 0; i < 6; i++) bytes.bytes[i] = "text\n\""[i];
  memcpy(bytes.bytes + size - 2, "\"\n", 2);
  feeder f = {bytes.bytes, bytes.size, 64, 5};
  char *found = read_pipe(&f, MIEN_INPUT_CSV, &any);
  ck_assert_uint_eq(strlen(found), size - 8 + 3);
  free(found);
  mien_buffer_free(&bytes);
  remove_temporary();
}
END_TEST

START_TEST(rows_of_many_inputs_follow_each_other) {
  make_temporary();
  write_temporary("a.txt", "a\n\n", 3);
  write_temporary("b.jsonl", "\n\n", 2);
  write_temporary("c.csv", "n,text\n1,c\n", 11);
  write_temporary("d.csv", "text\nd", 6);
  char names[4][512];
  static const char *const files[] = {"a.txt", "b.jsonl", "c.csv", "d.csv"};
  mien_input items[4];
  for (int i = 0; i < 4; i++) {
    snprintf(names[i], sizeof names[i], "%s", in_temporary(files[i]));
    items[i] = (mien_input){
        names[i], (mien_input_format[]){MIEN_INPUT_TEXT, MIEN_INPUT_JSONL, MIEN_INPUT_CSV, MIEN_INPUT_CSV}[i]};
  }
  mien_inputs inputs = {items, 4, 4};
  char *found = read_inputs(&inputs, &any);
  ck_assert_str_eq(found, "1:a\n2:\n2:c\n2:d\n");
  free(found);
  /* What is wrong with the last file is told before a row of the first is read. */
  write_temporary("d.csv", "body\nd", 6);
  found = read_inputs(&inputs, &any);
  ck_assert_str_eq(found, "d.csv: expected a column 'text' (--text-column says another), found 'body'\n");
  free(found);
  remove_temporary();
}
END_TEST

/* ---- Ranges ------------------------------------------------------------------------------------------------------ */

enum { INPUTS = 4 };

/* Files of every format, some without rows. */
static void make_inputs(mien_input items[INPUTS], char names[INPUTS][512], uint64_t *state) {
  for (int k = 0; k < INPUTS; k++) {
    static const char record[] = "a\n\n\"b\n\nc\",d\n\"e\"\"\"\n";
    mien_input_format format = MIEN_INPUT_TEXT + random_bits(state) % 4;
    mien_buffer bytes = {0};
    if (format != MIEN_INPUT_CSV) make_hard(&bytes, format, state);
    for (uint64_t n = random_bits(state) % 20; format == MIEN_INPUT_CSV && n > 0; n--)
      require(mien_buffer_append(&bytes, record, sizeof record - 1), "no memory");
    snprintf(names[k], sizeof names[k], "%s%d", in_temporary("in"), k);
    items[k] = (mien_input){names[k], format};
    write_temporary(strrchr(names[k], '/') + 1, bytes.bytes, random_bits(state) % 5 ? bytes.size : 0);
    mien_buffer_free(&bytes);
  }
}

static uint64_t count_lines(const char *text) {
  uint64_t n = 0;
  for (; *text; text++) n += *text == '\n';
  return n;
}

static char *skip_lines(char *text, uint64_t n) {
  while (n-- > 0) text = strchr(text, '\n') + 1;
  return text;
}

START_TEST(a_range_has_its_rows_and_no_chunk_spans_two_parts) {
  make_temporary();
  uint64_t state = 5, n_ranges = 0;
  for (int i = 0; i < 200; i++) {
    char names[INPUTS][512];
    mien_input items[INPUTS];
    mien_inputs inputs = {items, INPUTS, INPUTS};
    uint64_t input_rows[INPUTS];
    mien_text_options options = any;
    options.no_header = true;
    make_inputs(items, names, &state);
    for (int k = 0; k < INPUTS; k++) {
      char *one = read_inputs(&(mien_inputs){&items[k], 1, 1}, &options);
      input_rows[k] = count_lines(one);
      free(one);
    }
    char *all = read_inputs(&inputs, &options);
    const uint64_t n_rows = count_lines(all);
    mien_row_range range = {.first = random_bits(&state) % (n_rows + 1), .part_rows = 1 + random_bits(&state) % 9};
    range.end =
        random_bits(&state) % 4 ? range.first + random_bits(&state) % (n_rows - range.first + 1) : MIEN_ROWS_UNKNOWN;
    range.input_rows = random_bits(&state) % 2 ? input_rows : NULL;
    options.range = &range;
    options.chunk_rows = 1 + random_bits(&state) % 12;
    options.chunk_bytes = 1 + random_bits(&state) % 40;
    char *found = read_inputs(&inputs, &options);
    const uint64_t end = range.end < n_rows ? range.end : n_rows;
    *skip_lines(all, end) = '\0';
    ck_assert_str_eq(found, skip_lines(all, range.first));
    n_ranges += end > range.first;
    free(all);
    free(found);
  }
  ck_assert_uint_gt(n_ranges, 100);
  remove_temporary();
}
END_TEST

/* Rows before a broken place come, and then the failure, which is no end. */
START_TEST(rows_before_a_broken_place_are_not_taken_for_all) {
  static unsigned char packed[1024];
  static const char expected[] = "1:a\n2:b\n3:c\n4:d\nin: truncated gz: expected more than ";
  make_temporary();
  size_t size = gzip_bytes("a\nb\n", 4, packed, sizeof packed);
  size += gzip_bytes("c\nd\n", 4, packed + size, sizeof packed - size);
  char *found = read_file((char *)packed, size - 8, MIEN_INPUT_TEXT, &any); /* the checksum is cut off */
  ck_assert_msg(strncmp(found, expected, sizeof expected - 1) == 0, "%s", found);
  free(found);
  remove_temporary();
}
END_TEST

START_TEST(progress_is_counted_in_compressed_bytes) {
  static char text[400000];
  static unsigned char packed[sizeof text];
  for (size_t i = 0; i < sizeof text; i++) text[i] = i % 50 == 49 ? '\n' : (char)('a' + i * i / 50 % 23);
  make_temporary();
  const size_t size = zstd_bytes(text, sizeof text, packed, sizeof packed);
  write_temporary("in", packed, size);
  mien_input input = {(char *)in_temporary("in"), MIEN_INPUT_TEXT};
  const mien_inputs inputs = {&input, 1, 1};
  mien_reader *reader = NULL;
  mien_chunk chunk = {0};
  uint64_t n_bytes = 0, n_rows = 0;
  ck_assert_int_eq(mien_text_reader_create(&inputs, &any, &reader, &error), MIEN_OK);
  ck_assert_uint_eq(reader->n_bytes, size);
  do {
    ck_assert_msg(reader->claim(reader, &chunk, &error) == MIEN_OK, "%s", error.message);
    n_rows += chunk.n_rows;
    n_bytes += chunk.n_rows ? chunk.n_bytes : 0;
  } while (chunk.n_rows > 0);
  ck_assert_uint_eq(n_rows, sizeof text / 50);
  ck_assert_uint_eq(n_bytes, size);
  reader->destroy(reader);
  mien_chunk_free(&chunk);
  remove_temporary();
}
END_TEST

START_TEST(inputs_before_a_range_are_not_read) {
  make_temporary();
  uint64_t input_rows[] = {2, 2};
  const mien_row_range range = {.first = 3, .end = 4, .input_rows = input_rows};
  mien_text_options options = any;
  options.range = &range;
  write_temporary("a", "one row, and not two", 20);
  write_temporary("b", "c\nd\n", 4);
  char names[2][512];
  snprintf(names[0], sizeof names[0], "%s", in_temporary("a"));
  snprintf(names[1], sizeof names[1], "%s", in_temporary("b"));
  mien_input items[] = {{names[0], MIEN_INPUT_TEXT}, {names[1], MIEN_INPUT_TEXT}};
  char *found = read_inputs(&(mien_inputs){items, 2, 2}, &options);
  ck_assert_str_eq(found, "2:d\n");
  free(found);
  remove_temporary();
}
END_TEST

MIEN_SUITE("text_reader", every_line_of_text_is_a_row, a_byte_order_mark_is_no_text_and_utf_16_is_refused,
           jsonl_gives_the_text_of_objects_and_marks_other_lines, jsonl_keeps_values_as_they_are_written,
           lines_of_json_that_cost_too_much_are_bad_rows, csv_is_rfc_4180, tsv_has_no_quotes,
           columns_are_found_by_name_or_number, rows_do_not_depend_on_how_bytes_arrive_and_on_chunks,
           a_row_that_is_too_long_is_a_bad_one_and_the_next_is_read, a_row_of_the_greatest_length_is_a_good_one,
           a_long_row_that_trickles_takes_linear_time, rows_of_many_inputs_follow_each_other,
           a_range_has_its_rows_and_no_chunk_spans_two_parts, rows_before_a_broken_place_are_not_taken_for_all,
           progress_is_counted_in_compressed_bytes, inputs_before_a_range_are_not_read)
