// SPDX-License-Identifier: Apache-2.0
// What an HTTP/1 origin connection needs only while a request is under way; it lives in the
// exchange's arena, so that a pooled connection stays small. Private to upstream_*.cc.
#pragma once

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/arena.h"
#include "http/body_reader.h"
#include "proxy/splice_relay.h"
#include "proxy/upstream_connection.h"

namespace weir::proxy {

struct UpstreamConnection::Request {
  http::BodyReader body;
  char* head = nullptr;  ///< A head that came in pieces, so far.
  size_t head_size = 0;
  size_t head_capacity = 0;
  std::optional<SpliceRelay> splice;
  std::string_view websocket_key;  ///< That the origin has to answer.
  uint32_t interims = 0;           ///< 1xx heads so far.
  bool head_done = false;          ///< The final head has come: the body is being read.

  void keep(std::string_view in, base::Arena& arena) {
    if (head_size + in.size() > head_capacity) {
      head_capacity = std::max(head_capacity * 2, head_size + in.size());
      char* grown = static_cast<char*>(arena.allocate(head_capacity));
      if (head_size > 0) std::memcpy(grown, head, head_size);
      head = grown;
    }
    std::memcpy(head + head_size, in.data(), in.size());
    head_size += in.size();
  }
};

}  // namespace weir::proxy
