// SPDX-License-Identifier: Apache-2.0
// A head or trailers on their way to nghttp2, which copies what it is given when it is submitted:
// all but names that are constants. Leaves out what has no place in HTTP/2 and writes the one
// content-length that follows from the body's framing, as head_writer.h does. Internal to this
// folder. Lives on the stack.
#pragma once

#include <nghttp2/nghttp2.h>
#include <weir/message.h>

#include <cstddef>
#include <string_view>

#include "base/arena.h"

namespace weir::http {

class H2Output {
 public:
  /// Room for so many fields.
  H2Output(base::Arena& arena, size_t capacity);
  H2Output(const H2Output&) = delete;
  H2Output& operator=(const H2Output&) = delete;

  /// `scheme` is the connection's.
  void request(const RequestHead& head, std::string_view scheme);
  void response(const ResponseHead& head);
  void trailers(const HeaderList& list);

  const nghttp2_nv* data() const { return fields_; }
  size_t size() const { return size_; }

 private:
  static constexpr size_t kInline = 40;

  void add(std::string_view name, std::string_view value, uint8_t flags);
  void add_constant(std::string_view name, std::string_view value);
  void add_header(const Header& header);
  void add_length(const BodyFraming& body, bool seen);

  base::Arena& arena_;
  nghttp2_nv* fields_;
  size_t size_ = 0;
  nghttp2_nv inline_[kInline];
  char status_[3];
  char length_[20];
};

}  // namespace weir::http
