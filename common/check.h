// GH_CHECK: an invariant of our own that is always on, in Release too. It aborts with file and line; the
// supervisor then replaces the process. It is never used on input: what a peer or an operator may send is
// answered with an Error.
#pragma once

#include <cstdio>
#include <cstdlib>

#define GH_CHECK(condition)                                                                       \
  do {                                                                                            \
    if (__builtin_expect(!(condition), 0)) {                                                      \
      std::fprintf(stderr, "%s:%d: broken invariant: %s\n", __FILE__, __LINE__, #condition);      \
      std::abort();                                                                               \
    }                                                                                             \
  } while (false)
