// SPDX-License-Identifier: Apache-2.0
// The heads of HTTP/2 frames (RFC 9113, 4.1) in received bytes, wherever these are cut: for rules
// that have to be checked before nghttp2 acts on a frame, or of which it says nothing. It keeps no
// payload and judges nothing; a frame that is too long or of a wrong size is nghttp2's to refuse.
// Plain state of one connection; one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::http {

struct H2FrameHead {
  uint32_t length = 0;
  int32_t stream = 0;
  int32_t depends_on = -1;  ///< Of a PRIORITY frame: the stream that its own depends on.
  uint8_t type = 0;
  uint8_t flags = 0;
};

class H2FrameReader {
 public:
  /// `skipped` bytes come before the first frame.
  explicit H2FrameReader(size_t skipped) : rest_(skipped) {}

  /// Goes to the end of the next head (of a PRIORITY frame: of its dependency), or through all
  /// bytes; how many that are.
  size_t next(std::string_view bytes);
  /// The last next() came to the end of a head.
  bool complete() const { return complete_; }
  const H2FrameHead& head() const { return head_; }

 private:
  static constexpr size_t kHead = 9;
  static constexpr size_t kDependency = 4;

  void fill(std::string_view bytes, size_t& taken);
  void parse();

  std::array<uint8_t, kHead + kDependency> bytes_{};
  H2FrameHead head_;
  size_t rest_;  ///< Bytes before the next head.
  size_t filled_ = 0;
  size_t wanted_ = kHead;
  bool complete_ = false;
};

}  // namespace weir::http
