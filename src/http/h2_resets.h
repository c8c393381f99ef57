// SPDX-License-Identifier: Apache-2.0
// Which closed streams a client may still send on: those that weir has reset before the client had
// said its last (RFC 9113, 5.1: frames under way must be ignored). It remembers the last few and is
// in doubt, to the client's favour, about what is older. Plain state of one connection; one thread.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace weir::http {

class H2Resets {
 public:
  static constexpr size_t kKept = 64;

  void add(int32_t id) {
    in_doubt_ = std::max(in_doubt_, ids_[next_]);
    ids_[next_] = id;
    next_ = (next_ + 1) % kKept;
  }
  /// The client has ended or reset it as well.
  void forget(int32_t id) { std::replace(ids_.begin(), ids_.end(), id, 0); }
  bool may_have(int32_t id) const {
    return id <= in_doubt_ || std::find(ids_.begin(), ids_.end(), id) != ids_.end();
  }

 private:
  std::array<int32_t, kKept> ids_{};
  size_t next_ = 0;
  int32_t in_doubt_ = 0;  ///< Up to this id.
};

}  // namespace weir::http
