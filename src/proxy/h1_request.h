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
  TimePoint read_since{};  ///< When the body began.
  TimePoint paused_at{};
  uint64_t read_bytes = 0;     ///< Of the body, so far.
  TimePoint write_since{};     ///< Since when the client has not kept up, but for short breaks.
  int64_t write_base = 0;      ///< delivered() at that time.
  int64_t write_seen = 0;      ///< delivered() when the timer was last set.
  TimePoint blocked_at{};      ///< When the client's socket was last found full.
  bool continue_owed = false;  ///< The client waits for "100 Continue" before it sends the body.
};

}  // namespace weir::proxy
