// SPDX-License-Identifier: Apache-2.0
// What an HTTP/1 client connection needs only while a request is under way; it lives in the
// exchange's arena, so that an idle connection stays small. Private to downstream_*.cc.
#pragma once

#include <optional>

#include "http/body_reader.h"
#include "proxy/downstream_connection.h"
#include "proxy/splice_relay.h"

namespace weir::proxy {

struct DownstreamConnection::Request {
  http::BodyReader body;
  char* head = nullptr;  ///< A head that came in pieces, so far.
  size_t head_size = 0;
  size_t head_capacity = 0;
  std::optional<SpliceRelay> splice;
  TimePoint flow_since{};  ///< Since when the client has been sending, or failing to read.
  Duration flow_paused{};  ///< Of that, how long weir itself did not read.
  TimePoint paused_at{};
  uint64_t flow_bytes = 0;     ///< Moved since flow_since.
  bool continue_owed = false;  ///< The client waits for "100 Continue" before it sends the body.
};

}  // namespace weir::proxy
