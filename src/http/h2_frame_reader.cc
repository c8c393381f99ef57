// SPDX-License-Identifier: Apache-2.0
#include "http/h2_frame_reader.h"

#include <algorithm>
#include <cstring>

namespace weir::http {
namespace {

constexpr uint8_t kPriority = 2;
constexpr uint32_t kPrioritySize = 5;

uint32_t word(const uint8_t* bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
}

/// Without the reserved bit.
int32_t stream_id(const uint8_t* bytes) { return static_cast<int32_t>(word(bytes) & 0x7fffffffU); }

}  // namespace

size_t H2FrameReader::next(std::string_view bytes) {
  complete_ = false;
  size_t taken = std::min(rest_, bytes.size());
  rest_ -= taken;
  fill(bytes, taken);
  if (filled_ == kHead && wanted_ == kHead) {
    parse();
    fill(bytes, taken);
  }
  if (filled_ < wanted_) return taken;
  complete_ = true;
  if (wanted_ > kHead) head_.depends_on = stream_id(&bytes_[kHead]);
  rest_ = head_.length - (wanted_ - kHead);
  filled_ = 0;
  wanted_ = kHead;
  return taken;
}

void H2FrameReader::fill(std::string_view bytes, size_t& taken) {
  const size_t n = std::min(wanted_ - filled_, bytes.size() - taken);
  if (n > 0) std::memcpy(&bytes_[filled_], bytes.data() + taken, n);
  filled_ += n;
  taken += n;
}

void H2FrameReader::parse() {
  head_ = {.length = word(bytes_.data()) >> 8,
           .stream = stream_id(&bytes_[5]),
           .type = bytes_[3],
           .flags = bytes_[4]};
  if (head_.type == kPriority && head_.length == kPrioritySize) wanted_ = kHead + kDependency;
}

}  // namespace weir::http
