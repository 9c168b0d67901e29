/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the emulation of tests/cuda/shim gives to tests, on a real device. Memory is counted and limited between the
 * tests and CUDA's runtime; a test that would have other devices or drivers is skipped, saying so.
 */
#ifndef MIEN_TESTS_CUDA_DEVICE_STAND_IN_H
#define MIEN_TESTS_CUDA_DEVICE_STAND_IN_H

#include <stddef.h>
#include <stdint.h>

/* A setting that nobody has of a real device. */
template <class T> struct stand_in_setting {
  const char *why;
  void operator=(T) { plain_skip(why); }
  operator T(void) const { plain_skip(why); }
};

/* The whole suite is run again for it. */
struct stand_in_order {
  void operator=(bool is_backward) {
    plain_skip_all = is_backward ? "a real device's threads run in an order of its own" : NULL;
  }
};

struct stand_in_settings {
  stand_in_setting<int> devices, driver;
  stand_in_setting<const char *> name;
  stand_in_order backward;
  size_t memory; /* the most bytes that may be allocated; 0: what the device has */
};
extern struct stand_in_settings shim;
size_t shim_device_bytes(void); /* allocated now, all devices */
size_t shim_objects(void);      /* streams, events, graphs and pinned memory that exist */

/* Why there is no device to test; NULL where there is one. */
const char *stand_in_missing(void);
static const bool stand_in_asks = (plain_missing = stand_in_missing, true);

#endif
