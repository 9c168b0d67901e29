/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the fold, for src/head/fold*.c only: from an ONNX graph to one head.
 *
 * A value of the graph is a constant tensor, or a batch: a tensor (N, ...) whose columns are each
 *
 *     c0 + c1·f(w·x + bias),   f in {identity, sigmoid, exp}
 *
 * of the graph's input row x [D], in double. Values never change once made, and share what they can: w is a multiple of
 * a row [D] that many columns may share, or of a unit vector, so that the input's D columns and their scalings cost no
 * D×D matrix, and picking and repeating columns costs no rows. All memory and work of a fold is on a budget.
 */
#ifndef MIEN_HEAD_FOLD_H
#define MIEN_HEAD_FOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/onnx_scan.h"
#include "formats/onnx_tensor.h"
#include "head/head.h"

/* Columns of one batch value: two a label, or the input. */
#define MIEN_FOLD_MAX_COLUMNS ((size_t)2 * MIEN_MAX_LABELS)

/*
 * Budgets. Memory: a fixed part that any file may use up, and a part in proportion to the numbers that the file really
 * holds, which are read as doubles, cast, multiplied out, and at last in the head. Work: a head of 1000 labels behind a
 * reduction of 1024 to 512 dimensions takes 2^29 multiply-adds, the go_emotions head 2^15.
 */
#define MIEN_FOLD_BASE_BYTES ((size_t)28 << 20)
enum { MIEN_FOLD_BYTES_PER_ELEMENT = 4 * sizeof(double) };
#define MIEN_FOLD_WORK ((uint64_t)1 << 29)

typedef enum mien_link { MIEN_LINK_IDENTITY, MIEN_LINK_SIGMOID, MIEN_LINK_EXP } mien_link;

/* An identity column has c0 = 0 and c1 = 1. */
typedef struct mien_column {
  const double *row; /* [D]; NULL: the unit vector of `unit` */
  double scale;      /* w = scale · row; 0: the column is a constant */
  double bias;
  double c0, c1;
  int32_t class_index; /* k: grows with the score of class k - 1 of the fold; -k: falls with it; 0: neither */
  uint16_t unit;
  uint8_t link; /* mien_link */
} mien_column;
_Static_assert(MIEN_ONNX_MAX_DATA_BYTES == MIEN_MAX_WEIGHTS * sizeof(double), "a tensor may hold each weight");
_Static_assert(MIEN_ONNX_MAX_INTEGERS == MIEN_FOLD_MAX_COLUMNS, "a Gather may pick each column");
_Static_assert(MIEN_MAX_DIM - 1 <= UINT16_MAX, "unit holds a dimension");

typedef enum mien_kind {
  MIEN_VALUE_FLOATS,   /* constant */
  MIEN_VALUE_INTEGERS, /* constant */
  MIEN_VALUE_BATCH,
  MIEN_VALUE_SINK, /* class labels and what is made of them: no score */
} mien_kind;

typedef struct mien_value {
  mien_kind kind;
  bool is_half;          /* a batch of float16: arithmetic on it would round */
  mien_onnx_shape shape; /* of a batch: without its first axis */
  union {
    const void *elements;
    const double *floats;
    const int64_t *integers;
    const mien_column *columns;
  };
} mien_value;

typedef struct mien_fold mien_fold;

/* One evaluation of a node. */
typedef struct mien_call {
  mien_fold *fold;
  const MienOnnx__NodeProto *node;
  const mien_value *const *operands; /* [n_operands], NULL where an optional one is left out */
  size_t n_operands;
  const mien_value **results; /* [n_results], all NULL before */
  size_t n_results;
} mien_call;

typedef struct mien_symbol mien_symbol; /* fold.c */
typedef struct mien_frame mien_frame;

struct mien_fold {
  const MienOnnx__ModelProto *model;
  const MienOnnx__GraphProto *graph;
  const char *path;  /* or NULL */
  const char *where; /* names the file in messages */
  mien_error *error;
  int64_t opset, opset_ml; /* 0: not imported */

  void *blocks; /* everything allocated, for the end */
  size_t bytes_left;
  uint64_t external_elements; /* credited so far */
  uint64_t work_left;

  mien_symbol *symbols; /* [n_symbols] sorted by name */
  size_t n_symbols;
  unsigned char *node_states; /* [n_node] */
  mien_frame *stack;          /* [n_node] */
  const mien_value **scratch; /* a call's operands and results */

  size_t dim;        /* D, 0 before the input was met */
  const char *input; /* its name */
  int64_t batch;     /* the fixed number of rows that the graph is declared for, 0 for any */

  const char **classes; /* [n_classes] names of the classes met so far */
  size_t n_classes, classes_capacity;
};

/* ---- fold_value.c: memory, messages, values ------------------------------------------------------------------ */

/* Zeroed memory that lives as long as the fold. */
MIEN_MUST_USE mien_status mien_fold_alloc(mien_fold *fold, size_t count, size_t size, void *memory);
void mien_fold_release(mien_fold *fold);
/* Adds to the budget of memory for that many numbers of the file. */
void mien_fold_credit(mien_fold *fold, uint64_t n_elements);

/* Takes a·b from the budget of multiply-adds and copies. */
MIEN_MUST_USE mien_status mien_fold_work(mien_fold *fold, uint64_t a, uint64_t b);

/* Bytes of a name as messages show it. */
enum { MIEN_SHOWN_BYTES = 96 };
/* "node 'name' (Op)" */
enum { MIEN_NODE_SHOWN_BYTES = 2 * MIEN_SHOWN_BYTES + 32 };
char *mien_node_show(const MienOnnx__NodeProto *node, char *out);
/* "PATH: node 'name' (Op): ..." */
__attribute__((format(printf, 2, 3))) mien_status mien_call_refuse(const mien_call *call, const char *format, ...);

/* A fresh value of that shape; *elements is where its elements go. */
MIEN_MUST_USE mien_status mien_value_make(mien_fold *fold, mien_kind kind, const mien_onnx_shape *shape,
                                          const mien_value **value, void *elements);
/* The same elements under another shape of the same count. */
MIEN_MUST_USE mien_status mien_value_reshape(mien_fold *fold, const mien_value *source, const mien_onnx_shape *shape,
                                             const mien_value **value);
size_t mien_value_element_bytes(mien_kind kind);
bool mien_value_is_batch(const mien_value *value);
bool mien_value_is_constant(const mien_value *value);

/* Reads a tensor of the file; `where` names it in messages, behind the path. */
MIEN_MUST_USE mien_status mien_value_from_tensor(mien_fold *fold, const MienOnnx__TensorProto *tensor,
                                                 const char *where, const mien_value **value);

bool mien_shape_equal(const mien_onnx_shape *a, const mien_onnx_shape *b);
/* Sets the count from the dimensions; false on overflow. */
bool mien_shape_count(mien_onnx_shape *shape);

/* ---- fold_columns.c: columns --------------------------------------------------------------------------------- */

/* column·multiplier + addend, in normal form: 1 - σ(t) becomes σ(-t). */
mien_column mien_column_affine(mien_column column, double multiplier, double addend);
/* Every column is w·x + bias. */
bool mien_value_is_affine(const mien_value *batch);
/* A batch (N,2) of σ(-t), σ(t): its rows sum to 1. */
bool mien_value_sums_to_one(const mien_fold *fold, const mien_value *batch);

/* A matrix [n_in × n_out] in strides. */
typedef struct mien_matrix {
  const double *data;
  size_t n_in, n_out;
  size_t in_stride, out_stride;
} mien_matrix;

/* batch (N, n_in) · matrix + bias [n_out] (may be NULL), as identity columns. */
MIEN_MUST_USE mien_status mien_columns_multiply(const mien_call *call, const mien_value *batch,
                                                const mien_matrix *matrix, const double *bias, mien_column *out);

/* a + sign·b of identity columns. */
MIEN_MUST_USE mien_status mien_columns_add(const mien_call *call, const mien_column *a, const mien_column *b,
                                           double sign, mien_column *out);

/* Softmax over the two columns of (N,2); each column the sigmoid of a batch: both refuse what is not affine. */
MIEN_MUST_USE mien_status mien_fold_softmax(const mien_call *call, const mien_value *batch, const mien_value **result);
MIEN_MUST_USE mien_status mien_fold_link(const mien_call *call, const mien_value *batch, mien_link link,
                                         const mien_value **result);
/* Refuses a batch that is not affine in x. */
MIEN_MUST_USE mien_status mien_call_need_affine(const mien_call *call, const mien_value *batch);

/* ---- fold_attributes.c: attributes of a node, and arguments that are attributes or inputs by opset ------------- */

/* Each sets *value only when the attribute is there, and refuses another type. */
MIEN_MUST_USE mien_status mien_attribute_integer(const mien_call *call, const char *name, int64_t *value);
MIEN_MUST_USE mien_status mien_attribute_float(const mien_call *call, const char *name, double *value);
MIEN_MUST_USE mien_status mien_attribute_integers(const mien_call *call, const char *name, const int64_t **values,
                                                  size_t *n);
MIEN_MUST_USE mien_status mien_attribute_floats(const mien_call *call, const char *name, const float **values,
                                                size_t *n);
MIEN_MUST_USE mien_status mien_attribute_strings(const mien_call *call, const char *name,
                                                 const ProtobufCBinaryData **values, size_t *n);
/* A string attribute out of a list of n; *index is left when it is not there. */
MIEN_MUST_USE mien_status mien_attribute_choice(const mien_call *call, const char *name, const char *const *choices,
                                                size_t n, size_t *index);

/* Integers from the attribute `name`, or from constant operand `operand`; *is_given tells whether from either. */
typedef struct mien_integers {
  bool is_given;
  const int64_t *values;
  size_t n;
} mien_integers;
MIEN_MUST_USE mien_status mien_call_integers(const mien_call *call, const char *name, size_t operand,
                                             mien_integers *integers);

/* An axis of `rank` axes, negative ones from the end. */
MIEN_MUST_USE mien_status mien_call_axis(const mien_call *call, int64_t axis, size_t rank, size_t *index);

/* ---- Operators: fold_arithmetic.c, fold_index.c, fold_shape.c, fold_ml.c ------------------------------------- */

typedef mien_status mien_operator(const mien_call *call);

mien_operator mien_op_identity, mien_op_cast, mien_op_constant, mien_op_add, mien_op_sub, mien_op_mul, mien_op_div,
    mien_op_sum, mien_op_neg, mien_op_sqrt, mien_op_log, mien_op_reciprocal, mien_op_exp, mien_op_sigmoid, mien_op_abs,
    mien_op_softmax, mien_op_lp_normalization, mien_op_reduce_sum, mien_op_matmul, mien_op_gemm, mien_op_sink;
mien_operator mien_op_concat, mien_op_split, mien_op_slice, mien_op_gather, mien_op_expand, mien_op_transpose;
mien_operator mien_op_reshape, mien_op_flatten, mien_op_squeeze, mien_op_unsqueeze;
mien_operator mien_op_linear_classifier, mien_op_linear_regressor, mien_op_scaler, mien_op_normalizer,
    mien_op_array_feature_extractor, mien_op_zipmap;

/* Evaluates one node: fold_operators.c has the table. */
MIEN_MUST_USE mien_status mien_fold_call(const mien_call *call);

/* ---- fold.c: the walk ----------------------------------------------------------------------------------------- */

/* Sets up everything that can be said before the walk: opsets, names. */
MIEN_MUST_USE mien_status mien_fold_begin(mien_fold *fold);
/* The value called `name`. */
MIEN_MUST_USE mien_status mien_fold_evaluate(mien_fold *fold, const char *name, const mien_value **value);
/* Marks in `marks` [n_node] the nodes that `name`, which has been evaluated, depends on. */
void mien_fold_mark(mien_fold *fold, const char *name, unsigned char *marks);

/* ---- fold_outputs.c: the graph's outputs to a head without origin ---------------------------------------------- */

/* `used` [n_node] gets 1 for nodes on the way to the accepted outputs. */
MIEN_MUST_USE mien_status mien_fold_outputs(mien_fold *fold, const char *labels_path, unsigned char *used,
                                            mien_head *head);

#endif
