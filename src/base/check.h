// SPDX-License-Identifier: Apache-2.0
// CHECK: a broken invariant of ours; on in release, ends the process with file, line and condition.
// DCHECK: the same, in debug builds only, for the fast path.
// What a peer or the environment can cause is never a CHECK: it is an Error.
#pragma once

namespace weir::base {
[[noreturn]] void check_failed(const char* file, int line, const char* condition);
}

#define CHECK(condition)                             \
  (__builtin_expect(static_cast<bool>(condition), 1) \
       ? static_cast<void>(0)                        \
       : ::weir::base::check_failed(__FILE__, __LINE__, #condition))

#ifdef NDEBUG
#define DCHECK(condition) static_cast<void>(0)
#else
#define DCHECK(condition) CHECK(condition)
#endif
