// SPDX-License-Identifier: Apache-2.0
// What one exchange leaves behind for the access log, as views and numbers: filled by the exchange
// at its end, formatted once (access_log.h), then gone.
#pragma once

#include <weir/clock.h>
#include <weir/error.h>

#include <cstdint>
#include <string_view>

namespace weir::proxy {

struct AccessRecord {
  WallTime started{};       ///< First byte of the head.
  std::string_view client;  ///< Peer address without port.
  uint16_t client_port = 0;
  std::string_view listener;
  std::string_view method;
  std::string_view scheme;
  std::string_view authority;
  std::string_view target;    ///< As received.
  std::string_view path;      ///< Normalised.
  std::string_view protocol;  ///< "HTTP/1.1"
  std::string_view user_agent;
  std::string_view referer;
  std::string_view request_id;
  std::string_view trace_id;
  uint16_t status = 0;      ///< What the client got; 499 if it left before.
  std::string_view reason;  ///< Reason word (error_info) if weir decided, else empty.
  std::string_view detail;  ///< Static detail of the error, may be empty.
  std::string_view route;
  std::string_view tenant;  ///< By the config's identity; empty: it has none.
  std::string_view function;
  std::string_view class_name;
  int64_t priority = -1;         ///< 0 is shed last, 5 first; -1: nobody said one.
  std::string_view cell;         ///< Its home; empty: the config has no cells.
  std::string_view cell_served;  ///< Empty: nobody here knows.
  std::string_view release;      ///< That said which version; empty: the target is none.
  std::string_view release_to;
  std::string_view release_rule;
  std::string_view cluster;
  std::string_view endpoint;  ///< Of the last attempt.
  uint32_t attempts = 0;
  std::string_view tries;        ///< "a/127.0.0.1:80=503, b/...=200"; empty where there was one.
  int64_t grpc_status = -1;      ///< Of a gRPC call; -1: it is none, or none came.
  uint16_t upstream_status = 0;  ///< 0: none came.
  bool upstream_reused = false;  ///< The last attempt used a pooled connection.
  uint64_t bytes_received = 0;   ///< Request body.
  uint64_t bytes_sent = 0;       ///< Response body.
  // Phases in microseconds from `started`; -1: not reached.
  int64_t head_us = -1;       ///< Head complete.
  int64_t connected_us = -1;  ///< Last attempt has its connection.
  int64_t sent_us = -1;       ///< Request wholly sent upstream.
  int64_t response_us = -1;   ///< Response head received.
  int64_t total_us = 0;
};

}  // namespace weir::proxy
