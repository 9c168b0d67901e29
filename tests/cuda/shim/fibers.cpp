/* SPDX-License-Identifier: Apache-2.0 */
/* A block's threads as fibers on the host, the collectives of their warps, and the twins of cuda/tensor.h. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <vector>

#include "fibers.h"

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#ifdef WITH_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#if defined(__x86_64__)
/* Saves what a call must keep and goes on at another stack. */
extern "C" void shim_switch(void **save, void *load);
asm(".text\n.globl shim_switch\n.type shim_switch, @function\nshim_switch:\n"
    "push %rbp\npush %rbx\npush %r12\npush %r13\npush %r14\npush %r15\n"
    "mov %rsp, (%rdi)\nmov %rsi, %rsp\n"
    "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbx\npop %rbp\nret\n"
    ".size shim_switch, .-shim_switch\n");
#else
#include <ucontext.h>
#endif

dim3 blockIdx, threadIdx, blockDim, gridDim;

namespace {

enum { STACK_BYTES = 256 << 10, LAST_BYTES = 4096, WARP = 32 };
enum state { READY, AT_WARP, AT_BLOCK, DONE };

struct pending_copy {
  void *to;
  const void *from;
  int bytes;
};

struct fiber {
#if defined(__x86_64__)
  void *sp;
#else
  ucontext_t context;
#endif
  char *stack;
  void *fake_stack;
  enum state state;
  unsigned index;
  unsigned exchanges;
  std::vector<pending_copy> copies; /* not waited for yet, oldest first */
  std::vector<size_t> groups;       /* where each closed group of them ends */
};

struct warp {
  unsigned live, waiting;
  alignas(16) unsigned char slots[2][WARP * SHIM_SLOT_BYTES];
};

std::vector<fiber> fibers;
std::vector<warp> warps;
fiber host;
unsigned n_threads, live, at_block, running;
const std::function<void()> *kernel;
void *shared_memory;

#ifdef WITH_ASAN
const void *host_stack; /* of the thread that runs the block */
size_t host_stack_bytes;
#endif

[[noreturn]] void fail(const char *what) {
  fprintf(stderr, "shim: block (%u, %u), thread %u: %s\n", blockIdx.x, blockIdx.y, threadIdx.x, what);
  abort();
}

void finish_switch(fiber *self) {
#ifdef WITH_ASAN
  const void *bottom;
  size_t bytes;
  __sanitizer_finish_switch_fiber(self->fake_stack, &bottom, &bytes);
  if (!host_stack) {
    host_stack = bottom;
    host_stack_bytes = bytes;
  }
#else
  (void)self;
#endif
}

void change(fiber *from, fiber *to) {
#ifdef WITH_ASAN
  const bool ends = from->state == DONE && from != &host;
  __sanitizer_start_switch_fiber(ends ? nullptr : &from->fake_stack, to == &host ? host_stack : to->stack,
                                 to == &host ? host_stack_bytes : (size_t)STACK_BYTES);
#endif
  if (to != &host) {
    running = to->index;
    threadIdx = dim3(to->index);
  }
#if defined(__x86_64__)
  shim_switch(&from->sp, to->sp);
#else
  swapcontext(&from->context, &to->context);
#endif
  finish_switch(from);
}

/* The next fiber that can run, this warp's first. */
fiber *next_ready(unsigned from) {
  for (unsigned step = 1; step <= n_threads; step++) {
    const unsigned i = shim.backward ? (from + n_threads - step) % n_threads : (from + step) % n_threads;
    if (fibers[i].state == READY) return &fibers[i];
  }
  return nullptr;
}

void release(enum state from, unsigned first, unsigned end) {
  for (unsigned i = first; i < end && i < n_threads; i++)
    if (fibers[i].state == from) fibers[i].state = READY;
}

void check_warp(unsigned w) {
  if (warps[w].waiting == 0 || warps[w].waiting < warps[w].live) return;
  warps[w].waiting = 0;
  release(AT_WARP, w * WARP, (w + 1) * WARP);
}

void check_block(void) {
  if (at_block == 0 || at_block < live) return;
  at_block = 0;
  release(AT_BLOCK, 0, n_threads);
}

void yield(void) {
  fiber *self = &fibers[running];
  if (self->state == READY) return;
  fiber *next = next_ready(running);
  if (!next) {
    if (live > 0) fail("no thread can go on: they wait at different barriers");
    next = &host;
  }
  change(self, next);
}

#if defined(__x86_64__)
extern "C" void shim_fiber_main(void);
#endif
void fiber_main(void) {
  fiber *self = &fibers[running];
  finish_switch(self);
  (*kernel)();
  self = &fibers[running];
  if (!self->copies.empty()) fail("ended before its copies to shared memory were waited for");
  self->state = DONE;
  live--;
  warps[running / WARP].live--;
  check_warp(running / WARP);
  check_block();
  yield();
  fail("went on after its end");
}
#if defined(__x86_64__)
extern "C" void shim_fiber_main(void) { fiber_main(); }
#endif

void prepare(fiber *f, unsigned index) {
  f->index = index;
  f->state = READY;
  f->exchanges = 0;
  f->copies.clear();
  f->groups.clear();
  f->fake_stack = nullptr;
  if (!f->stack) {
    f->stack = static_cast<char *>(
        mmap(nullptr, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (f->stack == MAP_FAILED) fail("no memory for a stack");
  }
#ifdef WITH_ASAN
  /* The last functions on it did not return. */
  __asan_unpoison_memory_region(f->stack + STACK_BYTES - LAST_BYTES, LAST_BYTES);
#endif
#if defined(__x86_64__)
  void **top = reinterpret_cast<void **>(f->stack + STACK_BYTES);
  *--top = nullptr; /* a return address, so that the stack is aligned as at a call */
  *--top = reinterpret_cast<void *>(shim_fiber_main);
  for (int i = 0; i < 6; i++) *--top = nullptr;
  f->sp = top;
#else
  getcontext(&f->context);
  f->context.uc_stack.ss_sp = f->stack;
  f->context.uc_stack.ss_size = STACK_BYTES;
  f->context.uc_link = nullptr;
  makecontext(&f->context, fiber_main, 0);
#endif
}

void run_block(void) {
  live = n_threads;
  at_block = 0;
  warps.assign((n_threads + WARP - 1) / WARP, {});
  for (unsigned i = 0; i < n_threads; i++) {
    prepare(&fibers[i], i);
    warps[i / WARP].live++;
  }
#ifdef WITH_ASAN
  host_stack = nullptr;
#endif
  change(&host, &fibers[shim.backward ? n_threads - 1 : 0]);
}

} // namespace

void shim_run_grid(dim3 grid, unsigned threads, size_t shared, const std::function<void()> &function) {
  static std::vector<fiber> all; /* keeps the stacks */
  if (all.size() < threads) all.resize(threads);
  fibers.swap(all);
  gridDim = grid;
  blockDim = dim3(threads);
  n_threads = threads;
  kernel = &function;
  for (unsigned z = 0; z < grid.z; z++)
    for (unsigned y = 0; y < grid.y; y++)
      for (unsigned x = 0; x < grid.x; x++) {
        blockIdx = dim3(x, y, z);
        /* Exactly as much as was asked for, and nothing useful in it. */
        if (posix_memalign(&shared_memory, 128, shared ? shared : 1) != 0) fail("no memory for shared memory");
        memset(shared_memory, 0xFF, shared);
        run_block();
        free(shared_memory);
      }
  fibers.swap(all);
}

const unsigned char *shim_exchange(const void *mine, size_t bytes) {
  fiber *self = &fibers[running];
  warp *w = &warps[running / WARP];
  if (bytes > SHIM_SLOT_BYTES) fail("an exchange of too many bytes");
  unsigned char *slots = w->slots[self->exchanges++ % 2];
  memcpy(slots + running % WARP * SHIM_SLOT_BYTES, mine, bytes);
  self->state = AT_WARP;
  w->waiting++;
  check_warp(running / WARP);
  yield();
  return slots;
}

void shim_block_barrier(void) {
  fibers[running].state = AT_BLOCK;
  at_block++;
  check_block();
  yield();
}

void *shim_shared(void) { return shared_memory; }

/* ---- Copies that are waited for: they happen when they are ------------------------------------------------------- */

void shim_copy_async(void *to, const void *from, int bytes) { fibers[running].copies.push_back({to, from, bytes}); }

void shim_copy_group(void) { fibers[running].groups.push_back(fibers[running].copies.size()); }

void shim_copy_wait(int left) {
  fiber *self = &fibers[running];
  if (self->groups.size() <= (size_t)left) return;
  const size_t closed = self->groups.size() - (size_t)left, end = self->groups[closed - 1];
  for (size_t i = 0; i < end; i++) {
    const pending_copy copy = self->copies[i];
    memset(copy.to, 0, 16);
    memcpy(copy.to, copy.from, (size_t)copy.bytes);
  }
  self->copies.erase(self->copies.begin(), self->copies.begin() + (ptrdiff_t)end);
  self->groups.erase(self->groups.begin(), self->groups.begin() + (ptrdiff_t)closed);
  for (size_t &group : self->groups) group -= end;
}

/* ---- Products ---------------------------------------------------------------------------------------------------- */

/* Widened by the lane that has them, so that others only multiply. */
struct operands {
  float a[8], b[4];
};
static_assert(sizeof(operands) <= SHIM_SLOT_BYTES, "a slot holds a lane's operands");

/* Instrumented, these few lines would take most of the tests' time. */
#define NOT_SANITIZED __attribute__((no_sanitize("address", "undefined")))

/* c += a·b, as cuda/tensor.h says which lane has what; `depth`: of the product. */
template <int depth> NOT_SANITIZED static void multiply(float c[4], const operands &mine) {
  enum { PER_LANE = depth / 8 }; /* neighbouring k that a lane has: 2 of 16 bits, 1 of tf32 */
  const unsigned char *all = shim_exchange(&mine, sizeof mine);
  const int group = shim_lane() / 4, thread = shim_lane() % 4;
  float sums[4] = {c[0], c[1], c[2], c[3]};
  for (int half = 0; half < 2; half++)
    for (int of_thread = 0; of_thread < 4; of_thread++) {
      const operands *row = reinterpret_cast<const operands *>(all + (group * 4 + of_thread) * SHIM_SLOT_BYTES);
      const operands *first = reinterpret_cast<const operands *>(all + (thread * 8 + of_thread) * SHIM_SLOT_BYTES);
      const operands *second = reinterpret_cast<const operands *>(all + (thread * 8 + 4 + of_thread) * SHIM_SLOT_BYTES);
      for (int k = 0; k < PER_LANE; k++) {
        const float upper = row->a[half * 2 * PER_LANE + k], lower = row->a[(half * 2 + 1) * PER_LANE + k];
        const float x = first->b[half * PER_LANE + k], y = second->b[half * PER_LANE + k];
        sums[0] += upper * x, sums[1] += upper * y;
        sums[2] += lower * x, sums[3] += lower * y;
      }
    }
  memcpy(c, sums, sizeof sums);
}

template <class Widen>
static void product_16(float c[4], const uint32_t a[4], const uint32_t b[2], const Widen &number) {
  operands mine;
  for (int i = 0; i < 8; i++) mine.a[i] = number((uint16_t)(a[i / 2] >> i % 2 * 16));
  for (int i = 0; i < 4; i++) mine.b[i] = number((uint16_t)(b[i / 2] >> i % 2 * 16));
  multiply<16>(c, mine);
}

template <> void mien_mma<mien_bf16>(float c[4], const uint32_t a[4], const uint32_t b[2]) {
  product_16(c, a, b, mien_bf16_to_float);
}

template <> void mien_mma<mien_f16>(float c[4], const uint32_t a[4], const uint32_t b[2]) {
  product_16(c, a, b, mien_half_to_float);
}

void mien_mma_tf32(float c[4], const uint32_t a[4], const uint32_t b[2]) {
  const uint32_t kept = ~0x1FFFu;
  operands mine = {};
  for (int i = 0; i < 4; i++) mine.a[i] = __uint_as_float(a[i] & kept);
  for (int i = 0; i < 2; i++) mine.b[i] = __uint_as_float(b[i] & kept);
  multiply<8>(c, mine);
}

void mien_load_matrices(uint32_t out[4], const void *row) {
  if ((uintptr_t)row % 16 != 0) fail("ldmatrix: a row that is not aligned to 16 bytes");
  uint32_t mine[4];
  memcpy(mine, row, sizeof mine);
  const unsigned char *all = shim_exchange(mine, sizeof mine);
  for (int i = 0; i < 4; i++)
    memcpy(&out[i], all + (size_t)(i * 8 + shim_lane() / 4) * SHIM_SLOT_BYTES + (size_t)(shim_lane() % 4) * 4, 4);
}
